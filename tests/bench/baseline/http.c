/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http.c — a small HTTP/1.1 server: GET of one static page from memory, keep-alive and pipelining.
 *
 * Input is taken byte by byte into lines, and only while no reply waits for room: a request is answered
 * completely before the next is looked at, so pipelined replies keep their order without a queue.
 */
#include "services.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HTTP_PORT 80
#define HTTP_HEAD_BYTES 256

struct reply {
    char *bytes;
    size_t n_bytes;
};

/* Whole replies, made once: [found][closing]. Read only after http_start(). */
static struct reply replies[2][2];

/* The empty line was seen: choose the reply. */
static void http_end_request(struct session *session)
{
    const struct reply *reply = &replies[session->is_found][session->is_closing];

    session->reply = reply->bytes;
    session->reply_bytes = reply->n_bytes;
    session->has_request = false;
    session->is_done = session->is_closing;
}

/* A line without its CR LF stands in session->line, cut at the buffer's size. */
static void http_take_line(struct session *session)
{
    const char *line = session->line;

    if (session->line_bytes == 0) {
        if (session->has_request)
            http_end_request(session);
    } else if (!session->has_request) {
        session->has_request = true;
        session->is_found =
            strncmp(line, "GET /", 5) == 0 && strcspn(line + 4, ".") >= strcspn(line + 4, " ");
        session->is_closing = strstr(line, "HTTP/1.1") == NULL;
    } else if (strncasecmp(line, "connection:", 11) == 0 && strcasestr(line + 11, "close") != NULL) {
        session->is_closing = true;
    }
    session->line_bytes = 0;
}

/* Takes bytes up to the end of a request. Returns how many. */
static size_t http_parse(struct session *session, const char *bytes, size_t n_bytes)
{
    size_t i;

    for (i = 0; i < n_bytes && session->reply_bytes == 0; i++) {
        if (bytes[i] == '\n') {
            session->line[session->line_bytes] = '\0';
            http_take_line(session);
        } else if (bytes[i] != '\r' && session->line_bytes < SESSION_LINE_BYTES - 1) {
            session->line[session->line_bytes++] = bytes[i];
        }
    }
    return i;
}

/* True when no reply waits any more. */
static bool http_send_reply(struct session *session)
{
    while (session->reply_bytes > 0) {
        size_t n_sent = session_send(session, session->reply, session->reply_bytes);

        if (n_sent == 0)
            return false;
        session->reply += n_sent;
        session->reply_bytes -= n_sent;
    }
    return true;
}

/* Bytes behind a last reply ("Connection: close") are never looked at. */
static void http_work(struct session *session)
{
    const char *bytes;
    size_t n_waiting;
    bool is_answered = http_send_reply(session);

    while (is_answered && !session->is_done && (n_waiting = session_peek(session, &bytes)) > 0) {
        session_consume(session, http_parse(session, bytes, n_waiting));
        is_answered = http_send_reply(session);
    }
    if (is_answered && (session->is_done || session->is_peer_closed))
        session_close(session);
    else
        tcp_output(session->pcb);
}

/* Head and body in one buffer: one tcp_write() a reply, as a careful user would do. */
static int reply_make(struct reply *reply, bool is_found, bool is_closing, size_t body_bytes)
{
    char head[HTTP_HEAD_BYTES];
    int n_head =
        snprintf(head, sizeof(head),
                 "HTTP/1.1 %s\r\nServer: baseline\r\nContent-Type: text/html\r\n"
                 "Content-Length: %zu\r\nConnection: %s\r\n\r\n",
                 is_found ? "200 OK" : "404 Not Found", body_bytes, is_closing ? "close" : "keep-alive");

    reply->n_bytes = (size_t)n_head + body_bytes;
    reply->bytes = malloc(reply->n_bytes);
    if (reply->bytes == NULL)
        return -ENOMEM;
    memcpy(reply->bytes, head, (size_t)n_head);
    memset(reply->bytes + n_head, 'x', body_bytes);
    return 0;
}

int http_start(size_t page_bytes)
{
    static const struct service http = {"http", HTTP_PORT, http_work};

    for (int is_closing = 0; is_closing < 2; is_closing++) {
        if (reply_make(&replies[1][is_closing], true, is_closing, page_bytes) < 0 ||
            reply_make(&replies[0][is_closing], false, is_closing, 0) < 0)
            return -ENOMEM;
    }
    return service_listen(&http);
}
