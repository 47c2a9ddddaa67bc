/* SPDX-License-Identifier: BSD-3-Clause */
/* serve.h — what the server's loop and its services share. */
#ifndef MPA_TESTS_PEER_SERVE_H
#define MPA_TESTS_PEER_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

#define SERVE_BUFFER_BYTES 16384
#define SERVE_LINE_BYTES 128

struct client;

/* Called when the socket is ready. Returns false when the connection has ended. */
typedef bool (*serve_work_fn)(struct client *client);

struct client {
    int fd;
    serve_work_fn work; /* NULL: a listener */
    int listener_idx;
    bool has_peer_closed;
    /* echo: bytes read and not yet written; http: the input not yet parsed */
    size_t n_buffered, buffer_off;
    /* http */
    char line[SERVE_LINE_BYTES];
    size_t line_bytes;
    bool has_request, is_found, is_closing, is_done;
    const char *reply;
    size_t reply_bytes;
    char buffer[SERVE_BUFFER_BYTES];
};

/* Non-blocking read into the empty buffer, write from it. False when the connection has broken. */
bool client_fill(struct client *client);
bool client_write(const struct client *client, const char *bytes, size_t n_bytes, size_t *n_written);

/* Makes the replies: a page of --bytes, all 'x' or, for `serve pattern`, the pattern of --seed. 0 or -errno.
 */
int serve_http_init(const struct options *options);
bool serve_http_work(struct client *client);

#endif
