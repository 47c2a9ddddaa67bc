/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shed.c — orders with a lease, and the reset that refuses a connection.
 *
 * The reset is what a closed port would say (RFC 9293 3.10.7.1): sequence number 0, ACK of everything the SYN
 * has. It goes back to the link address that the SYN came from, from memory of our own; it is shorter than
 * what it answers, so nobody can be hit harder through us than directly. To a connection that is established
 * it does no harm: a sequence number of 0 is not what its peer expects (RFC 5961 3.2).
 */
#include "frontend/shed.h"

#include <netinet/in.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "frontend/checksum.h"
#include "frontend/frontend.h"
#include "frontend/wire.h"
#include "shm/frontend_writes.h"

#define TCP_BYTES 20u
#define TCP_SEQUENCE_OFF 4u
#define TCP_ACKNOWLEDGE_OFF 8u
#define TCP_LENGTH_OFF 12u
#define TCP_FLAGS_OFF 13u
#define TCP_CHECKSUM_OFF 16u
#define TCP_FIN 0x01u
#define TCP_RST 0x04u
#define TCP_ACK 0x10u
#define HOP_LIMIT 64u
#define MAX_RESET_BYTES (WIRE_LINK_BYTES + WIRE_IP6_BYTES + TCP_BYTES)
#define NS_PER_RESET (CLOCK_NS_PER_S / SHED_RESETS_PER_S)

/* ---- orders ---- */

static void shed_tell(struct frontend *frontend)
{
    const struct board_shed *order = &frontend->shed.order;
    struct host_segment *host = frontend->host_segment.base;
    struct board *board = &frontend->board;

    atomic_store_explicit(&host->short_idle_s, order->idle_s, memory_order_relaxed);
    atomic_store_explicit(&board->degrade_step, order->step, memory_order_relaxed);
    atomic_store_explicit(&board->shed_lanes, (uint64_t)__builtin_popcount(order->lane_mask),
                          memory_order_relaxed);
    atomic_store_explicit(&board->shed_all, order->is_all, memory_order_relaxed);
    atomic_store_explicit(&board->short_idle_s, order->idle_s, memory_order_relaxed);
}

void shed_update(struct frontend *frontend)
{
    struct shed *shed = &frontend->shed;

    if (board_shed_take(&frontend->board, &shed->seen, &shed->order)) {
        shed->until_ns = frontend->now_ns + shed->order.lease_ms * CLOCK_NS_PER_MS;
        shed_tell(frontend);
        return;
    }
    if (shed->until_ns == 0 || frontend->now_ns < shed->until_ns)
        return;
    if (shed->order.step > 0)
        log_warn("shedding_ended reason=\"the order was not renewed: is mpa-controld running?\" step=%u",
                 shed->order.step);
    shed->order = (struct board_shed){0};
    shed->until_ns = 0;
    shed_tell(frontend);
}

/* ---- the reset ---- */

/* Bytes behind the link header, up to the end of the packet. */
static uint32_t packet_end(const struct shed_frame *frame)
{
    return frame->verdict->frame_len;
}

bool shed_is_reset(const struct shed_frame *frame)
{
    return (frame->bytes[frame->verdict->transport_off + TCP_FLAGS_OFF] & TCP_RST) != 0;
}

/* The sum over the pseudo-header (RFC 9293 3.1, RFC 8200 8.1) of `addresses`, both as they stand in an IP
 * header. */
static uint64_t pseudo_sum(uint8_t family, const uint8_t *addresses, uint32_t len_bytes)
{
    uint8_t tail[4] = {0, IPPROTO_TCP, (uint8_t)(len_bytes >> 8), (uint8_t)len_bytes};

    return checksum_add(checksum_add(0, addresses, family == 4 ? 8 : 32), tail, sizeof(tail));
}

static uint32_t addresses_off(uint8_t family)
{
    return family == 4 ? WIRE_IP4_SOURCE_OFF : WIRE_IP6_SOURCE_OFF;
}

/* What it says is answered only if it is what was sent. A SYN that does not end in its head is not worth it.
 */
static bool has_right_checksum(const struct shed_frame *frame)
{
    const struct classify_verdict *verdict = frame->verdict;
    uint32_t len_bytes = packet_end(frame) - verdict->transport_off;
    const uint8_t *addresses = frame->bytes + verdict->ip_off + addresses_off(verdict->key.family);

    if (frame->has_good_csum)
        return true;
    if (packet_end(frame) > frame->head_len)
        return false;
    return checksum_fold(checksum_add(pseudo_sum(verdict->key.family, addresses, len_bytes),
                                      frame->bytes + verdict->transport_off, len_bytes)) == 0xffff;
}

/* The network header; returns its length. */
static uint32_t write_ip(uint8_t *ip, const struct flow_key *key)
{
    if (key->family == 4) {
        ip[0] = 0x45;
        wire_put16(ip + WIRE_IP4_LENGTH_OFF, WIRE_IP4_BYTES + TCP_BYTES);
        wire_put16(ip + WIRE_IP4_FRAGMENT_OFF, WIRE_IP4_DF);
        ip[8] = HOP_LIMIT;
        ip[WIRE_IP4_PROTOCOL_OFF] = IPPROTO_TCP;
        memcpy(ip + WIRE_IP4_SOURCE_OFF, key->local, 4);
        memcpy(ip + WIRE_IP4_DESTINATION_OFF, key->remote, 4);
        wire_ip4_set_checksum(ip, WIRE_IP4_BYTES);
        return WIRE_IP4_BYTES;
    }
    ip[0] = 0x60;
    wire_put16(ip + WIRE_IP6_LENGTH_OFF, TCP_BYTES);
    ip[WIRE_IP6_NEXT_OFF] = IPPROTO_TCP;
    ip[WIRE_IP6_HOP_LIMIT_OFF] = HOP_LIMIT;
    memcpy(ip + WIRE_IP6_SOURCE_OFF, key->local, 16);
    memcpy(ip + WIRE_IP6_DESTINATION_OFF, key->remote, 16);
    return WIRE_IP6_BYTES;
}

static void write_tcp(uint8_t *tcp, const struct shed_frame *frame)
{
    const uint8_t *syn = frame->bytes + frame->verdict->transport_off;
    uint32_t header_bytes = (uint32_t)(syn[TCP_LENGTH_OFF] >> 4) * 4;
    uint32_t n_payload = packet_end(frame) - frame->verdict->transport_off - header_bytes;
    /* SEG.LEN: payload, the SYN itself, and a FIN. */
    uint32_t end = wire_get32(syn + TCP_SEQUENCE_OFF) + n_payload + 1 + ((syn[TCP_FLAGS_OFF] & TCP_FIN) != 0);

    memcpy(tcp, &frame->verdict->key.local_port_be, 2);
    memcpy(tcp + 2, &frame->verdict->key.remote_port_be, 2);
    wire_put32(tcp + TCP_ACKNOWLEDGE_OFF, end);
    tcp[TCP_LENGTH_OFF] = (TCP_BYTES / 4) << 4;
    tcp[TCP_FLAGS_OFF] = TCP_RST | TCP_ACK;
}

static void send_reset(struct frontend *frontend, const struct shed_frame *frame)
{
    const struct flow_key *key = &frame->verdict->key;
    uint8_t reset[MAX_RESET_BYTES] = {0};
    uint8_t *ip = reset + WIRE_LINK_BYTES, *tcp;
    uint16_t sum;

    memcpy(reset, frame->bytes + 6, 6);
    memcpy(reset + 6, frontend->nic.mac, 6);
    wire_put16(reset + WIRE_ETHERTYPE_OFF, key->family == 4 ? WIRE_ETHERTYPE_IP4 : WIRE_ETHERTYPE_IP6);
    tcp = ip + write_ip(ip, key);
    write_tcp(tcp, frame);
    sum = (uint16_t)~checksum_fold(
        checksum_add(pseudo_sum(key->family, ip + addresses_off(key->family), TCP_BYTES), tcp, TCP_BYTES));
    memcpy(tcp + TCP_CHECKSUM_OFF, &sum, sizeof(sum));
    stage_lock(frontend);
    frontend_transmit_host(frontend, reset, (uint32_t)(tcp + TCP_BYTES - reset));
    stage_unlock(frontend);
}

/* Each reset is worth some time, and at most a second ahead of the clock may be spent. */
static bool may_reset(struct shed *shed, uint64_t now_ns)
{
    if (shed->resets_ns < now_ns)
        shed->resets_ns = now_ns;
    if (shed->resets_ns - now_ns >= CLOCK_NS_PER_S)
        return false;
    shed->resets_ns += NS_PER_RESET;
    return true;
}

void shed_refuse(struct frontend *frontend, const struct shed_frame *frame)
{
    const struct board_shed *order = &frontend->shed.order;
    bool is_answered = !order->is_silent && has_right_checksum(frame);

    if (is_answered && !may_reset(&frontend->shed, frontend->now_ns)) {
        counter_add(frontend->board.nic, NIC_shed_reset_limited, 1);
        is_answered = false;
    }
    if (order->is_all)
        counter_add(frontend->board.nic, is_answered ? NIC_shed_all_reset : NIC_shed_all_silent, 1);
    else
        counter_add(frontend->board.nic, is_answered ? NIC_shed_worker_reset : NIC_shed_worker_silent, 1);
    if (is_answered)
        send_reset(frontend, frame);
}
