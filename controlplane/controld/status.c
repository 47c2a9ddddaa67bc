/* SPDX-License-Identifier: BSD-3-Clause */
/* status.c — GetStatus of controld: what the frontend does not know (life, restarts, causes) laid over its
 * lanes. */
#include "controlplane/controld/status.h"

#include <unistd.h>

#include "base/clock.h"
#include "controlplane/controld/degrader.h"
#include "controlplane/controld/settings.h"
#include "controlplane/controld/wire.h"

Mpa__V1__Reply *status_unpack(nng_msg *message)
{
    Mpa__V1__Reply *reply = mpa__v1__reply__unpack(NULL, nng_msg_len(message), nng_msg_body(message));

    if (reply != NULL && reply->body_case == MPA__V1__REPLY__BODY_GET_STATUS && reply->get_status != NULL)
        return reply;
    if (reply != NULL)
        mpa__v1__reply__free_unpacked(reply, NULL);
    return NULL;
}

static enum lane_life lane_life(Mpa__V1__LaneState state)
{
    if (state == MPA__V1__LANE_STATE__LANE_STATE_SERVING)
        return LANE_LIFE_SERVING;
    if (state == MPA__V1__LANE_STATE__LANE_STATE_QUARANTINED)
        return LANE_LIFE_QUARANTINED;
    return LANE_LIFE_OTHER;
}

size_t status_lanes(const Mpa__V1__GetStatusReply *status, struct lane_report lanes[CONFIG_MAX_WORKERS])
{
    size_t n = 0;

    for (size_t i = 0; i < status->n_processes && n < CONFIG_MAX_WORKERS; i++) {
        const Mpa__V1__Process *process = status->processes[i];

        if (process->role != MPA__V1__ROLE__ROLE_WORKER)
            continue;
        lanes[n++] = (struct lane_report){.slot = process->slot,
                                          .pid = (pid_t)process->pid,
                                          .life = lane_life(process->lane_state),
                                          .attached_ns = process->attached_ns,
                                          .is_draining = process->is_draining,
                                          .fault = process->lane_fault};
    }
    return n;
}

static Mpa__V1__ProcessState wire_process_state(enum process_state state)
{
    switch (state) {
    case PROCESS_STOPPED:
        return MPA__V1__PROCESS_STATE__PROCESS_STATE_STOPPED;
    case PROCESS_STARTING:
        return MPA__V1__PROCESS_STATE__PROCESS_STATE_STARTING;
    case PROCESS_RUNNING:
        return MPA__V1__PROCESS_STATE__PROCESS_STATE_RUNNING;
    case PROCESS_WAITING:
        return MPA__V1__PROCESS_STATE__PROCESS_STATE_WAITING;
    case PROCESS_STOPPING:
        return MPA__V1__PROCESS_STATE__PROCESS_STATE_STOPPING;
    }
    return MPA__V1__PROCESS_STATE__PROCESS_STATE_UNKNOWN;
}

static Mpa__V1__SystemState wire_system_state(enum supervisor_state state)
{
    switch (state) {
    case SUPERVISOR_STARTING:
        return MPA__V1__SYSTEM_STATE__SYSTEM_STATE_STARTING;
    case SUPERVISOR_UP:
        return MPA__V1__SYSTEM_STATE__SYSTEM_STATE_RUNNING;
    case SUPERVISOR_DEGRADED:
        return MPA__V1__SYSTEM_STATE__SYSTEM_STATE_DEGRADED;
    case SUPERVISOR_STOPPING:
        return MPA__V1__SYSTEM_STATE__SYSTEM_STATE_STOPPING;
    }
    return MPA__V1__SYSTEM_STATE__SYSTEM_STATE_UNKNOWN;
}

/* The frontend's entry for the same process, NULL if it has none. */
static const Mpa__V1__Process *seen_by_frontend(const Mpa__V1__GetStatusReply *frontend, Mpa__V1__Role role,
                                                uint32_t slot)
{
    for (size_t i = 0; frontend != NULL && i < frontend->n_processes; i++) {
        if (frontend->processes[i]->role == role && frontend->processes[i]->slot == slot)
            return frontend->processes[i];
    }
    return NULL;
}

/* An onlooker has no handle on a process and knows what the frontend knows. */
static void fill_life(Mpa__V1__Process *entry, const struct process *process, bool is_onlooker,
                      uint64_t now_ns)
{
    bool is_there = is_onlooker ? process->state == PROCESS_RUNNING : process_is_alive(process);

    if (!is_onlooker || !is_there)
        entry->pid = is_there ? (uint32_t)process->handle.pid : 0;
    /* An adopted process was started before us; the frontend knows better. */
    if (!is_there)
        entry->uptime_ms = 0;
    else if (process->started_ns != 0 && !is_onlooker)
        entry->uptime_ms = (now_ns - process->started_ns) / CLOCK_NS_PER_MS;
}

static void fill_process(Mpa__V1__Process *entry, const struct process *process,
                         const Mpa__V1__GetStatusReply *frontend)
{
    Mpa__V1__Role role =
        process->role == MANAGER_FRONTEND ? MPA__V1__ROLE__ROLE_FRONTEND : MPA__V1__ROLE__ROLE_WORKER;
    const Mpa__V1__Process *seen = seen_by_frontend(frontend, role, process->slot);

    /* Figures of traffic and lane are the frontend's; everything about the life of the process is ours. */
    if (seen != NULL)
        *entry = *seen;
    else
        mpa__v1__process__init(entry);
    entry->role = role;
    entry->slot = process->slot;
    entry->state = wire_process_state(process->state);
    entry->restarts = process->n_restarts;
    entry->is_spare = process->is_spare;
    entry->last_exit = wire_borrow(process->was_as_asked ? "" : process->last_exit);
}

static void fill_controld(Mpa__V1__Process *entry, const struct controld *controld, uint64_t now_ns)
{
    mpa__v1__process__init(entry);
    entry->role = MPA__V1__ROLE__ROLE_CONTROLD;
    entry->pid = (uint32_t)getpid();
    entry->state = MPA__V1__PROCESS_STATE__PROCESS_STATE_RUNNING;
    entry->uptime_ms = (now_ns - controld->started_ns) / CLOCK_NS_PER_MS;
}

/* Those that the frontend sees; a spare too. */
static uint32_t running_workers(const struct supervisor *supervisor)
{
    uint32_t n = 0;

    for (size_t i = 1; i < SUPERVISOR_MAX_PROCESSES; i++)
        n += supervisor->processes[i].state == PROCESS_RUNNING && supervisor->processes[i].is_serving;
    return n;
}

nng_msg *status_reply(const struct controld *controld, uint64_t id, const Mpa__V1__GetStatusReply *frontend,
                      uint64_t now_ns)
{
    const struct supervisor *supervisor = &controld->supervisor;
    Mpa__V1__Reply reply = MPA__V1__REPLY__INIT;
    Mpa__V1__GetStatusReply body = MPA__V1__GET_STATUS_REPLY__INIT;
    Mpa__V1__Process entries[1 + SUPERVISOR_MAX_PROCESSES];
    struct settings_summary config;
    Mpa__V1__Process *list[1 + SUPERVISOR_MAX_PROCESSES];
    bool is_silent;

    fill_controld(&entries[0], controld, now_ns);
    list[body.n_processes++] = &entries[0];
    /* It runs and says nothing: what it would tell is not known, and is no sign that all is well. */
    is_silent = frontend == NULL && supervisor->processes[0].state == PROCESS_RUNNING;
    for (size_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++) {
        const struct process *process = &supervisor->processes[i];

        if (!supervisor_wants(supervisor, process) && !process_is_alive(process) &&
            process->state != PROCESS_RUNNING)
            continue;
        fill_process(&entries[body.n_processes], process, frontend);
        fill_life(&entries[body.n_processes], process, supervisor->manager.is_onlooker, now_ns);
        list[body.n_processes] = &entries[body.n_processes];
        body.n_processes++;
    }
    body.processes = list;
    body.version = wire_borrow(MPA_VERSION);
    body.state = wire_system_state(supervisor_state(supervisor));
    if (is_silent)
        entries[1].state = MPA__V1__PROCESS_STATE__PROCESS_STATE_UNKNOWN;
    if (is_silent && body.state == MPA__V1__SYSTEM_STATE__SYSTEM_STATE_RUNNING)
        body.state = MPA__V1__SYSTEM_STATE__SYSTEM_STATE_DEGRADED;
    body.uptime_ms = entries[0].uptime_ms;
    body.workers_wanted = supervisor->n_workers;
    body.workers_running = running_workers(supervisor);
    body.workers_min = controld->config.worker.min;
    body.workers_max = controld->config.worker.max;
    body.is_scaling_itself = controld->scaler.is_on;
    body.runtime_dir = wire_borrow(controld->config.control.runtime_dir);
    degrader_fill_status(controld->degrader, &body);
    settings_fill_status(controld->settings, &config, &body);
    if (frontend != NULL) {
        body.addresses = frontend->addresses;
        body.n_addresses = frontend->n_addresses;
    }
    reply.id = id;
    reply.body_case = MPA__V1__REPLY__BODY_GET_STATUS;
    reply.get_status = &body;
    return wire_pack(&reply.base);
}
