/* SPDX-License-Identifier: BSD-3-Clause */
/* stack_recovery_test.c — what is lost is sent again: by SACK, by probe, by time-out; never a wrong byte. */
#include <lwip/priv/tcp_priv.h>

#include "tests/support/unit.h"
#include "tests/unit/worker/stack/stack_receiver.h"
#include "worker/stack/stack_internal.h"

#define STREAM_BYTES 600000u
#define PAYLOAD 1448u /* of a segment with timestamps */

static struct rig rig;
static struct receiver receiver;

/* A source of `n` bytes and a peer that receives them. */
static void start_source(uint64_t n, bool has_gso, unsigned options, bool closes)
{
    struct lane_pair_config config;
    struct tcp_script peer = rig_peer(4, 2000);

    rig_defaults(&config);
    config.has_gso = has_gso;
    rig_start(&rig, RIG_SOURCE, &config);
    rig.source_bytes = n;
    rig.source_closes = closes;
    CU_ASSERT_FATAL(rig_open(&rig, &peer, options, NULL));
    receiver_init(&receiver, &peer, options);
}

/* The same, closed behind the last byte; `has_gso`: in super-segments. */
static void start(uint64_t n, bool has_gso, unsigned options)
{
    start_source(n, has_gso, options, true);
}

/* Goes on for at most `ms`; true if the stream is complete, FIN included. */
static bool finish(uint32_t ms)
{
    receiver_drain(&rig, &receiver);
    for (uint32_t waited = 0; waited < ms && !receiver.has_fin; waited += 20) {
        lane_pair_advance(&rig.pair, 20);
        receiver_drain(&rig, &receiver);
    }
    return receiver.has_fin && receiver.n_contiguous == rig.source_bytes + 1;
}

static void end(void)
{
    receiver_fini(&receiver);
    rig_fini(&rig);
}

static uint64_t count(enum worker_counter which)
{
    return lane_pair_counter(&rig.pair, which);
}

static void test_lossless(void)
{
    start(STREAM_BYTES, false, RIG_OPTIONS_LINUX);
    CU_ASSERT(finish(0));
    CU_ASSERT_EQUAL(receiver.n_duplicates, 0);
    CU_ASSERT_EQUAL(receiver.n_super, 0);
    CU_ASSERT_EQUAL(receiver.max_payload, PAYLOAD);
    CU_ASSERT_EQUAL(count(WORKER_tx_timeouts) + count(WORKER_tx_fast_recoveries), 0);
    end();
}

static void test_lossless_super(void)
{
    start(STREAM_BYTES, true, RIG_OPTIONS_LINUX);
    CU_ASSERT(finish(0));
    CU_ASSERT_EQUAL(receiver.n_duplicates, 0);
    CU_ASSERT(receiver.n_super > 5);
    CU_ASSERT_EQUAL(receiver.max_payload, PAYLOAD);
    CU_ASSERT_EQUAL(count(WORKER_tx_recuts), 0);
    end();
}

static void check_losses(bool has_gso, unsigned options, const uint32_t *positions, uint32_t n)
{
    start(STREAM_BYTES, has_gso, options);
    for (uint32_t i = 0; i < n; i++)
        receiver_lose(&receiver, positions[i]);
    /* The clock stands still: whatever comes again does so without a time-out. */
    CU_ASSERT(finish(0));
    CU_ASSERT_EQUAL(receiver.n_lost, n);
    CU_ASSERT_EQUAL(count(WORKER_tx_timeouts), 0);
    CU_ASSERT(count(WORKER_tx_fast_recoveries) >= 1);
    end();
}

static void test_one_loss(void)
{
    const uint32_t position = 150000;

    check_losses(false, RIG_OPTIONS_LINUX, &position, 1);
}

static void test_one_loss_super(void)
{
    const uint32_t position = 150000;

    check_losses(true, RIG_OPTIONS_LINUX, &position, 1);
}

static void test_one_loss_sends_one(void)
{
    start(STREAM_BYTES, false, RIG_OPTIONS_LINUX);
    receiver_lose(&receiver, 150000);
    CU_ASSERT(finish(0));
    CU_ASSERT_EQUAL(receiver.n_duplicates, 0);
    end();
}

static const uint32_t several[] = {150000, 152000, 156000, 160000, 161500, 171000, 180000};

static void test_several_losses(void)
{
    check_losses(false, RIG_OPTIONS_LINUX, several, sizeof(several) / sizeof(several[0]));
}

static void test_several_losses_super(void)
{
    check_losses(true, RIG_OPTIONS_LINUX, several, sizeof(several) / sizeof(several[0]));
}

static void test_burst_loss(void)
{
    uint32_t positions[20];

    for (uint32_t i = 0; i < 20; i++)
        positions[i] = 150 * PAYLOAD + i * PAYLOAD;
    check_losses(false, RIG_OPTIONS_LINUX, positions, 20);
}

static void test_retransmission_lost(void)
{
    const uint32_t positions[] = {150000, 150000};

    start(STREAM_BYTES, false, RIG_OPTIONS_LINUX);
    receiver_lose(&receiver, positions[0]);
    receiver_lose(&receiver, positions[1]);
    CU_ASSERT(finish(2000));
    CU_ASSERT_EQUAL(receiver.n_lost, 2);
    end();
}

static void test_loss_without_sack(void)
{
    const uint32_t position = 150000;

    check_losses(true, RIG_OPTION_SCALE | RIG_OPTION_TIMESTAMP, &position, 1);
}

static void test_tail_loss_is_probed(void)
{
    start(100000, false, RIG_OPTIONS_LINUX);
    receiver_lose(&receiver, 99999);
    CU_ASSERT(finish(1000));
    CU_ASSERT(count(WORKER_tx_tail_probes) >= 1);
    CU_ASSERT_EQUAL(count(WORKER_tx_timeouts), 0);
    end();
}

static void test_time_out(bool has_gso)
{
    uint32_t before;

    start(STREAM_BYTES, has_gso, 0);
    receiver.is_silent = true;
    receiver_drain(&rig, &receiver);
    before = receiver.n_segments;
    CU_ASSERT_FATAL(before > 0 && !receiver.has_fin);
    for (uint32_t waited = 0; waited < 5000 && receiver.n_segments == before; waited += 20) {
        lane_pair_advance(&rig.pair, 20);
        receiver_take(&rig, &receiver);
    }
    CU_ASSERT(count(WORKER_tx_timeouts) >= 1);
    CU_ASSERT(receiver.n_duplicates >= 1);
    receiver.is_silent = false;
    CU_ASSERT(finish(60000));
    end();
}

static void test_time_out_real(void)
{
    test_time_out(false);
}

static void test_time_out_super(void)
{
    test_time_out(true);
}

/* Waits until the connection ends, the peer saying nothing; seconds, 2000 if it never does. */
static uint32_t seconds_until_given_up(uint32_t *longest_gap_ms)
{
    uint32_t ms = 0, sent_ms = 0;

    *longest_gap_ms = 0;
    receiver.is_silent = true;
    receiver_take(&rig, &receiver);
    for (; ms < 2000000 && rig.n_closed == 0; ms += 20) {
        lane_pair_advance(&rig.pair, 20);
        if (!receiver_take(&rig, &receiver))
            continue;
        if (ms - sent_ms > *longest_gap_ms)
            *longest_gap_ms = ms - sent_ms;
        sent_ms = ms;
    }
    CU_ASSERT_EQUAL(rig.n_closed, 1);
    CU_ASSERT_EQUAL(count(WORKER_connections_reset), 1);
    return ms / 1000;
}

static void check_dead_peer(void)
{
    uint32_t longest_gap_ms, seconds = seconds_until_given_up(&longest_gap_ms);

    CU_ASSERT(seconds >= 14 * 60 && seconds <= 16 * 60);
    CU_ASSERT(longest_gap_ms >= 30000 && longest_gap_ms <= 60020);
}

static void test_dead_peer_is_given_up(void)
{
    start(STREAM_BYTES, true, RIG_OPTIONS_LINUX);
    check_dead_peer();
    end();
}

/* The source has `n` bytes more. */
static void source_more(uint32_t n)
{
    rig.source_bytes += n;
    stack_mark_ready(&rig.pair.stack, rig.conn);
    lane_pair_turn(&rig.pair);
}

/* Its round trip was measured often, and is below a tick: lwIP's time-out is then a tick or two. */
static void test_dead_near_peer_is_given_up(void)
{
    start_source(1000, false, RIG_OPTIONS_LINUX, false);
    for (unsigned i = 0; i < 200; i++) {
        receiver_drain(&rig, &receiver);
        lane_pair_advance(&rig.pair, 20);
        source_more(1000);
    }
    CU_ASSERT(rig.conn->pcb->rto < 10);
    check_dead_peer();
    end();
}

/* Quiet for longer than a silent peer is waited for, then a loss: the wait begins with the loss. */
static void test_idle_time_is_not_silence(void)
{
    uint32_t longest_gap_ms, seconds;

    start_source(1000, false, RIG_OPTIONS_LINUX, false);
    receiver_drain(&rig, &receiver);
    lane_pair_advance(&rig.pair, 20 * 60 * 1000);
    CU_ASSERT_EQUAL_FATAL(rig.n_closed, 0);
    source_more(1000);
    seconds = seconds_until_given_up(&longest_gap_ms);
    CU_ASSERT(seconds >= 14 * 60 && seconds <= 16 * 60);
    end();
}

/* The same with the loss found, and what is sent again lost too, before the first tick after the quiet. */
static void test_loss_after_idle_time(void)
{
    start_source(1000, false, RIG_OPTIONS_LINUX, false);
    receiver_drain(&rig, &receiver);
    lane_pair_advance(&rig.pair, 20 * 60 * 1000);
    for (unsigned i = 0; i < 8; i++)
        receiver_lose(&receiver, 1500);
    rig.source_closes = true;
    source_more(8000);
    CU_ASSERT(finish(10 * 60 * 1000));
    CU_ASSERT_EQUAL(receiver.n_lost, 8);
    CU_ASSERT(count(WORKER_tx_fast_recoveries) >= 1);
    CU_ASSERT_EQUAL(count(WORKER_connections_reset), 0);
    end();
}

/* Many streams, each with losses of its own drawing. */
static void test_random_losses(void)
{
    uint32_t random = 12345;

    for (int round = 0; round < 30; round++) {
        start(STREAM_BYTES, round % 2 == 0, RIG_OPTIONS_LINUX);
        for (int i = 0; i < 40; i++) {
            random = random * 1664525u + 1013904223u;
            receiver_lose(&receiver, random % STREAM_BYTES);
        }
        CU_ASSERT(finish(30000));
        end();
    }
}

static void test_lies_in_sack(void)
{
    struct tcp_segment ack;

    start(STREAM_BYTES, true, RIG_OPTIONS_LINUX);
    receiver.is_silent = true;
    receiver_take(&rig, &receiver);
    /* Blocks beyond what was sent, below the ACK, inside out, of length zero. */
    ack = tcp_script_segment(&receiver.script, SEGMENT_ACK, NULL, 0);
    ack.ack = receiver.script.irs + 1;
    for (uint32_t i = 0; i < 4000; i++) {
        ack.n_sack = 3;
        ack.sack[0] = (struct tcp_script_sack){ack.ack + i * 999983u, ack.ack + i * 77777u};
        ack.sack[1] = (struct tcp_script_sack){ack.ack + i, ack.ack + i + 1};
        ack.sack[2] = (struct tcp_script_sack){ack.ack - i, ack.ack + 1};
        rig_send(&rig, &receiver.script, &ack);
        receiver_take(&rig, &receiver);
    }
    receiver.is_silent = false;
    CU_ASSERT(finish(60000));
    end();
}

static void test_fin_lost(void)
{
    start(3000, true, RIG_OPTIONS_LINUX);
    receiver_lose(&receiver, 3000); /* the place behind the last byte: the FIN's */
    CU_ASSERT(finish(1000));
    CU_ASSERT_EQUAL(receiver.n_lost, 1);
    end();
}

const char unit_suite_name[] = "worker/stack: loss recovery";
const struct unit_test unit_tests[] = {
    {"without loss nothing is sent twice", test_lossless},
    {"without loss super-segments leave whole and exact", test_lossless_super},
    {"one loss is repaired by SACK, without a time-out", test_one_loss},
    {"one loss in super-segments is repaired by SACK", test_one_loss_super},
    {"one loss sends one segment again and no other", test_one_loss_sends_one},
    {"several losses in a window are repaired by SACK", test_several_losses},
    {"several losses in super-segments are repaired by SACK", test_several_losses_super},
    {"twenty segments lost in a row are repaired by SACK", test_burst_loss},
    {"a retransmission that is lost too is repaired", test_retransmission_lost},
    {"without SACK three duplicate ACKs are enough", test_loss_without_sack},
    {"a lost tail is found by a probe, not by a time-out", test_tail_loss_is_probed},
    {"silence ends in a time-out and the stream goes on", test_time_out_real},
    {"silence after super-segments ends in a time-out and the stream goes on", test_time_out_super},
    {"a peer that is dead is given up after a quarter of an hour", test_dead_peer_is_given_up},
    {"so is one whose round trip was short", test_dead_near_peer_is_given_up},
    {"idle time is not silence", test_idle_time_is_not_silence},
    {"nor is it when a loss ends it", test_loss_after_idle_time},
    {"random losses never cost or change a byte", test_random_losses},
    {"SACK blocks that lie cost time at most", test_lies_in_sack},
    {"a lost FIN is sent again", test_fin_lost},
    {NULL, NULL},
};
