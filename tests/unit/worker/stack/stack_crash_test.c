/* SPDX-License-Identifier: BSD-3-Clause */
/* stack_crash_test.c — a connection whose worker dies goes on at another, from what was committed. */
#include <lwip/priv/tcp_priv.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/unit.h"
#include "tests/unit/worker/stack/stack_receiver.h"
#include "worker/stack/stack_internal.h"

#define STREAM_BYTES 1500000u
#define N_MANY 10000u

static struct rig rig;
static struct receiver receiver;
static uint8_t bytes[100000];

static void crash_one(void)
{
    struct stack_adoption adoption = rig_crash(&rig);

    CU_ASSERT_EQUAL(adoption.n_adopted, 1);
    CU_ASSERT_EQUAL(adoption.n_bad + adoption.n_known, 0);
}

static void check_idle(uint8_t family, unsigned options)
{
    struct tcp_script peer = rig_open_one(&rig, RIG_ECHO, family, options);

    rig_check_echo(&rig, &peer);
    crash_one();
    rig_drop_all(&rig);
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

/* After a crash the last ACK may be lost: it is said again. Who has long been silent stays so. */
static void test_speech(void)
{
    struct tcp_script peer = rig_open_one(&rig, RIG_ECHO, 4, RIG_OPTIONS_LINUX);
    struct tcp_segment reply;

    crash_one();
    CU_ASSERT_FATAL(rig_take(&rig, &peer, &reply));
    CU_ASSERT(reply.flags == SEGMENT_ACK && reply.payload_len == 0 && reply.ack == peer.seq);
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 0);
    lane_pair_advance(&rig.pair, 1100);
    crash_one();
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 0);
    rig_check_echo(&rig, &peer);
    rig_fini(&rig);
}

/* Where a worker can die in a turn, and how often: in each `every` rounds of the stream. */
struct fault {
    bool is_mid_turn;
    enum lane_pair_end end;
    unsigned every;
};

static void fail_worker(const struct fault *fault)
{
    if (fault->is_mid_turn)
        lane_pair_turn_until(&rig.pair, fault->end);
    crash_one();
}

/* A source's stream arrives whole, whatever its workers die of. */
static void check_sending(bool has_gso, const struct fault *fault)
{
    struct lane_pair_config config;
    struct tcp_script peer = rig_peer(4, 2000);
    unsigned n_crashes = 0;

    rig_defaults(&config);
    config.has_gso = has_gso;
    rig_start(&rig, RIG_SOURCE, &config);
    rig.source_bytes = STREAM_BYTES;
    rig.source_closes = true;
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    receiver_init(&receiver, &peer, RIG_OPTIONS_LINUX);
    for (unsigned round = 1; round < 3000 && !receiver.has_fin; round++) {
        receiver_take(&rig, &receiver);
        if (round % fault->every == 0 && rig.conn != NULL) {
            fail_worker(fault);
            n_crashes++;
        }
        lane_pair_advance(&rig.pair, 20);
    }
    CU_ASSERT(receiver.has_fin && receiver.n_contiguous == STREAM_BYTES + 1);
    CU_ASSERT(n_crashes > 3);
    CU_ASSERT_EQUAL(lane_pair_counter(&rig.pair, WORKER_connections_reset), 0);
    receiver_fini(&receiver);
    rig_fini(&rig);
}

static const struct fault between_turns = {.every = 3};
static const struct fault uncommitted = {true, LANE_PAIR_UNCOMMITTED, 3};
static const struct fault unpublished = {true, LANE_PAIR_UNPUBLISHED, 3};

static void test_sending(void)
{
    check_sending(false, &between_turns);
    check_sending(true, &between_turns);
}

static void test_sending_uncommitted(void)
{
    check_sending(false, &uncommitted);
    check_sending(true, &uncommitted);
}

static void test_sending_unpublished(void)
{
    check_sending(false, &unpublished);
    check_sending(true, &unpublished);
}

static void inject_range(const struct tcp_script *peer, uint32_t position, uint32_t n)
{
    struct tcp_segment segment = tcp_script_segment(peer, SEGMENT_ACK, bytes, n);

    rig_fill(bytes, position, n);
    segment.seq += position;
    rig_inject(&rig, peer, &segment);
}

/*
 * A peer sends and a worker echoes; each turn dies, and what the worker had taken is given to the next one
 * again. Nothing that was acknowledged is asked for again, and the echo is right to the byte.
 */
static void check_receiving(enum lane_pair_end end)
{
    struct tcp_script peer = rig_open_one(&rig, RIG_ECHO, 4, RIG_OPTIONS_LINUX);
    struct tcp_segment reply;
    uint32_t acked = 0, echoed = 0, base = peer.irs + 1;

    for (unsigned round = 0; round < 60; round++) {
        uint32_t from = acked;

        for (uint32_t i = 0; i < 5; i++)
            inject_range(&peer, from + i * 1000, 1000);
        lane_pair_turn_until(&rig.pair, end);
        CU_ASSERT_EQUAL(rig_drop_all(&rig), 0); /* nothing of it is to be seen */
        crash_one();
        for (uint32_t i = 0; i < 5; i++)
            inject_range(&peer, from + i * 1000, 1000); /* the frontend has it still */
        lane_pair_turn(&rig.pair);
        while (rig_take(&rig, &peer, &reply)) {
            CU_ASSERT((reply.flags & SEGMENT_RST) == 0);
            if (reply.ack - peer.seq > acked)
                acked = reply.ack - peer.seq;
            CU_ASSERT(rig_is_pattern(reply.payload, reply.seq - base, reply.payload_len));
            if (reply.seq - base == echoed)
                echoed += reply.payload_len;
        }
        CU_ASSERT_EQUAL(acked, from + 5000);
        CU_ASSERT_EQUAL(echoed, acked);
        peer.ack = base + echoed;
    }
    rig_fini(&rig);
}

static void test_receiving_uncommitted(void)
{
    check_receiving(LANE_PAIR_UNCOMMITTED);
}

static void test_receiving_unpublished(void)
{
    check_receiving(LANE_PAIR_UNPUBLISHED);
}

/* Every 8-byte store of the commit but the flips may have happened or not: the old turn counts. */
static void mix_commit(unsigned seed)
{
    struct records_segment *records = rig.pair.records.base;
    size_t n_bytes = (size_t)records->n_records * records->record_bytes;
    uint8_t *base = (uint8_t *)records + records->records_off;
    uint64_t *before = malloc(n_bytes);

    CU_ASSERT_PTR_NOT_NULL_FATAL(before);
    memcpy(before, base, n_bytes);
    stack_commit(&rig.pair.stack);
    srand(seed);
    for (size_t i = 0; i < n_bytes / sizeof(uint64_t); i++) {
        bool is_turn = i * sizeof(uint64_t) % records->record_bytes == 0;

        if (is_turn || rand() % 2 == 0)
            memcpy(base + i * sizeof(uint64_t), &before[i], sizeof(uint64_t));
    }
    free(before);
}

static void test_torn_commit(void)
{
    struct tcp_script peer = rig_open_one(&rig, RIG_ECHO, 6, RIG_OPTIONS_LINUX);
    struct tcp_segment reply;
    uint32_t base = peer.irs + 1;

    for (unsigned round = 0; round < 50; round++) {
        uint32_t from = round * 3000;

        inject_range(&peer, from, 3000 / 2);
        inject_range(&peer, from + 3000 / 2, 3000 / 2);
        lane_pair_turn_until(&rig.pair, LANE_PAIR_UNCOMMITTED);
        mix_commit(round);
        crash_one();
        rig_drop_all(&rig);
        inject_range(&peer, from, 3000 / 2);
        inject_range(&peer, from + 3000 / 2, 3000 / 2);
        lane_pair_turn(&rig.pair);
        while (rig_take(&rig, &peer, &reply)) {
            CU_ASSERT((reply.flags & SEGMENT_RST) == 0);
            CU_ASSERT(rig_is_pattern(reply.payload, reply.seq - base, reply.payload_len));
            peer.ack = reply.seq + reply.payload_len;
        }
        CU_ASSERT_EQUAL(peer.ack, base + from + 3000);
        CU_ASSERT_EQUAL(reply.ack, peer.seq + from + 3000);
    }
    rig_fini(&rig);
}

static void close_one(struct tcp_script *peer)
{
    rig_send_flags(&rig, peer, SEGMENT_ACK | SEGMENT_FIN);
    peer->seq++;
    rig_drop_all(&rig);
    peer->ack++;
    rig_send_flags(&rig, peer, SEGMENT_ACK);
    CU_ASSERT_EQUAL(rig.pair.stack.n_connections, 0);
}

static void test_ghost(void)
{
    struct tcp_script peer = rig_open_one(&rig, RIG_ECHO, 4, RIG_OPTIONS_LINUX);

    close_one(&peer);
    CU_ASSERT_EQUAL(rig_crash(&rig).n_adopted, 0);
    /* A late segment finds the tombstone, which has come along. */
    rig_send_flags(&rig, &peer, SEGMENT_ACK);
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 0);
    CU_ASSERT_EQUAL(lane_pair_counter(&rig.pair, WORKER_rx_drop_tombstone), 1);
    lane_pair_advance(&rig.pair, FLOW_TOMBSTONE_LIFE_MS);
    rig_send_flags(&rig, &peer, SEGMENT_ACK);
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 1); /* by now it is a stranger */
    rig_fini(&rig);
}

/* A record that is adopted late, when its connection has lived on here and was closed: it stays closed. */
static void test_closed_since(void)
{
    struct attach_adopt order = {.what = ATTACH_ADOPT_DEAD};
    struct tcp_script peer = rig_open_one(&rig, RIG_ECHO, 4, RIG_OPTIONS_LINUX);
    struct stack_adoption adoption;
    struct segment estate = rig_stop(&rig);

    rig_restart(&rig);
    CU_ASSERT(lane_pair_adopt(&rig.pair, &estate, &order, &adoption));
    lane_pair_turn(&rig.pair);
    close_one(&peer);
    CU_ASSERT(lane_pair_adopt(&rig.pair, &estate, &order, &adoption));
    CU_ASSERT_EQUAL(adoption.n_adopted, 0);
    CU_ASSERT_EQUAL(adoption.n_known, 1);
    segment_fini(&estate);
    rig_fini(&rig);
}

/* The same 4-tuple opened anew, right after it was closed, is a connection like any other. */
static void test_reborn(void)
{
    struct tcp_script peer = rig_open_one(&rig, RIG_ECHO, 4, 0), again = rig_peer(4, 3000);

    close_one(&peer);
    lane_pair_advance(&rig.pair, 20);
    again.seq += 100000;
    CU_ASSERT_FATAL(rig_open(&rig, &again, 0, NULL));
    rig_drop_all(&rig);
    rig_check_echo(&rig, &again);
    crash_one();
    rig_drop_all(&rig);
    rig_check_echo(&rig, &again);
    rig_fini(&rig);
}

/* What was handed over and confirmed is not the dead one's any more; what was not confirmed is. */
static void test_exports_done(void)
{
    struct attach_adopt order = {.what = ATTACH_ADOPT_DEAD, .exports_done = 7};
    struct tcp_script peer = rig_open_one(&rig, RIG_ECHO, 4, RIG_OPTIONS_LINUX);
    struct stack_adoption adoption;
    struct segment estate;

    CU_ASSERT_EQUAL(rig_export_all(&rig, 7), 1);
    estate = rig_stop(&rig);
    rig_restart(&rig);
    CU_ASSERT(lane_pair_adopt(&rig.pair, &estate, &order, &adoption));
    CU_ASSERT_EQUAL(adoption.n_adopted, 0);
    order.exports_done = 6;
    CU_ASSERT(lane_pair_adopt(&rig.pair, &estate, &order, &adoption));
    CU_ASSERT_EQUAL(adoption.n_adopted, 1);
    segment_fini(&estate);
    lane_pair_turn(&rig.pair);
    rig_drop_all(&rig);
    rig_check_echo(&rig, &peer);
    rig_fini(&rig);
}

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
    crash_one();
    CU_ASSERT_FATAL(rig_take_last(&rig, &peer, &reply));
    CU_ASSERT(reply.ack + ((uint32_t)(reply.window + 1) << TCP_RCV_SCALE) > right_edge);
    rig.is_reading = true;
    stack_mark_ready(&rig.pair.stack, rig.conn);
    lane_pair_turn(&rig.pair);
    CU_ASSERT_EQUAL(rig.n_read, 400000);
    CU_ASSERT_EQUAL(rig.n_bad_read, 0);
    rig_fini(&rig);
}

/* Out-of-order data is given up by a crash, and asked for again. */
static void test_out_of_order(void)
{
    struct tcp_script peer = rig_open_one(&rig, RIG_SINK, 4, RIG_OPTIONS_LINUX);
    struct tcp_segment reply;

    inject_range(&peer, 1000, 1000);
    lane_pair_turn(&rig.pair);
    crash_one();
    rig_drop_all(&rig);
    inject_range(&peer, 0, 1000);
    lane_pair_turn(&rig.pair);
    CU_ASSERT_FATAL(rig_take_last(&rig, &peer, &reply));
    CU_ASSERT_EQUAL(reply.ack, peer.seq + 1000);
    CU_ASSERT_EQUAL(reply.n_sack, 0);
    rig_fini(&rig);
}

/* A window that was shut is not sent into, but probed. */
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
    rig_drop_all(&rig);
    crash_one();
    lane_pair_advance(&rig.pair, 1000);
    while (rig_take(&rig, &peer, &segment))
        CU_ASSERT(segment.payload_len <= 1);
    peer.window = 0xffff;
    rig_send_flags(&rig, &peer, SEGMENT_ACK);
    CU_ASSERT(rig_take(&rig, &peer, &segment) && segment.payload_len > 1000 && segment.seq == peer.ack);
    rig_fini(&rig);
}

/* The peer acknowledges more than the record knows of: everything was said by the dead worker. */
static void test_ack_beyond(void)
{
    struct tcp_script peer = rig_peer(4, 3000);
    struct tcp_segment segment;

    rig_init(&rig, RIG_SOURCE);
    rig.source_bytes = 3000;
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    CU_ASSERT_FATAL(rig_take_last(&rig, &peer, &segment));
    crash_one();
    rig_drop_all(&rig);
    peer.ack = segment.seq + segment.payload_len;
    rig_send_flags(&rig, &peer, SEGMENT_ACK);
    CU_ASSERT_EQUAL(rig.conn->pcb->lastack, peer.ack);
    CU_ASSERT_PTR_NULL(rig.conn->pcb->unacked);
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 0);
    rig_fini(&rig);
}

static void test_many(void)
{
    struct lane_pair_config config;
    struct tcp_script peer;

    rig_defaults(&config);
    config.max_connections = N_MANY;
    config.n_buckets = 4096;
    rig_start(&rig, RIG_ECHO, &config);
    for (uint16_t i = 0; i < N_MANY; i++) {
        peer = rig_peer(4, (uint16_t)(5000 + i));
        CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    }
    rig_drop_all(&rig);
    lane_pair_advance(&rig.pair, 1200);
    CU_ASSERT_EQUAL(rig_crash(&rig).n_adopted, N_MANY);
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 0);
    rig_check_echo(&rig, &peer);
    rig_fini(&rig);
}

/* One record of many cannot be trusted: its flow alone is lost, counted, and reset when its peer speaks. */
static void test_one_bad(void)
{
    struct attach_adopt order = {.what = ATTACH_ADOPT_DEAD};
    struct stack_adoption adoption;
    struct tcp_script peers[3];
    struct tcp_segment reply;
    struct segment estate;
    struct records_segment *records;
    struct flow_record *record;

    rig_init(&rig, RIG_ECHO);
    for (uint16_t i = 0; i < 3; i++) {
        peers[i] = rig_peer(4, (uint16_t)(4000 + i));
        CU_ASSERT_FATAL(rig_open(&rig, &peers[i], 0, NULL));
    }
    rig_drop_all(&rig);
    estate = rig_stop(&rig);
    records = estate.base;
    record = (struct flow_record *)(void *)((uint8_t *)records + records->records_off) + 1;
    record->cursors[0].rx_written = record->cursors[1].rx_written = 1u << 30;
    rig_restart(&rig);
    CU_ASSERT(lane_pair_adopt(&rig.pair, &estate, &order, &adoption));
    CU_ASSERT_EQUAL(adoption.n_adopted, 2);
    CU_ASSERT_EQUAL(adoption.n_bad, 1);
    CU_ASSERT_EQUAL(lane_pair_counter(&rig.pair, WORKER_flows_import_bad), 1);
    segment_fini(&estate);
    lane_pair_turn(&rig.pair);
    rig_drop_all(&rig);
    rig_check_echo(&rig, &peers[0]);
    rig_check_echo(&rig, &peers[2]);
    rig_send_flags(&rig, &peers[1], SEGMENT_ACK);
    CU_ASSERT(rig_take(&rig, &peers[1], &reply) && (reply.flags & SEGMENT_RST) != 0);
    rig_fini(&rig);
}

/* What the fault handler would say: the frame in hand, and none outside of frames. */
static void test_suspect(void)
{
    rig_open_one(&rig, RIG_ECHO, 4, 0);
    CU_ASSERT(rig.suspect != WORKER_NO_SUSPECT);
    CU_ASSERT_EQUAL(atomic_load_explicit(&rig.pair.suspect, memory_order_relaxed), WORKER_NO_SUSPECT);
    rig_fini(&rig);
}

static void test_reset_flow(void)
{
    struct tcp_script peer = rig_open_one(&rig, RIG_ECHO, 4, 0);
    struct flow_key key = rig.conn->key;
    struct tcp_segment reply;

    CU_ASSERT(stack_reset_flow(&rig.pair.stack, &key));
    CU_ASSERT(!stack_reset_flow(&rig.pair.stack, &key));
    lane_pair_turn(&rig.pair);
    CU_ASSERT(rig_take(&rig, &peer, &reply) && (reply.flags & SEGMENT_RST) != 0);
    rig_fini(&rig);
}

static void test_frontend_gone(void)
{
    struct tcp_script peer = rig_open_one(&rig, RIG_SINK, 4, RIG_OPTIONS_LINUX);

    inject_range(&peer, 1000, 1000);
    lane_pair_turn(&rig.pair);
    CU_ASSERT_EQUAL(rig.pair.frames.n_held, 1);
    stack_drop_held_frames(&rig.pair.stack);
    CU_ASSERT_EQUAL(rig.pair.frames.n_held, 0);
    inject_range(&peer, 0, 1000);
    inject_range(&peer, 1000, 1000);
    lane_pair_turn(&rig.pair);
    CU_ASSERT_EQUAL(rig.n_read, 2000);
    rig_fini(&rig);
}

const char unit_suite_name[] = "worker/stack: connections of a dead worker";
const struct unit_test unit_tests[] = {
    {"an idle connection over IPv4 goes on", test_idle4},
    {"an idle connection over IPv6 goes on", test_idle6},
    {"a connection without options goes on", test_idle_plain},
    {"an adopted connection acknowledges, unless it was long silent", test_speech},
    {"a stream whose workers die between turns arrives whole", test_sending},
    {"a stream whose workers die before a commit arrives whole", test_sending_uncommitted},
    {"a stream whose workers die before a publish arrives whole", test_sending_unpublished},
    {"input replayed after a death before the commit is taken as new", test_receiving_uncommitted},
    {"input replayed after a death behind the commit is a duplicate", test_receiving_unpublished},
    {"a commit that was torn anywhere before its flip has not happened", test_torn_commit},
    {"a closed connection is not resurrected, and its late segments get no reset", test_ghost},
    {"a connection closed since is not taken from an old record", test_closed_since},
    {"a 4-tuple opened anew is adopted despite its tombstone", test_reborn},
    {"what was handed over is adopted unless the hand-over was completed", test_exports_done},
    {"the window does not shrink, and unread bytes survive", test_window},
    {"what was held out of order is asked for again", test_out_of_order},
    {"a shut window is not sent into", test_zero_window},
    {"an ACK of what only the dead worker had sent counts", test_ack_beyond},
    {"ten thousand idle connections are adopted in silence", test_many},
    {"a record that lies costs its own connection alone", test_one_bad},
    {"the frame in hand is noted, and only while it is", test_suspect},
    {"a flow can be reset by its key", test_reset_flow},
    {"frames of a dead frontend are given up", test_frontend_gone},
    {NULL, NULL},
};
