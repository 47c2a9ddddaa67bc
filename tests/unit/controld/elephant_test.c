/* SPDX-License-Identifier: BSD-3-Clause */
/* elephant_test.c — promises of which flow of a heavy bucket may go alone. */
#include "controlplane/controld/elephant.h"

#include "tests/support/unit.h"

const char unit_suite_name[] = "controld/elephant";

#define N_FLOWS 4u

/* What a frontend would tell at one moment. */
struct look {
    Mpa__V1__GetFlowsReply reply;
    Mpa__V1__Flow flows[N_FLOWS];
    Mpa__V1__Flow *list[N_FLOWS];
    Mpa__V1__FlowKey keys[N_FLOWS];
};

static char remote[] = "10.0.0.1", local[] = "10.0.0.2";

/* The first n flows, from ports 1000, 1001, ..., each with its bytes. */
static void look_fill(struct look *look, size_t n, const uint64_t bytes[])
{
    mpa__v1__get_flows_reply__init(&look->reply);
    for (size_t i = 0; i < n; i++) {
        mpa__v1__flow_key__init(&look->keys[i]);
        look->keys[i].remote_address = remote;
        look->keys[i].local_address = local;
        look->keys[i].remote_port = 1000 + (uint32_t)i;
        look->keys[i].local_port = 7;
        mpa__v1__flow__init(&look->flows[i]);
        look->flows[i].key = &look->keys[i];
        look->flows[i].rx_bytes = bytes[i] / 2;
        look->flows[i].tx_bytes = bytes[i] - bytes[i] / 2;
        look->list[i] = &look->flows[i];
    }
    look->reply.n_flows = n;
    look->reply.flows = look->list;
}

/* Port of who is picked, 0: nobody. */
static uint32_t picked(size_t n_before, const uint64_t before_bytes[], size_t n_after,
                       const uint64_t after_bytes[])
{
    struct look before, after;
    const Mpa__V1__Flow *flow;

    look_fill(&before, n_before, before_bytes);
    look_fill(&after, n_after, after_bytes);
    flow = elephant_pick(&before.reply, &after.reply);
    return flow == NULL ? 0 : flow->key->remote_port;
}

static void test_the_flow_with_nearly_all_bytes(void)
{
    /* What was carried before does not count: 1002 is old and rich. */
    CU_ASSERT_EQUAL(picked(3, (uint64_t[]){100, 100, 900000}, 3, (uint64_t[]){5000, 95000, 900100}), 1001);
    /* It is new. */
    CU_ASSERT_EQUAL(picked(2, (uint64_t[]){100, 100}, 3, (uint64_t[]){200, 200, 100000}), 1002);
}

static void test_no_flow_stands_out(void)
{
    CU_ASSERT_EQUAL(picked(2, (uint64_t[]){0, 0}, 2, (uint64_t[]){30000, 70000}), 0);
    /* A few bytes are judged as many are. */
    CU_ASSERT_EQUAL(picked(2, (uint64_t[]){0, 0}, 2, (uint64_t[]){30, 70}), 0);
    CU_ASSERT_EQUAL(picked(2, (uint64_t[]){0, 0}, 2, (uint64_t[]){20, 80}), 1001);
    CU_ASSERT_EQUAL(picked(2, (uint64_t[]){500, 500}, 2, (uint64_t[]){500, 500}), 0);
    CU_ASSERT_EQUAL(picked(0, NULL, 0, NULL), 0);
}

static void test_alone_in_its_bucket(void)
{
    CU_ASSERT_EQUAL(picked(1, (uint64_t[]){0}, 1, (uint64_t[]){100000}), 0);
}

static void test_counts_that_fell(void)
{
    /* The same name, another connection. */
    CU_ASSERT_EQUAL(picked(2, (uint64_t[]){900000, 0}, 2, (uint64_t[]){10, 5000}), 1001);
}

const struct unit_test unit_tests[] = {
    {"the flow with nearly all bytes between two looks is the elephant", test_the_flow_with_nearly_all_bytes},
    {"where no flow stands out there is none", test_no_flow_stands_out},
    {"a flow that is alone in its bucket goes with the bucket", test_alone_in_its_bucket},
    {"a count that fell is no traffic", test_counts_that_fell},
    {NULL, NULL},
};
