/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * update.c — the steps of an update. Workers are drained to all others and not to the spare alone: so each
 * step leaves the buckets even, and the frontend's giving of a share to every new worker is part of the plan.
 */
#include "controlplane/controld/update.h"

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

static struct process *frontend_of(const struct update *update)
{
    return &update->supervisor->processes[0];
}

static struct process *worker_of(const struct update *update, uint32_t slot)
{
    return &update->supervisor->processes[1 + slot];
}

static bool is_up(const struct process *worker)
{
    return worker->state == PROCESS_RUNNING && worker->is_serving;
}

static uint32_t n_workers(const struct update *update)
{
    return update->supervisor->config->worker.count;
}

/* ---- steps ---- */

static void phase_begin(struct update *update, enum update_phase phase, uint64_t now_ns, const char *format,
                        ...) MPA_PRINTF(4, 5);

static void phase_begin(struct update *update, enum update_phase phase, uint64_t now_ns, const char *format,
                        ...)
{
    va_list arguments;

    update->phase = phase;
    update->step_ns = now_ns;
    update->n_tries = 0;
    update->again_ns = now_ns;
    va_start(arguments, format);
    vsnprintf(update->text, sizeof(update->text), format, arguments);
    va_end(arguments);
    update->ops->tell(update->self, update);
}

static void update_end(struct update *update, uint64_t now_ns)
{
    update->phase = UPDATE_IDLE;
    if (!update->is_told)
        update->ended_ns = now_ns;
    update->is_told = true;
    snprintf(update->text, sizeof(update->text),
             update->has_failed ? "update: undone" : "update: everything is replaced");
    update->ops->tell(update->self, update);
}

/* The first failure is the one that counts; from here on the update undoes itself. */
static void update_fail(struct update *update, uint64_t now_ns, const char *format, ...) MPA_PRINTF(3, 4);

static void update_fail(struct update *update, uint64_t now_ns, const char *format, ...)
{
    va_list arguments;

    if (!update->has_failed) {
        va_start(arguments, format);
        vsnprintf(update->error, sizeof(update->error), format, arguments);
        va_end(arguments);
        update->has_failed = true;
        update->failed_ns = now_ns;
    }
    phase_begin(update, UPDATE_UNDO_WAITING, now_ns,
                "update: failed, waits for all workers to give them their share");
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

    if (slot >= n_workers(update)) {
        phase_begin(update, UPDATE_SPARE_DRAINING, now_ns, "update: drains the spare worker");
        return;
    }
    worker = worker_of(update, slot);
    update->slot = slot;
    update->was_draining = worker->is_draining;
    if (is_up(worker)) {
        if (!update->was_draining)
            update->drained |= 1u << slot;
        phase_begin(update, UPDATE_DRAINING, now_ns, "update: drains worker %u", slot);
        return;
    }
    /* It is dead, and the others have its connections: nothing to drain. */
    update->was_draining = false;
    phase_begin(update, UPDATE_REPLACING, now_ns, "update: starts worker %u", slot);
    replace(update, worker, now_ns);
}

static void worker_replace(struct update *update, uint64_t now_ns)
{
    phase_begin(update, UPDATE_REPLACING, now_ns, "update: replaces worker %u", update->slot);
    replace(update, worker_of(update, update->slot), now_ns);
}

static void worker_done(struct update *update, uint64_t now_ns)
{
    update->drained &= ~(1u << update->slot);
    update->n_done++;
    worker_begin(update, update->slot + 1, now_ns);
}

/* ---- beginnings ---- */

static int frontend_begin(struct update *update, uint64_t now_ns)
{
    update->n_total = 1;
    phase_begin(update, UPDATE_FRONTEND, now_ns, "update: replaces the frontend");
    replace(update, frontend_of(update), now_ns);
    return 0;
}

int update_begin(struct update *update, bool is_frontend, uint64_t now_ns)
{
    struct supervisor *supervisor = update->supervisor;
    struct process *spare = NULL;

    if (update->phase != UPDATE_IDLE)
        return -EBUSY;
    if (frontend_of(update)->state != PROCESS_RUNNING || supervisor->is_stopping)
        return -EAGAIN;
    if (!is_frontend) {
        spare = supervisor_spare_new(supervisor);
        if (spare == NULL)
            return -ENOSPC;
    }
    *update = (struct update){.supervisor = supervisor,
                              .ops = update->ops,
                              .self = update->self,
                              .id = ID_BASE + now_ns,
                              .is_frontend = is_frontend,
                              .begun_ns = now_ns,
                              .n_total = n_workers(update)};
    if (is_frontend)
        return frontend_begin(update, now_ns);
    phase_begin(update, UPDATE_SPARE_STARTING, now_ns, "update: starts spare worker %u", spare->slot);
    return 0;
}

void update_resume(struct update *update, uint32_t drained, uint64_t now_ns)
{
    update->drained = drained;
    update->is_told = true;
    update_fail(update, now_ns, "interrupted: mpa-controld was started again");
}

/* ---- going on ---- */

static void spare_starting(struct update *update, uint64_t now_ns)
{
    const struct process *spare = supervisor_spare(update->supervisor);

    if (is_up(spare))
        worker_begin(update, 0, now_ns);
    else if (spare->state == PROCESS_WAITING)
        update_fail(update, now_ns, "spare worker %u did not start: %s", spare->slot, spare->last_exit);
    else if (now_ns - update->step_ns >= UPDATE_STEP_MS * CLOCK_NS_PER_MS)
        update_fail(update, now_ns, "spare worker %u was not ready in time", spare->slot);
}

static void replacing(struct update *update, uint64_t now_ns)
{
    const struct process *worker = worker_of(update, update->slot);

    switch (is_replaced(update, worker, now_ns)) {
    case REPLACED_NOT_YET:
        return;
    case REPLACED_RUNS:
        if (worker->is_serving)
            phase_begin(update, UPDATE_UNDRAINING, now_ns, "update: gives worker %u its share", update->slot);
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
    const struct process *frontend = frontend_of(update);

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
        const struct process *worker = worker_of(update, slot);

        if (worker->state != PROCESS_RUNNING || worker->is_serving)
            continue;
        if (now_ns - update->step_ns >= 2 * UPDATE_STEP_MS * CLOCK_NS_PER_MS)
            update_fail(update, now_ns, "worker %u did not come back to the new frontend", slot);
        return;
    }
    update->n_done = 1;
    update_end(update, now_ns);
}

/* Undoing needs every worker there: a spare that is drained too early would fill up those that are left. */
static void undo_waiting(struct update *update, uint64_t now_ns)
{
    if (now_ns < update->again_ns)
        return;
    for (uint32_t slot = 0; slot < n_workers(update); slot++) {
        if (!is_up(worker_of(update, slot)))
            return;
    }
    if (update->drained != 0)
        phase_begin(update, UPDATE_UNDO_UNDRAINING, now_ns, "update: gives drained workers their share");
    else
        phase_begin(update, UPDATE_SPARE_DRAINING, now_ns, "update: drains the spare worker");
}

static void spare_end(struct update *update, struct process *spare, uint64_t now_ns)
{
    phase_begin(update, UPDATE_SPARE_ENDING, now_ns, "update: ends spare worker %u", spare->slot);
    update->slot = spare->slot;
    supervisor_spare_end(update->supervisor, spare, now_ns);
}

static void spare_ending(struct update *update, uint64_t now_ns)
{
    if (process_is_alive(worker_of(update, update->slot)))
        return;
    if (supervisor_spare(update->supervisor) != NULL)
        phase_begin(update, UPDATE_SPARE_DRAINING, now_ns, "update: drains the spare worker");
    else
        update_end(update, now_ns);
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
            update_end(update, now_ns);
        else if (!is_up(spare))
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
    case UPDATE_UNDRAINING:
        worker_done(update, now_ns);
        return;
    case UPDATE_UNDO_UNDRAINING:
        update->drained &= update->drained - 1;
        phase_begin(update, UPDATE_UNDO_WAITING, now_ns, "update: looks what is left to be undone");
        return;
    case UPDATE_SPARE_DRAINING:
        spare = supervisor_spare(update->supervisor);
        if (spare != NULL)
            spare_end(update, spare, now_ns);
        else
            update_end(update, now_ns);
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
    if (update->phase == UPDATE_DRAINING && !process_is_alive(worker_of(update, update->slot))) {
        worker_replace(update, now_ns);
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
