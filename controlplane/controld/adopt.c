/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * adopt.c — controld holds no state worth losing: what an earlier one left running is found by asking the
 * frontend, and what the frontend cannot tell (it hangs or has died, a worker is on its way back to it) by
 * looking at the processes. Runs before the loop, so it may wait, a bounded time.
 */
#include <nng/nng.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "controlplane/controld/controld.h"
#include "controlplane/controld/frontend_link.h"
#include "controlplane/controld/status.h"
#include "controlplane/controld/wire.h"

#define ANSWER_MS 1000

/* Asks the frontend at the other end of the link; NULL when it does not answer. */
static Mpa__V1__Reply *ask_status(struct frontend_link *link)
{
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__GetStatusRequest body = MPA__V1__GET_STATUS_REQUEST__INIT;
    Mpa__V1__Reply *reply = NULL;
    nng_msg *packed;

    request.body_case = MPA__V1__REQUEST__BODY_GET_STATUS;
    request.get_status = &body;
    packed = wire_pack(&request.base);
    if (packed == NULL)
        return NULL;
    (void)nng_socket_set_ms(link->socket, NNG_OPT_SENDTIMEO, ANSWER_MS);
    (void)nng_socket_set_ms(link->socket, NNG_OPT_RECVTIMEO, ANSWER_MS);
    if (nng_sendmsg(link->socket, packed, 0) != 0) {
        nng_msg_free(packed);
        return NULL;
    }
    if (nng_recvmsg(link->socket, &packed, 0) != 0)
        return NULL;
    reply = status_unpack(packed);
    nng_msg_free(packed);
    return reply;
}

static void adopt_process(struct controld *controld, const Mpa__V1__Process *process)
{
    enum manager_role role =
        process->role == MPA__V1__ROLE__ROLE_FRONTEND ? MANAGER_FRONTEND : MANAGER_WORKER;
    const char *name = role == MANAGER_FRONTEND ? "mpa-frontend" : "mpa-worker";
    int error;

    if (process->pid == 0 || (role == MANAGER_WORKER && process->role != MPA__V1__ROLE__ROLE_WORKER))
        return;
    error = supervisor_adopt(&controld->supervisor, role, process->slot, (pid_t)process->pid);
    if (error == 0 && role == MANAGER_WORKER)
        controld->supervisor.processes[1 + process->slot].is_draining = process->is_draining;
    if (error == 0)
        log_info("process_adopted process=%s slot=%u pid=%u", name, process->slot, process->pid);
    else if (process->lane_state == MPA__V1__LANE_STATE__LANE_STATE_SERVING)
        log_warn("process_not_adopted process=%s slot=%u pid=%u error=\"%s\"", name, process->slot,
                 process->pid, strerror(-error));
}

static void adopt_by_asking(struct controld *controld)
{
    Mpa__V1__Reply *reply = ask_status(controld->link);

    if (reply == NULL) {
        log_warn("frontend_silent hint=\"something listens at frontend.ipc and does not answer\"");
        return;
    }
    for (size_t i = 0; i < reply->get_status->n_processes; i++)
        adopt_process(controld, reply->get_status->processes[i]);
    mpa__v1__reply__free_unpacked(reply, NULL);
}

void controld_find_leftovers(struct controld *controld)
{
    struct leftovers *leftovers = &controld->leftovers;
    const struct manager *manager = &controld->supervisor.manager;

    if (manager->is_onlooker)
        return;
    leftovers->n_frontends =
        manager->ops->find(manager->self, MANAGER_FRONTEND, leftovers->frontends,
                           sizeof(leftovers->frontends) / sizeof(leftovers->frontends[0]));
    leftovers->n_workers = manager->ops->find(manager->self, MANAGER_WORKER, leftovers->workers,
                                              sizeof(leftovers->workers) / sizeof(leftovers->workers[0]));
}

/* Those that are not ours yet. */
static void adopt_found(struct controld *controld, enum manager_role role, const struct found_process *found,
                        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        /* Refused for a place that is taken: by the same process, or by one that the frontend speaks for. */
        if (supervisor_adopt(&controld->supervisor, role, found[i].slot, found[i].pid) != 0)
            continue;
        supervisor_adopt_silent(&controld->supervisor, role, found[i].slot, clock_now_ns());
        log_info("process_adopted process=%s slot=%u pid=%d by=looking",
                 role == MANAGER_FRONTEND ? "mpa-frontend" : "mpa-worker", found[i].slot, (int)found[i].pid);
    }
}

/* Who was to be undrained, and is draining. Without a memory: everybody who is draining, if there is a spare,
 * which is there only during an update. */
static uint32_t drained_workers(const struct controld *controld, bool has_memory)
{
    uint32_t draining = 0;

    for (uint32_t slot = 0; slot < controld->supervisor.n_workers; slot++) {
        if (controld->supervisor.processes[1 + slot].is_draining)
            draining |= 1u << slot;
    }
    return has_memory ? draining & controld->memory.drained : draining;
}

/* How many workers there shall be: what an operator or the load has asked for lasts as long as the stack runs
 * and nobody changes the configuration. */
static bool recall(struct controld *controld)
{
    struct runtime_memory *memory = &controld->memory;
    int error = runtime_recall(controld->lock_fd, memory);

    if (error != 0 && error != -ENOENT)
        log_warn("memory_ignored file=%s/controld.lock error=\"%s\" workers=%u "
                 "hint=\"what was scaled or drained before is not known: mpactl scale, mpactl undrain\"",
                 controld->config.control.runtime_dir, strerror(-error), controld->config.worker.count);
    if (error != 0 || memory->n_configured != controld->config.worker.count)
        return false;
    controld->supervisor.n_workers = memory->n_workers;
    controld->update.n_full = memory->n_full;
    if (memory->n_full != 0)
        log_info(
            "scale_recalled workers=%u configured=%u full=%u hint=\"the others come back when the machine's "
            "memory suffices\"",
            memory->n_workers, controld->config.worker.count, memory->n_full);
    else if (memory->n_workers != controld->config.worker.count)
        log_info("scale_recalled workers=%u configured=%u", memory->n_workers, controld->config.worker.count);
    return true;
}

/* What stands there is of a stack that has ended, or is not believed: the controld after us must not take it
 * for ours. */
static void remember_anew(struct controld *controld)
{
    controld->memory = (struct runtime_memory){.n_workers = controld->supervisor.n_workers,
                                               .n_configured = controld->config.worker.count};
    runtime_remember(controld->lock_fd, &controld->memory);
}

static bool is_anybody_alive(const struct supervisor *supervisor)
{
    for (size_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++) {
        if (process_is_alive(&supervisor->processes[i]))
            return true;
    }
    return false;
}

static bool has_leftovers(const struct controld *controld, bool is_frontend_there)
{
    return is_frontend_there || controld->leftovers.n_frontends > 0 || controld->leftovers.n_workers > 0;
}

void controld_adopt(struct controld *controld, bool is_frontend_there)
{
    struct supervisor *supervisor = &controld->supervisor;
    bool has_memory;
    uint32_t drained;

    if (supervisor->manager.is_onlooker)
        return;
    if (!has_leftovers(controld, is_frontend_there)) {
        remember_anew(controld);
        return;
    }
    has_memory = recall(controld);
    if (is_frontend_there)
        adopt_by_asking(controld);
    adopt_found(controld, MANAGER_FRONTEND, controld->leftovers.frontends, controld->leftovers.n_frontends);
    adopt_found(controld, MANAGER_WORKER, controld->leftovers.workers, controld->leftovers.n_workers);
    if (!is_anybody_alive(supervisor)) {
        supervisor->n_workers = controld->config.worker.count;
        controld->update.n_full = 0;
        has_memory = false;
    }
    if (!has_memory)
        remember_anew(controld);
    drained = drained_workers(controld, has_memory);
    if (supervisor_spare(supervisor) != NULL || (has_memory && drained != 0))
        update_resume(&controld->update, drained, clock_now_ns());
}
