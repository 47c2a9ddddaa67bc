/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_test.c — the budget holds, blocks are what was asked for, and misuse is caught. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "worker/stack/pool.h"

#define BUDGET_BYTES ((size_t)4 << 20)

static void pool_start(size_t budget_bytes)
{
    CU_ASSERT_EQUAL_FATAL(pool_init(budget_bytes), 0);
}

static void a_block_holds_what_was_asked_for(void)
{
    pool_start(BUDGET_BYTES);
    for (size_t n_bytes = 1; n_bytes <= POOL_MAX_BLOCK_BYTES; n_bytes += n_bytes < 600 ? 1 : n_bytes / 7) {
        size_t before_bytes = pool_used_bytes();
        uint8_t *block = pool_malloc(n_bytes);

        CU_ASSERT_PTR_NOT_NULL_FATAL(block);
        CU_ASSERT_EQUAL((uintptr_t)block % 64, 0);
        memset(block, 0xee, n_bytes);
        CU_ASSERT(pool_used_bytes() - before_bytes >= n_bytes);
        /* No class wastes more than half of it, nor more than 63 bytes below the powers of two. */
        CU_ASSERT(pool_used_bytes() - before_bytes <= (n_bytes <= 512 ? n_bytes + 63 : 2 * n_bytes));
        pool_free(block);
        CU_ASSERT_EQUAL(pool_used_bytes(), before_bytes);
    }
    pool_fini();
}

static void blocks_do_not_overlap(void)
{
    enum { N_BLOCKS = 400 };
    static struct {
        uint8_t *at;
        size_t n_bytes;
    } blocks[N_BLOCKS];
    uint32_t seed = 7;

    pool_start(BUDGET_BYTES);
    for (uint32_t turn = 0; turn < 20000; turn++) {
        uint32_t i = (seed = seed * 1664525u + 1013904223u) >> 8;
        uint8_t mark = (uint8_t)(i % N_BLOCKS);

        i %= N_BLOCKS;
        for (size_t at = 0; at < blocks[i].n_bytes; at += 61)
            CU_ASSERT_EQUAL(blocks[i].at[at], mark);
        pool_free(blocks[i].at);
        blocks[i].n_bytes = 1 + (seed >> 20) % 3000;
        blocks[i].at = pool_malloc(blocks[i].n_bytes);
        CU_ASSERT_PTR_NOT_NULL_FATAL(blocks[i].at);
        memset(blocks[i].at, mark, blocks[i].n_bytes);
    }
    for (uint32_t i = 0; i < N_BLOCKS; i++)
        pool_free(blocks[i].at);
    memset(blocks, 0, sizeof(blocks));
    CU_ASSERT_EQUAL(pool_used_bytes(), 0);
    pool_fini();
}

static void the_last_block_freed_is_the_next_one_given(void)
{
    void *a, *b;

    pool_start(BUDGET_BYTES);
    a = pool_malloc(300);
    b = pool_malloc(300);
    pool_free(a);
    pool_free(b);
    CU_ASSERT_PTR_EQUAL(pool_malloc(310), b);
    CU_ASSERT_PTR_EQUAL(pool_malloc(310), a);
    pool_fini();
}

static void the_budget_is_never_exceeded(void)
{
    size_t n_blocks = 0;

    pool_start(64 * 1000);
    while (pool_malloc(64) != NULL)
        n_blocks++;
    CU_ASSERT_EQUAL(n_blocks, 1000);
    CU_ASSERT_EQUAL(pool_used_bytes(), pool_budget_bytes());
    CU_ASSERT_PTR_NULL(pool_malloc(1));
    CU_ASSERT_PTR_NULL(pool_calloc(1, 1));
    CU_ASSERT_EQUAL(pool_used_bytes(), 64 * 1000);
    CU_ASSERT_EQUAL(pool_peak_bytes(), 64 * 1000);
    pool_fini();
}

static void too_large_a_request_changes_nothing(void)
{
    pool_start(BUDGET_BYTES);
    CU_ASSERT_PTR_NULL(pool_malloc(POOL_MAX_BLOCK_BYTES + (size_t)(pool_used_bytes() + 1)));
    CU_ASSERT_PTR_NULL(pool_calloc(SIZE_MAX / 2, 3 + pool_used_bytes()));
    CU_ASSERT_EQUAL(pool_used_bytes(), 0);
    CU_ASSERT_EQUAL(pool_peak_bytes(), 0);
    pool_fini();
}

static void a_class_without_blocks_takes_a_larger_one(void)
{
    void *large, *small;

    pool_start(4096);
    large = pool_malloc(4096);
    CU_ASSERT_PTR_NULL(pool_malloc(100));
    pool_free(large);
    small = pool_malloc(100);
    CU_ASSERT_PTR_EQUAL(small, large);
    CU_ASSERT_EQUAL(pool_used_bytes(), 4096);
    pool_free(small);
    CU_ASSERT_PTR_EQUAL(pool_malloc(4000), large);
    pool_fini();
}

static void calloc_zeroes_a_block_used_before(void)
{
    uint8_t *block;

    pool_start(BUDGET_BYTES);
    block = pool_malloc(200);
    memset(block, 0xff, 200);
    pool_free(block);
    block = pool_calloc(10, 20);
    for (size_t i = 0; i < 200; i++)
        CU_ASSERT_EQUAL(block[i], 0);
    pool_fini();
}

static void the_peak_is_remembered(void)
{
    void *a, *b;

    pool_start(BUDGET_BYTES);
    a = pool_malloc(64);
    b = pool_malloc(1024);
    pool_free(b);
    pool_free(a);
    pool_free(NULL);
    CU_ASSERT_EQUAL(pool_used_bytes(), 0);
    CU_ASSERT_EQUAL(pool_peak_bytes(), 64 + 1024);
    pool_fini();
}

static void a_second_pool_is_refused(void)
{
    pool_start(BUDGET_BYTES);
    CU_ASSERT_EQUAL(pool_init(BUDGET_BYTES), -EALREADY);
    pool_fini();
    CU_ASSERT_EQUAL(pool_init(63), -EINVAL);
    pool_start(BUDGET_BYTES);
    pool_fini();
}

/* True when misuse() ends its process with SIGABRT. */
static bool is_aborting(void (*misuse)(void))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        close(STDERR_FILENO); /* the message is expected */
        signal(SIGABRT, SIG_DFL);
        misuse();
        _exit(0);
    }
    CU_ASSERT_FATAL(child > 0);
    CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* Through a volatile pointer: the compilers see such mistakes too. */
static void free_through(void *block)
{
    void *volatile hidden = block;

    pool_free(hidden);
}

static void free_twice(void)
{
    void *block = pool_malloc(100);

    free_through(block);
    free_through(block);
}

static void free_inside(void)
{
    free_through((uint8_t *)pool_malloc(500) + 64);
}

static void free_unaligned(void)
{
    free_through((uint8_t *)pool_malloc(500) + 8);
}

static void free_foreign(void)
{
    static uint8_t foreign[64];

    free_through(foreign);
}

static void free_never_given(void)
{
    free_through((uint8_t *)pool_malloc(64) + 64);
}

static void freeing_anything_but_a_block_in_use_is_caught(void)
{
    pool_start(BUDGET_BYTES);
    CU_ASSERT(is_aborting(free_twice));
    CU_ASSERT(is_aborting(free_inside));
    CU_ASSERT(is_aborting(free_unaligned));
    CU_ASSERT(is_aborting(free_foreign));
    CU_ASSERT(is_aborting(free_never_given));
    pool_fini();
}

const char unit_suite_name[] = "worker/stack/pool";
const struct unit_test unit_tests[] = {
    {"a block holds what was asked for", a_block_holds_what_was_asked_for},
    {"blocks do not overlap", blocks_do_not_overlap},
    {"the last block freed is the next one given", the_last_block_freed_is_the_next_one_given},
    {"the budget is never exceeded", the_budget_is_never_exceeded},
    {"too large a request changes nothing", too_large_a_request_changes_nothing},
    {"a class without blocks takes a larger one", a_class_without_blocks_takes_a_larger_one},
    {"calloc zeroes a block used before", calloc_zeroes_a_block_used_before},
    {"the peak is remembered", the_peak_is_remembered},
    {"a second pool is refused", a_second_pool_is_refused},
    {"freeing anything but a block in use is caught", freeing_anything_but_a_block_in_use_is_caught},
    {NULL, NULL},
};
