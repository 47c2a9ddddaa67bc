/* SPDX-License-Identifier: BSD-3-Clause */
/* stack_rig.c — consumers and connection steps of the engine's tests. */
#include "tests/unit/worker/stack/stack_rig.h"

#include <string.h>

#include "tests/support/unit.h"

void rig_fill(uint8_t *bytes, uint64_t position, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        bytes[i] = rig_byte(position + i);
}

bool rig_is_pattern(const uint8_t *bytes, uint64_t position, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (bytes[i] != rig_byte(position + i))
            return false;
    }
    return true;
}

static bool rig_opened(void *context, struct conn *conn)
{
    struct rig *rig = context;

    if (rig->refuses)
        return false;
    rig->n_opened++;
    rig->conn = conn;
    rig->suspect = atomic_load_explicit(&rig->pair.suspect, memory_order_relaxed);
    return true;
}

static void rig_consume(struct rig *rig, struct conn *conn)
{
    for (;;) {
        struct fifo_span span = stack_conn_peek(&rig->pair.stack, conn);

        if (span.len == 0)
            return;
        if (!rig_is_pattern(span.bytes, conn->rx.read, span.len))
            rig->n_bad_read += span.len;
        rig->n_read += span.len;
        stack_conn_consume(&rig->pair.stack, conn, span.len);
    }
}

static void rig_echo(struct rig *rig, struct conn *conn)
{
    for (;;) {
        struct fifo_span in = stack_conn_peek(&rig->pair.stack, conn), out;

        if (in.len == 0)
            return;
        out = stack_conn_reserve(&rig->pair.stack, conn, in.len);
        if (out.len == 0)
            return;
        if (in.len > out.len)
            in.len = out.len;
        memcpy(out.bytes, in.bytes, in.len);
        stack_conn_produce(&rig->pair.stack, conn, in.len);
        stack_conn_consume(&rig->pair.stack, conn, in.len);
        rig->n_read += in.len;
    }
}

static void rig_produce(struct rig *rig, struct conn *conn)
{
    while (conn->tx.written < rig->source_bytes) {
        uint64_t left = rig->source_bytes - conn->tx.written;
        uint32_t want = rig->write_bytes != 0 ? rig->write_bytes : FIFO_MAX_BYTES;
        struct fifo_span out;

        if (want > left)
            want = (uint32_t)left;
        out = stack_conn_reserve(&rig->pair.stack, conn, want);
        if (out.len == 0)
            return;
        rig_fill(out.bytes, conn->tx.written, out.len);
        stack_conn_produce(&rig->pair.stack, conn, out.len);
        if (rig->write_bytes != 0)
            return;
    }
    if (rig->source_closes)
        stack_conn_close(&rig->pair.stack, conn);
}

static void rig_ready(void *context, struct conn *conn)
{
    struct rig *rig = context;

    switch (rig->consumer) {
    case RIG_ECHO:
        rig_echo(rig, conn);
        break;
    case RIG_SOURCE:
        rig_produce(rig, conn);
        break;
    case RIG_HOLD:
        if (rig->is_reading)
            rig_consume(rig, conn);
        break;
    case RIG_SINK:
        rig_consume(rig, conn);
        break;
    }
    if (rig->consumer != RIG_SOURCE && (conn->flags & CONN_PEER_CLOSED) && fifo_used(&conn->rx) == 0)
        stack_conn_close(&rig->pair.stack, conn);
}

static void rig_closed(void *context, struct conn *conn)
{
    struct rig *rig = context;

    rig->n_closed++;
    if (rig->conn == conn)
        rig->conn = NULL;
}

static bool rig_adopted(void *context, struct conn *conn, uint16_t service_port)
{
    struct rig *rig = context;

    if (rig->refuses_adoption || service_port != RIG_PORT)
        return false;
    rig->n_opened++;
    rig->n_adopted++;
    rig->conn = conn;
    return true;
}

void rig_defaults(struct lane_pair_config *config)
{
    lane_pair_defaults(config);
    config->callbacks = (struct stack_callbacks){
        .opened = rig_opened, .ready = rig_ready, .closed = rig_closed, .adopted = rig_adopted};
}

void rig_start(struct rig *rig, enum rig_consumer consumer, struct lane_pair_config *config)
{
    memset(rig, 0, sizeof(*rig));
    config->context = rig;
    rig->consumer = consumer;
    if (lane_pair_init(&rig->pair, config) < 0)
        CU_FAIL_FATAL("the lane pair did not start");
    if (stack_listen(&rig->pair.stack, RIG_PORT) < 0)
        CU_FAIL_FATAL("the port is not listening");
}

void rig_init(struct rig *rig, enum rig_consumer consumer)
{
    struct lane_pair_config config;

    rig_defaults(&config);
    rig_start(rig, consumer, &config);
}

void rig_fini(struct rig *rig)
{
    /* The pool's blocks cannot be counted before the listening port and the netif are gone with the stack. */
    struct stack *stack = &rig->pair.stack;

    for (uint32_t idx = 0; idx < stack->n_unused_idx; idx++) {
        if (stack->conns[idx].pcb != NULL)
            stack_conn_abort(stack, &stack->conns[idx]);
    }
    lane_pair_turn(&rig->pair);
    rig_drop_all(rig);
    lane_pair_turn(&rig->pair);
    CU_ASSERT_EQUAL(stack->n_connections, 0);
    CU_ASSERT_EQUAL(rig->n_opened, rig->n_closed);
    CU_ASSERT_EQUAL(rig->pair.n_bad_returns, 0);
    CU_ASSERT_EQUAL(rig->pair.pool.n_free_head, rig->pair.config.n_head);
    CU_ASSERT_EQUAL(rig->pair.pool.n_free_large, rig->pair.config.n_large);
    CU_ASSERT_EQUAL(fifo_memory_used_bytes(&rig->pair.fifo_memory), 0);
    CU_ASSERT_EQUAL(rig->n_bad_read, 0);
    lane_pair_fini(&rig->pair);
}

uint32_t rig_export_all(struct rig *rig, uint64_t number)
{
    struct attach_export order = {.number = number, .to = 1, .what = ATTACH_EXPORT_ALL};
    uint32_t n = stack_export(&rig->pair.stack, &order);

    stack_commit(&rig->pair.stack);
    return n;
}

struct segment rig_stop(struct rig *rig)
{
    struct segment records = lane_pair_stop(&rig->pair);

    rig->n_opened = rig->n_closed = 0;
    rig->conn = NULL;
    return records;
}

void rig_restart(struct rig *rig)
{
    struct lane_pair_config config = rig->pair.config;

    config.start_ns = rig->pair.now_ns;
    config.slot++;
    if (lane_pair_init(&rig->pair, &config) < 0)
        CU_FAIL_FATAL("the other worker did not start");
    if (stack_listen(&rig->pair.stack, RIG_PORT) < 0)
        CU_FAIL_FATAL("the port is not listening");
}

static struct stack_adoption rig_succeed(struct rig *rig, const struct attach_adopt *order)
{
    struct segment source = rig_stop(rig);
    struct stack_adoption adoption;

    rig_restart(rig);
    CU_ASSERT_FATAL(lane_pair_adopt(&rig->pair, &source, order, &adoption));
    segment_fini(&source);
    lane_pair_turn(&rig->pair);
    return adoption;
}

struct stack_adoption rig_move(struct rig *rig)
{
    struct attach_adopt order = {.number = 8, .exported = 7, .what = ATTACH_ADOPT_EXPORTED};

    rig_export_all(rig, order.exported);
    return rig_succeed(rig, &order);
}

struct stack_adoption rig_crash(struct rig *rig)
{
    struct attach_adopt order = {.number = 8, .what = ATTACH_ADOPT_DEAD};

    return rig_succeed(rig, &order);
}

struct tcp_script rig_peer(uint8_t family, uint16_t port)
{
    return (struct tcp_script){.family = family,
                               .peer_port = port,
                               .stack_port = RIG_PORT,
                               .seq = 0x10000000u + port,
                               .window = 0xffff,
                               .ts_value = 1000};
}

void rig_inject(struct rig *rig, const struct tcp_script *script, const struct tcp_segment *segment)
{
    static uint8_t frame[TCP_SCRIPT_MAX_FRAME_BYTES];
    uint32_t len_bytes = tcp_script_build(script, segment, frame);

    CU_ASSERT_FATAL(lane_pair_inject(&rig->pair, frame, len_bytes, 0));
}

void rig_send(struct rig *rig, const struct tcp_script *script, const struct tcp_segment *segment)
{
    rig_inject(rig, script, segment);
    lane_pair_turn(&rig->pair);
}

void rig_send_flags(struct rig *rig, const struct tcp_script *script, uint8_t flags)
{
    struct tcp_segment segment = tcp_script_segment(script, flags, NULL, 0);

    rig_send(rig, script, &segment);
}

void rig_send_data(struct rig *rig, struct tcp_script *script, const void *bytes, uint32_t n)
{
    struct tcp_segment segment = tcp_script_segment(script, SEGMENT_ACK | SEGMENT_PSH, bytes, n);

    script->seq += n;
    rig_send(rig, script, &segment);
}

bool rig_take(struct rig *rig, struct tcp_script *script, struct tcp_segment *segment)
{
    while (lane_pair_take(&rig->pair, &rig->packet)) {
        if (!tcp_script_read(script, rig->packet.bytes, rig->packet.slot.len_bytes, segment))
            continue;
        if (!rig->pair.config.has_offload_csum)
            CU_ASSERT(segment->has_good_checksum);
        return true;
    }
    return false;
}

bool rig_take_last(struct rig *rig, struct tcp_script *script, struct tcp_segment *segment)
{
    bool has_one = false;

    while (rig_take(rig, script, segment))
        has_one = true;
    return has_one;
}

unsigned rig_drop_all(struct rig *rig)
{
    unsigned n = 0;

    while (lane_pair_take(&rig->pair, &rig->packet))
        n++;
    return n;
}

struct tcp_segment rig_syn(struct tcp_script *script, unsigned options)
{
    struct tcp_segment syn;

    script->has_timestamp = (options & RIG_OPTION_TIMESTAMP) != 0;
    syn = tcp_script_segment(script, SEGMENT_SYN, NULL, 0);
    syn.mss = RIG_MSS;
    syn.has_scale = (options & RIG_OPTION_SCALE) != 0;
    syn.scale = RIG_SCALE;
    syn.is_sack_permitted = (options & RIG_OPTION_SACK) != 0;
    return syn;
}

bool rig_open(struct rig *rig, struct tcp_script *script, unsigned options, struct tcp_segment *syn_ack)
{
    struct tcp_segment syn = rig_syn(script, options), reply;

    rig_send(rig, script, &syn);
    if (!rig_take(rig, script, &reply) ||
        (reply.flags & (SEGMENT_SYN | SEGMENT_ACK)) != (SEGMENT_SYN | SEGMENT_ACK))
        return false;
    script->seq++;
    script->irs = reply.seq;
    script->ack = reply.seq + 1;
    rig_send_flags(rig, script, SEGMENT_ACK);
    if (syn_ack != NULL)
        *syn_ack = reply;
    return true;
}

struct tcp_script rig_open_one(struct rig *rig, enum rig_consumer consumer, uint8_t family, unsigned options)
{
    struct tcp_script peer = rig_peer(family, 3000);

    rig_init(rig, consumer);
    CU_ASSERT_FATAL(rig_open(rig, &peer, options, NULL));
    rig_drop_all(rig);
    return peer;
}

void rig_check_echo(struct rig *rig, struct tcp_script *peer)
{
    struct tcp_segment reply;

    rig_send_data(rig, peer, "ping", 4);
    CU_ASSERT_FATAL(rig_take(rig, peer, &reply));
    CU_ASSERT_EQUAL(reply.seq, peer->ack);
    CU_ASSERT_EQUAL(reply.ack, peer->seq);
    CU_ASSERT_EQUAL_FATAL(reply.payload_len, 4);
    CU_ASSERT(memcmp(reply.payload, "ping", 4) == 0);
    peer->ack += 4;
    rig_send_flags(rig, peer, SEGMENT_ACK);
    CU_ASSERT_EQUAL(rig_drop_all(rig), 0);
}
