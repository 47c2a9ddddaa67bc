/* SPDX-License-Identifier: BSD-3-Clause */
/* text_test.c — promises of words and tables, and of the table of commands. */
#include "controlplane/mpactl/text.h"

#include <stdlib.h>
#include <string.h>

#include "controlplane/mpactl/mpactl.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "mpactl/text";

static void test_enum_words(void)
{
    char word[TEXT_WORD_BYTES];

    CU_ASSERT_STRING_EQUAL(text_enum(&mpa__v1__lane_state__descriptor, 2, word), "serving");
    CU_ASSERT_STRING_EQUAL(text_enum(&mpa__v1__error_code__descriptor, 2, word), "too_large");
    CU_ASSERT_STRING_EQUAL(text_enum(&mpa__v1__role__descriptor, 3, word), "worker");
    CU_ASSERT_STRING_EQUAL(text_enum(&mpa__v1__role__descriptor, 999, word), "unknown");
}

static void test_durations(void)
{
    char word[TEXT_WORD_BYTES];

    CU_ASSERT_STRING_EQUAL(text_duration(0, word), "0ms");
    CU_ASSERT_STRING_EQUAL(text_duration(12345, word), "12.3s");
    CU_ASSERT_STRING_EQUAL(text_duration(245000, word), "4m05s");
    CU_ASSERT_STRING_EQUAL(text_duration(11220000, word), "3h07m");
    CU_ASSERT_STRING_EQUAL(text_duration(187200000, word), "2d04h");
    CU_ASSERT_TRUE(strlen(text_duration(UINT64_MAX, word)) < TEXT_WORD_BYTES);
}

static void test_sizes(void)
{
    char word[TEXT_WORD_BYTES];

    CU_ASSERT_STRING_EQUAL(text_bytes(512, word), "512");
    CU_ASSERT_STRING_EQUAL(text_bytes(1536, word), "1.5K");
    CU_ASSERT_STRING_EQUAL(text_bytes(230ull << 20, word), "230M");
    CU_ASSERT_STRING_EQUAL(text_bytes(UINT64_MAX, word), "16E");
}

static void test_table_layout(void)
{
    static const char *const headers[] = {"NAME", ">N", "END", NULL};
    struct table *table = table_new(headers);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    CU_ASSERT_PTR_NOT_NULL_FATAL(table);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    table_cell(table, "%s", "long name");
    table_cell(table, "%d", 5);
    table_cell(table, "%s", "x\033[2Jy");
    table_cell(table, "%s", "a");
    table_cell(table, "%d", 1000);
    table_cell(table, "%s", "z");
    CU_ASSERT_EQUAL(table_print(table, out), MPACTL_OK);
    fclose(out);
    CU_ASSERT_STRING_EQUAL(text, "NAME          N  END\n"
                                 "long name     5  x?[2Jy\n"
                                 "a          1000  z\n");
    free(text);
}

static void test_commands_are_whole(void)
{
    for (const struct command *command = commands; command->name != NULL; command++) {
        CU_ASSERT_PTR_EQUAL(command_find(command->name), command);
        CU_ASSERT_PTR_NOT_NULL(command->run);
        /* The overview fits 80 columns. */
        CU_ASSERT_TRUE(strlen(command->name) <= 9 && strlen(command->help) <= 67);
    }
    CU_ASSERT_PTR_NULL(command_find("stat"));
    CU_ASSERT_PTR_NULL(command_find(""));
}

const struct unit_test unit_tests[] = {
    {"an enum value is a word without the prefix of its type", test_enum_words},
    {"durations are short", test_durations},
    {"sizes are short", test_sizes},
    {"a table aligns its columns and prints no control character", test_table_layout},
    {"every command is found by its name and explained in a line", test_commands_are_whole},
    {NULL, NULL},
};
