/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * elephant.c — IDLE -> FIRST (asked) -> PAUSING -> SECOND (asked) -> IDLE with a call of `found`. A worker
 * with more records than one page looks at is not searched to its end: its bucket then moves as a whole.
 */
#include "controlplane/controld/elephant.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "controlplane/controld/wire.h"

#define ANSWER_MS 1000u
#define PAUSE_MS 300u
#define PART_PERMILLE 800u

enum elephant_state { ELEPHANT_IDLE, ELEPHANT_FIRST, ELEPHANT_PAUSING, ELEPHANT_SECOND };

struct elephant {
    struct frontend_call call;
    enum elephant_state state;
    uint32_t worker, bucket;
    uint64_t again_ns;      /* PAUSING: the second look */
    Mpa__V1__Reply *before; /* owned; of the first look, from PAUSING on */
    elephant_found_fn *found;
    void *context; /* of found */
};

/* ---- which one ---- */

static bool is_same(const Mpa__V1__FlowKey *a, const Mpa__V1__FlowKey *b)
{
    return a->remote_port == b->remote_port && a->local_port == b->local_port &&
           strcmp(a->remote_address, b->remote_address) == 0 &&
           strcmp(a->local_address, b->local_address) == 0;
}

static uint64_t bytes_of(const Mpa__V1__Flow *flow)
{
    return flow->rx_bytes + flow->tx_bytes;
}

/* What a flow had carried at the first look; 0 when it was not there. */
static uint64_t bytes_before(const Mpa__V1__GetFlowsReply *before, const Mpa__V1__Flow *flow)
{
    for (size_t i = 0; i < before->n_flows; i++) {
        if (before->flows[i]->key != NULL && is_same(before->flows[i]->key, flow->key))
            return bytes_of(before->flows[i]);
    }
    return 0;
}

const Mpa__V1__Flow *elephant_pick(const Mpa__V1__GetFlowsReply *before, const Mpa__V1__GetFlowsReply *after)
{
    const Mpa__V1__Flow *best = NULL;
    uint64_t most = 0, all = 0;

    for (size_t i = 0; i < after->n_flows; i++) {
        const Mpa__V1__Flow *flow = after->flows[i];
        uint64_t old = flow->key == NULL ? 0 : bytes_before(before, flow);
        uint64_t n = flow->key == NULL || bytes_of(flow) < old ? 0 : bytes_of(flow) - old;

        all += n;
        if (n > most) {
            most = n;
            best = flow;
        }
    }
    /* Alone in its bucket it goes with the bucket, which costs no pin. */
    return after->n_flows > 1 && most * 1000 >= all * PART_PERMILLE ? best : NULL;
}

/* ---- two looks ---- */

static void elephant_end(struct elephant *elephant, const Mpa__V1__Flow *flow)
{
    elephant->state = ELEPHANT_IDLE;
    elephant->found(elephant->context, flow == NULL ? NULL : flow->key);
    if (elephant->before != NULL)
        mpa__v1__reply__free_unpacked(elephant->before, NULL);
    elephant->before = NULL;
}

static void elephant_ask(struct elephant *elephant, enum elephant_state state)
{
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__GetFlowsRequest body = MPA__V1__GET_FLOWS_REQUEST__INIT;

    body.has_worker = true;
    body.worker = elephant->worker;
    body.has_bucket = true;
    body.bucket = elephant->bucket;
    request.body_case = MPA__V1__REQUEST__BODY_GET_FLOWS;
    request.get_flows = &body;
    if (frontend_call_ask(&elephant->call, &request, ANSWER_MS))
        elephant->state = state;
    else
        elephant_end(elephant, NULL);
}

/* The reply, if it lists flows; owned by the caller. */
static Mpa__V1__Reply *unpack(nng_msg *answer)
{
    Mpa__V1__Reply *reply = wire_unpack(answer);

    if (reply != NULL && reply->body_case != MPA__V1__REPLY__BODY_GET_FLOWS) {
        mpa__v1__reply__free_unpacked(reply, NULL);
        return NULL;
    }
    return reply;
}

/* frontend_call_done_fn. */
static void elephant_answered(void *context, int error, nng_msg *answer)
{
    struct elephant *elephant = context;
    Mpa__V1__Reply *reply = error == 0 ? unpack(answer) : NULL;

    if (reply == NULL) {
        elephant_end(elephant, NULL);
        return;
    }
    if (elephant->state == ELEPHANT_FIRST) {
        elephant->before = reply;
        elephant->again_ns = clock_now_ns() + PAUSE_MS * CLOCK_NS_PER_MS;
        elephant->state = ELEPHANT_PAUSING;
        return;
    }
    elephant_end(elephant, elephant_pick(elephant->before->get_flows, reply->get_flows));
    mpa__v1__reply__free_unpacked(reply, NULL);
}

void elephant_begin(struct elephant *elephant, uint32_t worker, uint32_t bucket)
{
    mpa_assert(elephant->state == ELEPHANT_IDLE);
    elephant->worker = worker;
    elephant->bucket = bucket;
    elephant_ask(elephant, ELEPHANT_FIRST);
}

void elephant_step(struct elephant *elephant)
{
    frontend_call_step(&elephant->call);
}

void elephant_tick(struct elephant *elephant, uint64_t now_ns)
{
    if (elephant->state == ELEPHANT_PAUSING && now_ns >= elephant->again_ns)
        elephant_ask(elephant, ELEPHANT_SECOND);
}

/* ---- start and end ---- */

int elephant_new(struct elephant **elephant, struct frontend_link *link, elephant_found_fn *found,
                 void *context)
{
    struct elephant *new = calloc(1, sizeof(*new));
    int error;

    *elephant = NULL;
    if (new == NULL)
        return NNG_ENOMEM;
    new->found = found;
    new->context = context;
    error = frontend_call_init(&new->call, link, elephant_answered, new);
    if (error == 0)
        *elephant = new;
    else
        elephant_free(new);
    return error;
}

void elephant_free(struct elephant *elephant)
{
    if (elephant == NULL)
        return;
    frontend_call_fini(&elephant->call);
    if (elephant->before != NULL)
        mpa__v1__reply__free_unpacked(elephant->before, NULL);
    free(elephant);
}
