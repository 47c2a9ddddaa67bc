/* SPDX-License-Identifier: BSD-3-Clause */
/* Fuzzes the HTTP request of mpa-controld: never reads outside, and what a prefix has said stays true. */
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "controlplane/controld/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_request request = {.path = ""}, cut;
    enum http_parse whole = http_request_parse((const char *)data, size, &request);
    enum http_parse half = http_request_parse((const char *)data, size / 2, &cut);

    if (whole == HTTP_PARSE_OK)
        mpa_assert(strlen(request.path) < HTTP_MAX_PATH_BYTES);
    if (half == HTTP_PARSE_BAD)
        mpa_assert(whole == HTTP_PARSE_BAD);
    if (half == HTTP_PARSE_OK)
        mpa_assert(whole == HTTP_PARSE_OK && cut.is_get == request.is_get);
    return 0;
}
