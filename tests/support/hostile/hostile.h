/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hostile.h — a worker that has turned against the frontend. A deed is one broken rule: a bad greeting
 * (greet.c), false indexes, slots and returned chunks (misuse.c), bad packets (packets.c), or records that
 * lie (records.c).
 */
#ifndef MPA_TESTS_HOSTILE_H
#define MPA_TESTS_HOSTILE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/attach.h"
#include "shm/frontend_writes.h"
#include "shm/lane.h"
#include "shm/segment.h"
#include "shm/worker_writes.h"

/* What is wrong with the greeting; all false: it is that of an honest worker. */
struct greeting {
    bool is_unsealed, is_too_small, is_tiny, is_file;
    bool has_no_fds, has_bad_shape, has_bad_kind, has_loud_pidfd;
    uint32_t version; /* 0: the right one */
};

struct hostile {
    const char *runtime_dir;
    uint32_t slot;
    uint32_t run_ms; /* for deeds that go on */
    uint32_t seed;
    int attach_socket;
    int wake_socket;
    struct segment half;     /* ours, writable */
    struct segment records;  /* ours, writable */
    struct segment frontend; /* the frontend's half */
    struct segment pool;
    struct lane_layout layout;
    /* while it obeys: */
    uint32_t tx_tail[N_LANE_PRIORITIES], rx_head[N_LANE_PRIORITIES], return_tail;
    uint32_t fenced;  /* bit p: the fence was met in rx ring p */
    uint64_t adopted; /* number of the last order */
    uint64_t chunk;   /* return slot of the last chunk that was lent to us; 0: none yet */
};

/* greet.c. Each connects anew; 0 or -errno, with `refusal` (ATTACH_TEXT_BYTES) the frontend's words if it had
 * any. */
int greet_attach(struct hostile *hostile, const struct greeting *greeting, char *refusal);
int greet_ready(struct hostile *hostile);
/* A second hello on a lane that serves. */
int greet_again(struct hostile *hostile);
/* Opens `n` connections that say nothing and keeps them. 0 or -errno. */
int greet_crowd(struct hostile *hostile, unsigned n);

/* obey.c: one turn of a worker that does as it is told; with `keeps_chunks` it gives none back. */
void obey(struct hostile *hostile, bool keeps_chunks);
/* It is alive, and only that. */
void hostile_beat(struct hostile *hostile);

/* One broken rule of a lane that serves; NULL: no such rule. */
typedef void deed_fn(struct hostile *hostile);
deed_fn *misuse_find(const char *name);
deed_fn *packets_find(const char *name);
deed_fn *records_find(const char *name);

static inline struct worker_half *hostile_half(struct hostile *hostile)
{
    return hostile->half.base;
}

static inline const struct frontend_half *hostile_frontend(const struct hostile *hostile)
{
    return hostile->frontend.base;
}

/* The slots of a ring in our half. */
static inline struct lane_slot *hostile_slots(struct hostile *hostile, size_t off)
{
    return (struct lane_slot *)(void *)((uint8_t *)hostile->half.base + off);
}

/* Xorshift (Marsaglia, 2003): the same bytes for the same seed. */
uint32_t hostile_random(struct hostile *hostile);
/* Publishes an index of ours and wakes the frontend. */
void hostile_publish(struct hostile *hostile, struct lane_index *index, uint32_t value);
/* True until run_ms after the first call with *until_ns == 0. Keeps the heart beating. */
bool hostile_has_time(struct hostile *hostile, uint64_t *until_ns);

#endif
