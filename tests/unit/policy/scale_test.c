#include "tests/support/unit.h"
const char unit_suite_name[] = "policy/scale";
const struct unit_test unit_tests[] = {{NULL, NULL}};
