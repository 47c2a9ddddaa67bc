/* SPDX-License-Identifier: BSD-3-Clause */
/* manager_external.c — a life as it is seen from outside: it is there, it is another, it is gone. */
#include "controlplane/controld/manager_external.h"

#include <stdio.h>

#include "base/clock.h"

struct manager manager_external(void)
{
    return (struct manager){.is_onlooker = true};
}

static void tell(struct supervisor *supervisor, enum supervisor_news_kind kind, struct process *process)
{
    supervisor->news(supervisor->context,
                     &(struct supervisor_news){.kind = kind,
                                               .process = process,
                                               .pid = process->handle.pid,
                                               .cause = kind == NEWS_ENDED ? process->last_exit : ""});
}

/* Whoever runs it knows the cause; we know what the frontend saw. */
static void process_gone(struct supervisor *supervisor, struct process *process, const char *why,
                         uint64_t now_ns)
{
    if (process->state != PROCESS_RUNNING) {
        process->state = PROCESS_WAITING;
        return;
    }
    process->state = PROCESS_WAITING;
    process->ended_ns = now_ns;
    process->ready_ns = 0;
    process->is_serving = false;
    process->is_draining = false;
    process->last_cause = HEALTH_UNKNOWN;
    snprintf(process->last_exit, sizeof(process->last_exit), "%s", why);
    tell(supervisor, NEWS_ENDED, process);
    process->handle.pid = 0;
}

static void process_quarantined(struct supervisor *supervisor, struct process *process, const char *fault,
                                uint64_t now_ns)
{
    char why[64];

    snprintf(why, sizeof(why), "quarantined: %s", fault);
    process_gone(supervisor, process, why, now_ns);
}

/* `pid`: 0 where the frontend cannot see it. */
static void process_seen(struct supervisor *supervisor, struct process *process, pid_t pid,
                         uint64_t started_ns, uint64_t now_ns)
{
    /* Another life in the same place: the end between them was missed. */
    if (process->state == PROCESS_RUNNING && process->started_ns != started_ns)
        process_gone(supervisor, process, "replaced by another", now_ns);
    process->handle.pid = pid;
    if (process->state == PROCESS_RUNNING)
        return;
    if (process->has_run)
        process->n_restarts++;
    process->has_run = true;
    process->state = PROCESS_RUNNING;
    process->started_ns = started_ns;
    process->ready_ns = now_ns;
    tell(supervisor, NEWS_READY, process);
}

void manager_external_says(struct supervisor *supervisor, const struct lane_report *lanes, size_t n_lanes,
                           uint64_t now_ns)
{
    struct process *frontend = &supervisor->processes[0];
    uint32_t serving = 0;

    process_seen(supervisor, frontend, 0, frontend->state == PROCESS_RUNNING ? frontend->started_ns : now_ns,
                 now_ns);
    supervisor->heard_ns = now_ns;
    for (size_t i = 0; i < n_lanes; i++) {
        struct process *worker = &supervisor->processes[1 + lanes[i].slot % CONFIG_MAX_WORKERS];

        if (lanes[i].slot >= CONFIG_MAX_WORKERS)
            continue;
        if (lanes[i].life == LANE_LIFE_QUARANTINED)
            process_quarantined(supervisor, worker, lanes[i].fault, now_ns);
        if (lanes[i].life != LANE_LIFE_SERVING)
            continue;
        serving |= 1u << lanes[i].slot;
        process_seen(supervisor, worker, lanes[i].pid, lanes[i].attached_ns, now_ns);
        worker->is_serving = true;
        worker->is_draining = lanes[i].is_draining;
    }
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        if ((serving >> slot & 1) == 0)
            process_gone(supervisor, &supervisor->processes[1 + slot], "gone", now_ns);
    }
}

void manager_external_tick(struct supervisor *supervisor, uint64_t now_ns)
{
    bool is_silent = now_ns - supervisor->heard_ns >= EXTERNAL_SILENT_MS * CLOCK_NS_PER_MS;

    for (size_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++) {
        struct process *process = &supervisor->processes[i];

        if (is_silent)
            process_gone(supervisor, process, "the frontend does not answer", now_ns);
        else if (process->state == PROCESS_STOPPED)
            process->state = PROCESS_WAITING;
    }
}
