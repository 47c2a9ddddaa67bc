/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * transmit.c — from the tx rings to the NIC. Urgent rings of all workers first, then the normal ones by
 * deficit round robin in bytes (Shreedhar and Varghese, 1995). Headers are copied to private memory, checked
 * there, and the copy is what leaves; the payload goes straight from the worker's arena.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "flow/dscp.h"
#include "frontend/fragment.h"
#include "frontend/frontend.h"
#include "frontend/offload.h"

#define TRANSMIT_QUANTUM_BYTES 65536u
#define TRANSMIT_MAX_URGENT                                                                                  \
    64u /* of one lane in one round, in packets and in bytes: urgent, but a worker that                      \
           calls everything urgent must not starve the others */
#define TRANSMIT_MAX_URGENT_BYTES (2u * TRANSMIT_QUANTUM_BYTES)
#define TRANSMIT_HOP_LIFE_NS (1ull * 1000000000ull)
#define TRANSMIT_LINK_OFF NIC_VNET_BYTES

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

static enum nic_tx_result transmit_parts(struct frontend *frontend, struct iovec *parts, int n_parts,
                                         uint32_t lane)
{
    enum nic_tx_result result = frontend->nic.ops->tx(&frontend->nic, parts, n_parts);
    uint64_t bytes = 0;

    switch (result) {
    case NIC_TX_SENT:
        for (int i = 0; i < n_parts; i++)
            bytes += parts[i].iov_len;
        counter_add(frontend->board.nic, NIC_tx_frames, 1);
        counter_add(frontend->board.nic, NIC_tx_bytes, bytes - NIC_VNET_BYTES);
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

/* One checked packet: private headers, payload where it stands. */
struct transmit_packet {
    const struct offload_plan *plan;
    uint8_t *header; /* plan->header_len bytes */
    const uint8_t *payload;
    uint32_t lane;
};

static void transmit_link_header(const struct frontend *frontend, const struct offload_plan *plan,
                                 const uint8_t mac[6], uint8_t *out)
{
    memset(out, 0, NIC_VNET_BYTES);
    memcpy(out + TRANSMIT_LINK_OFF, mac, 6);
    memcpy(out + TRANSMIT_LINK_OFF + 6, frontend->nic.mac, 6);
    out[TRANSMIT_LINK_OFF + 12] = plan->key.family == 4 ? 0x08 : 0x86;
    out[TRANSMIT_LINK_OFF + 13] = plan->key.family == 4 ? 0x00 : 0xdd;
}

/* Fragments need the datagram behind the IP header in one piece. */
static void transmit_fragments(struct frontend *frontend, const struct transmit_packet *packet,
                               struct transmit_out *out)
{
    static uint8_t datagram[65536];
    const struct offload_plan *plan = packet->plan;
    uint32_t in_header = (uint32_t)plan->header_len - plan->transport_off;
    uint32_t payload_len = plan->total_len - plan->header_len;
    struct fragment_job job = {.header = packet->header,
                               .header_len = plan->transport_off,
                               .payload = datagram,
                               .payload_len = in_header + payload_len,
                               .identification =
                                   plan->key.family == 4 ? frontend->ip4_id++ : frontend->ip6_id++,
                               .mtu_bytes = frontend->addresses.mtu_bytes};

    memcpy(datagram, packet->header + plan->transport_off, in_header);
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

/* Sends one packet whose next hop is known. */
static enum transmit_result transmit_packet(struct frontend *frontend, const struct transmit_packet *packet,
                                            const uint8_t mac[6])
{
    const struct offload_plan *plan = packet->plan;
    struct offload_packet parts_of = {plan, packet->header, packet->payload};
    struct transmit_out out = {.frontend = frontend, .lane = packet->lane};
    struct nic_vnet vnet;
    struct iovec parts[3];

    transmit_link_header(frontend, plan, mac, out.link);
    if (plan->needs_fragments) {
        transmit_fragments(frontend, packet, &out);
        return TRANSMIT_DONE;
    }
    if (transmit_needs_software(frontend, plan)) {
        offload_segment(&parts_of, transmit_emit_segment, &out);
        return TRANSMIT_DONE;
    }
    offload_write_vnet(plan, packet->header, &vnet);
    memcpy(out.link, &vnet, sizeof(vnet));
    parts[0] = (struct iovec){out.link, sizeof(out.link)};
    parts[1] = (struct iovec){packet->header, plan->header_len};
    parts[2] = (struct iovec){(void *)(uintptr_t)packet->payload, plan->total_len - plan->header_len};
    if (transmit_parts(frontend, parts, parts[2].iov_len > 0 ? 3 : 2, packet->lane) == NIC_TX_BUSY)
        return TRANSMIT_BUSY;
    if (plan->gso_size != 0)
        counter_add(frontend->board.nic, NIC_tx_super_frames, 1);
    return TRANSMIT_DONE;
}

/* Next hop from the cache, or from the host stack. */
static enum host_hop transmit_hop(struct frontend *frontend, const struct offload_plan *plan, uint8_t mac[6])
{
    uint8_t family = plan->key.family;
    uint32_t size = family == 4 ? 4 : 16;
    const uint8_t *to = plan->key.remote;
    struct frontend_hop *hop =
        &frontend->hops[(to[size - 1] * 31u + to[size - 2] * 7u + to[size - 3]) % FRONTEND_HOPS];
    enum host_hop result;

    if (hop->family == family && hop->epoch == host_epoch(frontend->host) &&
        hop->until_ns > frontend->now_ns && memcmp(hop->destination, to, sizeof(hop->destination)) == 0) {
        memcpy(mac, hop->mac, 6);
        return HOST_HOP_FOUND;
    }
    result = host_next_hop(frontend->host, family, to, mac);
    if (result != HOST_HOP_FOUND)
        return result;
    *hop = (struct frontend_hop){.family = family,
                                 .epoch = host_epoch(frontend->host),
                                 .until_ns = frontend->now_ns + TRANSMIT_HOP_LIFE_NS};
    memcpy(hop->destination, to, size);
    memcpy(hop->mac, mac, 6);
    return result;
}

static void transmit_park(struct frontend *frontend, const struct transmit_packet *packet)
{
    struct park_entry *entry = park_add(&frontend->park, frontend->now_ns);

    if (entry == NULL) {
        counter_add(frontend->board.nic, NIC_tx_drop_park_full, 1);
        return;
    }
    entry->plan = *packet->plan;
    memcpy(entry->header, packet->header, packet->plan->header_len);
    memcpy(entry->payload, packet->payload, packet->plan->total_len - packet->plan->header_len);
    counter_add(frontend->board.nic, NIC_tx_parked, 1);
}

/* RFC 6864: a datagram that may be fragmented on its way needs an ID of its own; the worker left it zero. */
static void transmit_ip4_id(struct frontend *frontend, const struct transmit_packet *packet)
{
    uint8_t *ip = packet->header;
    uint32_t sum, id;

    if (packet->plan->key.family != 4 || (ip[6] & 0x40) != 0 || packet->plan->needs_fragments)
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

static enum transmit_result transmit_checked(struct frontend *frontend, const struct transmit_packet *packet)
{
    uint8_t mac[6];

    switch (transmit_hop(frontend, packet->plan, mac)) {
    case HOST_HOP_FOUND:
        transmit_ip4_id(frontend, packet);
        return transmit_packet(frontend, packet, mac);
    case HOST_HOP_PENDING:
        transmit_ip4_id(frontend, packet);
        transmit_park(frontend, packet);
        return TRANSMIT_DONE;
    case HOST_HOP_NONE:
        counter_add(frontend->board.nic, NIC_tx_drop_no_route, 1);
        return TRANSMIT_DONE;
    }
    return TRANSMIT_DONE;
}

/* One packet of a worker: copy, check, send. */
static enum transmit_result transmit_from_lane(struct frontend *frontend, struct lane *lane,
                                               enum lane_priority priority, const struct border_tx *tx)
{
    uint8_t header[OFFLOAD_MAX_COPY_BYTES];
    const uint8_t *arena = lane_arena(lane, priority);
    struct offload_request request = {
        .header = header,
        .header_len = tx->len_bytes < sizeof(header) ? tx->len_bytes : (uint32_t)sizeof(header),
        .total_len = tx->len_bytes,
        .gso_size = (tx->flags & LANE_FLAG_GSO) != 0 ? tx->gso_bytes : 0,
        .needs_csum = (tx->flags & LANE_FLAG_CSUM) != 0,
    };
    struct offload_plan plan;
    enum offload_outcome outcome;

    border_copy_arena(header, arena, tx->arena_off, request.header_len);
    outcome = offload_check_tx(&frontend->addresses, frontend->addresses.mtu_bytes, &request, &plan);
    if (outcome != OFFLOAD_OK) {
        lane_count(lane, outcome == OFFLOAD_BAD_SOURCE ? LANE_tx_drop_source : LANE_tx_drop_header, 1);
        return TRANSMIT_DONE;
    }
    const struct transmit_packet packet = {&plan, header, arena + tx->arena_off + plan.header_len,
                                           lane->slot};
    return transmit_checked(frontend, &packet);
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

/* Takes packets of one ring until `budget` bytes or `max` packets are used up, or the NIC is busy. Returns
 * the bytes taken, or -1 when the lane is gone. */
static int64_t transmit_ring(struct frontend *frontend, struct lane *lane, enum lane_priority priority,
                             uint64_t budget, uint32_t max)
{
    struct ring_consumer *ring = &lane->tx[priority];
    int64_t taken = 0;

    while (max-- > 0 && ring_consumer_ready(ring) > 0) {
        struct border_tx tx;

        if (border_peek_tx(ring, 0, lane->shape.arena_bytes[priority], &tx) != BORDER_OK) {
            stage_fault(frontend, lane, LANE_fault_slot);
            return -1;
        }
        if (tx.kind != LANE_SLOT_FRAME && !transmit_take_note(frontend, lane, priority, &tx))
            break;
        if (tx.kind == LANE_SLOT_FRAME && (uint64_t)taken + tx.len_bytes > budget)
            break;
        if (tx.kind == LANE_SLOT_FRAME && transmit_from_lane(frontend, lane, priority, &tx) == TRANSMIT_BUSY)
            break; /* is_nic_busy says so to the caller */
        ring_consumer_take(ring, 1);
        taken += tx.len_bytes;
        lane_count(lane, LANE_tx_frames, 1);
        lane_count(lane, LANE_tx_bytes, tx.len_bytes);
        if (priority == LANE_URGENT)
            lane_count(lane, LANE_tx_urgent_frames, 1);
    }
    return taken;
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
        if (transmit_ring(frontend, lane, order[i], UINT64_MAX, lane->shape.ring_slots[order[i]]) < 0)
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
    transmit_urgent(frontend);
    transmit_normal(frontend);
    if (frontend->nic.ops->flush != NULL)
        frontend->nic.ops->flush(&frontend->nic);
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
    if (frontend->nic.ops->flush != NULL)
        frontend->nic.ops->flush(&frontend->nic);
}

void frontend_transmit_parked(struct frontend *frontend)
{
    for (uint32_t i = 0; i < frontend->park.n_used;) {
        struct park_entry *entry = &frontend->park.entries[i];
        const struct transmit_packet packet = {&entry->plan, entry->header, entry->payload,
                                               BOARD_CAPTURE_ALL_LANES};
        uint8_t mac[6];
        enum host_hop hop = transmit_hop(frontend, &entry->plan, mac);

        if (hop == HOST_HOP_PENDING && entry->until_ns > frontend->now_ns) {
            i++;
            continue;
        }
        if (hop != HOST_HOP_FOUND)
            counter_add(frontend->board.nic, NIC_tx_drop_unresolved, 1);
        else if (transmit_packet(frontend, &packet, mac) == TRANSMIT_BUSY)
            return;
        park_remove(&frontend->park, i);
    }
}
