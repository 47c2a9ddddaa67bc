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
    *supervisor = (struct supervisor){.config = config,
                                      .n_workers = config->worker.count,
                                      .manager = manager,
                                      .news = news,
                                      .context = context};
    for (uint32_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++) {
        struct process *process = &supervisor->processes[i];

        process->role = i == 0 ? MANAGER_FRONTEND : MANAGER_WORKER;
        process->slot = i == 0 ? 0 : i - 1;
        process->handle.pidfd = -1;
    }
}

bool supervisor_wants(const struct supervisor *supervisor, const struct process *process)
{
    return process->role == MANAGER_FRONTEND || process->slot < supervisor->n_workers || process->is_spare;
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
    supervisor->has_served = true;
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

/* What the policy of health has to know of a process, by what we know now. */
static struct health_end health_of(const struct supervisor *supervisor, const struct process *process)
{
    return (struct health_end){.is_frontend = process->role == MANAGER_FRONTEND,
                               .was_ready = process->was_ready,
                               .n_failures = process->n_failures,
                               .base_ms = supervisor->config->control.restart_delay_ms,
                               .has_stand_in = has_stand_in(supervisor, process),
                               .has_served = supervisor->has_served || supervisor->is_stopping,
                               .is_wanted =
                                   !supervisor->is_stopping && supervisor_wants(supervisor, process)};
}

/* The life is over: what was true of it is not true of the next. */
static void process_forget_life(struct process *process, uint64_t now_ns)
{
    process->was_ready = process->ready_ns != 0;
    process->ready_ns = 0;
    process->lost_ns = 0;
    process->ended_ns = now_ns;
    process->handle = (struct manager_process){.pidfd = -1};
    process->is_killed = false;
    process->is_serving = false;
    process->is_draining = false;
}

/* Who serves is what the frontend says; without one, nobody does. */
static void workers_serve_nobody(struct supervisor *supervisor)
{
    for (size_t i = 1; i < SUPERVISOR_MAX_PROCESSES; i++)
        supervisor->processes[i].is_serving = false;
}

/* A new frontend begins without workers: each has to come back to it, and has time for it. */
static void workers_forget_frontend(struct supervisor *supervisor)
{
    workers_serve_nobody(supervisor);
    for (size_t i = 1; i < SUPERVISOR_MAX_PROCESSES; i++)
        supervisor->processes[i].lost_ns = 0;
    supervisor->silent_ms = supervisor->stuck_ms = 0;
}

/* The first start of all ends here; no worker has served yet, so no connection ends with it. */
static void give_up(struct supervisor *supervisor, const struct process *process, uint64_t now_ns)
{
    log_error("start_failed process=%s slot=%u cause=\"%s\"",
              process->role == MANAGER_FRONTEND ? "mpa-frontend" : "mpa-worker", process->slot,
              process->last_exit);
    supervisor->has_failed = true;
    supervisor_stop(supervisor, now_ns);
}

/* Tells of the last end, if that has not been done. */
static void end_tell(struct supervisor *supervisor, struct process *process)
{
    const struct supervisor_news news = {.kind = NEWS_ENDED,
                                         .process = process,
                                         .pid = process->untold.pid,
                                         .cause = process->last_exit,
                                         .is_restarted = process->untold.is_restarted,
                                         .restart_ms = process->untold.restart_ms};

    if (news.pid == 0)
        return;
    process->untold.pid = 0;
    tell(supervisor, &news);
}

/* Plans what follows the end of a process (told in last_exit and last_cause), as the policy judges. It is
 * told at once, or by `why_ns`. */
static void plan_after_end(struct supervisor *supervisor, struct process *process, uint64_t why_ns,
                           uint64_t now_ns)
{
    pid_t pid = process->handle.pid;
    struct health_end end = health_of(supervisor, process);
    struct health_verdict verdict;

    end.cause = process->last_cause;
    end.was_ready = process->ready_ns != 0;
    end.ready_ms = end.was_ready ? (now_ns - process->ready_ns) / CLOCK_NS_PER_MS : 0;
    verdict = health_judge(&end);
    process_forget_life(process, now_ns);
    process->n_failures = verdict.n_failures;
    if (process->role == MANAGER_FRONTEND)
        workers_forget_frontend(supervisor);
    process->is_replaced &= end.cause == HEALTH_ASKED;
    process->state = PROCESS_STOPPED;
    process->untold.pid = pid;
    process->untold.is_restarted = false;
    process->untold.restart_ms = 0;
    process->untold.due_ns = why_ns;
    /* Who was asked to end and is wanted waits for nothing: it starts from STOPPED. */
    if (end.cause != HEALTH_ASKED &&
        (verdict.action == HEALTH_RESTART_NOW || verdict.action == HEALTH_RESTART_LATER)) {
        process->state = PROCESS_WAITING;
        process->due_ns = now_ns + verdict.delay_ms * CLOCK_NS_PER_MS;
        process->untold.is_restarted = true;
        process->untold.restart_ms = verdict.delay_ms;
    }
    if (now_ns >= why_ns)
        end_tell(supervisor, process);
    /* Others serve: the start is over, without it. */
    if (supervisor->has_served && process->n_failures >= HEALTH_MAX_TRIES)
        supervisor->has_been_up = true;
    if (verdict.action == HEALTH_GIVE_UP)
        give_up(supervisor, process, now_ns);
}

/* What the end means: who did it decides, then how it ended. */
static enum health_cause cause_of(const struct process *process, const struct manager_cause *cause)
{
    if (process->state == PROCESS_STOPPING)
        return HEALTH_ASKED;
    if (process->is_killed)
        return process->kill_cause;
    if (cause->is_unknown)
        return HEALTH_UNKNOWN;
    return cause->is_exit ? HEALTH_EXIT : HEALTH_SIGNAL;
}

/* Why a process was killed. */
struct end_reason {
    enum health_cause cause;
    char text[64];
};

static const struct end_reason stalled = {HEALTH_STALLED, "stood still with work waiting"};

static bool is_unexplained(const struct process *process)
{
    return process->last_cause == HEALTH_SIGNAL || process->last_cause == HEALTH_UNKNOWN;
}

/* Nobody has said why a worker was killed, and a frontend is there that may have done it. */
static bool may_be_explained(struct supervisor *supervisor, const struct process *process,
                             const struct manager_cause *cause)
{
    return is_unexplained(process) && (cause->is_kill || cause->is_unknown) &&
           process->role == MANAGER_WORKER && frontend_of(supervisor)->state == PROCESS_RUNNING &&
           !supervisor->is_stopping;
}

/* The frontend's reason for an end of a moment ago; false: there is none to be explained. With a next life
 * that did not wait the end has been told, but who asks for the status learns the reason. */
static bool end_explain(struct supervisor *supervisor, struct process *process, const struct end_reason *why,
                        uint64_t now_ns)
{
    size_t length = strlen(process->last_exit);

    if (now_ns > process->untold.due_ns || !is_unexplained(process))
        return false;
    process->last_cause = why->cause;
    snprintf(process->last_exit + length, sizeof(process->last_exit) - length, ": %s", why->text);
    end_tell(supervisor, process);
    return true;
}

void supervisor_process_ended(struct supervisor *supervisor, struct process *process, uint64_t now_ns)
{
    struct manager_cause cause = {0};
    pid_t pid = process->handle.pid;
    uint64_t why_ns = now_ns;

    if (!process_is_alive(process))
        return;
    supervisor->manager.ops->take_end(supervisor->manager.self, &process->handle, &cause);
    process->handle.pid = pid;
    process->last_cause = cause_of(process, &cause);
    snprintf(process->last_exit, sizeof(process->last_exit), "%s%s%s", cause.text,
             process->is_killed ? ": " : "", process->is_killed ? process->kill_reason : "");
    process->was_as_asked = process->last_cause == HEALTH_ASKED && cause.is_clean;
    if (may_be_explained(supervisor, process, &cause))
        why_ns += SUPERVISOR_WHY_MS * CLOCK_NS_PER_MS;
    plan_after_end(supervisor, process, why_ns, now_ns);
    /* What is replaced is awaited by somebody: not at the next tick, now. */
    if (process->is_replaced && !supervisor->is_stopping)
        process_tick(supervisor, process, now_ns);
}

/* ---- starts ---- */

static void process_start(struct supervisor *supervisor, struct process *process, uint64_t now_ns)
{
    int error = supervisor->manager.ops->start(supervisor->manager.self, process->role, process->slot,
                                               &process->handle);

    end_tell(supervisor, process);
    process->started_ns = now_ns;
    if (process->has_run)
        process->n_restarts++;
    process->has_run = true;
    if (error != 0) {
        process->handle = (struct manager_process){.pidfd = -1};
        snprintf(process->last_exit, sizeof(process->last_exit), "could not be started: %s",
                 strerror(-error));
        process->last_cause = HEALTH_NOT_STARTED;
        process->was_as_asked = false;
        plan_after_end(supervisor, process, now_ns, now_ns);
        return;
    }
    process->state = PROCESS_STARTING;
    process->due_ns = now_ns + SUPERVISOR_READY_MS * CLOCK_NS_PER_MS;
    tell(supervisor, &(struct supervisor_news){
                         .kind = NEWS_STARTED, .process = process, .pid = process->handle.pid, .cause = ""});
}

static void process_kill(struct supervisor *supervisor, struct process *process, enum health_cause cause,
                         const char *reason)
{
    if (process->is_killed)
        return;
    process->is_killed = true;
    process->kill_cause = cause;
    snprintf(process->kill_reason, sizeof(process->kill_reason), "%s", reason);
    tell(supervisor,
         &(struct supervisor_news){
             .kind = NEWS_KILLED, .process = process, .pid = process->handle.pid, .cause = reason});
    /* -ESRCH: it has just ended; its descriptor will tell. */
    (void)supervisor->manager.ops->signal(supervisor->manager.self, &process->handle, SIGKILL);
}

/* When a process that has died is due: others may have died since, so that it cannot be waited for. */
static uint64_t waiting_end_ns(const struct supervisor *supervisor, const struct process *process)
{
    const struct health_end end = health_of(supervisor, process);
    uint64_t end_ns = process->ended_ns + health_delay_ms(&end, process->n_failures) * CLOCK_NS_PER_MS;

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
            process_kill(supervisor, process, HEALTH_NOT_READY, "not ready in time");
        return;
    case PROCESS_STOPPING:
        if (now_ns >= process->due_ns)
            process_kill(supervisor, process, HEALTH_ASKED, "did not stop in time");
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
        process_kill(supervisor, process, HEALTH_ASKED, "did not stop in time");
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

void supervisor_scale(struct supervisor *supervisor, uint32_t n_workers)
{
    supervisor->n_workers = n_workers;
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        struct process *worker = &supervisor->processes[1 + slot];

        if (slot < n_workers) {
            worker->is_spare = false;
            worker->is_replaced |= worker->state == PROCESS_STOPPED;
        } else if (process_is_alive(worker)) {
            worker->is_spare = worker->state != PROCESS_STOPPING;
        } else {
            worker->state = PROCESS_STOPPED;
            worker->is_spare = false;
            worker->n_failures = 0;
        }
    }
}

struct process *supervisor_spare_new(struct supervisor *supervisor)
{
    for (uint32_t slot = supervisor->n_workers; slot < CONFIG_MAX_WORKERS; slot++) {
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

/* Ends whose time is up. */
static void ends_tell(struct supervisor *supervisor, uint64_t now_ns)
{
    for (size_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++) {
        if (now_ns >= supervisor->processes[i].untold.due_ns)
            end_tell(supervisor, &supervisor->processes[i]);
    }
}

void supervisor_stop(struct supervisor *supervisor, uint64_t now_ns)
{
    if (supervisor->is_stopping)
        return;
    supervisor->is_stopping = true;
    ends_tell(supervisor, UINT64_MAX);
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

/* A start of this pass has failed, after seconds perhaps: the service manager may be what is slow. */
static bool has_failed_now(const struct process *process, uint64_t now_ns)
{
    return process->started_ns == now_ns && process->last_cause == HEALTH_NOT_STARTED &&
           !process_is_alive(process);
}

/* One failed start ends the pass, so that several cannot use up the time of our own watchdog together. */
static void processes_tick(struct supervisor *supervisor, uint64_t now_ns)
{
    for (size_t i = 0; i < SUPERVISOR_MAX_PROCESSES && can_act(supervisor); i++) {
        process_tick(supervisor, &supervisor->processes[i], now_ns);
        if (has_failed_now(&supervisor->processes[i], now_ns))
            return;
    }
}

void supervisor_tick(struct supervisor *supervisor, uint64_t now_ns)
{
    if (supervisor->manager.is_onlooker)
        manager_external_tick(supervisor, now_ns);
    ends_tell(supervisor, now_ns);
    processes_tick(supervisor, now_ns);
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
    supervisor->has_served |= process->role == MANAGER_WORKER;
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
        process_kill(supervisor, worker, HEALTH_STALLED, "does not come back to the frontend");
}

/* What a fault of a lane means. */
static struct end_reason reason_of(const char *fault)
{
    struct end_reason why = {.cause = HEALTH_QUARANTINED};

    if (strcmp(fault, "fault_stalled") == 0)
        why.cause = HEALTH_STALLED;
    snprintf(why.text, sizeof(why.text), "quarantined: %s", fault);
    return why;
}

static void take_report(struct supervisor *supervisor, struct process *worker, const struct lane_report *lane,
                        uint64_t now_ns)
{
    struct end_reason why;

    switch (lane->life) {
    case LANE_LIFE_SERVING:
        worker->is_serving = true;
        worker->is_draining = lane->is_draining;
        process_ready(supervisor, worker, now_ns);
        return;
    case LANE_LIFE_QUARANTINED:
        why = reason_of(lane->fault);
        process_kill(supervisor, worker, why.cause, why.text);
        return;
    case LANE_LIFE_OTHER:
        return;
    }
}

void supervisor_worker_stalled(struct supervisor *supervisor, uint32_t slot, uint64_t still_ns,
                               uint64_t now_ns)
{
    struct process *worker;

    if (supervisor->manager.is_onlooker || slot >= CONFIG_MAX_WORKERS)
        return;
    worker = &supervisor->processes[1 + slot];
    if (end_explain(supervisor, worker, &stalled, now_ns))
        return;
    /* One that has not run for so long is the next life already. */
    if (worker->state == PROCESS_RUNNING && now_ns - worker->ready_ns >= still_ns)
        process_kill(supervisor, worker, stalled.cause, stalled.text);
}

void supervisor_worker_quarantined(struct supervisor *supervisor, uint32_t slot, const char *fault,
                                   uint64_t now_ns)
{
    const struct end_reason why = reason_of(fault);

    if (slot < CONFIG_MAX_WORKERS)
        (void)end_explain(supervisor, &supervisor->processes[1 + slot], &why, now_ns);
}

/* It runs, and we may end it: one that is starting has its own limit, one that is stopping too. */
static bool is_frontend_judged(struct supervisor *supervisor)
{
    return !supervisor->manager.is_onlooker && !supervisor->is_stopping &&
           frontend_of(supervisor)->state == PROCESS_RUNNING;
}

void supervisor_frontend_silent(struct supervisor *supervisor, uint32_t waited_ms)
{
    if (!is_frontend_judged(supervisor))
        return;
    supervisor->silent_ms += waited_ms;
    if (supervisor->silent_ms >= SUPERVISOR_SILENT_MS)
        process_kill(supervisor, frontend_of(supervisor), HEALTH_STALLED, "does not answer");
}

void supervisor_frontend_loops(struct supervisor *supervisor, uint64_t loop_age_ms, uint32_t since_ms)
{
    if (!is_frontend_judged(supervisor))
        return;
    supervisor->stuck_ms = loop_age_ms < SUPERVISOR_LOOP_MS ? 0 : supervisor->stuck_ms + since_ms;
    if (supervisor->stuck_ms >= SUPERVISOR_STUCK_MS)
        process_kill(supervisor, frontend_of(supervisor), HEALTH_STALLED, "its loop stands still");
}

void supervisor_frontend_says(struct supervisor *supervisor, const struct lane_report *lanes, size_t n_lanes,
                              uint64_t now_ns)
{
    supervisor->silent_ms = 0;
    if (supervisor->manager.is_onlooker) {
        manager_external_says(supervisor, lanes, n_lanes, now_ns);
    } else if (frontend_of(supervisor)->state != PROCESS_STOPPING) {
        /* What a frontend that is on its way out says is not about the next one. */
        process_ready(supervisor, frontend_of(supervisor), now_ns);
        workers_serve_nobody(supervisor);
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

bool supervisor_misses(const struct supervisor *supervisor, const struct process *process)
{
    return supervisor_wants(supervisor, process) && process->state != PROCESS_RUNNING && !process->is_spare &&
           !process->is_replaced;
}

enum supervisor_state supervisor_state(const struct supervisor *supervisor)
{
    if (supervisor->is_stopping)
        return SUPERVISOR_STOPPING;
    for (size_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++) {
        if (supervisor_misses(supervisor, &supervisor->processes[i]))
            return supervisor->has_been_up ? SUPERVISOR_DEGRADED : SUPERVISOR_STARTING;
    }
    return SUPERVISOR_UP;
}
