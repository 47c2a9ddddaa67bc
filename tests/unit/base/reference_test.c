/* SPDX-License-Identifier: BSD-3-Clause */
/* reference_test.c — the example file and the reference page say what the table of keys says. */
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "tests/support/unit.h"

#define FILE_BYTES 65536

static char file_bytes[FILE_BYTES];

static void read_source_file(const char *path)
{
    FILE *file = fopen(path, "r");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    file_bytes[fread(file_bytes, 1, sizeof(file_bytes) - 1, file)] = '\0';
    fclose(file);
}

static void check_printed(const char *path, const char *printed, const char *kind)
{
    read_source_file(path);
    CU_ASSERT_STRING_EQUAL(file_bytes, printed);
    if (strcmp(file_bytes, printed) != 0)
        fprintf(stderr, "\n  %s is old: make it again with print_config %s\n", path, kind);
}

static void the_example_file_loads_as_the_defaults(void)
{
    static const char path[] = MPA_SOURCE_DIR "/deploy/mpa.yaml";
    char error[1024], value[CONFIG_VALUE_TEXT_BYTES];
    struct config config;

    CU_ASSERT_EQUAL_FATAL(config_load(path, &config, error, sizeof(error)), 0);
    read_source_file(path);
    for (size_t i = 0; i < config_n_keys(); i++) {
        config_value_format(&config, i, value, sizeof(value));
        CU_ASSERT_STRING_EQUAL(value, config_key(i)->default_text);
        CU_ASSERT_PTR_NOT_NULL(strstr(file_bytes, config_key(i)->help));
    }
}

static void the_example_file_is_printed_from_the_table(void)
{
    struct config config;
    char *printed = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&printed, &size);

    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    config_defaults(&config);
    config_print_yaml(&config, out);
    fclose(out);
    check_printed(MPA_SOURCE_DIR "/deploy/mpa.yaml", printed, "yaml");
    free(printed);
}

static void the_reference_page_is_printed_from_the_table(void)
{
    char *printed = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&printed, &size);

    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    config_print_markdown(out);
    fclose(out);
    check_printed(MPA_SOURCE_DIR "/docs/configuration.md", printed, "markdown");
    free(printed);
}

const char unit_suite_name[] = "configuration reference";
const struct unit_test unit_tests[] = {
    {"the example file loads as the defaults", the_example_file_loads_as_the_defaults},
    {"the example file is printed from the table", the_example_file_is_printed_from_the_table},
    {"the reference page is printed from the table", the_reference_page_is_printed_from_the_table},
    {NULL, NULL}};
