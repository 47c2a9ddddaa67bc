/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch.c — readiness and quarantine come from the frontend's status. Events tell sooner, but events may be
 * lost; a status asked for is the truth, so an event only makes us ask at once. It is the sign of life of the
 * frontend too: systemd would see that it hangs, without systemd nobody else does.
 */
#include "controlplane/controld/watch.h"

#include <stdlib.h>

#include "base/clock.h"
#include "controlplane/controld/frontend_link.h"
#include "controlplane/controld/status.h"

#define ASK_EVERY_MS 200u
#define ANSWER_MS 500u

struct frontend_watch {
    struct controld *controld;
    struct frontend_call call;
    uint64_t asked_ns;
    uint64_t answered_ns;
};

static uint64_t loop_age_ms(const Mpa__V1__GetStatusReply *status)
{
    for (size_t i = 0; i < status->n_processes; i++) {
        if (status->processes[i]->role == MPA__V1__ROLE__ROLE_FRONTEND)
            return status->processes[i]->loop_age_ms;
    }
    return 0;
}

/* Pauses of our own, or of the whole machine, do not count against the frontend. */
static uint32_t since_answer_ms(struct frontend_watch *watch, uint64_t now_ns)
{
    uint64_t since_ms = (now_ns - watch->answered_ns) / CLOCK_NS_PER_MS;

    watch->answered_ns = now_ns;
    return since_ms < ANSWER_MS ? (uint32_t)since_ms : ANSWER_MS;
}

/* frontend_call_done_fn. */
static void watch_answered(void *context, int error, nng_msg *answer)
{
    struct frontend_watch *watch = context;
    struct supervisor *supervisor = &watch->controld->supervisor;
    struct lane_report lanes[CONFIG_MAX_WORKERS];
    Mpa__V1__Reply *reply;

    if (error == NNG_ETIMEDOUT)
        supervisor_frontend_silent(supervisor, ANSWER_MS);
    if (error != 0)
        return;
    reply = status_unpack(answer);
    nng_msg_free(answer);
    if (reply == NULL)
        return;
    supervisor->heard_ns = clock_now_ns();
    supervisor_frontend_says(supervisor, lanes, status_lanes(reply->get_status, lanes), supervisor->heard_ns);
    supervisor_frontend_loops(supervisor, loop_age_ms(reply->get_status),
                              since_answer_ms(watch, supervisor->heard_ns));
    mpa__v1__reply__free_unpacked(reply, NULL);
}

int frontend_watch_new(struct frontend_watch **watch, struct controld *controld)
{
    struct frontend_watch *new = calloc(1, sizeof(*new));
    int error;

    *watch = NULL;
    if (new == NULL)
        return NNG_ENOMEM;
    new->controld = controld;
    error = frontend_call_init(&new->call, controld->link, watch_answered, new);
    if (error == 0)
        *watch = new;
    else
        frontend_watch_free(new);
    return error;
}

void frontend_watch_free(struct frontend_watch *watch)
{
    if (watch == NULL)
        return;
    frontend_call_fini(&watch->call);
    free(watch);
}

void frontend_watch_ask(struct frontend_watch *watch)
{
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__GetStatusRequest body = MPA__V1__GET_STATUS_REQUEST__INIT;

    if (watch->call.state != FRONTEND_CALL_IDLE ||
        (!process_is_alive(&watch->controld->supervisor.processes[0]) &&
         !watch->controld->supervisor.manager.is_onlooker))
        return;
    request.body_case = MPA__V1__REQUEST__BODY_GET_STATUS;
    request.get_status = &body;
    if (frontend_call_ask(&watch->call, &request, ANSWER_MS))
        watch->asked_ns = clock_now_ns();
}

void frontend_watch_tick(struct frontend_watch *watch, uint64_t now_ns)
{
    const struct supervisor *supervisor = &watch->controld->supervisor;

    /* What ends tells so itself. A question that its socket's close meets on the way is lost in nng. */
    if (supervisor->is_stopping && !supervisor->manager.is_onlooker)
        return;
    if (supervisor_state(supervisor) != SUPERVISOR_UP ||
        now_ns - watch->asked_ns >= ASK_EVERY_MS * CLOCK_NS_PER_MS)
        frontend_watch_ask(watch);
}

void frontend_watch_step(struct frontend_watch *watch)
{
    frontend_call_step(&watch->call);
}
