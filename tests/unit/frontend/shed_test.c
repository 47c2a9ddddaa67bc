/* SPDX-License-Identifier: BSD-3-Clause */
/* shed_test.c — promises of refusing: who is refused, how, and who never is; and that it ends by itself. */
#include <string.h>

#include "base/clock.h"
#include "frontend/nic/memory.h"
#include "frontend/wire.h"
#include "tests/support/frame.h"
#include "tests/support/unit.h"
#include "tests/unit/frontend/move_rig.h"

const char unit_suite_name[] = "frontend/shed";

#define LINK 14u
#define IP4_TCP (LINK + 20u)
#define IP6_TCP (LINK + 40u)
#define RING_SLOTS 64u
#define URGENT_TOS 0xb8u /* EF */

static struct rig rig;

/* Two workers, of which `bucket_worker` has every bucket. */
static void setup(uint8_t bucket_worker)
{
    rig_init(&rig, 64);
    CU_ASSERT_EQUAL(config_address_parse("fd77::2/64", &rig.frontend.addresses.addresses[1]), 0);
    rig.frontend.addresses.n_addresses = 2;
    rig_attach(&rig, 0, RING_SLOTS);
    rig_attach(&rig, 1, RING_SLOTS);
    rig_settle(&rig);
    for (uint32_t i = 0; i < rig.frontend.buckets.n_buckets; i++)
        rig.frontend.buckets.worker[i] = bucket_worker;
}

static void order(const struct board_shed *order)
{
    struct board_shed copy = *order;

    if (copy.lease_ms == 0)
        copy.lease_ms = 5000;
    board_shed_set(&rig.frontend.board, &copy);
    shed_update(&rig.frontend);
}

static struct frame make(uint8_t family, uint8_t flags, uint16_t port, uint32_t seq)
{
    struct frame frame;

    frame_begin(&frame, family == 4 ? 0x0800 : 0x86dd);
    if (family == 4)
        frame_put_ip4(&frame, 6);
    else
        frame_put_ip6(&frame, 6);
    frame_put_tcp(&frame, flags, "\2\4\5\264", 4);
    wire_put16(frame.bytes + frame.transport_off, port);
    wire_put32(frame.bytes + frame.transport_off + 4, seq);
    memcpy(frame.bytes, rig.frontend.nic.mac, 6);
    frame_finish(&frame);
    return frame;
}

static void receive(const struct frame *frame)
{
    static uint8_t bytes[NIC_VNET_BYTES + FRAME_MAX_BYTES];
    struct iovec part = {bytes, NIC_VNET_BYTES + frame->len_bytes};

    memset(bytes, 0, NIC_VNET_BYTES);
    memcpy(bytes + NIC_VNET_BYTES, frame->bytes, frame->len_bytes);
    CU_ASSERT_EQUAL(nic_memory_inject(&rig.frontend.nic, &part, 1), 1);
    CU_ASSERT(frontend_receive(&rig.frontend));
}

/* The one frame that has left, without what is for the NIC; its length, 0: none. */
static uint32_t take(uint8_t bytes[128])
{
    struct iovec frames[2];
    unsigned n = nic_memory_take(&rig.frontend.nic, frames, 2);
    uint32_t len_bytes = 0;

    CU_ASSERT(n <= 1);
    if (n == 1 && frames[0].iov_len <= NIC_VNET_BYTES + 128) {
        len_bytes = (uint32_t)(frames[0].iov_len - NIC_VNET_BYTES);
        memcpy(bytes, (uint8_t *)frames[0].iov_base + NIC_VNET_BYTES, len_bytes);
    }
    nic_memory_release(&rig.frontend.nic);
    return len_bytes;
}

static uint64_t nic_count(enum nic_counter which)
{
    return counter_get(rig.frontend.board.nic, which);
}

/* Frames that worker `slot` was given since the last call. */
static uint64_t given(uint8_t slot)
{
    static uint64_t seen[2];
    uint64_t now = counter_get(rig.frontend.board.lanes[slot].counters, LANE_rx_frames), before = seen[slot];

    seen[slot] = now;
    return now - before;
}

static void forget_given(void)
{
    (void)given(0);
    (void)given(1);
}

/* A SYN of its own port each time; true if a worker got it. */
static bool is_taken(uint8_t slot)
{
    static uint16_t port = 40000;
    struct frame syn = make(4, FRAME_SYN, port++, 1000);

    forget_given();
    receive(&syn);
    return given(slot) == 1;
}

static void test_reset_is_that_of_a_closed_port(void)
{
    static const uint8_t families[] = {4, 6};
    uint8_t bytes[128];

    for (unsigned i = 0; i < 2; i++) {
        uint32_t tcp_off = families[i] == 4 ? IP4_TCP : IP6_TCP;
        struct frame syn, reset = {.protocol = 6, .transport_off = tcp_off};

        setup(0);
        order(&(struct board_shed){.is_all = true, .step = 2});
        syn = make(families[i], FRAME_SYN | FRAME_FIN, 40001, 0xfffffffe);
        frame_put(&syn, "four", 4);
        frame_finish(&syn);
        receive(&syn);
        CU_ASSERT_EQUAL_FATAL(take(bytes), tcp_off + 20);
        memcpy(reset.bytes, bytes, tcp_off + 20);
        reset.len_bytes = tcp_off + 20;
        CU_ASSERT_EQUAL(memcmp(bytes, frame_peer_mac, 6), 0);
        CU_ASSERT_EQUAL(memcmp(bytes + 6, rig.frontend.nic.mac, 6), 0);
        CU_ASSERT_EQUAL(wire_get16(bytes + tcp_off), FRAME_OUR_PORT);
        CU_ASSERT_EQUAL(wire_get16(bytes + tcp_off + 2), 40001);
        CU_ASSERT_EQUAL(wire_get32(bytes + tcp_off + 4), 0);
        /* 0xfffffffe + SYN + FIN + four bytes */
        CU_ASSERT_EQUAL(wire_get32(bytes + tcp_off + 8), 4);
        CU_ASSERT_EQUAL(bytes[tcp_off + 13], FRAME_RST | FRAME_ACK);
        CU_ASSERT_EQUAL(frame_transport_checksum(&reset), 0);
        if (families[i] == 4)
            CU_ASSERT_EQUAL(frame_checksum(0, bytes + LINK, 20), 0);
        CU_ASSERT_EQUAL(nic_count(NIC_shed_all_reset), 1);
        rig_fini(&rig);
    }
}

static void test_silence_says_nothing(void)
{
    uint8_t bytes[128];

    setup(0);
    order(&(struct board_shed){.is_all = true, .is_silent = true});
    CU_ASSERT(!is_taken(0));
    CU_ASSERT_EQUAL(take(bytes), 0);
    CU_ASSERT_EQUAL(nic_count(NIC_shed_all_silent), 1);
    rig_fini(&rig);
}

static void test_others_take_what_one_does_not(void)
{
    struct frame syn, next;

    setup(0);
    order(&(struct board_shed){.lane_mask = 1u << 0, .step = 1});
    syn = make(4, FRAME_SYN, 41000, 700);
    next = make(4, FRAME_ACK, 41000, 701);
    forget_given();
    receive(&syn);
    receive(&next);
    receive(&syn); /* once more: it was lost on the way back */
    CU_ASSERT_EQUAL(given(1), 3);
    CU_ASSERT_EQUAL(counter_get(rig.frontend.board.lanes[0].counters, LANE_rx_steered), 1);
    /* The other one is told the same: there is nobody left. */
    order(&(struct board_shed){.lane_mask = 3, .step = 1});
    CU_ASSERT(!is_taken(0));
    CU_ASSERT_EQUAL(nic_count(NIC_shed_worker_reset), 1);
    /* But the one that was let in goes on. */
    forget_given();
    receive(&syn);
    receive(&next);
    CU_ASSERT_EQUAL(given(1), 2);
    rig_fini(&rig);
}

static void test_established_and_urgent_pass(void)
{
    struct frame segment, urgent, both;
    uint8_t bytes[128];

    setup(0);
    order(&(struct board_shed){.is_all = true, .lane_mask = 3});
    forget_given();
    segment = make(4, FRAME_ACK, 42000, 5000);
    receive(&segment);
    urgent = make(4, FRAME_SYN, 42001, 5000);
    urgent.bytes[LINK + 1] = URGENT_TOS;
    frame_fix_ip4_checksum(&urgent);
    receive(&urgent);
    both = make(4, FRAME_SYN | FRAME_RST, 42002, 5000); /* the worker's to drop */
    receive(&both);
    CU_ASSERT_EQUAL(given(0), 3);
    CU_ASSERT_EQUAL(take(bytes), 0);
    rig_fini(&rig);
}

/* The peer has an established connection, and somebody sends SYNs in its name. */
static void test_a_forged_syn_leads_nobody_away(void)
{
    struct frame syn, segment;

    setup(0);
    rig.frontend.lanes[0].rx[LANE_NORMAL].is_congested = true;
    syn = make(4, FRAME_SYN, 43000, 0x10000000);
    forget_given();
    receive(&syn);
    CU_ASSERT_EQUAL(given(1), 1);
    for (uint32_t i = 0; i < 16; i++) {
        segment = make(4, FRAME_ACK, 43000, 0x20000000 + i * 1460);
        receive(&segment);
        rig.frontend.lanes[0].rx[LANE_NORMAL].is_congested = true;
    }
    CU_ASSERT_EQUAL(given(0), 16);
    CU_ASSERT_EQUAL(given(1), 0);
    rig_fini(&rig);
}

static void test_wrong_checksum_is_not_answered(void)
{
    uint8_t bytes[128];
    struct frame syn;

    setup(0);
    order(&(struct board_shed){.is_all = true});
    syn = make(4, FRAME_SYN, 44000, 1);
    syn.bytes[syn.transport_off + 4] ^= 1;
    receive(&syn);
    CU_ASSERT_EQUAL(take(bytes), 0);
    CU_ASSERT_EQUAL(nic_count(NIC_shed_all_silent), 1);
    rig_fini(&rig);
}

static void test_resets_are_bounded(void)
{
    uint8_t bytes[128];

    setup(0);
    order(&(struct board_shed){.is_all = true});
    for (unsigned i = 0; i < SHED_RESETS_PER_S + 100; i++) {
        (void)is_taken(0);
        (void)take(bytes);
    }
    CU_ASSERT_EQUAL(nic_count(NIC_shed_all_reset), SHED_RESETS_PER_S);
    CU_ASSERT_EQUAL(nic_count(NIC_shed_reset_limited), 100);
    CU_ASSERT_EQUAL(nic_count(NIC_shed_all_silent), 100);
    rig.frontend.now_ns += CLOCK_NS_PER_S / 10;
    for (unsigned i = 0; i < SHED_RESETS_PER_S; i++) {
        (void)is_taken(0);
        (void)take(bytes);
    }
    CU_ASSERT_EQUAL(nic_count(NIC_shed_all_reset), SHED_RESETS_PER_S + SHED_RESETS_PER_S / 10);
    rig_fini(&rig);
}

static uint64_t told(_Atomic uint64_t *gauge)
{
    return atomic_load(gauge);
}

static void test_an_order_ends_unless_it_is_renewed(void)
{
    struct host_segment *host;
    struct board_shed all = {.is_all = true, .step = 3, .idle_s = 30, .lease_ms = 3000};

    setup(0);
    host = rig.frontend.host_segment.base;
    order(&all);
    CU_ASSERT_EQUAL(atomic_load(&host->short_idle_s), 30);
    CU_ASSERT_EQUAL(told(&rig.frontend.board.degrade_step), 3);
    for (unsigned i = 0; i < 5; i++) {
        rig.frontend.now_ns += 2900 * CLOCK_NS_PER_MS;
        order(&all); /* the very same again */
    }
    CU_ASSERT(!is_taken(0));
    rig.frontend.now_ns += 2999 * CLOCK_NS_PER_MS;
    shed_update(&rig.frontend);
    CU_ASSERT(!is_taken(0));
    rig.frontend.now_ns += CLOCK_NS_PER_MS;
    shed_update(&rig.frontend);
    CU_ASSERT(is_taken(0));
    CU_ASSERT_EQUAL(atomic_load(&host->short_idle_s), 0);
    CU_ASSERT_EQUAL(told(&rig.frontend.board.degrade_step), 0);
    CU_ASSERT_EQUAL(told(&rig.frontend.board.shed_all), 0);
    rig_fini(&rig);
}

static void test_an_order_of_nothing_ends_it_at_once(void)
{
    setup(0);
    order(&(struct board_shed){.is_all = true});
    CU_ASSERT(!is_taken(0));
    order(&(struct board_shed){0});
    CU_ASSERT(is_taken(0));
    rig_fini(&rig);
}

static void test_every_field_of_an_order_arrives(void)
{
    static const struct board_shed orders[] = {
        {.lane_mask = 0xffff, .idle_s = 0xffff, .lease_ms = 60000, .step = 7, .is_all = 1, .is_silent = 1},
        {.lane_mask = 0x8001, .lease_ms = 1},
        {.idle_s = 300, .lease_ms = 5000, .step = 3, .is_silent = true},
    };
    struct board_shed taken;
    struct board board;
    uint64_t seen = 0;

    CU_ASSERT_EQUAL_FATAL(board_init(&board, 64), 0);
    CU_ASSERT(!board_shed_take(&board, &seen, &taken));
    for (unsigned i = 0; i < 3; i++) {
        board_shed_set(&board, &orders[i]);
        CU_ASSERT_FATAL(board_shed_take(&board, &seen, &taken));
        CU_ASSERT_EQUAL(taken.lane_mask, orders[i].lane_mask);
        CU_ASSERT_EQUAL(taken.idle_s, orders[i].idle_s);
        CU_ASSERT_EQUAL(taken.lease_ms, orders[i].lease_ms);
        CU_ASSERT_EQUAL(taken.step, orders[i].step);
        CU_ASSERT_EQUAL(taken.is_all, orders[i].is_all);
        CU_ASSERT_EQUAL(taken.is_silent, orders[i].is_silent);
        CU_ASSERT(!board_shed_take(&board, &seen, &taken));
    }
    /* The same again is another one, however often. */
    for (unsigned i = 0; i < 5000; i++) {
        board_shed_set(&board, &orders[0]);
        CU_ASSERT(board_shed_take(&board, &seen, &taken));
    }
    board_fini(&board);
}

const struct unit_test unit_tests[] = {
    {"the reset is that of a closed port", test_reset_is_that_of_a_closed_port},
    {"silence says nothing", test_silence_says_nothing},
    {"what one worker does not take goes to others, and is refused where there is none",
     test_others_take_what_one_does_not},
    {"established connections and urgent traffic pass", test_established_and_urgent_pass},
    {"a forged SYN leads no established connection away", test_a_forged_syn_leads_nobody_away},
    {"a SYN with a wrong checksum is not answered", test_wrong_checksum_is_not_answered},
    {"no more resets than the rate allows", test_resets_are_bounded},
    {"an order ends unless it is renewed", test_an_order_ends_unless_it_is_renewed},
    {"an order of nothing ends it at once", test_an_order_of_nothing_ends_it_at_once},
    {"every field of an order arrives, and the same order again", test_every_field_of_an_order_arrives},
    {NULL, NULL},
};
