/* SPDX-License-Identifier: BSD-3-Clause */
/* unit.c — runs the table of a unit test program and says so with CUnit's own closing lines. */
#include "tests/support/unit.h"

#include <CUnit/Basic.h>
#include <stdlib.h>

int main(void)
{
    CU_pSuite suite;
    unsigned n_failed;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return EXIT_FAILURE;
    suite = CU_add_suite(unit_suite_name, NULL, NULL);
    if (suite == NULL)
        return EXIT_FAILURE;
    for (const struct unit_test *test = unit_tests; test->promise != NULL; test++) {
        if (CU_add_test(suite, test->promise, test->run) == NULL)
            return EXIT_FAILURE;
    }
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    n_failed = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
    CU_cleanup_registry();
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
