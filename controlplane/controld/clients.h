/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clients.h — the connections of the control socket: which role each has, and what it may take of what all
 * share. So many requests a second, so many unanswered at a time, so many connections; beyond, a request is
 * refused. The table is written by threads of
 * nng (a connection comes and goes) and by the loop (it asks), behind one lock that nobody holds for long.
 */
#ifndef MPA_CONTROLD_CLIENTS_H
#define MPA_CONTROLD_CLIENTS_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "controlplane/controld/access.h"

#define CLIENTS_MAX 256u   /* connections that stay; one more cuts off the one that has been idle longest */
#define CLIENTS_ROOM 1024u /* connections that may be on their way out besides; then newcomers are */
#define CLIENT_MAX_WAITING 8u  /* unanswered requests of one connection; the next ones are refused */
#define CLIENTS_MAX_GUESTS 16u /* unanswered requests of all that are not admins */
#define CLIENT_BURST 1000u     /* requests that may come at once */
#define CLIENT_RATE_PER_S 500u /* and go on to come */

/* Whoever is at the other end: found out when the connection comes, since later it may have gone. */
struct client_identity {
    enum access_role role;
    uint64_t pid; /* 0: not known, it is on another machine or in another container */
};

struct client {
    int pipe_id; /* of nng; 0: the place is free */
    struct client_identity identity;
    uint32_t n_waiting; /* requests that are not answered yet */
    uint32_t tokens;    /* requests that it may make now */
    uint64_t filled_ns; /* when tokens were added last */
    uint64_t last_ns;   /* when it asked last, or came */
};

struct clients {
    pthread_mutex_t lock;
    const struct access *access; /* borrowed, constant */
    int remote_id;               /* listener of those from elsewhere; 0: none */
    struct client places[CLIENTS_ROOM];
    uint32_t n, n_guests_waiting;
};

/* What becomes of a request. */
enum client_verdict {
    CLIENT_GOOD,
    CLIENT_TOO_FAST, /* above the rate */
    CLIENT_TOO_MANY, /* it has too many unanswered, or all guests together have */
};

void clients_init(struct clients *clients, const struct access *access);
void clients_fini(struct clients *clients);

/* Any thread. A connection has come (at `now_ns`). The pipe to be cut off for it, which may be itself; 0:
 * none.
 */
int clients_add(struct clients *clients, int pipe_id, const struct client_identity *identity,
                uint64_t now_ns) MPA_WARN_UNUSED;
/* Any thread. It has gone; one that is not known is ignored. */
void clients_remove(struct clients *clients, int pipe_id);

/* The loop: a request has come; clients_end() when its answer is out, whatever the verdict. *identity is that
 * of the connection, with ACCESS_NONE when it has gone meanwhile. */
enum client_verdict clients_begin(struct clients *clients, int pipe_id, uint64_t now_ns,
                                  struct client_identity *identity) MPA_WARN_UNUSED;
void clients_end(struct clients *clients, int pipe_id);

/* Has the connections of `socket` noted, and superfluous ones cut off, as they come and go. Before it
 * listens. 0 or an nng error. */
int clients_watch(struct clients *clients, nng_socket socket) MPA_WARN_UNUSED;

#endif
