/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frontend_link.c — a call is sent, then awaited, both within one deadline. nng finishes each step in a
 * thread of its own, which only marks the call and wakes the loop.
 */
#include "controlplane/controld/frontend_link.h"

#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "controlplane/controld/wire.h"

#define RECONNECT_MIN_MS 20
#define RECONNECT_MAX_MS 100

int frontend_link_init(struct frontend_link *link, const char *runtime_dir, int wake_fd, bool *is_connected)
{
    char url[CONFIG_PATH_BYTES + 16];
    int error;

    *link = (struct frontend_link){.wake_fd = wake_fd};
    snprintf(url, sizeof(url), "ipc://%s/frontend.ipc", runtime_dir);
    if ((error = nng_req0_open(&link->socket)) != 0 ||
        (error = nng_socket_set_size(link->socket, NNG_OPT_RECVMAXSZ, WIRE_MAX_MESSAGE_BYTES)) != 0 ||
        (error = nng_socket_set_ms(link->socket, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS)) != 0 ||
        (error = nng_socket_set_ms(link->socket, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS)) != 0 ||
        /* A command is sent once: said twice, CaptureStart would refuse itself. */
        (error = nng_socket_set_ms(link->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE)) != 0)
        return error;
    *is_connected = nng_dial(link->socket, url, NULL, 0) == 0;
    return *is_connected ? 0 : nng_dial(link->socket, url, NULL, NNG_FLAG_NONBLOCK);
}

void frontend_link_fini(struct frontend_link *link)
{
    if (nng_socket_id(link->socket) > 0)
        nng_close(link->socket);
}

/* Runs in a thread of nng. */
static void call_done(void *argument)
{
    struct frontend_call *call = argument;
    const uint64_t one = 1;

    atomic_store_explicit(&call->is_done, true, memory_order_release);
    (void)!write(call->link->wake_fd, &one, sizeof(one));
}

int frontend_call_init(struct frontend_call *call, struct frontend_link *link, frontend_call_done_fn *done,
                       void *context)
{
    int error;

    *call = (struct frontend_call){.link = link, .done = done, .context = context};
    error = nng_ctx_open(&call->ctx, link->socket);
    return error != 0 ? error : nng_aio_alloc(&call->aio, call_done, call);
}

void frontend_call_fini(struct frontend_call *call)
{
    bool is_ours;

    if (call->aio == NULL)
        return;
    nng_aio_stop(call->aio);
    /* A request that was not sent and a reply that was not looked at are still ours. */
    is_ours = (call->state == FRONTEND_CALL_SENDING) == (nng_aio_result(call->aio) != 0);
    if (call->state != FRONTEND_CALL_IDLE && is_ours)
        nng_msg_free(nng_aio_get_msg(call->aio));
    nng_aio_free(call->aio);
    call->aio = NULL;
}

void frontend_call_start(struct frontend_call *call, nng_msg *request, uint32_t timeout_ms)
{
    mpa_assert(call->state == FRONTEND_CALL_IDLE);
    call->state = FRONTEND_CALL_SENDING;
    call->deadline_ns = clock_now_ns() + timeout_ms * CLOCK_NS_PER_MS;
    nng_aio_set_msg(call->aio, request);
    nng_aio_set_timeout(call->aio, (nng_duration)timeout_ms);
    nng_ctx_send(call->ctx, call->aio);
}

bool frontend_call_ask(struct frontend_call *call, Mpa__V1__Request *request, uint32_t timeout_ms)
{
    nng_msg *packed;

    request->deadline_ms = timeout_ms;
    packed = wire_pack(&request->base);
    if (packed == NULL)
        return false;
    call->question = request->body_case;
    frontend_call_start(call, packed, timeout_ms);
    return true;
}

bool frontend_call_look(struct frontend_call *call, Mpa__V1__Request__BodyCase question, uint32_t timeout_ms)
{
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__GetWorkersRequest workers = MPA__V1__GET_WORKERS_REQUEST__INIT;
    Mpa__V1__GetLanesRequest lanes = MPA__V1__GET_LANES_REQUEST__INIT;
    Mpa__V1__GetNicRequest nic = MPA__V1__GET_NIC_REQUEST__INIT;
    Mpa__V1__GetBucketsRequest buckets = MPA__V1__GET_BUCKETS_REQUEST__INIT;

    request.body_case = question;
    switch ((int)question) {
    case MPA__V1__REQUEST__BODY_GET_WORKERS:
        request.get_workers = &workers;
        break;
    case MPA__V1__REQUEST__BODY_GET_LANES:
        request.get_lanes = &lanes;
        break;
    case MPA__V1__REQUEST__BODY_GET_NIC:
        request.get_nic = &nic;
        break;
    case MPA__V1__REQUEST__BODY_GET_BUCKETS:
        request.get_buckets = &buckets;
        break;
    default:
        mpa_assert(false);
    }
    return frontend_call_ask(call, &request, timeout_ms);
}

bool frontend_call_is_refused(const struct frontend_call *call, const Mpa__V1__Reply *reply)
{
    /* A question and its answer have the same number. */
    return (int)reply->body_case != (int)call->question;
}

static void call_receive(struct frontend_call *call)
{
    uint64_t now_ns = clock_now_ns();
    uint64_t left_ns = call->deadline_ns > now_ns ? call->deadline_ns - now_ns : 0;

    call->state = FRONTEND_CALL_RECEIVING;
    /* Rounded up: 0 would mean "at once" to nng. */
    nng_aio_set_timeout(call->aio, (nng_duration)(left_ns / CLOCK_NS_PER_MS + 1));
    nng_ctx_recv(call->ctx, call->aio);
}

void frontend_call_step(struct frontend_call *call)
{
    enum frontend_call_state state = call->state;
    int error;

    if (!atomic_exchange_explicit(&call->is_done, false, memory_order_acquire))
        return;
    error = nng_aio_result(call->aio);
    if (state == FRONTEND_CALL_SENDING && error == 0) {
        call_receive(call);
        return;
    }
    if (state == FRONTEND_CALL_SENDING)
        nng_msg_free(nng_aio_get_msg(call->aio));
    call->state = FRONTEND_CALL_IDLE;
    call->done(call->context, error, error == 0 ? nng_aio_get_msg(call->aio) : NULL);
}
