/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * receive.c — from the NIC into the rx rings: frames are read straight into chunks of the rx pool,
 * classified, and handed to a worker by a 16-byte slot. Chunks that a burst did not use serve the next one.
 *
 * A burst is worked on in passes over some frames: what the NIC says of each, whose it is, and handing it on.
 * Hashes are computed side by side, and what the last pass needs of a flow arrives while others are still
 * looked at. Frames keep their order.
 */
#include <netinet/in.h>
#include <string.h>
#include <sys/uio.h>

#include "flow/dscp.h"
#include "frontend/classify.h"
#include "frontend/frontend.h"
#include "frontend/offload.h"
#include "frontend/wire.h"
#include "shm/frontend_writes.h"

#define RECEIVE_FRAME_OFF NIC_VNET_BYTES
#define RECEIVE_HEAD_ROOM (NIC_HEAD_BYTES - RECEIVE_FRAME_OFF)
#define TCP_SEQUENCE_OFF 4u
#define RECEIVE_BATCH 32u           /* frames of a pass: 4 KiB */
#define RECEIVE_KEPT_LARGE_SHARE 8u /* at least two: config allows no fewer than 16 large chunks */

_Static_assert(NIC_HEAD_BYTES == POOL_HEAD_BYTES && NIC_TAIL_BYTES == POOL_LARGE_BYTES,
               "a frame fits its chunks");

/* The note for the worker where the virtio_net_hdr stood (worker/stack/rx_frame.h reads it). */
struct receive_note {
    uint32_t hash;
    uint16_t transport_off;
    uint16_t protocol;
};

void frontend_receive_init(struct frontend *frontend)
{
    for (unsigned i = 0; i < FRONTEND_MAX_BURST; i++)
        frontend->places[i] = (struct receive_place){LANE_NO_CHUNK, LANE_NO_CHUNK};
}

/* Fills the places with chunks; returns how many have a head chunk. In a small pool the places could hold
 * every large chunk for frames to come: some are kept for datagrams that are reassembled meanwhile. */
static unsigned receive_prepare(struct frontend *frontend, unsigned n)
{
    uint32_t n_kept_large = frontend->pool.n_large / RECEIVE_KEPT_LARGE_SHARE;

    for (unsigned i = 0; i < n; i++) {
        struct receive_place *place = &frontend->places[i];
        struct nic_rx *rx = &frontend->rx[i];

        if (place->head_idx == LANE_NO_CHUNK) {
            place->head_idx = frame_pool_take_head(&frontend->pool);
            if (place->head_idx == LANE_NO_CHUNK)
                return i;
            rx->head = frame_pool_head(&frontend->pool, place->head_idx);
        }
        if (place->large_idx != LANE_NO_CHUNK)
            continue;
        if (frontend->pool.n_free_large > n_kept_large)
            place->large_idx = frame_pool_take_large(&frontend->pool);
        rx->tail =
            place->large_idx == LANE_NO_CHUNK ? NULL : frame_pool_large(&frontend->pool, place->large_idx);
    }
    return n;
}

/* With an empty pool the NIC's queue must still move: frames are read and dropped. */
static bool receive_drop_all(struct frontend *frontend, unsigned n)
{
    static uint8_t head[NIC_HEAD_BYTES], tail[NIC_TAIL_BYTES];
    bool did_read = false;

    for (unsigned i = 0; i < n; i++) {
        struct nic_rx rx = {.head = head, .tail = tail};

        if (frontend->nic.ops->rx(&frontend->nic, &rx, 1) <= 0)
            break;
        counter_add(frontend->board.nic, NIC_rx_drop_pool_empty, 1);
        did_read = true;
    }
    return did_read;
}

/* One frame in hand, in its chunks. `offload` is nothing and `vnet` not looked at where the NIC says nothing.
 */
struct receive_frame {
    uint32_t head_idx, large_idx;
    uint8_t *bytes; /* link header first */
    uint32_t head_len;
    uint32_t len_bytes;
    struct nic_vnet vnet;
    struct offload_rx offload;
};

/* What the NIC says of the frame; false: it contradicts itself. */
static bool receive_take_vnet(const struct frontend *frontend, struct receive_frame *frame)
{
    if (!frontend->nic.has_vnet)
        return true;
    memcpy(&frame->vnet, frame->bytes - RECEIVE_FRAME_OFF, RECEIVE_FRAME_OFF);
    return offload_check_rx(&frame->vnet, frame->head_len, &frame->offload);
}

/* Whom a pin names; it may be one of BUCKET_. */
__attribute__((cold, noinline)) static uint8_t receive_pinned(const struct frontend *frontend,
                                                              const struct receive_frame *frame,
                                                              const struct classify_verdict *verdict)
{
    /* Only what is itself TCP says where it stands in the stream; to a SYN any pin counts. */
    if (verdict->to == CLASSIFY_WORKER && verdict->key.protocol == IPPROTO_TCP && !verdict->is_syn)
        return pin_table_route(&frontend->pins, verdict->hash, &verdict->key,
                               wire_get32(frame->bytes + verdict->transport_off + TCP_SEQUENCE_OFF));
    return pin_table_search(&frontend->pins, verdict->hash, &verdict->key);
}

/* Whom a pin names, BUCKET_NO_WORKER: there is none, as nearly always. */
static inline uint8_t receive_pin(const struct frontend *frontend, const struct receive_frame *frame,
                                  const struct classify_verdict *verdict)
{
    return frontend->pins.by_key.n_used > 0 ? receive_pinned(frontend, frame, verdict)
                                            : (uint8_t)BUCKET_NO_WORKER;
}

static inline uint8_t receive_worker(const struct frontend *frontend, const struct receive_frame *frame,
                                     const struct classify_verdict *verdict)
{
    uint8_t worker = receive_pin(frontend, frame, verdict);

    return worker == BUCKET_NO_WORKER ? frontend->buckets.worker[bucket_of(&frontend->buckets, verdict->hash)]
                                      : worker;
}

/* The lane that serves a flow, or NULL. */
static struct lane *receive_lane(struct frontend *frontend, const struct receive_frame *frame,
                                 const struct classify_verdict *verdict)
{
    uint8_t worker = receive_pin(frontend, frame, verdict);

    /* What is pinned does not go where its bucket goes, so it is no part of its load. */
    if (worker == BUCKET_NO_WORKER) {
        uint32_t bucket = bucket_of(&frontend->buckets, verdict->hash);

        worker = frontend->buckets.worker[bucket];
        counter_add(frontend->board.bucket_frames, bucket, 1);
    }
    if (worker >= FRONTEND_MAX_LANES || !(frontend->lane_mask >> worker & 1))
        return NULL;
    return &frontend->lanes[worker];
}

/* Pins a new flow to a lane that takes more; NULL: there is none. */
static struct lane *receive_steer(struct frontend *frontend, const struct receive_frame *frame,
                                  const struct classify_verdict *verdict)
{
    uint32_t open_mask =
        frontend->lane_mask & ~frontend->draining_mask & ~(uint32_t)frontend->shed.order.lane_mask;
    struct pin_syn syn = {.isn = wire_get32(frame->bytes + verdict->transport_off + TCP_SEQUENCE_OFF)};

    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        if (!(open_mask >> i & 1) || frontend->lanes[i].rx[LANE_NORMAL].is_congested)
            continue;
        syn.worker = (uint8_t)i;
        if (pin_table_add_syn(&frontend->pins, verdict->hash, &verdict->key, &syn, frontend->now_ns) == 0)
            return &frontend->lanes[i];
        return NULL;
    }
    return NULL;
}

/*
 * What becomes of a SYN for *lane: it stays there, or goes to another lane because this one is congested or
 * takes no new connections. False: it is refused, and answered if it is to be. What is pinned is under way
 * already, urgent traffic is never refused.
 */
__attribute__((cold, noinline)) static bool receive_admit(struct frontend *frontend,
                                                          const struct receive_frame *frame,
                                                          const struct classify_verdict *verdict,
                                                          struct lane **lane)
{
    const struct shed_frame refused = {frame->bytes, frame->head_len, verdict, frame->offload.has_good_csum};
    bool is_shed = shed_wants(&frontend->shed, (*lane)->slot) && !dscp_is_urgent(verdict->dscp);
    struct lane *other;

    if (!is_shed && !(*lane)->rx[LANE_NORMAL].is_congested)
        return true;
    if (pin_table_find(&frontend->pins, verdict->hash, &verdict->key) != BUCKET_NO_WORKER ||
        shed_is_reset(&refused))
        return true;
    other = is_shed && frontend->shed.order.is_all ? NULL : receive_steer(frontend, frame, verdict);
    if (other != NULL) {
        lane_count(*lane, LANE_rx_steered, 1);
        *lane = other;
        return true;
    }
    if (is_shed)
        shed_refuse(frontend, &refused);
    return !is_shed;
}

static bool receive_has_room(struct frontend *frontend, struct lane *lane, struct ring_producer *ring)
{
    if (ring_producer_room(ring) <= LANE_CONTROL_SLOTS && ring_producer_refresh(ring) != RING_OK) {
        broker_quarantine(frontend, lane, LANE_fault_index);
        return false;
    }
    if (ring_producer_room(ring) <= LANE_CONTROL_SLOTS) {
        lane_count(lane, LANE_rx_drop_ring_full, 1);
        return false;
    }
    if (!frame_pool_has_quota(&frontend->pool, lane->slot)) {
        lane_count(lane, LANE_rx_drop_quota, 1);
        return false;
    }
    return true;
}

/* Nobody serves the flow just now: its frames wait, if it is between two workers. True: held. */
static bool receive_hold(struct frontend *frontend, const struct classify_verdict *verdict,
                         const struct receive_frame *frame, struct held_frame *held)
{
    uint8_t worker = receive_worker(frontend, frame, verdict);

    if (worker != BUCKET_HELD && worker != BUCKET_ORPHAN) {
        counter_add(frontend->board.nic,
                    frontend->returning.is_waiting ? NIC_rx_drop_returning : NIC_rx_drop_no_worker, 1);
        return false;
    }
    held->head_idx = frame->head_idx;
    held->len_bytes = verdict->frame_len;
    held->bucket = bucket_of(&frontend->buckets, verdict->hash);
    held->is_orphan = worker == BUCKET_ORPHAN;
    frame_pool_tie(&frontend->pool, frame->head_idx, held->large_idx);
    if (hold_frame(frontend, held))
        return true;
    frame_pool_tie(&frontend->pool, frame->head_idx, LANE_NO_CHUNK);
    return false;
}

/* Hands the frame over; false: it stays with us, to be used again. */
static bool receive_to_worker(struct frontend *frontend, struct receive_frame *frame,
                              const struct classify_verdict *verdict)
{
    struct lane *lane = receive_lane(frontend, frame, verdict);
    enum lane_priority priority = dscp_is_urgent(verdict->dscp) ? LANE_URGENT : LANE_NORMAL;
    enum lane_slot_kind kind = verdict->to == CLASSIFY_ICMP_ERROR ? LANE_SLOT_ICMP_ERROR : LANE_SLOT_FRAME;
    struct receive_note note = {verdict->hash, verdict->transport_off, verdict->key.protocol};
    uint32_t flags =
        (frame->offload.has_good_csum ? LANE_FLAG_CSUM : 0u) | (frame->offload.is_gso ? LANE_FLAG_GSO : 0u);
    uint32_t large_idx = verdict->frame_len > RECEIVE_HEAD_ROOM ? frame->large_idx : LANE_NO_CHUNK;
    uint16_t generation;

    if (__builtin_expect(verdict->is_syn, 0) && lane != NULL &&
        !receive_admit(frontend, frame, verdict, &lane))
        return false;
    if (lane != NULL && !receive_has_room(frontend, lane, &lane->rx[priority]))
        return false;
    memcpy(frame->bytes - RECEIVE_FRAME_OFF, &note, sizeof(note));
    if (lane == NULL) {
        struct held_frame held = {.large_idx = large_idx,
                                  .kind_and_flags = (uint16_t)(kind | flags << 8),
                                  .priority = (uint8_t)priority};

        return receive_hold(frontend, verdict, frame, &held);
    }
    frame_pool_tie(&frontend->pool, frame->head_idx, large_idx);
    generation = frame_pool_lend(&frontend->pool, frame->head_idx, lane->slot);
    ring_producer_stage(&lane->rx[priority], lane_word(kind | flags << 8, generation, frame->head_idx),
                        large_idx | (uint64_t)verdict->frame_len << 32);
    lane->has_news = true;
    lane->n_rx_frames++;
    lane->n_rx_bytes += verdict->frame_len;
    if (priority == LANE_URGENT)
        lane_count(lane, LANE_rx_urgent_frames, 1);
    if (kind == LANE_SLOT_ICMP_ERROR)
        counter_add(frontend->board.nic, NIC_rx_icmp_to_worker, 1);
    return true;
}

__attribute__((cold, noinline)) static void receive_to_host(struct frontend *frontend,
                                                            struct receive_frame *frame)
{
    uint32_t tail_len = frame->len_bytes - frame->head_len;
    const uint8_t *tail = tail_len > 0 ? frame_pool_large(&frontend->pool, frame->large_idx) : NULL;

    /* The host stack takes no offload: what the sender left to the NIC is completed here. */
    if (frame->offload.is_partial && tail_len == 0)
        offload_finish_csum(frame->bytes, frame->len_bytes, &frame->vnet);
    counter_add(frontend->board.nic, NIC_rx_to_host, 1);
    stage_lock(frontend);
    host_input(frontend->host, frame->bytes, frame->head_len, tail, tail_len);
    stage_unlock(frontend);
}

__attribute__((cold, noinline)) static void receive_capture(struct frontend *frontend,
                                                            const struct receive_frame *frame, uint32_t lane)
{
    struct iovec parts[2] = {{frame->bytes, frame->head_len}, {NULL, frame->len_bytes - frame->head_len}};

    if (parts[1].iov_len > 0)
        parts[1].iov_base = frame_pool_large(&frontend->pool, frame->large_idx);
    capture_frame(frontend, parts, 2, lane, false);
}

static inline struct classify_context receive_context(const struct frontend *frontend)
{
    return (struct classify_context){frontend->nic.mac, &frontend->addresses, &frontend->seed};
}

/* Hands on what is classified; true: a worker has the chunks now. Part of the third pass's loop, always. */
__attribute__((always_inline)) static inline bool receive_hand_on(struct frontend *frontend,
                                                                  struct receive_frame *frame,
                                                                  const struct classify_verdict *verdict)
{
    if (__builtin_expect(frontend->is_capturing, 0)) {
        bool is_worker = verdict->to == CLASSIFY_WORKER || verdict->to == CLASSIFY_ICMP_ERROR;

        receive_capture(frontend, frame,
                        is_worker ? frontend->buckets.worker[bucket_of(&frontend->buckets, verdict->hash)]
                                  : BOARD_CAPTURE_ALL_LANES);
    }
    switch (verdict->to) {
    case CLASSIFY_WORKER:
    case CLASSIFY_ICMP_ERROR:
        return receive_to_worker(frontend, frame, verdict);
    case CLASSIFY_HOST:
        receive_to_host(frontend, frame);
        return false;
    case CLASSIFY_DROP:
        counter_add(frontend->board.nic, verdict->drop, 1);
        return false;
    }
    return false;
}

/* First pass: what the NIC has put into a place, for us and for the classifier. False: it is dropped. */
static inline bool receive_read(struct frontend *frontend, unsigned place_idx, struct receive_frame *frame,
                                struct classify_frame *view)
{
    const struct receive_place *place = &frontend->places[place_idx];
    const struct nic_rx *rx = &frontend->rx[place_idx];
    uint32_t room = RECEIVE_HEAD_ROOM + (rx->tail != NULL ? NIC_TAIL_BYTES : 0);
    uint32_t len_bytes = rx->len_bytes;
    uint32_t head_len = len_bytes < RECEIVE_HEAD_ROOM ? len_bytes : RECEIVE_HEAD_ROOM;
    uint8_t *bytes = rx->head + RECEIVE_FRAME_OFF;

    if (len_bytes > room) {
        counter_add(frontend->board.nic, NIC_rx_drop_pool_empty, 1); /* no large chunk was left for it */
        return false;
    }
    *frame = (struct receive_frame){.head_idx = place->head_idx,
                                    .large_idx = place->large_idx,
                                    .bytes = bytes,
                                    .head_len = head_len,
                                    .len_bytes = len_bytes};
    if (!receive_take_vnet(frontend, frame)) {
        counter_add(frontend->board.nic, NIC_rx_drop_gso, 1);
        return false;
    }
    if (frame->offload.is_gso)
        counter_add(frontend->board.nic, NIC_rx_super_frames, 1);
    *view = (struct classify_frame){bytes, head_len, len_bytes, frame->offload.has_good_csum,
                                    frame->offload.is_gso};
    return true;
}

/* Frames between the passes. */
struct receive_batch {
    unsigned n;
    struct receive_place *places[RECEIVE_BATCH];
    struct receive_frame frames[RECEIVE_BATCH];
    struct classify_frame views[RECEIVE_BATCH];
    struct classify_verdict verdicts[RECEIVE_BATCH];
};

/* Third pass: the chunks stay in their place unless a worker has them. */
static inline void receive_one(struct frontend *frontend, struct receive_place *place,
                               struct receive_frame *frame, const struct classify_verdict *verdict)
{
    if (!receive_hand_on(frontend, frame, verdict))
        return;
    place->head_idx = LANE_NO_CHUNK;
    if (frontend->pool.entries[frame->head_idx].large_idx != LANE_NO_CHUNK)
        place->large_idx = LANE_NO_CHUNK;
}

/* A pass has the registers for itself when it is a function of its own. */
__attribute__((noinline)) static void receive_hand_on_batch(struct frontend *frontend,
                                                            struct receive_batch *batch)
{
    for (unsigned i = 0; i < batch->n; i++)
        receive_one(frontend, batch->places[i], &batch->frames[i], &batch->verdicts[i]);
}

/* All passes over n places from `first` on; at most RECEIVE_BATCH. Returns the bytes read. */
static uint64_t receive_places(struct frontend *frontend, unsigned first, unsigned n)
{
    const struct classify_context context = receive_context(frontend);
    struct receive_batch batch;
    uint64_t n_bytes = 0;

    batch.n = 0;
    for (unsigned i = first; i < first + n; i++) {
        n_bytes += frontend->rx[i].len_bytes;
        batch.places[batch.n] = &frontend->places[i];
        batch.n += receive_read(frontend, i, &batch.frames[batch.n], &batch.views[batch.n]);
    }
    classify_burst(&context, batch.views, batch.verdicts, batch.n);
    for (unsigned i = 0; i < batch.n; i++)
        __builtin_prefetch(
            &frontend->board.bucket_frames[bucket_of(&frontend->buckets, batch.verdicts[i].hash)], 1);
    receive_hand_on_batch(frontend, &batch);
    return n_bytes;
}

static void receive_publish(struct frontend *frontend)
{
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        struct lane *lane = &frontend->lanes[i];

        if (!(frontend->lane_mask >> i & 1) || !lane->has_news)
            continue;
        /* Once a burst: how far the worker has come, for the congestion state. */
        if (ring_producer_refresh(&lane->rx[LANE_NORMAL]) != RING_OK) {
            broker_quarantine(frontend, lane, LANE_fault_index);
            continue;
        }
        lane_publish(lane);
        frontend->has_work_out = true;
    }
}

bool frontend_receive(struct frontend *frontend)
{
    unsigned n = receive_prepare(frontend, frontend->config.frontend.burst_frames);
    uint64_t n_bytes = 0;
    int n_read;

    if (n == 0)
        return receive_drop_all(frontend, frontend->config.frontend.burst_frames);
    n_read = frontend->nic.ops->rx(&frontend->nic, frontend->rx, n);
    if (n_read < 0) {
        frontend->is_stopping = true;
        frontend->exit_code = 1;
        return false;
    }
    if (n_read == 0)
        return false;
    n = (unsigned)n_read;
    for (unsigned i = 0; i < n; i += RECEIVE_BATCH)
        n_bytes += receive_places(frontend, i, n - i < RECEIVE_BATCH ? n - i : RECEIVE_BATCH);
    counter_add(frontend->board.nic, NIC_rx_frames, n);
    counter_add(frontend->board.nic, NIC_rx_bytes, n_bytes);
    receive_publish(frontend);
    return true;
}

/* A link header in front of a reassembled packet, as if it had come in one piece. */
static uint32_t receive_rebuild(struct frontend *frontend, const uint8_t *packet, uint32_t len_bytes,
                                uint8_t *head, uint8_t *large)
{
    uint32_t in_head = RECEIVE_HEAD_ROOM - NIC_LINK_BYTES;

    memset(head, 0, RECEIVE_FRAME_OFF);
    memcpy(head + RECEIVE_FRAME_OFF, frontend->nic.mac, 6);
    memset(head + RECEIVE_FRAME_OFF + 6, 0, 6);
    head[RECEIVE_FRAME_OFF + 12] = packet[0] >> 4 == 4 ? 0x08 : 0x86;
    head[RECEIVE_FRAME_OFF + 13] = packet[0] >> 4 == 4 ? 0x00 : 0xdd;
    if (in_head > len_bytes)
        in_head = len_bytes;
    memcpy(head + RECEIVE_FRAME_OFF + NIC_LINK_BYTES, packet, in_head);
    if (len_bytes > in_head)
        memcpy(large, packet + in_head, len_bytes - in_head);
    return NIC_LINK_BYTES + len_bytes;
}

void frontend_receive_datagram(struct frontend *frontend, const uint8_t *packet, uint32_t len_bytes)
{
    struct receive_frame frame = {.head_idx = frame_pool_take_head(&frontend->pool),
                                  .large_idx = LANE_NO_CHUNK};
    bool needs_large = NIC_LINK_BYTES + len_bytes > RECEIVE_HEAD_ROOM;
    struct classify_context context = receive_context(frontend);
    struct classify_verdict verdict;
    struct classify_frame view;

    if (needs_large)
        frame.large_idx = frame_pool_take_large(&frontend->pool);
    if (frame.head_idx == LANE_NO_CHUNK || (needs_large && frame.large_idx == LANE_NO_CHUNK) ||
        len_bytes == 0) {
        counter_add(frontend->board.nic, NIC_rx_drop_pool_empty, 1);
    } else {
        uint8_t *head = frame_pool_head(&frontend->pool, frame.head_idx);

        frame.bytes = head + RECEIVE_FRAME_OFF;
        frame.len_bytes =
            receive_rebuild(frontend, packet, len_bytes, head,
                            needs_large ? frame_pool_large(&frontend->pool, frame.large_idx) : NULL);
        frame.head_len = frame.len_bytes < RECEIVE_HEAD_ROOM ? frame.len_bytes : RECEIVE_HEAD_ROOM;
        view = (struct classify_frame){frame.bytes, frame.head_len, frame.len_bytes, false, false};
        classify_frame(&context, &view, &verdict);
        if (receive_hand_on(frontend, &frame, &verdict))
            return; /* published with the burst it came in */
    }
    if (frame.large_idx != LANE_NO_CHUNK)
        frame_pool_put_large(&frontend->pool, frame.large_idx);
    if (frame.head_idx != LANE_NO_CHUNK)
        frame_pool_put(&frontend->pool, frame.head_idx);
}
