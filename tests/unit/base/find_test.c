/* SPDX-License-Identifier: BSD-3-Clause */
/* find_test.c — options in a command line, and processes that are not there. */
#include "base/find.h"

#include <string.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "base/find";

static void test_options_in_both_spellings(void)
{
    static const char words[] = "mpa-worker\0--runtime-dir\0/run/mpa\0--slot=3";

    CU_ASSERT_STRING_EQUAL(find_option(words, sizeof(words), "--runtime-dir"), "/run/mpa");
    CU_ASSERT_STRING_EQUAL(find_option(words, sizeof(words), "--slot"), "3");
    CU_ASSERT_PTR_NULL(find_option(words, sizeof(words), "--config"));
}

static void test_cut_off_command_lines(void)
{
    static const char cut[] = "mpa-worker\0--slot";
    static const char longer[] = "mpa-worker\0--slots\0003";

    CU_ASSERT_PTR_NULL(find_option(cut, sizeof(cut), "--slot"));
    CU_ASSERT_PTR_NULL(find_option(longer, sizeof(longer), "--slot"));
    CU_ASSERT_PTR_NULL(find_option("", 1, "--slot"));
}

static void test_nobody_is_found_where_nobody_is(void)
{
    struct found_process found[4];

    CU_ASSERT_EQUAL(find_processes("mpa-worker", "/nonexistent", found, 4), 0);
    CU_ASSERT_EQUAL(find_processes("no-such-program", "/tmp", found, 4), 0);
    CU_ASSERT_EQUAL(find_processes("mpa-worker", "/tmp", found, 0), 0);
}

const struct unit_test unit_tests[] = {
    {"an option is found in both spellings", test_options_in_both_spellings},
    {"a command line that is cut off has no option", test_cut_off_command_lines},
    {"nobody is found where nobody is", test_nobody_is_found_where_nobody_is},
    {NULL, NULL},
};
