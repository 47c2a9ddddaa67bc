/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * order.c — IDLE -> ASKING (begin or look, the call is under way) -> PAUSING (it was pending; the next tick
 * looks again) -> ... -> IDLE with a call of `done`.
 */
#include "controlplane/controld/order.h"

#include <stdlib.h>

#include "base/clock.h"
#include "controlplane/controld/wire.h"

#define ANSWER_MS 3000u

enum order_state { ORDER_IDLE, ORDER_ASKING, ORDER_PAUSING };

struct order {
    struct frontend_call call;
    enum order_state state;
    uint64_t operation_id;
    uint64_t begun_ns;
    order_done_fn *done;
    void *context; /* of done */
};

static void order_end(struct order *order, bool is_good, const char *text)
{
    order->state = ORDER_IDLE;
    order->done(order->context, is_good, text);
}

static void order_ask(struct order *order, Mpa__V1__Request *request)
{
    nng_msg *packed;

    request->deadline_ms = ANSWER_MS;
    packed = wire_pack(&request->base);
    if (packed == NULL) {
        order_end(order, false, "out of memory");
        return;
    }
    order->state = ORDER_ASKING;
    frontend_call_start(&order->call, packed, ANSWER_MS);
}

static void take_operation(struct order *order, const Mpa__V1__OperationReply *operation)
{
    switch (operation->state) {
    case MPA__V1__OPERATION_STATE__OPERATION_STATE_PENDING:
        order->operation_id = operation->operation_id;
        order->state = ORDER_PAUSING;
        return;
    case MPA__V1__OPERATION_STATE__OPERATION_STATE_DONE:
        order_end(order, true, "");
        return;
    default:
        order_end(order, false, operation->error == NULL ? "it failed" : operation->error->text);
        return;
    }
}

/* The operation in a reply, whichever of the commands it answers; NULL: none. */
static const Mpa__V1__OperationReply *operation_of(const Mpa__V1__Reply *reply)
{
    switch ((int)reply->body_case) {
    case MPA__V1__REPLY__BODY_DRAIN:
    case MPA__V1__REPLY__BODY_UNDRAIN:
    case MPA__V1__REPLY__BODY_GET_OPERATION:
        return reply->get_operation; /* one union, one type */
    default:
        return NULL;
    }
}

/* frontend_call_done_fn. */
static void order_answered(void *context, int error, nng_msg *answer)
{
    struct order *order = context;
    const Mpa__V1__OperationReply *operation;
    Mpa__V1__Reply *reply;

    if (error != 0) {
        order_end(order, false,
                  error == NNG_ETIMEDOUT ? "mpa-frontend did not answer in time" : nng_strerror(error));
        return;
    }
    reply = mpa__v1__reply__unpack(NULL, nng_msg_len(answer), nng_msg_body(answer));
    nng_msg_free(answer);
    if (reply == NULL) {
        order_end(order, false, "the answer cannot be decoded");
        return;
    }
    operation = operation_of(reply);
    if (operation != NULL)
        take_operation(order, operation);
    else
        order_end(order, false, reply->error == NULL ? "the answer does not fit" : reply->error->text);
    mpa__v1__reply__free_unpacked(reply, NULL);
}

int order_new(struct order **order, struct frontend_link *link, order_done_fn *done, void *context)
{
    struct order *new = calloc(1, sizeof(*new));
    int error;

    *order = NULL;
    if (new == NULL)
        return NNG_ENOMEM;
    new->done = done;
    new->context = context;
    error = frontend_call_init(&new->call, link, order_answered, new);
    if (error == 0)
        *order = new;
    else
        order_free(new);
    return error;
}

void order_free(struct order *order)
{
    if (order == NULL)
        return;
    frontend_call_fini(&order->call);
    free(order);
}

void order_begin(struct order *order, enum order_kind kind, uint32_t slot, uint64_t now_ns)
{
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__DrainRequest drain = MPA__V1__DRAIN_REQUEST__INIT;
    Mpa__V1__UndrainRequest undrain = MPA__V1__UNDRAIN_REQUEST__INIT;

    mpa_assert(order->state == ORDER_IDLE);
    order->begun_ns = now_ns;
    drain.slot = slot;
    undrain.slot = slot;
    if (kind == ORDER_DRAIN) {
        request.body_case = MPA__V1__REQUEST__BODY_DRAIN;
        request.drain = &drain;
    } else {
        request.body_case = MPA__V1__REQUEST__BODY_UNDRAIN;
        request.undrain = &undrain;
    }
    order_ask(order, &request);
}

void order_step(struct order *order)
{
    frontend_call_step(&order->call);
}

void order_tick(struct order *order, uint64_t now_ns)
{
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__GetOperationRequest look = MPA__V1__GET_OPERATION_REQUEST__INIT;

    if (order->state != ORDER_PAUSING)
        return;
    if (now_ns - order->begun_ns >= (ORDER_MAX_MS - ANSWER_MS) * CLOCK_NS_PER_MS) {
        order_end(order, false, "it has not ended in time");
        return;
    }
    look.operation_id = order->operation_id;
    request.body_case = MPA__V1__REQUEST__BODY_GET_OPERATION;
    request.get_operation = &look;
    order_ask(order, &request);
}
