/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fifo_memory.h — where the FIFOs' buffers come from: blocks of 4 KiB to 1 MiB in a region of shared memory
 * that the caller gives.
 *
 * Blocks are named by the index of their first 4 KiB page, so that another process that maps the region
 * elsewhere finds them. All bookkeeping is private memory; the region itself is neither read nor written
 * here. One thread.
 *
 * A worker that can die between two commits must not reuse a block in the turn that frees it: the last record
 * committed still names that block, and whoever adopts the connection reads it. For that there is holding:
 * freed blocks stay out of use until fifo_memory_release(), which is called behind a commit.
 */
#ifndef MPA_WORKER_STACK_FIFO_MEMORY_H
#define MPA_WORKER_STACK_FIFO_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

#define FIFO_MEMORY_PAGE_BYTES 4096u
#define FIFO_MEMORY_MIN_BYTES FIFO_MEMORY_PAGE_BYTES
#define FIFO_MEMORY_MAX_BYTES (1u << 20)
#define FIFO_MEMORY_N_ORDERS 9u /* a block of order n has 2^n pages */
#define FIFO_MEMORY_NONE UINT32_MAX

struct fifo_page;

/* Fields are private to fifo_memory.c, but for fifo_memory_at(). */
struct fifo_memory {
    uint8_t *base;           /* borrowed */
    struct fifo_page *pages; /* owned: one an entry for each page of the region */
    uint32_t n_pages;
    uint32_t n_cut_pages;                /* of the region, from its beginning, ever used */
    uint32_t free[FIFO_MEMORY_N_ORDERS]; /* heads of the lists of free blocks that were merged */
    uint32_t hot[FIFO_MEMORY_N_ORDERS];  /* heads of the lists of blocks lately freed, not merged */
    uint32_t n_hot[FIFO_MEMORY_N_ORDERS];
    uint32_t held; /* head of the list of blocks freed while holding */
    bool is_holding;
    uint64_t used_bytes;
};

/*
 * Takes `n_bytes` at `base` (page aligned, borrowed until fifo_memory_fini), rounded down to whole MiB. 0,
 * -EINVAL (less than 1 MiB, 16 TiB or more, not aligned) or -ENOMEM.
 */
int fifo_memory_init(struct fifo_memory *memory, void *base, size_t n_bytes) MPA_WARN_UNUSED;
void fifo_memory_fini(struct fifo_memory *memory);

/*
 * A block of `n_bytes`, a power of two from FIFO_MEMORY_MIN_BYTES to FIFO_MEMORY_MAX_BYTES, aligned to its
 * size within the region; its contents are whatever was there. FIFO_MEMORY_NONE if there is no such block. Of
 * equal blocks the one freed last comes first: it is still in the cache.
 */
uint32_t fifo_memory_alloc(struct fifo_memory *memory, uint32_t n_bytes) MPA_WARN_UNUSED;

/* Gives back a block with the size it was asked for; anything else is our bug and asserts. */
void fifo_memory_free(struct fifo_memory *memory, uint32_t page_idx, uint32_t n_bytes);

/* From now on blocks freed are held back until the next fifo_memory_release(). They count as used. */
void fifo_memory_hold(struct fifo_memory *memory);
void fifo_memory_release(struct fifo_memory *memory);

/* Bytes of the blocks given out. */
uint64_t fifo_memory_used_bytes(const struct fifo_memory *memory);

/* Bytes there are in all. */
static inline uint64_t fifo_memory_size_bytes(const struct fifo_memory *memory)
{
    return (uint64_t)memory->n_pages * FIFO_MEMORY_PAGE_BYTES;
}

/* Where a block lies in this process. */
static inline uint8_t *fifo_memory_at(const struct fifo_memory *memory, uint32_t page_idx)
{
    return memory->base + (size_t)page_idx * FIFO_MEMORY_PAGE_BYTES;
}

#endif
