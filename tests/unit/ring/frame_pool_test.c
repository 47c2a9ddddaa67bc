/* SPDX-License-Identifier: BSD-3-Clause */
/* frame_pool_test.c — who holds which chunk: generations, quotas, and what a worker cannot give back. */
#include "ring/frame_pool.h"

#include <sys/mman.h>

#include "tests/support/unit.h"

#define N_HEAD 32u
#define N_LARGE 4u
#define WORKER 3u
#define OTHER 5u

static struct frame_pool pool;

static void start(void)
{
    CU_ASSERT_EQUAL_FATAL(frame_pool_init(&pool, N_HEAD, N_LARGE, false), 0);
}

static void test_every_chunk_once(void)
{
    bool was_taken[N_HEAD] = {false};

    start();
    for (uint32_t i = 0; i < N_HEAD; i++) {
        uint32_t idx = frame_pool_take_head(&pool);

        CU_ASSERT_FATAL(idx < N_HEAD);
        CU_ASSERT_FALSE(was_taken[idx]);
        was_taken[idx] = true;
    }
    CU_ASSERT_EQUAL(frame_pool_take_head(&pool), LANE_NO_CHUNK);
    CU_ASSERT_EQUAL(pool.n_free_head, 0);
    frame_pool_fini(&pool);
}

static void test_large_chunks_run_out(void)
{
    start();
    for (uint32_t i = 0; i < N_LARGE; i++)
        CU_ASSERT(frame_pool_take_large(&pool) < N_LARGE);
    CU_ASSERT_EQUAL(frame_pool_take_large(&pool), LANE_NO_CHUNK);
    frame_pool_put_large(&pool, 2);
    CU_ASSERT_EQUAL(frame_pool_take_large(&pool), 2);
    frame_pool_fini(&pool);
}

static void test_warm_chunk_first(void)
{
    uint32_t first, second;

    start();
    first = frame_pool_take_head(&pool);
    second = frame_pool_take_head(&pool);
    frame_pool_put(&pool, second);
    frame_pool_put(&pool, first);
    CU_ASSERT_EQUAL(frame_pool_take_head(&pool), first);
    frame_pool_fini(&pool);
}

static void test_return(void)
{
    uint32_t idx, large_idx;
    uint16_t generation;

    start();
    idx = frame_pool_take_head(&pool);
    large_idx = frame_pool_take_large(&pool);
    frame_pool_tie(&pool, idx, large_idx);
    generation = frame_pool_lend(&pool, idx, WORKER);
    CU_ASSERT_EQUAL(pool.n_held[WORKER], 1);
    CU_ASSERT(frame_pool_return(&pool, idx, generation, WORKER));
    CU_ASSERT_EQUAL(pool.n_held[WORKER], 0);
    CU_ASSERT_EQUAL(pool.n_free_head, N_HEAD);
    CU_ASSERT_EQUAL(pool.n_free_large, N_LARGE);
    frame_pool_fini(&pool);
}

static void test_false_returns(void)
{
    uint32_t idx;
    uint16_t old, generation;

    start();
    idx = frame_pool_take_head(&pool);
    CU_ASSERT_FALSE(frame_pool_return(&pool, idx, 0, WORKER)); /* in our hands */
    old = frame_pool_lend(&pool, idx, WORKER);
    CU_ASSERT_FALSE(frame_pool_return(&pool, idx, old, OTHER));
    CU_ASSERT_FALSE(frame_pool_return(&pool, idx, (uint16_t)(old + 1), WORKER));
    CU_ASSERT_FALSE(frame_pool_return(&pool, N_HEAD, old, WORKER));
    CU_ASSERT_FALSE(frame_pool_return(&pool, LANE_NO_CHUNK, old, WORKER));
    CU_ASSERT(frame_pool_return(&pool, idx, old, WORKER));
    CU_ASSERT_FALSE(frame_pool_return(&pool, idx, old, WORKER)); /* twice */
    /* Lent again, the return of the first time is too late. */
    CU_ASSERT_EQUAL_FATAL(frame_pool_take_head(&pool), idx);
    generation = frame_pool_lend(&pool, idx, WORKER);
    CU_ASSERT_FALSE(frame_pool_return(&pool, idx, old, WORKER));
    CU_ASSERT_EQUAL(pool.n_held[WORKER], 1);
    CU_ASSERT_EQUAL(pool.n_free_head, N_HEAD - 1);
    CU_ASSERT(frame_pool_return(&pool, idx, generation, WORKER));
    frame_pool_fini(&pool);
}

static void test_quota(void)
{
    start();
    CU_ASSERT_EQUAL(pool.quota, N_HEAD / 2);
    for (uint32_t i = 0; i < pool.quota; i++) {
        CU_ASSERT(frame_pool_has_quota(&pool, WORKER));
        frame_pool_lend(&pool, frame_pool_take_head(&pool), WORKER);
    }
    CU_ASSERT_FALSE(frame_pool_has_quota(&pool, WORKER));
    CU_ASSERT(frame_pool_has_quota(&pool, OTHER));
    frame_pool_fini(&pool);
}

static void test_reclaim(void)
{
    uint32_t mine;
    uint16_t generation;

    start();
    for (uint32_t i = 0; i < 6; i++)
        frame_pool_lend(&pool, frame_pool_take_head(&pool), WORKER);
    mine = frame_pool_take_head(&pool);
    generation = frame_pool_lend(&pool, mine, OTHER);
    frame_pool_tie(&pool, mine, frame_pool_take_large(&pool));
    CU_ASSERT_EQUAL(frame_pool_reclaim(&pool, WORKER), 6);
    CU_ASSERT_EQUAL(pool.n_held[WORKER], 0);
    CU_ASSERT_EQUAL(pool.n_free_head, N_HEAD - 1);
    CU_ASSERT(frame_pool_return(&pool, mine, generation, OTHER));
    CU_ASSERT_EQUAL(frame_pool_reclaim(&pool, WORKER), 0);
    frame_pool_fini(&pool);
}

static void test_generation_wraps(void)
{
    uint16_t first = 0, last = 0;

    start();
    for (uint32_t i = 0; i < 65537; i++) {
        uint32_t idx = frame_pool_take_head(&pool);

        last = frame_pool_lend(&pool, idx, WORKER);
        if (i == 0)
            first = last;
        if (!frame_pool_return(&pool, idx, last, WORKER))
            CU_FAIL_FATAL("a chunk of the right generation was refused");
    }
    CU_ASSERT_EQUAL(last, first);
    frame_pool_fini(&pool);
}

static void test_workers_cannot_write(void)
{
    start();
    CU_ASSERT_EQUAL(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, pool.segment.fd, 0), MAP_FAILED);
    frame_pool_fini(&pool);
}

const char unit_suite_name[] = "ring: frame pool";
const struct unit_test unit_tests[] = {
    {"every head chunk is given out once", test_every_chunk_once},
    {"large chunks run out and come back", test_large_chunks_run_out},
    {"the chunk that came back last is given out first", test_warm_chunk_first},
    {"a chunk comes back with the large chunk tied to it", test_return},
    {"a return that is false, late, twice or another's changes nothing", test_false_returns},
    {"a worker's quota is its own", test_quota},
    {"everything comes back from a worker that is gone, and nothing else", test_reclaim},
    {"generations wrap", test_generation_wraps},
    {"nobody who gets the descriptor can map it writable", test_workers_cannot_write},
    {NULL, NULL},
};
