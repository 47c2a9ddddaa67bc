/* SPDX-License-Identifier: BSD-3-Clause */
/* frame_pool.c — what of the rx pool is not in the fast path: the segment, the tables, a worker that is gone.
 */
#include "ring/frame_pool.h"

#include <errno.h>
#include <stdlib.h>

#define POOL_PAGE_BYTES 4096u

static int frame_pool_map(struct frame_pool *pool, bool wants_huge)
{
    size_t head_off = segment_align(sizeof(struct pool_segment), POOL_PAGE_BYTES);
    size_t large_off = head_off + (size_t)pool->n_head * POOL_HEAD_BYTES;
    struct segment_spec spec = {
        .name = "mpa-rx-pool",
        .kind = SEGMENT_POOL,
        .version = POOL_SEGMENT_VERSION,
        .size_bytes = large_off + (size_t)pool->n_large * POOL_LARGE_BYTES,
        .wants_huge = wants_huge,
    };
    int failed = segment_new(&pool->segment, &spec);

    if (failed < 0)
        return failed;
    struct pool_segment *header = pool->segment.base;
    header->n_head = pool->n_head;
    header->n_large = pool->n_large;
    header->head_off = head_off;
    header->large_off = large_off;
    pool->heads = (uint8_t *)pool->segment.base + head_off;
    pool->larges = (uint8_t *)pool->segment.base + large_off;
    return segment_seal(&pool->segment);
}

static void frame_pool_fill(struct frame_pool *pool)
{
    for (uint32_t i = 0; i < pool->n_head; i++) {
        pool->entries[i] = (struct frame_pool_entry){.large_idx = LANE_NO_CHUNK, .holder = FRAME_POOL_FREE};
        pool->free_head[i] = pool->n_head - 1 - i; /* the lowest on top */
    }
    pool->n_free_head = pool->n_head;
    for (uint32_t i = 0; i < pool->n_large; i++)
        pool->free_large[i] = pool->n_large - 1 - i;
    pool->n_free_large = pool->n_large;
}

int frame_pool_init(struct frame_pool *pool, uint32_t n_head, uint32_t n_large, bool wants_huge)
{
    int failed;

    *pool = (struct frame_pool){.segment = {.fd = -1}, .n_head = n_head, .n_large = n_large};
    pool->quota = n_head / 2;
    pool->entries = calloc(n_head, sizeof(*pool->entries));
    pool->free_head = calloc(n_head, sizeof(*pool->free_head));
    pool->free_large = calloc(n_large, sizeof(*pool->free_large));
    failed = -ENOMEM;
    if (pool->entries != NULL && pool->free_head != NULL && pool->free_large != NULL)
        failed = frame_pool_map(pool, wants_huge);
    if (failed < 0) {
        frame_pool_fini(pool);
        return failed;
    }
    frame_pool_fill(pool);
    return 0;
}

void frame_pool_fini(struct frame_pool *pool)
{
    segment_fini(&pool->segment);
    free(pool->entries);
    free(pool->free_head);
    free(pool->free_large);
    *pool = (struct frame_pool){.segment = {.fd = -1}};
}

uint32_t frame_pool_reclaim(struct frame_pool *pool, uint8_t worker)
{
    uint32_t n_reclaimed = 0;

    for (uint32_t i = 0; i < pool->n_head && pool->n_held[worker] > 0; i++) {
        if (pool->entries[i].holder == worker &&
            frame_pool_return(pool, i, pool->entries[i].generation, worker))
            n_reclaimed++;
    }
    return n_reclaimed;
}
