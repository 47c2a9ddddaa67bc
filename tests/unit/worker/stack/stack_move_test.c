/* SPDX-License-Identifier: BSD-3-Clause */
/* stack_move_test.c — a connection that is handed over alive goes on as if nothing had happened. */
#include <lwip/priv/tcp_priv.h>
#include <string.h>

#include "tests/support/unit.h"
#include "tests/unit/worker/stack/stack_receiver.h"
#include "worker/stack/pool.h"
#include "worker/stack/stack_internal.h"

#define STREAM_BYTES 3000000u

static struct rig rig;
static struct receiver receiver;
static uint8_t bytes[100000];

/* The connection moves, alone. */
static void move_one(void)
{
    struct stack_adoption adoption = rig_move(&rig);

    CU_ASSERT_EQUAL(adoption.n_adopted, 1);
    CU_ASSERT_EQUAL(adoption.n_bad, 0);
    CU_ASSERT_EQUAL(adoption.n_known, 0);
}

static void check_idle(uint8_t family, unsigned options)
{
    struct tcp_script peer = rig_open_one(&rig, RIG_ECHO, family, options);

    rig_check_echo(&rig, &peer);
    move_one();
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 0); /* nobody hears of it */
    CU_ASSERT_EQUAL(rig.n_adopted, 1);
    rig_check_echo(&rig, &peer);
    move_one();
    rig_check_echo(&rig, &peer);
    rig_fini(&rig);
}

static void test_idle4(void)
{
    check_idle(4, RIG_OPTIONS_LINUX);
}

static void test_idle6(void)
{
    check_idle(6, RIG_OPTIONS_LINUX);
}

static void test_idle_plain(void)
{
    check_idle(4, 0);
}

/* A bulk sender moves every `every` rounds of its stream; the receiver counts what comes twice. */
static void check_bulk(bool has_gso, unsigned every, uint32_t lost_at)
{
    struct lane_pair_config config;
    struct tcp_script peer = rig_peer(4, 2000);
    unsigned n_moves = 0;

    rig_defaults(&config);
    config.has_gso = has_gso;
    rig_start(&rig, RIG_SOURCE, &config);
    rig.source_bytes = STREAM_BYTES;
    rig.source_closes = true;
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    receiver_init(&receiver, &peer, RIG_OPTIONS_LINUX);
    if (lost_at != 0)
        receiver_lose(&receiver, lost_at);
    for (unsigned round = 1; round < 1000 && !receiver.has_fin; round++) {
        receiver_take(&rig, &receiver);
        lane_pair_turn(&rig.pair);
        if (round % every == 0 && rig.conn != NULL) {
            /* What is on the wire comes to the peer, and its ACK to the next worker. */
            receiver.is_silent = true;
            receiver_take(&rig, &receiver);
            receiver.is_silent = false;
            move_one();
            n_moves++;
            rig_send_flags(&rig, &receiver.script, SEGMENT_ACK);
        }
        if (lost_at != 0)
            lane_pair_advance(&rig.pair, 20);
    }
    CU_ASSERT(receiver.has_fin && receiver.n_contiguous == STREAM_BYTES + 1);
    CU_ASSERT(n_moves > 3);
    if (lost_at == 0)
        CU_ASSERT_EQUAL(receiver.n_duplicates, 0);
    receiver_fini(&receiver);
    rig_fini(&rig);
}

static void test_bulk(void)
{
    check_bulk(false, 1, 0);
}

static void test_bulk_super(void)
{
    check_bulk(true, 1, 0);
}

static void test_bulk_loss(void)
{
    check_bulk(false, 2, 200000);
    check_bulk(true, 2, 200000);
}

/* What was in flight is queued again with the same numbers: the peer's silence brings it back exactly. */
static void test_in_flight(void)
{
    struct tcp_script peer = rig_peer(4, 3000);
    struct tcp_segment segment;
    uint32_t snd_nxt, n = 0;

    rig_init(&rig, RIG_SOURCE);
    rig.source_bytes = 10000;
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    rig_drop_all(&rig);
    peer.ack += 700; /* in the middle of a segment */
    rig_send_flags(&rig, &peer, SEGMENT_ACK);
    rig_drop_all(&rig);
    snd_nxt = rig.conn->pcb->snd_nxt;
    CU_ASSERT_EQUAL(rig.conn->pcb->lastack, peer.ack);
    move_one();
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 0);
    CU_ASSERT_EQUAL(rig.conn->pcb->snd_nxt, snd_nxt);
    CU_ASSERT_EQUAL(rig.conn->pcb->lastack, peer.ack);
    CU_ASSERT_EQUAL(lwip_ntohl(rig.conn->pcb->unacked->tcphdr->seqno), peer.ack);
    for (int i = 0; i < 400 && n < 9300; i++) {
        lane_pair_advance(&rig.pair, 20);
        while (rig_take(&rig, &peer, &segment)) {
            if (segment.seq != peer.ack)
                continue; /* the tail's probe */
            CU_ASSERT(rig_is_pattern(segment.payload, segment.seq - peer.irs - 1, segment.payload_len));
            n += segment.payload_len;
            peer.ack += segment.payload_len;
            rig_send_flags(&rig, &peer, SEGMENT_ACK);
        }
    }
    CU_ASSERT_EQUAL(n, 9300);
    rig_fini(&rig);
}

static void test_super_in_flight(void)
{
    struct lane_pair_config config;
    struct tcp_script peer = rig_peer(4, 3000);
    uint32_t snd_nxt;

    rig_defaults(&config);
    config.has_gso = true;
    rig_start(&rig, RIG_SOURCE, &config);
    rig.source_bytes = 200000;
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    for (int i = 0; i < 4; i++) {
        rig_drop_all(&rig);
        peer.ack = rig.conn->pcb->snd_nxt - 1000; /* always inside the last super-segment */
        rig_send_flags(&rig, &peer, SEGMENT_ACK);
    }
    rig_drop_all(&rig);
    CU_ASSERT((rig.conn->flags & CONN_HAS_SUPER) != 0);
    CU_ASSERT(rig.conn->tx.read < peer.ack - peer.irs - 1); /* lwIP frees only whole segments */
    snd_nxt = rig.conn->pcb->snd_nxt;
    move_one();
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 0);
    CU_ASSERT_EQUAL(rig.conn->pcb->snd_nxt, snd_nxt);
    CU_ASSERT_EQUAL(rig.conn->tx.read, peer.ack - peer.irs - 1);
    CU_ASSERT(rig.conn->pcb->unacked != NULL && rig.conn->pcb->unacked->len <= RIG_MSS);
    rig_fini(&rig);
}

static void inject_at(const struct tcp_script *peer, uint32_t position, uint32_t n, uint8_t flags)
{
    struct tcp_segment segment = tcp_script_segment(peer, SEGMENT_ACK | flags, bytes, n);

    rig_fill(bytes, position, n);
    segment.seq += position;
    rig_send(&rig, peer, &segment);
}

/* Ranges out of order stay: the hole alone is sent again. */
static void test_out_of_order(void)
{
    struct tcp_script peer = rig_open_one(&rig, RIG_SINK, 4, RIG_OPTIONS_LINUX);
    struct tcp_segment reply;

    inject_at(&peer, 1000, 1000, 0);
    inject_at(&peer, 2000, 500, 0);
    inject_at(&peer, 5000, 1000, SEGMENT_FIN);
    rig_drop_all(&rig);
    move_one();
    rig_drop_all(&rig);
    inject_at(&peer, 0, 1000, 0);
    CU_ASSERT_FATAL(rig_take_last(&rig, &peer, &reply));
    CU_ASSERT_EQUAL(reply.ack, peer.seq + 2500);
    CU_ASSERT_EQUAL_FATAL(reply.n_sack, 1);
    CU_ASSERT_EQUAL(reply.sack[0].left, peer.seq + 5000);
    CU_ASSERT_EQUAL(reply.sack[0].right, peer.seq + 6000);
    inject_at(&peer, 2500, 2500, 0);
    CU_ASSERT_FATAL(rig_take_last(&rig, &peer, &reply));
    CU_ASSERT_EQUAL(reply.ack, peer.seq + 6001);
    CU_ASSERT_EQUAL(rig.n_read, 6000);
    rig_fini(&rig);
}

/* More ranges than a record names: the first stay, the rest comes again. */
static void test_many_ranges(void)
{
    struct tcp_script peer = rig_open_one(&rig, RIG_SINK, 6, RIG_OPTIONS_LINUX);
    struct tcp_segment reply;

    for (uint32_t i = 0; i < 2 * FLOW_RECORD_MAX_HELD; i++)
        inject_at(&peer, 1000 + i * 2000, 1000, 0);
    rig_drop_all(&rig);
    move_one();
    rig_drop_all(&rig);
    for (uint32_t i = 0; i < FLOW_RECORD_MAX_HELD; i++)
        inject_at(&peer, i * 2000, 1000, 0);
    CU_ASSERT_FATAL(rig_take_last(&rig, &peer, &reply));
    CU_ASSERT_EQUAL(reply.ack, peer.seq + FLOW_RECORD_MAX_HELD * 2000);
    CU_ASSERT_EQUAL(rig.n_read, FLOW_RECORD_MAX_HELD * 2000);
    rig_fini(&rig);
}

/* Unread bytes fill half the window; what was promised is kept to the byte. */
static void test_window(void)
{
    struct tcp_script peer = rig_open_one(&rig, RIG_HOLD, 4, RIG_OPTION_SCALE);
    struct tcp_segment reply;
    uint32_t right_edge = 0;

    for (uint32_t i = 0; i < 400; i++) {
        rig_fill(bytes, i * 1000, 1000);
        rig_send_data(&rig, &peer, bytes, 1000);
    }
    while (rig_take(&rig, &peer, &reply))
        right_edge = reply.ack + ((uint32_t)reply.window << TCP_RCV_SCALE);
    move_one();
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 0);
    for (uint32_t i = 400; i < 500; i++) {
        rig_fill(bytes, i * 1000, 1000);
        rig_send_data(&rig, &peer, bytes, 1000);
        CU_ASSERT_FATAL(rig_take_last(&rig, &peer, &reply));
        CU_ASSERT_EQUAL(reply.ack, peer.seq);
        CU_ASSERT(reply.ack + ((uint32_t)(reply.window + 1) << TCP_RCV_SCALE) > right_edge);
        CU_ASSERT(TCP_SEQ_LEQ(reply.ack + ((uint32_t)reply.window << TCP_RCV_SCALE),
                              right_edge + (1u << TCP_RCV_SCALE)));
    }
    rig.is_reading = true;
    stack_mark_ready(&rig.pair.stack, rig.conn);
    lane_pair_turn(&rig.pair);
    CU_ASSERT_EQUAL(rig.n_read, 500000);
    CU_ASSERT_EQUAL(rig.n_bad_read, 0);
    CU_ASSERT_FATAL(rig_take_last(&rig, &peer, &reply)); /* the window is open again, and the peer hears it */
    CU_ASSERT_EQUAL((uint32_t)reply.window << TCP_RCV_SCALE, TCP_WND);
    rig_fini(&rig);
}

static void test_timestamps(void)
{
    struct tcp_script peer = rig_open_one(&rig, RIG_ECHO, 4, RIG_OPTIONS_LINUX);
    struct tcp_segment reply;
    uint32_t before;

    peer.ts_value = 5000;
    rig_send_data(&rig, &peer, "a", 1);
    CU_ASSERT_FATAL(rig_take(&rig, &peer, &reply));
    before = reply.ts_value;
    CU_ASSERT_EQUAL(reply.ts_echo, 5000);
    peer.ack++;
    lane_pair_advance(&rig.pair, 500);
    move_one();
    rig_drop_all(&rig);
    peer.ts_value = 5600;
    rig_send_data(&rig, &peer, "b", 1);
    CU_ASSERT_FATAL(rig_take(&rig, &peer, &reply));
    CU_ASSERT(reply.ts_value - before >= 500 && reply.ts_value - before <= 540);
    CU_ASSERT_EQUAL(reply.ts_echo, 5600);
    rig_fini(&rig);
}

/* A shut window is probed by the next worker, and then the stream goes on. */
static void test_zero_window(void)
{
    struct tcp_script peer = rig_peer(4, 3000);
    struct tcp_segment segment;

    rig_init(&rig, RIG_SOURCE);
    rig.source_bytes = 50000;
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    CU_ASSERT_FATAL(rig_take_last(&rig, &peer, &segment));
    peer.ack = segment.seq + segment.payload_len;
    peer.window = 0;
    rig_send_flags(&rig, &peer, SEGMENT_ACK);
    lane_pair_advance(&rig.pair, 100);
    rig_drop_all(&rig);
    move_one();
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 0);
    CU_ASSERT(rig.conn->pcb->persist_backoff > 0);
    lane_pair_advance(&rig.pair, 1000);
    CU_ASSERT_FATAL(rig_take(&rig, &peer, &segment)); /* a probe */
    CU_ASSERT(segment.payload_len <= 1 && segment.seq - peer.ack <= 1);
    rig_drop_all(&rig);
    peer.window = 0xffff;
    rig_send_flags(&rig, &peer, SEGMENT_ACK);
    CU_ASSERT(rig_take(&rig, &peer, &segment) && segment.payload_len > 1000 && segment.seq == peer.ack);
    rig_fini(&rig);
}

/* A connection that moves between two retransmissions is not older for it. */
static void test_retransmitting(void)
{
    struct tcp_script peer = rig_peer(4, 3000);
    struct tcp_segment segment;

    rig_init(&rig, RIG_SOURCE);
    rig.source_bytes = 2000;
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    for (int i = 0; i < 500 && rig.conn->pcb->nrtx < 2; i++)
        lane_pair_advance(&rig.pair, 20);
    rig_drop_all(&rig);
    CU_ASSERT_EQUAL(rig.conn->pcb->nrtx, 2);
    move_one();
    CU_ASSERT_EQUAL(rig.conn->pcb->nrtx, 2);
    lane_pair_advance(&rig.pair, 100);
    CU_ASSERT_EQUAL_FATAL(rig.pair.stack.n_connections, 1);
    lane_pair_advance(&rig.pair, 30000);
    CU_ASSERT_FATAL(rig_take(&rig, &peer, &segment));
    CU_ASSERT(segment.seq == peer.ack && segment.payload_len > 0);
    rig_fini(&rig);
}

/* Only the buckets that were asked for go; a flow by its key; the rest stays and works. */
static void test_selection(void)
{
    struct lane_pair_config config;
    struct tcp_script peers[20];
    struct attach_export order = {.number = 3, .to = 1, .what = ATTACH_EXPORT_BUCKETS, .n_buckets = 1};
    uint32_t n_here = 0, n_there;

    rig_defaults(&config);
    config.n_buckets = 4;
    rig_start(&rig, RIG_ECHO, &config);
    for (uint16_t i = 0; i < 20; i++) {
        peers[i] = rig_peer(4, (uint16_t)(4000 + i));
        CU_ASSERT_FATAL(rig_open(&rig, &peers[i], 0, NULL));
    }
    for (uint32_t i = 0; i < rig.pair.stack.n_unused_idx; i++)
        n_here += (rig.pair.stack.conns[i].hash & 3) == 2;
    order.buckets[0] = 2;
    n_there = stack_export(&rig.pair.stack, &order);
    CU_ASSERT_EQUAL(n_there, n_here);
    CU_ASSERT(n_there > 0 && n_there < 20);
    lane_pair_turn(&rig.pair);
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 0);
    order.what = ATTACH_EXPORT_FLOW;
    order.number = 4;
    for (uint32_t i = 0; i < rig.pair.stack.n_unused_idx; i++) {
        if (rig.pair.stack.conns[i].pcb != NULL)
            memcpy(order.key, &rig.pair.stack.conns[i].key, sizeof(order.key));
    }
    CU_ASSERT_EQUAL(stack_export(&rig.pair.stack, &order), 1);
    CU_ASSERT_EQUAL(stack_export(&rig.pair.stack, &order), 0); /* it is gone */
    lane_pair_turn(&rig.pair);
    CU_ASSERT_EQUAL(rig.pair.stack.n_connections, 20 - n_there - 1);
    CU_ASSERT(rig.pair.stack.first_free == CONN_NONE); /* places and records stay until the release */
    stack_release(&rig.pair.stack, 4);
    lane_pair_turn(&rig.pair);
    CU_ASSERT(rig.pair.stack.first_free != CONN_NONE);
    CU_ASSERT_EQUAL(rig.pair.stack.zombie_head, CONN_NONE);
    CU_ASSERT_EQUAL(rig.n_closed, 0);
    rig.n_opened = rig.pair.stack.n_connections;
    rig_fini(&rig);
}

/* Several adopt from one: each takes what its buckets hold. */
static void test_shared(void)
{
    static _Atomic uint8_t bucket_worker[4] = {1, 7, 1, 7};
    struct attach_adopt order = {.exported = 7, .what = ATTACH_ADOPT_EXPORTED, .is_shared = 1};
    struct lane_pair_config config;
    struct stack_adoption adoption;
    struct segment source;
    struct tcp_script peer;
    uint32_t n_mine = 0;

    rig_defaults(&config);
    config.n_buckets = 4;
    config.bucket_worker = bucket_worker;
    rig_start(&rig, RIG_ECHO, &config);
    for (uint16_t i = 0; i < 20; i++) {
        peer = rig_peer(4, (uint16_t)(4000 + i));
        CU_ASSERT_FATAL(rig_open(&rig, &peer, 0, NULL));
    }
    for (uint32_t i = 0; i < rig.pair.stack.n_unused_idx; i++)
        n_mine += (rig.pair.stack.conns[i].hash & 1) == 0;
    rig_export_all(&rig, 7);
    source = rig_stop(&rig);
    rig_restart(&rig);
    CU_ASSERT(lane_pair_adopt(&rig.pair, &source, &order, &adoption));
    CU_ASSERT_EQUAL(adoption.n_adopted, n_mine);
    CU_ASSERT(lane_pair_adopt(&rig.pair, &source, &order, &adoption)); /* a second time changes nothing */
    CU_ASSERT_EQUAL(adoption.n_adopted, 0);
    CU_ASSERT_EQUAL(adoption.n_known, n_mine);
    order.exported = 6; /* an export that the segment does not speak of */
    CU_ASSERT(lane_pair_adopt(&rig.pair, &source, &order, &adoption));
    CU_ASSERT_EQUAL(adoption.n_adopted + adoption.n_known + adoption.n_bad, 0);
    segment_fini(&source);
    rig_fini(&rig);
}

static void test_refused(void)
{
    struct tcp_script peer = rig_open_one(&rig, RIG_ECHO, 4, 0);
    struct tcp_segment reply;

    rig.refuses_adoption = true;
    move_one();
    CU_ASSERT_FATAL(rig_take(&rig, &peer, &reply));
    CU_ASSERT((reply.flags & SEGMENT_RST) != 0);
    CU_ASSERT_EQUAL(rig.pair.stack.n_connections, 0);
    rig_fini(&rig);
}

/* Without memory for what it holds a flow is not taken, and nothing of it is left. */
static void test_no_memory(void)
{
    struct attach_adopt order = {.exported = 7, .what = ATTACH_ADOPT_EXPORTED};
    struct tcp_script peer = rig_open_one(&rig, RIG_HOLD, 4, RIG_OPTIONS_LINUX);
    struct stack_adoption adoption;
    struct segment source;
    void *eaten[4096];
    unsigned n_eaten = 0;

    rig_fill(bytes, 0, 1000);
    rig_send_data(&rig, &peer, bytes, 1000);
    rig_drop_all(&rig);
    rig_export_all(&rig, 7);
    source = rig_stop(&rig);
    rig_restart(&rig);
    while (n_eaten < 4096 && (eaten[n_eaten] = pool_malloc(POOL_MAX_BLOCK_BYTES)) != NULL)
        n_eaten++;
    for (size_t size = POOL_MAX_BLOCK_BYTES; size >= 64; size /= 2)
        while (n_eaten < 4096 && (eaten[n_eaten] = pool_malloc(size)) != NULL)
            n_eaten++;
    CU_ASSERT(lane_pair_adopt(&rig.pair, &source, &order, &adoption));
    CU_ASSERT_EQUAL(adoption.n_adopted, 0);
    CU_ASSERT_EQUAL(adoption.n_bad, 1);
    CU_ASSERT_EQUAL(lane_pair_counter(&rig.pair, WORKER_flows_import_memory), 1);
    while (n_eaten > 0)
        pool_free(eaten[--n_eaten]);
    lane_pair_turn(&rig.pair);
    CU_ASSERT_EQUAL(rig.pair.stack.n_connections, 0);
    CU_ASSERT(lane_pair_adopt(&rig.pair, &source, &order, &adoption)); /* now there is some */
    CU_ASSERT_EQUAL(adoption.n_adopted, 1);
    segment_fini(&source);
    rig_fini(&rig);
}

const char unit_suite_name[] = "worker/stack: moving connections";
const struct unit_test unit_tests[] = {
    {"an idle connection over IPv4 goes on, and nobody hears of the move", test_idle4},
    {"an idle connection over IPv6 goes on, and nobody hears of the move", test_idle6},
    {"a connection without options goes on", test_idle_plain},
    {"a stream moved in every round arrives whole and without a byte twice", test_bulk},
    {"the same in super-segments", test_bulk_super},
    {"a stream with a loss arrives whole", test_bulk_loss},
    {"bytes in flight keep their sequence numbers", test_in_flight},
    {"super-segments in flight are cut again, from the byte that is acknowledged", test_super_in_flight},
    {"what was received out of order stays received, FIN included", test_out_of_order},
    {"of too many ranges the first stay", test_many_ranges},
    {"the window never shrinks, and unread bytes move along", test_window},
    {"timestamps go on", test_timestamps},
    {"a shut window is still probed", test_zero_window},
    {"a connection in the middle of its retransmissions is not given up", test_retransmitting},
    {"only what was asked for is exported, and kept until the release", test_selection},
    {"of a shared export each takes its buckets, once", test_shared},
    {"a connection that no service wants is reset", test_refused},
    {"without memory a connection is not taken and nothing leaks", test_no_memory},
    {NULL, NULL},
};
