/* SPDX-License-Identifier: BSD-3-Clause */
/* ring.c — what of the ring is not in the fast path: setting up and looking at the peer's index. */
#include "ring/ring.h"

void ring_producer_init(struct ring_producer *ring, struct lane_slot *slots, struct lane_index *tail,
                        const struct lane_index MPA_PEER *peer_head, uint32_t n_slots)
{
    *ring = (struct ring_producer){.slots = slots, .tail = tail, .peer_head = peer_head, .n_slots = n_slots};
}

void ring_consumer_init(struct ring_consumer *ring, const struct lane_slot MPA_PEER *peer_slots,
                        struct lane_index *head, const struct lane_index MPA_PEER *peer_tail,
                        uint32_t n_slots)
{
    *ring = (struct ring_consumer){
        .peer_slots = peer_slots, .head = head, .peer_tail = peer_tail, .n_slots = n_slots};
}

enum ring_result ring_producer_refresh(struct ring_producer *ring)
{
    uint32_t head = peer_load32_acquire(ring->peer_head);
    uint32_t depth;

    /* The consumer can have freed at most what was published, and nothing twice. */
    if (ring->published_tail - head > ring->published_tail - ring->head)
        return RING_PEER_FAULT;
    ring->head = head;
    depth = ring_producer_depth(ring);
    if (ring->is_congested)
        ring->is_congested = (uint64_t)depth * 10 > (uint64_t)ring->n_slots * 8;
    else
        ring->is_congested = (uint64_t)depth * 10 >= (uint64_t)ring->n_slots * 9;
    return RING_OK;
}

enum ring_result ring_consumer_refresh(struct ring_consumer *ring)
{
    uint32_t tail = peer_load32_acquire(ring->peer_tail);

    /* Never more than a ring's worth beyond what was freed, and never back behind what was seen. */
    if (tail - ring->freed_head > ring->n_slots || tail - ring->freed_head < ring->tail - ring->freed_head)
        return RING_PEER_FAULT;
    ring->tail = tail;
    return RING_OK;
}
