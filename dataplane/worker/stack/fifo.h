/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fifo.h — one direction of a connection: bytes with 64-bit stream positions, in a buffer from fifo_memory.
 *
 *   read <= written <= read + capacity;    the byte at position p lies at offset p & (capacity - 1)
 *
 * The cursors never go back; for a connection they are its sequence numbers. rx: `written` is what arrived in
 * order, `read` what the consumer has taken. tx: `written` is what the producer has made, `read` what the
 * peer has acknowledged; how far it was sent is a third cursor between them that the caller keeps
 * (fifo_span_at).
 *
 * A FIFO without bytes holds no memory (capacity 0, and `page_idx` means nothing): all zero is an empty FIFO
 * at position 0. Memory is taken by the first write, as much as it asks for, grown by doubling up to
 * FIFO_MAX_BYTES, and given back by the fifo_consume() that empties it. Growing moves the bytes: whoever
 * holds pointers into the FIFO must be told, and only fifo_reserve() does; the other writers are for FIFOs
 * that nobody points into.
 *
 * No pointer inside: a copy of the struct says, to whoever maps the same memory, where the bytes are. Within
 * one turn, what was consumed may be overwritten by what is written after it.
 */
#ifndef MPA_WORKER_STACK_FIFO_H
#define MPA_WORKER_STACK_FIFO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "worker/stack/fifo_memory.h"

#define FIFO_MAX_BYTES (1u << 20) /* the receive window and the send buffer of lwipopts.h */

struct fifo {
    uint64_t written;  /* position behind the last byte */
    uint64_t read;     /* position of the first byte */
    uint32_t page_idx; /* of the buffer, in pages of the FIFO memory; valid while capacity > 0 */
    uint32_t capacity; /* bytes of the buffer, a power of two, or 0 */
};

/* Contiguous bytes inside a FIFO, borrowed until it is next written to or consumed from; may be empty. */
struct fifo_span {
    uint8_t *bytes;
    uint32_t len;
};

/* An empty FIFO at `position`, without memory. */
void fifo_init(struct fifo *fifo, uint64_t position);
/* Gives the memory back, bytes included; then only fifo_init() may follow. */
void fifo_fini(struct fifo *fifo, struct fifo_memory *memory);

static inline uint32_t fifo_used(const struct fifo *fifo)
{
    return (uint32_t)(fifo->written - fifo->read);
}

/*
 * Room for n_bytes more, moving the bytes if need be. 0, -ENOBUFS (more than FIFO_MAX_BYTES in all) or
 * -ENOMEM; on failure nothing has changed.
 */
int fifo_make_room(struct fifo *fifo, struct fifo_memory *memory, uint32_t n_bytes) MPA_WARN_UNUSED;

/* Appends all n_bytes or none. Errors as fifo_make_room(). */
int fifo_write(struct fifo *fifo, struct fifo_memory *memory, const void *bytes,
               uint32_t n_bytes) MPA_WARN_UNUSED;

/*
 * Contiguous room behind the last byte, at most `want_bytes`, to be filled and then given to fifo_produce().
 * The FIFO grows if it has less than `want_bytes` left and memory allows; what it then has is given. Empty:
 * it is full, or there is no memory, or it may not be moved. `has_moved` NULL: bytes in the FIFO may not
 * move; else it becomes true when they did, and stays as it is when not.
 */
struct fifo_span fifo_reserve(struct fifo *fifo, struct fifo_memory *memory, uint32_t want_bytes,
                              bool *has_moved);

/* n_bytes of the room reserved last are now part of the stream. */
void fifo_produce(struct fifo *fifo, uint32_t n_bytes);

/* The first bytes, as many as lie together; empty only if the FIFO is. */
struct fifo_span fifo_peek(const struct fifo *fifo, const struct fifo_memory *memory);

/* As many as lie together from `position` on, at most max_bytes; read <= position <= written. */
struct fifo_span fifo_span_at(const struct fifo *fifo, const struct fifo_memory *memory, uint64_t position,
                              uint32_t max_bytes);

/* Drops the first n_bytes (at most fifo_used()); the memory goes with the last byte. */
void fifo_consume(struct fifo *fifo, struct fifo_memory *memory, uint32_t n_bytes);

/* Gives back the memory of an empty FIFO for which room was made and nothing came. */
void fifo_trim(struct fifo *fifo, struct fifo_memory *memory);

#endif
