/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http_request.h — the little of an HTTP request that matters here: method and path (RFC 9112 section 3).
 * Headers are looked at only for their end: nothing that we serve depends on one.
 */
#ifndef MPA_CONTROLD_HTTP_REQUEST_H
#define MPA_CONTROLD_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_MAX_PATH_BYTES 64u /* with its NUL; a longer one is cut, and so none of ours */

enum http_parse {
    HTTP_PARSE_MORE, /* so far so good, not all here */
    HTTP_PARSE_OK,
    HTTP_PARSE_BAD, /* no HTTP/1.x request, whatever else comes */
};

struct http_request {
    bool is_get;                    /* GET or HEAD */
    bool is_head;                   /* as GET, but the answer ends with its headers (RFC 9110 9.3.2) */
    char path[HTTP_MAX_PATH_BYTES]; /* without query */
};

/* The `n` bytes received so far, whatever they are; *request is written when OK. */
enum http_parse http_request_parse(const char *bytes, size_t n, struct http_request *request);

#endif
