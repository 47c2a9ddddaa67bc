/* SPDX-License-Identifier: BSD-3-Clause */
/* follow.h — the numbers of events: which is the next one, where is a gap, what was told already. */
#ifndef MPA_MPACTL_FOLLOW_H
#define MPA_MPACTL_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "mpa/v1/control.pb-c.h"

/* Zeroed has seen nothing. */
struct follow {
    uint64_t life; /* of the mpa-controld that the number is of */
    uint64_t last; /* number of the last event that was told */
    bool has_begun;
};

enum follow_step {
    FOLLOW_NEXT, /* tell it; it is noted */
    FOLLOW_OLD,  /* it was told already, from a snapshot */
    FOLLOW_GAP,  /* some are missing before it: ask for a snapshot after `last` of `life` */
};

enum follow_step follow_see(struct follow *follow, const Mpa__V1__Event *event);

/* Everything up to the snapshot's last event has been told, or is lost. */
void follow_catch_up(struct follow *follow, const Mpa__V1__GetSnapshotReply *snapshot);

#endif
