/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * returning.h — a new frontend and the workers of the old one. Which workers there are stands in a small file
 * of the runtime folder. They come back with the records they had; who has which flow is read there, and
 * until all are back, or frontend.return_wait_ms have passed, no frame goes to any worker.
 */
#ifndef MPA_FRONTEND_RETURNING_H
#define MPA_FRONTEND_RETURNING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/config.h"
#include "frontend/host.h"

struct frontend;
struct lane;

/* The file: written by one frontend, read by the next on the same machine. */
struct returning_state {
    uint32_t magic;
    uint32_t lane_mask;                /* lanes that served */
    uint32_t draining_mask;            /* of these */
    uint32_t pids[CONFIG_MAX_WORKERS]; /* as we see them; 0: not to be seen from here */
    struct host_held held;             /* our addresses */
};

struct returning {
    int file_fd; /* owned, -1: none */
    struct returning_state written;
    uint32_t held_epoch;   /* host_epoch() when the addresses were last looked at */
    uint32_t expected;     /* lanes that are still waited for */
    uint32_t returned;     /* lanes that are back and whose records were not looked at yet */
    uint32_t was_draining; /* lanes */
    uint32_t settled;      /* lanes that have served here: what an earlier worker of theirs had is others' */
    bool is_waiting;
    uint64_t deadline_ns;
    uint16_t *n_flows; /* owned: n_buckets x CONFIG_MAX_WORKERS flows, see returning.c */
};

/* Before confinement: opens the file, finds whom to wait for. 0 or -errno. */
int returning_init(struct frontend *frontend) MPA_WARN_UNUSED;
void returning_fini(struct frontend *frontend);

/* The host stack is there: while workers are waited for, their addresses stay ours. */
void returning_restore(struct frontend *frontend);

/* A worker says hello to this slot; `returns` if it served an earlier frontend. */
void returning_hello(struct frontend *frontend, uint8_t worker, bool returns);
/* True: nobody can come back to this slot any more. A worker that could not be killed from here would bring
 * connections back that were adopted when it was given up. */
bool returning_is_settled(const struct frontend *frontend, uint8_t worker);
void returning_settle(struct frontend *frontend, uint8_t worker);
/* A lane that returned serves. */
void returning_serves(struct frontend *frontend, const struct lane *lane);
/* Of a worker that died before its records were looked at: exports up to this number are adopted. */
uint64_t returning_exports_done(const struct frontend *frontend, const struct lane *lane);
/* The lane carries nothing any more. */
void returning_lane_gone(struct frontend *frontend, uint8_t worker);
/* Ends the wait when it is over; takes in who comes later; keeps the file true. Call it every turn. */
void returning_advance(struct frontend *frontend);

#endif
