/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.c — each direction is one byte ring of records: a length, then the frame, padded to 16 bytes, always
 * in one piece. A record that would cross the end starts at the beginning again; a length of SKIP there tells
 * the reader. Positions run free, 32 bits, and are compared by subtraction.
 *
 *   released <= taken <= written,   written - released <= NIC_MEMORY_RING_BYTES
 */
#include "frontend/nic/memory.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/nic/nic_internal.h"

#define RECORD_ALIGN 16u
#define SKIP 0xffffffffu
#define RING_MASK (NIC_MEMORY_RING_BYTES - 1)
#define MAX_RECORD_BYTES (NIC_VNET_BYTES + NIC_MAX_FRAME_BYTES)

_Static_assert((NIC_MEMORY_RING_BYTES & RING_MASK) == 0, "positions are masked");
_Static_assert(NIC_MEMORY_RING_BYTES >= 4 * MAX_RECORD_BYTES, "a skip and a frame must always fit");

struct memory_ring {
    /* Writer: the sender of this direction. Publishes the records before it (release, paired with peek()). */
    _Alignas(64) _Atomic uint32_t written;
    uint32_t staged;        /* writer's own: end of what it has put, published or not */
    uint32_t released_seen; /* writer's own copy of `released` */
    /* Writer: the receiver. Gives the bytes before it back (release, paired with reserve()). */
    _Alignas(64) _Atomic uint32_t released;
    uint32_t taken;        /* receiver's own: end of what it has looked at */
    uint32_t written_seen; /* receiver's own copy of `written` */
    _Alignas(64) uint8_t bytes[NIC_MEMORY_RING_BYTES];
};

struct memory_backend {
    struct memory_ring to_nic, from_nic;
};

static inline uint32_t record_bytes(uint32_t len_bytes)
{
    return (RECORD_ALIGN + len_bytes + RECORD_ALIGN - 1) & ~(RECORD_ALIGN - 1);
}

/* Asks the shared position only when the last known one does not do. */
static inline bool has_room(struct memory_ring *ring, uint32_t n_bytes)
{
    if (NIC_MEMORY_RING_BYTES - (ring->staged - ring->released_seen) >= n_bytes)
        return true;
    ring->released_seen = atomic_load_explicit(&ring->released, memory_order_acquire);
    return NIC_MEMORY_RING_BYTES - (ring->staged - ring->released_seen) >= n_bytes;
}

/* Room for a frame of len_bytes, staged but not published; NULL when the ring is full. */
static inline uint8_t *reserve(struct memory_ring *ring, uint32_t len_bytes)
{
    uint32_t need_bytes = record_bytes(len_bytes);
    uint32_t off = ring->staged & RING_MASK;
    uint32_t skip_bytes = off + need_bytes > NIC_MEMORY_RING_BYTES ? NIC_MEMORY_RING_BYTES - off : 0;
    uint32_t skip = SKIP;

    if (!has_room(ring, skip_bytes + need_bytes))
        return NULL;
    if (skip_bytes > 0) {
        memcpy(&ring->bytes[off], &skip, sizeof(skip));
        off = 0;
    }
    ring->staged += skip_bytes + need_bytes;
    memcpy(&ring->bytes[off], &len_bytes, sizeof(len_bytes));
    return &ring->bytes[off + RECORD_ALIGN];
}

/* Makes all that is staged visible to the receiver. */
static void publish(struct memory_ring *ring)
{
    atomic_store_explicit(&ring->written, ring->staged, memory_order_release);
}

/* The next record not taken yet, which is then taken; NULL when there is none. */
static inline uint8_t *take(struct memory_ring *ring, uint32_t *len_bytes)
{
    uint32_t off;

    if (ring->taken == ring->written_seen) {
        ring->written_seen = atomic_load_explicit(&ring->written, memory_order_acquire);
        if (ring->taken == ring->written_seen)
            return NULL;
    }
    off = ring->taken & RING_MASK;
    memcpy(len_bytes, &ring->bytes[off], sizeof(*len_bytes));
    if (*len_bytes == SKIP) {
        ring->taken += NIC_MEMORY_RING_BYTES - off;
        off = 0;
        memcpy(len_bytes, &ring->bytes[0], sizeof(*len_bytes));
    }
    ring->taken += record_bytes(*len_bytes);
    return &ring->bytes[off + RECORD_ALIGN];
}

/* Gives all that was taken back to the sender: nothing of it may be looked at any more. */
static void release(struct memory_ring *ring)
{
    atomic_store_explicit(&ring->released, ring->taken, memory_order_release);
}

unsigned nic_memory_inject(struct nic *nic, const struct iovec *frames, unsigned n)
{
    struct memory_backend *memory = nic->backend;
    unsigned i;

    for (i = 0; i < n; i++) {
        uint8_t *record;

        mpa_assert(frames[i].iov_len > NIC_VNET_BYTES && frames[i].iov_len <= MAX_RECORD_BYTES);
        record = reserve(&memory->to_nic, (uint32_t)frames[i].iov_len);
        if (record == NULL)
            break;
        memcpy(record, frames[i].iov_base, frames[i].iov_len);
    }
    publish(&memory->to_nic);
    return i;
}

unsigned nic_memory_take(struct nic *nic, struct iovec *frames, unsigned n)
{
    struct memory_backend *memory = nic->backend;
    uint32_t len_bytes;
    unsigned i;

    for (i = 0; i < n; i++) {
        frames[i].iov_base = take(&memory->from_nic, &len_bytes);
        if (frames[i].iov_base == NULL)
            break;
        frames[i].iov_len = len_bytes;
    }
    return i;
}

void nic_memory_release(struct nic *nic)
{
    struct memory_backend *memory = nic->backend;

    release(&memory->from_nic);
}

static int memory_rx(struct nic *nic, struct nic_rx *places, unsigned n)
{
    struct memory_backend *memory = nic->backend;
    unsigned i;

    for (i = 0; i < n; i++) {
        uint32_t len_bytes, head_bytes;
        const uint8_t *record = take(&memory->to_nic, &len_bytes);

        if (record == NULL)
            break;
        /* Without a tail the rest is lost; len_bytes tells. */
        head_bytes = len_bytes < NIC_HEAD_BYTES ? len_bytes : NIC_HEAD_BYTES;
        /* Not memcpy(): of one of so few bytes at most compilers make rep movs, which is slow to start. */
        memmove(places[i].head, record, head_bytes);
        if (len_bytes > head_bytes && places[i].tail != NULL)
            memcpy(places[i].tail, record + head_bytes, len_bytes - head_bytes);
        places[i].len_bytes = len_bytes - NIC_VNET_BYTES;
    }
    release(&memory->to_nic);
    return (int)i;
}

static enum nic_tx_result memory_tx(struct nic *nic, const struct iovec *parts, int n_parts)
{
    struct memory_backend *memory = nic->backend;
    size_t len_bytes = 0;
    uint8_t *record;

    for (int i = 0; i < n_parts; i++)
        len_bytes += parts[i].iov_len;
    if (len_bytes <= NIC_VNET_BYTES || len_bytes > MAX_RECORD_BYTES)
        return NIC_TX_ERROR;
    record = reserve(&memory->from_nic, (uint32_t)len_bytes);
    /* The frames before it may wait for flush() still: the far end sees them then and makes room. */
    if (record == NULL)
        return NIC_TX_BUSY;
    for (int i = 0; i < n_parts; i++) {
        memcpy(record, parts[i].iov_base, parts[i].iov_len);
        record += parts[i].iov_len;
    }
    return NIC_TX_SENT;
}

/* Frames become visible to the far end a burst at a time. */
static void memory_flush(struct nic *nic)
{
    struct memory_backend *memory = nic->backend;

    publish(&memory->from_nic);
}

static void memory_close(struct nic *nic)
{
    free(nic->backend);
    nic->backend = NULL;
}

static const struct nic_ops memory_ops = {
    .name = "memory", .rx = memory_rx, .tx = memory_tx, .flush = memory_flush, .close = memory_close};

int memory_open(const struct nic_opening *opening)
{
    struct memory_backend *memory = aligned_alloc(64, sizeof(*memory));

    if (memory == NULL)
        return nic_refuse(opening, ENOMEM, "no memory for the rings");
    memset(memory, 0, sizeof(*memory));
    opening->nic->ops = &memory_ops;
    opening->nic->has_vnet = true;
    opening->nic->caps = opening->config->offload ? NIC_CAP_CSUM | NIC_CAP_TSO4 | NIC_CAP_TSO6 : 0;
    opening->nic->backend = memory;
    return 0;
}
