/* SPDX-License-Identifier: BSD-3-Clause */
/* measures_test.c — promises of what the frontend's replies mean, and of the decisions that are kept. */
#include "controlplane/controld/measures.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "controlplane/controld/decisions.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "controld/measures";

static void test_workers_that_may_take_part(void)
{
    Mpa__V1__Worker workers[4];
    Mpa__V1__Worker *list[4];
    Mpa__V1__GetWorkersReply reply = MPA__V1__GET_WORKERS_REPLY__INIT;
    struct measures measures = {0};

    for (uint32_t i = 0; i < 4; i++) {
        mpa__v1__worker__init(&workers[i]);
        workers[i].slot = i;
        workers[i].pid = 100 + i;
        workers[i].state = MPA__V1__LANE_STATE__LANE_STATE_SERVING;
        workers[i].busy_permille = 300;
        workers[i].connections = 250;
        list[i] = &workers[i];
    }
    workers[1].is_draining = true;
    workers[2].state = MPA__V1__LANE_STATE__LANE_STATE_QUARANTINED;
    workers[3].slot = 4000000; /* nobody's place is written */
    reply.n_workers = 4;
    reply.workers = list;
    measures_take_workers(&measures, &reply, 1000);
    CU_ASSERT_TRUE(measures.workers[0].is_there);
    CU_ASSERT_EQUAL(measures.workers[0].busy_permille, 300);
    CU_ASSERT_EQUAL(measures.workers[0].connections_permille, 250);
    CU_ASSERT_EQUAL(measures.workers[0].life, 100);
    CU_ASSERT_FALSE(measures.workers[1].is_there);
    CU_ASSERT_FALSE(measures.workers[2].is_there);
    CU_ASSERT_FALSE(measures.workers[3].is_there);
}

static void test_depth_of_rings(void)
{
    char depth[] = "rx_depth_slots", slots[] = "rx_ring_slots";
    Mpa__V1__Value gauges[2] = {MPA__V1__VALUE__INIT, MPA__V1__VALUE__INIT};
    Mpa__V1__Value *gauge_list[2] = {&gauges[0], &gauges[1]};
    Mpa__V1__Lane lane = MPA__V1__LANE__INIT;
    Mpa__V1__Lane *list[1] = {&lane};
    Mpa__V1__GetLanesReply reply = MPA__V1__GET_LANES_REPLY__INIT;
    struct measures measures = {0};

    reply.n_lanes = 1;
    reply.lanes = list;
    lane.slot = 2;
    measures_take_lanes(&measures, &reply);
    CU_ASSERT_EQUAL(measures.workers[2].ring_permille, 0); /* without gauges */
    lane.n_gauges = 2;
    lane.gauges = gauge_list;
    gauges[0].name = depth;
    gauges[0].value = 1024;
    gauges[1].name = slots;
    gauges[1].value = 4096;
    measures_take_lanes(&measures, &reply);
    CU_ASSERT_EQUAL(measures.workers[2].ring_permille, 250);
    lane.slot = BALANCE_MAX_WORKERS;
    measures_take_lanes(&measures, &reply);
}

static void test_buckets_that_fit(void)
{
    uint32_t owners[3] = {0, 255, 7};
    uint64_t frames[3] = {10, 20, 30};
    Mpa__V1__GetBucketsReply reply = MPA__V1__GET_BUCKETS_REPLY__INIT;
    struct measures measures = {0};

    reply.n_buckets = 3;
    reply.workers = owners;
    reply.n_workers = 3;
    reply.frames = frames;
    reply.n_frames = 2; /* a list that is too short is not read past */
    CU_ASSERT_EQUAL(measures_take_buckets(&measures, &reply), -EINVAL);
    CU_ASSERT_EQUAL(measures.n_buckets, 0);
    reply.n_frames = 3;
    CU_ASSERT_EQUAL(measures_take_buckets(&measures, &reply), 0);
    CU_ASSERT_EQUAL(measures.n_buckets, 3);
    CU_ASSERT_EQUAL(measures.owners[1], BALANCE_NO_WORKER);
    CU_ASSERT_EQUAL(measures.owners[2], 7);
    CU_ASSERT_EQUAL(measures.frames[2], 30);
    reply.n_buckets = BALANCE_MAX_BUCKETS + 1;
    CU_ASSERT_EQUAL(measures_take_buckets(&measures, &reply), -EINVAL);
    measures_fini(&measures);
}

static void test_repeats_are_counted(void)
{
    static struct decisions decisions;
    struct balance_decision even = {.reason = BALANCE_EVEN}, move = {.reason = BALANCE_MOVE, .n_moves = 1};
    bool is_news;

    for (int i = 0; i < 5; i++)
        (void)decisions_add(&decisions, &even, false, &is_news);
    CU_ASSERT_FALSE(is_news);
    CU_ASSERT_EQUAL(decisions_count(&decisions), 1);
    CU_ASSERT_EQUAL(decisions_get(&decisions, 0)->times, 5);
    (void)decisions_add(&decisions, &move, false, &is_news);
    (void)decisions_add(&decisions, &move, false, &is_news);
    CU_ASSERT_TRUE(is_news); /* moves are never summed up */
    CU_ASSERT_EQUAL(decisions_count(&decisions), 3);
    for (uint32_t i = 0; i < 2 * DECISIONS_MAX; i++)
        (void)decisions_add(&decisions, i % 2 == 0 ? &even : &move, false, &is_news);
    CU_ASSERT_EQUAL(decisions_count(&decisions), DECISIONS_MAX);
    CU_ASSERT_EQUAL(decisions_get(&decisions, 0)->balance.reason, BALANCE_MOVE);
    CU_ASSERT_EQUAL(decisions_get(&decisions, 1)->balance.reason, BALANCE_EVEN);
}

static void test_reasons_have_the_same_names(void)
{
    for (uint32_t reason = 0; reason < BALANCE_N_REASONS; reason++) {
        static struct decision_wire wire;
        struct decision decision = {.balance = {.reason = (enum balance_reason)reason}};
        const ProtobufCEnumValue *value;
        const char *name = balance_reason_name((enum balance_reason)reason);

        decision_to_wire(&decision, &wire);
        value = protobuf_c_enum_descriptor_get_value(&mpa__v1__balance_reason__descriptor,
                                                     (int)wire.message.reason);
        CU_ASSERT_PTR_NOT_NULL_FATAL(value);
        CU_ASSERT_EQUAL(strcasecmp(value->name + strlen("BALANCE_REASON_"), name), 0);
    }
}

const struct unit_test unit_tests[] = {
    {"who serves and does not drain takes part", test_workers_that_may_take_part},
    {"the depth of a ring is a part of its size", test_depth_of_rings},
    {"a bucket table is taken only when its lists fit", test_buckets_that_fit},
    {"a decision that repeats itself is counted, moves are not", test_repeats_are_counted},
    {"reasons have the same names in words and on the wire", test_reasons_have_the_same_names},
    {NULL, NULL},
};
