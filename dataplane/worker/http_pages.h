/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http_pages.h — what the http service can answer: files, built-in pages and errors, all in memory, read-only
 * once made.
 *
 * A reply is always a page: its head (one text for connections that stay open, one for those that close) and
 * its body. Errors are the first pages, in the order of enum http_error; behind them stand the paths, sorted
 * bytewise, so that a path can be looked up a byte at a time.
 */
#ifndef MPA_WORKER_HTTP_PAGES_H
#define MPA_WORKER_HTTP_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

#define HTTP_PAGES_MAX 65536u                    /* paths, aliases included */
#define HTTP_PAGES_MAX_BYTES ((size_t)256 << 20) /* of all files together */
#define HTTP_PATH_MAX_BYTES 1024u                /* with the NUL */

/* The page that answers a request which cannot be granted. */
enum http_error {
    HTTP_BAD_REQUEST,        /* 400: not HTTP, or not one we can frame */
    HTTP_NOT_FOUND,          /* 404 */
    HTTP_METHOD_NOT_ALLOWED, /* 405: neither GET nor HEAD */
    HTTP_HEAD_TOO_LARGE,     /* 431: request line and fields over 8 KiB */
    HTTP_VERSION_UNKNOWN,    /* 505: not HTTP/1.x */
    N_HTTP_ERRORS
};

struct http_page {
    char *path; /* owned, begins with '/', percent-decoded; NULL for an error */
    const uint8_t *body;
    size_t body_bytes;
    char *heads[2]; /* owned; [1]: the connection stays open */
    uint32_t head_bytes[2];
    bool is_body_owned;
};

struct http_pages {
    struct http_page *pages; /* owned */
    uint32_t n_pages;        /* errors included */
    uint32_t n_allocated;
    uint32_t tag;      /* hash of all paths and bodies: the same in workers that have the same pages */
    size_t file_bytes; /* of the files loaded */
};

/*
 * The built-in pages (/, /1k, /64k, /1m) and the regular files below the folder `root` (empty: none), which
 * come first where both have a path. "X/index.html" is also "X/". Names that begin with a dot and symbolic
 * links are left out. NULL with errno set; a file that cannot be read was logged.
 */
struct http_pages *http_pages_new(const char *root);
void http_pages_free(struct http_pages *pages);

/*
 * Narrows [*low, *high), pages whose paths agree in the first `depth` bytes, to those that go on with `byte`.
 * Begin with [N_HTTP_ERRORS, n_pages) and 0. A path is found when it ends at `depth` on page *low.
 */
void http_pages_narrow(const struct http_pages *pages, uint32_t *low, uint32_t *high, uint32_t depth,
                       uint8_t byte);

/* For http_files.c, while the table is made. */

/* What a page is made of. */
struct http_source {
    const char *status; /* "200 OK" */
    const char *path;   /* copied; NULL for an error */
    const char *type;   /* media type */
    const char *fields; /* further header fields with their line ends, or "" */
    const uint8_t *body;
    size_t body_bytes;
    bool is_body_owned; /* body is given away, on failure too */
};

/* Appends a page. 0, -ENFILE (too many) or -ENOMEM. */
int http_pages_add(struct http_pages *pages, const struct http_source *source) MPA_WARN_UNUSED;

/* Loads the files below `root`. 0 or -errno, already logged. */
int http_files_load(struct http_pages *pages, const char *root) MPA_WARN_UNUSED;

#endif
