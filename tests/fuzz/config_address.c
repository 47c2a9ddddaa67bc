/* SPDX-License-Identifier: BSD-3-Clause */
/* config_address.c — any text as an address: what is accepted prints as a text that parses to the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_address address, again;
    char printed[CONFIG_ADDRESS_TEXT_BYTES];
    char *text = malloc(size + 1); /* exact, so that a sanitizer sees a read past the end */

    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (config_address_parse(text, &address) == 0) {
        config_address_format(&address, printed, sizeof(printed));
        if (config_address_parse(printed, &again) != 0 || memcmp(&address, &again, sizeof(again)) != 0)
            abort();
    }
    free(text);
    return 0;
}
