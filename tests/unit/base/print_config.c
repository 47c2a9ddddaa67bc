/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * print_config.c — prints the two files that are made from the table of keys, after a change of the table:
 *   print_config yaml > deploy/mpa.yaml;  print_config markdown > docs/configuration.md
 */
#include <stdlib.h>
#include <string.h>

#include "base/config.h"

int main(int argc, char **argv)
{
    struct config config;

    if (argc == 2 && strcmp(argv[1], "yaml") == 0) {
        config_defaults(&config);
        config_print_yaml(&config, stdout);
    } else if (argc == 2 && strcmp(argv[1], "markdown") == 0) {
        config_print_markdown(stdout);
    } else {
        fprintf(stderr, "usage: %s yaml|markdown\n", argv[0]);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
