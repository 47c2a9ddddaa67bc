/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_events.c — fuzz target: any bytes as an event of the frontend, on its whole way through
 * mpa-controld: read for what it says to us, numbered, kept, and found again for a snapshot.
 */
#include <stdint.h>
#include <stdlib.h>

#include "controlplane/controld/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct recent recent;
    struct events_news news;
    Mpa__V1__Event *event = events_read(data, size, &news);
    Mpa__V1__Event *kept;

    if (event == NULL)
        return 0;
    if (news.fault.still_ns > 0 && event->kind != MPA__V1__EVENT_KIND__EVENT_KIND_STALLED)
        abort();
    recent_add(&recent, event);
    kept = recent_get(&recent, recent.last_sequence);
    /* However long it was: what happened to whom is kept. */
    if (kept == NULL || kept->sequence != event->sequence || kept->kind != event->kind ||
        kept->slot != event->slot || recent_first(&recent, event->sequence - 1) != event->sequence)
        abort();
    mpa__v1__event__free_unpacked(kept, NULL);
    mpa__v1__event__free_unpacked(event, NULL);
    return 0;
}
