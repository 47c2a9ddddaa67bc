/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frame_pool.h — the rx frame pool of the frontend: chunks in a segment that workers map read-only, and the
 * private table that says who holds which chunk.
 *
 * A frame is one head chunk (2 KiB) and, when longer, one large chunk (64 KiB). Chunks are in one of the
 * free lists (LIFO: a chunk just returned is warm), in the frontend's hands, or with one worker. Each time
 * a head chunk leaves for a worker its generation grows, so that a chunk returned twice, late or by somebody
 * else is seen. What a worker holds is counted against its quota. One thread.
 */
#ifndef MPA_RING_FRAME_POOL_H
#define MPA_RING_FRAME_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "shm/frontend_writes.h"

#define FRAME_POOL_MAX_HOLDERS CONFIG_MAX_WORKERS
#define FRAME_POOL_FRONTEND 0xfeu /* holder: the frontend itself */
#define FRAME_POOL_FREE 0xffu

/* Eight bytes, so that one cache line tells of eight chunks. */
struct frame_pool_entry {
    uint32_t large_idx; /* large chunk that belongs to it, or LANE_NO_CHUNK */
    uint16_t generation;
    uint8_t holder; /* worker slot, FRAME_POOL_FRONTEND or FRAME_POOL_FREE */
};

struct frame_pool {
    struct segment segment;
    uint8_t *heads; /* of chunk 0 */
    uint8_t *larges;
    uint32_t n_head, n_large;
    uint32_t n_free_head, n_free_large;
    uint32_t *free_head;                     /* owned stack of n_free_head */
    uint32_t *free_large;                    /* owned stack of n_free_large */
    struct frame_pool_entry *entries;        /* owned, n_head */
    uint32_t n_held[FRAME_POOL_MAX_HOLDERS]; /* head chunks with each worker */
    uint32_t quota;                          /* most a worker may hold */
};

/* Creates and seals the segment, allocates the tables. 0 or -errno. */
int frame_pool_init(struct frame_pool *pool, uint32_t n_head, uint32_t n_large,
                    bool wants_huge) MPA_WARN_UNUSED;
void frame_pool_fini(struct frame_pool *pool);

static inline uint8_t *frame_pool_head(const struct frame_pool *pool, uint32_t idx)
{
    return pool->heads + (size_t)idx * POOL_HEAD_BYTES;
}

static inline uint8_t *frame_pool_large(const struct frame_pool *pool, uint32_t idx)
{
    return pool->larges + (size_t)idx * POOL_LARGE_BYTES;
}

/* Takes a free chunk into the frontend's hands; LANE_NO_CHUNK when there is none. */
static inline uint32_t frame_pool_take_head(struct frame_pool *pool)
{
    uint32_t idx;

    if (pool->n_free_head == 0)
        return LANE_NO_CHUNK;
    idx = pool->free_head[--pool->n_free_head];
    pool->entries[idx].holder = FRAME_POOL_FRONTEND;
    return idx;
}

static inline uint32_t frame_pool_take_large(struct frame_pool *pool)
{
    return pool->n_free_large == 0 ? LANE_NO_CHUNK : pool->free_large[--pool->n_free_large];
}

/* Gives a large chunk that belongs to no head chunk back. */
static inline void frame_pool_put_large(struct frame_pool *pool, uint32_t large_idx)
{
    mpa_assert(pool->n_free_large < pool->n_large);
    pool->free_large[pool->n_free_large++] = large_idx;
}

/* Gives a head chunk in the frontend's hands back, with the large chunk that belongs to it. */
static inline void frame_pool_put(struct frame_pool *pool, uint32_t head_idx)
{
    struct frame_pool_entry *entry = &pool->entries[head_idx];

    mpa_assert(entry->holder == FRAME_POOL_FRONTEND);
    if (entry->large_idx != LANE_NO_CHUNK) {
        frame_pool_put_large(pool, entry->large_idx);
        entry->large_idx = LANE_NO_CHUNK;
    }
    /* Each chunk is on the stack once, so it has room: the holder says who is not. */
    entry->holder = FRAME_POOL_FREE;
    pool->free_head[pool->n_free_head++] = head_idx;
}

/* Ties a large chunk to a head chunk, or LANE_NO_CHUNK. */
static inline void frame_pool_tie(struct frame_pool *pool, uint32_t head_idx, uint32_t large_idx)
{
    pool->entries[head_idx].large_idx = large_idx;
}

/* True while the worker holds less than its quota. */
static inline bool frame_pool_has_quota(const struct frame_pool *pool, uint8_t worker)
{
    return pool->n_held[worker] < pool->quota;
}

/* Hands a chunk over to a worker; returns its new generation. */
static inline uint16_t frame_pool_lend(struct frame_pool *pool, uint32_t head_idx, uint8_t worker)
{
    struct frame_pool_entry *entry = &pool->entries[head_idx];

    mpa_assert(entry->holder == FRAME_POOL_FRONTEND);
    entry->holder = worker;
    pool->n_held[worker]++;
    return ++entry->generation;
}

/* Takes a chunk that a worker has not looked at out of its hands into the frontend's, with what is in it.
 * False: not its chunk, or not of this generation. */
static inline bool frame_pool_recall(struct frame_pool *pool, uint32_t head_idx, uint16_t generation,
                                     uint8_t worker)
{
    struct frame_pool_entry *entry;

    if (head_idx >= pool->n_head)
        return false;
    entry = &pool->entries[head_idx];
    if (entry->holder != worker || entry->generation != generation)
        return false;
    entry->holder = FRAME_POOL_FRONTEND;
    pool->n_held[worker]--;
    return true;
}

/* A worker gives a chunk back. False: not its chunk, or not of this generation; nothing has changed then. */
static inline bool frame_pool_return(struct frame_pool *pool, uint32_t head_idx, uint16_t generation,
                                     uint8_t worker)
{
    if (!frame_pool_recall(pool, head_idx, generation, worker))
        return false;
    frame_pool_put(pool, head_idx);
    return true;
}

/* Takes everything back from a worker that is gone. Returns how many chunks. */
uint32_t frame_pool_reclaim(struct frame_pool *pool, uint8_t worker);

#endif
