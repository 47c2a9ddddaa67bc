/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hold.c — holds frames back, takes unread ones back from a worker that is gone, and hands them on.
 *
 * A frame that is held belongs to the one hand-over under way, and goes to whoever adopts, or is an orphan,
 * and goes in a round of adoption to the worker that has its bucket by then. Two tables say who has a bucket:
 * the one in the host segment is what workers go by while they adopt, the private one decides where frames
 * go. The private one follows only when the last held frame for that worker is in its ring, so that nothing
 * overtakes.
 */
#include <string.h>

#include "frontend/frontend.h"
#include "shm/frontend_writes.h"

/* How what is orphaned now has to wait: a round that runs already is not about it. */
static uint8_t hold_waits(const struct frontend *frontend)
{
    return frontend->estates.is_round ? BUCKET_HELD : BUCKET_ORPHAN;
}

uint8_t hold_announced(const struct frontend *frontend, uint32_t bucket)
{
    struct host_segment *host = frontend->host_segment.base;

    return atomic_load_explicit(&host->bucket_worker[bucket], memory_order_relaxed);
}

/* Relaxed: a worker reads the table while it adopts, after a slot that was published behind this. */
void hold_announce(struct frontend *frontend, uint32_t bucket, uint8_t worker)
{
    struct host_segment *host = frontend->host_segment.base;

    atomic_store_explicit(&host->bucket_worker[bucket], worker, memory_order_relaxed);
    atomic_store_explicit(&frontend->board.bucket_worker[bucket], worker, memory_order_relaxed);
}

bool hold_frame(struct frontend *frontend, const struct held_frame *frame)
{
    if (!held_add(&frontend->held, frame)) {
        counter_add(frontend->board.nic, NIC_rx_drop_held_full, 1);
        return false;
    }
    counter_add(frontend->board.nic, NIC_rx_held, 1);
    return true;
}

void hold_buckets(struct frontend *frontend, uint8_t worker)
{
    for (uint32_t i = 0; i < frontend->buckets.n_buckets; i++) {
        if (frontend->buckets.worker[i] == worker)
            frontend->buckets.worker[i] = BUCKET_HELD;
    }
}

void hold_lane_gone(struct frontend *frontend, uint8_t worker)
{
    uint8_t waits = hold_waits(frontend);

    for (uint32_t i = 0; i < frontend->buckets.n_buckets; i++) {
        uint8_t *has = &frontend->buckets.worker[i];
        bool was_promised =
            (*has == BUCKET_ORPHAN || *has == BUCKET_NO_WORKER) && hold_announced(frontend, i) == worker;

        if (*has != worker && !was_promised)
            continue;
        *has = waits;
        hold_announce(frontend, i, BUCKET_ORPHAN);
    }
    pin_table_repoint(&frontend->pins, worker, waits);
    frontend->estates.has_orphans = true;
}

static bool hold_pin_is_idle(const void *context, const struct pin *pin)
{
    const struct bucket_table *buckets = context;

    return buckets->worker[bucket_of(buckets, pin->hash)] == pin->worker;
}

void hold_drop_idle_pins(struct frontend *frontend)
{
    pin_table_remove_where(&frontend->pins, hold_pin_is_idle, &frontend->buckets);
}

static bool hold_make_orphan(void *context, struct held_frame *frame)
{
    (void)context;
    frame->is_orphan = true;
    return false;
}

void hold_orphan(struct frontend *frontend)
{
    uint32_t n_before = frontend->held.n;

    for (uint32_t i = 0; i < frontend->buckets.n_buckets; i++) {
        if (frontend->buckets.worker[i] != BUCKET_HELD)
            continue;
        frontend->buckets.worker[i] = BUCKET_ORPHAN;
        hold_announce(frontend, i, BUCKET_ORPHAN);
        frontend->estates.has_orphans = true;
    }
    if (pin_table_repoint(&frontend->pins, BUCKET_HELD, BUCKET_ORPHAN) > 0 || n_before > 0)
        frontend->estates.has_orphans = true;
    held_walk(&frontend->held, hold_make_orphan, NULL);
}

/* A slot that we wrote, as a frame. False: a control slot, or a chunk that the worker has given back. */
static bool hold_recall(struct frontend *frontend, struct lane *lane, enum lane_priority priority,
                        const struct lane_slot *slot, struct held_frame *frame)
{
    uint64_t word0 = atomic_load_explicit(&slot->words[0], memory_order_relaxed);
    uint64_t word1 = atomic_load_explicit(&slot->words[1], memory_order_relaxed);
    uint32_t kind = (uint32_t)(word0 & 0xff), hash;

    *frame = (struct held_frame){.head_idx = (uint32_t)(word0 >> 32),
                                 .large_idx = (uint32_t)word1,
                                 .len_bytes = (uint32_t)(word1 >> 32),
                                 .kind_and_flags = (uint16_t)word0,
                                 .priority = (uint8_t)priority,
                                 .is_orphan = hold_waits(frontend) == BUCKET_ORPHAN};
    if (kind != LANE_SLOT_FRAME && kind != LANE_SLOT_ICMP_ERROR)
        return false;
    if (!frame_pool_recall(&frontend->pool, frame->head_idx, (uint16_t)(word0 >> 16), lane->slot))
        return false;
    /* The note for the worker begins with it (receive.c); workers cannot write there. */
    memcpy(&hash, frame_pool_head(&frontend->pool, frame->head_idx), sizeof(hash));
    frame->bucket = bucket_of(&frontend->buckets, hash);
    return true;
}

static void hold_back(struct frontend *frontend, const struct held_frame *frame)
{
    struct held_frame dropped;

    counter_add(frontend->board.nic, NIC_rx_held, 1);
    if (!held_add_front(&frontend->held, frame, &dropped))
        return;
    frame_pool_put(&frontend->pool, dropped.head_idx);
    counter_add(frontend->board.nic, NIC_rx_drop_held_full, 1);
}

uint32_t hold_unread(struct frontend *frontend, struct lane *lane, uint32_t accused_idx,
                     struct held_frame *accused)
{
    uint32_t n_frames = 0;

    accused->head_idx = LANE_NO_CHUNK;
    for (unsigned p = 0; p < N_LANE_PRIORITIES; p++) {
        struct ring_producer *ring = &lane->rx[p];
        struct held_frame frame;

        if (ring_producer_refresh(ring) != RING_OK)
            continue; /* what it says of its progress is not true: its chunks are reclaimed */
        /* Backwards, each in front of the one before. */
        for (uint32_t at = ring->staged_tail; at != ring->head; at--) {
            const struct lane_slot *slot = &ring->slots[(at - 1) & (ring->n_slots - 1)];

            if (!hold_recall(frontend, lane, (enum lane_priority)p, slot, &frame))
                continue;
            if (frame.head_idx == accused_idx) {
                *accused = frame;
                continue;
            }
            hold_back(frontend, &frame);
            n_frames++;
        }
    }
    return n_frames;
}

/* One pass over the held frames for one lane. */
struct hold_pass {
    struct frontend *frontend;
    struct lane *lane;
    bool is_round;
    bool is_blocked;
};

static bool hold_pass_frame(void *context, struct held_frame *frame)
{
    struct hold_pass *pass = context;
    struct frame_pool *pool = &pass->frontend->pool;
    struct lane *lane = pass->lane;
    struct ring_producer *ring = &lane->rx[frame->priority];
    uint16_t generation;

    if (frame->is_orphan != pass->is_round ||
        (pass->is_round && hold_announced(pass->frontend, frame->bucket) != lane->slot))
        return false;
    if (ring_producer_room(ring) <= LANE_CONTROL_SLOTS || !frame_pool_has_quota(pool, lane->slot))
        pass->is_blocked = true;
    if (pass->is_blocked)
        return false;
    generation = frame_pool_lend(pool, frame->head_idx, lane->slot);
    ring_producer_stage(ring, lane_word(frame->kind_and_flags, generation, frame->head_idx),
                        frame->large_idx | (uint64_t)frame->len_bytes << 32);
    lane_count(lane, LANE_rx_frames, 1);
    lane_count(lane, LANE_rx_bytes, frame->len_bytes);
    if (frame->priority == LANE_URGENT)
        lane_count(lane, LANE_rx_urgent_frames, 1);
    return true;
}

bool hold_release(struct frontend *frontend, struct lane *lane, bool is_round)
{
    struct hold_pass pass = {.frontend = frontend, .lane = lane, .is_round = is_round};

    if (frontend->held.n == 0)
        return true;
    for (unsigned p = 0; p < N_LANE_PRIORITIES; p++) {
        if (ring_producer_refresh(&lane->rx[p]) != RING_OK) {
            broker_quarantine(frontend, lane, LANE_fault_index);
            return false;
        }
    }
    if (held_walk(&frontend->held, hold_pass_frame, &pass) > 0)
        lane_publish(lane);
    return !pass.is_blocked;
}
