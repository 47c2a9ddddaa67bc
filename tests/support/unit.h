/* SPDX-License-Identifier: BSD-3-Clause */
/* unit.h — the frame of a unit test program: a table of named tests and one main for all. */
#ifndef MPA_TESTS_UNIT_H
#define MPA_TESTS_UNIT_H

#include <CUnit/CUnit.h>

/* A test is named for the promise it checks. */
struct unit_test {
    const char *promise;
    void (*run)(void);
};

/* Defined by each test program; the table ends with {NULL, NULL}. */
extern const char unit_suite_name[];
extern const struct unit_test unit_tests[];

#endif
