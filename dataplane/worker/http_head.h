/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http_head.h — parser for the head of an HTTP/1.x request (RFC 9112), one byte at a time.
 *
 * Nothing of the request is kept: the path is looked up in the table of pages while it arrives, field names
 * and the values we understand are compared while they arrive. So a head may be split anywhere, the state is
 * a few words, and a connection that waits in the middle of a head costs no memory.
 *
 * Stricter than it must be where leniency has been used for smuggling: a bare CR, white space before a colon,
 * folded lines, two lengths, a length beside Transfer-Encoding are all errors.
 */
#ifndef MPA_WORKER_HTTP_HEAD_H
#define MPA_WORKER_HTTP_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/http_pages.h"

#define HTTP_HEAD_MAX_BYTES 8192u
/* A body is only ever skipped; behind a longer one the connection closes. */
#define HTTP_BODY_MAX_BYTES ((uint64_t)1 << 20)

/* What the parser expects next. */
enum http_phase {
    HTTP_START,       /* a request; empty lines before it are skipped (RFC 9112 2.2) */
    HTTP_METHOD,      /* inside the method */
    HTTP_TARGET,      /* first byte of the target */
    HTTP_SCHEME,      /* inside "http://" of an absolute target */
    HTTP_AUTHORITY,   /* behind it, before the path */
    HTTP_PATH,        /* inside the path */
    HTTP_PATH_ESCAPE, /* first, then second digit of %XX */
    HTTP_QUERY,       /* behind '?', or a target that nobody looks at */
    HTTP_VERSION,     /* inside "HTTP/1.x" */
    HTTP_LINE_END,    /* LF behind the CR of request line or field */
    HTTP_FIELD,       /* first byte of a line: field name, or the end of the head */
    HTTP_NAME,        /* inside a field name */
    HTTP_VALUE,       /* inside a field value */
    HTTP_HEAD_END,    /* LF behind the CR of the empty line */
    HTTP_DONE,        /* the head is complete, the result valid */
    N_HTTP_PHASES
};

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_OTHER };

/* Facts learned from a head. */
enum http_flag {
    HTTP_IS_11 = 1u << 0, /* else 1.0 */
    HTTP_HAS_HOST = 1u << 1,
    HTTP_HAS_LENGTH = 1u << 2,
    HTTP_HAS_CODING = 1u << 3, /* Transfer-Encoding: a body whose end we would not find */
    HTTP_EXPECTS = 1u << 4,    /* Expect: the body may or may not follow our answer */
    HTTP_WANTS_CLOSE = 1u << 5,
    HTTP_WANTS_KEEP = 1u << 6,
};

/* All zero is the start. Result: `page`, and the facts, once phase is HTTP_DONE. */
struct http_head {
    uint64_t body_bytes; /* Content-Length */
    uint32_t page_low;   /* [low, high) pages whose path begins with what was read of the target */
    uint32_t page_high;
    uint32_t page;       /* result: index of the page to send, an error's if need be */
    uint16_t head_bytes; /* read so far */
    uint16_t matched;    /* bytes of the present token or path that were compared */
    uint8_t phase;       /* enum http_phase */
    uint8_t method;      /* enum http_method */
    uint8_t flags;       /* enum http_flag */
    uint8_t candidates;  /* bit i: word i of the list in question still fits */
    uint8_t field;       /* field whose value is read: enum in http_head.c */
    uint8_t escape;      /* of a %XX: 0, or the first digit with bit 7 */
    uint8_t is_spaced;   /* white space has followed the present token of a value */
    uint8_t zero;
};

/*
 * Reads up to n_bytes of a head and returns how many it took; fewer than n_bytes only at HTTP_DONE. A head
 * that is in error is done at the byte that shows it: `page` is then the error and wants-close is set.
 */
uint32_t http_head_read(struct http_head *head, const struct http_pages *pages, const uint8_t *bytes,
                        uint32_t n_bytes);

/* A state that was not made here, but came in a flow record: no later call reads outside of a word or page.
 */
bool http_head_is_sane(const struct http_head *head, const struct http_pages *pages);

/* Of a complete head: the connection can stay open, because the next request can be found and is wanted. */
bool http_head_keeps_open(const struct http_head *head);

#endif
