/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * recovery.c — loss recovery by SACK (RFC 6675) over lwIP's hooks.
 *
 * Stock lwIP sends SACK but never uses it, and counts a duplicate ACK only when the window stands still, so
 * that nearly every loss becomes a retransmission time-out. Here the scoreboard is kept beside the PCB: when
 * three segments' worth is reported above a hole, lwIP's own fast retransmit is made to start on this very
 * ACK; then each ACK sends what is certainly lost again, paced by what was delivered. A partial ACK keeps the
 * recovery going (RFC 6582), a tail that nobody reports is probed (RFC 8985 7), a time-out forgets the
 * scoreboard.
 */
#include <lwip/tcp.h>
#include <string.h>

#include "base/clock.h"
#include "worker/stack/pool.h"
#include "worker/stack/stack_internal.h"

#define RECOVERY_MAX_RANGES 32u
#define RECOVERY_LOST_SEGMENTS 3u /* reported above a hole: the hole is lost (DupThresh, RFC 6675) */
#define RECOVERY_MIN_PROBE_MS 50u /* above a peer's delayed ACK of 40 ms */
#define RECOVERY_SRTT_SHIFT 3u    /* smoothed by 1/8 (RFC 6298) */
#define RECOVERY_SACK_BLOCK_BYTES 8u
#define RECOVERY_OPTION_SACK 5u /* RFC 2018; lwIP knows only how to send it */

struct recovery_range {
    uint32_t left, right; /* sequence numbers, right exclusive */
};

struct recovery {
    uint32_t n_ranges; /* sorted, disjoint, above lastack */
    struct recovery_range ranges[RECOVERY_MAX_RANGES];
    uint32_t recover;   /* snd_nxt when the recovery began: it ends there */
    uint32_t sent_high; /* everything lost below was sent again in this recovery */
    uint32_t sent_mark; /* snd_nxt when it was: SACKs beyond it say that a retransmission was lost too */
    uint32_t delivered; /* bytes newly reported since the last retransmission: what may be sent again */
    bool was_recovering, is_partial; /* of the segment in hand */
};

static bool recovery_is_recovering(const struct conn *conn)
{
    return (conn->pcb->flags & TF_INFR) != 0;
}

uint32_t recovery_sacked(const struct conn *conn)
{
    uint32_t total = 0;

    if (conn->recovery == NULL)
        return 0;
    for (uint32_t i = 0; i < conn->recovery->n_ranges; i++)
        total += conn->recovery->ranges[i].right - conn->recovery->ranges[i].left;
    return total;
}

void recovery_fini(struct conn *conn)
{
    pool_free(conn->recovery);
    conn->recovery = NULL;
}

/* Adds one reported range, merged with its neighbours. */
static void recovery_add(struct recovery *recovery, struct recovery_range range)
{
    struct recovery_range *ranges = recovery->ranges;
    uint32_t first = 0, end;

    while (first < recovery->n_ranges && TCP_SEQ_LT(ranges[first].right, range.left))
        first++;
    for (end = first; end < recovery->n_ranges && TCP_SEQ_LEQ(ranges[end].left, range.right); end++) {
        if (TCP_SEQ_LT(ranges[end].left, range.left))
            range.left = ranges[end].left;
        if (TCP_SEQ_GT(ranges[end].right, range.right))
            range.right = ranges[end].right;
    }
    if (end == first && recovery->n_ranges == RECOVERY_MAX_RANGES)
        return; /* forgotten: it is sent again for nothing, no harm */
    memmove(&ranges[first + 1], &ranges[end], (recovery->n_ranges - end) * sizeof(*ranges));
    ranges[first] = range;
    recovery->n_ranges = recovery->n_ranges - (end - first) + 1;
}

/* Forgets what is acknowledged by now. */
static void recovery_trim(struct conn *conn)
{
    struct recovery *recovery = conn->recovery;
    uint32_t n_old = 0;

    while (n_old < recovery->n_ranges && TCP_SEQ_LEQ(recovery->ranges[n_old].right, conn->pcb->lastack))
        n_old++;
    recovery->n_ranges -= n_old;
    memmove(recovery->ranges, recovery->ranges + n_old, recovery->n_ranges * sizeof(recovery->ranges[0]));
    if (recovery->n_ranges > 0 && TCP_SEQ_LT(recovery->ranges[0].left, conn->pcb->lastack))
        recovery->ranges[0].left = conn->pcb->lastack;
}

static uint32_t recovery_read32(const uint8_t *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof(value));
    return lwip_ntohl(value);
}

static void recovery_take_sack(struct conn *conn, const uint8_t *option, uint32_t len, uint32_t ackno)
{
    for (uint32_t off = 2; off + RECOVERY_SACK_BLOCK_BYTES <= len; off += RECOVERY_SACK_BLOCK_BYTES) {
        struct recovery_range range = {recovery_read32(option + off), recovery_read32(option + off + 4)};

        /* Only what is in flight; a range below the ACK is a duplicate's (RFC 2883). */
        if (!TCP_SEQ_GT(range.right, range.left) || TCP_SEQ_GT(range.right, conn->pcb->snd_nxt) ||
            TCP_SEQ_LT(range.left, ackno) || TCP_SEQ_LT(range.left, conn->pcb->lastack))
            continue;
        if (conn->recovery == NULL)
            conn->recovery = pool_calloc(1, sizeof(*conn->recovery));
        if (conn->recovery != NULL)
            recovery_add(conn->recovery, range);
    }
}

/* Round-trip time from the echoed timestamp, which is in our milliseconds (RFC 7323 4). */
static void recovery_take_timestamp(struct conn *conn, const uint8_t *option)
{
    uint32_t rtt_ms = sys_now() - recovery_read32(option + 6);

    if (rtt_ms > 60000)
        return;
    if (conn->srtt_us == 0)
        conn->srtt_us = rtt_ms * 1000 + 1;
    else
        conn->srtt_us += (uint32_t)((int32_t)(rtt_ms * 1000 - conn->srtt_us) >> RECOVERY_SRTT_SHIFT);
}

/* Walks the options, which stand contiguous behind the header (rx_frame.c); true if there was a SACK. */
static bool recovery_parse(struct conn *conn, const struct tcp_hdr *header)
{
    const uint8_t *options = (const uint8_t *)(header + 1);
    uint32_t len = TCPH_HDRLEN_BYTES(header) - TCP_HLEN;
    bool has_sack = false;

    for (uint32_t off = 0; off + 1 < len && options[off] != LWIP_TCP_OPT_EOL;) {
        if (options[off] == LWIP_TCP_OPT_NOP) {
            off++;
            continue;
        }
        if (options[off + 1] < 2 || off + options[off + 1] > len)
            break;
        if (options[off] == RECOVERY_OPTION_SACK && (conn->pcb->flags & TF_SACK)) {
            recovery_take_sack(conn, options + off, options[off + 1], header->ackno);
            has_sack = true;
        }
        if (options[off] == LWIP_TCP_OPT_TS && options[off + 1] == 10 && (conn->pcb->flags & TF_TIMESTAMP))
            recovery_take_timestamp(conn, options + off);
        off += options[off + 1];
    }
    return has_sack;
}

/*
 * How many bytes reported above a hole make it lost: three segments' worth, as less may only be out of order;
 * a standstill that was probed is too old for that, and there any report will do (RFC 8985 7.4).
 */
static uint32_t recovery_lost_bytes(const struct conn *conn)
{
    return conn->probed_ms == conn->progress_ms ? 1 : RECOVERY_LOST_SEGMENTS * stack_segment_payload(conn);
}

/* A pure duplicate ACK: makes lwIP see it as one, and start fast retransmit when enough is reported. */
static void recovery_duplicate_ack(struct stack *stack, struct conn *conn, const struct tcp_hdr *header,
                                   bool has_sack)
{
    struct tcp_pcb *pcb = conn->pcb;

    if (pcb->unacked == NULL)
        return;
    if (has_sack)
        pcb->snd_wnd =
            (tcpwnd_size_t)SND_WND_SCALE(pcb, header->wnd); /* a reading peer moves its window in each ACK */
    if (recovery_is_recovering(conn) || (pcb->flags & TF_RTO))
        return;
    if (recovery_sacked(conn) >= recovery_lost_bytes(conn) && pcb->dupacks < 2)
        pcb->dupacks = 2;
    if (pcb->dupacks >= 2 && (conn->flags & CONN_HAS_SUPER))
        stack_requeue(stack, conn);
}

bool recovery_segment_in(struct stack *stack, struct conn *conn, const struct tcp_hdr *header,
                         uint16_t payload_len)
{
    struct tcp_pcb *pcb = conn->pcb;
    uint32_t sacked = recovery_sacked(conn);
    bool has_sack;

    if (pcb->state < ESTABLISHED || (TCPH_FLAGS(header) & (TCP_ACK | TCP_RST | TCP_SYN)) != TCP_ACK)
        return true;
    has_sack = recovery_parse(conn, header);
    if (header->ackno == pcb->lastack && payload_len == 0)
        recovery_duplicate_ack(stack, conn, header, has_sack);
    if (conn->recovery == NULL)
        return true;
    conn->recovery->delivered += recovery_sacked(conn) - sacked;
    conn->recovery->was_recovering = recovery_is_recovering(conn);
    conn->recovery->is_partial = conn->recovery->was_recovering && TCP_SEQ_GT(header->ackno, pcb->lastack) &&
                                 TCP_SEQ_LT(header->ackno, conn->recovery->recover);
    return true;
}

/* Bytes reported above `seqno`, and whether [left, right) is reported itself. */
static uint32_t recovery_reported_above(const struct recovery *recovery, uint32_t left, uint32_t right,
                                        bool *is_covered)
{
    uint32_t above = 0;

    *is_covered = false;
    for (uint32_t i = 0; i < recovery->n_ranges; i++) {
        const struct recovery_range *range = &recovery->ranges[i];

        if (TCP_SEQ_GEQ(left, range->left) && TCP_SEQ_LEQ(right, range->right))
            *is_covered = true;
        if (TCP_SEQ_GEQ(range->left, right))
            above += range->right - range->left;
    }
    return above;
}

/* Takes the lost segments that may be sent again off `unacked`, in order. */
static struct tcp_seg *recovery_take_lost(struct conn *conn, bool is_head_lost, uint32_t budget,
                                          counter *counters)
{
    struct recovery *recovery = conn->recovery;
    struct tcp_seg **link = &conn->pcb->unacked, *lost = NULL, **lost_end = &lost;
    uint32_t lost_bytes = recovery_lost_bytes(conn);

    while (*link != NULL) {
        struct tcp_seg *segment = *link;
        uint32_t left = lwip_ntohl(segment->tcphdr->seqno), right = left + segment->len;
        bool is_head = TCP_SEQ_LEQ(left, conn->pcb->lastack), is_covered;
        uint32_t above = recovery_reported_above(recovery, left, right, &is_covered);

        if (is_covered || TCP_SEQ_LEQ(right, recovery->sent_high)) {
            link = &segment->next;
            continue;
        }
        if ((above < lost_bytes && !(is_head && is_head_lost)) || budget < segment->len)
            break;
        budget -= segment->len;
        recovery->sent_high = right;
        *link = segment->next;
        segment->next = NULL;
        *lost_end = segment;
        lost_end = &segment->next;
        conn->n_retransmits++;
        counter_add(counters, WORKER_tx_sack_retransmits, 1);
    }
    *lost_end = conn->pcb->unsent;
    return lost;
}

static void recovery_retransmit(struct stack *stack, struct conn *conn, bool is_head_lost)
{
    struct recovery *recovery = conn->recovery;
    struct tcp_pcb *pcb = conn->pcb;
    uint32_t payload = stack_segment_payload(conn);
    uint32_t budget = LWIP_MAX(recovery->delivered, 2 * payload);

    recovery->delivered = 0;
    if (TCP_SEQ_LT(recovery->sent_high, pcb->lastack))
        recovery->sent_high = pcb->lastack;
    if (recovery->n_ranges > 0 && TCP_SEQ_GT(recovery->ranges[recovery->n_ranges - 1].right,
                                             recovery->sent_mark + RECOVERY_LOST_SEGMENTS * payload)) {
        recovery->sent_high = pcb->lastack;
        recovery->sent_mark = pcb->snd_nxt;
    }
    pcb->unsent = recovery_take_lost(conn, is_head_lost, budget, stack->config.counters);
    if (pcb->unsent != NULL)
        stack_output_unbounded(conn);
}

static void recovery_begin(struct stack *stack, struct conn *conn)
{
    struct recovery *recovery = conn->recovery;

    recovery->recover = conn->pcb->snd_nxt;
    recovery->sent_mark = conn->pcb->snd_nxt;
    recovery->sent_high = conn->pcb->lastack + stack_segment_payload(conn); /* lwIP has just sent the head */
    conn->n_retransmits++;
    counter_add(stack->config.counters, WORKER_tx_fast_recoveries, 1);
}

/* Slow start counts bytes, not ACKs (RFC 3465): one ACK covers a whole super-segment. */
static void recovery_grow_window(struct conn *conn, uint32_t acked)
{
    struct tcp_pcb *pcb = conn->pcb;

    if (acked > 2u * pcb->mss && acked <= TCP_SND_BUF && pcb->cwnd < pcb->ssthresh && pcb->cwnd < TCP_SND_BUF)
        pcb->cwnd += acked - 2u * pcb->mss;
}

void recovery_after_input(struct stack *stack, struct conn *conn)
{
    struct tcp_pcb *pcb = conn->pcb;
    struct recovery *recovery = conn->recovery;
    uint32_t acked = pcb->lastack - stack->in_hand_lastack;

    if (acked != 0)
        conn->progress_ms = sys_now();
    if (recovery == NULL && recovery_is_recovering(conn)) {
        /* Three plain duplicate ACKs of a peer without SACK. */
        recovery = conn->recovery = pool_calloc(1, sizeof(*recovery));
    }
    if (recovery == NULL) {
        if (!(pcb->flags & (TF_INFR | TF_RTO)))
            recovery_grow_window(conn, acked);
        return;
    }
    recovery_trim(conn);
    if (recovery_is_recovering(conn) && !recovery->was_recovering)
        recovery_begin(stack, conn);
    if (recovery->is_partial) {
        recovery->is_partial = false;
        tcp_set_flags(pcb, TF_INFR);
        if (conn->flags & CONN_HAS_SUPER)
            stack_requeue(stack, conn);
        recovery_retransmit(stack, conn, true);
    } else if (recovery_is_recovering(conn) && !(pcb->flags & TF_RTO)) {
        recovery_retransmit(stack, conn, false);
    } else if (!(pcb->flags & (TF_INFR | TF_RTO))) {
        recovery_grow_window(conn, acked);
        if (recovery->n_ranges == 0)
            recovery_fini(conn);
    }
}

/* Sends the last segment again: its ACK or SACK tells what became of the tail (RFC 8985 7.3). */
static void recovery_probe(struct stack *stack, struct conn *conn)
{
    struct tcp_seg **link = &conn->pcb->unacked;

    if (conn->flags & CONN_HAS_SUPER) {
        stack_requeue(stack, conn);
        link = &conn->pcb->unacked;
    }
    if (*link == NULL)
        return;
    while ((*link)->next != NULL)
        link = &(*link)->next;
    conn->pcb->unsent = *link;
    *link = NULL;
    stack_output_unbounded(conn);
    conn->n_retransmits++;
    counter_add(stack->config.counters, WORKER_tx_tail_probes, 1);
}

void recovery_before_tick(struct stack *stack, struct conn *conn)
{
    struct tcp_pcb *pcb = conn->pcb;
    uint32_t wait_ms = LWIP_MAX(2 * conn->srtt_us / 1000, RECOVERY_MIN_PROBE_MS);

    if (pcb->rtime < 0 || pcb->unacked == NULL || pcb->state < ESTABLISHED)
        return;
    if (pcb->rtime + 1 >= pcb->rto) {
        if (conn->flags & CONN_HAS_SUPER)
            stack_requeue(stack, conn);
        recovery_fini(conn);
        conn->n_retransmits++;
        counter_add(stack->config.counters, WORKER_tx_timeouts, 1);
        return;
    }
    if (pcb->unsent != NULL || (pcb->flags & (TF_RTO | TF_INFR)) || !(pcb->flags & TF_SACK))
        return;
    /* One probe for each standstill; after it, the time-out. */
    if (sys_now() - conn->progress_ms >= wait_ms && conn->probed_ms != conn->progress_ms) {
        conn->probed_ms = conn->progress_ms;
        recovery_probe(stack, conn);
    }
}
