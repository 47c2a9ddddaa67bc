/* SPDX-License-Identifier: BSD-3-Clause */
/* health_test.c — promises of what follows an end, as a table. */
#include "controlplane/policy/health.h"

#include <string.h>

#include "controlplane/policy/backoff.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "policy/health";

#define BASE_MS 100u

struct row {
    const char *name;
    struct health_end end;
    struct health_verdict verdict;
};

#define WORKER .base_ms = BASE_MS, .is_wanted = true, .has_stand_in = true, .has_served = true
#define FRONTEND .base_ms = BASE_MS, .is_wanted = true, .is_frontend = true, .has_served = true

/* clang-format off */
static const struct row rows[] = {
    {"asked to end, and not wanted", {.cause = HEALTH_ASKED}, {HEALTH_STAY_DOWN, 0, 0}},
    {"asked to end to be replaced", {WORKER, .cause = HEALTH_ASKED, .n_failures = 7},
     {HEALTH_RESTART_NOW, 0, 0}},
    {"not wanted any more", {.cause = HEALTH_EXIT, .has_served = true}, {HEALTH_STAY_DOWN, 0, 1}},
    {"first death", {WORKER, .cause = HEALTH_SIGNAL, .was_ready = true, .ready_ms = 99999},
     {HEALTH_RESTART_NOW, BASE_MS, 1}},
    {"first stall", {WORKER, .cause = HEALTH_STALLED, .was_ready = true}, {HEALTH_RESTART_NOW, BASE_MS, 1}},
    {"second death soon after", {WORKER, .cause = HEALTH_SIGNAL, .was_ready = true, .n_failures = 1},
     {HEALTH_RESTART_LATER, 2 * BASE_MS, 2}},
    {"crash loop", {WORKER, .cause = HEALTH_SIGNAL, .n_failures = 40},
     {HEALTH_RESTART_LATER, BACKOFF_MAX_MS, 41}},
    {"crash loop ended by a healthy life",
     {WORKER, .cause = HEALTH_SIGNAL, .n_failures = 40, .was_ready = true, .ready_ms = BACKOFF_HEALTHY_MS},
     {HEALTH_RESTART_NOW, BASE_MS, 1}},
    {"long but never ready is no healthy life",
     {WORKER, .cause = HEALTH_NOT_READY, .n_failures = 2, .ready_ms = BACKOFF_HEALTHY_MS},
     {HEALTH_RESTART_LATER, 4 * BASE_MS, 3}},
    {"crash loop of the last one that did serve",
     {.base_ms = BASE_MS, .is_wanted = true, .has_served = true, .cause = HEALTH_SIGNAL, .was_ready = true,
      .n_failures = 40},
     {HEALTH_RESTART_NOW, BASE_MS, 41}},
    {"crash loop of a lonely one that never served",
     {.base_ms = BASE_MS, .is_wanted = true, .has_served = true, .cause = HEALTH_EXIT, .n_failures = 40},
     {HEALTH_RESTART_LATER, BACKOFF_MAX_MS, 41}},
    {"crash loop of the frontend", {FRONTEND, .cause = HEALTH_SIGNAL, .n_failures = 40},
     {HEALTH_RESTART_LATER, HEALTH_FRONTEND_MAX_MS, 41}},
    {"frontend that cannot start at all",
     {.base_ms = BASE_MS, .is_wanted = true, .is_frontend = true, .cause = HEALTH_EXIT},
     {HEALTH_GIVE_UP, 0, 1}},
    {"frontend killed during the first start",
     {.base_ms = BASE_MS, .is_wanted = true, .is_frontend = true, .cause = HEALTH_SIGNAL},
     {HEALTH_RESTART_NOW, BASE_MS, 1}},
    {"worker that fails its first start twice",
     {.base_ms = BASE_MS, .is_wanted = true, .cause = HEALTH_EXIT, .n_failures = HEALTH_MAX_TRIES - 2},
     {HEALTH_RESTART_LATER, 2 * BASE_MS, HEALTH_MAX_TRIES - 1}},
    {"worker that fails its first start too often",
     {.base_ms = BASE_MS, .is_wanted = true, .cause = HEALTH_EXIT, .n_failures = HEALTH_MAX_TRIES - 1},
     {HEALTH_GIVE_UP, 0, HEALTH_MAX_TRIES}},
};
/* clang-format on */

static void test_rows(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct health_verdict verdict = health_judge(&rows[i].end);

        if (verdict.action != rows[i].verdict.action || verdict.delay_ms != rows[i].verdict.delay_ms ||
            verdict.n_failures != rows[i].verdict.n_failures)
            CU_FAIL(rows[i].name);
    }
    CU_PASS("all rows");
}

static void test_causes_have_names(void)
{
    for (uint32_t cause = 0; cause < HEALTH_N_CAUSES; cause++)
        CU_ASSERT_TRUE(strlen(health_cause_name((enum health_cause)cause)) > 0);
}

const struct unit_test unit_tests[] = {
    {"each end gets its action, its delay and its count", test_rows},
    {"every cause has a name", test_causes_have_names},
    {NULL, NULL},
};
