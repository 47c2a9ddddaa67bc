/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fifo_memory.c — a buddy allocator with a cache in front of it.
 *
 * The region is cut into blocks of the largest order from its beginning, when needed. A free block of order n
 * is split into two of order n - 1 ("buddies", their page indexes differ in bit n - 1) and merged again when
 * both are free. Merging at once would be wrong for FIFOs, which hold a block from a request to its reply:
 * each reply would merge up to 1 MiB, each request split down again, and then get the coldest end. So a freed
 * block first goes to the hot list of its order, last in, first out; merged are those beyond HOT_MAX, and all
 * of them when a request finds nothing.
 *
 * Each page has an entry. `mark` tells what begins there: nothing, or a block with its order that is in use,
 * free (linked both ways, because a merge takes it out of the middle), hot or held (linked one way).
 */
#include "worker/stack/fifo_memory.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_ORDER (FIFO_MEMORY_N_ORDERS - 1u)
#define MAX_PAGES (1u << MAX_ORDER)
#define HOT_MAX 32u

#define MARK_NONE 0u
#define MARK_ORDER 0x0fu
#define MARK_IN_USE 0x10u
#define MARK_FREE 0x20u
#define MARK_HOT 0x40u
#define MARK_HELD 0x80u

struct fifo_page {
    uint32_t next;
    uint32_t prev; /* of a free block only */
    uint8_t mark;
};

/* A size that is no block size is a mistake of the caller, never of a peer. */
static unsigned order_of(uint32_t n_bytes)
{
    mpa_assert(n_bytes >= FIFO_MEMORY_MIN_BYTES && n_bytes <= FIFO_MEMORY_MAX_BYTES);
    mpa_assert((n_bytes & (n_bytes - 1)) == 0);
    return (unsigned)__builtin_ctz(n_bytes / FIFO_MEMORY_PAGE_BYTES);
}

static void set_mark(struct fifo_memory *memory, uint32_t page_idx, unsigned kind, unsigned order)
{
    memory->pages[page_idx].mark = (uint8_t)(kind | order);
}

int fifo_memory_init(struct fifo_memory *memory, void *base, size_t n_bytes)
{
    size_t n_pages = n_bytes / FIFO_MEMORY_MAX_BYTES * MAX_PAGES;
    struct fifo_page *pages;

    if (n_pages == 0 || n_pages >= FIFO_MEMORY_NONE || (uintptr_t)base % FIFO_MEMORY_PAGE_BYTES != 0)
        return -EINVAL;
    /* Zero pages of the kernel: what is never cut costs nothing. */
    pages = calloc(n_pages, sizeof(*pages));
    if (pages == NULL)
        return -ENOMEM;
    *memory = (struct fifo_memory){.base = base, .pages = pages, .n_pages = (uint32_t)n_pages};
    memory->held = FIFO_MEMORY_NONE;
    for (unsigned order = 0; order < FIFO_MEMORY_N_ORDERS; order++)
        memory->free[order] = memory->hot[order] = FIFO_MEMORY_NONE;
    return 0;
}

void fifo_memory_fini(struct fifo_memory *memory)
{
    free(memory->pages);
    *memory = (struct fifo_memory){0};
}

static void free_link(struct fifo_memory *memory, uint32_t page_idx, unsigned order)
{
    struct fifo_page *page = &memory->pages[page_idx];

    page->next = memory->free[order];
    page->prev = FIFO_MEMORY_NONE;
    if (page->next != FIFO_MEMORY_NONE)
        memory->pages[page->next].prev = page_idx;
    memory->free[order] = page_idx;
    set_mark(memory, page_idx, MARK_FREE, order);
}

static void free_unlink(struct fifo_memory *memory, uint32_t page_idx, unsigned order)
{
    struct fifo_page *page = &memory->pages[page_idx];

    if (page->prev != FIFO_MEMORY_NONE)
        memory->pages[page->prev].next = page->next;
    else
        memory->free[order] = page->next;
    if (page->next != FIFO_MEMORY_NONE)
        memory->pages[page->next].prev = page->prev;
    page->mark = MARK_NONE;
}

/* Merges a block with its buddies as far as they are free. */
static void buddy_put(struct fifo_memory *memory, uint32_t page_idx, unsigned order)
{
    memory->pages[page_idx].mark = MARK_NONE;
    for (; order < MAX_ORDER; order++) {
        uint32_t buddy_idx = page_idx ^ (1u << order);

        if (memory->pages[buddy_idx].mark != (MARK_FREE | order))
            break;
        free_unlink(memory, buddy_idx, order);
        page_idx &= ~(1u << order);
    }
    free_link(memory, page_idx, order);
}

/* A block of `order`, split off the smallest that is free, or off memory never used. */
static uint32_t buddy_take(struct fifo_memory *memory, unsigned order)
{
    unsigned found = order;
    uint32_t page_idx;

    while (found < FIFO_MEMORY_N_ORDERS && memory->free[found] == FIFO_MEMORY_NONE)
        found++;
    if (found < FIFO_MEMORY_N_ORDERS) {
        page_idx = memory->free[found];
        free_unlink(memory, page_idx, found);
    } else if (memory->n_cut_pages < memory->n_pages) {
        page_idx = memory->n_cut_pages;
        memory->n_cut_pages += MAX_PAGES;
        found = MAX_ORDER;
    } else {
        return FIFO_MEMORY_NONE;
    }
    /* The lower half is used: memory fills up from its beginning and the end stays untouched. */
    while (found > order) {
        found--;
        free_link(memory, page_idx + (1u << found), found);
    }
    return page_idx;
}

/* The list is short: blocks in it cannot be merged, and the last of a long one would be cold anyway. */
static void hot_put(struct fifo_memory *memory, uint32_t page_idx, unsigned order)
{
    if (memory->n_hot[order] >= HOT_MAX) {
        buddy_put(memory, page_idx, order);
        return;
    }
    memory->pages[page_idx].next = memory->hot[order];
    memory->hot[order] = page_idx;
    memory->n_hot[order]++;
    set_mark(memory, page_idx, MARK_HOT, order);
}

static uint32_t hot_take(struct fifo_memory *memory, unsigned order)
{
    uint32_t page_idx = memory->hot[order];

    if (page_idx != FIFO_MEMORY_NONE) {
        memory->hot[order] = memory->pages[page_idx].next;
        memory->n_hot[order]--;
    }
    return page_idx;
}

/* Memory is short: what is kept for speed goes back to be merged. Rare, and then worth its time. */
static void hot_flush(struct fifo_memory *memory)
{
    for (unsigned order = 0; order < FIFO_MEMORY_N_ORDERS; order++) {
        while (memory->hot[order] != FIFO_MEMORY_NONE)
            buddy_put(memory, hot_take(memory, order), order);
    }
}

uint32_t fifo_memory_alloc(struct fifo_memory *memory, uint32_t n_bytes)
{
    unsigned order = order_of(n_bytes);
    uint32_t page_idx = hot_take(memory, order);

    if (page_idx == FIFO_MEMORY_NONE)
        page_idx = buddy_take(memory, order);
    if (page_idx == FIFO_MEMORY_NONE) {
        hot_flush(memory);
        page_idx = buddy_take(memory, order);
    }
    if (page_idx == FIFO_MEMORY_NONE)
        return FIFO_MEMORY_NONE;
    set_mark(memory, page_idx, MARK_IN_USE, order);
    memory->used_bytes += n_bytes;
    return page_idx;
}

void fifo_memory_free(struct fifo_memory *memory, uint32_t page_idx, uint32_t n_bytes)
{
    unsigned order = order_of(n_bytes);

    mpa_assert(page_idx < memory->n_pages);
    mpa_assert(memory->pages[page_idx].mark == (MARK_IN_USE | order));
    if (memory->is_holding) { /* still counted: nobody can have it */
        memory->pages[page_idx].next = memory->held;
        memory->held = page_idx;
        set_mark(memory, page_idx, MARK_HELD, order);
        return;
    }
    memory->used_bytes -= n_bytes;
    hot_put(memory, page_idx, order);
}

void fifo_memory_hold(struct fifo_memory *memory)
{
    memory->is_holding = true;
}

void fifo_memory_release(struct fifo_memory *memory)
{
    while (memory->held != FIFO_MEMORY_NONE) {
        uint32_t page_idx = memory->held;
        unsigned order = memory->pages[page_idx].mark & MARK_ORDER;

        memory->held = memory->pages[page_idx].next;
        memory->used_bytes -= (uint64_t)FIFO_MEMORY_PAGE_BYTES << order;
        hot_put(memory, page_idx, order);
    }
}

uint64_t fifo_memory_used_bytes(const struct fifo_memory *memory)
{
    return memory->used_bytes;
}
