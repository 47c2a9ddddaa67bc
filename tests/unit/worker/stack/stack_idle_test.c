/* SPDX-License-Identifier: BSD-3-Clause */
/* stack_idle_test.c — promises of the idle limit: who is closed, when, and who never is. */
#include "tests/support/unit.h"
#include "tests/unit/worker/stack/stack_rig.h"

const char unit_suite_name[] = "stack/idle";

#define LIMIT_S 5u
#define SWEEP_MS 2500u /* everybody was looked at in that time */

static struct rig rig;

/* True if our FIN has left; what else has is dropped. */
static bool has_closed(struct tcp_script *peer)
{
    struct tcp_segment segment;
    bool has_fin = false;

    while (rig_take(&rig, peer, &segment)) {
        CU_ASSERT((segment.flags & SEGMENT_RST) == 0);
        has_fin |= (segment.flags & SEGMENT_FIN) != 0;
    }
    return has_fin;
}

static void test_an_idle_connection_is_closed(void)
{
    struct tcp_script peer = rig_open_one(&rig, RIG_ECHO, 4, RIG_OPTIONS_LINUX);

    stack_set_idle_limit(&rig.pair.stack, LIMIT_S);
    lane_pair_advance(&rig.pair, LIMIT_S * 1000 - 100);
    CU_ASSERT(!has_closed(&peer));
    lane_pair_advance(&rig.pair, 100 + SWEEP_MS);
    CU_ASSERT(has_closed(&peer));
    CU_ASSERT_EQUAL(lane_pair_counter(&rig.pair, WORKER_connections_closed_idle), 1);
    /* The peer closes too, and it is gone. */
    peer.ack++;
    rig_send_flags(&rig, &peer, SEGMENT_ACK | SEGMENT_FIN);
    lane_pair_advance(&rig.pair, 100);
    CU_ASSERT_EQUAL(rig.pair.stack.n_connections - rig.pair.stack.n_time_wait, 0);
    rig_fini(&rig);
}

static void test_without_a_limit_nobody_is(void)
{
    struct tcp_script peer = rig_open_one(&rig, RIG_ECHO, 4, RIG_OPTIONS_LINUX);

    lane_pair_advance(&rig.pair, 60000);
    CU_ASSERT(!has_closed(&peer));
    stack_set_idle_limit(&rig.pair.stack, LIMIT_S);
    stack_set_idle_limit(&rig.pair.stack, 0);
    lane_pair_advance(&rig.pair, 60000);
    CU_ASSERT(!has_closed(&peer));
    rig_fini(&rig);
}

static void test_whoever_speaks_is_not_idle(void)
{
    struct tcp_script peer = rig_open_one(&rig, RIG_ECHO, 4, RIG_OPTIONS_LINUX);

    stack_set_idle_limit(&rig.pair.stack, LIMIT_S);
    for (unsigned i = 0; i < 8; i++) {
        lane_pair_advance(&rig.pair, LIMIT_S * 1000 - 500);
        rig_check_echo(&rig, &peer);
    }
    rig_fini(&rig);
}

/* What is in flight is waited for with another patience. */
static void test_whoever_owes_an_answer_is_not_idle(void)
{
    struct tcp_script peer;

    rig = (struct rig){.source_bytes = 1000};
    rig_init(&rig, RIG_SOURCE);
    rig.source_bytes = 1000;
    peer = rig_peer(4, 40000);
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    stack_set_idle_limit(&rig.pair.stack, LIMIT_S);
    lane_pair_advance(&rig.pair, 3 * LIMIT_S * 1000);
    CU_ASSERT(!has_closed(&peer));
    CU_ASSERT_EQUAL(rig.pair.stack.n_connections, 1);
    peer.ack += 1000;
    rig_send_flags(&rig, &peer, SEGMENT_ACK);
    CU_ASSERT(!has_closed(&peer));
    lane_pair_advance(&rig.pair, LIMIT_S * 1000 + SWEEP_MS);
    CU_ASSERT(has_closed(&peer));
    rig_fini(&rig);
}

static void test_a_new_worker_waits_anew(void)
{
    struct tcp_script peer = rig_open_one(&rig, RIG_ECHO, 4, RIG_OPTIONS_LINUX);

    lane_pair_advance(&rig.pair, 20000);
    CU_ASSERT_EQUAL(rig_crash(&rig).n_adopted, 1);
    stack_set_idle_limit(&rig.pair.stack, LIMIT_S);
    lane_pair_advance(&rig.pair, LIMIT_S * 1000 - 500);
    CU_ASSERT(!has_closed(&peer));
    rig_check_echo(&rig, &peer);
    lane_pair_advance(&rig.pair, LIMIT_S * 1000 + SWEEP_MS);
    CU_ASSERT(has_closed(&peer));
    rig_fini(&rig);
}

const struct unit_test unit_tests[] = {
    {"an idle connection is closed, by a FIN", test_an_idle_connection_is_closed},
    {"without a limit nobody is closed", test_without_a_limit_nobody_is},
    {"whoever speaks is not idle", test_whoever_speaks_is_not_idle},
    {"whoever owes us an answer is not idle", test_whoever_owes_an_answer_is_not_idle},
    {"with a new worker the time begins anew", test_a_new_worker_waits_anew},
    {NULL, NULL},
};
