/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * update.c — the steps of an update. Workers are drained to all others and not to the spare alone: so each
 * step leaves the buckets even, and the frontend's giving of a share to every new worker is part of the plan.
 */
#include "controlplane/controld/update_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* Above every id of the frontend, which are times in ns, and below what JSON takes as a number. */
#define ID_BASE (UINT64_C(1) << 62)

void update_init(struct update *update, struct supervisor *supervisor, const struct update_ops *ops,
                 void *self)
{
    *update = (struct update){.supervisor = supervisor, .ops = ops, .self = self};
}

static uint32_t n_workers(const struct update *update)
{
    return update->supervisor->n_workers;
}

/* ---- steps ---- */

static const char *kind_name(enum update_kind kind)
{
    static const char *const names[] = {
        [UPDATE_PROGRAMS] = "update", [UPDATE_RESTART] = "restart", [UPDATE_SCALE] = "scale"};

    return names[kind];
}

static void tell(struct update *update)
{
    bool is_scaling = update->kind == UPDATE_SCALE && update->phase != UPDATE_IDLE && !update->has_failed;
    uint32_t n_wanted = is_scaling ? update->n_wanted : n_workers(update);

    update->ops->remember(update->self, n_wanted, update->n_full > n_wanted ? update->n_full : 0,
                          update->drained);
    update->ops->tell(update->self, update);
}

void update_step(struct update *update, enum update_phase phase, uint64_t now_ns, const char *format, ...)
{
    int n = snprintf(update->text, sizeof(update->text), "%s: ", kind_name(update->kind));
    va_list arguments;

    update->phase = phase;
    update->step_ns = now_ns;
    update->n_tries = 0;
    update->again_ns = now_ns;
    va_start(arguments, format);
    vsnprintf(update->text + n, sizeof(update->text) - (size_t)n, format, arguments);
    va_end(arguments);
    tell(update);
}

void update_end(struct update *update, uint64_t now_ns)
{
    update->phase = UPDATE_IDLE;
    if (update->n_full <= n_workers(update))
        update->n_full = 0;
    if (!update->is_told)
        update->ended_ns = now_ns;
    update->is_told = true;
    snprintf(update->text, sizeof(update->text), "%s: %s", kind_name(update->kind),
             update->has_failed ? "undone" : "everything is as asked");
    tell(update);
}

void update_fail(struct update *update, uint64_t now_ns, const char *format, ...)
{
    va_list arguments;

    if (!update->has_failed) {
        va_start(arguments, format);
        vsnprintf(update->error, sizeof(update->error), format, arguments);
        va_end(arguments);
        update->has_failed = true;
        update->failed_ns = now_ns;
    }
    update_step(update, UPDATE_UNDO_WAITING, now_ns,
                "failed, waits for all workers to give them their share");
}

static void frontend_begin(struct update *update, uint64_t now_ns);

/* No worker is left to be replaced. */
static void workers_done(struct update *update, uint64_t now_ns)
{
    if (update->is_frontend && !update->has_failed)
        frontend_begin(update, now_ns);
    else
        update_end(update, now_ns);
}

/* The process in hand is replaced from now on. */
static void replace(struct update *update, struct process *process, uint64_t now_ns)
{
    update->old_pid = process_is_alive(process) ? process->handle.pid : 0;
    supervisor_replace(update->supervisor, process, now_ns);
}

enum replaced { REPLACED_NOT_YET, REPLACED_RUNS, REPLACED_DIED, REPLACED_LATE };

static enum replaced is_replaced(const struct update *update, const struct process *process, uint64_t now_ns)
{
    if (process->state == PROCESS_RUNNING && process->handle.pid != update->old_pid)
        return REPLACED_RUNS;
    /* The end that was asked for does not lead here, and that of a process found dead was earlier. */
    if (process->state == PROCESS_WAITING && process->ended_ns > update->step_ns)
        return REPLACED_DIED;
    return now_ns - update->step_ns >= UPDATE_STEP_MS * CLOCK_NS_PER_MS ? REPLACED_LATE : REPLACED_NOT_YET;
}

/* Begins with worker `slot`, or what comes after the last. */
static void worker_begin(struct update *update, uint32_t slot, uint64_t now_ns)
{
    struct process *worker;

    if (slot >= update->end) {
        if (supervisor_spare(update->supervisor) != NULL)
            update_step(update, UPDATE_SPARE_DRAINING, now_ns, "drains the spare worker");
        else
            workers_done(update, now_ns);
        return;
    }
    worker = update_worker(update, slot);
    update->slot = slot;
    update->was_draining = worker->is_draining;
    if (update_is_up(worker)) {
        if (!update->was_draining)
            update->drained |= 1u << slot;
        update_step(update, UPDATE_DRAINING, now_ns, "drains worker %u", slot);
        return;
    }
    /* It is dead, and the others have its connections: nothing to drain. */
    update->was_draining = false;
    update_step(update, UPDATE_REPLACING, now_ns, "starts worker %u", slot);
    replace(update, worker, now_ns);
}

static void worker_replace(struct update *update, uint64_t now_ns)
{
    update_step(update, UPDATE_REPLACING, now_ns, "replaces worker %u", update->slot);
    replace(update, update_worker(update, update->slot), now_ns);
}

static void worker_done(struct update *update, uint64_t now_ns)
{
    update->drained &= ~(1u << update->slot);
    update->n_done++;
    worker_begin(update, update->slot + 1, now_ns);
}

/* ---- beginnings ---- */

bool update_start(struct update *update, enum update_kind kind, uint64_t now_ns, int *error)
{
    struct supervisor *supervisor = update->supervisor;

    *error = 0;
    if (update->phase != UPDATE_IDLE)
        *error = -EBUSY;
    else if (update_frontend(update)->state != PROCESS_RUNNING || supervisor->is_stopping)
        *error = -EAGAIN;
    if (*error != 0)
        return false;
    *update = (struct update){.supervisor = supervisor,
                              .ops = update->ops,
                              .self = update->self,
                              .kind = kind,
                              .n_full = update->n_full,
                              .id = ID_BASE + now_ns,
                              .begun_ns = now_ns};
    return true;
}

static void frontend_begin(struct update *update, uint64_t now_ns)
{
    update_step(update, UPDATE_FRONTEND, now_ns, "replaces the frontend");
    replace(update, update_frontend(update), now_ns);
}

/* Begins to replace the workers first..end - 1, one more being there if `needs_spare`. 0 or -ENOSPC. */
static int workers_begin(struct update *update, uint32_t first, bool needs_spare, uint64_t now_ns)
{
    const struct process *spare = needs_spare ? supervisor_spare_new(update->supervisor) : NULL;

    if (needs_spare && spare == NULL) {
        update->is_told = true;
        update->id = 0;
        return -ENOSPC;
    }
    update->slot = first;
    if (spare != NULL)
        update_step(update, UPDATE_SPARE_STARTING, now_ns, "starts spare worker %u", spare->slot);
    else
        worker_begin(update, first, now_ns);
    return 0;
}

int update_begin(struct update *update, bool is_frontend, uint64_t now_ns)
{
    int error;

    if (!update_start(update, UPDATE_PROGRAMS, now_ns, &error))
        return error;
    update->is_frontend = is_frontend;
    snprintf(update->title, sizeof(update->title), "update of the %s", is_frontend ? "frontend" : "workers");
    update->end = is_frontend ? 0 : n_workers(update);
    update->n_total = is_frontend ? 1 : update->end;
    if (!is_frontend)
        return workers_begin(update, 0, true, now_ns);
    frontend_begin(update, now_ns);
    return 0;
}

/* True when somebody else can take what the worker has. */
static bool has_taker(const struct update *update, uint32_t slot)
{
    for (uint32_t other = 0; other < CONFIG_MAX_WORKERS; other++) {
        const struct process *worker = update_worker(update, other);

        if (other != slot && update_is_up(worker) && !worker->is_draining)
            return true;
    }
    return false;
}

int update_restart(struct update *update, enum update_part part, uint32_t slot, uint64_t now_ns)
{
    int error;

    if (!update_start(update, UPDATE_RESTART, now_ns, &error))
        return error;
    update->is_frontend = part != UPDATE_ONE_WORKER;
    switch (part) {
    case UPDATE_ONE_WORKER:
        snprintf(update->title, sizeof(update->title), "restart of worker %u", slot);
        update->end = slot + 1;
        update->n_total = 1;
        return workers_begin(update, slot, !has_taker(update, slot), now_ns);
    case UPDATE_THE_FRONTEND:
        snprintf(update->title, sizeof(update->title), "restart of the frontend");
        update->n_total = 1;
        frontend_begin(update, now_ns);
        return 0;
    case UPDATE_EVERYTHING:
        snprintf(update->title, sizeof(update->title), "restart of the workers and the frontend");
        update->end = n_workers(update);
        update->n_total = update->end + 1;
        return workers_begin(update, 0, true, now_ns);
    }
    return -EINVAL;
}

void update_resume(struct update *update, uint32_t drained, uint64_t now_ns)
{
    update->drained = drained;
    update->is_told = true;
    snprintf(update->title, sizeof(update->title), "what mpa-controld was doing when it ended");
    update_fail(update, now_ns, "interrupted: mpa-controld was started again");
}

/* ---- going on ---- */

static void spare_starting(struct update *update, uint64_t now_ns)
{
    const struct process *spare = supervisor_spare(update->supervisor);

    if (update_is_up(spare))
        worker_begin(update, update->slot, now_ns);
    else if (spare->state == PROCESS_WAITING)
        update_fail(update, now_ns, "spare worker %u did not start: %s", spare->slot, spare->last_exit);
    else if (now_ns - update->step_ns >= UPDATE_STEP_MS * CLOCK_NS_PER_MS)
        update_fail(update, now_ns, "spare worker %u was not ready in time", spare->slot);
}

static void replacing(struct update *update, uint64_t now_ns)
{
    const struct process *worker = update_worker(update, update->slot);

    switch (is_replaced(update, worker, now_ns)) {
    case REPLACED_NOT_YET:
        return;
    case REPLACED_RUNS:
        if (worker->is_serving)
            update_step(update, UPDATE_UNDRAINING, now_ns, "gives worker %u its share", update->slot);
        return;
    case REPLACED_DIED:
        update_fail(update, now_ns, "worker %u did not start: %s; the others serve its connections",
                    update->slot, worker->last_exit);
        return;
    case REPLACED_LATE:
        update_fail(update, now_ns, "worker %u was not ready in time; the others serve its connections",
                    update->slot);
        return;
    }
}

static void frontend_replacing(struct update *update, uint64_t now_ns)
{
    const struct process *frontend = update_frontend(update);

    switch (is_replaced(update, frontend, now_ns)) {
    case REPLACED_NOT_YET:
        return;
    case REPLACED_RUNS:
        break;
    case REPLACED_DIED:
        update_fail(update, now_ns, "mpa-frontend did not start: %s; it is tried again and again",
                    frontend->last_exit);
        return;
    case REPLACED_LATE:
        update_fail(update, now_ns, "mpa-frontend was not ready in time");
        return;
    }
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        const struct process *worker = update_worker(update, slot);

        if (worker->state != PROCESS_RUNNING || worker->is_serving)
            continue;
        if (now_ns - update->step_ns >= 2 * UPDATE_STEP_MS * CLOCK_NS_PER_MS)
            update_fail(update, now_ns, "worker %u did not come back to the new frontend", slot);
        return;
    }
    update->n_done++;
    update_end(update, now_ns);
}

/* Undoing needs every worker there: a spare that is drained too early would fill up those that are left. */
static void undo_waiting(struct update *update, uint64_t now_ns)
{
    if (now_ns < update->again_ns)
        return;
    for (uint32_t slot = 0; slot < n_workers(update); slot++) {
        if (!update_is_up(update_worker(update, slot)))
            return;
    }
    if (update->drained != 0)
        update_step(update, UPDATE_UNDO_UNDRAINING, now_ns, "gives drained workers their share");
    else if (supervisor_spare(update->supervisor) == NULL)
        update_end(update, now_ns);
    else
        update_step(update, UPDATE_SPARE_DRAINING, now_ns, "drains the spare worker");
}

static void spare_end(struct update *update, struct process *spare, uint64_t now_ns)
{
    update_step(update, UPDATE_SPARE_ENDING, now_ns, "ends spare worker %u", spare->slot);
    update->slot = spare->slot;
    supervisor_spare_end(update->supervisor, spare, now_ns);
}

static void spare_ending(struct update *update, uint64_t now_ns)
{
    if (process_is_alive(update_worker(update, update->slot)))
        return;
    if (supervisor_spare(update->supervisor) != NULL)
        update_step(update, UPDATE_SPARE_DRAINING, now_ns, "drains the spare worker");
    else
        workers_done(update, now_ns);
}

/* ---- operations ---- */

static void operation_give(struct update *update, enum operation_kind kind, uint32_t slot, uint64_t now_ns)
{
    update->is_operating = true;
    update->n_tries++;
    update->ops->operation(update->self, kind, slot, now_ns);
}

static uint32_t first_drained(const struct update *update)
{
    return (uint32_t)__builtin_ctz(update->drained);
}

/* The operation of the present phase, again if need be. */
static void operation_again(struct update *update, uint64_t now_ns)
{
    struct process *spare;

    if (update->is_operating || now_ns < update->again_ns)
        return;
    switch (update->phase) {
    case UPDATE_DRAINING:
        operation_give(update, OPERATION_DRAIN, update->slot, now_ns);
        return;
    case UPDATE_SCALE_DRAINING:
        if (update_is_up(update_worker(update, update->slot)))
            operation_give(update, OPERATION_DRAIN, update->slot, now_ns);
        return;
    case UPDATE_UNDRAINING:
        operation_give(update, update->was_draining ? OPERATION_DRAIN : OPERATION_UNDRAIN, update->slot,
                       now_ns);
        return;
    case UPDATE_UNDO_UNDRAINING:
        operation_give(update, OPERATION_UNDRAIN, first_drained(update), now_ns);
        return;
    case UPDATE_SPARE_DRAINING:
        spare = supervisor_spare(update->supervisor);
        if (spare == NULL)
            workers_done(update, now_ns);
        else if (!update_is_up(spare))
            spare_end(update, spare, now_ns);
        else
            operation_give(update, OPERATION_DRAIN, spare->slot, now_ns);
        return;
    default:
        return;
    }
}

static void operation_went_well(struct update *update, uint64_t now_ns)
{
    struct process *spare;

    switch (update->phase) {
    case UPDATE_DRAINING:
        worker_replace(update, now_ns);
        return;
    case UPDATE_SCALE_DRAINING:
        update_scale_drained(update, now_ns);
        return;
    case UPDATE_UNDRAINING:
        worker_done(update, now_ns);
        return;
    case UPDATE_UNDO_UNDRAINING:
        update->drained &= update->drained - 1;
        update_step(update, UPDATE_UNDO_WAITING, now_ns, "looks what is left to be undone");
        return;
    case UPDATE_SPARE_DRAINING:
        spare = supervisor_spare(update->supervisor);
        if (spare != NULL)
            spare_end(update, spare, now_ns);
        else
            workers_done(update, now_ns);
        return;
    default:
        return;
    }
}

void update_operation_ended(struct update *update, bool is_good, const char *text, uint64_t now_ns)
{
    update->is_operating = false;
    if (is_good) {
        operation_went_well(update, now_ns);
        return;
    }
    /* Who has died meanwhile has nothing left to drain. */
    if (update->phase == UPDATE_DRAINING && !process_is_alive(update_worker(update, update->slot))) {
        worker_replace(update, now_ns);
        return;
    }
    if (update->phase == UPDATE_SCALE_DRAINING && !process_is_alive(update_worker(update, update->slot))) {
        update_scale_drained(update, now_ns);
        return;
    }
    if (update->n_tries < UPDATE_TRIES) {
        update->again_ns = now_ns + UPDATE_AGAIN_MS / 4 * CLOCK_NS_PER_MS;
        return;
    }
    if (update->phase == UPDATE_DRAINING)
        update_fail(update, now_ns, "worker %u could not be drained: %s", update->slot, text);
    else if (update->phase == UPDATE_UNDRAINING)
        update_fail(update, now_ns, "worker %u could not be given its share: %s", update->slot, text);
    else if (update->phase == UPDATE_SCALE_DRAINING)
        update_scale_refused(update, text, now_ns);
    else
        update_fail(update, now_ns, "the spare worker could not be drained: %s", text);
    update->again_ns = now_ns + UPDATE_AGAIN_MS * CLOCK_NS_PER_MS;
}

void update_tick(struct update *update, uint64_t now_ns)
{
    if (update->phase != UPDATE_IDLE && update->supervisor->is_stopping) {
        update->has_failed = true;
        snprintf(update->error, sizeof(update->error), "everything is being stopped");
        update_end(update, now_ns);
    }
    switch (update->phase) {
    case UPDATE_IDLE:
        return;
    case UPDATE_SPARE_STARTING:
        spare_starting(update, now_ns);
        break;
    case UPDATE_REPLACING:
        replacing(update, now_ns);
        break;
    case UPDATE_UNDO_WAITING:
        undo_waiting(update, now_ns);
        break;
    case UPDATE_SPARE_ENDING:
        spare_ending(update, now_ns);
        break;
    case UPDATE_FRONTEND:
        frontend_replacing(update, now_ns);
        break;
    case UPDATE_SCALE_STARTING:
    case UPDATE_SCALE_DRAINING:
    case UPDATE_SCALE_ENDING:
        update_scale_tick(update, now_ns);
        break;
    case UPDATE_DRAINING:
    case UPDATE_UNDRAINING:
    case UPDATE_UNDO_UNDRAINING:
    case UPDATE_SPARE_DRAINING:
        break;
    }
    operation_again(update, now_ns);
    if (update->has_failed && !update->is_told &&
        now_ns - update->failed_ns >= UPDATE_UNDO_MS * CLOCK_NS_PER_MS) {
        update->is_told = true;
        update->ended_ns = now_ns;
    }
}
