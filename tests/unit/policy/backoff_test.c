/* SPDX-License-Identifier: BSD-3-Clause */
/* backoff_test.c — promises of the restart delays. */
#include "controlplane/policy/backoff.h"

#include "tests/support/unit.h"

const char unit_suite_name[] = "policy/backoff";

static void test_doubles(void)
{
    CU_ASSERT_EQUAL(backoff_delay_ms(100, 0), 0);
    CU_ASSERT_EQUAL(backoff_delay_ms(100, 1), 100);
    CU_ASSERT_EQUAL(backoff_delay_ms(100, 2), 200);
    CU_ASSERT_EQUAL(backoff_delay_ms(100, 5), 1600);
}

static void test_is_bounded(void)
{
    CU_ASSERT_EQUAL(backoff_delay_ms(100, 20), BACKOFF_MAX_MS);
    CU_ASSERT_EQUAL(backoff_delay_ms(100, UINT32_MAX), BACKOFF_MAX_MS);
    CU_ASSERT_EQUAL(backoff_delay_ms(BACKOFF_MAX_MS + 5, 9), BACKOFF_MAX_MS + 5);
    CU_ASSERT_EQUAL(backoff_delay_ms(UINT32_MAX, 2), UINT32_MAX);
    CU_ASSERT_EQUAL(backoff_delay_ms(0, 9), 0);
}

static void test_healthy_life_starts_over(void)
{
    CU_ASSERT_EQUAL(backoff_count(0, 0), 1);
    CU_ASSERT_EQUAL(backoff_count(4, BACKOFF_HEALTHY_MS - 1), 5);
    CU_ASSERT_EQUAL(backoff_count(4, BACKOFF_HEALTHY_MS), 1);
}

const struct unit_test unit_tests[] = {
    {"the delay doubles with each failure in a row", test_doubles},
    {"the delay has a bound and never wraps", test_is_bounded},
    {"after a healthy life the delay starts over", test_healthy_life_starts_over},
    {NULL, NULL},
};
