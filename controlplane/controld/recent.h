/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * recent.h — the last events that were published, so that whoever missed some can be told. A ring of fixed
 * memory: an event too long for its place is kept without its fields.
 */
#ifndef MPA_CONTROLD_RECENT_H
#define MPA_CONTROLD_RECENT_H

#include <stdint.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"

#define RECENT_MAX_EVENTS 256u
#define RECENT_EVENT_BYTES 1024u

/* Zeroed is empty. */
struct recent {
    struct {
        uint32_t n_bytes;
        uint8_t bytes[RECENT_EVENT_BYTES];
    } places[RECENT_MAX_EVENTS]; /* event number n stands at n % RECENT_MAX_EVENTS */
    uint64_t last_sequence;      /* 0: none yet */
};

/* Gives the event the next number and keeps it. */
void recent_add(struct recent *recent, Mpa__V1__Event *event);

/* Number of the first event after `after` that is kept; last_sequence + 1 when there is none. */
uint64_t recent_first(const struct recent *recent, uint64_t after);

/* The event of a number from recent_first() to last_sequence, to be freed with
 * mpa__v1__event__free_unpacked(); NULL: out of memory. */
Mpa__V1__Event *recent_get(const struct recent *recent, uint64_t sequence) MPA_WARN_UNUSED;

#endif
