/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * readiness.c — what /readyz answers. A load balancer in front of us takes a 503 as "send nothing more": so a
 * worker that an operator or an update has drained does not count, its connections are with the others.
 */
#include "controlplane/controld/exporter.h"

#include <stdio.h>

#include "base/clock.h"

static const char *state_word(enum process_state state)
{
    switch (state) {
    case PROCESS_STOPPED:
        return "not running";
    case PROCESS_STARTING:
        return "starting";
    case PROCESS_RUNNING:
        return "running, but has no buckets yet";
    case PROCESS_WAITING:
        return "dead and waits for its restart";
    case PROCESS_STOPPING:
        return "stopping";
    }
    return "";
}

static const char *frontend_obstacle(const struct supervisor *supervisor, uint64_t now_ns, char *text,
                                     size_t size)
{
    const struct process *frontend = &supervisor->processes[0];
    uint64_t silent_ns = now_ns > supervisor->heard_ns ? now_ns - supervisor->heard_ns : 0;

    if (frontend->state != PROCESS_RUNNING) {
        snprintf(text, size, "mpa-frontend is %s", state_word(frontend->state));
        return text;
    }
    if (silent_ns >= EXPORTER_SILENT_MS * CLOCK_NS_PER_MS) {
        snprintf(text, size, "mpa-frontend has not answered for %llu s",
                 (unsigned long long)(silent_ns / CLOCK_NS_PER_S));
        return text;
    }
    return NULL;
}

const char *readiness_obstacle(const struct supervisor *supervisor, uint64_t now_ns, char *text, size_t size)
{
    unsigned n_serving = 0;

    if (supervisor->is_stopping)
        return "everything is being stopped";
    if (frontend_obstacle(supervisor, now_ns, text, size) != NULL)
        return text;
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        const struct process *worker = &supervisor->processes[1 + slot];
        bool serves = worker->state == PROCESS_RUNNING && worker->is_serving && !worker->is_draining;

        n_serving += serves;
        if (serves || worker->is_spare || worker->is_draining || !supervisor_wants(supervisor, worker))
            continue;
        /* One that an update replaces was drained before: a spare has what it had. */
        if (worker->is_replaced)
            continue;
        snprintf(text, size, "worker %u is %s", (unsigned)slot, state_word(worker->state));
        return text;
    }
    return n_serving > 0 ? NULL : "no worker serves";
}
