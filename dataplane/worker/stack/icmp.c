/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * icmp.c — ICMP errors about a connection, steered here by the quoted 5-tuple. Only "packet too big" changes
 * anything: the segment size goes down (RFC 1191, RFC 8201). Everything else is soft while a connection lives
 * (RFC 5461), and an error whose quoted sequence number is not in flight is forged (RFC 5927 4.1).
 */
#include <lwip/prot/icmp.h>
#include <lwip/prot/icmp6.h>
#include <lwip/tcp.h>
#include <string.h>

#include "worker/stack/stack_internal.h"

#define ICMP_HEADER_BYTES 8u
#define ICMP_IP4_MIN_MTU 576u /* smaller claims are ignored (RFC 5927 7.2) */
#define ICMP_IP6_MIN_MTU 1280u
#define ICMP_IP4_MIN_BYTES 20u
#define ICMP_IP6_BYTES 40u

/* What an error says: the MTU of the next link, and the quoted transport header. */
struct icmp_error {
    uint32_t mtu_bytes; /* 0: not about size */
    uint32_t seqno;
};

static uint32_t icmp_read32(const uint8_t *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof(value));
    return lwip_ntohl(value);
}

static bool icmp_parse(const struct rx_frame *frame, struct icmp_error *error)
{
    const uint8_t *icmp = frame->bytes + frame->note.transport_off;
    uint32_t room = POOL_HEAD_BYTES - RX_FRAME_OFF - frame->note.transport_off;
    uint32_t len = frame->slot.len_bytes - frame->note.transport_off;
    uint32_t quoted_off;
    bool is_too_big;

    if (len > room)
        len = room;
    if (len < ICMP_HEADER_BYTES + ICMP_IP4_MIN_BYTES + 8)
        return false;
    if (frame->key.family == 4) {
        is_too_big = icmp[0] == ICMP_DUR && icmp[1] == ICMP_DUR_FRAG;
        error->mtu_bytes = is_too_big ? icmp_read32(icmp + 4) & 0xffffu : 0;
        quoted_off = ICMP_HEADER_BYTES + (icmp[ICMP_HEADER_BYTES] & 0x0fu) * 4u;
    } else {
        is_too_big = icmp[0] == ICMP6_TYPE_PTB;
        error->mtu_bytes = is_too_big ? icmp_read32(icmp + 4) : 0;
        quoted_off = ICMP_HEADER_BYTES + ICMP_IP6_BYTES;
    }
    if (quoted_off + 8 > len)
        return false;
    error->seqno = icmp_read32(icmp + quoted_off + 4);
    return true;
}

static void icmp_lower_mss(struct stack *stack, struct conn *conn, uint32_t mtu_bytes)
{
    bool is_v4 = conn->key.family == 4;
    uint32_t floor = is_v4 ? ICMP_IP4_MIN_MTU : ICMP_IP6_MIN_MTU;
    uint32_t headers = (is_v4 ? ICMP_IP4_MIN_BYTES : ICMP_IP6_BYTES) + TCP_HLEN;
    uint32_t mss;

    if (mtu_bytes < floor)
        mtu_bytes = floor;
    mss = mtu_bytes - headers;
    if (mss >= conn->real_mss)
        return;
    conn->real_mss = (uint16_t)mss;
    conn->pcb->mss = (uint16_t)mss;
    counter_add(stack->config.counters, WORKER_rx_pmtu, 1);
    /* What is in flight was too long: cut it again and send it now. */
    conn->flags |= CONN_HAS_SUPER;
    stack_requeue(stack, conn);
    if (conn->pcb->unacked != NULL && tcp_rexmit_rto_prepare(conn->pcb) == ERR_OK)
        tcp_rexmit_rto_commit(conn->pcb);
    stack_mark_ready(stack, conn);
}

void stack_icmp_error(struct stack *stack, struct rx_frame *frame)
{
    struct icmp_error error = {0};
    struct conn *conn = NULL;
    bool is_parsed = icmp_parse(frame, &error);

    rx_frame_drop(stack->config.frames, frame);
    /* The frame is about the flow that it quotes; its hash names the connection, the sequence number is the
     * proof. */
    if (flow_table_guess(&stack->flows, frame->note.hash) != FLOW_TABLE_NONE)
        conn = &stack->conns[flow_table_guess(&stack->flows, frame->note.hash)];
    if (!is_parsed || conn == NULL || conn->pcb == NULL || conn->hash != frame->note.hash ||
        TCP_SEQ_LT(error.seqno, conn->pcb->lastack) || TCP_SEQ_GEQ(error.seqno, conn->pcb->snd_nxt)) {
        counter_add(stack->config.counters, WORKER_rx_drop_icmp, 1);
        return;
    }
    if (error.mtu_bytes != 0)
        icmp_lower_mss(stack, conn, error.mtu_bytes);
}
