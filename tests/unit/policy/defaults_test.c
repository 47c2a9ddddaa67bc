/* SPDX-License-Identifier: BSD-3-Clause */
/* defaults_test.c — policies are tested and simulated with their own defaults: those are what runs by
 * default. */
#include "base/config.h"
#include "controlplane/policy/balance.h"
#include "controlplane/policy/degrade.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "policy/defaults";

static void test_degrade(void)
{
    struct degrade_config policy;
    struct config config;
    const struct config_control *control = &config.control;

    config_defaults(&config);
    degrade_defaults(&policy);
    CU_ASSERT_EQUAL(policy.limits_permille[DEGRADE_SHED_CONGESTED - 1], control->degrade_congested_permille);
    CU_ASSERT_EQUAL(policy.limits_permille[DEGRADE_SHED_ALL - 1], control->degrade_all_permille);
    CU_ASSERT_EQUAL(policy.limits_permille[DEGRADE_SHORT_IDLE - 1], control->degrade_idle_permille);
    CU_ASSERT_EQUAL(policy.limits_permille[DEGRADE_FEWER_WORKERS - 1], control->degrade_workers_permille);
    CU_ASSERT_EQUAL(policy.relief_permille, control->degrade_relief_permille);
}

static void test_balance(void)
{
    struct balance_config policy;
    struct config config;
    const struct config_control *control = &config.control;

    config_defaults(&config);
    balance_defaults(&policy);
    CU_ASSERT_EQUAL(policy.weight_cpu, control->balance_weight_cpu);
    CU_ASSERT_EQUAL(policy.weight_ring, control->balance_weight_ring);
    CU_ASSERT_EQUAL(policy.weight_connections, control->balance_weight_connections);
    CU_ASSERT_EQUAL(policy.floor_permille, control->balance_floor_permille);
    CU_ASSERT_EQUAL(policy.factor_permille, control->balance_factor_permille);
}

const struct unit_test unit_tests[] = {
    {"the ladder is the configured one", test_degrade},
    {"balance goes by the configured weights and limits", test_balance},
    {NULL, NULL},
};
