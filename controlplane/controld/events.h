/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * events.h — news for whoever listens at ipc://RUNTIME/events.ipc: our own, and those of the frontend passed
 * on, in one sequence.
 */
#ifndef MPA_CONTROLD_EVENTS_H
#define MPA_CONTROLD_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"
#include "controlplane/controld/access.h"
#include "controlplane/controld/recent.h"

struct events; /* opaque */

/* Opens both sockets; `wake_fd` is written when an event of the frontend waits. Whoever has no role in
 * `access` (borrowed, constant) is not let in. 0, or an nng error with NULL. */
int events_new(struct events **events, const char *runtime_dir, const struct access *access,
               int wake_fd) MPA_WARN_UNUSED;
void events_free(struct events *events);

#define EVENT_MAX_FIELDS 4

/* One of ours; everything is borrowed for the call. */
struct event {
    Mpa__V1__EventKind kind;
    Mpa__V1__Role role;
    uint32_t slot;
    size_t n_fields;
    struct {
        const char *key;
        const char *value;
    } fields[EVENT_MAX_FIELDS];
};

/* Publishes it. Never waits: a listener that does not read loses events and sees the gap. */
void events_publish(struct events *events, const struct event *event);

/* The last events, borrowed until the next one, and the life that they are of. */
const struct recent *events_recent(const struct events *events, uint64_t *life);

#define EVENTS_FAULT_BYTES 40

/* A worker that the frontend has given up: why. */
struct events_fault {
    uint32_t slot;
    uint64_t still_ns;              /* it stood still so long with work waiting; 0: it was quarantined */
    char fault[EVENTS_FAULT_BYTES]; /* for this, "fault_slot" */
};

/* What an event of the frontend says to mpa-controld itself. */
struct events_news {
    bool is_lane_change;
    struct events_fault fault;
};

/* Any bytes as an event of the frontend. NULL: it is none, or out of memory; else to be freed with
 * mpa__v1__event__free_unpacked(). Pure. */
Mpa__V1__Event *events_read(const uint8_t *bytes, size_t size, struct events_news *news) MPA_WARN_UNUSED;

/* Main loop, after a wake: passes on what the frontend sent. True when the state of a lane has changed. */
bool events_step(struct events *events);

/* After each events_step(): true when what it passed on was that. */
bool events_take_fault(struct events *events, struct events_fault *fault);

#endif
