/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http.h — a small HTTP server in controld's own loop: GET and HEAD of a few paths, one answer for each
 * connection. Why it is ours and not nng's: docs/adr/0041-http-in-the-loop.md.
 *
 * Bounds, whoever the clients are: HTTP_MAX_CLIENTS connections, HTTP_MAX_REQUEST_BYTES each, a time limit
 * for the request and one for the answer. A connection too many takes the place of the one that has been
 * there longest. Answers with the same body share its memory.
 */
#ifndef MPA_CONTROLD_HTTP_H
#define MPA_CONTROLD_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

#define HTTP_MAX_CLIENTS 32u
#define HTTP_MAX_REQUEST_BYTES 4096u
#define HTTP_REQUEST_MS 3000u /* from the connection to the end of the request */
#define HTTP_ANSWER_MS 10000u /* from the request to the last byte of the answer, taken by the client */

struct sd_event;
struct http_server; /* opaque */

/* Bytes of an answer, counted: several clients may be reading it. One thread. */
struct http_body {
    unsigned n_users;
    size_t n_bytes;
    char bytes[];
};

/* With one user, the caller, and room for n_bytes; NULL: memory is out. */
struct http_body *http_body_new(size_t n_bytes) MPA_WARN_UNUSED;
/* The same with a text in it. */
struct http_body *http_body_text(const char *text) MPA_WARN_UNUSED;
/* One user less; NULL is allowed. */
void http_body_put(struct http_body *body);

struct http_answer {
    unsigned status;        /* 200, 404, 503, ... */
    struct http_body *body; /* borrowed; NULL: the text of the status */
};

/*
 * A GET or HEAD of `path` is here. True: *answer is filled in, its body is the server's to put. False: the
 * answer comes later, by http_server_answer().
 */
typedef bool http_ask_fn(void *context, const char *path, struct http_answer *answer);

/* A socket that listens at "ADDRESS:PORT" (config.h, control.http), or -errno. */
int http_listen(const char *place) MPA_WARN_UNUSED;
/* A server for a listening socket, which is its own from now on, also on failure. 0 or -errno. Nothing is
 * served yet. */
int http_server_new(struct http_server **server, int fd, http_ask_fn *ask, void *context) MPA_WARN_UNUSED;
/* Serves from now on, in this loop, behind everything else that the loop has to do. 0 or -errno. */
int http_server_attach(struct http_server *server, struct sd_event *loop) MPA_WARN_UNUSED;
/* Before the loop is gone. NULL is allowed. */
void http_server_free(struct http_server *server);

/* Answers all that wait. */
void http_server_answer(struct http_server *server, const struct http_answer *answer);
/* Closes connections whose time is over. Call it a few times a second. */
void http_server_tick(struct http_server *server, uint64_t now_ns);

#endif
