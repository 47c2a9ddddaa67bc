/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * supervisor.c — the state machine of the processes.
 *
 * Order of life: the frontend first; workers once it answers, for they attach to it. A worker is ready when
 * the frontend says that its lane serves. What dies is started again after a back-off, each for itself: a
 * dead worker does not touch the frontend, a dead frontend does not end workers (they keep the connections
 * and attach again). A worker in a crash loop waits longer and longer while others carry its buckets; the
 * last one that could serve does not wait. Order of death: workers, then the frontend, so that the last
 * frames still leave.
 *
 * Only at the first start of all is anything given up: a frontend that ends by itself before it was ready has
 * said why (no permission, no interface), and trying again would only repeat it.
 */
#include "controlplane/controld/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "controlplane/controld/manager_external.h"
#include "controlplane/policy/backoff.h"

static struct process *frontend_of(struct supervisor *supervisor)
{
    return &supervisor->processes[0];
}

static void tell(struct supervisor *supervisor, const struct supervisor_news *news)
{
    supervisor->news(supervisor->context, news);
}

void supervisor_init(struct supervisor *supervisor, const struct config *config, struct manager manager,
                     supervisor_news_fn *news, void *context)
{
    *supervisor = (struct supervisor){.config = config, .manager = manager, .news = news, .context = context};
    for (uint32_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++) {
        struct process *process = &supervisor->processes[i];

        process->role = i == 0 ? MANAGER_FRONTEND : MANAGER_WORKER;
        process->slot = i == 0 ? 0 : i - 1;
        process->handle.pidfd = -1;
    }
}

bool supervisor_wants(const struct supervisor *supervisor, const struct process *process)
{
    return process->role == MANAGER_FRONTEND || process->slot < supervisor->config->worker.count ||
           process->is_spare;
}

int supervisor_adopt(struct supervisor *supervisor, enum manager_role role, uint32_t slot, pid_t pid)
{
    uint32_t place = role == MANAGER_FRONTEND ? 0 : 1 + slot;
    struct process *process;
    int error;

    if (place >= SUPERVISOR_MAX_PROCESSES || process_is_alive(&supervisor->processes[place]))
        return -EINVAL;
    process = &supervisor->processes[place];
    error = supervisor->manager.ops->adopt(supervisor->manager.self, role, pid, &process->handle);
    if (error != 0)
        return error;
    process->state = PROCESS_RUNNING;
    process->has_run = true;
    process->ready_ns = 1; /* long ago */
    process->is_spare = !supervisor_wants(supervisor, process);
    supervisor->has_been_up = true;
    return 0;
}

void supervisor_adopt_silent(struct supervisor *supervisor, enum manager_role role, uint32_t slot,
                             uint64_t now_ns)
{
    struct process *process = &supervisor->processes[role == MANAGER_FRONTEND ? 0 : 1 + slot];

    process->state = PROCESS_STARTING;
    process->ready_ns = 0;
    process->due_ns = now_ns + SUPERVISOR_READY_MS * CLOCK_NS_PER_MS;
}

static void process_tick(struct supervisor *supervisor, struct process *process, uint64_t now_ns);

/* ---- ends ---- */

/* The first start of all is given up when trying again cannot help. */
static bool is_hopeless(const struct supervisor *supervisor, const struct process *process, bool is_exit)
{
    if (supervisor->has_been_up || supervisor->is_stopping)
        return false;
    if (process->role == MANAGER_FRONTEND)
        return is_exit;
    return process->n_failures >= SUPERVISOR_MAX_TRIES;
}

/* True when another worker serves: this one's buckets are in good hands. */
static bool has_stand_in(const struct supervisor *supervisor, const struct process *process)
{
    for (size_t i = 1; i < SUPERVISOR_MAX_PROCESSES; i++) {
        const struct process *other = &supervisor->processes[i];

        if (other != process && other->state == PROCESS_RUNNING)
            return true;
    }
    return false;
}

/* How long a process that has died is kept waiting, by what we know now. */
static uint64_t restart_delay_ms(const struct supervisor *supervisor, const struct process *process)
{
    uint32_t base_ms = supervisor->config->control.restart_delay_ms;
    uint32_t delay_ms = backoff_delay_ms(base_ms, process->n_failures);

    if (process->role == MANAGER_FRONTEND)
        return delay_ms < SUPERVISOR_FRONTEND_DELAY_MS || delay_ms == base_ms ? delay_ms
                                                                              : SUPERVISOR_FRONTEND_DELAY_MS;
    /* It did serve and nobody else does: better a worker that dies now and then than none. */
    return process->was_ready && !has_stand_in(supervisor, process) ? base_ms : delay_ms;
}

/* What an end means for the next life. */
static void account_for_end(struct process *process, uint64_t now_ns)
{
    bool is_ready = process->ready_ns != 0;

    /* Time spent on getting ready, or on waiting to be killed for it, is no healthy life. */
    process->n_failures =
        backoff_count(process->n_failures, is_ready ? (now_ns - process->ready_ns) / CLOCK_NS_PER_MS : 0);
    process->was_ready = is_ready;
    process->ready_ns = 0;
    process->lost_ns = 0;
    process->ended_ns = now_ns;
    process->handle = (struct manager_process){.pidfd = -1};
    process->is_killed = false;
    process->is_serving = false;
    process->is_draining = false;
}

/* A new frontend begins without workers: each has to come back to it. */
static void workers_forget_frontend(struct supervisor *supervisor)
{
    for (size_t i = 1; i < SUPERVISOR_MAX_PROCESSES; i++)
        supervisor->processes[i].is_serving = false;
}

/* Plans what follows the end of a process (its cause is in last_exit). */
static void plan_after_end(struct supervisor *supervisor, struct process *process, bool is_exit,
                           uint64_t now_ns)
{
    struct supervisor_news news = {.kind = NEWS_ENDED, .process = process, .cause = process->last_exit};
    bool is_asked_for = process->state == PROCESS_STOPPING;

    news.pid = process->handle.pid;
    account_for_end(process, now_ns);
    if (process->role == MANAGER_FRONTEND) {
        workers_forget_frontend(supervisor);
        for (size_t i = 1; i < SUPERVISOR_MAX_PROCESSES; i++)
            supervisor->processes[i].lost_ns = 0;
    }
    if (is_asked_for)
        process->n_failures = 0;
    else
        process->is_replaced = false;
    if (!is_asked_for && is_hopeless(supervisor, process, is_exit)) {
        process->state = PROCESS_STOPPED;
        tell(supervisor, &news);
        log_error("start_failed process=%s slot=%u cause=\"%s\"",
                  process->role == MANAGER_FRONTEND ? "mpa-frontend" : "mpa-worker", process->slot,
                  process->last_exit);
        supervisor->has_failed = true;
        supervisor_stop(supervisor, now_ns);
        return;
    }
    if (is_asked_for || supervisor->is_stopping || !supervisor_wants(supervisor, process)) {
        process->state = PROCESS_STOPPED;
    } else {
        process->state = PROCESS_WAITING;
        news.restart_ms = restart_delay_ms(supervisor, process);
        process->due_ns = now_ns + news.restart_ms * CLOCK_NS_PER_MS;
    }
    tell(supervisor, &news);
}

void supervisor_process_ended(struct supervisor *supervisor, struct process *process, uint64_t now_ns)
{
    struct manager_cause cause;
    pid_t pid = process->handle.pid;

    if (!process_is_alive(process))
        return;
    supervisor->manager.ops->take_end(supervisor->manager.self, &process->handle, &cause);
    process->handle.pid = pid;
    snprintf(process->last_exit, sizeof(process->last_exit), "%s", cause.text);
    plan_after_end(supervisor, process, cause.is_exit, now_ns);
    /* What is replaced is awaited by somebody: not at the next tick, now. */
    if (process->is_replaced && !supervisor->is_stopping)
        process_tick(supervisor, process, now_ns);
}

/* ---- starts ---- */

static void process_start(struct supervisor *supervisor, struct process *process, uint64_t now_ns)
{
    int error = supervisor->manager.ops->start(supervisor->manager.self, process->role, process->slot,
                                               &process->handle);

    process->started_ns = now_ns;
    if (process->has_run)
        process->n_restarts++;
    process->has_run = true;
    if (error != 0) {
        process->handle = (struct manager_process){.pidfd = -1};
        snprintf(process->last_exit, sizeof(process->last_exit), "could not be started: %s",
                 strerror(-error));
        plan_after_end(supervisor, process, true, now_ns);
        return;
    }
    process->state = PROCESS_STARTING;
    process->due_ns = now_ns + SUPERVISOR_READY_MS * CLOCK_NS_PER_MS;
    tell(supervisor, &(struct supervisor_news){
                         .kind = NEWS_STARTED, .process = process, .pid = process->handle.pid, .cause = ""});
}

static void process_kill(struct supervisor *supervisor, struct process *process, const char *reason)
{
    if (process->is_killed)
        return;
    process->is_killed = true;
    tell(supervisor,
         &(struct supervisor_news){
             .kind = NEWS_KILLED, .process = process, .pid = process->handle.pid, .cause = reason});
    /* -ESRCH: it has just ended; its descriptor will tell. */
    (void)supervisor->manager.ops->signal(supervisor->manager.self, &process->handle, SIGKILL);
}

/* When a process that has died is due: others may have died since, so that it cannot be waited for. */
static uint64_t waiting_end_ns(const struct supervisor *supervisor, const struct process *process)
{
    uint64_t end_ns = process->ended_ns + restart_delay_ms(supervisor, process) * CLOCK_NS_PER_MS;

    return end_ns < process->due_ns ? end_ns : process->due_ns;
}

static void process_tick(struct supervisor *supervisor, struct process *process, uint64_t now_ns)
{
    bool is_frontend_ready = frontend_of(supervisor)->state == PROCESS_RUNNING;
    bool can_start = process->role == MANAGER_FRONTEND || is_frontend_ready;

    switch (process->state) {
    case PROCESS_STOPPED:
        if (can_start && supervisor_wants(supervisor, process))
            process_start(supervisor, process, now_ns);
        return;
    case PROCESS_WAITING:
        if (can_start && now_ns >= waiting_end_ns(supervisor, process))
            process_start(supervisor, process, now_ns);
        return;
    case PROCESS_STARTING:
        /* A worker cannot get ready without the frontend: its time begins when that is back. */
        if (!can_start)
            process->due_ns = now_ns + SUPERVISOR_READY_MS * CLOCK_NS_PER_MS;
        else if (now_ns >= process->due_ns)
            process_kill(supervisor, process, "not ready in time");
        return;
    case PROCESS_STOPPING:
        if (now_ns >= process->due_ns)
            process_kill(supervisor, process, "did not stop in time");
        return;
    case PROCESS_RUNNING:
        return;
    }
}

/* ---- the way down ---- */

static void process_terminate(struct supervisor *supervisor, struct process *process, uint64_t now_ns)
{
    if (process->state != PROCESS_STOPPING) {
        process->state = PROCESS_STOPPING;
        process->due_ns = now_ns + SUPERVISOR_KILL_MS * CLOCK_NS_PER_MS;
        (void)supervisor->manager.ops->signal(supervisor->manager.self, &process->handle, SIGTERM);
    } else if (now_ns >= process->due_ns) {
        process_kill(supervisor, process, "did not stop in time");
    }
}

static void stop_tick(struct supervisor *supervisor, uint64_t now_ns)
{
    struct process *frontend = frontend_of(supervisor);
    bool is_worker_left = false;

    for (size_t i = 1; i < SUPERVISOR_MAX_PROCESSES; i++) {
        struct process *worker = &supervisor->processes[i];

        if (!process_is_alive(worker)) {
            worker->state = PROCESS_STOPPED;
            continue;
        }
        is_worker_left = true;
        process_terminate(supervisor, worker, now_ns);
    }
    if (!process_is_alive(frontend))
        frontend->state = PROCESS_STOPPED;
    else if (!is_worker_left)
        process_terminate(supervisor, frontend, now_ns);
}

void supervisor_replace(struct supervisor *supervisor, struct process *process, uint64_t now_ns)
{
    process->is_replaced = true;
    if (process->state == PROCESS_WAITING)
        process->due_ns = now_ns;
    else if (process_is_alive(process) && process->state != PROCESS_STOPPING)
        process_terminate(supervisor, process, now_ns);
}

struct process *supervisor_spare_new(struct supervisor *supervisor)
{
    for (uint32_t slot = supervisor->config->worker.count; slot < CONFIG_MAX_WORKERS; slot++) {
        struct process *process = &supervisor->processes[1 + slot];

        if (process_is_alive(process))
            continue;
        process->is_spare = true;
        process->state = PROCESS_STOPPED;
        process->n_failures = 0;
        return process;
    }
    return NULL;
}

struct process *supervisor_spare(struct supervisor *supervisor)
{
    for (size_t i = 1; i < SUPERVISOR_MAX_PROCESSES; i++) {
        if (supervisor->processes[i].is_spare)
            return &supervisor->processes[i];
    }
    return NULL;
}

void supervisor_spare_end(struct supervisor *supervisor, struct process *spare, uint64_t now_ns)
{
    spare->is_spare = false;
    if (!process_is_alive(spare))
        spare->state = PROCESS_STOPPED;
    else if (spare->state != PROCESS_STOPPING)
        process_terminate(supervisor, spare, now_ns);
}

void supervisor_stop(struct supervisor *supervisor, uint64_t now_ns)
{
    if (supervisor->is_stopping)
        return;
    supervisor->is_stopping = true;
    tell(supervisor, &(struct supervisor_news){.kind = NEWS_STOPPING, .cause = ""});
    stop_tick(supervisor, now_ns);
}

bool supervisor_is_done(const struct supervisor *supervisor)
{
    if (!supervisor->is_stopping)
        return false;
    for (size_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++) {
        if (process_is_alive(&supervisor->processes[i]))
            return false;
    }
    return true;
}

static bool can_act(const struct supervisor *supervisor)
{
    return !supervisor->is_stopping && !supervisor->manager.is_onlooker;
}

void supervisor_tick(struct supervisor *supervisor, uint64_t now_ns)
{
    if (supervisor->manager.is_onlooker)
        manager_external_tick(supervisor, now_ns);
    for (size_t i = 0; i < SUPERVISOR_MAX_PROCESSES && can_act(supervisor); i++)
        process_tick(supervisor, &supervisor->processes[i], now_ns);
    if (supervisor->is_stopping)
        stop_tick(supervisor, now_ns);
    else if (supervisor_state(supervisor) == SUPERVISOR_UP)
        supervisor->has_been_up = true;
}

/* ---- what the frontend says ---- */

static void process_ready(struct supervisor *supervisor, struct process *process, uint64_t now_ns)
{
    if (process->state != PROCESS_STARTING)
        return;
    process->state = PROCESS_RUNNING;
    process->ready_ns = now_ns;
    process->is_replaced = false;
    tell(supervisor, &(struct supervisor_news){
                         .kind = NEWS_READY, .process = process, .pid = process->handle.pid, .cause = ""});
}

/* A lane may still show the life before: its pid, or where that is hidden its time, tells them apart. */
static bool is_this_life(const struct process *process, const struct lane_report *lane)
{
    if (!process_is_alive(process))
        return false;
    return lane->pid != 0 ? lane->pid == process->handle.pid : lane->attached_ns >= process->started_ns;
}

/* A worker that runs, and a frontend that runs and does not see it: it hangs, or it would be there. */
static void note_lost(struct supervisor *supervisor, struct process *worker, uint64_t now_ns)
{
    if (worker->state != PROCESS_RUNNING || worker->is_serving)
        worker->lost_ns = 0;
    else if (worker->lost_ns == 0)
        worker->lost_ns = now_ns;
    else if (now_ns - worker->lost_ns >= SUPERVISOR_LOST_MS * CLOCK_NS_PER_MS)
        process_kill(supervisor, worker, "does not come back to the frontend");
}

static void take_report(struct supervisor *supervisor, struct process *worker, const struct lane_report *lane,
                        uint64_t now_ns)
{
    char reason[64];

    switch (lane->life) {
    case LANE_LIFE_SERVING:
        worker->is_serving = true;
        worker->is_draining = lane->is_draining;
        process_ready(supervisor, worker, now_ns);
        return;
    case LANE_LIFE_QUARANTINED:
        snprintf(reason, sizeof(reason), "quarantined: %s", lane->fault);
        process_kill(supervisor, worker, reason);
        return;
    case LANE_LIFE_OTHER:
        return;
    }
}

void supervisor_frontend_says(struct supervisor *supervisor, const struct lane_report *lanes, size_t n_lanes,
                              uint64_t now_ns)
{
    if (supervisor->manager.is_onlooker) {
        manager_external_says(supervisor, lanes, n_lanes, now_ns);
    } else if (frontend_of(supervisor)->state != PROCESS_STOPPING) {
        /* What a frontend that is on its way out says is not about the next one. */
        process_ready(supervisor, frontend_of(supervisor), now_ns);
        workers_forget_frontend(supervisor);
        for (size_t i = 0; i < n_lanes; i++) {
            if (lanes[i].slot < CONFIG_MAX_WORKERS &&
                is_this_life(&supervisor->processes[1 + lanes[i].slot], &lanes[i]))
                take_report(supervisor, &supervisor->processes[1 + lanes[i].slot], &lanes[i], now_ns);
        }
        for (size_t i = 1; i < SUPERVISOR_MAX_PROCESSES; i++)
            note_lost(supervisor, &supervisor->processes[i], now_ns);
    }
    supervisor_tick(supervisor, now_ns);
}

enum supervisor_state supervisor_state(const struct supervisor *supervisor)
{
    if (supervisor->is_stopping)
        return SUPERVISOR_STOPPING;
    for (size_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++) {
        const struct process *process = &supervisor->processes[i];

        if (supervisor_wants(supervisor, process) && process->state != PROCESS_RUNNING &&
            !process->is_spare && !process->is_replaced)
            return supervisor->has_been_up ? SUPERVISOR_DEGRADED : SUPERVISOR_STARTING;
    }
    return SUPERVISOR_UP;
}
