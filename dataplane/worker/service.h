/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * service.h — consumers of connections inside the worker: echo, discard, chargen, http.
 *
 * A service sees a connection only through struct service_io: bytes received, room to send, the two ends. It
 * never blocks and never waits: service_run() is called whenever something may have changed (bytes arrived,
 * room became free, the peer has closed) and does all it can, keeping what it must remember in the state.
 *
 * The state is the service's part of the connection's record: plain values without a pointer, committed with
 * the cursors of both FIFOs. Another worker goes on from a copy of it, so a run may begin at any byte.
 */
#ifndef MPA_WORKER_SERVICE_H
#define MPA_WORKER_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "worker/stack/fifo.h"

#define SERVICE_STATE_BYTES 64u

/* What the owner of a connection offers; `context` is that of struct service_io. */
struct service_ops {
    /* The next received bytes that lie together; empty: none now. Borrowed until consume. */
    struct fifo_span (*peek)(void *context);
    /* Takes the first n_bytes of what peek showed. */
    void (*consume)(void *context, uint32_t n_bytes);
    /* Room to send, 1 to `want` bytes that lie together; empty: not now, or closed. Valid until produce. */
    struct fifo_span (*reserve)(void *context, uint32_t want);
    /* The first n_bytes (at least one) of what reserve gave are filled in and to be sent. */
    void (*produce)(void *context, uint32_t n_bytes);
    /* True when the peer has closed and all it sent was consumed. */
    bool (*is_at_end)(void *context);
    /* FIN behind what was produced; receiving goes on. Repeating it does nothing. */
    void (*close)(void *context);
    /* Reset. The connection is gone soon after the run. */
    void (*abort)(void *context);
};

/* One connection during one call. */
struct service_io {
    const struct service_ops *ops;
    void *context;
    void *state; /* SERVICE_STATE_BYTES, aligned to 8 */
};

struct service {
    const char *name;
    uint32_t state_bytes; /* used of the state; the rest is not the service's */
    const void *data;     /* borrowed, read-only: what all connections share */
    void (*run)(const struct service *service, const struct service_io *io);
    /* NULL: from any bytes a run does no harm; else false for a state that no run of the service leaves. */
    bool (*can_resume)(const struct service *service, const void *state);
};

/* The services of one worker, built from the configuration, with the memory they share. */
struct service_table;

/*
 * The enabled services; the pages of http_root are read here, once. NULL with errno set (a file that cannot
 * be read was logged). To be called before the process is confined.
 */
struct service_table *service_table_new(const struct config_services *config);
void service_table_free(struct service_table *table);

/* The service on a TCP port, and its index in the table; NULL (with *idx untouched) if there is none. */
const struct service *service_table_find(const struct service_table *table, uint16_t port, uint16_t *idx);
const struct service *service_table_get(const struct service_table *table, uint16_t idx);
uint16_t service_table_port(const struct service_table *table, uint16_t idx);
uint16_t service_table_count(const struct service_table *table);

/* Makes `state` (SERVICE_STATE_BYTES, aligned to 8) that of a new connection. */
void service_open(const struct service *service, void *state);

/* A state from another worker's records: that one may have been anybody. False: it must not run. */
bool service_can_resume(const struct service *service, const void *state);

/* Lets the service do all it can now. It may close or abort the connection. */
static inline void service_run(const struct service *service, const struct service_io *io)
{
    service->run(service, io);
}

#endif
