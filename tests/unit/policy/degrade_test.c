/* SPDX-License-Identifier: BSD-3-Clause */
/* degrade_test.c — promises of the ladder: one step at a time, visible, reversible, no swinging. */
#include "controlplane/policy/degrade.h"

#include <string.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "policy/degrade";

static void ladder_init(struct degrade *degrade)
{
    struct degrade_config config;

    degrade_defaults(&config);
    degrade_init(degrade, &config);
}

static uint32_t machine_permille;

/* So many rounds with the same pressures; the last decision. */
static struct degrade_decision run(struct degrade *degrade, uint32_t memory, uint32_t pool, uint32_t cpu,
                                   uint32_t n_rounds)
{
    const struct degrade_used used = {{memory, pool, cpu, machine_permille},
                                      {memory, pool, cpu, machine_permille}};
    struct degrade_decision decision = {0};

    for (uint32_t i = 0; i < n_rounds; i++) {
        enum degrade_step before = degrade->step;

        degrade_round(degrade, &used, &decision);
        CU_ASSERT_EQUAL(decision.from, before);
        CU_ASSERT_EQUAL(decision.to, degrade->step);
        CU_ASSERT_TRUE(degrade->step + 1 >= before && degrade->step <= before + 1);
    }
    return decision;
}

/* ---- the table: where the ladder comes to stand ---- */

struct row {
    const char *name;
    uint32_t memory, pool, cpu, machine;
    enum degrade_step step;
};

static const struct row rows[] = {
    {"nothing", 0, 0, 0, 0, DEGRADE_NONE},
    {"just below", 849, 849, 849, 849, DEGRADE_NONE},
    {"memory", 850, 0, 0, 0, DEGRADE_SHED_CONGESTED},
    {"frame pool", 0, 900, 0, 0, DEGRADE_SHED_ALL},
    {"CPU", 0, 0, 940, 0, DEGRADE_SHORT_IDLE},
    {"all of the machine's memory", 0, 0, 0, 1000, DEGRADE_FEWER_WORKERS},
    {"all of the workers' own takes none of them away", 1000, 0, 0, 0, DEGRADE_SHORT_IDLE},
    {"all of the CPU neither", 0, 0, 1000, 0, DEGRADE_SHORT_IDLE},
    {"all of the pool neither", 0, 1000, 0, 0, DEGRADE_SHORT_IDLE},
};

static void test_rows(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct degrade degrade;

        ladder_init(&degrade);
        machine_permille = rows[i].machine;
        run(&degrade, rows[i].memory, rows[i].pool, rows[i].cpu, 50);
        machine_permille = 0;
        if (degrade.step != rows[i].step)
            CU_FAIL(rows[i].name);
        /* And all the way back. */
        run(&degrade, 0, 0, 0, 50);
        CU_ASSERT_EQUAL(degrade.step, DEGRADE_NONE);
    }
}

static void test_one_full_worker_does_not_close_all(void)
{
    const struct degrade_used one = {{1000, 0, 0}, {500, 0, 0}}, none = {{0, 0, 0}, {0, 0, 0}};
    struct degrade_decision decision;
    struct degrade degrade;

    ladder_init(&degrade);
    for (int i = 0; i < 1000; i++)
        degrade_round(&degrade, &one, &decision);
    CU_ASSERT_EQUAL(degrade.step, DEGRADE_SHED_CONGESTED);
    for (int i = 0; i < 10; i++)
        degrade_round(&degrade, &none, &decision);
    CU_ASSERT_EQUAL(degrade.step, DEGRADE_NONE);
}

static void test_an_operators_step_begins_its_rounds_anew(void)
{
    struct degrade degrade;

    ladder_init(&degrade);
    run(&degrade, 860, 0, 0, 1);
    degrade_set_step(&degrade, DEGRADE_SHED_ALL);
    run(&degrade, 0, 0, 0, 9);
    CU_ASSERT_EQUAL(degrade.step, DEGRADE_SHED_ALL);
    run(&degrade, 0, 0, 0, 1);
    CU_ASSERT_EQUAL(degrade.step, DEGRADE_SHED_CONGESTED);
}

static void test_a_peak_does_nothing(void)
{
    struct degrade degrade;

    ladder_init(&degrade);
    for (int i = 0; i < 100; i++) {
        run(&degrade, 1000, 1000, 1000, 1);
        run(&degrade, 500, 500, 500, 1);
    }
    CU_ASSERT_EQUAL(degrade.step, DEGRADE_NONE);
}

static void test_between_limits_it_stays(void)
{
    struct degrade degrade;

    ladder_init(&degrade);
    run(&degrade, 860, 0, 0, 2);
    CU_ASSERT_EQUAL(degrade.step, DEGRADE_SHED_CONGESTED);
    for (int i = 0; i < 3600; i++)
        run(&degrade, i % 2 == 0 ? 751 : 899, 0, 0, 1);
    CU_ASSERT_EQUAL(degrade.step, DEGRADE_SHED_CONGESTED);
    run(&degrade, 749, 0, 0, 9);
    CU_ASSERT_EQUAL(degrade.step, DEGRADE_SHED_CONGESTED);
    CU_ASSERT_EQUAL(run(&degrade, 749, 0, 0, 1).change, DEGRADE_BETTER);
    CU_ASSERT_EQUAL(degrade.step, DEGRADE_NONE);
}

/* A policy that begins anew, as in a controld that follows one that has died: it must not have workers
 * started that it would have ended again. */
static void test_nobody_comes_back_before_the_pressure_is_judged(void)
{
    static const struct {
        uint32_t machine, n_rounds;
        bool is_relieved;
    } looks[] = {{1000, 100, false}, {970, 100, false}, {870, 100, false}, {869, 9, false}, {869, 10, true}};

    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
        struct degrade degrade;

        ladder_init(&degrade);
        CU_ASSERT_FALSE(degrade_is_machine_relieved(&degrade));
        machine_permille = looks[i].machine;
        /* What else presses gives the machine nothing. */
        run(&degrade, 1000, 1000, 1000, looks[i].n_rounds);
        CU_ASSERT_EQUAL(degrade_is_machine_relieved(&degrade), looks[i].is_relieved);
        run(&degrade, 0, 0, 0, 10);
        machine_permille = 1000;
        run(&degrade, 0, 0, 0, 1);
        CU_ASSERT_FALSE(degrade_is_machine_relieved(&degrade));
        machine_permille = 0;
    }
}

static void test_who_leaves_the_last_step_is_relieved(void)
{
    struct degrade degrade;

    ladder_init(&degrade);
    machine_permille = 980;
    run(&degrade, 0, 0, 0, 50);
    CU_ASSERT_EQUAL(degrade.step, DEGRADE_FEWER_WORKERS);
    machine_permille = 0;
    for (int i = 0; i < 20 && degrade.step == DEGRADE_FEWER_WORKERS; i++)
        run(&degrade, 0, 0, 0, 1);
    CU_ASSERT_EQUAL(degrade.step, DEGRADE_SHORT_IDLE);
    CU_ASSERT_TRUE(degrade_is_machine_relieved(&degrade));
}

static void test_decision_says_why(void)
{
    struct degrade degrade;
    struct degrade_decision decision;

    ladder_init(&degrade);
    decision = run(&degrade, 100, 910, 300, 2);
    CU_ASSERT_EQUAL(decision.change, DEGRADE_WORSE);
    CU_ASSERT_EQUAL(decision.pressure, DEGRADE_POOL);
    CU_ASSERT_EQUAL(decision.pressure_permille, 910);
    CU_ASSERT_EQUAL(decision.limit_permille, 850);
    CU_ASSERT_STRING_EQUAL(degrade_step_name(decision.to), "shed_congested");
    CU_ASSERT_STRING_EQUAL(degrade_pressure_name(decision.pressure), "pool");
}

static void test_config_faults(void)
{
    struct degrade_config config;

    degrade_defaults(&config);
    CU_ASSERT_PTR_NULL(degrade_config_fault(&config));
    config.limits_permille[2] = config.limits_permille[1];
    CU_ASSERT_STRING_EQUAL(degrade_config_fault(&config), "limits_permille");
    degrade_defaults(&config);
    config.worse_rounds = 0;
    CU_ASSERT_STRING_EQUAL(degrade_config_fault(&config), "worse_rounds");
}

const struct unit_test unit_tests[] = {
    {"each pressure leads to its step, one at a time, and back", test_rows},
    {"one worker that is full does not close all of them", test_one_full_worker_does_not_close_all},
    {"a step that an operator sets begins its rounds anew", test_an_operators_step_begins_its_rounds_anew},
    {"a peak does nothing", test_a_peak_does_nothing},
    {"between the limits it stays, for an hour", test_between_limits_it_stays},
    {"nobody comes back before the pressure is judged", test_nobody_comes_back_before_the_pressure_is_judged},
    {"who leaves the last step is relieved", test_who_leaves_the_last_step_is_relieved},
    {"a change says what pressed and how much", test_decision_says_why},
    {"a configuration without sense is named", test_config_faults},
    {NULL, NULL},
};
