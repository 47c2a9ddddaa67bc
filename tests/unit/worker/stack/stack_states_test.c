/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stack_states_test.c — a connection changes its worker in every state of TCP, alive and by a crash, over
 * IPv4 and IPv6, and still comes to its proper end: no reset, no byte lost. Each state has a way in and a way
 * out; between the two the worker changes.
 */
#include <lwip/priv/tcp_priv.h>
#include <string.h>

#include "tests/support/unit.h"
#include "tests/unit/worker/stack/stack_rig.h"
#include "worker/stack/stack_internal.h"

#define SOURCE_BYTES 3000u /* three segments */

static struct rig rig;
static struct tcp_script peer;

/* Takes what has left; `fin` and `n_bytes` are of everything from the peer's ack on. */
struct heard {
    uint32_t n_bytes; /* contiguous from peer.ack */
    bool has_fin;
    uint32_t n_packets;
    uint32_t last_ack;
    uint16_t last_window;
};

static struct heard hear(void)
{
    struct tcp_segment segment;
    struct heard heard = {0};

    while (rig_take(&rig, &peer, &segment)) {
        uint32_t position = segment.seq - peer.ack;

        CU_ASSERT((segment.flags & SEGMENT_RST) == 0);
        heard.n_packets++;
        heard.last_ack = segment.ack;
        heard.last_window = segment.window;
        if (position == heard.n_bytes) {
            heard.n_bytes += segment.payload_len;
            heard.has_fin |= (segment.flags & SEGMENT_FIN) != 0;
        }
    }
    return heard;
}

/* Everything heard is acknowledged. */
static void acknowledge(struct heard heard)
{
    peer.ack += heard.n_bytes + (heard.has_fin ? 1 : 0);
    rig_send_flags(&rig, &peer, SEGMENT_ACK);
}

static void send_fin(void)
{
    rig_send_flags(&rig, &peer, SEGMENT_ACK | SEGMENT_FIN);
    peer.seq++;
}

static enum tcp_state state_now(void)
{
    struct conn *conn = NULL;

    for (uint32_t idx = 0; idx < rig.pair.stack.n_unused_idx; idx++) {
        if (rig.pair.stack.conns[idx].pcb != NULL)
            conn = &rig.pair.stack.conns[idx];
    }
    return conn == NULL ? CLOSED : conn->pcb->state;
}

static void open_as(enum rig_consumer consumer)
{
    rig.consumer = consumer;
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
}

/* What the source still owes is taken, whether it was sent before or comes again; then our end closes. */
static void finish_source(uint32_t n_bytes)
{
    struct heard heard = hear();

    for (int i = 0; i < 100 && !(heard.has_fin && heard.n_bytes == n_bytes); i++) {
        if (heard.n_bytes > 0) {
            peer.ack += heard.n_bytes;
            n_bytes -= heard.n_bytes;
            rig_send_flags(&rig, &peer, SEGMENT_ACK);
        }
        lane_pair_advance(&rig.pair, 100);
        heard = hear();
    }
    CU_ASSERT(heard.has_fin);
    CU_ASSERT_EQUAL(heard.n_bytes, n_bytes);
    acknowledge(heard);
}

static void finish_time_wait(void)
{
    CU_ASSERT_EQUAL(state_now(), TIME_WAIT);
    CU_ASSERT_EQUAL(rig.pair.stack.n_time_wait, 1);
    hear();
    peer.seq--;
    send_fin(); /* the ACK was lost */
    CU_ASSERT_EQUAL(hear().last_ack, peer.seq);
    lane_pair_advance(&rig.pair, 11000);
    CU_ASSERT_EQUAL(state_now(), CLOSED);
}

static void enter_syn_rcvd(void)
{
    struct tcp_segment syn = rig_syn(&peer, RIG_OPTIONS_LINUX), reply;

    rig.consumer = RIG_ECHO;
    rig_send(&rig, &peer, &syn);
    CU_ASSERT_FATAL(rig_take(&rig, &peer, &reply));
    peer.seq++;
    peer.irs = reply.seq;
    peer.ack = reply.seq + 1;
}

static void leave_syn_rcvd(void)
{
    /* After a crash the SYN|ACK comes again, the same. */
    struct tcp_segment reply;

    while (rig_take(&rig, &peer, &reply)) {
        CU_ASSERT_EQUAL(reply.flags, SEGMENT_SYN | SEGMENT_ACK);
        CU_ASSERT_EQUAL(reply.seq, peer.irs);
        CU_ASSERT_EQUAL(reply.ack, peer.seq);
        CU_ASSERT(reply.has_scale && reply.has_timestamp && reply.is_sack_permitted);
    }
    rig_send_flags(&rig, &peer, SEGMENT_ACK);
    CU_ASSERT_EQUAL(state_now(), ESTABLISHED);
    CU_ASSERT_EQUAL(rig.n_opened, 1);
    rig_send_data(&rig, &peer, "hello", 5);
    CU_ASSERT_EQUAL(hear().n_bytes, 5);
}

static void enter_established(void)
{
    rig.source_bytes = SOURCE_BYTES;
    rig.source_closes = false;
    open_as(RIG_SOURCE);
    CU_ASSERT_EQUAL(hear().n_bytes, SOURCE_BYTES);
}

static void leave_established(void)
{
    rig.source_closes = true;
    stack_mark_ready(&rig.pair.stack, rig.conn);
    lane_pair_turn(&rig.pair);
    finish_source(SOURCE_BYTES);
    CU_ASSERT_EQUAL(state_now(), FIN_WAIT_2);
}

static void enter_fin_wait_1(void)
{
    rig.source_bytes = SOURCE_BYTES;
    rig.source_closes = true;
    open_as(RIG_SOURCE);
    CU_ASSERT(hear().has_fin);
}

static void leave_fin_wait_1(void)
{
    finish_source(SOURCE_BYTES);
    CU_ASSERT_EQUAL(state_now(), FIN_WAIT_2);
    send_fin();
    finish_time_wait();
}

static void enter_fin_wait_1_blocked(void)
{
    rig.source_bytes = SOURCE_BYTES;
    rig.source_closes = true;
    peer.window = 10; /* 1280 bytes: some are sent, the rest and the FIN are queued or not even that */
    open_as(RIG_SOURCE);
}

static void leave_fin_wait_1_blocked(void)
{
    peer.window = 0xffff;
    rig_send_flags(&rig, &peer, SEGMENT_ACK);
    finish_source(SOURCE_BYTES);
    send_fin();
    finish_time_wait();
}

static void enter_fin_wait_2(void)
{
    enter_fin_wait_1();
    peer.ack += SOURCE_BYTES + 1;
    rig_send_flags(&rig, &peer, SEGMENT_ACK);
}

static void leave_fin_wait_2(void)
{
    /* Half-closed: data of the peer is still welcome. */
    rig_send_data(&rig, &peer, "more", 4);
    CU_ASSERT_EQUAL(hear().last_ack, peer.seq);
    send_fin();
    CU_ASSERT_EQUAL(hear().last_ack, peer.seq);
    finish_time_wait();
}

static void enter_close_wait(void)
{
    uint8_t bytes[1000];

    open_as(RIG_HOLD);
    rig_fill(bytes, 0, sizeof(bytes));
    rig_send_data(&rig, &peer, bytes, sizeof(bytes));
    send_fin();
    CU_ASSERT_EQUAL(hear().last_ack, peer.seq);
}

static void leave_close_wait(void)
{
    CU_ASSERT(rig.conn != NULL && fifo_used(&rig.conn->rx) == 1000);
    rig.is_reading = true;
    stack_mark_ready(&rig.pair.stack, rig.conn);
    lane_pair_turn(&rig.pair);
    CU_ASSERT_EQUAL(rig.n_read, 1000);
    CU_ASSERT_EQUAL(state_now(), LAST_ACK);
    acknowledge(hear());
    CU_ASSERT_EQUAL(state_now(), CLOSED);
}

static void enter_closing(void)
{
    enter_fin_wait_1();
    send_fin(); /* ours is not acknowledged */
    hear();
}

static void leave_closing(void)
{
    finish_source(SOURCE_BYTES);
    finish_time_wait();
}

static void enter_last_ack(void)
{
    open_as(RIG_SINK);
    send_fin();
    CU_ASSERT(hear().has_fin);
}

static void leave_last_ack(void)
{
    finish_source(0);
    CU_ASSERT_EQUAL(state_now(), CLOSED);
    /* A late segment of it: the peer must not be reset. */
    peer.seq--;
    send_fin();
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 0);
    CU_ASSERT_EQUAL(lane_pair_counter(&rig.pair, WORKER_rx_drop_tombstone), 1);
}

static void enter_time_wait(void)
{
    enter_fin_wait_2();
    send_fin();
    CU_ASSERT_EQUAL(hear().last_ack, peer.seq);
}

static const struct life {
    enum tcp_state state;
    void (*enter)(void);
    void (*leave)(void);
} lives[] = {
    {SYN_RCVD, enter_syn_rcvd, leave_syn_rcvd},
    {ESTABLISHED, enter_established, leave_established},
    {FIN_WAIT_1, enter_fin_wait_1, leave_fin_wait_1},
    {ESTABLISHED, enter_fin_wait_1_blocked, leave_fin_wait_1_blocked},
    {FIN_WAIT_2, enter_fin_wait_2, leave_fin_wait_2},
    {CLOSE_WAIT, enter_close_wait, leave_close_wait},
    {CLOSING, enter_closing, leave_closing},
    {LAST_ACK, enter_last_ack, leave_last_ack},
    {TIME_WAIT, enter_time_wait, finish_time_wait},
};
#define N_LIVES (sizeof(lives) / sizeof(lives[0]))

typedef struct stack_adoption change_fn(struct rig *rig);

static struct stack_adoption twice(struct rig *one)
{
    rig_move(one);
    return rig_crash(one);
}

static void check_life(const struct life *life, uint8_t family, change_fn *change, bool is_full)
{
    struct lane_pair_config config;
    struct stack_adoption adoption;

    peer = rig_peer(family, 3000);
    rig_defaults(&config);
    config.commits_facts = is_full;
    rig_start(&rig, RIG_ECHO, &config);
    life->enter();
    CU_ASSERT_EQUAL(state_now(), life->state);
    adoption = change(&rig);
    CU_ASSERT_EQUAL(adoption.n_adopted, 1);
    CU_ASSERT_EQUAL(adoption.n_bad, 0);
    CU_ASSERT_EQUAL(state_now(), life->state);
    life->leave();
    rig_fini(&rig);
}

static void check_lives(change_fn *change, bool is_full)
{
    for (unsigned i = 0; i < N_LIVES; i++) {
        check_life(&lives[i], 4, change, is_full);
        check_life(&lives[i], 6, change, is_full);
    }
}

static void test_move(void)
{
    check_lives(rig_move, false);
}

static void test_crash(void)
{
    check_lives(rig_crash, false);
}

static void test_crash_full(void)
{
    check_lives(rig_crash, true);
}

static void test_twice(void)
{
    check_lives(twice, false);
}

static struct stack_adoption back(struct rig *one)
{
    struct attach_adopt order = {.number = 8, .exported = 7, .what = ATTACH_ADOPT_EXPORTED};
    struct stack_adoption adoption;

    rig_export_all(one, order.exported);
    CU_ASSERT_EQUAL(one->pair.stack.n_connections, 0);
    CU_ASSERT(lane_pair_adopt(&one->pair, &one->pair.records, &order, &adoption));
    lane_pair_turn(&one->pair);
    stack_release(&one->pair.stack, order.exported);
    lane_pair_turn(&one->pair);
    /* `closed` will come once, for the two that were opened. */
    if (one->n_adopted > 0)
        one->n_opened--;
    return adoption;
}

static void test_back(void)
{
    check_lives(back, false);
}

const char unit_suite_name[] = "worker/stack: a change of workers in every state";
const struct unit_test unit_tests[] = {
    {"handed over alive, a connection in any state comes to its end", test_move},
    {"after a crash, a connection in any state comes to its end", test_crash},
    {"the same with facts in every commit", test_crash_full},
    {"handed over, and then its new worker dies", test_twice},
    {"exported, and adopted back by the exporter", test_back},
    {NULL, NULL},
};
