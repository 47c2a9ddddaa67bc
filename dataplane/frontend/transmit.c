/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * transmit.c — from the tx rings to the NIC. Urgent rings of all workers first, then the normal ones by
 * deficit round robin in bytes (Shreedhar and Varghese, 1995). Headers are copied to private memory, checked
 * there, and the copy is what leaves; the payload goes straight from the worker's arena, unless it is so
 * short that it came along with the copy.
 *
 * A ring is worked on in passes over a few packets: their slots are looked at, their beginnings copied, each
 * copy is checked and completed, and then they are sent. So the arena's cache lines arrive side by side, and
 * nothing is read in large pieces while it is still on its way into the cache in small ones.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "flow/dscp.h"
#include "frontend/fragment.h"
#include "frontend/frontend.h"
#include "frontend/offload_plain.h"

#define TRANSMIT_QUANTUM_BYTES 65536u
/* Of one lane in one round, in packets and in bytes: urgent, but a worker that calls everything urgent must
 * not starve the others. */
#define TRANSMIT_MAX_URGENT 64u
#define TRANSMIT_MAX_URGENT_BYTES (2u * TRANSMIT_QUANTUM_BYTES)
#define TRANSMIT_HOP_LIFE_NS (1ull * 1000000000ull)
#define TRANSMIT_LINK_OFF NIC_VNET_BYTES
#define TRANSMIT_BATCH 32u /* packets in hand at a time: 8 KiB */

enum transmit_result {
    TRANSMIT_DONE, /* sent, parked or dropped: the slot is used up */
    TRANSMIT_BUSY, /* the NIC is full: try again later */
};

/* Where one packet's software segments and fragments go. */
struct transmit_out {
    struct frontend *frontend;
    uint8_t link[NIC_VNET_BYTES + NIC_LINK_BYTES];
    uint32_t lane;
    enum transmit_result result;
};

static inline enum nic_tx_result transmit_parts(struct frontend *frontend, struct iovec *parts, int n_parts,
                                                uint32_t lane)
{
    enum nic_tx_result result = frontend->nic.ops->tx(&frontend->nic, parts, n_parts);
    uint64_t bytes = 0;

    switch (result) {
    case NIC_TX_SENT:
        for (int i = 0; i < n_parts; i++)
            bytes += parts[i].iov_len;
        frontend->sent.n_frames++;
        frontend->sent.n_bytes += bytes - NIC_VNET_BYTES;
        if (frontend->is_capturing) {
            parts[0].iov_base = (uint8_t *)parts[0].iov_base + NIC_VNET_BYTES;
            parts[0].iov_len -= NIC_VNET_BYTES;
            capture_frame(frontend, parts, n_parts, lane, true);
        }
        break;
    case NIC_TX_BUSY:
        counter_add(frontend->board.nic, NIC_tx_busy, 1);
        frontend->is_nic_busy = true;
        break;
    case NIC_TX_ERROR:
        counter_add(frontend->board.nic, NIC_tx_drop_nic_error, 1);
        break;
    }
    return result;
}

/* A round of the transmit stage begins; transmit_end() ends it. */
static void transmit_begin(struct frontend *frontend)
{
    frontend->hops_epoch = host_epoch(frontend->host);
}

static void transmit_end(struct frontend *frontend)
{
    if (frontend->nic.ops->flush != NULL)
        frontend->nic.ops->flush(&frontend->nic);
    if (frontend->sent.n_frames == 0)
        return;
    counter_add(frontend->board.nic, NIC_tx_frames, frontend->sent.n_frames);
    counter_add(frontend->board.nic, NIC_tx_bytes, frontend->sent.n_bytes);
    frontend->sent = (struct frontend_sent){0};
}

static void transmit_emit(struct transmit_out *out, struct iovec header, struct iovec payload)
{
    struct iovec parts[3] = {{out->link, sizeof(out->link)}, header, payload};

    /* A segment that finds the NIC busy is lost like any packet; TCP sends it again. */
    if (transmit_parts(out->frontend, parts, payload.iov_len > 0 ? 3 : 2, out->lane) == NIC_TX_BUSY)
        counter_add(out->frontend->board.nic, NIC_tx_drop_nic_error, 1);
}

static void transmit_emit_segment(void *context, const struct offload_segment *segment)
{
    transmit_emit(context, (struct iovec){(void *)(uintptr_t)segment->header, segment->header_len},
                  (struct iovec){(void *)(uintptr_t)segment->payload, segment->payload_len});
}

static void transmit_emit_fragment(void *context, const struct fragment *fragment)
{
    transmit_emit(context, (struct iovec){(void *)(uintptr_t)fragment->header, fragment->header_len},
                  (struct iovec){(void *)(uintptr_t)fragment->payload, fragment->payload_len});
}

/* One checked packet: private headers, payload behind them or where it stands. */
struct transmit_packet {
    const struct offload_plan *plan;
    struct offload_frame *frame; /* its packet: plan->header_len bytes, or all of them */
    const uint8_t *payload;
    uint32_t lane;
    bool is_by_hand; /* transmit_is_by_hand() */
};

/* Fragments need the datagram behind the IP header in one piece. */
static void transmit_fragments(struct frontend *frontend, const struct transmit_packet *packet,
                               struct transmit_out *out)
{
    static uint8_t datagram[65536];
    const struct offload_plan *plan = packet->plan;
    uint32_t in_header = (uint32_t)plan->header_len - plan->transport_off;
    uint32_t payload_len = plan->total_len - plan->header_len;
    struct fragment_job job = {.header = packet->frame->packet,
                               .header_len = plan->transport_off,
                               .payload = datagram,
                               .payload_len = in_header + payload_len,
                               .identification =
                                   plan->key.family == 4 ? frontend->ip4_id++ : frontend->ip6_id++,
                               .mtu_bytes = frontend->addresses.mtu_bytes};

    memcpy(datagram, packet->frame->packet + plan->transport_off, in_header);
    memcpy(datagram + in_header, packet->payload, payload_len);
    if (fragment_packet(&job, transmit_emit_fragment, out) > 0)
        counter_add(frontend->board.nic, NIC_tx_fragmented, 1);
    else
        counter_add(frontend->board.nic, NIC_tx_drop_nic_error, 1);
}

/* What the NIC cannot do is done here: cutting and checksums. */
static bool transmit_needs_software(const struct frontend *frontend, const struct offload_plan *plan)
{
    uint32_t needed = plan->needs_csum ? NIC_CAP_CSUM : 0;

    if (plan->gso_size != 0)
        needed |= plan->key.family == 4 ? NIC_CAP_TSO4 : NIC_CAP_TSO6;
    return (frontend->nic.caps & needed) != needed;
}

/* Fragments, or segments and checksums made in software. */
static bool transmit_is_by_hand(const struct frontend *frontend, const struct offload_plan *plan)
{
    return plan->needs_fragments || transmit_needs_software(frontend, plan);
}

__attribute__((noinline)) static void transmit_by_hand(struct frontend *frontend,
                                                       const struct transmit_packet *packet)
{
    struct offload_packet parts_of = {packet->plan, packet->frame->packet, packet->payload};
    struct transmit_out out = {.frontend = frontend, .lane = packet->lane};

    memcpy(out.link + TRANSMIT_LINK_OFF, packet->frame->link, sizeof(packet->frame->link));
    if (packet->plan->needs_fragments)
        transmit_fragments(frontend, packet, &out);
    else
        offload_segment(&parts_of, transmit_emit_segment, &out);
}

/* The next hop is known: completes what goes in front of the packet, and the NIC's part of its checksum.
 * True: the rest is to be done by hand. */
static inline bool transmit_complete(const struct frontend *frontend, const struct offload_plan *plan,
                                     const struct frontend_hop *hop, struct offload_frame *frame)
{
    bool is_by_hand = transmit_is_by_hand(frontend, plan);

    memcpy(frame->link, hop->link, sizeof(frame->link));
    if (!is_by_hand)
        offload_write_vnet_inline(plan, frame->packet, &frame->vnet);
    return is_by_hand;
}

/* Sends one packet that is complete. Part of the sending loop, always. */
__attribute__((always_inline)) static inline enum transmit_result
transmit_packet(struct frontend *frontend, const struct transmit_packet *packet)
{
    const struct offload_plan *plan = packet->plan;
    struct offload_frame *frame = packet->frame;
    uint32_t payload_len = plan->total_len - plan->header_len;
    struct iovec parts[2];
    int n_parts = 1;

    if (packet->is_by_hand) {
        transmit_by_hand(frontend, packet);
        return TRANSMIT_DONE;
    }
    parts[0] = (struct iovec){frame, OFFLOAD_PACKET_OFF + (size_t)plan->header_len};
    if (packet->payload == frame->packet + plan->header_len)
        parts[0].iov_len += payload_len; /* the whole packet is in the copy: in one piece */
    else if (payload_len > 0)
        parts[n_parts++] = (struct iovec){(void *)(uintptr_t)packet->payload, payload_len};
    if (transmit_parts(frontend, parts, n_parts, packet->lane) == NIC_TX_BUSY)
        return TRANSMIT_BUSY;
    if (plan->gso_size != 0)
        counter_add(frontend->board.nic, NIC_tx_super_frames, 1);
    return TRANSMIT_DONE;
}

/* The place of a destination in the cache. Neighbours differ in their last bytes. */
static inline struct frontend_hop *transmit_hop_place(struct frontend *frontend, uint8_t family,
                                                      const uint8_t *to)
{
    uint32_t word;

    memcpy(&word, to + (family == 4 ? 0 : 12), sizeof(word));
    return &frontend->hops[(word * 0x9e3779b1u) >> 24 & (FRONTEND_HOPS - 1)];
}

/* Asks the host stack, and remembers what it says. */
__attribute__((cold)) static enum host_hop
transmit_ask_hop(struct frontend *frontend, const struct offload_plan *plan, struct frontend_hop *hop)
{
    uint8_t mac[6];
    enum host_hop result = host_next_hop(frontend->host, plan->key.family, plan->key.remote, mac);

    /* Asking may itself have changed what the host stack knows. */
    frontend->hops_epoch = host_epoch(frontend->host);
    if (result != HOST_HOP_FOUND)
        return result;
    *hop = (struct frontend_hop){.family = plan->key.family,
                                 .epoch = frontend->hops_epoch,
                                 .until_ns = frontend->now_ns + TRANSMIT_HOP_LIFE_NS};
    memcpy(hop->destination, plan->key.remote, sizeof(hop->destination));
    memcpy(hop->link, mac, 6);
    memcpy(hop->link + 6, frontend->nic.mac, 6);
    hop->link[12] = plan->key.family == 4 ? 0x08 : 0x86;
    hop->link[13] = plan->key.family == 4 ? 0x00 : 0xdd;
    return result;
}

/* Next hop from the cache, or from the host stack. HOST_HOP_FOUND: *hop is good until the next call. */
static inline enum host_hop transmit_hop(struct frontend *frontend, const struct offload_plan *plan,
                                         const struct frontend_hop **hop)
{
    struct frontend_hop *place = transmit_hop_place(frontend, plan->key.family, plan->key.remote);

    *hop = place;
    /* Behind an IPv4 address key and cache both hold zeros. */
    if (place->family == plan->key.family && place->epoch == frontend->hops_epoch &&
        place->until_ns > frontend->now_ns && memcmp(place->destination, plan->key.remote, 16) == 0)
        return HOST_HOP_FOUND;
    return transmit_ask_hop(frontend, plan, place);
}

static void transmit_park(struct frontend *frontend, const struct transmit_packet *packet)
{
    struct park_entry *entry = park_add(&frontend->park, frontend->now_ns);

    if (entry == NULL) {
        counter_add(frontend->board.nic, NIC_tx_drop_park_full, 1);
        return;
    }
    entry->plan = *packet->plan;
    memcpy(entry->frame.packet, packet->frame->packet, packet->plan->header_len);
    memcpy(entry->payload, packet->payload, packet->plan->total_len - packet->plan->header_len);
    counter_add(frontend->board.nic, NIC_tx_parked, 1);
}

/* RFC 6864: a datagram that may be fragmented on its way needs an ID of its own; the worker left it zero. */
static inline void transmit_ip4_id(struct frontend *frontend, const struct offload_plan *plan, uint8_t *ip)
{
    uint32_t sum, id;

    if (plan->key.family != 4 || (ip[6] & 0x40) != 0 || plan->needs_fragments)
        return;
    id = frontend->ip4_id++;
    /* RFC 1624: the header checksum follows from the change of one field. */
    sum = (uint32_t)(~(ip[10] << 8 | ip[11]) & 0xffff) + (uint32_t)(~(ip[4] << 8 | ip[5]) & 0xffff) + id;
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = ~sum & 0xffffu;
    ip[4] = (uint8_t)(id >> 8);
    ip[5] = (uint8_t)id;
    ip[10] = (uint8_t)(sum >> 8);
    ip[11] = (uint8_t)sum;
}

/* A packet of a worker on its way: what its slot says, and the private copy of its beginning. */
struct transmit_taken {
    struct offload_frame frame;
    struct border_tx tx;
    struct offload_plan plan; /* where the outcome is OFFLOAD_OK */
    enum offload_outcome outcome;
    enum host_hop hop;
    bool is_by_hand; /* where the next hop is known */
};

/* The copy has a constant size where the arena has so many bytes: what lies behind the packet is not used. */
static inline void transmit_copy(struct transmit_taken *taken, const uint8_t *arena, uint32_t arena_bytes)
{
    uint8_t *copy = taken->frame.packet;
    uint32_t len_bytes = taken->tx.len_bytes;

    if (taken->tx.arena_off <= arena_bytes - OFFLOAD_MAX_COPY_BYTES)
        border_copy_arena(copy, arena, taken->tx.arena_off, OFFLOAD_MAX_COPY_BYTES);
    else
        border_copy_arena(copy, arena, taken->tx.arena_off,
                          len_bytes < OFFLOAD_MAX_COPY_BYTES ? len_bytes : OFFLOAD_MAX_COPY_BYTES);
}

/* Checks the copy, and completes it where its next hop is known. Nothing is counted yet: should the NIC be
 * busy before this packet's turn, it is looked at afresh. */
static void transmit_check(struct frontend *frontend, struct transmit_taken *taken)
{
    const struct border_tx *tx = &taken->tx;
    struct offload_request request = {
        .header = taken->frame.packet,
        .header_len = tx->len_bytes < OFFLOAD_MAX_COPY_BYTES ? tx->len_bytes : OFFLOAD_MAX_COPY_BYTES,
        .total_len = tx->len_bytes,
        .gso_size = (tx->flags & LANE_FLAG_GSO) != 0 ? tx->gso_bytes : 0,
        .needs_csum = (tx->flags & LANE_FLAG_CSUM) != 0,
    };
    const struct frontend_hop *hop;

    taken->outcome =
        offload_check_tx_inline(&frontend->addresses, frontend->addresses.mtu_bytes, &request, &taken->plan);
    if (taken->outcome != OFFLOAD_OK)
        return;
    taken->hop = transmit_hop(frontend, &taken->plan, &hop);
    if (taken->hop == HOST_HOP_NONE)
        return;
    transmit_ip4_id(frontend, &taken->plan, taken->frame.packet);
    if (taken->hop == HOST_HOP_FOUND)
        taken->is_by_hand = transmit_complete(frontend, &taken->plan, hop, &taken->frame);
}

/* Sends one packet of a worker, checked already, or drops or parks it. */
static enum transmit_result transmit_from_lane(struct frontend *frontend, struct lane *lane,
                                               const uint8_t *arena, struct transmit_taken *taken)
{
    bool is_whole = taken->tx.len_bytes <= OFFLOAD_MAX_COPY_BYTES;
    const uint8_t *bytes = is_whole ? taken->frame.packet : arena + taken->tx.arena_off;
    struct transmit_packet packet = {.plan = &taken->plan, .frame = &taken->frame, .lane = lane->slot};

    if (taken->outcome != OFFLOAD_OK) {
        lane_count(lane, taken->outcome == OFFLOAD_BAD_SOURCE ? LANE_tx_drop_source : LANE_tx_drop_header, 1);
        return TRANSMIT_DONE;
    }
    packet.payload = bytes + taken->plan.header_len;
    switch (taken->hop) {
    case HOST_HOP_FOUND:
        packet.is_by_hand = taken->is_by_hand;
        return transmit_packet(frontend, &packet);
    case HOST_HOP_PENDING:
        transmit_park(frontend, &packet);
        return TRANSMIT_DONE;
    case HOST_HOP_NONE:
        counter_add(frontend->board.nic, NIC_tx_drop_no_route, 1);
        return TRANSMIT_DONE;
    }
    return TRANSMIT_DONE;
}

/* A worker speaks of a flow outside its buckets: the pin that led it there stays, or ends. Or it answers an
 * order. False: an answer that finds no room, to be looked at again. */
static bool transmit_take_note(struct frontend *frontend, struct lane *lane, enum lane_priority priority,
                               const struct border_tx *tx)
{
    struct stage_note note = {.kind = tx->kind,
                              .worker = lane->slot,
                              .priority = (uint8_t)priority,
                              .n_flows = tx->n_flows,
                              .number = tx->fence};
    bool is_answer = tx->kind == LANE_SLOT_FENCE || tx->kind == LANE_SLOT_ADOPTED;

    if (!is_answer)
        border_copy_arena(&note.key, lane_arena(lane, priority), tx->arena_off, sizeof(note.key));
    return stage_note_add(frontend, &note) || !is_answer;
}

/* What one ring may send in a round, and what it has sent. */
struct transmit_share {
    uint64_t budget_bytes;
    uint32_t n_max;
    uint32_t n_taken; /* slots */
    uint32_t n_frames;
    uint64_t n_bytes;
};

/* Packets at the front of a ring that are worked on together. */
struct transmit_batch {
    _Alignas(64) struct transmit_taken packets[TRANSMIT_BATCH];
    uint32_t n;
};

/* Looks at the packets at the ring's front, up to a batch, the share or a slot that is no packet or no good,
 * and copies their beginnings. None of them is taken yet. */
__attribute__((noinline)) static void transmit_gather(const struct lane *lane, enum lane_priority priority,
                                                      const struct transmit_share *share,
                                                      struct transmit_batch *batch)
{
    const struct ring_consumer *ring = &lane->tx[priority];
    const uint8_t *arena = lane_arena(lane, priority);
    uint32_t arena_bytes = lane->shape.arena_bytes[priority];
    uint64_t left_bytes = share->budget_bytes - share->n_bytes;
    uint32_t n_ready = ring_consumer_ready(ring), n_left = share->n_max - share->n_taken;
    uint32_t n = n_ready < n_left ? n_ready : n_left;
    uint32_t i;

    if (n > TRANSMIT_BATCH)
        n = TRANSMIT_BATCH;
    for (i = 0; i < n; i++) {
        struct border_tx *tx = &batch->packets[i].tx;

        if (border_peek_tx(ring, i, arena_bytes, tx) != BORDER_OK || tx->kind != LANE_SLOT_FRAME ||
            tx->len_bytes > left_bytes)
            break;
        left_bytes -= tx->len_bytes;
        __builtin_prefetch(arena + tx->arena_off);
        __builtin_prefetch(arena + tx->arena_off + 64);
    }
    batch->n = i;
    for (i = 0; i < batch->n; i++)
        transmit_copy(&batch->packets[i], arena, arena_bytes);
}

/* Each pass is a function of its own: one loop has the registers that three in one would share. */
__attribute__((noinline)) static void transmit_check_batch(struct frontend *frontend,
                                                           struct transmit_batch *batch)
{
    struct transmit_taken *end = batch->packets + batch->n;

    for (struct transmit_taken *taken = batch->packets; taken < end; taken++)
        transmit_check(frontend, taken);
}

/* Sends a batch that is checked; false: the NIC is busy, and has what was taken. */
__attribute__((noinline)) static bool transmit_send_batch(struct frontend *frontend, struct lane *lane,
                                                          enum lane_priority priority,
                                                          struct transmit_batch *batch,
                                                          struct transmit_share *share)
{
    const uint8_t *arena = lane_arena(lane, priority);
    uint32_t i;

    for (i = 0; i < batch->n; i++) {
        if (transmit_from_lane(frontend, lane, arena, &batch->packets[i]) == TRANSMIT_BUSY)
            break;
        share->n_bytes += batch->packets[i].tx.len_bytes;
    }
    ring_consumer_take(&lane->tx[priority], i);
    share->n_taken += i;
    share->n_frames += i;
    return i == batch->n;
}

/* Takes packets of one ring until `budget` bytes or `max` slots are used up, or the NIC is busy, which
 * is_nic_busy says to the caller. Returns the bytes taken, or -1 when the lane is gone. */
static int64_t transmit_ring(struct frontend *frontend, struct lane *lane, enum lane_priority priority,
                             uint64_t budget, uint32_t max)
{
    struct ring_consumer *ring = &lane->tx[priority];
    struct transmit_share share = {.budget_bytes = budget, .n_max = max};
    struct transmit_batch batch;
    bool is_faulted = false;

    while (share.n_taken < max && ring_consumer_ready(ring) > 0) {
        struct border_tx tx;

        transmit_gather(lane, priority, &share, &batch);
        if (batch.n > 0) {
            transmit_check_batch(frontend, &batch);
            if (!transmit_send_batch(frontend, lane, priority, &batch, &share))
                break;
            continue;
        }
        is_faulted = border_peek_tx(ring, 0, lane->shape.arena_bytes[priority], &tx) != BORDER_OK;
        if (is_faulted || tx.kind == LANE_SLOT_FRAME) /* a frame: over the budget */
            break;
        if (!transmit_take_note(frontend, lane, priority, &tx))
            break;
        ring_consumer_take(ring, 1);
        share.n_taken++;
    }
    lane_count(lane, LANE_tx_frames, share.n_frames);
    lane_count(lane, LANE_tx_bytes, share.n_bytes);
    if (priority == LANE_URGENT)
        lane_count(lane, LANE_tx_urgent_frames, share.n_frames);
    if (is_faulted)
        stage_fault(frontend, lane, LANE_fault_slot);
    return is_faulted ? -1 : (int64_t)share.n_bytes;
}

static bool transmit_refresh(struct frontend *frontend, struct lane *lane)
{
    for (int p = 0; p < N_LANE_PRIORITIES; p++) {
        if (ring_consumer_refresh(&lane->tx[p]) != RING_OK) {
            stage_fault(frontend, lane, LANE_fault_index);
            return false;
        }
    }
    return true;
}

/* Frees what was taken; a worker that waits for room is woken. */
static bool transmit_free(struct lane *lane)
{
    bool did_free = ring_consumer_free(&lane->tx[LANE_URGENT]);

    did_free |= ring_consumer_free(&lane->tx[LANE_NORMAL]);
    if (!did_free)
        return false;
    /* "Free, then look whether it waits" against its "say that I wait, then look for room" (Dekker). */
    atomic_thread_fence(memory_order_seq_cst);
    if (border_worker_gauge(lane->worker_half.base, WORKER_GAUGE_tx_is_congested) != 0)
        wake_peer(&lane->tx_wake);
    return did_free;
}

void frontend_transmit_last(struct frontend *frontend, struct lane *lane)
{
    static const enum lane_priority order[N_LANE_PRIORITIES] = {LANE_URGENT, LANE_NORMAL};

    frontend->is_nic_busy = false;
    if (!transmit_refresh(frontend, lane))
        return;
    for (int i = 0; i < N_LANE_PRIORITIES && !frontend->is_nic_busy; i++) {
        /* What stands side by side in the arena is no longer than it; slots that name the same bytes again
         * and again would keep the others waiting. */
        if (transmit_ring(frontend, lane, order[i], lane->shape.arena_bytes[order[i]],
                          lane->shape.ring_slots[order[i]]) < 0)
            return;
    }
    if (frontend->nic.ops->flush != NULL)
        frontend->nic.ops->flush(&frontend->nic);
}

static void transmit_urgent(struct frontend *frontend)
{
    for (unsigned i = 0; i < FRONTEND_MAX_LANES && !frontend->is_nic_busy; i++) {
        struct lane *lane = &frontend->lanes[i];

        if (stage_serves(frontend, lane) && transmit_refresh(frontend, lane))
            transmit_ring(frontend, lane, LANE_URGENT, TRANSMIT_MAX_URGENT_BYTES, TRANSMIT_MAX_URGENT);
    }
}

static void transmit_normal(struct frontend *frontend)
{
    for (unsigned i = 0; i < FRONTEND_MAX_LANES && !frontend->is_nic_busy; i++) {
        struct lane *lane = &frontend->lanes[(frontend->drr_next + i) % FRONTEND_MAX_LANES];
        int64_t taken;

        if (!stage_serves(frontend, lane) || ring_consumer_ready(&lane->tx[LANE_NORMAL]) == 0) {
            lane->deficit_bytes = 0;
            continue;
        }
        lane->deficit_bytes += TRANSMIT_QUANTUM_BYTES;
        taken = transmit_ring(frontend, lane, LANE_NORMAL, lane->deficit_bytes, FRONTEND_MAX_BURST);
        if (taken >= 0)
            lane->deficit_bytes -= (uint64_t)taken;
        if (frontend->is_nic_busy)
            frontend->drr_next = lane->slot; /* it goes on where it was stopped */
    }
}

bool frontend_transmit(struct frontend *frontend)
{
    bool did_send = false;

    frontend->is_nic_busy = false;
    transmit_begin(frontend);
    transmit_urgent(frontend);
    transmit_normal(frontend);
    transmit_end(frontend);
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        if (stage_serves(frontend, &frontend->lanes[i]))
            did_send |= transmit_free(&frontend->lanes[i]);
    }
    if (!frontend->is_nic_busy)
        frontend->drr_next = (frontend->drr_next + 1) % FRONTEND_MAX_LANES;
    return did_send;
}

void frontend_transmit_host(struct frontend *frontend, const uint8_t *frame, uint32_t len_bytes)
{
    uint8_t vnet[NIC_VNET_BYTES] = {0};
    struct iovec parts[2] = {{vnet, sizeof(vnet)}, {(void *)(uintptr_t)frame, len_bytes}};

    transmit_parts(frontend, parts, 2, BOARD_CAPTURE_ALL_LANES);
    transmit_end(frontend);
}

void frontend_transmit_parked(struct frontend *frontend)
{
    uint32_t i = 0;

    transmit_begin(frontend);
    while (i < frontend->park.n_used) {
        struct park_entry *entry = &frontend->park.entries[i];
        struct transmit_packet packet = {&entry->plan, &entry->frame, entry->payload, BOARD_CAPTURE_ALL_LANES,
                                         false};
        const struct frontend_hop *to;
        enum host_hop hop = transmit_hop(frontend, &entry->plan, &to);

        if (hop == HOST_HOP_PENDING && entry->until_ns > frontend->now_ns) {
            i++;
            continue;
        }
        if (hop != HOST_HOP_FOUND) {
            counter_add(frontend->board.nic, NIC_tx_drop_unresolved, 1);
        } else {
            packet.is_by_hand = transmit_complete(frontend, &entry->plan, to, &entry->frame);
            if (transmit_packet(frontend, &packet) == TRANSMIT_BUSY)
                break;
        }
        park_remove(&frontend->park, i);
    }
    transmit_end(frontend);
}
