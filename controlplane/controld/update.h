/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * update.h — processes come and go under open connections: update, restart, scale. One state machine without
 * I/O over the supervisor, so that only one of them is under way: operations to the frontend go out through a
 * callback and come back as calls, time comes in. Tests drive it.
 *
 * Update: a spare is started in a free slot, so that there is always one more worker than needed; then one
 * worker after the other is drained to the others, ended, started again and given its share; at last the
 * spare is drained and ended. Frontend: ended and started again; the workers come back to it with their
 * connections. Restart: the same for one worker (with a spare only when nobody else serves), the frontend, or
 * all. Scale up: the missing workers are started, and the frontend gives them their share. Scale down: the
 * last worker is drained to the others and ended, then the one before it (update_scale.c).
 *
 * Whatever fails, connections are with some worker: what is left to do is to give drained workers their share
 * again and to drain and end spares, once all workers are back. That goes on after the failure was told, for
 * as long as it takes. Scaling that fails leaves the number of workers that it has reached (down) or began
 * with (up). Workers that degradation ends are not given up: how many there were is kept until they are back,
 * or until somebody asks for another number.
 */
#ifndef MPA_CONTROLD_UPDATE_H
#define MPA_CONTROLD_UPDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "controlplane/controld/operation.h"
#include "controlplane/controld/supervisor.h"

#define UPDATE_STEP_MS 30000u /* for a process to be there again */
/* A failure is told after so long at the latest, even if the undoing goes on. */
#define UPDATE_UNDO_MS 5000u
#define UPDATE_AGAIN_MS 2000u /* between two tries of the undoing */
#define UPDATE_TRIES 3u       /* of an operation */

enum update_phase {
    UPDATE_IDLE,
    UPDATE_SPARE_STARTING,  /* waits for the spare to serve */
    UPDATE_DRAINING,        /* operation: drain worker `slot` */
    UPDATE_REPLACING,       /* waits for its successor to serve */
    UPDATE_UNDRAINING,      /* operation: undrain it (or drain it, if it was before) */
    UPDATE_UNDO_WAITING,    /* after a failure: waits for all workers to serve */
    UPDATE_UNDO_UNDRAINING, /* operation: undrain one that the update drained */
    UPDATE_SPARE_DRAINING,  /* operation: drain the spare */
    UPDATE_SPARE_ENDING,    /* waits for its end */
    UPDATE_FRONTEND,        /* waits for the new frontend, then for the workers to come back to it */
    UPDATE_SCALE_STARTING,  /* waits for the new workers to serve */
    UPDATE_SCALE_DRAINING,  /* operation: drain worker `slot`, the last one */
    UPDATE_SCALE_ENDING,    /* waits for its end */
};

enum update_kind { UPDATE_PROGRAMS, UPDATE_RESTART, UPDATE_SCALE };

/* What a restart is about. */
enum update_part { UPDATE_ONE_WORKER, UPDATE_THE_FRONTEND, UPDATE_EVERYTHING };

struct update;

struct update_ops {
    /* Begins an operation; update_operation_ended() tells the end. */
    void (*operation)(void *self, enum operation_kind kind, uint32_t slot, uint64_t now_ns);
    /* A step has begun, or it has failed: update->text, update->error. */
    void (*tell)(void *self, const struct update *update);
    /* What the next controld has to know if this one dies now: how many workers there shall be, how many when
     * the pressure is over (as n_full), and the bit mask of those that are to be undrained. Called with each
     * step and at the end. */
    void (*remember)(void *self, uint32_t n_workers, uint32_t n_full, uint32_t drained);
};

#define UPDATE_TEXT_BYTES 96
#define UPDATE_ERROR_BYTES 224

struct update {
    struct supervisor *supervisor; /* borrowed */
    const struct update_ops *ops;
    void *self; /* of ops */
    enum update_phase phase;
    uint64_t id; /* of the present or last one; 0: there was none */
    enum update_kind kind;
    bool is_frontend;  /* the frontend is replaced, after the workers if there are any */
    uint32_t end;      /* replace workers up to this slot, excluded */
    uint32_t n_before; /* SCALE: workers at the beginning, ... */
    uint32_t n_wanted; /* ... and at the end */
    uint32_t n_full;   /* workers before degradation ended the first; 0: all that were asked for are there */
    bool is_told;      /* its end is known */
    bool has_failed;   /* `error` says why */
    bool is_operating; /* an operation is under way */
    bool was_draining; /* worker `slot` was drained before, and stays so */
    uint32_t slot;     /* worker in hand */
    uint32_t drained;  /* bit mask of slots that are to be undrained */
    uint32_t n_tries;  /* of the present operation */
    pid_t old_pid;     /* of the process in hand; 0: it did not run */
    uint64_t begun_ns, step_ns, failed_ns, ended_ns, again_ns;
    uint32_t n_done, n_total;
    char title[UPDATE_TEXT_BYTES]; /* what it is: "restart of worker 1" */
    char text[UPDATE_TEXT_BYTES];  /* where it stands */
    char error[UPDATE_ERROR_BYTES];
};

void update_init(struct update *update, struct supervisor *supervisor, const struct update_ops *ops,
                 void *self);

/* Begins an update. 0; -EBUSY: something is under way, or still being undone; -EAGAIN: no frontend runs;
 * -ENOSPC: no slot is free for a spare. */
int update_begin(struct update *update, bool is_frontend, uint64_t now_ns) MPA_WARN_UNUSED;
/* Begins a restart; `slot`, of one worker, is one of those wanted. The same errors. */
int update_restart(struct update *update, enum update_part part, uint32_t slot,
                   uint64_t now_ns) MPA_WARN_UNUSED;
/* Begins to scale to 1..CONFIG_MAX_WORKERS workers: asked for, whatever was asked for before. 0, -EBUSY or
 * -EAGAIN. */
int update_scale(struct update *update, uint32_t n_workers, uint64_t now_ns) MPA_WARN_UNUSED;
/* Begins to end one of several workers for the time of a pressure: n_full is kept. The same errors. */
int update_shrink(struct update *update, uint64_t now_ns) MPA_WARN_UNUSED;
/* Begins to start those again that update_shrink() has ended, up to `n_max` workers. If they do not start,
 * n_full stays and this may be called again. The same errors. */
int update_unshrink(struct update *update, uint32_t n_max, uint64_t now_ns) MPA_WARN_UNUSED;

/* True when the id is that of the present or last update. */
static inline bool update_is(const struct update *update, uint64_t id)
{
    return id != 0 && update->id == id;
}

/* An earlier controld has died over something: undoes its update or restart, ends the workers that it wanted
 * to end. `drained`: bit mask of workers that it has drained. */
void update_resume(struct update *update, uint32_t drained, uint64_t now_ns);

void update_operation_ended(struct update *update, bool is_good, const char *text, uint64_t now_ns);

/* Goes on; call after everything that happens. */
void update_tick(struct update *update, uint64_t now_ns);

#endif
