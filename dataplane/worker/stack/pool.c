/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool.c — size classes over one mapping.
 *
 * The region is cut from its beginning, a block at a time, when the free list of a class is empty; a block
 * keeps its class for ever and goes back to the head of the list, so the next user finds it in the cache.
 * Pages never cut are never touched.
 *
 * Blocks have no header. Beside the region lies one byte ("mark") for each 64 bytes of it: 0 unless a block
 * begins there, else the class and whether the block is in use. So a payload can be a whole number of cache
 * lines, and pool_free() knows a block from a pointer into one, a second free, or somebody else's memory.
 *
 * Under AddressSanitizer what is not in use is poisoned, and so is the rest of a block behind the request.
 */
#include "worker/stack/pool.h"

#include <errno.h>
#include <sanitizer/asan_interface.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define GRANULE_BITS 6u
#define GRANULE_BYTES ((size_t)1 << GRANULE_BITS)
#define N_STEP_CLASSES 8u /* 64, 128 ... 512 */
#define N_CLASSES 16u     /* then 1 KiB ... 128 KiB */
#define STEP_MAX_BYTES (N_STEP_CLASSES * GRANULE_BYTES)
#define MARK_IN_USE 0x80u
#define MARK_CLASS(class) ((uint8_t)((class) + 1u)) /* 0 is "no block begins here" */

/* A block that is not in use. */
struct free_block {
    struct free_block *next;
};

static struct pool {
    uint8_t *region;
    uint8_t *marks; /* one a granule, directly behind the region */
    size_t region_bytes;
    size_t mapped_bytes;
    size_t cut_bytes; /* of the region, from its beginning */
    size_t used_bytes;
    size_t peak_bytes;
    struct free_block *free[N_CLASSES]; /* last in, first out */
} pool;

static inline unsigned class_of(size_t n_bytes)
{
    if (n_bytes <= STEP_MAX_BYTES)
        return n_bytes == 0 ? 0 : (unsigned)((n_bytes - 1) >> GRANULE_BITS);
    /* 513..1024 is the first class behind the steps: 64 - clz() is 10 there. */
    return N_STEP_CLASSES + (54u - (unsigned)__builtin_clzll(n_bytes - 1));
}

static inline size_t class_bytes(unsigned class)
{
    if (class < N_STEP_CLASSES)
        return (class + 1u) * GRANULE_BYTES;
    return STEP_MAX_BYTES << (class - N_STEP_CLASSES + 1u);
}

static inline size_t granule_of(const void *block)
{
    return (size_t)((const uint8_t *)block - pool.region) >> GRANULE_BITS;
}

int pool_init(size_t budget_bytes)
{
    size_t region_bytes = budget_bytes & ~(GRANULE_BYTES - 1);
    size_t mapped_bytes = region_bytes + region_bytes / GRANULE_BYTES;
    void *mapping;

    if (pool.region != NULL)
        return -EALREADY;
    if (region_bytes == 0 || mapped_bytes < region_bytes)
        return -EINVAL;
    mapping =
        mmap(NULL, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        return -errno;
    pool = (struct pool){.region = mapping,
                         .marks = (uint8_t *)mapping + region_bytes,
                         .region_bytes = region_bytes,
                         .mapped_bytes = mapped_bytes};
    return 0;
}

void pool_fini(void)
{
    if (pool.region == NULL)
        return;
    /* The address may be mapped again by somebody else. */
    ASAN_UNPOISON_MEMORY_REGION(pool.region, pool.region_bytes);
    munmap(pool.region, pool.mapped_bytes);
    pool = (struct pool){0};
}

/* The free list of the class is not empty. */
static void *block_take(unsigned class)
{
    struct free_block *block = pool.free[class];

    ASAN_UNPOISON_MEMORY_REGION(block, class_bytes(class));
    pool.free[class] = block->next;
    return block;
}

/* The next piece of the region, or NULL when it does not fit in what is left. */
static void *block_cut(unsigned class)
{
    uint8_t *block = pool.region + pool.cut_bytes;

    if (class_bytes(class) > pool.region_bytes - pool.cut_bytes)
        return NULL;
    pool.cut_bytes += class_bytes(class);
    pool.marks[granule_of(block)] = MARK_CLASS(class);
    return block;
}

/* The region is used up and so is the class; *class becomes that of the block found. */
static __attribute__((noinline, cold)) void *block_borrow(unsigned *class)
{
    for (unsigned larger = *class + 1; larger < N_CLASSES; larger++) {
        if (pool.free[larger] != NULL) {
            *class = larger;
            return block_take(larger);
        }
    }
    return NULL;
}

void *pool_malloc(size_t n_bytes)
{
    unsigned class;
    void *block;

    if (n_bytes > POOL_MAX_BLOCK_BYTES)
        return NULL;
    class = class_of(n_bytes);
    if (pool.free[class] != NULL) {
        block = block_take(class);
    } else {
        block = block_cut(class);
        if (block == NULL)
            block = block_borrow(&class);
        if (block == NULL)
            return NULL;
    }
    pool.marks[granule_of(block)] |= MARK_IN_USE;
    pool.used_bytes += class_bytes(class);
    if (pool.used_bytes > pool.peak_bytes)
        pool.peak_bytes = pool.used_bytes;
    ASAN_UNPOISON_MEMORY_REGION(block, n_bytes);
    ASAN_POISON_MEMORY_REGION((uint8_t *)block + n_bytes, class_bytes(class) - n_bytes);
    return block;
}

void *pool_calloc(size_t n, size_t n_bytes)
{
    size_t total_bytes;
    void *block;

    if (__builtin_mul_overflow(n, n_bytes, &total_bytes))
        return NULL;
    block = pool_malloc(total_bytes);
    if (block != NULL)
        memset(block, 0, total_bytes);
    return block;
}

void pool_free(void *block)
{
    size_t off = (size_t)((uintptr_t)block - (uintptr_t)pool.region);
    unsigned class;
    uint8_t mark;

    if (block == NULL)
        return;
    /* As a number: whatever the pointer is, nothing is read through it before it is known to be a block. */
    mpa_assert(off < pool.cut_bytes && off % GRANULE_BYTES == 0);
    mark = pool.marks[off >> GRANULE_BITS];
    mpa_assert(mark & MARK_IN_USE);
    mark &= (uint8_t)~MARK_IN_USE;
    pool.marks[off >> GRANULE_BITS] = mark;
    class = mark - 1u;
    ASAN_UNPOISON_MEMORY_REGION(block, class_bytes(class));
    ((struct free_block *)block)->next = pool.free[class];
    pool.free[class] = block;
    pool.used_bytes -= class_bytes(class);
    ASAN_POISON_MEMORY_REGION(block, class_bytes(class));
}

size_t pool_used_bytes(void)
{
    return pool.used_bytes;
}

size_t pool_peak_bytes(void)
{
    return pool.peak_bytes;
}

size_t pool_budget_bytes(void)
{
    return pool.region_bytes;
}
