/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_load.c — any bytes as a configuration file: never a crash, always either a configuration that prints
 * as a file which loads as the same, or a message.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(const struct config *config, char **text, size_t *size)
{
    FILE *out = open_memstream(text, size);

    if (out == NULL)
        abort();
    config_print_yaml(config, out);
    fclose(out);
}

/* An accepted configuration survives its own text. */
static void check_round_trip(const struct config *config)
{
    char *text = NULL, *text_again = NULL, error[1024];
    size_t size = 0, size_again = 0;
    struct config again;

    print(config, &text, &size);
    const struct config_text printed = {.name = "printed", .bytes = text, .n_bytes = size};
    if (config_load_text(&printed, &again, error, sizeof(error)) != 0)
        abort();
    print(&again, &text_again, &size_again);
    if (size != size_again || memcmp(text, text_again, size) != 0)
        abort();
    free(text);
    free(text_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct config_text text = {.name = "fuzz", .bytes = (const char *)data, .n_bytes = size};
    struct config config;
    char error[1024];

    if (config_load_text(&text, &config, error, sizeof(error)) == 0)
        check_round_trip(&config);
    else if (error[0] == '\0')
        abort();
    return 0;
}
