/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session.h — one TCP connection of a baseline service, over lwIP's raw API.
 *
 * Received pbufs stand in a queue linked by pbuf->next alone (tot_len is 16 bits and a window is not), and
 * are acknowledged to lwIP as they are consumed. A service is the set of functions in struct service; all of
 * them run inside lwIP callbacks, and after session_close() they must not touch the session again.
 */
#ifndef MPA_BASELINE_SESSION_H
#define MPA_BASELINE_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include <lwip/tcp.h>

struct session;

/* Moves the session on: consume what has come, send what fits. Called after each event of the connection. */
typedef void (*session_work_fn)(struct session *session);

struct service {
    const char *name;
    u16_t port;
    session_work_fn work;
};

#define SESSION_LINE_BYTES 128

struct session {
    struct tcp_pcb *pcb;
    const struct service *service;
    struct pbuf *input_head, *input_tail; /* received, not yet consumed */
    u16_t input_off;                      /* consumed bytes of input_head */
    bool is_peer_closed;
    size_t stream_off; /* chargen: position in the pattern */
    /* http */
    char line[SESSION_LINE_BYTES];
    size_t line_bytes;
    bool has_request, is_found, is_closing; /* of the request being read */
    bool is_done;                           /* the last reply is made: close after it */
    const char *reply;
    size_t reply_bytes;
};

/* Listens on the service's port, IPv4 and IPv6. 0 or -errno. */
int service_listen(const struct service *service);

/* The next received bytes that stand together; 0 when none wait. */
size_t session_peek(const struct session *session, const char **bytes);
/* Marks the first n_bytes of what session_peek() gave as consumed; opens the window by as much. */
void session_consume(struct session *session, size_t n_bytes);

/* Queues a copy of at most n_bytes. Returns how many fitted. */
size_t session_send(struct session *session, const char *bytes, size_t n_bytes);

/* Closes in order and frees the session. */
void session_close(struct session *session);

#endif
