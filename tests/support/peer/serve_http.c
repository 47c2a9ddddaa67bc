/* SPDX-License-Identifier: BSD-3-Clause */
/* serve_http.c — one page at every path without a dot, keep-alive and pipelining, over the kernel's TCP. */
#include "pattern.h"
#include "serve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* [found][closing], head and body in one piece. */
static char *replies[2][2];
static size_t reply_sizes[2][2];

int serve_http_init(const struct options *options)
{
    bool is_pattern = options->argument != NULL && strcmp(options->argument, "pattern") == 0;

    for (int i = 0; i < 4; i++) {
        bool is_found = i / 2, is_closing = i % 2;
        size_t n_body = is_found ? (size_t)options->n_bytes : 0;
        char head[256];
        int n_head =
            snprintf(head, sizeof(head),
                     "HTTP/1.1 %s\r\nServer: mpa-peer\r\nContent-Type: text/html\r\n"
                     "Content-Length: %zu\r\nConnection: %s\r\n\r\n",
                     is_found ? "200 OK" : "404 Not Found", n_body, is_closing ? "close" : "keep-alive");
        char *reply = malloc((size_t)n_head + n_body);

        if (reply == NULL)
            return -ENOMEM;
        memcpy(reply, head, (size_t)n_head);
        memset(reply + n_head, 'x', n_body);
        if (is_pattern)
            pattern_fill(options->seed, 0, (uint8_t *)reply + n_head, n_body);
        replies[is_found][is_closing] = reply;
        reply_sizes[is_found][is_closing] = (size_t)n_head + n_body;
    }
    return 0;
}

/* A line without its CR LF; the empty one ends a request. */
static void take_line(struct client *client)
{
    const char *line = client->line;

    if (client->line_bytes == 0 && client->has_request) {
        client->reply = replies[client->is_found][client->is_closing];
        client->reply_bytes = reply_sizes[client->is_found][client->is_closing];
        client->has_request = false;
        client->is_done = client->is_closing;
    } else if (client->line_bytes > 0 && !client->has_request) {
        client->has_request = true;
        client->is_found = strncmp(line, "GET /", 5) == 0 && strcspn(line + 4, ".") >= strcspn(line + 4, " ");
        client->is_closing = strstr(line, "HTTP/1.1") == NULL;
    } else if (strncasecmp(line, "connection:", 11) == 0 && strcasestr(line, "close") != NULL) {
        client->is_closing = true;
    }
    client->line_bytes = 0;
}

/* Parses to the end of the buffer or of a request. */
static void parse(struct client *client)
{
    while (client->n_buffered > 0 && client->reply_bytes == 0) {
        char byte = client->buffer[client->buffer_off++];

        client->n_buffered--;
        if (byte == '\n') {
            client->line[client->line_bytes] = '\0';
            take_line(client);
        } else if (byte != '\r' && client->line_bytes < SERVE_LINE_BYTES - 1) {
            client->line[client->line_bytes++] = byte;
        }
    }
}

/* One request, one reply, in turn: the order of pipelined replies needs no queue. */
bool serve_http_work(struct client *client)
{
    size_t n_written;

    for (;;) {
        if (client->reply_bytes > 0) {
            if (!client_write(client, client->reply, client->reply_bytes, &n_written))
                return false;
            client->reply += n_written;
            client->reply_bytes -= n_written;
            if (client->reply_bytes > 0)
                return true;
        }
        if (client->is_done)
            return false;
        if (client->n_buffered == 0 && !client_fill(client))
            return false;
        if (client->n_buffered == 0)
            return !client->has_peer_closed;
        parse(client);
    }
}
