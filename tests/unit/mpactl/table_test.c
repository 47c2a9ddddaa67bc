/* SPDX-License-Identifier: BSD-3-Clause */
/* table_test.c — promises of tables: what they leave out when there is no room, and where colours go. */
#include "controlplane/mpactl/table.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "mpactl/table";

/* A table of one row, or two, with everything in it, printed as wide as asked. The text is the caller's. */
static char *print(size_t n_columns, bool has_color)
{
    static const char *const headers[] = {"~NAME", ">N", "-->MUCH", "->LESS", "END", NULL};
    struct table *table = table_new(headers);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    CU_ASSERT_PTR_NOT_NULL_FATAL(table);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    table_cell(table, "a name that is long");
    table_cell(table, "%d", 5);
    table_cell(table, "1000");
    table_cell(table, "77");
    table_cell(table, "x\033[2Jy");
    table_color(table, COLOR_BAD);
    CU_ASSERT_EQUAL(table_print_fit(table, out, n_columns, has_color), MPACTL_OK);
    fclose(out);
    return text;
}

static void check(size_t n_columns, const char *expected)
{
    char *text = print(n_columns, false);

    CU_ASSERT_STRING_EQUAL(text, expected);
    free(text);
}

static void test_whole(void)
{
    check(0, "NAME                 N  MUCH  LESS  END\n"
             "a name that is long  5  1000    77  x?[2Jy\n");
    check(42, "NAME                 N  MUCH  LESS  END\n"
              "a name that is long  5  1000    77  x?[2Jy\n");
}

static void test_what_matters_least_goes_first(void)
{
    check(41, "NAME                 N  LESS  END\n"
              "a name that is long  5    77  x?[2Jy\n");
    check(30, "NAME                 N  END\n"
              "a name that is long  5  x?[2Jy\n");
}

static void test_then_texts_are_cut(void)
{
    check(20, "NAME       N  END\n"
              "a name t~  5  x?[2Jy\n");
}

static void test_at_last_the_line_is_cut(void)
{
    check(10, "NAME\n"
              "a name ~\n");
    for (size_t n = 1; n < 50; n++) {
        char *text = print(n, false);

        CU_ASSERT_TRUE(strcspn(text, "\n") <= n);
        CU_ASSERT_TRUE(strcspn(strchr(text, '\n') + 1, "\n") <= n);
        free(text);
    }
}

static void test_color_takes_no_room(void)
{
    char *text = print(42, true);

    CU_ASSERT_PTR_NOT_NULL(strstr(text, "  \033[1;31mx?[2Jy\033[0m\n"));
    free(text);
}

const struct unit_test unit_tests[] = {
    {"where there is room a table is whole, aligned and without control characters", test_whole},
    {"columns that matter least are left out first", test_what_matters_least_goes_first},
    {"then texts are cut, and show it", test_then_texts_are_cut},
    {"no line is ever longer than the terminal is wide", test_at_last_the_line_is_cut},
    {"a colour takes no room", test_color_takes_no_room},
    {NULL, NULL},
};
