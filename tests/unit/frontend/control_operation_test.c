/* SPDX-License-Identifier: BSD-3-Clause */
/* control_operation_test.c — promises of the commands that move connections, with a loop that the test plays.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/control_internal.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "frontend/control, operations";

#define SECOND_NS 1000000000ull
#define N_BUCKETS 4096u

struct fixture {
    struct config config;
    struct board board;
    struct control_core core;
    uint8_t bytes[CONTROL_MAX_REQUEST_BYTES];
};

/* Workers 0 to 2 serve. */
static struct fixture *fixture_new(void)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    CU_ASSERT_PTR_NOT_NULL_FATAL(fixture);
    config_defaults(&fixture->config);
    CU_ASSERT_EQUAL_FATAL(board_init(&fixture->board, N_BUCKETS), 0);
    CU_ASSERT_EQUAL_FATAL(control_core_init(&fixture->core, &fixture->config, &fixture->board, SECOND_NS), 0);
    for (uint32_t slot = 0; slot < 3; slot++)
        atomic_store(&fixture->board.lanes[slot].state, BOARD_LANE_SERVING);
    return fixture;
}

static void fixture_free(struct fixture *fixture)
{
    control_core_fini(&fixture->core);
    board_fini(&fixture->board);
    free(fixture);
}

static const Mpa__V1__Reply *ask(struct fixture *fixture, const Mpa__V1__Request *request)
{
    size_t size = mpa__v1__request__get_packed_size(request);

    CU_ASSERT_FATAL(size <= sizeof(fixture->bytes));
    mpa__v1__request__pack(request, fixture->bytes);
    return control_core_answer(&fixture->core, fixture->bytes, size, 2 * SECOND_NS);
}

static const Mpa__V1__Reply *ask_migrate(struct fixture *fixture, Mpa__V1__MigrateRequest *migrate)
{
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    request.body_case = MPA__V1__REQUEST__BODY_MIGRATE;
    request.migrate = migrate;
    return ask(fixture, &request);
}

static const Mpa__V1__Reply *ask_buckets(struct fixture *fixture, uint32_t first, uint32_t last, uint32_t to)
{
    Mpa__V1__BucketRange range = MPA__V1__BUCKET_RANGE__INIT;
    Mpa__V1__BucketRange *ranges[] = {&range};
    Mpa__V1__MigrateRequest migrate = MPA__V1__MIGRATE_REQUEST__INIT;

    range.first = first;
    range.last = last;
    migrate.buckets = ranges;
    migrate.n_buckets = 1;
    migrate.to = to;
    return ask_migrate(fixture, &migrate);
}

static const Mpa__V1__Reply *ask_flow(struct fixture *fixture, const char *remote, uint32_t port)
{
    Mpa__V1__FlowKey key = MPA__V1__FLOW_KEY__INIT;
    Mpa__V1__MigrateRequest migrate = MPA__V1__MIGRATE_REQUEST__INIT;
    char local[] = "10.77.0.2";

    key.remote_address = (char *)(uintptr_t)remote;
    key.remote_port = port;
    key.local_address = local;
    key.local_port = 7;
    migrate.flow = &key;
    migrate.to = 1;
    return ask_migrate(fixture, &migrate);
}

static const Mpa__V1__Reply *ask_drain(struct fixture *fixture, uint32_t slot, const uint32_t *to)
{
    Mpa__V1__DrainRequest drain = MPA__V1__DRAIN_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    drain.slot = slot;
    drain.has_to = to != NULL;
    drain.to = to != NULL ? *to : 0;
    request.body_case = MPA__V1__REQUEST__BODY_DRAIN;
    request.drain = &drain;
    return ask(fixture, &request);
}

static const Mpa__V1__OperationReply *look(struct fixture *fixture, uint64_t id)
{
    Mpa__V1__GetOperationRequest get = MPA__V1__GET_OPERATION_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    const Mpa__V1__Reply *reply;

    get.operation_id = id;
    request.body_case = MPA__V1__REQUEST__BODY_GET_OPERATION;
    request.get_operation = &get;
    reply = ask(fixture, &request);
    CU_ASSERT_PTR_NULL_FATAL(reply->error);
    CU_ASSERT_EQUAL_FATAL(reply->body_case, MPA__V1__REPLY__BODY_GET_OPERATION);
    return reply->get_operation;
}

/* The loop carries out what waits, each with `result`; returns the number of orders. */
static unsigned loop_runs(struct fixture *fixture, enum board_result result, struct board_order *last)
{
    unsigned n = 0;

    for (; board_order_take(&fixture->board, last); n++)
        board_order_done(&fixture->board, &(struct board_order_result){.id = last->id,
                                                                       .result = result,
                                                                       .n_flows = 10,
                                                                       .n_buckets = last->n_buckets,
                                                                       .n_frames = 1,
                                                                       .duration_ns = 1000});
    return n;
}

#define ASSERT_REFUSED(reply, error_code, error_field, says)                                                 \
    do {                                                                                                     \
        CU_ASSERT_PTR_NOT_NULL_FATAL((reply)->error);                                                        \
        CU_ASSERT_EQUAL((reply)->error->code, MPA__V1__ERROR_CODE__ERROR_CODE_##error_code);                 \
        CU_ASSERT_STRING_EQUAL((reply)->error->field, error_field);                                          \
        CU_ASSERT_PTR_NOT_NULL(strstr((reply)->error->text, says));                                          \
    } while (0)

static void test_migrate_gives_orders_in_portions(void)
{
    struct fixture *fixture = fixture_new();
    struct board_order last;
    const Mpa__V1__Reply *reply = ask_buckets(fixture, 0, N_BUCKETS - 1, 1);
    const Mpa__V1__OperationReply *operation = reply->migrate;
    unsigned n_orders = 0;
    uint64_t id;

    CU_ASSERT_EQUAL_FATAL(reply->body_case, MPA__V1__REPLY__BODY_MIGRATE);
    CU_ASSERT_EQUAL(operation->state, MPA__V1__OPERATION_STATE__OPERATION_STATE_PENDING);
    CU_ASSERT_EQUAL(operation->n_total, N_BUCKETS);
    id = operation->operation_id;
    CU_ASSERT_TRUE(id >= SECOND_NS);
    for (unsigned i = 0; i < 3; i++) {
        n_orders += loop_runs(fixture, BOARD_RESULT_DONE, &last);
        control_core_tick(&fixture->core, 3 * SECOND_NS);
    }
    CU_ASSERT_EQUAL(n_orders, N_BUCKETS / ATTACH_MAX_BUCKETS);
    CU_ASSERT_EQUAL(last.buckets[ATTACH_MAX_BUCKETS - 1], N_BUCKETS - 1);
    CU_ASSERT_EQUAL(last.to, 1);
    operation = look(fixture, id);
    CU_ASSERT_EQUAL(operation->state, MPA__V1__OPERATION_STATE__OPERATION_STATE_DONE);
    CU_ASSERT_STRING_EQUAL(operation->result, "done");
    CU_ASSERT_EQUAL(operation->n_done, N_BUCKETS);
    CU_ASSERT_EQUAL(operation->buckets, N_BUCKETS);
    CU_ASSERT_EQUAL(operation->flows, 80);
    CU_ASSERT_EQUAL(operation->duration_ns, 8000);
    CU_ASSERT_PTR_NULL(operation->error);
    fixture_free(fixture);
}

static void test_failure_ends_the_rest(void)
{
    struct fixture *fixture = fixture_new();
    struct board_order last;
    uint64_t id = ask_buckets(fixture, 0, N_BUCKETS - 1, 1)->migrate->operation_id;
    const Mpa__V1__OperationReply *operation;

    CU_ASSERT_EQUAL(loop_runs(fixture, BOARD_RESULT_TARGET_DIED, &last), 4);
    operation = look(fixture, id);
    CU_ASSERT_EQUAL(loop_runs(fixture, BOARD_RESULT_DONE, &last), 0);
    CU_ASSERT_EQUAL(operation->state, MPA__V1__OPERATION_STATE__OPERATION_STATE_FAILED);
    CU_ASSERT_STRING_EQUAL(operation->result, "target_died");
    CU_ASSERT_PTR_NOT_NULL_FATAL(operation->error);
    CU_ASSERT_STRING_EQUAL(operation->error->field, "to");
    CU_ASSERT_EQUAL(operation->n_done, 0);
    fixture_free(fixture);
}

static void test_flow_by_its_name(void)
{
    struct fixture *fixture = fixture_new();
    struct board_order last;
    uint64_t id = ask_flow(fixture, "10.0.0.1", 4321)->migrate->operation_id;
    const Mpa__V1__OperationReply *operation;

    CU_ASSERT_EQUAL(loop_runs(fixture, BOARD_RESULT_NOT_FOUND, &last), 1);
    CU_ASSERT_EQUAL(last.kind, BOARD_ORDER_MOVE_FLOW);
    CU_ASSERT_EQUAL(last.key.family, 4);
    CU_ASSERT_EQUAL(last.key.remote_port_be, htons(4321));
    operation = look(fixture, id);
    CU_ASSERT_PTR_NOT_NULL_FATAL(operation->error);
    CU_ASSERT_EQUAL(operation->error->code, MPA__V1__ERROR_CODE__ERROR_CODE_NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(operation->error->text, "no flow tcp 10.0.0.1:4321 -> 10.77.0.2:7");
    fixture_free(fixture);
}

static void test_refusals_name_their_field(void)
{
    struct fixture *fixture = fixture_new();
    Mpa__V1__MigrateRequest nothing = MPA__V1__MIGRATE_REQUEST__INIT;
    const uint32_t self = 1;
    const uint32_t draining = 2;

    atomic_store(&fixture->board.lanes[2].gauges[GAUGE_is_draining], 1);
    ASSERT_REFUSED(ask_buckets(fixture, 0, 1, 16), INVALID, "to", "worker 16 does not exist");
    ASSERT_REFUSED(ask_buckets(fixture, 0, 1, 7), NOT_FOUND, "to", "worker 7 is not serving");
    ASSERT_REFUSED(ask_buckets(fixture, 0, 1, 2), INVALID, "to", "worker 2 is draining");
    ASSERT_REFUSED(ask_buckets(fixture, 0, N_BUCKETS, 1), INVALID, "buckets", "allowed: 0 to 4095");
    ASSERT_REFUSED(ask_buckets(fixture, 2, 1, 1), INVALID, "buckets", "no buckets 2 to 1");
    ASSERT_REFUSED(ask_migrate(fixture, &nothing), INVALID, "buckets", "either buckets or a flow");
    ASSERT_REFUSED(ask_flow(fixture, "10.0.0", 1), INVALID, "remote_address", "no flow");
    ASSERT_REFUSED(ask_flow(fixture, "fd77::1", 1), INVALID, "local_address", "one family");
    ASSERT_REFUSED(ask_flow(fixture, "10.0.0.1", 65536), INVALID, "remote_port", "ports");
    ASSERT_REFUSED(ask_drain(fixture, 9, NULL), NOT_FOUND, "slot", "worker 9 is not serving");
    ASSERT_REFUSED(ask_drain(fixture, 1, &self), INVALID, "to", "to itself");
    ASSERT_REFUSED(ask_drain(fixture, 1, &draining), INVALID, "to", "worker 2 is draining");
    CU_ASSERT_EQUAL(atomic_load(&fixture->board.lanes[0].state), BOARD_LANE_SERVING);
    fixture_free(fixture);
}

static void test_drain_tells_how_far_it_is(void)
{
    struct fixture *fixture = fixture_new();
    struct board_order last;
    uint64_t id;

    atomic_store(&fixture->board.lanes[0].gauges[GAUGE_buckets], 1000);
    id = ask_drain(fixture, 0, NULL)->drain->operation_id;
    atomic_store(&fixture->board.lanes[0].gauges[GAUGE_buckets], 300);
    CU_ASSERT_EQUAL(look(fixture, id)->n_done, 700);
    CU_ASSERT_EQUAL(look(fixture, id)->n_total, 1000);
    CU_ASSERT_STRING_EQUAL(look(fixture, id)->text, "drain worker 0 to the others");
    CU_ASSERT_EQUAL(loop_runs(fixture, BOARD_RESULT_DONE, &last), 1);
    CU_ASSERT_EQUAL(last.to, BOARD_ANY_LANE);
    CU_ASSERT_EQUAL(look(fixture, id)->n_done, 1000);
    fixture_free(fixture);
}

static void test_last_worker_is_not_drained(void)
{
    struct fixture *fixture = fixture_new();
    struct board_order last;
    uint64_t id = ask_drain(fixture, 0, NULL)->drain->operation_id;
    const Mpa__V1__OperationReply *operation;

    loop_runs(fixture, BOARD_RESULT_LAST, &last);
    operation = look(fixture, id);
    CU_ASSERT_STRING_EQUAL(operation->result, "last");
    CU_ASSERT_STRING_EQUAL(operation->error->field, "slot");
    CU_ASSERT_PTR_NOT_NULL(strstr(operation->error->text, "worker 0 is the last one"));
    fixture_free(fixture);
}

static void test_a_kill_that_the_kernel_refuses_says_so(void)
{
    struct fixture *fixture = fixture_new();
    struct board_order last;
    Mpa__V1__KillRequest kill = MPA__V1__KILL_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    const Mpa__V1__OperationReply *operation;
    const Mpa__V1__Reply *reply;

    kill.slot = 1;
    request.body_case = MPA__V1__REQUEST__BODY_KILL;
    request.kill = &kill;
    reply = ask(fixture, &request);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reply->kill);
    loop_runs(fixture, BOARD_RESULT_NO_TARGET, &last);
    operation = look(fixture, reply->kill->operation_id);
    CU_ASSERT_STRING_EQUAL(operation->error->field, "slot");
    CU_ASSERT_PTR_NOT_NULL(strstr(operation->error->text, "the frontend may not signal worker 1"));
    fixture_free(fixture);
}

static void test_table_is_bounded(void)
{
    struct fixture *fixture = fixture_new();
    struct board_order last;
    uint64_t first = ask_drain(fixture, 0, NULL)->drain->operation_id;
    const Mpa__V1__Reply *reply;
    unsigned n = 1;

    for (reply = ask_drain(fixture, 0, NULL); reply->error == NULL; reply = ask_drain(fixture, 0, NULL))
        n++;
    CU_ASSERT_EQUAL(n, 64);
    CU_ASSERT_EQUAL(reply->error->code, MPA__V1__ERROR_CODE__ERROR_CODE_BUSY);
    /* Only BOARD_N_ORDERS of them were with the loop: the others follow. */
    for (unsigned i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(loop_runs(fixture, BOARD_RESULT_DONE, &last), BOARD_N_ORDERS);
        control_core_tick(&fixture->core, 3 * SECOND_NS);
    }
    CU_ASSERT_EQUAL(look(fixture, first)->state, MPA__V1__OPERATION_STATE__OPERATION_STATE_DONE);
    /* The oldest that has ended makes place. */
    CU_ASSERT_PTR_NULL(ask_drain(fixture, 0, NULL)->error);
    {
        Mpa__V1__GetOperationRequest get = MPA__V1__GET_OPERATION_REQUEST__INIT;
        Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

        get.operation_id = first;
        request.body_case = MPA__V1__REQUEST__BODY_GET_OPERATION;
        request.get_operation = &get;
        ASSERT_REFUSED(ask(fixture, &request), NOT_FOUND, "operation_id", "no operation");
    }
    fixture_free(fixture);
}

static void test_event_of_a_hand_over_has_all_figures(void)
{
    struct fixture *fixture = fixture_new();
    struct board_event event = {.kind = BOARD_EVENT_HANDOVER,
                                .a = 1,
                                .a2 = 2,
                                .b = 800000,
                                .n_flows = 12,
                                .n_buckets = 341,
                                .n_frames = 3,
                                .number = 77,
                                .result = BOARD_RESULT_DONE};
    static const char *const expected[][2] = {
        {"to", "2"},          {"duration_ns", "800000"}, {"flows", "12"}, {"buckets", "341"},
        {"frames_held", "3"}, {"result", "done"},        {"number", "77"}};
    uint64_t next = 0;
    const Mpa__V1__Event *message;

    board_event_put(&fixture->board, &event);
    message = control_core_event(&fixture->core, &next, 0, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(message);
    CU_ASSERT_EQUAL(message->kind, MPA__V1__EVENT_KIND__EVENT_KIND_HANDOVER);
    CU_ASSERT_EQUAL(message->slot, 1);
    CU_ASSERT_EQUAL_FATAL(message->n_fields, 7);
    for (size_t i = 0; i < 7; i++) {
        CU_ASSERT_STRING_EQUAL(message->fields[i]->key, expected[i][0]);
        CU_ASSERT_STRING_EQUAL(message->fields[i]->value, expected[i][1]);
    }
    fixture_free(fixture);
}

const struct unit_test unit_tests[] = {
    {"buckets are moved in orders of a portion each", test_migrate_gives_orders_in_portions},
    {"a failure ends what is left of an operation", test_failure_ends_the_rest},
    {"a flow is found by its name, or said not to be", test_flow_by_its_name},
    {"a refusal names its field", test_refusals_name_their_field},
    {"a drain tells how far it is", test_drain_tells_how_far_it_is},
    {"the last worker is not drained", test_last_worker_is_not_drained},
    {"a kill that the kernel refuses says so", test_a_kill_that_the_kernel_refuses_says_so},
    {"operations are bounded, the oldest makes place", test_table_is_bounded},
    {"the event of a hand-over has all figures", test_event_of_a_hand_over_has_all_figures},
    {NULL, NULL},
};
