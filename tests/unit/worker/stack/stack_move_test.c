/* SPDX-License-Identifier: BSD-3-Clause */
/* stack_move_test.c — a connection that is handed over alive goes on as if nothing had happened. */
#include <lwip/priv/tcp_priv.h>
#include <string.h>

#include "tests/support/unit.h"
#include "tests/unit/worker/stack/stack_receiver.h"

static struct rig rig;

static struct tcp_script open_one(enum rig_consumer consumer, uint8_t family, unsigned options)
{
    struct tcp_script peer = rig_peer(family, 3000);

    rig_init(&rig, consumer);
    CU_ASSERT_FATAL(rig_open(&rig, &peer, options, NULL));
    rig_drop_all(&rig);
    return peer;
}

/* The connection moves, alone. */
static void move_one(void)
{
    struct stack_adoption adoption = rig_move(&rig);

    CU_ASSERT_EQUAL(adoption.n_adopted, 1);
    CU_ASSERT_EQUAL(adoption.n_bad, 0);
    CU_ASSERT_EQUAL(adoption.n_known, 0);
}

/* An echo of a few bytes works from where the stream stands. */
static void check_echo(struct tcp_script *peer)
{
    struct tcp_segment reply;

    rig_send_data(&rig, peer, "ping", 4);
    CU_ASSERT_FATAL(rig_take(&rig, peer, &reply));
    CU_ASSERT_EQUAL(reply.seq, peer->ack);
    CU_ASSERT_EQUAL(reply.ack, peer->seq);
    CU_ASSERT_EQUAL_FATAL(reply.payload_len, 4);
    CU_ASSERT(memcmp(reply.payload, "ping", 4) == 0);
    peer->ack += 4;
    rig_send_flags(&rig, peer, SEGMENT_ACK);
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 0);
}

static void check_idle(uint8_t family, unsigned options)
{
    struct tcp_script peer = open_one(RIG_ECHO, family, options);

    check_echo(&peer);
    move_one();
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 0); /* nobody hears of it */
    CU_ASSERT_EQUAL(rig.n_adopted, 1);
    check_echo(&peer);
    move_one();
    check_echo(&peer);
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

const char unit_suite_name[] = "worker/stack: moving connections";
const struct unit_test unit_tests[] = {
    {"an idle connection over IPv4 goes on, and nobody hears of the move", test_idle4},
    {"an idle connection over IPv6 goes on, and nobody hears of the move", test_idle6},
    {"a connection without options goes on", test_idle_plain},
    {NULL, NULL},
};
