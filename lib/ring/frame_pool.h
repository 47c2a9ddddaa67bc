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

struct frame_pool_entry {
    uint32_t next_free; /* head chunks only on the free list */
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
    uint32_t first_free_head;
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
uint32_t frame_pool_take_head(struct frame_pool *pool);
uint32_t frame_pool_take_large(struct frame_pool *pool);
/* Gives a large chunk that belongs to no head chunk back. */
void frame_pool_put_large(struct frame_pool *pool, uint32_t large_idx);
/* Gives a head chunk in the frontend's hands back, with the large chunk that belongs to it. */
void frame_pool_put(struct frame_pool *pool, uint32_t head_idx);

/* Ties a large chunk to a head chunk, or LANE_NO_CHUNK. */
void frame_pool_tie(struct frame_pool *pool, uint32_t head_idx, uint32_t large_idx);

/* True while the worker holds less than its quota. */
bool frame_pool_has_quota(const struct frame_pool *pool, uint8_t worker);

/* Hands a chunk over to a worker; returns its new generation. */
uint16_t frame_pool_lend(struct frame_pool *pool, uint32_t head_idx, uint8_t worker);

/* A worker gives a chunk back. False: not its chunk, or not of this generation; nothing has changed then. */
bool frame_pool_return(struct frame_pool *pool, uint32_t head_idx, uint16_t generation, uint8_t worker);

/* Takes a chunk that a worker has not looked at out of its hands into the frontend's, with what is in it.
 * False: not its chunk, or not of this generation. */
bool frame_pool_recall(struct frame_pool *pool, uint32_t head_idx, uint16_t generation, uint8_t worker);

/* Takes everything back from a worker that is gone. Returns how many chunks. */
uint32_t frame_pool_reclaim(struct frame_pool *pool, uint8_t worker);

#endif
