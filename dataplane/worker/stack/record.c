/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * record.c — the commit: what another worker needs to go on with a connection, written into its flow record.
 *
 * Connection i has record i. A commit fills the copies that are not in force and then flips `turn` with one
 * release store, so a writer that dies at any instruction leaves either the old or the new turn, never a
 * mixture. Cursors are written each time; facts only when something changed that nobody could recompute
 * (record_digest), when the peer's timestamp has moved on by much, when the timer says so, or always
 * (stack_config.commits_facts). The constant part of both copies of the facts is written once, before the
 * record is in use.
 *
 * Between two commits the FIFOs go on. What a record names of the rx FIFO is intact then: received bytes are
 * written behind it, and before the consumer runs. Of the tx FIFO, bytes may be overwritten that were
 * acknowledged since: an adopter sends them again, changed, to a peer that has them and drops the duplicate.
 * Blocks that were freed are held back until the commit (fifo_memory.h).
 *
 * The own segment is read back here: no other process can write it.
 */
#include <lwip/tcp.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault_point.h"
#include "shm/segment.h"
#include "worker/stack/stack_internal.h"

#define RECORD_PAGE_BYTES 4096u
#define RECORD_MAX_TOMBSTONES 32768u
#define RECORD_MIN_TOMBSTONES 64u
#define RECORD_TS_AGE 1000u /* timestamp units, milliseconds for most peers, that facts may lag behind */

/* Flags of the PCB that cannot be recomputed. */
#define RECORD_FLAGS (TF_TIMESTAMP | TF_WND_SCALE | TF_SACK | TF_NODELAY | TF_FIN | TF_RXCLOSED)
#define RECORD_ACK_FLAGS (TF_ACK_DELAY | TF_ACK_NOW)

_Static_assert(sizeof(struct flow_key) == FLOW_RECORD_KEY_BYTES, "a record holds a key");
_Static_assert(CONN_STATE_BYTES == FLOW_RECORD_STATE_BYTES, "a record holds the consumer's state");
_Static_assert(sizeof(struct flow_cursors) == 128 && sizeof(struct flow_facts) == 272 &&
                   sizeof(struct flow_record) == 896 && sizeof(struct flow_tombstone) == 48,
               "records of layout 2: parts only grow, with a new sample in the tests");

static uint32_t records_n_tombstones(uint32_t max_connections)
{
    uint32_t n = RECORD_MIN_TOMBSTONES;

    while (n < max_connections && n < RECORD_MAX_TOMBSTONES)
        n *= 2;
    return n;
}

static size_t records_tombstones_off(uint32_t max_connections)
{
    size_t records_off = segment_align(sizeof(struct records_segment), RECORD_PAGE_BYTES);

    return segment_align(records_off + (size_t)max_connections * sizeof(struct flow_record),
                         RECORD_PAGE_BYTES);
}

static size_t records_fifo_off(uint32_t max_connections)
{
    return segment_align(records_tombstones_off(max_connections) +
                             records_n_tombstones(max_connections) * sizeof(struct flow_tombstone),
                         RECORD_PAGE_BYTES);
}

size_t stack_records_bytes(uint32_t max_connections, uint64_t fifo_bytes)
{
    return records_fifo_off(max_connections) + (size_t)fifo_bytes;
}

void stack_records_layout(struct records_segment *records, uint32_t max_connections, uint64_t fifo_bytes)
{
    records->record_bytes = sizeof(struct flow_record);
    records->cursors_bytes = sizeof(struct flow_cursors);
    records->facts_bytes = sizeof(struct flow_facts);
    records->n_records = max_connections;
    records->n_tombstones = records_n_tombstones(max_connections);
    records->page_bytes = FIFO_MEMORY_PAGE_BYTES;
    records->records_off = segment_align(sizeof(struct records_segment), RECORD_PAGE_BYTES);
    records->tombstones_off = records_tombstones_off(max_connections);
    records->fifo_off = records_fifo_off(max_connections);
    records->fifo_bytes = fifo_bytes;
}

int stack_records_init(struct stack *stack)
{
    struct records_segment *records = stack->config.records;

    if (records == NULL)
        return 0;
    mpa_assert(records->n_records == stack->config.max_connections);
    stack->flow_records = (struct flow_record *)(void *)((uint8_t *)records + records->records_off);
    return stack_tombstones_init(stack);
}

void stack_records_fini(struct stack *stack)
{
    if (stack->flow_records == NULL)
        return;
    flow_table_fini(&stack->tombstones);
    stack->flow_records = NULL;
}

void stack_record_begin(struct stack *stack, struct conn *conn, uint32_t epoch, uint64_t opened_ns)
{
    if (stack->flow_records == NULL)
        return;
    for (unsigned copy = 0; copy < 2; copy++) {
        struct flow_facts *facts = &stack->flow_records[conn->idx].facts[copy];

        memcpy(facts->key, &conn->key, sizeof(conn->key));
        facts->hash = conn->hash;
        facts->epoch = epoch;
        facts->owner = stack->config.slot;
        facts->export_next = FLOW_RECORD_NONE;
        facts->export_number = 0;
        facts->iss = conn->iss;
        facts->irs = conn->irs;
        facts->service_port = lwip_ntohs(conn->key.local_port_be);
        facts->opened_ns = opened_ns;
        facts->n_held = 0;
        facts->held_has_fin = 0;
    }
    conn->recorded = 0;
}

static uint32_t record_flags(const struct conn *conn)
{
    uint32_t flags = 0;

    if (conn->flags & CONN_PEER_CLOSED)
        flags |= FLOW_PEER_CLOSED;
    if (conn->flags & CONN_CLOSING)
        flags |= FLOW_CLOSING;
    /* lwIP's word counts: a close that found no memory is asked for again by whoever adopts. */
    if (conn->pcb->flags & TF_FIN)
        flags |= FLOW_FIN_QUEUED;
    if (conn->flags & CONN_OPEN)
        flags |= FLOW_OPEN;
    return flags;
}

static void record_cursors(const struct stack *stack, const struct conn *conn, struct flow_cursors *cursors)
{
    cursors->rx_written = conn->rx.written;
    cursors->rx_read = conn->rx.read;
    cursors->tx_written = conn->tx.written;
    cursors->tx_enqueued = conn->tx_enqueued;
    cursors->tx_read = conn->tx.read;
    cursors->rx_page_idx = conn->rx.page_idx;
    cursors->rx_capacity_bytes = conn->rx.capacity;
    cursors->tx_page_idx = conn->tx.page_idx;
    cursors->tx_capacity_bytes = conn->tx.capacity;
    cursors->flags = record_flags(conn);
    cursors->committed_ms = (uint32_t)(stack->now_ns / CLOCK_NS_PER_MS);
    memcpy(cursors->state, conn->state, sizeof(cursors->state));
}

/* What facts follow from the PCB and the glue, in the order of struct flow_facts. */
static void record_facts(const struct conn *conn, struct flow_facts *facts)
{
    const struct tcp_pcb *pcb = conn->pcb;

    facts->mss = conn->real_mss;
    facts->snd_scale = pcb->snd_scale;
    facts->rcv_scale = pcb->rcv_scale;
    facts->ttl = pcb->ttl;
    facts->tos = pcb->tos;
    facts->so_options = pcb->so_options;
    facts->prio = pcb->prio;
    facts->tcp_state = (uint8_t)pcb->state;
    facts->is_exact = 0;
    facts->tcp_flags = pcb->flags & RECORD_FLAGS;
    facts->rtime = pcb->rtime;
    facts->ts_recent = pcb->ts_recent;
    facts->ts_lastacksent = pcb->ts_lastacksent;
    facts->tick = tcp_ticks;
    facts->timer_tick = pcb->tmr;
    facts->lastack = pcb->lastack;
    facts->snd_nxt = pcb->snd_nxt;
    facts->sent_edge = pcb->snd_nxt;
    facts->snd_wnd = pcb->snd_wnd;
    facts->snd_wnd_max = pcb->snd_wnd_max;
    facts->snd_wl1 = pcb->snd_wl1;
    facts->snd_wl2 = pcb->snd_wl2;
    facts->cwnd = pcb->cwnd;
    facts->ssthresh = pcb->ssthresh;
    facts->bytes_acked = pcb->bytes_acked;
    facts->rcv_ann_wnd = pcb->rcv_ann_wnd;
    facts->rcv_ann_right_edge = pcb->rcv_ann_right_edge;
    facts->rttest = pcb->rttest;
    facts->rtseq = pcb->rtseq;
    facts->srtt_us = conn->srtt_us;
    facts->sa = pcb->sa;
    facts->sv = pcb->sv;
    facts->rto = pcb->rto;
    facts->nrtx = pcb->nrtx;
    facts->dupacks = pcb->dupacks;
    facts->persist_cnt = pcb->persist_cnt;
    facts->persist_backoff = pcb->persist_backoff;
    facts->persist_probe = pcb->persist_probe;
    facts->keep_cnt_sent = pcb->keep_cnt_sent;
    facts->keep_idle_ms = pcb->keep_idle;
    facts->keep_intvl_ms = pcb->keep_intvl;
    facts->keep_cnt = pcb->keep_cnt;
    facts->n_retransmits = conn->n_retransmits;
}

/* Facts are due when this changes. That the peer's window is shut belongs to it: an adopter would send into
 * it. */
static uint32_t record_digest(const struct conn *conn)
{
    const struct tcp_pcb *pcb = conn->pcb;
    bool is_shut = pcb->snd_wnd < conn->real_mss;

    _Static_assert(TCP_MSS < 1u << 14 && RECORD_FLAGS < 1u << 13 && TIME_WAIT < 1u << 4, "bits of a digest");
    return (uint32_t)conn->real_mss << 18 | (pcb->flags & RECORD_FLAGS) << 5 | (uint32_t)pcb->state << 1 |
           is_shut;
}

static void record_publish_place(struct stack *stack, const struct conn *conn)
{
    struct records_segment *records = stack->config.records;

    /* Before the flip, so that no record in use is beyond it; pairs with border_records_n_used(). */
    if (atomic_load_explicit(&records->n_used, memory_order_relaxed) <= conn->idx)
        atomic_store_explicit(&records->n_used, conn->idx + 1, memory_order_release);
}

/* The one store that puts a turn in force: pairs with border_take_flow() of an adopter. The frontend may be
 * reading what was in force until now (border_peek_flow()): it must see this before anything that is written
 * into those copies later. */
static void record_flip(struct flow_record *record, uint64_t turn)
{
    atomic_store_explicit(&record->turn, turn + FLOW_TURN_STEP, memory_order_release);
    atomic_thread_fence(memory_order_release);
}

void stack_record_commit(struct stack *stack, struct conn *conn)
{
    struct flow_record *record;
    uint32_t digest;
    uint64_t turn;

    if (stack->flow_records == NULL || fault_point_commit_is_off())
        return;
    fault_point(FAULT_commit_begin);
    record = &stack->flow_records[conn->idx];
    turn = atomic_load_explicit(&record->turn, memory_order_relaxed) ^ FLOW_TURN_CURSORS;
    digest = record_digest(conn);
    record_cursors(stack, conn, &record->cursors[(turn & FLOW_TURN_CURSORS) != 0]);
    counter_add(stack->config.counters, WORKER_records_cursors, 1);
    if (digest != conn->recorded || (conn->flags & CONN_FACTS) || stack->config.commits_facts ||
        conn->pcb->ts_recent - conn->recorded_ts > RECORD_TS_AGE) {
        turn ^= FLOW_TURN_FACTS;
        record_facts(conn, &record->facts[(turn & FLOW_TURN_FACTS) != 0]);
        conn->recorded = digest;
        conn->recorded_ts = conn->pcb->ts_recent;
        counter_add(stack->config.counters, WORKER_records_facts, 1);
    }
    if (!(conn->flags & CONN_RECORDED))
        record_publish_place(stack, conn);
    conn->flags = (conn->flags & ~(uint32_t)(CONN_FACTS | CONN_TURN)) | CONN_RECORDED;
    if (turn & FLOW_TURN_CURSORS)
        conn->flags |= CONN_TURN;
    fault_point(FAULT_commit_written);
    record_flip(record, turn | FLOW_TURN_IN_USE);
    fault_point(FAULT_commit_flipped);
}

void stack_record_end(struct stack *stack, struct conn *conn)
{
    struct flow_record *record;
    uint64_t turn;

    if (!(conn->flags & CONN_RECORDED) || stack->flow_records == NULL)
        return;
    conn->flags &= ~(uint32_t)CONN_RECORDED;
    record = &stack->flow_records[conn->idx];
    turn = atomic_load_explicit(&record->turn, memory_order_relaxed);
    /* First the tombstone: an adopter must find at least one of the two. */
    if ((conn->flags & (CONN_OPEN | CONN_UNSAID | CONN_TIME_WAIT)) == CONN_OPEN) {
        struct flow_tombstone tombstone = {.hash = conn->hash,
                                           .closed_ms = (uint32_t)(stack->now_ns / CLOCK_NS_PER_MS)};

        memcpy(tombstone.key, &conn->key, sizeof(conn->key));
        stack_tombstone_add(stack, &tombstone);
    }
    record_flip(record, turn & ~(uint64_t)FLOW_TURN_IN_USE);
}

static bool held_append(struct flow_facts *facts, struct flow_held range)
{
    struct flow_held *last = facts->n_held == 0 ? NULL : &facts->held[facts->n_held - 1];

    if (last != NULL && last->off_bytes + last->len_bytes == range.off_bytes) {
        last->len_bytes += range.len_bytes;
        return true;
    }
    if (last != NULL && last->off_bytes + last->len_bytes > range.off_bytes)
        return false;
    if (range.len_bytes == 0 || facts->n_held == FLOW_RECORD_MAX_HELD)
        return false;
    facts->held[facts->n_held++] = range;
    return true;
}

/* Copies a segment's payload to its place in the rx FIFO, for which there is room, behind `written`. */
static void held_store(struct stack *stack, struct conn *conn, const struct tcp_seg *segment, uint32_t off)
{
    struct fifo place = conn->rx;
    uint32_t done = 0;

    /* A FIFO that ends before the segment: its room is where the payload belongs. */
    place.written += off;
    while (done < segment->len) {
        struct fifo_span span =
            fifo_reserve(&place, stack->config.fifo_memory, (uint32_t)segment->len - done, NULL);

        if (span.len == 0)
            return;
        pbuf_copy_partial(segment->p, span.bytes, (u16_t)span.len, (u16_t)done);
        place.written += span.len;
        done += span.len;
    }
}

/*
 * Segments out of order: their bytes go to where they belong in the rx FIFO, the record names the ranges.
 * What finds no room or no place in the list is given up, as a receiver may (RFC 2018 8).
 */
static void record_held(struct stack *stack, struct conn *conn, struct flow_facts *facts)
{
    const struct tcp_pcb *pcb = conn->pcb;
    uint32_t end = 0;

    facts->n_held = 0;
    facts->held_has_fin = 0;
    for (const struct tcp_seg *segment = pcb->ooseq; segment != NULL; segment = segment->next)
        end = LWIP_MAX(end, segment->tcphdr->seqno + segment->len - pcb->rcv_nxt);
    if (end == 0 || end > FIFO_MAX_BYTES || fifo_make_room(&conn->rx, stack->config.fifo_memory, end) < 0)
        return;
    for (const struct tcp_seg *segment = pcb->ooseq; segment != NULL; segment = segment->next) {
        struct flow_held range = {segment->tcphdr->seqno - pcb->rcv_nxt, segment->len};

        if (!held_append(facts, range))
            return;
        held_store(stack, conn, segment, range.off_bytes);
        facts->held_has_fin = (TCPH_FLAGS(segment->tcphdr) & TCP_FIN) != 0;
    }
}

void stack_record_export(struct stack *stack, struct conn *conn, const struct record_export *export)
{
    struct flow_record *record = &stack->flow_records[conn->idx];
    const struct tcp_pcb *pcb = conn->pcb;
    uint64_t turn = atomic_load_explicit(&record->turn, memory_order_relaxed);
    struct flow_facts *facts = &record->facts[(turn & FLOW_TURN_FACTS) == 0];

    record_held(stack, conn, facts); /* may move the FIFO: before the cursors */
    record_cursors(stack, conn, &record->cursors[(turn & FLOW_TURN_CURSORS) == 0]);
    record_facts(conn, facts);
    facts->is_exact = 1;
    facts->tcp_flags |= pcb->flags & RECORD_ACK_FLAGS;
    if (pcb->unsent != NULL)
        facts->sent_edge = lwip_ntohl(pcb->unsent->tcphdr->seqno);
    /* Fast recovery does not move along: its window was inflated. */
    if ((pcb->flags & TF_INFR) && facts->cwnd > pcb->ssthresh)
        facts->cwnd = pcb->ssthresh;
    facts->owner = export->to;
    facts->export_number = export->number;
    facts->export_next = export->next;
    if (!(conn->flags & CONN_RECORDED))
        record_publish_place(stack, conn);
    conn->flags |= CONN_RECORDED;
    turn ^= FLOW_TURN_CURSORS | FLOW_TURN_FACTS;
    fault_point(FAULT_export_written);
    record_flip(record, turn | FLOW_TURN_IN_USE);
}
