/* SPDX-License-Identifier: BSD-3-Clause */
/* service_test.c — echo, discard and chargen, and the table they stand in. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/unit.h"
#include "tests/unit/worker/service_rig.h"
#include "worker/service_internal.h"

static uint8_t byte_at(uint64_t position)
{
    return (uint8_t)(position * 2654435761u >> 11);
}

static void send_stream(struct service_rig *rig, uint32_t n_bytes)
{
    static uint8_t bytes[65536];

    for (uint32_t i = 0; i < n_bytes; i++)
        bytes[i] = byte_at(rig->rx.written + i);
    service_rig_send(rig, bytes, n_bytes);
}

/* Takes what was sent and compares it with what the stream should be there. */
static uint32_t take_stream(struct service_rig *rig, uint32_t n_bytes, uint8_t (*expected)(uint64_t position))
{
    static uint8_t bytes[FIFO_MAX_BYTES];
    uint64_t position = rig->tx.read;
    uint32_t n_taken = service_rig_take(rig, bytes, n_bytes), n_wrong = 0;

    for (uint32_t i = 0; i < n_taken; i++)
        n_wrong += bytes[i] != expected(position + i);
    CU_ASSERT_EQUAL(n_wrong, 0);
    return n_taken;
}

static void echo_sends_back_what_it_got_in_any_pieces(void)
{
    struct service_rig rig;
    uint32_t seed = 3;

    service_rig_init(&rig, &service_echo);
    for (unsigned turn = 0; turn < 600; turn++) {
        seed = seed * 1664525u + 1013904223u;
        if (fifo_used(&rig.rx) < 100000)
            send_stream(&rig, seed >> 18);
        rig.tx_limit_bytes = 1 + (seed >> 10) % 30000;
        service_rig_run(&rig);
        if (turn % 7 == 0)
            service_rig_move(&rig);
        take_stream(&rig, (seed >> 12) % 20000, byte_at);
    }
    rig.tx_limit_bytes = FIFO_MAX_BYTES;
    service_rig_run(&rig);
    take_stream(&rig, FIFO_MAX_BYTES, byte_at);
    CU_ASSERT_EQUAL(rig.tx.written, rig.rx.written);
    service_rig_fini(&rig);
}

static void echo_closes_only_when_everything_is_sent(void)
{
    struct service_rig rig;

    service_rig_init(&rig, &service_echo);
    send_stream(&rig, 1000);
    rig.has_peer_closed = true;
    rig.tx_limit_bytes = 600;
    service_rig_run(&rig);
    CU_ASSERT_FALSE(rig.is_closed);
    CU_ASSERT_EQUAL(take_stream(&rig, 600, byte_at), 600);
    service_rig_run(&rig);
    CU_ASSERT_TRUE(rig.is_closed);
    CU_ASSERT_EQUAL(take_stream(&rig, 600, byte_at), 400);
    service_rig_fini(&rig);
}

static void discard_takes_everything_and_sends_nothing(void)
{
    struct service_rig rig;

    service_rig_init(&rig, &service_discard);
    for (unsigned turn = 0; turn < 20; turn++) {
        send_stream(&rig, 60000);
        service_rig_run(&rig);
        CU_ASSERT_EQUAL(fifo_used(&rig.rx), 0);
    }
    CU_ASSERT_FALSE(rig.is_closed);
    rig.has_peer_closed = true;
    service_rig_run(&rig);
    CU_ASSERT_TRUE(rig.is_closed);
    CU_ASSERT_EQUAL(rig.tx.written, 0);
    service_rig_fini(&rig);
}

/* RFC 864 written down without a table. */
static uint8_t chargen_at(uint64_t position)
{
    uint64_t line = position / 74, column = position % 74;

    if (column >= 72)
        return column == 72 ? '\r' : '\n';
    return (uint8_t)(' ' + (line + column) % 95);
}

static void chargen_is_the_rfcs_pattern_wherever_it_is_resumed(void)
{
    uint8_t pattern[CHARGEN_PATTERN_BYTES];
    struct service service;
    struct service_rig rig;
    uint32_t seed = 9;

    service_chargen_pattern(pattern);
    service = service_chargen(pattern);
    service_rig_init(&rig, &service);
    for (unsigned turn = 0; turn < 120; turn++) {
        seed = seed * 1664525u + 1013904223u;
        rig.tx_limit_bytes = (seed >> 14) % FIFO_MAX_BYTES;
        service_rig_run(&rig);
        CU_ASSERT(fifo_used(&rig.tx) >= rig.tx_limit_bytes); /* all room is used */
        if (turn % 3 == 0)
            service_rig_move(&rig);
        take_stream(&rig, (seed >> 9) % FIFO_MAX_BYTES, chargen_at);
    }
    CU_ASSERT(rig.tx.read > (uint64_t)10 * CHARGEN_PATTERN_BYTES);
    service_rig_fini(&rig);
}

static void chargen_throws_input_away_and_ends_with_its_peer(void)
{
    uint8_t pattern[CHARGEN_PATTERN_BYTES];
    struct service service;
    struct service_rig rig;

    service_chargen_pattern(pattern);
    service = service_chargen(pattern);
    service_rig_init(&rig, &service);
    send_stream(&rig, 5000);
    service_rig_run(&rig);
    CU_ASSERT_EQUAL(fifo_used(&rig.rx), 0);
    CU_ASSERT_FALSE(rig.is_closed);
    rig.has_peer_closed = true;
    service_rig_run(&rig);
    CU_ASSERT_TRUE(rig.is_closed);
    service_rig_run(&rig);
    take_stream(&rig, FIFO_MAX_BYTES, chargen_at);
    service_rig_fini(&rig);
}

static const struct config_services all_services = {
    .echo = {true, 7}, .discard = {true, 9}, .chargen = {true, 19}, .http = {true, 80}, .http_root = ""};

static void the_table_finds_each_service_by_its_port(void)
{
    static const struct {
        uint16_t port;
        const char *name;
    } expected[] = {{7, "echo"}, {9, "discard"}, {19, "chargen"}, {80, "http"}};
    struct service_table *table = service_table_new(&all_services);
    uint16_t idx = 77;

    CU_ASSERT_PTR_NOT_NULL_FATAL(table);
    CU_ASSERT_EQUAL(service_table_count(table), 4);
    for (size_t i = 0; i < 4; i++) {
        const struct service *service = service_table_find(table, expected[i].port, &idx);

        CU_ASSERT_PTR_NOT_NULL_FATAL(service);
        CU_ASSERT_STRING_EQUAL(service->name, expected[i].name);
        CU_ASSERT(service->state_bytes <= SERVICE_STATE_BYTES);
        CU_ASSERT_PTR_EQUAL(service_table_get(table, idx), service);
        CU_ASSERT_EQUAL(service_table_port(table, idx), expected[i].port);
    }
    idx = 77;
    CU_ASSERT_PTR_NULL(service_table_find(table, 8, &idx));
    CU_ASSERT_EQUAL(idx, 77);
    service_table_free(table);
}

static void a_service_that_is_not_enabled_is_not_there(void)
{
    struct config_services config = all_services;
    struct service_table *table;
    uint16_t idx;

    config.http.enabled = config.discard.enabled = false;
    table = service_table_new(&config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(table);
    CU_ASSERT_EQUAL(service_table_count(table), 2);
    CU_ASSERT_PTR_NULL(service_table_find(table, 80, &idx));
    CU_ASSERT_PTR_NOT_NULL(service_table_find(table, 19, &idx));
    service_table_free(table);
    service_table_free(NULL);
}

const char unit_suite_name[] = "worker/service";
const struct unit_test unit_tests[] = {
    {"echo sends back what it got, in any pieces", echo_sends_back_what_it_got_in_any_pieces},
    {"echo closes only when everything is sent", echo_closes_only_when_everything_is_sent},
    {"discard takes everything and sends nothing", discard_takes_everything_and_sends_nothing},
    {"chargen is the RFC's pattern wherever it is resumed",
     chargen_is_the_rfcs_pattern_wherever_it_is_resumed},
    {"chargen throws input away and ends with its peer", chargen_throws_input_away_and_ends_with_its_peer},
    {"the table finds each service by its port", the_table_finds_each_service_by_its_port},
    {"a service that is not enabled is not there", a_service_that_is_not_enabled_is_not_there},
    {NULL, NULL},
};
