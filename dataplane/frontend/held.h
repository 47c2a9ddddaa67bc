/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * held.h — frames held back while their flows are between two workers: chunks of the rx pool in the
 * frontend's hands, in the order they came, bounded in number. Frames taken back from a worker that died are
 * older than those held meanwhile and go in front. One thread.
 */
#ifndef MPA_FRONTEND_HELD_H
#define MPA_FRONTEND_HELD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "shm/lane.h"

struct held_frame {
    uint32_t head_idx, large_idx; /* chunks; large_idx may be LANE_NO_CHUNK */
    uint32_t len_bytes;
    uint32_t bucket;
    uint16_t kind_and_flags; /* low half of word 0 of its slot */
    uint8_t priority;        /* enum lane_priority */
    bool is_orphan; /* its worker is gone: goes where its bucket goes. Else it goes with the hand-over */
};

struct held {
    struct held_frame *frames; /* owned: a ring of n_max places */
    uint32_t n_max;
    uint32_t first; /* place of the oldest */
    uint32_t n;
    uint64_t n_ever; /* frames that were ever held */
};

/* Room for `n_max` frames (at least 1). 0 or -ENOMEM. */
int held_init(struct held *held, uint32_t n_max) MPA_WARN_UNUSED;
/* The chunks are the pool's business. */
void held_fini(struct held *held);

/* Behind all others; false: full. */
bool held_add(struct held *held, const struct held_frame *frame) MPA_WARN_UNUSED;

/* In front of all others. When full the newest gives way and is in *dropped: the peer has seen more of its
 * older frames unanswered. False: nothing was dropped. */
bool held_add_front(struct held *held, const struct held_frame *frame, struct held_frame *dropped);

/* Shows each frame, oldest first; those of which `take` says true are gone from the list, the others stay in
 * their order. `take` must not touch the list. Returns how many are gone. */
typedef bool held_take_fn(void *context, struct held_frame *frame);
uint32_t held_walk(struct held *held, held_take_fn *take, void *context);

#endif
