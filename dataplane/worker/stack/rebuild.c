/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rebuild.c — one connection from a flow record: FIFO bytes are copied to the same stream positions, the PCB
 * is made anew and its queues are filled from the FIFO, without a segment made by hand.
 *
 * Two ways. Exact, when its worker has exported it: everything goes on as it was. Not exact, when its worker
 * died: sequence numbers follow from the cursors, windows are computed anew, everything that may have left is
 * sent again from the oldest unacknowledged byte, and snd_nxt is set as high as it can have been; set lower,
 * an ACK beyond it would be refused for ever.
 *
 *     rcv_nxt = irs + 1 + rx.written (+ 1)     lastack = iss + 1 + tx.read (+ 1)     the FINs count as one
 *
 * A record can lie. border/records.h has seen to the arithmetic; each value that lwIP would assert, loop or
 * shift by is clamped here to what a sane connection could have. Flags are derived from the state alone.
 */
#include <lwip/tcp.h>
#include <string.h>

#include "base/clock.h"
#include "worker/stack/stack_internal.h"

#define REBUILD_MIN_WINDOW 64u /* that segments are cut to half of */
#define REBUILD_MAX_WINDOW 0x3fffffffu
#define REBUILD_CRASH_SEGMENTS 10u /* congestion window of an adopted connection (RFC 6928) */
#define REBUILD_OPEN_SEGMENTS 2u   /* of the peer's window, when nobody knows it */
#define REBUILD_MAX_RTT_TICKS 0x1fff
#define REBUILD_MAX_RTTEST_TICKS 3000u /* a minute: no round trip is longer */
#define REBUILD_MAX_SRTT_US 60000000u
#define REBUILD_MAX_BACKOFF 7u /* entries of lwIP's persist table */
#define REBUILD_RECENT_MS 1000u
#define REBUILD_HELD_SEGMENT_BYTES 16384u

_Static_assert(BORDER_MAX_FIFO_BYTES == FIFO_MAX_BYTES, "what the border lets through fits a FIFO");

/* One connection while it is made. */
struct rebuild {
    struct stack *stack;
    struct conn *conn;
    const struct border_records *source;
    const struct border_flow *flow;
    bool is_exact;
    bool has_fin, is_fin_acked;
    uint32_t snd_end;       /* behind everything enqueued, the FIN included */
    uint32_t snd_nxt, edge; /* edge: first sequence number that is not on `unacked` */
};

static uint32_t clamp(uint32_t value, uint32_t low, uint32_t high)
{
    if (value < low)
        return low;
    return value > high ? high : value;
}

/* The same in sequence space, where low is before high. */
static uint32_t clamp_seq(uint32_t value, uint32_t low, uint32_t high)
{
    if (TCP_SEQ_LT(value, low))
        return low;
    return TCP_SEQ_GT(value, high) ? high : value;
}

static bool state_has(enum tcp_state state, uint32_t states)
{
    return ((1u << state) & states) != 0;
}

static struct tcp_pcb_listen *rebuild_listener(uint16_t port)
{
    struct tcp_pcb_listen *listener = tcp_listen_pcbs.listen_pcbs;

    while (listener != NULL && listener->local_port != port)
        listener = listener->next;
    return listener;
}

static void rebuild_address(ip_addr_t *address, uint8_t family, const uint8_t *bytes)
{
    if (family == 4) {
        IP_SET_TYPE(address, IPADDR_TYPE_V4);
        memcpy(&ip_2_ip4(address)->addr, bytes, 4);
        return;
    }
    IP_SET_TYPE(address, IPADDR_TYPE_V6);
    memcpy(ip_2_ip6(address)->addr, bytes, 16);
}

/* What does not change after the handshake, and the state. */
static void rebuild_constants(const struct rebuild *rebuild)
{
    const struct flow_facts *facts = &rebuild->flow->facts;
    const struct conn *conn = rebuild->conn;
    struct tcp_pcb *pcb = conn->pcb;

    rebuild_address(&pcb->local_ip, conn->key.family, conn->key.local);
    rebuild_address(&pcb->remote_ip, conn->key.family, conn->key.remote);
    pcb->local_port = lwip_ntohs(conn->key.local_port_be);
    pcb->remote_port = lwip_ntohs(conn->key.remote_port_be);
    pcb->state = (enum tcp_state)facts->tcp_state;
    pcb->flags = facts->tcp_flags & (TF_TIMESTAMP | TF_WND_SCALE | TF_SACK);
    pcb->flags |= TF_NODELAY | (pcb->state == FIN_WAIT_2 ? facts->tcp_flags & TF_RXCLOSED : 0);
    pcb->mss = conn->real_mss;
    pcb->snd_scale = facts->snd_scale;
    pcb->rcv_scale = facts->rcv_scale;
    pcb->so_options = facts->so_options & SOF_INHERITED;
    pcb->ttl = facts->ttl != 0 ? facts->ttl : TCP_TTL;
    pcb->tos = facts->tos;
}

/* The stream's bytes [from, to) into an empty FIFO; false: no memory. */
static bool rebuild_fifo(const struct rebuild *rebuild, struct fifo *fifo, const struct border_fifo *source,
                         uint64_t from, uint64_t to)
{
    struct fifo_memory *memory = rebuild->stack->config.fifo_memory;

    fifo_init(fifo, from);
    if (from == to)
        return true;
    if (fifo_make_room(fifo, memory, (uint32_t)(to - from)) < 0)
        return false;
    while (from < to) {
        struct fifo_span span = fifo_reserve(fifo, memory, (uint32_t)(to - from), NULL);

        border_copy_fifo(span.bytes, rebuild->source, source, from, span.len);
        fifo_produce(fifo, span.len);
        from += span.len;
    }
    return true;
}

static void rebuild_receive(const struct rebuild *rebuild)
{
    const struct flow_facts *facts = &rebuild->flow->facts;
    struct conn *conn = rebuild->conn;
    struct tcp_pcb *pcb = conn->pcb;
    uint32_t used = fifo_used(&conn->rx);
    uint32_t right_edge;

    pcb->rcv_nxt =
        conn->irs + 1 + (uint32_t)conn->rx.written + ((conn->flags & CONN_PEER_CLOSED) != 0 ? 1 : 0);
    /* The FIFO is as large as the window, so the right edge moves with what was read, and never back. */
    pcb->rcv_wnd = used < TCP_WND_MAX(pcb) ? TCP_WND_MAX(pcb) - used : 0;
    pcb->rcv_ann_wnd = pcb->rcv_wnd;
    pcb->rcv_ann_right_edge = pcb->rcv_nxt + pcb->rcv_wnd;
    pcb->ts_recent = facts->ts_recent;
    pcb->ts_lastacksent = pcb->rcv_nxt;
    if (!rebuild->is_exact)
        return;
    right_edge = facts->rcv_ann_right_edge;
    pcb->ts_lastacksent = clamp_seq(facts->ts_lastacksent, conn->irs + 1, pcb->rcv_nxt);
    if (TCP_SEQ_LT(right_edge, pcb->rcv_nxt) || TCP_SEQ_GT(right_edge, pcb->rcv_nxt + pcb->rcv_wnd))
        return;
    pcb->rcv_ann_right_edge = right_edge;
    if (tcp_update_rcv_ann_wnd(pcb) >= TCP_WND_UPDATE_THRESHOLD)
        pcb->flags |= TF_ACK_NOW;
}

/* The peer's window as it is known, and what we allow ourselves. */
static void rebuild_windows(const struct rebuild *rebuild)
{
    const struct flow_facts *facts = &rebuild->flow->facts;
    struct tcp_pcb *pcb = rebuild->conn->pcb;
    uint32_t mss = rebuild->conn->real_mss;

    pcb->snd_wnd = LWIP_MIN(facts->snd_wnd, REBUILD_MAX_WINDOW);
    pcb->snd_wnd_max = clamp(facts->snd_wnd_max, REBUILD_MIN_WINDOW, REBUILD_MAX_WINDOW);
    pcb->ssthresh = clamp(facts->ssthresh, 2 * mss, REBUILD_MAX_WINDOW);
    if (rebuild->is_exact) {
        pcb->snd_wl1 = facts->snd_wl1;
        pcb->snd_wl2 = facts->snd_wl2;
        pcb->cwnd = clamp(facts->cwnd, mss, REBUILD_MAX_WINDOW);
        pcb->bytes_acked = LWIP_MIN(facts->bytes_acked, pcb->cwnd);
        return;
    }
    /* The next segment's window is taken in any case. A window that was shut when last heard of is probed. */
    pcb->snd_wl1 = pcb->rcv_nxt - 1;
    pcb->snd_wl2 = pcb->lastack;
    if (pcb->snd_wnd >= mss)
        pcb->snd_wnd = LWIP_MAX(pcb->snd_wnd, REBUILD_OPEN_SEGMENTS * mss);
    pcb->cwnd = REBUILD_CRASH_SEGMENTS * mss;
}

static int16_t clamp_ticks(int16_t ticks)
{
    return (int16_t)clamp((uint32_t)LWIP_MAX(ticks, 0), 0, REBUILD_MAX_RTT_TICKS);
}

static void rebuild_round_trip(const struct rebuild *rebuild)
{
    const struct flow_facts *facts = &rebuild->flow->facts;
    struct tcp_pcb *pcb = rebuild->conn->pcb;
    uint32_t rttest = facts->rttest + (tcp_ticks - facts->tick);

    pcb->sa = clamp_ticks(facts->sa);
    pcb->sv = clamp_ticks(facts->sv);
    pcb->rto = (int16_t)((pcb->sa >> 3) + pcb->sv);
    rebuild->conn->srtt_us = LWIP_MIN(facts->srtt_us, REBUILD_MAX_SRTT_US);
    if (!rebuild->is_exact)
        return;
    pcb->rto = facts->rto > 0 ? facts->rto : pcb->rto;
    pcb->nrtx = LWIP_MIN(facts->nrtx, TCP_MAXRTX);
    pcb->dupacks = facts->dupacks;
    if (facts->rttest != 0 && tcp_ticks - rttest < REBUILD_MAX_RTTEST_TICKS) {
        pcb->rttest = rttest;
        pcb->rtseq = facts->rtseq;
    }
}

/* Absolute times, in ticks that all workers count alike. */
static void rebuild_timers(const struct rebuild *rebuild)
{
    const struct flow_facts *facts = &rebuild->flow->facts;
    struct tcp_pcb *pcb = rebuild->conn->pcb;

    /* In these states the time-out runs from the change of state, which was committed. */
    if ((rebuild->is_exact || pcb->state == SYN_RCVD || pcb->state == TIME_WAIT) &&
        (int32_t)(tcp_ticks - facts->timer_tick) >= 0)
        pcb->tmr = facts->timer_tick;
    pcb->keep_idle = facts->keep_idle_ms;
    pcb->keep_intvl = facts->keep_intvl_ms;
    pcb->keep_cnt = facts->keep_cnt;
    pcb->rtime = pcb->unacked != NULL ? 0 : -1;
    if (!rebuild->is_exact)
        return;
    pcb->keep_cnt_sent = facts->keep_cnt_sent;
    if (pcb->unacked != NULL && facts->rtime > 0)
        pcb->rtime = facts->rtime;
    /* Persist counts only while nothing is in flight and the window is too small. */
    if (pcb->unacked == NULL && pcb->unsent != NULL && pcb->snd_wnd < pcb->mss &&
        facts->persist_backoff <= REBUILD_MAX_BACKOFF) {
        pcb->persist_backoff = facts->persist_backoff;
        pcb->persist_cnt = facts->persist_cnt;
        pcb->persist_probe = facts->persist_probe;
    }
}

/* Sequence numbers of the sending side, and where the FIFO begins: at the oldest byte not acknowledged. */
static uint64_t rebuild_send_numbers(struct rebuild *rebuild)
{
    const struct flow_cursors *cursors = &rebuild->flow->cursors;
    const struct flow_facts *facts = &rebuild->flow->facts;
    struct conn *conn = rebuild->conn;
    uint32_t data_end = conn->iss + 1 + (uint32_t)cursors->tx_enqueued;
    uint32_t base = conn->iss + 1 + (uint32_t)cursors->tx_read;
    uint32_t una = base;

    rebuild->snd_end = data_end + (rebuild->has_fin ? 1 : 0);
    if (rebuild->is_exact)
        una = clamp_seq(facts->lastack, base, data_end);
    conn->pcb->lastack = rebuild->is_fin_acked ? rebuild->snd_end : una;
    rebuild->snd_nxt = rebuild->edge = rebuild->snd_end;
    if (rebuild->is_exact) {
        rebuild->snd_nxt = clamp_seq(facts->snd_nxt, conn->pcb->lastack, rebuild->snd_end);
        rebuild->edge = clamp_seq(facts->sent_edge, conn->pcb->lastack, rebuild->snd_nxt);
    }
    return cursors->tx_read + (una - base);
}

static bool rebuild_send(const struct rebuild *rebuild)
{
    struct conn *conn = rebuild->conn;
    struct tcp_pcb *pcb = conn->pcb;
    struct send_queues queues = {.position = conn->tx.read};
    uint32_t n_all = (uint32_t)(conn->tx_enqueued - conn->tx.read);
    uint32_t data_end = pcb->lastack + n_all;

    pcb->snd_lbb = pcb->lastack;
    if (!rebuild->is_fin_acked) {
        queues.has_fin = rebuild->has_fin;
        queues.n_sent = LWIP_MIN(rebuild->edge - pcb->lastack, n_all);
        queues.n_unsent = n_all - queues.n_sent;
        queues.is_fin_sent = queues.has_fin && TCP_SEQ_GT(rebuild->edge, data_end);
        if (!stack_fill_queues(rebuild->stack, conn, &queues))
            return false;
    }
    if (rebuild->has_fin)
        tcp_set_flags(pcb, TF_FIN);
    pcb->snd_nxt = rebuild->snd_nxt;
    return true;
}

/* The SYN|ACK, as if it had just been sent. */
static bool rebuild_syn_ack(struct rebuild *rebuild)
{
    struct conn *conn = rebuild->conn;
    struct tcp_pcb *pcb = conn->pcb;

    pcb->listener = rebuild_listener(pcb->local_port);
    if (pcb->listener == NULL)
        return false;
    pcb->lastack = pcb->snd_lbb = conn->iss;
    if (tcp_enqueue_flags(pcb, TCP_SYN | TCP_ACK) != ERR_OK)
        return false;
    pcb->snd_nxt = conn->iss + 1;
    pcb->unacked = pcb->unsent;
    pcb->unsent = NULL;
    return true;
}

/* A part of a held range as lwIP's segment, appended to *link; false: no memory. */
static bool rebuild_held_segment(const struct rebuild *rebuild, struct tcp_seg **link, uint32_t off,
                                 uint16_t n)
{
    const struct flow_cursors *cursors = &rebuild->flow->cursors;
    struct border_fifo source = {cursors->rx_page_idx, cursors->rx_capacity_bytes};
    struct pbuf *packet = pbuf_alloc(PBUF_RAW, (u16_t)(TCP_HLEN + n), PBUF_RAM);
    struct tcp_seg *segment = packet == NULL ? NULL : memp_malloc(MEMP_TCP_SEG);
    struct tcp_hdr *header;

    if (segment == NULL) {
        if (packet != NULL)
            pbuf_free(packet);
        return false;
    }
    header = packet->payload;
    memset(header, 0, TCP_HLEN);
    header->seqno = rebuild->conn->pcb->rcv_nxt + off; /* host order, as lwIP keeps received ones */
    TCPH_HDRLEN_FLAGS_SET(header, TCP_HLEN / 4, TCP_ACK);
    pbuf_remove_header(packet, TCP_HLEN);
    border_copy_fifo(packet->payload, rebuild->source, &source, cursors->rx_written + off, n);
    *segment = (struct tcp_seg){.p = packet, .len = n, .tcphdr = header};
    *link = segment;
    return true;
}

/* Ranges received out of order. What finds no memory is given up: the peer sends it again. */
static void rebuild_held(const struct rebuild *rebuild)
{
    const struct flow_facts *facts = &rebuild->flow->facts;
    struct tcp_pcb *pcb = rebuild->conn->pcb;
    struct tcp_seg **link = &pcb->ooseq;

    if (!rebuild->is_exact ||
        (pcb->state != ESTABLISHED && pcb->state != FIN_WAIT_1 && pcb->state != FIN_WAIT_2))
        return;
    for (uint32_t i = 0; i < facts->n_held; i++) {
        uint32_t off = facts->held[i].off_bytes, end = off + facts->held[i].len_bytes;

        if (end + 1 > pcb->rcv_wnd)
            return;
        while (off < end) {
            uint16_t n = (uint16_t)LWIP_MIN(end - off, REBUILD_HELD_SEGMENT_BYTES);

            if (!rebuild_held_segment(rebuild, link, off, n))
                return;
            off += n;
            if (off == end && i + 1 == facts->n_held && facts->held_has_fin)
                TCPH_SET_FLAG((*link)->tcphdr, TCP_FIN);
            link = &(*link)->next;
        }
        if ((pcb->flags & TF_SACK) && i < LWIP_TCP_MAX_SACK_NUM)
            pcb->rcv_sacks[i] =
                (struct tcp_sack_range){pcb->rcv_nxt + facts->held[i].off_bytes, pcb->rcv_nxt + end};
    }
}

/* What it says first. Live: what it owed. After a crash: all again, and an ACK in case the last one was lost
 * with its worker; but not of connections that had long been silent, which may be ten thousand. */
static void rebuild_speech(const struct rebuild *rebuild)
{
    struct tcp_pcb *pcb = rebuild->conn->pcb;
    uint32_t age_ms = sys_now() - rebuild->flow->cursors.committed_ms;

    if (rebuild->is_exact) {
        pcb->flags |= rebuild->flow->facts.tcp_flags & (TF_ACK_DELAY | TF_ACK_NOW);
        return;
    }
    if (pcb->unacked != NULL && (pcb->state != SYN_RCVD || age_ms < REBUILD_RECENT_MS))
        tcp_rexmit_rto_prepare(pcb);
    if (age_ms < REBUILD_RECENT_MS && pcb->state != TIME_WAIT)
        pcb->flags |= TF_ACK_NOW;
}

static bool rebuild_streams(struct rebuild *rebuild)
{
    const struct flow_cursors *cursors = &rebuild->flow->cursors;
    struct border_fifo rx = {cursors->rx_page_idx, cursors->rx_capacity_bytes};
    struct border_fifo tx = {cursors->tx_page_idx, cursors->tx_capacity_bytes};
    struct conn *conn = rebuild->conn;
    uint64_t una = rebuild_send_numbers(rebuild);

    conn->tx_enqueued = cursors->tx_enqueued;
    return rebuild_fifo(rebuild, &conn->rx, &rx, cursors->rx_read, cursors->rx_written) &&
           rebuild_fifo(rebuild, &conn->tx, &tx, una, cursors->tx_written);
}

static bool rebuild_pcb(struct rebuild *rebuild)
{
    struct conn *conn = rebuild->conn;

    rebuild_constants(rebuild);
    if (!rebuild_streams(rebuild))
        return false;
    rebuild_receive(rebuild);
    rebuild_windows(rebuild);
    rebuild_round_trip(rebuild);
    if (!(conn->pcb->state == SYN_RCVD ? rebuild_syn_ack(rebuild) : rebuild_send(rebuild)))
        return false;
    rebuild_timers(rebuild);
    rebuild_held(rebuild);
    rebuild_speech(rebuild);
    return true;
}

/* The glue's part. */
static void rebuild_conn(struct rebuild *rebuild)
{
    const struct border_flow *flow = rebuild->flow;
    struct conn *conn = rebuild->conn;
    enum tcp_state state = (enum tcp_state)flow->facts.tcp_state;

    rebuild->is_fin_acked = state_has(state, 1u << FIN_WAIT_2 | 1u << TIME_WAIT);
    rebuild->has_fin =
        rebuild->is_fin_acked || state_has(state, 1u << FIN_WAIT_1 | 1u << CLOSING | 1u << LAST_ACK);
    if (rebuild->has_fin)
        conn->flags |= CONN_FIN_QUEUED | CONN_CLOSING;
    if (state_has(state, 1u << CLOSE_WAIT | 1u << CLOSING | 1u << LAST_ACK | 1u << TIME_WAIT))
        conn->flags |= CONN_PEER_CLOSED;
    if (flow->cursors.flags & FLOW_CLOSING)
        conn->flags |= CONN_CLOSING;
    conn->iss = flow->facts.iss;
    conn->irs = flow->facts.irs;
    conn->real_mss = (uint16_t)clamp(flow->facts.mss, STACK_MIN_MSS, TCP_MSS);
    conn->progress_ms = sys_now();
    conn->answered_tick = tcp_ticks; /* patience with a silent peer begins anew */
    conn->n_retransmits = flow->facts.n_retransmits;
    memcpy(conn->state, flow->cursors.state, sizeof(conn->state));
}

/* The service takes it, or it is reset as soon as it runs. */
static void rebuild_hand_on(struct stack *stack, struct conn *conn, uint16_t service_port)
{
    if (conn->pcb->state == SYN_RCVD)
        return; /* `opened` is still to come */
    if (stack->callbacks.adopted != NULL && stack->callbacks.adopted(stack->context, conn, service_port))
        conn->flags |= CONN_OPEN;
    else
        conn->flags |= CONN_ABORT;
}

bool stack_rebuild(struct stack *stack, const struct border_records *source, const struct border_flow *flow,
                   bool is_exact)
{
    struct rebuild rebuild = {.stack = stack, .source = source, .flow = flow, .is_exact = is_exact};
    struct tcp_pcb *pcb = tcp_alloc(flow->facts.prio);
    struct flow_key key;

    if (pcb == NULL)
        return false;
    memcpy(&key, flow->facts.key, sizeof(key));
    rebuild.conn = stack_conn_attach(stack, pcb, &key);
    if (rebuild.conn == NULL) {
        tcp_free(pcb);
        return false;
    }
    rebuild_conn(&rebuild);
    if (!rebuild_pcb(&rebuild)) {
        rebuild.conn->flags |= CONN_UNSAID;
        stack_conn_forget(stack, rebuild.conn);
        return false;
    }
    stack_record_begin(stack, rebuild.conn, flow->facts.epoch + 1, flow->facts.opened_ns);
    rebuild_hand_on(stack, rebuild.conn, flow->facts.service_port);
    stack_mark_ready(stack, rebuild.conn);
    return true;
}
