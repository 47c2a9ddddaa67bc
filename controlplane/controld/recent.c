/* SPDX-License-Identifier: BSD-3-Clause */
/* recent.c — a ring of packed events, by number. */
#include "controlplane/controld/recent.h"

#include <stddef.h>

void recent_add(struct recent *recent, Mpa__V1__Event *event)
{
    uint64_t sequence = ++recent->last_sequence;
    const size_t n_fields = event->n_fields;

    event->sequence = sequence;
    if (mpa__v1__event__get_packed_size(event) > RECENT_EVENT_BYTES)
        event->n_fields = 0;
    /* Fields of a newer frontend are left, and may be as long as they like. */
    if (mpa__v1__event__get_packed_size(event) <= RECENT_EVENT_BYTES) {
        recent->places[sequence % RECENT_MAX_EVENTS].n_bytes =
            (uint32_t)mpa__v1__event__pack(event, recent->places[sequence % RECENT_MAX_EVENTS].bytes);
    } else {
        Mpa__V1__Event bare = MPA__V1__EVENT__INIT;

        bare.sequence = sequence;
        bare.life = event->life;
        bare.time_ns = event->time_ns;
        bare.kind = event->kind;
        bare.role = event->role;
        bare.slot = event->slot;
        recent->places[sequence % RECENT_MAX_EVENTS].n_bytes =
            (uint32_t)mpa__v1__event__pack(&bare, recent->places[sequence % RECENT_MAX_EVENTS].bytes);
    }
    event->n_fields = n_fields;
}

uint64_t recent_first(const struct recent *recent, uint64_t after)
{
    uint64_t oldest =
        recent->last_sequence > RECENT_MAX_EVENTS ? recent->last_sequence - RECENT_MAX_EVENTS + 1 : 1;

    /* A number from the future is of nobody's: there is nothing after it. */
    if (after >= recent->last_sequence)
        return recent->last_sequence + 1;
    return after + 1 > oldest ? after + 1 : oldest;
}

Mpa__V1__Event *recent_get(const struct recent *recent, uint64_t sequence)
{
    mpa_assert(sequence > 0 && sequence <= recent->last_sequence &&
               recent->last_sequence - sequence < RECENT_MAX_EVENTS);
    return mpa__v1__event__unpack(NULL, recent->places[sequence % RECENT_MAX_EVENTS].n_bytes,
                                  recent->places[sequence % RECENT_MAX_EVENTS].bytes);
}
