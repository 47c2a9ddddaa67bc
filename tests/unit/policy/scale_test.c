/* SPDX-License-Identifier: BSD-3-Clause */
/* scale_test.c — promises of the number of workers. */
#include "controlplane/policy/scale.h"

#include <string.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "policy/scale";

static const struct scale_config config = {.min_workers = 1,
                                           .max_workers = 4,
                                           .up_permille = 700,
                                           .up_rounds = 3,
                                           .down_permille = 200,
                                           .down_rounds = 6,
                                           .cool_rounds = 2};

/* Workers 0..n-1, ready, with that score each. */
static void workers_set(struct scale_worker workers[SCALE_MAX_WORKERS], uint32_t n, uint32_t score_permille)
{
    memset(workers, 0, SCALE_MAX_WORKERS * sizeof(workers[0]));
    for (uint32_t slot = 0; slot < n; slot++)
        workers[slot] =
            (struct scale_worker){.is_there = true, .is_ready = true, .score_permille = score_permille};
}

/* ---- the table: the reason in the last of so many rounds with the same measures ---- */

struct row {
    const char *name;
    uint32_t n_workers, score_permille, n_rounds;
    enum scale_action action;
    enum scale_reason reason;
};

static const struct row rows[] = {
    {"neither high nor low", 2, 500, 20, SCALE_STAY, SCALE_FITS},
    {"high, not for long", 2, 900, 2, SCALE_STAY, SCALE_UNSURE},
    {"high for long enough", 2, 900, 3, SCALE_UP, SCALE_HIGH},
    {"high at the most", 4, 900, 20, SCALE_STAY, SCALE_AT_MOST},
    {"low, not for long", 2, 100, 5, SCALE_STAY, SCALE_UNSURE},
    {"low for long enough", 2, 100, 6, SCALE_DOWN, SCALE_LOW},
    {"low at the least", 1, 100, 20, SCALE_STAY, SCALE_AT_LEAST},
    {"none", 0, 0, 1, SCALE_UP, SCALE_BELOW_LEAST},
    {"too many", 5, 500, 1, SCALE_DOWN, SCALE_ABOVE_MOST},
};

static void test_rows(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scale_worker workers[SCALE_MAX_WORKERS];
        struct scale_decision decision = {0};
        struct scale scale;

        scale_init(&scale, &config);
        workers_set(workers, rows[i].n_workers, rows[i].score_permille);
        for (uint32_t round = 0; round < rows[i].n_rounds; round++)
            scale_round(&scale, workers, &decision);
        if (decision.action != rows[i].action || decision.reason != rows[i].reason)
            CU_FAIL(rows[i].name);
    }
    CU_PASS("all rows");
}

static void test_down_leaves_room(void)
{
    struct scale_config wide = config;
    struct scale_worker workers[SCALE_MAX_WORKERS];
    struct scale_decision decision = {0};
    struct scale scale;

    wide.down_permille = 400; /* two at 390 would leave one at 780 */
    scale_init(&scale, &wide);
    workers_set(workers, 2, 390);
    for (int round = 0; round < 20; round++) {
        scale_round(&scale, workers, &decision);
        CU_ASSERT_EQUAL(decision.action, SCALE_STAY);
    }
    CU_ASSERT_EQUAL(decision.reason, SCALE_REST_FULL);
    CU_ASSERT_EQUAL(decision.rest_permille, 780);
}

static void test_text_names_the_numbers(void)
{
    struct scale_worker workers[SCALE_MAX_WORKERS];
    struct scale_decision decision = {0};
    struct scale scale;
    char text[256];

    scale_init(&scale, &config);
    workers_set(workers, 2, 900);
    for (int round = 0; round < 3; round++)
        scale_round(&scale, workers, &decision);
    scale_text(&scale, &decision, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text,
                           "2 workers (1 to 4 allowed) with a mean score of 900 of 1000 (low below 200, "
                           "high from 700): high for long enough: one more");
}

static void test_starting_workers_are_awaited(void)
{
    struct scale_worker workers[SCALE_MAX_WORKERS];
    struct scale_decision decision;
    struct scale scale;

    scale_init(&scale, &config);
    workers_set(workers, 3, 1000);
    workers[2].is_ready = false;
    for (int round = 0; round < 20; round++) {
        scale_round(&scale, workers, &decision);
        CU_ASSERT_EQUAL(decision.action, SCALE_STAY);
        CU_ASSERT_EQUAL(decision.reason, SCALE_COOLING);
    }
}

/* A load of so many thousandths of one worker, for an hour of seconds. Returns the number of changes. */
static uint32_t run_hour(uint32_t load_permille, uint32_t *n_workers)
{
    struct scale_worker workers[SCALE_MAX_WORKERS];
    struct scale_decision decision;
    struct scale scale;
    uint32_t n_changes = 0;

    scale_init(&scale, &config);
    for (int round = 0; round < 3600; round++) {
        uint32_t noise = (uint32_t)round * 2654435761u >> 27; /* 0..31 */
        uint32_t each = (load_permille + noise) / *n_workers;

        workers_set(workers, *n_workers, each < 1000 ? each : 1000);
        scale_round(&scale, workers, &decision);
        n_changes += decision.action != SCALE_STAY;
        if (decision.action == SCALE_UP)
            ++*n_workers;
        if (decision.action == SCALE_DOWN)
            --*n_workers;
        CU_ASSERT_TRUE(*n_workers >= config.min_workers && *n_workers <= config.max_workers);
    }
    return n_changes;
}

static void test_no_load_makes_it_swing(void)
{
    for (uint32_t load_permille = 0; load_permille <= 4000; load_permille += 50) {
        for (uint32_t start = config.min_workers; start <= config.max_workers; start++) {
            uint32_t n_workers = start;

            /* One way only: so many changes as there are steps. */
            CU_ASSERT_TRUE(run_hour(load_permille, &n_workers) ==
                           (n_workers > start ? n_workers - start : start - n_workers));
        }
    }
}

static void test_config_faults(void)
{
    struct scale_config bad = config;

    CU_ASSERT_PTR_NULL(scale_config_fault(&bad));
    bad.max_workers = SCALE_MAX_WORKERS + 1;
    CU_ASSERT_STRING_EQUAL(scale_config_fault(&bad), "max_workers");
    bad = config;
    bad.down_permille = bad.up_permille;
    CU_ASSERT_STRING_EQUAL(scale_config_fault(&bad), "down_permille");
    for (uint32_t reason = 0; reason < SCALE_N_REASONS; reason++)
        CU_ASSERT_TRUE(strlen(scale_reason_name((enum scale_reason)reason)) > 0);
}

const struct unit_test unit_tests[] = {
    {"each situation gets its action and its reason", test_rows},
    {"a worker goes only when the rest stays well below high", test_down_leaves_room},
    {"the text names every number behind the decision", test_text_names_the_numbers},
    {"while one is on its way nothing is decided", test_starting_workers_are_awaited},
    {"no steady load makes the number swing, in an hour with noise", test_no_load_makes_it_swing},
    {"a configuration without sense is named, every reason has a name", test_config_faults},
    {NULL, NULL},
};
