/* SPDX-License-Identifier: BSD-3-Clause */
/* control_test.c — promises of the control endpoint, from the bytes of a request to its reply. */
#include "frontend/board_shed.h"
#include "frontend/control_internal.h"

#include <pcap/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "frontend/control";

#define SECOND_NS 1000000000ull

struct fixture {
    struct config config;
    struct board board;
    struct control_core core;
    uint8_t bytes[CONTROL_MAX_REQUEST_BYTES + 1];
};

static struct fixture *fixture_new(void)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    CU_ASSERT_PTR_NOT_NULL_FATAL(fixture);
    config_defaults(&fixture->config);
    CU_ASSERT_EQUAL_FATAL(board_init(&fixture->board, 4096), 0);
    CU_ASSERT_EQUAL_FATAL(control_core_init(&fixture->core, &fixture->config, &fixture->board, SECOND_NS), 0);
    return fixture;
}

static void fixture_free(struct fixture *fixture)
{
    control_core_fini(&fixture->core);
    board_fini(&fixture->board);
    free(fixture);
}

static const Mpa__V1__Reply *ask(struct fixture *fixture, const Mpa__V1__Request *request, uint64_t now_ns)
{
    size_t size = mpa__v1__request__get_packed_size(request);

    CU_ASSERT_FATAL(size <= sizeof(fixture->bytes));
    mpa__v1__request__pack(request, fixture->bytes);
    return control_core_answer(&fixture->core, fixture->bytes, size, now_ns);
}

static const Mpa__V1__Reply *ask_capture(struct fixture *fixture, uint32_t lane, const uint64_t *filter,
                                         size_t n)
{
    Mpa__V1__CaptureStartRequest start = MPA__V1__CAPTURE_START_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    uint64_t words[BOARD_CAPTURE_MAX_FILTER + 1];

    for (size_t i = 0; i < n; i++)
        words[i] = filter[i];
    start.lane = lane;
    start.filter = words;
    start.n_filter = n;
    request.body_case = MPA__V1__REQUEST__BODY_CAPTURE_START;
    request.capture_start = &start;
    return ask(fixture, &request, 10 * SECOND_NS);
}

static const Mpa__V1__Reply *ask_read(struct fixture *fixture, uint64_t capture_id, uint64_t now_ns)
{
    Mpa__V1__CaptureReadRequest read = MPA__V1__CAPTURE_READ_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    read.capture_id = capture_id;
    request.body_case = MPA__V1__REQUEST__BODY_CAPTURE_READ;
    request.capture_read = &read;
    return ask(fixture, &request, now_ns);
}

#define ASSERT_ERROR(reply, error_code)                                                                      \
    do {                                                                                                     \
        CU_ASSERT_PTR_NOT_NULL_FATAL((reply)->error);                                                        \
        CU_ASSERT_EQUAL((reply)->error->code, MPA__V1__ERROR_CODE__ERROR_CODE_##error_code);                 \
        CU_ASSERT_TRUE(strlen((reply)->error->text) > 0 && strlen((reply)->error->field) > 0);               \
        CU_ASSERT_EQUAL((reply)->body_case, MPA__V1__REPLY__BODY__NOT_SET);                                  \
    } while (0)

static void test_status(void)
{
    struct fixture *fixture = fixture_new();
    struct board_lane *lane = &fixture->board.lanes[1];
    Mpa__V1__GetStatusRequest get_status = MPA__V1__GET_STATUS_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    const Mpa__V1__Reply *reply;

    atomic_store(&lane->state, BOARD_LANE_QUARANTINED);
    atomic_store(&lane->fault, LANE_fault_slot);
    atomic_store(&lane->gauges[GAUGE_pid], 4242);
    counter_add(lane->worker_counters, WORKER_rx_frames, 17);
    request.id = 99;
    request.body_case = MPA__V1__REQUEST__BODY_GET_STATUS;
    request.get_status = &get_status;
    reply = ask(fixture, &request, 3 * SECOND_NS);
    CU_ASSERT_PTR_NULL(reply->error);
    CU_ASSERT_EQUAL(reply->id, 99);
    CU_ASSERT_EQUAL_FATAL(reply->body_case, MPA__V1__REPLY__BODY_GET_STATUS);
    CU_ASSERT_EQUAL(reply->get_status->uptime_ms, 2000);
    CU_ASSERT_EQUAL_FATAL(reply->get_status->n_processes, 2);
    CU_ASSERT_EQUAL(reply->get_status->processes[1]->pid, 4242);
    CU_ASSERT_EQUAL(reply->get_status->processes[1]->rx_frames, 17);
    CU_ASSERT_STRING_EQUAL(reply->get_status->processes[1]->lane_fault, "fault_slot");
    fixture_free(fixture);
}

static void test_stats_hold_every_counter(void)
{
    struct fixture *fixture = fixture_new();
    Mpa__V1__GetStatsRequest get_stats = MPA__V1__GET_STATS_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    const Mpa__V1__Reply *reply;

    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++)
        atomic_store(&fixture->board.lanes[slot].state, BOARD_LANE_SERVING);
    get_stats.with_help = true;
    request.body_case = MPA__V1__REQUEST__BODY_GET_STATS;
    request.get_stats = &get_stats;
    reply = ask(fixture, &request, SECOND_NS);
    CU_ASSERT_EQUAL_FATAL(reply->body_case, MPA__V1__REPLY__BODY_GET_STATS);
    CU_ASSERT_EQUAL(reply->get_stats->n_stats,
                    N_FRONTEND_GAUGES + N_NIC_COUNTERS +
                        CONFIG_MAX_WORKERS * (N_LANE_GAUGES + N_LANE_COUNTERS + N_WORKER_COUNTERS));
    fixture_free(fixture);
}

static void test_largest_replies_fit(void)
{
    struct fixture *fixture = fixture_new();
    Mpa__V1__GetBucketsRequest get_buckets = MPA__V1__GET_BUCKETS_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    const Mpa__V1__Reply *reply;

    board_fini(&fixture->board);
    CU_ASSERT_EQUAL_FATAL(board_init(&fixture->board, 65536), 0);
    for (uint32_t i = 0; i < 65536; i++)
        counter_add(fixture->board.bucket_frames, i, UINT64_MAX);
    request.body_case = MPA__V1__REQUEST__BODY_GET_BUCKETS;
    request.get_buckets = &get_buckets;
    reply = ask(fixture, &request, SECOND_NS);
    CU_ASSERT_EQUAL_FATAL(reply->body_case, MPA__V1__REPLY__BODY_GET_BUCKETS);
    CU_ASSERT_EQUAL(reply->get_buckets->n_frames, 65536);
    CU_ASSERT_TRUE(mpa__v1__reply__get_packed_size(reply) <= CONTROL_MAX_MESSAGE_BYTES);
    fixture_free(fixture);
}

static void test_bad_bytes_get_an_error(void)
{
    struct fixture *fixture = fixture_new();
    const uint8_t garbage[] = {0xff, 0xff, 0xff, 0x00, 0x07};
    /* A newer sender: command number 300, and a field 200 that this version does not know. */
    const uint8_t newer[] = {0x08, 0x05, 0xe2, 0x12, 0x00, 0xc0, 0x0c, 0x01};
    const Mpa__V1__Reply *reply;

    ASSERT_ERROR(control_core_answer(&fixture->core, garbage, sizeof(garbage), 0), MALFORMED);
    ASSERT_ERROR(control_core_answer(&fixture->core, garbage, 0, 0), UNSUPPORTED);
    reply = control_core_answer(&fixture->core, newer, sizeof(newer), 0);
    ASSERT_ERROR(reply, UNSUPPORTED);
    CU_ASSERT_EQUAL(reply->id, 5);
    ASSERT_ERROR(control_core_answer(&fixture->core, fixture->bytes, CONTROL_MAX_REQUEST_BYTES + 1, 0),
                 TOO_LARGE);
    fixture_free(fixture);
}

static bool may_ask(const struct fixture *fixture, uint64_t pid, uint64_t uid)
{
    return control_core_may_ask(&fixture->core, &(struct control_peer){.pid = pid, .uid = uid});
}

static void test_workers_have_no_say(void)
{
    struct fixture *fixture = fixture_new();
    const Mpa__V1__Reply *reply;

    CU_ASSERT(may_ask(fixture, 4711, geteuid()));
    atomic_store_explicit(&fixture->board.lanes[3].peer_pid, 4711, memory_order_relaxed);
    CU_ASSERT_FALSE(may_ask(fixture, 4711, geteuid()));
    CU_ASSERT(may_ask(fixture, 4712, geteuid()));
    CU_ASSERT(may_ask(fixture, 0, geteuid())); /* not to be seen from here */
    reply = control_core_deny(&fixture->core);
    ASSERT_ERROR(reply, DENIED);
    CU_ASSERT_STRING_EQUAL(reply->error->field, "request");
    fixture_free(fixture);
}

static void test_other_users_have_no_say(void)
{
    struct fixture *fixture = fixture_new();

    CU_ASSERT(may_ask(fixture, 1, 0));
    CU_ASSERT(may_ask(fixture, 1, geteuid()));
    CU_ASSERT_FALSE(may_ask(fixture, 1, (uint64_t)geteuid() + 1));
    CU_ASSERT_FALSE(may_ask(fixture, 0, UINT64_MAX)); /* has gone */
    fixture_free(fixture);
}

static void test_unknown_fields_are_ignored(void)
{
    struct fixture *fixture = fixture_new();
    /* get_status (field 10) and an unknown varint field 200. */
    const uint8_t bytes[] = {0x52, 0x00, 0xc0, 0x0c, 0x01};
    const Mpa__V1__Reply *reply = control_core_answer(&fixture->core, bytes, sizeof(bytes), SECOND_NS);

    CU_ASSERT_EQUAL(reply->body_case, MPA__V1__REPLY__BODY_GET_STATUS);
    fixture_free(fixture);
}

/* Each request cut off at each byte, and each byte changed: a reply in every case. */
static void test_mutilated_requests_get_a_reply(void)
{
    struct fixture *fixture = fixture_new();
    Mpa__V1__CaptureStartRequest start = MPA__V1__CAPTURE_START_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    uint64_t filter[] = {(uint64_t)(BPF_RET | BPF_K) << 48 | 65535};
    uint8_t bytes[64];
    size_t size;

    start.lane = BOARD_CAPTURE_ALL_LANES;
    start.filter = filter;
    start.n_filter = 1;
    request.id = 1;
    request.body_case = MPA__V1__REQUEST__BODY_CAPTURE_START;
    request.capture_start = &start;
    size = mpa__v1__request__pack(&request, bytes);
    for (size_t cut = 0; cut < size; cut++)
        CU_ASSERT_PTR_NOT_NULL(control_core_answer(&fixture->core, bytes, cut, SECOND_NS));
    for (size_t i = 0; i < size * 255; i++) {
        uint8_t old = bytes[i / 255];

        bytes[i / 255] = (uint8_t)(old + 1 + i % 255);
        CU_ASSERT_PTR_NOT_NULL(control_core_answer(&fixture->core, bytes, size, SECOND_NS));
        bytes[i / 255] = old;
    }
    fixture_free(fixture);
}

static void test_random_bytes_get_a_reply(void)
{
    struct fixture *fixture = fixture_new();
    uint32_t random = 12345;

    for (unsigned round = 0; round < 2000; round++) {
        size_t size = round % 256;

        for (size_t i = 0; i < size; i++) {
            random = random * 1664525u + 1013904223u;
            fixture->bytes[i] = (uint8_t)(random >> 24);
        }
        CU_ASSERT_PTR_NOT_NULL(control_core_answer(&fixture->core, fixture->bytes, size, SECOND_NS));
    }
    fixture_free(fixture);
}

static void test_bad_filters_never_reach_the_board(void)
{
    struct fixture *fixture = fixture_new();
    /* A jump behind the end; a program without a return; a store outside the scratch memory. */
    const uint64_t jump[] = {(uint64_t)(BPF_JMP | BPF_JA) << 48 | 1000, (uint64_t)(BPF_RET | BPF_K) << 48};
    const uint64_t endless[] = {(uint64_t)(BPF_LD | BPF_IMM) << 48};
    const uint64_t store[] = {(uint64_t)BPF_ST << 48 | 999, (uint64_t)(BPF_RET | BPF_K) << 48};
    uint64_t many[BOARD_CAPTURE_MAX_FILTER + 1];

    for (size_t i = 0; i <= BOARD_CAPTURE_MAX_FILTER; i++)
        many[i] = (uint64_t)(BPF_RET | BPF_K) << 48;
    ASSERT_ERROR(ask_capture(fixture, BOARD_CAPTURE_ALL_LANES, jump, 2), INVALID);
    ASSERT_ERROR(ask_capture(fixture, BOARD_CAPTURE_ALL_LANES, endless, 1), INVALID);
    ASSERT_ERROR(ask_capture(fixture, BOARD_CAPTURE_ALL_LANES, store, 2), INVALID);
    ASSERT_ERROR(ask_capture(fixture, BOARD_CAPTURE_ALL_LANES, many, BOARD_CAPTURE_MAX_FILTER + 1), INVALID);
    ASSERT_ERROR(ask_capture(fixture, CONFIG_MAX_WORKERS, NULL, 0), INVALID);
    CU_ASSERT_EQUAL(board_command_peek(&fixture->board), BOARD_COMMAND_NONE);
    fixture_free(fixture);
}

static void test_captured_frames_reach_the_reader(void)
{
    struct fixture *fixture = fixture_new();
    const uint64_t all[] = {(uint64_t)(BPF_RET | BPF_K) << 48 | 65535};
    uint8_t frame[] = "a frame of some bytes";
    struct iovec part = {frame, sizeof(frame)};
    struct board_capture_record record = {
        .time_ns = 7, .len_bytes = 1500, .stored_bytes = sizeof(frame), .lane = 1, .is_out = 1};
    struct bpf_insn insn;
    uint64_t id;
    const Mpa__V1__Reply *reply = ask_capture(fixture, 1, all, 1);

    CU_ASSERT_EQUAL_FATAL(reply->body_case, MPA__V1__REPLY__BODY_CAPTURE_START);
    id = reply->capture_start->capture_id;
    CU_ASSERT_EQUAL(board_command_peek(&fixture->board), BOARD_COMMAND_CAPTURE_START);
    CU_ASSERT_EQUAL(fixture->board.capture.snap_bytes, BOARD_CAPTURE_MAX_SNAP);
    memcpy(&insn, fixture->board.capture.filter, sizeof(insn));
    CU_ASSERT_EQUAL(insn.code, BPF_RET | BPF_K);
    CU_ASSERT_EQUAL(insn.k, 65535);
    board_command_done(&fixture->board);
    CU_ASSERT_TRUE(board_capture_add(&fixture->board, &record, &part, 1));
    ASSERT_ERROR(ask_read(fixture, id + 1, 11 * SECOND_NS), NOT_FOUND);
    reply = ask_read(fixture, id, 11 * SECOND_NS);
    CU_ASSERT_EQUAL_FATAL(reply->body_case, MPA__V1__REPLY__BODY_CAPTURE_READ);
    CU_ASSERT_EQUAL_FATAL(reply->capture_read->n_frames, 1);
    CU_ASSERT_EQUAL(reply->capture_read->frames[0]->len_bytes, 1500);
    CU_ASSERT_EQUAL(reply->capture_read->frames[0]->data.len, sizeof(frame));
    CU_ASSERT_EQUAL(memcmp(reply->capture_read->frames[0]->data.data, frame, sizeof(frame)), 0);
    CU_ASSERT_EQUAL(ask_read(fixture, id, 11 * SECOND_NS)->capture_read->n_frames, 0);
    fixture_free(fixture);
}

static void test_a_full_ring_is_read_in_bounded_replies(void)
{
    struct fixture *fixture = fixture_new();
    uint8_t frame[1514] = {0};
    struct iovec part = {frame, sizeof(frame)};
    struct board_capture_record record = {.len_bytes = sizeof(frame), .stored_bytes = sizeof(frame)};
    const Mpa__V1__Reply *reply = ask_capture(fixture, BOARD_CAPTURE_ALL_LANES, NULL, 0);
    size_t n_read = 0;
    size_t n_written = 0;
    uint64_t id;
    size_t n;

    CU_ASSERT_EQUAL_FATAL(reply->body_case, MPA__V1__REPLY__BODY_CAPTURE_START);
    id = reply->capture_start->capture_id;
    while (board_capture_add(&fixture->board, &record, &part, 1))
        n_written++;
    do {
        reply = ask_read(fixture, id, 11 * SECOND_NS);
        CU_ASSERT_EQUAL_FATAL(reply->body_case, MPA__V1__REPLY__BODY_CAPTURE_READ);
        CU_ASSERT_TRUE(mpa__v1__reply__get_packed_size(reply) <= CONTROL_MAX_MESSAGE_BYTES);
        CU_ASSERT_EQUAL(reply->capture_read->missed, 1);
        n = reply->capture_read->n_frames;
        n_read += n;
    } while (n > 0);
    CU_ASSERT_EQUAL(n_read, n_written);
    fixture_free(fixture);
}

static void test_unread_capture_ends(void)
{
    struct fixture *fixture = fixture_new();
    const Mpa__V1__Reply *reply = ask_capture(fixture, 0, NULL, 0);
    uint64_t id;

    CU_ASSERT_EQUAL_FATAL(reply->body_case, MPA__V1__REPLY__BODY_CAPTURE_START);
    id = reply->capture_start->capture_id;
    ASSERT_ERROR(ask_capture(fixture, 0, NULL, 0), BUSY);
    board_command_done(&fixture->board);
    control_core_tick(&fixture->core, 14 * SECOND_NS);
    CU_ASSERT_EQUAL(board_command_peek(&fixture->board), BOARD_COMMAND_NONE);
    control_core_tick(&fixture->core, 16 * SECOND_NS);
    CU_ASSERT_EQUAL(board_command_peek(&fixture->board), BOARD_COMMAND_CAPTURE_STOP);
    ASSERT_ERROR(ask_read(fixture, id, 16 * SECOND_NS), NOT_FOUND);
    fixture_free(fixture);
}

static void test_stop_waits_for_the_loop(void)
{
    struct fixture *fixture = fixture_new();
    Mpa__V1__StopRequest stop = MPA__V1__STOP_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    CU_ASSERT_EQUAL(board_command(&fixture->board, BOARD_COMMAND_CAPTURE_STOP), 0);
    request.body_case = MPA__V1__REQUEST__BODY_STOP;
    request.stop = &stop;
    CU_ASSERT_EQUAL(ask(fixture, &request, SECOND_NS)->body_case, MPA__V1__REPLY__BODY_STOP);
    control_core_tick(&fixture->core, 2 * SECOND_NS);
    CU_ASSERT_EQUAL(board_command_peek(&fixture->board), BOARD_COMMAND_CAPTURE_STOP);
    board_command_done(&fixture->board);
    control_core_tick(&fixture->core, 2 * SECOND_NS);
    CU_ASSERT_EQUAL(board_command_peek(&fixture->board), BOARD_COMMAND_STOP);
    fixture_free(fixture);
}

static void test_the_reply_leaves_before_the_loop_ends(void)
{
    struct fixture *fixture = fixture_new();
    Mpa__V1__StopRequest stop = MPA__V1__STOP_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    request.body_case = MPA__V1__REQUEST__BODY_STOP;
    request.stop = &stop;
    CU_ASSERT_EQUAL(ask(fixture, &request, SECOND_NS)->body_case, MPA__V1__REPLY__BODY_STOP);
    control_core_tick(&fixture->core, SECOND_NS);
    CU_ASSERT_EQUAL(board_command_peek(&fixture->board), BOARD_COMMAND_NONE);
    control_core_tick(&fixture->core, SECOND_NS + SECOND_NS / 10);
    CU_ASSERT_EQUAL(board_command_peek(&fixture->board), BOARD_COMMAND_STOP);
    fixture_free(fixture);
}

static void test_events_as_messages(void)
{
    struct fixture *fixture = fixture_new();
    uint64_t next = 0;
    Mpa__V1__Event *event;

    board_event_add(&fixture->board, 2 * SECOND_NS, BOARD_EVENT_QUARANTINED, 1, LANE_fault_index);
    event = control_core_event(&fixture->core, &next, 3 * SECOND_NS, 1000 * SECOND_NS);
    CU_ASSERT_PTR_NOT_NULL_FATAL(event);
    CU_ASSERT_EQUAL(event->kind, MPA__V1__EVENT_KIND__EVENT_KIND_QUARANTINED);
    CU_ASSERT_EQUAL(event->slot, 1);
    CU_ASSERT_EQUAL(event->time_ns, 999 * SECOND_NS);
    CU_ASSERT_EQUAL_FATAL(event->n_fields, 1);
    CU_ASSERT_STRING_EQUAL(event->fields[0]->value, "fault_index");
    CU_ASSERT_PTR_NULL(control_core_event(&fixture->core, &next, 3 * SECOND_NS, 1000 * SECOND_NS));
    for (unsigned i = 0; i < BOARD_N_EVENTS + 4; i++)
        board_event_add(&fixture->board, SECOND_NS, BOARD_EVENT_GONE, i % CONFIG_MAX_WORKERS, 0);
    event = control_core_event(&fixture->core, &next, 3 * SECOND_NS, 1000 * SECOND_NS);
    CU_ASSERT_EQUAL(event->kind, MPA__V1__EVENT_KIND__EVENT_KIND_LOST);
    CU_ASSERT_STRING_EQUAL(event->fields[0]->value, "5");
    event = control_core_event(&fixture->core, &next, 3 * SECOND_NS, 1000 * SECOND_NS);
    CU_ASSERT_EQUAL(event->kind, MPA__V1__EVENT_KIND__EVENT_KIND_GONE);
    CU_ASSERT_EQUAL(event->slot, 5);
    fixture_free(fixture);
}

static const Mpa__V1__Reply *ask_degrade(struct fixture *fixture, Mpa__V1__DegradeOrder *order)
{
    Mpa__V1__SetDegradeRequest body = MPA__V1__SET_DEGRADE_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    body.order = order;
    request.body_case = MPA__V1__REQUEST__BODY_SET_DEGRADE;
    request.set_degrade = &body;
    return ask(fixture, &request, SECOND_NS);
}

static void test_orders_to_refuse_reach_the_board(void)
{
    struct fixture *fixture = fixture_new();
    Mpa__V1__DegradeOrder order = MPA__V1__DEGRADE_ORDER__INIT;
    const Mpa__V1__Reply *reply;
    uint32_t slots[2] = {0, 15};
    struct board_shed shed;
    uint64_t seen = 0;

    order.step = MPA__V1__DEGRADE_STEP__DEGRADE_STEP_SHORT_IDLE;
    order.shed_slots = slots;
    order.n_shed_slots = 2;
    order.silent = true;
    order.idle_limit_s = 30;
    order.lease_ms = 5000;
    reply = ask_degrade(fixture, &order);
    CU_ASSERT_EQUAL(reply->body_case, MPA__V1__REPLY__BODY_SET_DEGRADE);
    CU_ASSERT_FATAL(board_shed_take(&fixture->board, &seen, &shed));
    CU_ASSERT_EQUAL(shed.lane_mask, 0x8001);
    CU_ASSERT_EQUAL(shed.step, 3);
    CU_ASSERT(shed.is_silent && !shed.is_all);
    CU_ASSERT(shed.idle_s == 30 && shed.lease_ms == 5000);
    /* What cannot hold is refused by its field, and the last order stays. */
    slots[1] = 16;
    ASSERT_ERROR(ask_degrade(fixture, &order), INVALID);
    order.n_shed_slots = 0;
    order.lease_ms = 0;
    CU_ASSERT_STRING_EQUAL(ask_degrade(fixture, &order)->error->field, "order.lease_ms");
    order.lease_ms = BOARD_SHED_MAX_LEASE_MS + 1;
    CU_ASSERT_STRING_EQUAL(ask_degrade(fixture, &order)->error->field, "order.lease_ms");
    order.lease_ms = 1000;
    order.idle_limit_s = 65536;
    CU_ASSERT_STRING_EQUAL(ask_degrade(fixture, &order)->error->field, "order.idle_limit_s");
    order.idle_limit_s = 0;
    order.step = (Mpa__V1__DegradeStep)-1;
    CU_ASSERT_STRING_EQUAL(ask_degrade(fixture, &order)->error->field, "order.step");
    CU_ASSERT_STRING_EQUAL(ask_degrade(fixture, NULL)->error->field, "order");
    CU_ASSERT_FALSE(board_shed_take(&fixture->board, &seen, &shed));
    fixture_free(fixture);
}

const struct unit_test unit_tests[] = {
    {"orders to refuse reach the board, others are refused by their field",
     test_orders_to_refuse_reach_the_board},
    {"status tells the frontend and each attached worker", test_status},
    {"stats hold every counter of every list", test_stats_hold_every_counter},
    {"the largest bucket table fits into a reply", test_largest_replies_fit},
    {"bytes that are no request get an error", test_bad_bytes_get_an_error},
    {"fields of a newer version are ignored", test_unknown_fields_are_ignored},
    {"a request cut or changed at any byte gets a reply", test_mutilated_requests_get_a_reply},
    {"random bytes get a reply", test_random_bytes_get_a_reply},
    {"a filter that could run wild never reaches the board", test_bad_filters_never_reach_the_board},
    {"a captured frame reaches the reader as it was", test_captured_frames_reach_the_reader},
    {"a full capture ring is read in bounded replies", test_a_full_ring_is_read_in_bounded_replies},
    {"a capture that nobody reads ends", test_unread_capture_ends},
    {"stop is told to the loop as soon as it takes commands", test_stop_waits_for_the_loop},
    {"the reply leaves before the loop ends", test_the_reply_leaves_before_the_loop_ends},
    {"events of the board become messages, lost ones are told", test_events_as_messages},
    {"workers have no say", test_workers_have_no_say},
    {"other users have no say", test_other_users_have_no_say},
    {NULL, NULL},
};
