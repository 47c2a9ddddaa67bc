/* SPDX-License-Identifier: BSD-3-Clause */
/* control_settings_test.c — what controld may change in a frontend that runs, as a whole or not at all. */
#include "frontend/control_internal.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/unit.h"

struct fixture {
    struct config config;
    struct board board;
    struct control_core core;
    Mpa__V1__ConfigValue values[3];
    Mpa__V1__ConfigValue *value_list[3];
    Mpa__V1__ProcessLogLevel levels[3];
    Mpa__V1__ProcessLogLevel *level_list[3];
    Mpa__V1__SetConfigRequest body;
};

static struct fixture *fixture_new(void)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    CU_ASSERT_PTR_NOT_NULL_FATAL(fixture);
    log_set_level(LOG_LEVEL_WARN); /* what is told at INFO is not for the output of a test */
    config_defaults(&fixture->config);
    CU_ASSERT_EQUAL_FATAL(board_init(&fixture->board, 64), 0);
    CU_ASSERT_EQUAL_FATAL(control_core_init(&fixture->core, &fixture->config, &fixture->board, 1), 0);
    atomic_store(&fixture->board.lanes[2].state, BOARD_LANE_SERVING);
    mpa__v1__set_config_request__init(&fixture->body);
    fixture->body.values = fixture->value_list;
    fixture->body.levels = fixture->level_list;
    return fixture;
}

static void fixture_free(struct fixture *fixture)
{
    control_core_fini(&fixture->core);
    board_fini(&fixture->board);
    free(fixture);
}

static char *text(const char *constant)
{
    return control_borrow(constant);
}

static void add_value(struct fixture *fixture, const char *key, const char *value)
{
    size_t i = fixture->body.n_values++;

    mpa__v1__config_value__init(&fixture->values[i]);
    fixture->values[i].key = text(key);
    fixture->values[i].value = text(value);
    fixture->value_list[i] = &fixture->values[i];
}

static void add_level(struct fixture *fixture, Mpa__V1__Role role, uint32_t slot, const char *level)
{
    size_t i = fixture->body.n_levels++;

    mpa__v1__process_log_level__init(&fixture->levels[i]);
    fixture->levels[i].role = role;
    fixture->levels[i].slot = slot;
    fixture->levels[i].level = text(level);
    fixture->level_list[i] = &fixture->levels[i];
}

/* Sends what was added, and forgets it. */
static const Mpa__V1__Reply *send_request(struct fixture *fixture)
{
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    uint8_t bytes[512];
    size_t size;

    request.body_case = MPA__V1__REQUEST__BODY_SET_CONFIG;
    request.set_config = &fixture->body;
    size = mpa__v1__request__get_packed_size(&request);
    CU_ASSERT_FATAL(size <= sizeof(bytes));
    mpa__v1__request__pack(&request, bytes);
    fixture->body.n_values = fixture->body.n_levels = 0;
    return control_core_answer(&fixture->core, bytes, size, 2);
}

static uint32_t worker_level(struct fixture *fixture, unsigned slot)
{
    return atomic_load(&fixture->board.lanes[slot].log_level);
}

static void nothing_asked_tells_the_levels(void)
{
    struct fixture *fixture = fixture_new();
    const Mpa__V1__Reply *reply = send_request(fixture);

    CU_ASSERT_EQUAL_FATAL(reply->body_case, MPA__V1__REPLY__BODY_SET_CONFIG);
    CU_ASSERT_EQUAL_FATAL(reply->set_config->n_levels, 2);
    CU_ASSERT_EQUAL(reply->set_config->levels[0]->role, MPA__V1__ROLE__ROLE_FRONTEND);
    CU_ASSERT_STRING_EQUAL(reply->set_config->levels[0]->level, "warn");
    CU_ASSERT_EQUAL(reply->set_config->levels[1]->slot, 2);
    CU_ASSERT_STRING_EQUAL(reply->set_config->levels[1]->level, "warn");
    /* Nobody has said anything: workers keep what their own start said. */
    CU_ASSERT_EQUAL(worker_level(fixture, 2), 0);
    fixture_free(fixture);
}

static void a_level_for_all_goes_to_all_and_takes_single_ones_back(void)
{
    struct fixture *fixture = fixture_new();

    add_level(fixture, MPA__V1__ROLE__ROLE_WORKER, 2, "debug");
    add_level(fixture, MPA__V1__ROLE__ROLE_FRONTEND, 0, "error");
    CU_ASSERT_PTR_NULL(send_request(fixture)->error);
    CU_ASSERT_EQUAL(log_level(), LOG_LEVEL_ERROR);
    CU_ASSERT_EQUAL(worker_level(fixture, 2), LOG_LEVEL_DEBUG);
    CU_ASSERT_EQUAL(worker_level(fixture, 3), 0);
    add_level(fixture, MPA__V1__ROLE__ROLE_WORKER, 2, "");
    CU_ASSERT_PTR_NULL(send_request(fixture)->error);
    CU_ASSERT_EQUAL(worker_level(fixture, 2), LOG_LEVEL_WARN);
    add_value(fixture, "control.log_level", "warn");
    add_level(fixture, MPA__V1__ROLE__ROLE_WORKER, 3, "error");
    CU_ASSERT_PTR_NULL(send_request(fixture)->error);
    CU_ASSERT_EQUAL(log_level(), LOG_LEVEL_WARN);
    CU_ASSERT_EQUAL(worker_level(fixture, 2), LOG_LEVEL_WARN);
    CU_ASSERT_EQUAL(worker_level(fixture, 3), LOG_LEVEL_ERROR);
    CU_ASSERT_EQUAL(worker_level(fixture, 15), LOG_LEVEL_WARN);
    fixture_free(fixture);
}

static void numbers_go_over_the_board(void)
{
    struct fixture *fixture = fixture_new();

    add_value(fixture, "control.heartbeat_ms", "2500");
    add_value(fixture, "worker.orphan_s", "0");
    CU_ASSERT_PTR_NULL(send_request(fixture)->error);
    CU_ASSERT_EQUAL(atomic_load(&fixture->board.heartbeat_ms), 2500);
    CU_ASSERT_EQUAL(atomic_load(&fixture->board.lanes[0].orphan_s_plus_1), 1);
    CU_ASSERT_EQUAL(atomic_load(&fixture->board.lanes[15].orphan_s_plus_1), 1);
    CU_ASSERT_EQUAL(worker_level(fixture, 2), 0);
    fixture_free(fixture);
}

/* The reply names the field, and nothing of the request was taken. */
static void check_refused(struct fixture *fixture, const char *field)
{
    const Mpa__V1__Reply *reply = send_request(fixture);

    CU_ASSERT_PTR_NOT_NULL_FATAL(reply->error);
    CU_ASSERT_EQUAL(reply->error->code, MPA__V1__ERROR_CODE__ERROR_CODE_INVALID);
    CU_ASSERT_STRING_EQUAL(reply->error->field, field);
    CU_ASSERT_EQUAL(atomic_load(&fixture->board.heartbeat_ms), 0);
    CU_ASSERT_EQUAL(log_level(), LOG_LEVEL_WARN);
    CU_ASSERT_EQUAL(worker_level(fixture, 2), 0);
}

static void what_is_not_allowed_is_refused_as_a_whole(void)
{
    static const char *const bad[][2] = {{"control.heartbeat_ms", "9"},
                                         {"control.heartbeat_ms", ""},
                                         {"worker.orphan_s", "3601"},
                                         {"control.log_level", "loud"},
                                         {"control.balance_ms", "1000"},
                                         {"nic.mtu", "1500"},
                                         {"no.key", "1"},
                                         {"", ""}};
    struct fixture *fixture = fixture_new();

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        add_value(fixture, "control.heartbeat_ms", "2000");
        add_level(fixture, MPA__V1__ROLE__ROLE_WORKER, 2, "debug");
        add_value(fixture, bad[i][0], bad[i][1]);
        check_refused(fixture, "values");
    }
    add_value(fixture, "control.log_level", "debug");
    add_level(fixture, MPA__V1__ROLE__ROLE_WORKER, 16, "debug");
    check_refused(fixture, "levels");
    add_level(fixture, MPA__V1__ROLE__ROLE_CONTROLD, 0, "debug");
    check_refused(fixture, "levels");
    add_level(fixture, MPA__V1__ROLE__ROLE_FRONTEND, 0, "loud");
    check_refused(fixture, "levels");
    fixture_free(fixture);
}

const char unit_suite_name[] = "frontend/control_settings";
const struct unit_test unit_tests[] = {
    {"nothing asked tells the levels", nothing_asked_tells_the_levels},
    {"a level for all goes to all and takes single ones back",
     a_level_for_all_goes_to_all_and_takes_single_ones_back},
    {"numbers go over the board", numbers_go_over_the_board},
    {"what is not allowed is refused as a whole", what_is_not_allowed_is_refused_as_a_whole},
    {NULL, NULL}};
