/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * follow.c — an mpa-controld that was started anew counts from 1 in another life. One of a version without
 * lives sends 0 for it; then a number that is not the next, backwards, is taken for a new beginning.
 */
#include "controlplane/mpactl/follow.h"

enum follow_step follow_see(struct follow *follow, const Mpa__V1__Event *event)
{
    const bool is_new_life = event->life != follow->life;

    if (follow->has_begun && !is_new_life && event->life != 0 && event->sequence <= follow->last)
        return FOLLOW_OLD;
    if (follow->has_begun && event->sequence != (is_new_life ? 1 : follow->last + 1) &&
        (event->life != 0 || event->sequence > follow->last))
        return FOLLOW_GAP;
    *follow = (struct follow){.life = event->life, .last = event->sequence, .has_begun = true};
    return FOLLOW_NEXT;
}

void follow_catch_up(struct follow *follow, const Mpa__V1__GetSnapshotReply *snapshot)
{
    *follow = (struct follow){.life = snapshot->life, .last = snapshot->last_sequence, .has_begun = true};
}
