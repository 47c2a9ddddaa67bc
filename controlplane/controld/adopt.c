/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * adopt.c — controld holds no state worth losing: what an earlier one left running is found by asking the
 * frontend. Runs before the loop, so it may wait, a bounded time.
 */
#include <nng/nng.h>
#include <string.h>

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
    if (error == 0)
        log_info("process_adopted process=%s slot=%u pid=%u", name, process->slot, process->pid);
    else if (process->lane_state == MPA__V1__LANE_STATE__LANE_STATE_SERVING)
        log_warn("process_not_adopted process=%s slot=%u pid=%u error=\"%s\"", name, process->slot,
                 process->pid, strerror(-error));
}

void controld_adopt(struct controld *controld)
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
