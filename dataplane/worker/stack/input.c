/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * input.c — a burst of frames into lwIP.
 *
 * lwIP looks for a PCB in its lists; they hold just the PCB that our flow table found for the segment, and
 * are emptied after each one ("swap"). On a miss they stay empty and lwIP goes on to its listening PCBs.
 * Three prefetch passes over the burst hide the cache misses of many connections.
 */
#include <lwip/ip.h>
#include <lwip/stats.h>
#include <lwip/tcp.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault_point.h"
#include "worker/stack/stack_internal.h"

#define INPUT_PCB_LINES 6u /* cache lines of struct tcp_pcb that a segment touches */
#define INPUT_TS_BYTES 10u
#define INPUT_ANSWER_SHARE 8u /* this part of the FIFO memory is for what is sent */

void stack_lists_put(struct conn *conn)
{
    struct tcp_pcb *pcb = conn->pcb;

    pcb->next = NULL;
    if (pcb->state == TIME_WAIT)
        tcp_tw_pcbs = pcb;
    else
        tcp_active_pcbs = pcb;
}

static void stack_list_harvest(struct stack *stack, struct tcp_pcb **list)
{
    struct tcp_pcb *pcb = *list;

    *list = NULL;
    while (pcb != NULL) {
        struct tcp_pcb *next = pcb->next;
        struct conn *conn = stack_conn_of(pcb);

        pcb->next = NULL;
        if (conn != NULL)
            stack_timer_update(stack, conn);
        pcb = next;
    }
}

void stack_lists_harvest(struct stack *stack)
{
    stack_list_harvest(stack, &tcp_active_pcbs);
    stack_list_harvest(stack, &tcp_tw_pcbs);
}

static struct conn *stack_find(struct stack *stack, const struct rx_frame *frame)
{
    uint32_t idx = frame->conn_idx;

    if (idx != CONN_NONE && stack->conns[idx].pcb != NULL &&
        flow_key_equal(&stack->conns[idx].key, &frame->key))
        return &stack->conns[idx];
    idx = flow_table_find(&stack->flows, frame->note.hash, &frame->key);
    return idx == FLOW_TABLE_NONE ? NULL : &stack->conns[idx];
}

/* The timestamp value of a SYN (RFC 7323), found among its options; false: none. */
static bool stack_syn_timestamp(const uint8_t *tcp, uint32_t header_len, uint32_t *value)
{
    for (uint32_t off = TCP_HLEN; off + 1 < header_len;) {
        if (tcp[off] == LWIP_TCP_OPT_EOL)
            return false;
        if (tcp[off] == LWIP_TCP_OPT_NOP) {
            off++;
            continue;
        }
        if (tcp[off + 1] < 2 || off + tcp[off + 1] > header_len)
            return false;
        if (tcp[off] == LWIP_TCP_OPT_TS && tcp[off + 1] == INPUT_TS_BYTES) {
            *value = (uint32_t)tcp[off + 2] << 24 | (uint32_t)tcp[off + 3] << 16 |
                     (uint32_t)tcp[off + 4] << 8 | tcp[off + 5];
            return true;
        }
        off += tcp[off + 1];
    }
    return false;
}

/*
 * A SYN for a connection in TIME_WAIT opens a new one at once when it is certainly newer: a higher sequence
 * number (RFC 9293 3.6.1) or a later timestamp (RFC 6191). lwIP itself would leave the peer waiting.
 */
static bool stack_syn_replaces(const struct conn *conn, const struct rx_frame *frame)
{
    const uint8_t *tcp = frame->bytes + frame->note.transport_off;
    uint32_t header_len, seqno, value;

    if (conn->pcb->state != TIME_WAIT || frame->key.protocol != IP_PROTO_TCP)
        return false;
    if ((uint32_t)frame->note.transport_off + TCP_HLEN > frame->slot.len_bytes)
        return false;
    if ((tcp[13] & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
        return false;
    memcpy(&seqno, tcp + 4, sizeof(seqno));
    if (TCP_SEQ_GT(lwip_ntohl(seqno), conn->pcb->rcv_nxt))
        return true;
    header_len = (uint32_t)(tcp[12] >> 4) * 4;
    if (frame->note.transport_off + header_len > frame->slot.len_bytes)
        return false;
    return stack_syn_timestamp(tcp, header_len, &value) && TCP_SEQ_GT(value, conn->pcb->ts_recent);
}

/* lwIP's packet over the frame's chunks, or apart from them when too many are held already. */
static struct pbuf *stack_packet_of(struct stack *stack, const struct rx_frame *frame)
{
    if (!rx_frames_are_scarce(stack->config.frames))
        return rx_frame_to_pbuf(stack->config.frames, frame);
    counter_add(stack->config.counters, WORKER_rx_unborrowed, 1);
    return rx_frame_copy(stack->config.frames, frame);
}

static void stack_input_packet(struct stack *stack, struct rx_frame *frame, struct conn *conn)
{
    bool is_checked = (frame->slot.flags & LANE_FLAG_CSUM) != 0;
    struct pbuf *packet = stack_packet_of(stack, frame);

    if (packet == NULL) {
        counter_add(stack->config.counters, WORKER_rx_drop_stack_memory, 1);
        return;
    }
    NETIF_SET_CHECKSUM_CTRL(&stack->netif,
                            STACK_CHECKSUMS |
                                (is_checked ? 0 : NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP));
    stack->in_hand = NULL;
    if (conn != NULL) {
        stack_lists_put(conn);
        stack->in_hand_lastack = conn->pcb->lastack;
    }
    if (ip_input(packet, &stack->netif) != ERR_OK)
        pbuf_free(packet);
    conn = stack->in_hand;
    stack->in_hand = NULL;
    if (conn != NULL && conn->pcb != NULL)
        recovery_after_input(stack, conn);
    stack_lists_harvest(stack);
}

/* A segment without a connection that lwIP would answer with a reset, while its 4-tuple was closed only now.
 */
static bool stack_is_late(const struct stack *stack, const struct rx_frame *frame)
{
    const uint8_t *tcp = frame->bytes + frame->note.transport_off;

    if ((uint32_t)frame->note.transport_off + TCP_HLEN > frame->slot.len_bytes ||
        (tcp[13] & (TCP_SYN | TCP_ACK)) == TCP_SYN)
        return false;
    return stack_tombstone_has(stack, &frame->key, frame->note.hash, 0);
}

/* Names the frame that is processed from here on, for whoever finds us dead of it; 0: none. */
static void stack_suspect(const struct stack *stack, uint64_t suspect)
{
    if (stack->config.suspect == NULL)
        return;
    atomic_store_explicit(stack->config.suspect, suspect, memory_order_relaxed);
    /* It is for a signal handler's sake: the compiler must not move it over what may fault. */
    atomic_signal_fence(memory_order_seq_cst);
}

static void stack_input_one(struct stack *stack, struct rx_frame *frame)
{
    struct conn *conn;

    if (frame->slot.kind == LANE_SLOT_ICMP_ERROR) {
        stack_icmp_error(stack, frame);
        return;
    }
    conn = frame->key.protocol == IP_PROTO_TCP ? stack_find(stack, frame) : NULL;
    if (conn != NULL && stack_syn_replaces(conn, frame)) {
        stack_conn_forget(stack, conn);
        conn = NULL;
    }
    if (conn == NULL && frame->key.protocol == IP_PROTO_TCP && stack_is_late(stack, frame)) {
        counter_add(stack->config.counters, WORKER_rx_drop_tombstone, 1);
        rx_frame_drop(stack->config.frames, frame);
        return;
    }
    stack_input_packet(stack, frame, conn);
}

/* Pass 1: the frames' headers and the places in the flow table; 2: the connection objects; 3: the PCBs and
 * records. */
static void stack_prefetch(struct stack *stack, struct rx_frame *frames, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        flow_table_prefetch(&stack->flows, frames[i].note.hash);
    for (unsigned i = 0; i < n; i++) {
        frames[i].conn_idx = flow_table_guess(&stack->flows, frames[i].note.hash);
        if (frames[i].conn_idx == CONN_NONE)
            continue;
        const char *conn = (const char *)&stack->conns[frames[i].conn_idx];
        stack_record_prefetch_turn(stack, frames[i].conn_idx);
        for (unsigned line = 0; line < sizeof(struct conn); line += SEGMENT_LINE_BYTES)
            __builtin_prefetch(conn + line, 1);
    }
    for (unsigned i = 0; i < n; i++) {
        const struct conn *conn;

        if (frames[i].conn_idx == CONN_NONE)
            continue;
        conn = &stack->conns[frames[i].conn_idx];
        stack_record_prefetch(stack, conn);
        for (unsigned line = 0; conn->pcb != NULL && line < INPUT_PCB_LINES; line++)
            __builtin_prefetch((const char *)conn->pcb + line * SEGMENT_LINE_BYTES, 1);
    }
}

void stack_input(struct stack *stack, struct rx_frame *frames, unsigned n)
{
    stack_prefetch(stack, frames, n);
    for (unsigned i = 0; i < n; i++) {
        stack_suspect(stack, 1 + (uint64_t)frames[i].slot.head_idx);
        fault_point_frame(frames[i].bytes,
                          LWIP_MIN(frames[i].slot.len_bytes, POOL_HEAD_BYTES - RX_FRAME_OFF));
        stack_input_one(stack, &frames[i]);
    }
    stack_suspect(stack, WORKER_NO_SUSPECT);
    counter_add(stack->config.counters, WORKER_rx_frames, n);
    counter_add(stack->config.counters, WORKER_rx_drop_tcp_checksum, lwip_stats.tcp.chkerr);
    lwip_stats.tcp.chkerr = 0;
    counter_add(stack->config.counters, WORKER_rx_drop_udp_checksum, lwip_stats.udp.chkerr);
    lwip_stats.udp.chkerr = 0;
}

/* What is received must not take the memory for the answers: nothing would move any more. */
static bool stack_may_grow(const struct stack *stack)
{
    uint64_t size_bytes = fifo_memory_size_bytes(stack->config.fifo_memory);

    return fifo_memory_used_bytes(stack->config.fifo_memory) < size_bytes - size_bytes / INPUT_ANSWER_SHARE;
}

/* Bytes that become readable with a segment that fills the hole: its own and what waits right behind it. */
static uint32_t stack_readable(const struct tcp_pcb *pcb, uint32_t seqno, uint32_t len)
{
    uint32_t end = seqno + len;

    for (const struct tcp_seg *waiting = pcb->ooseq; waiting != NULL; waiting = waiting->next) {
        if (TCP_SEQ_GT(waiting->tcphdr->seqno, end))
            break;
        if (TCP_SEQ_GT(waiting->tcphdr->seqno + waiting->len, end))
            end = waiting->tcphdr->seqno + waiting->len;
    }
    return TCP_SEQ_GT(end, pcb->rcv_nxt) ? end - pcb->rcv_nxt : 0;
}

/*
 * Room for the payload is made before lwIP takes the segment: what lwIP has accepted can then always be
 * stored, and what cannot be stored was, for the peer, lost on the way. A segment out of order stays in its
 * frame.
 */
static bool stack_make_room(struct stack *stack, struct conn *conn, const struct tcp_hdr *header,
                            uint16_t payload_len)
{
    uint32_t used = fifo_used(&conn->rx), want;

    if (payload_len == 0 || TCP_SEQ_GT(header->seqno, conn->pcb->rcv_nxt))
        return true;
    want = LWIP_MIN(stack_readable(conn->pcb, header->seqno, payload_len), STACK_FIFO_MAX_BYTES - used);
    if (want <= conn->rx.capacity - used)
        return true;
    if (stack_may_grow(stack) && fifo_make_room(&conn->rx, stack->config.fifo_memory, want) == 0)
        return true;
    counter_add(stack->config.counters, WORKER_rx_drop_fifo_memory, 1);
    return false;
}

/* LONG: lwIP gives the six parameters. */
err_t stack_hook_segment_in(struct tcp_pcb *pcb, struct tcp_hdr *header, u16_t options_len,
                            u16_t options1_len, u8_t *options2, struct pbuf *payload)
{
    struct stack *stack = stack_the();
    struct conn *conn;

    (void)options_len;
    (void)options1_len;
    (void)options2;
    if (pcb->state == LISTEN)
        return ERR_OK;
    conn = stack_conn_of(pcb);
    if (conn == NULL)
        return ERR_OK;
    stack_mark_dirty(stack, conn);
    stack_mark_ready(stack, conn);
    if (!stack_make_room(stack, conn, header, payload->tot_len))
        return ERR_MEM;
    if (pcb->state == TIME_WAIT)
        return ERR_OK;
    stack->in_hand = conn;
    if (payload->tot_len > 0 && header->seqno != pcb->rcv_nxt && TCP_SEQ_GT(header->seqno, pcb->rcv_nxt))
        counter_add(stack->config.counters, WORKER_rx_out_of_order, 1);
    return recovery_segment_in(stack, conn, header, payload->tot_len) ? ERR_OK : ERR_VAL;
}
