/* SPDX-License-Identifier: BSD-3-Clause */
/* text_test.c — promises of words and tables, and of the table of commands. */
#include "controlplane/mpactl/text.h"

#include <stdio.h>
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

    CU_ASSERT_STRING_EQUAL(text_bytes(512, word), "512 B");
    CU_ASSERT_STRING_EQUAL(text_bytes(1536, word), "1.5 KiB");
    CU_ASSERT_STRING_EQUAL(text_bytes(230ull << 20, word), "230 MiB");
    CU_ASSERT_STRING_EQUAL(text_bytes(UINT64_MAX, word), "16 EiB");
}

static void test_counts(void)
{
    char word[TEXT_WORD_BYTES];

    CU_ASSERT_STRING_EQUAL(text_count(99999, word), "99999");
    CU_ASSERT_STRING_EQUAL(text_count(120000, word), "120 k");
    CU_ASSERT_STRING_EQUAL(text_count(1234567, word), "1.2 M");
    CU_ASSERT_STRING_EQUAL(text_count(UINT64_MAX, word), "18 E");
}

static void test_rates(void)
{
    char word[TEXT_WORD_BYTES];

    CU_ASSERT_STRING_EQUAL(text_count_over(500, 0, 0, word), "500");
    CU_ASSERT_STRING_EQUAL(text_count_over(500, 300, 2000000000, word), "100");
    CU_ASSERT_STRING_EQUAL(text_count_over(3, 300, 1000000000, word), "-");
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

/* stderr is a variable in glibc. */
static void test_messages_are_harmless(void)
{
    FILE *before = stderr;
    char *said = NULL;
    size_t size = 0;

    stderr = open_memstream(&said, &size);
    CU_ASSERT_EQUAL(mpactl_fail(MPACTL_FAILED, "refused: %s", "a\033[2Jb\nc"), MPACTL_FAILED);
    fclose(stderr);
    stderr = before;
    CU_ASSERT_STRING_EQUAL(said, "mpactl: refused: a?[2Jb?c\n");
    free(said);
}

const struct unit_test unit_tests[] = {
    {"an enum value is a word without the prefix of its type", test_enum_words},
    {"durations are short", test_durations},
    {"sizes are short", test_sizes},
    {"counts are short when they are large", test_counts},
    {"a rate is of a second, and none when the counter began again", test_rates},
    {"every command is found by its name and explained in a line", test_commands_are_whole},
    {"a message is one line without control characters", test_messages_are_harmless},
    {NULL, NULL},
};
