/* SPDX-License-Identifier: BSD-3-Clause */
/* fifo.c — cursors over a buffer that comes, grows and goes. Contracts and theory: fifo.h. */
#include "worker/stack/fifo.h"

#include <errno.h>
#include <string.h>

_Static_assert(FIFO_MAX_BYTES <= FIFO_MEMORY_MAX_BYTES, "a FIFO is one block");

/* Contiguous buffer at `position`, used or not, at most max_bytes. Only here positions become addresses. */
static struct fifo_span span_raw(const struct fifo *fifo, const struct fifo_memory *memory, uint64_t position,
                                 uint32_t max_bytes)
{
    uint32_t off = (uint32_t)position & (fifo->capacity - 1);
    uint32_t len = fifo->capacity - off;

    return (struct fifo_span){fifo_memory_at(memory, fifo->page_idx) + off,
                              len < max_bytes ? len : max_bytes};
}

/* The capacity that holds n_bytes at once: doubling step by step would copy the same bytes again. */
static uint32_t capacity_for(uint32_t n_bytes)
{
    uint32_t capacity = FIFO_MEMORY_MIN_BYTES;

    while (capacity < n_bytes)
        capacity *= 2;
    return capacity;
}

/* Exchanges the buffer for one of `capacity`, with the same bytes at the same positions. */
static int change_buffer(struct fifo *fifo, struct fifo_memory *memory, uint32_t capacity)
{
    struct fifo grown = *fifo;

    /* First the new buffer, then the old one goes: a failure changes nothing. */
    grown.page_idx = fifo_memory_alloc(memory, capacity);
    if (grown.page_idx == FIFO_MEMORY_NONE)
        return -ENOMEM;
    grown.capacity = capacity;
    for (uint64_t position = fifo->read; position != fifo->written;) {
        struct fifo_span from = span_raw(fifo, memory, position, (uint32_t)(fifo->written - position));
        struct fifo_span to = span_raw(&grown, memory, position, from.len);

        memcpy(to.bytes, from.bytes, to.len);
        position += to.len;
    }
    if (fifo->capacity > 0)
        fifo_memory_free(memory, fifo->page_idx, fifo->capacity);
    *fifo = grown;
    return 0;
}

void fifo_init(struct fifo *fifo, uint64_t position)
{
    *fifo = (struct fifo){.written = position, .read = position};
}

void fifo_fini(struct fifo *fifo, struct fifo_memory *memory)
{
    if (fifo->capacity > 0)
        fifo_memory_free(memory, fifo->page_idx, fifo->capacity);
    fifo->capacity = 0;
}

int fifo_make_room(struct fifo *fifo, struct fifo_memory *memory, uint32_t n_bytes)
{
    uint32_t used_bytes = fifo_used(fifo);

    if (n_bytes <= fifo->capacity - used_bytes)
        return 0;
    if (n_bytes > FIFO_MAX_BYTES - used_bytes)
        return -ENOBUFS;
    return change_buffer(fifo, memory, capacity_for(used_bytes + n_bytes));
}

int fifo_write(struct fifo *fifo, struct fifo_memory *memory, const void *bytes, uint32_t n_bytes)
{
    const uint8_t *from = bytes;
    int failed = fifo_make_room(fifo, memory, n_bytes);

    if (failed < 0)
        return failed;
    while (n_bytes > 0) {
        struct fifo_span to = span_raw(fifo, memory, fifo->written, n_bytes);

        memcpy(to.bytes, from, to.len);
        fifo->written += to.len;
        from += to.len;
        n_bytes -= to.len;
    }
    return 0;
}

/* Grows for `want_bytes` more, or as far as there is memory. */
static void reserve_grow(struct fifo *fifo, struct fifo_memory *memory, uint32_t want_bytes, bool *has_moved)
{
    uint32_t used_bytes = fifo_used(fifo);
    uint32_t capacity = capacity_for(used_bytes + want_bytes);

    if (used_bytes > 0 && has_moved == NULL)
        return;
    /* A buffer smaller than wanted but larger than now still lets the producer go on. */
    for (; capacity > fifo->capacity && capacity >= FIFO_MEMORY_MIN_BYTES; capacity /= 2) {
        if (change_buffer(fifo, memory, capacity) < 0)
            continue;
        if (used_bytes > 0)
            *has_moved = true;
        return;
    }
}

struct fifo_span fifo_reserve(struct fifo *fifo, struct fifo_memory *memory, uint32_t want_bytes,
                              bool *has_moved)
{
    uint32_t used_bytes = fifo_used(fifo);

    if (want_bytes > FIFO_MAX_BYTES - used_bytes)
        want_bytes = FIFO_MAX_BYTES - used_bytes;
    if (want_bytes > fifo->capacity - used_bytes)
        reserve_grow(fifo, memory, want_bytes, has_moved);
    if (want_bytes > fifo->capacity - used_bytes)
        want_bytes = fifo->capacity - used_bytes;
    if (want_bytes == 0)
        return (struct fifo_span){NULL, 0};
    return span_raw(fifo, memory, fifo->written, want_bytes);
}

void fifo_produce(struct fifo *fifo, uint32_t n_bytes)
{
    mpa_assert(n_bytes <= fifo->capacity - fifo_used(fifo));
    fifo->written += n_bytes;
}

struct fifo_span fifo_peek(const struct fifo *fifo, const struct fifo_memory *memory)
{
    return fifo_span_at(fifo, memory, fifo->read, fifo_used(fifo));
}

struct fifo_span fifo_span_at(const struct fifo *fifo, const struct fifo_memory *memory, uint64_t position,
                              uint32_t max_bytes)
{
    uint64_t left_bytes = fifo->written - position;

    /* One subtraction checks both ends. */
    mpa_assert(position - fifo->read <= fifo_used(fifo));
    if (left_bytes < max_bytes)
        max_bytes = (uint32_t)left_bytes;
    if (max_bytes == 0)
        return (struct fifo_span){NULL, 0};
    return span_raw(fifo, memory, position, max_bytes);
}

void fifo_trim(struct fifo *fifo, struct fifo_memory *memory)
{
    if (fifo->read == fifo->written)
        fifo_fini(fifo, memory);
}

void fifo_consume(struct fifo *fifo, struct fifo_memory *memory, uint32_t n_bytes)
{
    mpa_assert(n_bytes <= fifo_used(fifo));
    fifo->read += n_bytes;
    fifo_trim(fifo, memory);
}
