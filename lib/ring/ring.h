/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring.h — SPSC ring mechanics: one producer process, one consumer process, 16-byte slots in the producer's
 * segment, the consumer's index in the consumer's segment.
 *
 * The producer stages slots and publishes them with one release store; the consumer takes and later frees
 * them with one release store. Each side keeps private copies of both indexes; the peer's is loaded once a
 * batch and range-checked by subtraction. An index that moved back or too far is a peer fault: an outcome,
 * never an assert. A ring is congested from 90 % full until it has fallen to 80 %.
 */
#ifndef MPA_RING_RING_H
#define MPA_RING_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "peer/peer.h"
#include "shm/lane.h"

enum ring_result {
    RING_OK,
    RING_FULL,       /* producer: no room */
    RING_PEER_FAULT, /* the peer's index is impossible: quarantine it */
};

struct ring_slot_value {
    uint64_t words[2];
};

struct ring_producer {
    struct lane_slot *slots;                     /* own segment */
    struct lane_index *tail;                     /* own segment */
    const struct lane_index MPA_PEER *peer_head; /* consumer's segment */
    uint32_t n_slots;                            /* power of two */
    uint32_t staged_tail;                        /* next slot to write; published up to published_tail */
    uint32_t published_tail;
    uint32_t head; /* checked copy of the peer's */
    bool is_congested;
};

struct ring_consumer {
    const struct lane_slot MPA_PEER *peer_slots; /* producer's segment */
    struct lane_index *head;                     /* own segment */
    const struct lane_index MPA_PEER *peer_tail; /* producer's segment */
    uint32_t n_slots;
    uint32_t taken_head; /* next slot to take; freed up to the published head */
    uint32_t freed_head;
    uint32_t tail; /* checked copy of the peer's */
};

void ring_producer_init(struct ring_producer *ring, struct lane_slot *slots, struct lane_index *tail,
                        const struct lane_index MPA_PEER *peer_head, uint32_t n_slots);
void ring_consumer_init(struct ring_consumer *ring, const struct lane_slot MPA_PEER *peer_slots,
                        struct lane_index *head, const struct lane_index MPA_PEER *peer_tail,
                        uint32_t n_slots);

/* Loads the consumer's index and updates the congestion state. RING_OK or RING_PEER_FAULT. */
enum ring_result ring_producer_refresh(struct ring_producer *ring) MPA_WARN_UNUSED;

/* Slots that can still be staged, as far as known. */
static inline uint32_t ring_producer_room(const struct ring_producer *ring)
{
    return ring->n_slots - (ring->staged_tail - ring->head);
}

/* Slots staged or published and not yet freed by the consumer, as far as known. */
static inline uint32_t ring_producer_depth(const struct ring_producer *ring)
{
    return ring->staged_tail - ring->head;
}

/* Stages one slot; the caller has seen room. Invisible to the consumer until published. */
static inline void ring_producer_stage(struct ring_producer *ring, uint64_t word0, uint64_t word1)
{
    struct lane_slot *slot = &ring->slots[ring->staged_tail & (ring->n_slots - 1)];

    atomic_store_explicit(&slot->words[0], word0, memory_order_relaxed);
    atomic_store_explicit(&slot->words[1], word1, memory_order_relaxed);
    ring->staged_tail++;
}

/* Publishes all staged slots (release; pairs with the acquire in ring_consumer_refresh). True if there were
 * any. */
static inline bool ring_producer_publish(struct ring_producer *ring)
{
    if (ring->published_tail == ring->staged_tail)
        return false;
    ring->published_tail = ring->staged_tail;
    atomic_store_explicit(&ring->tail->value, ring->published_tail, memory_order_release);
    return true;
}

/* Loads the producer's index. RING_OK or RING_PEER_FAULT. */
enum ring_result ring_consumer_refresh(struct ring_consumer *ring) MPA_WARN_UNUSED;

/* Slots that can be taken, as of the last refresh. */
static inline uint32_t ring_consumer_ready(const struct ring_consumer *ring)
{
    return ring->tail - ring->taken_head;
}

/* A private copy of the slot `ahead` places after the next one; each word is loaded once. */
static inline struct ring_slot_value ring_consumer_peek(const struct ring_consumer *ring, uint32_t ahead)
{
    const struct lane_slot MPA_PEER *peer_slot =
        &ring->peer_slots[(ring->taken_head + ahead) & (ring->n_slots - 1)];
    struct ring_slot_value value;

    value.words[0] = peer_load64_relaxed(&peer_slot->words[0]);
    value.words[1] = peer_load64_relaxed(&peer_slot->words[1]);
    return value;
}

static inline void ring_consumer_take(struct ring_consumer *ring, uint32_t n)
{
    ring->taken_head += n;
}

/* Gives all taken slots back (release; pairs with the acquire in ring_producer_refresh). True if there were
 * any. */
static inline bool ring_consumer_free(struct ring_consumer *ring)
{
    if (ring->freed_head == ring->taken_head)
        return false;
    ring->freed_head = ring->taken_head;
    atomic_store_explicit(&ring->head->value, ring->freed_head, memory_order_release);
    return true;
}

#endif
