/* SPDX-License-Identifier: BSD-3-Clause */
/* fifo_memory_test.c — blocks never overlap, merge again, come back hot, and leave the region alone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/support/unit.h"
#include "worker/stack/fifo_memory.h"

#define REGION_BYTES ((size_t)8 << 20)
#define N_PAGES (REGION_BYTES / FIFO_MEMORY_PAGE_BYTES)

/* No access is allowed: the allocator must not touch the region. */
static uint8_t *region;

static void memory_start(struct fifo_memory *memory)
{
    region = mmap(NULL, REGION_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_FATAL(region != MAP_FAILED);
    CU_ASSERT_EQUAL_FATAL(fifo_memory_init(memory, region, REGION_BYTES), 0);
}

static void memory_stop(struct fifo_memory *memory)
{
    fifo_memory_fini(memory);
    munmap(region, REGION_BYTES);
}

/* All of it in the largest blocks: possible only when everything was merged. */
static void check_all_merged(struct fifo_memory *memory)
{
    uint32_t blocks[REGION_BYTES / FIFO_MEMORY_MAX_BYTES];

    CU_ASSERT_EQUAL(fifo_memory_used_bytes(memory), 0);
    for (size_t i = 0; i < REGION_BYTES / FIFO_MEMORY_MAX_BYTES; i++) {
        blocks[i] = fifo_memory_alloc(memory, FIFO_MEMORY_MAX_BYTES);
        CU_ASSERT_NOT_EQUAL_FATAL(blocks[i], FIFO_MEMORY_NONE);
    }
    CU_ASSERT_EQUAL(fifo_memory_alloc(memory, FIFO_MEMORY_MIN_BYTES), FIFO_MEMORY_NONE);
    for (size_t i = 0; i < REGION_BYTES / FIFO_MEMORY_MAX_BYTES; i++)
        fifo_memory_free(memory, blocks[i], FIFO_MEMORY_MAX_BYTES);
}

/* Marks the pages of a block as taken, or as free again; they must all have been the other. */
static void check_pages(uint8_t *is_taken, uint32_t page_idx, uint32_t n_bytes, uint8_t becomes)
{
    uint32_t n_pages = n_bytes / FIFO_MEMORY_PAGE_BYTES;

    CU_ASSERT_FATAL(page_idx + n_pages <= N_PAGES);
    CU_ASSERT_EQUAL(page_idx % n_pages, 0);
    for (uint32_t i = 0; i < n_pages; i++) {
        CU_ASSERT_NOT_EQUAL(is_taken[page_idx + i], becomes);
        is_taken[page_idx + i] = becomes;
    }
}

static void blocks_never_overlap_and_merge_again(void)
{
    enum { N_BLOCKS = 120 };
    static uint8_t is_taken[N_PAGES];
    struct {
        uint32_t page_idx, n_bytes;
    } blocks[N_BLOCKS] = {{0, 0}};
    struct fifo_memory memory;
    uint32_t seed = 11, n_failed = 0;

    memory_start(&memory);
    memset(is_taken, 0, sizeof(is_taken));
    for (unsigned turn = 0; turn < 30000; turn++) {
        unsigned i = ((seed = seed * 1664525u + 1013904223u) >> 9) % N_BLOCKS;

        if (blocks[i].n_bytes > 0) {
            check_pages(is_taken, blocks[i].page_idx, blocks[i].n_bytes, 0);
            fifo_memory_free(&memory, blocks[i].page_idx, blocks[i].n_bytes);
            blocks[i].n_bytes = 0;
            continue;
        }
        blocks[i].n_bytes = FIFO_MEMORY_MIN_BYTES << (seed >> 28) % FIFO_MEMORY_N_ORDERS;
        blocks[i].page_idx = fifo_memory_alloc(&memory, blocks[i].n_bytes);
        if (blocks[i].page_idx != FIFO_MEMORY_NONE) {
            check_pages(is_taken, blocks[i].page_idx, blocks[i].n_bytes, 1);
        } else {
            n_failed++;
            blocks[i].n_bytes = 0;
        }
    }
    CU_ASSERT(n_failed > 0 && n_failed < 15000); /* both ends were reached */
    for (unsigned i = 0; i < N_BLOCKS; i++) {
        if (blocks[i].n_bytes > 0)
            fifo_memory_free(&memory, blocks[i].page_idx, blocks[i].n_bytes);
    }
    check_all_merged(&memory);
    memory_stop(&memory);
}

static void the_block_freed_last_is_given_first(void)
{
    struct fifo_memory memory;
    uint32_t a, b, c;

    memory_start(&memory);
    a = fifo_memory_alloc(&memory, 8192);
    b = fifo_memory_alloc(&memory, 8192);
    c = fifo_memory_alloc(&memory, 8192);
    fifo_memory_free(&memory, c, 8192);
    fifo_memory_free(&memory, a, 8192);
    fifo_memory_free(&memory, b, 8192);
    CU_ASSERT_EQUAL(fifo_memory_alloc(&memory, 8192), b);
    CU_ASSERT_EQUAL(fifo_memory_alloc(&memory, 8192), a);
    CU_ASSERT_EQUAL(fifo_memory_alloc(&memory, 8192), c);
    memory_stop(&memory);
}

static void every_page_can_be_given_out(void)
{
    struct fifo_memory memory;
    static uint32_t blocks[N_PAGES];

    memory_start(&memory);
    for (size_t i = 0; i < N_PAGES; i++) {
        blocks[i] = fifo_memory_alloc(&memory, FIFO_MEMORY_PAGE_BYTES);
        CU_ASSERT_NOT_EQUAL_FATAL(blocks[i], FIFO_MEMORY_NONE);
    }
    CU_ASSERT_EQUAL(fifo_memory_used_bytes(&memory), REGION_BYTES);
    CU_ASSERT_EQUAL(fifo_memory_alloc(&memory, FIFO_MEMORY_PAGE_BYTES), FIFO_MEMORY_NONE);
    CU_ASSERT_EQUAL(fifo_memory_used_bytes(&memory), REGION_BYTES);
    for (size_t i = 0; i < N_PAGES; i++)
        fifo_memory_free(&memory, blocks[i], FIFO_MEMORY_PAGE_BYTES);
    check_all_merged(&memory);
    memory_stop(&memory);
}

/* A record committed before the free still names the block. */
static void a_held_block_is_not_reused_before_the_release(void)
{
    struct fifo_memory memory;
    uint32_t a, b;

    memory_start(&memory);
    fifo_memory_hold(&memory);
    a = fifo_memory_alloc(&memory, 4096);
    fifo_memory_free(&memory, a, 4096);
    CU_ASSERT_EQUAL(fifo_memory_used_bytes(&memory), 4096);
    b = fifo_memory_alloc(&memory, 4096);
    CU_ASSERT_NOT_EQUAL(b, a);
    fifo_memory_release(&memory);
    CU_ASSERT_EQUAL(fifo_memory_used_bytes(&memory), 4096);
    CU_ASSERT_EQUAL(fifo_memory_alloc(&memory, 4096), a);
    fifo_memory_free(&memory, a, 4096);
    fifo_memory_free(&memory, b, 4096);
    fifo_memory_release(&memory);
    check_all_merged(&memory);
    memory_stop(&memory);
}

static void a_region_that_does_not_fit_is_refused(void)
{
    struct fifo_memory memory;
    static uint8_t unaligned[1];

    CU_ASSERT_EQUAL(fifo_memory_init(&memory, NULL, FIFO_MEMORY_MAX_BYTES - 1), -EINVAL);
    CU_ASSERT_EQUAL(fifo_memory_init(&memory, NULL, (size_t)16 << 40), -EINVAL);
    CU_ASSERT_EQUAL(fifo_memory_init(&memory, (uint8_t *)((uintptr_t)unaligned | 1u), REGION_BYTES), -EINVAL);
}

const char unit_suite_name[] = "worker/stack/fifo_memory";
const struct unit_test unit_tests[] = {
    {"blocks never overlap and merge again", blocks_never_overlap_and_merge_again},
    {"the block freed last is given first", the_block_freed_last_is_given_first},
    {"every page can be given out", every_page_can_be_given_out},
    {"a held block is not reused before the release", a_held_block_is_not_reused_before_the_release},
    {"a region that does not fit is refused", a_region_that_does_not_fit_is_refused},
    {NULL, NULL},
};
