/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * update_scale.c — another number of workers. Slots 0..n - 1 are used, so one number says which: up fills the
 * next slots, down empties the last one, one after the other. A worker ends only when it has been drained, or
 * has died and the others have adopted what it had.
 */
#include <stdio.h>

#include "base/clock.h"
#include "controlplane/controld/update_internal.h"

static void drain_last(struct update *update, uint64_t now_ns)
{
    uint32_t n_workers = update->supervisor->n_workers;

    if (n_workers == update->n_wanted) {
        update_end(update, now_ns);
        return;
    }
    update->slot = n_workers - 1;
    update->drained = 1u << update->slot;
    update_step(update, UPDATE_SCALE_DRAINING, now_ns, "drains worker %u", update->slot);
}

/* `n_full` as in struct update; from the first step on the next controld would know it. */
static int scale(struct update *update, uint32_t n_workers, uint32_t n_full, uint64_t now_ns)
{
    struct supervisor *supervisor = update->supervisor;
    int error;

    if (!update_start(update, UPDATE_SCALE, now_ns, &error))
        return error;
    update->n_full = n_full;
    update->n_before = supervisor->n_workers;
    update->n_wanted = n_workers;
    update->n_total =
        n_workers > update->n_before ? n_workers - update->n_before : update->n_before - n_workers;
    snprintf(update->title, sizeof(update->title), "scale from %u to %u worker%s", update->n_before,
             n_workers, n_workers == 1 ? "" : "s");
    if (n_workers <= update->n_before) {
        drain_last(update, now_ns);
        return 0;
    }
    supervisor_scale(supervisor, n_workers);
    update_step(update, UPDATE_SCALE_STARTING, now_ns, "starts worker%s %u to %u",
                update->n_total == 1 ? "" : "s", update->n_before, n_workers - 1);
    return 0;
}

int update_scale(struct update *update, uint32_t n_workers, uint64_t now_ns)
{
    return scale(update, n_workers, 0, now_ns);
}

int update_shrink(struct update *update, uint64_t now_ns)
{
    uint32_t n_workers = update->supervisor->n_workers;

    mpa_assert(n_workers > 1);
    return scale(update, n_workers - 1, update->n_full == 0 ? n_workers : update->n_full, now_ns);
}

int update_unshrink(struct update *update, uint32_t n_max, uint64_t now_ns)
{
    uint32_t n_workers = update->supervisor->n_workers;
    uint32_t n_full = update->n_full < n_max ? update->n_full : n_max;

    /* worker.max has been lowered meanwhile: nobody is to come back. */
    return scale(update, n_full > n_workers ? n_full : n_workers, n_full, now_ns);
}

/* Why the new worker will not serve; NULL: it does, or may still. */
static const char *why_not(const struct update *update, const struct process *worker, uint64_t now_ns)
{
    if (worker->state == PROCESS_WAITING && worker->ended_ns > update->step_ns)
        return worker->last_exit;
    if (!update_is_up(worker) && now_ns - update->step_ns >= UPDATE_STEP_MS * CLOCK_NS_PER_MS)
        return "not ready in time";
    return NULL;
}

/* Those that did start are drained and ended when one of them cannot. */
static void starting(struct update *update, uint64_t now_ns)
{
    uint32_t n_up = 0;

    for (uint32_t slot = update->n_before; slot < update->n_wanted; slot++) {
        const struct process *worker = update_worker(update, slot);
        const char *why = why_not(update, worker, now_ns);

        n_up += update_is_up(worker);
        if (why == NULL)
            continue;
        supervisor_scale(update->supervisor, update->n_before);
        update_fail(update, now_ns, "worker %u did not start: %s; the new ones are ended again", slot, why);
        return;
    }
    update->n_done = n_up;
    if (n_up == update->n_total)
        update_end(update, now_ns);
}

void update_scale_drained(struct update *update, uint64_t now_ns)
{
    struct process *worker = update_worker(update, update->slot);

    update->drained = 0;
    supervisor_scale(update->supervisor, update->slot);
    update_step(update, UPDATE_SCALE_ENDING, now_ns, "ends worker %u", update->slot);
    supervisor_spare_end(update->supervisor, worker, now_ns);
}

void update_scale_refused(struct update *update, const char *text, uint64_t now_ns)
{
    update->n_wanted = update->supervisor->n_workers;
    update_fail(update, now_ns, "worker %u could not be drained: %s; it stays, %u workers run", update->slot,
                text, update->n_wanted);
}

/* Without a frontend, or on its way back to one, a worker may have connections that nobody else has. */
static void draining(struct update *update, uint64_t now_ns)
{
    const struct process *worker = update_worker(update, update->slot);

    if (update->is_operating)
        return;
    if (!process_is_alive(worker))
        update_scale_drained(update, now_ns);
    else if (!update_is_up(worker) && now_ns - update->step_ns >= UPDATE_STEP_MS * CLOCK_NS_PER_MS)
        update_scale_refused(update, "it does not serve", now_ns);
}

static void ending(struct update *update, uint64_t now_ns)
{
    if (process_is_alive(update_worker(update, update->slot)))
        return;
    update->n_done++;
    drain_last(update, now_ns);
}

void update_scale_tick(struct update *update, uint64_t now_ns)
{
    if (update->phase == UPDATE_SCALE_STARTING)
        starting(update, now_ns);
    else if (update->phase == UPDATE_SCALE_DRAINING)
        draining(update, now_ns);
    else
        ending(update, now_ns);
}
