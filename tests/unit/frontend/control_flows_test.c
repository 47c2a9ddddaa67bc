/* SPDX-License-Identifier: BSD-3-Clause */
/* control_flows_test.c — promises of the list of flows, over records segments that the test writes. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "frontend/control_internal.h"
#include "shm/segment.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "frontend/control, flows";

#define NOW_NS 100000000000ull
#define PAGE 4096u
#define FIFO_BYTES 8192u
#define PAGE_FLOWS 1000u
#define SOCKET_BYTES (200u << 10) /* that a unix socket takes whole: hangup/hangup.h */

struct fixture {
    struct config config;
    struct board board;
    struct control_core core;
    struct segment segments[CONFIG_MAX_WORKERS];
    pthread_t loop;
    atomic_bool is_over;
    uint8_t bytes[4096];
};

/* The loop: lends what there is whenever it is asked. */
static void *loop_run(void *argument)
{
    struct fixture *fixture = argument;
    int fds[CONFIG_MAX_WORKERS];

    while (!atomic_load(&fixture->is_over)) {
        if (!board_records_wanted(&fixture->board)) {
            sched_yield();
            continue;
        }
        for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
            int fd = fixture->segments[slot].fd;

            fds[slot] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
        }
        board_records_give(&fixture->board, fds);
    }
    return NULL;
}

static struct fixture *fixture_new(void)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    CU_ASSERT_PTR_NOT_NULL_FATAL(fixture);
    config_defaults(&fixture->config);
    CU_ASSERT_EQUAL_FATAL(board_init(&fixture->board, 64), 0);
    CU_ASSERT_EQUAL_FATAL(control_core_init(&fixture->core, &fixture->config, &fixture->board, NOW_NS), 0);
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++)
        fixture->segments[slot].fd = -1;
    return fixture;
}

static void fixture_start(struct fixture *fixture)
{
    CU_ASSERT_EQUAL_FATAL(pthread_create(&fixture->loop, NULL, loop_run, fixture), 0);
}

static void fixture_free(struct fixture *fixture)
{
    atomic_store(&fixture->is_over, true);
    pthread_join(fixture->loop, NULL);
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        if (fixture->segments[slot].fd >= 0)
            segment_fini(&fixture->segments[slot]);
    }
    control_core_fini(&fixture->core);
    board_fini(&fixture->board);
    free(fixture);
}

static struct flow_record *record_at(struct fixture *fixture, uint32_t slot, uint32_t idx)
{
    struct records_segment *records = fixture->segments[slot].base;

    return (struct flow_record *)((uint8_t *)records + records->records_off) + idx;
}

/* Record `idx` of worker `slot`: a connection of 10.0.0.1:1000+idx (or fd77::1) to our port 7. */
static void record_fill(struct fixture *fixture, uint32_t slot, uint32_t idx, bool is_v6)
{
    struct flow_record *record = record_at(fixture, slot, idx);
    struct flow_key key = {.protocol = IPPROTO_TCP, .family = is_v6 ? 6 : 4};

    CU_ASSERT_EQUAL_FATAL(inet_pton(is_v6 ? AF_INET6 : AF_INET, is_v6 ? "fd77::1" : "10.0.0.1", key.remote),
                          1);
    CU_ASSERT_EQUAL_FATAL(inet_pton(is_v6 ? AF_INET6 : AF_INET, is_v6 ? "fd77::2" : "10.0.0.2", key.local),
                          1);
    key.remote_port_be = htons((uint16_t)(1000 + idx));
    key.local_port_be = htons(7);
    record->cursors[0] = (struct flow_cursors){.rx_written = 150,
                                               .rx_read = 50,
                                               .tx_written = 4000,
                                               .tx_enqueued = 3000,
                                               .tx_read = 1000,
                                               .rx_capacity_bytes = FIFO_BYTES,
                                               .tx_capacity_bytes = FIFO_BYTES,
                                               .flags = FLOW_OPEN};
    record->facts[0] = (struct flow_facts){.epoch = 3,
                                           .owner = slot,
                                           .mss = 1460,
                                           .service_port = 7,
                                           .tcp_state = 4,
                                           .cwnd = 14600,
                                           .srtt_us = 250,
                                           .n_retransmits = 2,
                                           .opened_ns = NOW_NS - 5 * CLOCK_NS_PER_S};
    memcpy(record->facts[0].key, &key, sizeof(key));
    atomic_store(&record->turn, FLOW_TURN_IN_USE);
}

static void records_new(struct fixture *fixture, uint32_t slot, uint32_t n)
{
    size_t fifo_off = segment_align(sizeof(struct records_segment), PAGE) +
                      segment_align(n * sizeof(struct flow_record), PAGE);
    struct segment_spec spec = {.name = "test-records",
                                .kind = SEGMENT_RECORDS,
                                .version = RECORDS_SEGMENT_VERSION,
                                .size_bytes = fifo_off + FIFO_BYTES};
    struct records_segment *records;

    CU_ASSERT_EQUAL_FATAL(segment_new(&fixture->segments[slot], &spec), 0);
    records = fixture->segments[slot].base;
    records->record_bytes = sizeof(struct flow_record);
    records->cursors_bytes = sizeof(struct flow_cursors);
    records->facts_bytes = sizeof(struct flow_facts);
    records->n_records = n;
    records->page_bytes = PAGE;
    records->records_off = segment_align(sizeof(*records), PAGE);
    records->tombstones_off = fifo_off;
    records->fifo_off = fifo_off;
    records->fifo_bytes = FIFO_BYTES;
    atomic_store(&records->n_used, n);
    CU_ASSERT_EQUAL_FATAL(segment_seal(&fixture->segments[slot]), 0);
    for (uint32_t idx = 0; idx < n; idx++)
        record_fill(fixture, slot, idx, false);
}

static const Mpa__V1__Reply *ask(struct fixture *fixture, Mpa__V1__GetFlowsRequest *body)
{
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    size_t size;

    request.body_case = MPA__V1__REQUEST__BODY_GET_FLOWS;
    request.get_flows = body;
    size = mpa__v1__request__get_packed_size(&request);
    CU_ASSERT_FATAL(size <= sizeof(fixture->bytes));
    mpa__v1__request__pack(&request, fixture->bytes);
    return control_core_answer(&fixture->core, fixture->bytes, size, NOW_NS);
}

/* All pages, one after the other: the number of flows. */
static size_t ask_all(struct fixture *fixture, Mpa__V1__GetFlowsRequest *body, unsigned *n_pages)
{
    size_t n = 0;

    *n_pages = 0;
    do {
        const Mpa__V1__Reply *reply = ask(fixture, body);

        CU_ASSERT_PTR_NULL_FATAL(reply->error);
        CU_ASSERT_EQUAL_FATAL(reply->body_case, MPA__V1__REPLY__BODY_GET_FLOWS);
        CU_ASSERT_TRUE(mpa__v1__reply__get_packed_size(reply) <= CONTROL_MAX_MESSAGE_BYTES);
        n += reply->get_flows->n_flows;
        body->cursor = reply->get_flows->next_cursor;
        ++*n_pages;
    } while (body->cursor != 0 && *n_pages < 1000);
    return n;
}

static void test_flow_has_all_figures(void)
{
    struct fixture *fixture = fixture_new();
    Mpa__V1__GetFlowsRequest body = MPA__V1__GET_FLOWS_REQUEST__INIT;
    const Mpa__V1__Reply *reply;
    const Mpa__V1__Flow *flow;

    records_new(fixture, 3, 2);
    record_fill(fixture, 3, 1, true);
    fixture_start(fixture);
    reply = ask(fixture, &body);
    CU_ASSERT_PTR_NULL_FATAL(reply->error);
    CU_ASSERT_EQUAL_FATAL(reply->get_flows->n_flows, 2);
    CU_ASSERT_EQUAL(reply->get_flows->next_cursor, 0);
    flow = reply->get_flows->flows[0];
    CU_ASSERT_STRING_EQUAL(flow->key->remote_address, "10.0.0.1");
    CU_ASSERT_EQUAL(flow->key->remote_port, 1000);
    CU_ASSERT_STRING_EQUAL(flow->key->local_address, "10.0.0.2");
    CU_ASSERT_EQUAL(flow->key->local_port, 7);
    CU_ASSERT_EQUAL(flow->state, MPA__V1__FLOW_STATE__FLOW_STATE_ESTABLISHED);
    CU_ASSERT_EQUAL(flow->worker, 3);
    CU_ASSERT_EQUAL(flow->rx_queue_bytes, 100);
    CU_ASSERT_EQUAL(flow->tx_queue_bytes, 3000);
    CU_ASSERT_EQUAL(flow->in_flight_bytes, 2000);
    CU_ASSERT_EQUAL(flow->cwnd_bytes, 14600);
    CU_ASSERT_EQUAL(flow->srtt_us, 250);
    CU_ASSERT_EQUAL(flow->retransmits, 2);
    CU_ASSERT_EQUAL(flow->age_ms, 5000);
    CU_ASSERT_EQUAL(flow->epoch, 3);
    CU_ASSERT_EQUAL(flow->rx_bytes, 150);
    CU_ASSERT_EQUAL(flow->tx_bytes, 1000);
    CU_ASSERT_TRUE(flow->bucket < 64);
    CU_ASSERT_STRING_EQUAL(reply->get_flows->flows[1]->key->remote_address, "fd77::1");
    fixture_free(fixture);
}

static void test_one_bucket(void)
{
    struct fixture *fixture = fixture_new();
    Mpa__V1__GetFlowsRequest body = MPA__V1__GET_FLOWS_REQUEST__INIT;
    size_t n = 0;

    records_new(fixture, 0, 1000);
    fixture_start(fixture);
    body.has_bucket = true;
    for (uint32_t bucket = 0; bucket < 64; bucket++) {
        const Mpa__V1__Reply *reply;

        body.bucket = bucket;
        reply = ask(fixture, &body);
        CU_ASSERT_PTR_NULL_FATAL(reply->error);
        for (size_t i = 0; i < reply->get_flows->n_flows; i++)
            CU_ASSERT_EQUAL(reply->get_flows->flows[i]->bucket, bucket);
        n += reply->get_flows->n_flows;
    }
    CU_ASSERT_EQUAL(n, 1000);
    fixture_free(fixture);
}

static void test_pages_hold_every_flow_once(void)
{
    struct fixture *fixture = fixture_new();
    Mpa__V1__GetFlowsRequest body = MPA__V1__GET_FLOWS_REQUEST__INIT;
    unsigned n_pages;

    records_new(fixture, 0, 6000);
    records_new(fixture, 2, 4000);
    fixture_start(fixture);
    CU_ASSERT_EQUAL(ask_all(fixture, &body, &n_pages), 10000);
    CU_ASSERT_EQUAL(n_pages, 10);
    body.cursor = 0;
    body.limit = 999;
    CU_ASSERT_EQUAL(ask_all(fixture, &body, &n_pages), 10000);
    CU_ASSERT_EQUAL(n_pages, 11);
    fixture_free(fixture);
}

static void test_longest_keys_fit_a_socket(void)
{
    struct fixture *fixture = fixture_new();
    Mpa__V1__GetFlowsRequest body = MPA__V1__GET_FLOWS_REQUEST__INIT;
    const Mpa__V1__Reply *reply;

    records_new(fixture, 0, PAGE_FLOWS);
    for (uint32_t idx = 0; idx < PAGE_FLOWS; idx++) {
        struct flow_record *record = record_at(fixture, 0, idx);

        record_fill(fixture, 0, idx, true);
        memset(record->facts[0].key, 0xfd, 32);
        record->facts[0].opened_ns = 1;
        record->facts[0].cwnd = UINT32_MAX;
        record->facts[0].srtt_us = UINT32_MAX;
        record->facts[0].n_retransmits = UINT32_MAX;
        record->facts[0].epoch = UINT32_MAX;
    }
    fixture_start(fixture);
    reply = ask(fixture, &body);
    CU_ASSERT_PTR_NULL_FATAL(reply->error);
    CU_ASSERT_EQUAL(reply->get_flows->n_flows, PAGE_FLOWS);
    CU_ASSERT(mpa__v1__reply__get_packed_size(reply) <= SOCKET_BYTES);
    fixture_free(fixture);
}

static void test_only_what_was_asked_for(void)
{
    struct fixture *fixture = fixture_new();
    Mpa__V1__GetFlowsRequest body = MPA__V1__GET_FLOWS_REQUEST__INIT;
    const Mpa__V1__Reply *reply;
    unsigned n_pages;

    records_new(fixture, 0, 10);
    records_new(fixture, 1, 10);
    record_at(fixture, 0, 4)->facts[0].tcp_state = 7; /* CLOSE_WAIT */
    record_at(fixture, 0, 4)->cursors[0].flags |= FLOW_PEER_CLOSED;
    record_at(fixture, 1, 5)->facts[0].owner = 0; /* exported */
    atomic_store(&record_at(fixture, 1, 6)->turn, 0);
    fixture_start(fixture);
    CU_ASSERT_EQUAL(ask_all(fixture, &body, &n_pages), 18);
    body = (Mpa__V1__GetFlowsRequest)MPA__V1__GET_FLOWS_REQUEST__INIT;
    body.has_worker = true;
    body.worker = 1;
    CU_ASSERT_EQUAL(ask_all(fixture, &body, &n_pages), 8);
    body = (Mpa__V1__GetFlowsRequest)MPA__V1__GET_FLOWS_REQUEST__INIT;
    body.has_state = true;
    body.state = MPA__V1__FLOW_STATE__FLOW_STATE_CLOSE_WAIT;
    reply = ask(fixture, &body);
    CU_ASSERT_EQUAL_FATAL(reply->get_flows->n_flows, 1);
    CU_ASSERT_EQUAL(reply->get_flows->flows[0]->key->remote_port, 1004);
    body.has_worker = true;
    body.worker = CONFIG_MAX_WORKERS;
    reply = ask(fixture, &body);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reply->error);
    CU_ASSERT_STRING_EQUAL(reply->error->field, "worker");
    fixture_free(fixture);
}

static void test_records_that_cannot_be_trusted_are_counted(void)
{
    struct fixture *fixture = fixture_new();
    Mpa__V1__GetFlowsRequest body = MPA__V1__GET_FLOWS_REQUEST__INIT;
    const Mpa__V1__Reply *reply;

    records_new(fixture, 0, 5);
    record_at(fixture, 0, 1)->cursors[0].rx_page_idx = UINT32_MAX;
    record_at(fixture, 0, 2)->facts[0].tcp_state = 77;
    records_new(fixture, 1, 5);
    ((struct records_segment *)fixture->segments[1].base)->records_off = UINT64_MAX;
    /* A cursor of nonsense is a place behind the end. */
    fixture_start(fixture);
    reply = ask(fixture, &body);
    CU_ASSERT_PTR_NULL_FATAL(reply->error);
    CU_ASSERT_EQUAL(reply->get_flows->n_flows, 3);
    CU_ASSERT_EQUAL(reply->get_flows->unreadable, 3);
    body.cursor = UINT64_MAX;
    reply = ask(fixture, &body);
    CU_ASSERT_PTR_NULL_FATAL(reply->error);
    CU_ASSERT_EQUAL(reply->get_flows->n_flows, 0);
    CU_ASSERT_EQUAL(reply->get_flows->next_cursor, 0);
    fixture_free(fixture);
}

static void test_loop_that_hangs_is_told(void)
{
    struct fixture *fixture = fixture_new();
    Mpa__V1__GetFlowsRequest body = MPA__V1__GET_FLOWS_REQUEST__INIT;
    const Mpa__V1__Reply *reply = ask(fixture, &body);

    CU_ASSERT_PTR_NOT_NULL_FATAL(reply->error);
    CU_ASSERT_EQUAL(reply->error->code, MPA__V1__ERROR_CODE__ERROR_CODE_DEADLINE);
    fixture_start(fixture);
    fixture_free(fixture);
}

const struct unit_test unit_tests[] = {
    {"a flow has all its figures", test_flow_has_all_figures},
    {"flows can be asked for by bucket, each is in one", test_one_bucket},
    {"pages hold every flow once", test_pages_hold_every_flow_once},
    {"a page of the longest keys fits a socket", test_longest_keys_fit_a_socket},
    {"only what was asked for is listed", test_only_what_was_asked_for},
    {"records that cannot be trusted are counted, not shown",
     test_records_that_cannot_be_trusted_are_counted},
    {"a loop that hangs is told", test_loop_that_hangs_is_told},
    {NULL, NULL},
};
