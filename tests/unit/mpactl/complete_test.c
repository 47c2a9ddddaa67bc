/* SPDX-License-Identifier: BSD-3-Clause */
/* complete_test.c — promises of completion, of "did you mean" and of the bar of long operations. */
#include "controlplane/mpactl/complete.h"

#include <string.h>

#include "controlplane/mpactl/progress.h"
#include "controlplane/mpactl/suggest.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "mpactl/complete";

static const struct argp_option options[] = {
    {"to", 'T', "WORKER", 0, "", 0},
    {"no-wait", 'n', NULL, 0, "", 0},
    {0},
};
static const struct command_syntax syntax = {options, NULL, "bucket N[-M][,...]\nflow FLOW\nbucket|flow all",
                                             "text"};

static struct complete_place place(char **words, size_t n)
{
    return complete_find(&syntax, words, n);
}

#define WORDS(...) (char *[]){__VA_ARGS__}, sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)

static void test_options(void)
{
    CU_ASSERT_TRUE(place(WORDS("--t")).is_option);
    CU_ASSERT_PTR_NULL(place(WORDS("--t")).kind);
    CU_ASSERT_FALSE(place(WORDS("")).is_option);
}

static void test_values(void)
{
    CU_ASSERT_STRING_EQUAL(place(WORDS("--to", "1")).kind, "WORKER");
    CU_ASSERT_STRING_EQUAL(place(WORDS("-T", "")).kind, "WORKER");
    CU_ASSERT_STRING_EQUAL(place(WORDS("--to=1")).typed, "1");
    /* As bash cuts words. */
    CU_ASSERT_STRING_EQUAL(place(WORDS("--to", "=", "1")).kind, "WORKER");
    CU_ASSERT_STRING_EQUAL(place(WORDS("--to", "=")).typed, "");
    CU_ASSERT_STRING_EQUAL(place(WORDS("--runtime-dir", "")).kind, "DIR");
    CU_ASSERT_PTR_NULL(place(WORDS("--no-wait", "")).kind);
}

static const char *argument(char **words, size_t n, size_t skip)
{
    static char text[32];
    size_t length;
    const char *token = complete_argument(&syntax, words, n, skip, &length);

    if (token == NULL)
        return "none";
    snprintf(text, sizeof(text), "%.*s", (int)length, token);
    return text;
}

static void test_arguments(void)
{
    CU_ASSERT_STRING_EQUAL(argument(WORDS(""), 0), "bucket");
    CU_ASSERT_STRING_EQUAL(argument(WORDS(""), 1), "flow");
    CU_ASSERT_STRING_EQUAL(argument(WORDS(""), 3), "none");
    CU_ASSERT_STRING_EQUAL(argument(WORDS("flow", ""), 0), "FLOW");
    CU_ASSERT_STRING_EQUAL(argument(WORDS("--to", "1", "-n", "flow", ""), 1), "all");
    CU_ASSERT_STRING_EQUAL(argument(WORDS("other", ""), 0), "none");
    CU_ASSERT_STRING_EQUAL(argument(WORDS("flow", "x", "y", ""), 0), "none");
}

static const char *nearest(const char *word)
{
    struct suggestion suggestion = {.word = word};

    suggest_try(&suggestion, "status");
    suggest_try(&suggestion, "stats");
    suggest_try(&suggestion, "drain");
    return suggestion.best == NULL ? "none" : suggestion.best;
}

static void test_did_you_mean(void)
{
    CU_ASSERT_STRING_EQUAL(nearest("stast"), "stats");
    CU_ASSERT_STRING_EQUAL(nearest("statu"), "status");
    CU_ASSERT_STRING_EQUAL(nearest("darin"), "drain");
    CU_ASSERT_STRING_EQUAL(nearest("dr"), "drain");
    CU_ASSERT_STRING_EQUAL(nearest("nonsense"), "none");
    CU_ASSERT_STRING_EQUAL(nearest("x"), "none");
    CU_ASSERT_STRING_EQUAL(nearest("a word that is much longer than any that we know of"), "none");
}

static void test_bar(void)
{
    char line[128];

    progress_format(&(struct progress_state){"drain 0", 8, 32, 1500}, 50, line, sizeof(line));
    CU_ASSERT_EQUAL(strlen(line), 49);
    CU_ASSERT_EQUAL(strncmp(line, "drain 0  [######----", 20), 0);
    CU_ASSERT_STRING_EQUAL(strchr(line, ']'), "]  8/32  1.5s");
    progress_format(&(struct progress_state){"drain 0", 32, 32, 1500}, 38, line, sizeof(line));
    CU_ASSERT_PTR_NULL(strstr(line, "-]"));
    progress_format(&(struct progress_state){"drain 0", 8, 32, 1500}, 24, line, sizeof(line));
    CU_ASSERT_STRING_EQUAL(line, "drain 0  8/32  1.5s");
    for (size_t n = 20; n < 120; n++) {
        progress_format(&(struct progress_state){"a text of some length", 40, 30, 99999}, n, line,
                        sizeof(line));
        CU_ASSERT_TRUE(strlen(line) < n);
    }
}

const struct unit_test unit_tests[] = {
    {"a word with a dash is completed to an option", test_options},
    {"the value of an option is known by its name", test_values},
    {"arguments follow the alternatives of the syntax", test_arguments},
    {"a wrong word brings the nearest known one", test_did_you_mean},
    {"the bar fits the terminal, or is left out", test_bar},
    {NULL, NULL},
};
