/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * output.c — from the tx FIFO through lwIP into the tx arena.
 *
 * Bytes stay in the FIFO until the windows allow them to leave ("just in time"), so lwIP's unsent queue is
 * empty in steady state. Where the NIC cuts segments, what is queued is a super-segment: pcb->mss is raised
 * only around tcp_write(), so that congestion window, window updates and Nagle go on counting in real
 * segments. On the first sign of loss both queues are cut again to real segments (stack_requeue).
 */
#include <errno.h>
#include <lwip/ip.h>
#include <lwip/netif.h>
#include <lwip/tcp.h>

#include "worker/stack/stack_internal.h"

#define OUTPUT_TIMESTAMP_BYTES 12u
#define OUTPUT_MAX_SUPER_BYTES 65160u /* payload of a super-segment; with headers below 65,535 */
#define OUTPUT_WINDOW_PARTS 4u /* a super-segment is at most this part of the window: ACKs keep coming */
#define OUTPUT_MAX_WRITE_BYTES 0xffffu
#define OUTPUT_UNBOUNDED 0x7fffffffu

uint32_t stack_segment_payload(const struct conn *conn)
{
    return (uint32_t)conn->real_mss - ((conn->pcb->flags & TF_TIMESTAMP) ? OUTPUT_TIMESTAMP_BYTES : 0);
}

/* Called by lwIP just before a segment goes to the netif: notes whose it is, for the staging hint. */
static const struct tcp_pcb *output_pcb;

u32_t *stack_hook_segment_out(struct pbuf *packet, struct tcp_hdr *header, const struct tcp_pcb *pcb,
                              u32_t *options)
{
    struct conn *conn = pcb == NULL || pcb->state == LISTEN ? NULL : stack_conn_of(pcb);

    (void)packet;
    (void)header;
    output_pcb = pcb;
    if (conn != NULL)
        stack_mark_dirty(stack_the(), conn);
    return options;
}

static struct staging_hint stack_hint(const struct pbuf *packet, uint32_t ip_header_len)
{
    struct staging_hint hint = {0};
    const struct tcp_pcb *pcb = output_pcb;
    struct conn *conn = pcb == NULL || pcb->state == LISTEN ? NULL : stack_conn_of(pcb);

    output_pcb = NULL;
    if (conn != NULL && conn->pcb != NULL && (conn->flags & CONN_HAS_SUPER)) {
        const uint8_t *tcp = (const uint8_t *)packet->payload + ip_header_len;
        uint32_t payload = packet->tot_len - ip_header_len - (uint32_t)(tcp[12] >> 4) * 4;

        if (payload > stack_segment_payload(conn))
            hint.gso_bytes = (uint16_t)stack_segment_payload(conn);
    }
    return hint;
}

/*
 * lwIP answers each segment out of order at once. With SACK one answer at the end of the turn tells the same
 * and more, as Linux compresses its SACKs too: refused here, the ACK stays due and stack_acknowledge() sends
 * it.
 */
static bool stack_is_early_ack(const struct stack *stack, const struct pbuf *packet, uint32_t ip_header_len)
{
    const uint8_t *tcp = (const uint8_t *)packet->payload + ip_header_len;
    const struct tcp_pcb *pcb = output_pcb;

    return pcb != NULL && stack->in_hand != NULL && stack->in_hand->pcb == pcb && pcb->state == ESTABLISHED &&
           (pcb->flags & TF_SACK) && tcp[13] == TCP_ACK &&
           packet->tot_len == ip_header_len + (uint32_t)(tcp[12] >> 4) * 4;
}

static err_t stack_stage(struct netif *netif, struct pbuf *packet, uint32_t ip_header_len)
{
    struct stack *stack = netif->state;
    int failed;

    if (stack_is_early_ack(stack, packet, ip_header_len)) {
        output_pcb = NULL;
        return ERR_MEM;
    }
    failed = staging_put(stack->config.staging, packet, stack_hint(packet, ip_header_len));

    if (failed == 0)
        return ERR_OK;
    return failed == -ENOBUFS ? ERR_MEM : ERR_IF;
}

static err_t stack_netif_output4(struct netif *netif, struct pbuf *packet, const ip4_addr_t *next_hop)
{
    (void)next_hop; /* the frontend knows the way */
    return stack_stage(netif, packet, IP_HLEN);
}

static err_t stack_netif_output6(struct netif *netif, struct pbuf *packet, const ip6_addr_t *next_hop)
{
    (void)next_hop;
    return stack_stage(netif, packet, IP6_HLEN);
}

static err_t stack_netif_start(struct netif *netif)
{
    netif->output = stack_netif_output4;
    netif->output_ip6 = stack_netif_output6;
    netif->name[0] = 'm';
    netif->name[1] = 'p';
    netif->flags |= NETIF_FLAG_LINK_UP;
    /* An adopted connection may speak before anything is received. */
    NETIF_SET_CHECKSUM_CTRL(netif, STACK_CHECKSUMS);
    return ERR_OK;
}

void stack_netif_init(struct stack *stack)
{
    netif_add_noaddr(&stack->netif, stack, stack_netif_start, ip_input);
    netif_set_default(&stack->netif);
    netif_set_up(&stack->netif);
}

/* Queues FIFO bytes [position, position + n) without copying; the FIFO's end makes it two writes. */
static err_t stack_enqueue(struct stack *stack, struct conn *conn, uint64_t position, uint32_t n)
{
    while (n > 0) {
        struct fifo_span span =
            fifo_span_at(&conn->tx, stack->config.fifo_memory, position, LWIP_MIN(n, OUTPUT_MAX_WRITE_BYTES));
        err_t error =
            tcp_write(conn->pcb, span.bytes, (u16_t)span.len, n > span.len ? TCP_WRITE_FLAG_MORE : 0);

        if (error != ERR_OK)
            return error;
        position += span.len;
        n -= span.len;
    }
    return ERR_OK;
}

void stack_output_unbounded(struct conn *conn)
{
    tcpwnd_size_t cwnd = conn->pcb->cwnd;

    conn->pcb->cwnd = OUTPUT_UNBOUNDED;
    tcp_output(conn->pcb);
    conn->pcb->cwnd = cwnd;
}

/* Bytes that the windows still allow; those reported by SACK are no longer in the pipe (RFC 6675). */
static uint32_t stack_room(const struct conn *conn)
{
    const struct tcp_pcb *pcb = conn->pcb;
    uint32_t in_flight = pcb->snd_lbb - pcb->lastack;
    uint32_t pipe = in_flight - LWIP_MIN(in_flight, recovery_sacked(conn));
    uint32_t window = LWIP_MIN(pcb->cwnd, pcb->snd_wnd);
    uint32_t room = window > pipe ? window - pipe : 0;
    uint32_t peer_room = pcb->snd_wnd > in_flight ? pcb->snd_wnd - in_flight : 0;

    return LWIP_MIN(LWIP_MIN(room, peer_room), tcp_sndbuf(pcb));
}

/* What to queue next: whole real segments, or the rest of the FIFO; 0: wait. */
static uint32_t stack_next_bytes(const struct stack *stack, const struct conn *conn, uint32_t left)
{
    const struct tcp_pcb *pcb = conn->pcb;
    uint32_t payload = stack_segment_payload(conn);
    uint32_t super = stack->config.has_gso ? OUTPUT_MAX_SUPER_BYTES / payload * payload : payload;
    uint32_t window = LWIP_MIN(pcb->cwnd, pcb->snd_wnd);
    uint32_t want = LWIP_MIN(window / OUTPUT_WINDOW_PARTS, LWIP_MIN(super, (uint32_t)pcb->snd_wnd_max / 2));
    uint32_t room = stack_room(conn);
    uint32_t n;

    want -= want % payload;
    if (want < payload)
        want = payload;
    n = LWIP_MIN(left, want);
    if (room < n) {
        if (pcb->snd_lbb != pcb->lastack)
            return 0; /* no small segments while data is in flight (RFC 9293 3.8.6.2.1) */
        n = LWIP_MIN(left, LWIP_MAX(room - room % payload, payload));
    }
    return n > payload ? n - n % payload : n;
}

void stack_block(struct stack *stack, struct conn *conn)
{
    if (conn->flags & (CONN_BLOCKED | CONN_READY))
        return;
    conn->flags |= CONN_BLOCKED;
    conn->ready_next = stack->blocked_head;
    stack->blocked_head = conn->idx;
}

/* Queues and sends one (super-)segment; false when nothing more can leave now. */
static bool stack_pump_one(struct stack *stack, struct conn *conn)
{
    struct tcp_pcb *pcb = conn->pcb;
    uint32_t left = (uint32_t)(conn->tx.written - conn->tx_enqueued);
    uint32_t payload = stack_segment_payload(conn);
    uint32_t n = left == 0 ? 0 : stack_next_bytes(stack, conn, left);
    err_t error;

    if (n == 0)
        return false;
    if (n > payload) {
        pcb->mss = (u16_t)(n + (conn->real_mss - payload));
        conn->flags |= CONN_HAS_SUPER;
    }
    error = stack_enqueue(stack, conn, conn->tx_enqueued, n);
    pcb->mss = conn->real_mss;
    if (error != ERR_OK) {
        stack_block(stack, conn); /* out of segments for now */
        return false;
    }
    conn->tx_enqueued += n;
    if (pcb->unacked == NULL)
        conn->progress_ms = sys_now();
    stack_output_unbounded(conn);
    return pcb->unsent == NULL;
}

/* The FIN, once everything before it is queued. */
static void stack_pump_close(struct conn *conn)
{
    if (!(conn->flags & CONN_CLOSING) || (conn->flags & CONN_FIN_QUEUED) ||
        conn->tx_enqueued != conn->tx.written)
        return;
    conn->flags |= CONN_FIN_QUEUED;
    /* Only our half: data of the peer that is still on its way must not be answered with a reset. */
    tcp_shutdown(conn->pcb, 0, 1);
}

void stack_pump(struct stack *stack, struct conn *conn)
{
    struct tcp_pcb *pcb = conn->pcb;

    if (!(conn->flags & CONN_OPEN) || pcb->state == TIME_WAIT)
        return;
    if (staging_is_congested(stack->config.staging)) {
        staging_refresh(stack->config.staging);
        if (staging_is_congested(stack->config.staging)) {
            stack_block(stack, conn);
            return;
        }
    }
    if (pcb->unsent != NULL)
        tcp_output(pcb);
    if (pcb->unsent == NULL) {
        while (stack_pump_one(stack, conn) && !staging_is_congested(stack->config.staging))
            ;
    }
    stack_pump_close(conn);
    if (pcb->flags & TF_NAGLEMEMERR || staging_is_congested(stack->config.staging))
        stack_block(stack, conn);
}

bool stack_fill_queues(struct stack *stack, struct conn *conn, const struct send_queues *queues)
{
    struct tcp_pcb *pcb = conn->pcb;
    enum tcp_state state = pcb->state;
    bool is_filled;

    pcb->snd_queuelen = 0;
    pcb->snd_buf = TCP_SND_BUF;
    pcb->snd_lbb = pcb->lastack;
    pcb->state = ESTABLISHED; /* tcp_write() wants a state that may send */
    tcp_clear_flags(pcb, TF_FIN);
    is_filled = stack_enqueue(stack, conn, queues->position, queues->n_sent) == ERR_OK &&
                (!queues->is_fin_sent || tcp_enqueue_flags(pcb, TCP_FIN) == ERR_OK);
    /* Both phases begin with an empty queue, so the border between them falls exactly where it was. */
    pcb->unacked = pcb->unsent;
    pcb->unsent = NULL;
    is_filled = is_filled &&
                stack_enqueue(stack, conn, queues->position + queues->n_sent, queues->n_unsent) == ERR_OK &&
                (!queues->has_fin || queues->is_fin_sent || tcp_send_fin(pcb) == ERR_OK);
    if (queues->has_fin)
        tcp_set_flags(pcb, TF_FIN);
    pcb->state = state;
    conn->flags &= ~(uint32_t)CONN_HAS_SUPER;
    return is_filled;
}

void stack_requeue(struct stack *stack, struct conn *conn)
{
    struct tcp_pcb *pcb = conn->pcb;
    struct send_queues queues = {.has_fin = (pcb->flags & TF_FIN) != 0};
    uint32_t data_end = conn->iss + 1 + (uint32_t)conn->tx_enqueued;
    uint32_t edge = pcb->unsent != NULL ? lwip_ntohl(pcb->unsent->tcphdr->seqno) : pcb->snd_nxt;
    uint32_t n_all;

    if (pcb->unacked == NULL && pcb->unsent == NULL)
        return;
    if (TCP_SEQ_LT(edge, pcb->lastack))
        edge = pcb->lastack;
    if (TCP_SEQ_GT(pcb->lastack, data_end))
        return; /* only our FIN is left, and it is acknowledged */
    n_all = data_end - pcb->lastack;
    queues.n_sent = LWIP_MIN(edge - pcb->lastack, n_all);
    queues.n_unsent = n_all - queues.n_sent;
    queues.is_fin_sent = queues.has_fin && TCP_SEQ_GT(edge, data_end);
    queues.position = conn->tx_enqueued - n_all;
    tcp_segs_free(pcb->unacked);
    tcp_segs_free(pcb->unsent);
    pcb->unacked = pcb->unsent = NULL;
    /* Bytes before lastack are acknowledged although their super-segment was not freed yet. */
    fifo_consume(&conn->tx, stack->config.fifo_memory, (uint32_t)(queues.position - conn->tx.read));
    if (!stack_fill_queues(stack, conn, &queues)) {
        conn->flags |= CONN_ABORT;
        stack_mark_ready(stack, conn);
    }
    counter_add(stack->config.counters, WORKER_tx_recuts, 1);
}
