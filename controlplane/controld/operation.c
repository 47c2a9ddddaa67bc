/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * operation.c — IDLE -> ASKING (begin or look, the call is under way) -> PAUSING (it was pending; the next
 * tick looks again) -> ... -> IDLE with a call of `done`.
 */
#include "controlplane/controld/operation.h"

#include <stdlib.h>

#include "base/clock.h"
#include "controlplane/controld/wire.h"

#define ANSWER_MS 3000u

enum operation_state { OPERATION_IDLE, OPERATION_ASKING, OPERATION_PAUSING };

struct operation {
    struct frontend_call call;
    enum operation_state state;
    uint64_t operation_id;
    uint64_t begun_ns;
    operation_done_fn *done;
    void *context; /* of done */
};

static void operation_end(struct operation *operation, bool is_good, const char *text)
{
    operation->state = OPERATION_IDLE;
    operation->done(operation->context, is_good, text);
}

static void operation_ask(struct operation *operation, Mpa__V1__Request *request)
{
    if (frontend_call_ask(&operation->call, request, ANSWER_MS))
        operation->state = OPERATION_ASKING;
    else
        operation_end(operation, false, "out of memory");
}

static void take_reply(struct operation *operation, const Mpa__V1__OperationReply *reply)
{
    switch (reply->state) {
    case MPA__V1__OPERATION_STATE__OPERATION_STATE_PENDING:
        operation->operation_id = reply->operation_id;
        operation->state = OPERATION_PAUSING;
        return;
    case MPA__V1__OPERATION_STATE__OPERATION_STATE_DONE:
        operation_end(operation, true, "");
        return;
    default:
        operation_end(operation, false, reply->error == NULL ? "it failed" : reply->error->text);
        return;
    }
}

/* The operation in a reply, whichever of the commands it answers; NULL: none. */
static const Mpa__V1__OperationReply *body_of(const Mpa__V1__Reply *reply)
{
    switch ((int)reply->body_case) {
    case MPA__V1__REPLY__BODY_MIGRATE:
    case MPA__V1__REPLY__BODY_DRAIN:
    case MPA__V1__REPLY__BODY_UNDRAIN:
    case MPA__V1__REPLY__BODY_GET_OPERATION:
        return reply->get_operation; /* one union, one type */
    default:
        return NULL;
    }
}

/* frontend_call_done_fn. */
static void operation_answered(void *context, int error, nng_msg *answer)
{
    struct operation *operation = context;
    const Mpa__V1__OperationReply *body;
    Mpa__V1__Reply *reply;

    if (error != 0) {
        operation_end(operation, false,
                      error == NNG_ETIMEDOUT ? "mpa-frontend did not answer in time" : nng_strerror(error));
        return;
    }
    reply = wire_unpack(answer);
    if (reply == NULL) {
        operation_end(operation, false, "the answer cannot be decoded");
        return;
    }
    body = body_of(reply);
    if (body != NULL)
        take_reply(operation, body);
    else
        operation_end(operation, false,
                      reply->error == NULL ? "the answer does not fit" : reply->error->text);
    mpa__v1__reply__free_unpacked(reply, NULL);
}

int operation_new(struct operation **operation, struct frontend_link *link, operation_done_fn *done,
                  void *context)
{
    struct operation *new = calloc(1, sizeof(*new));
    int error;

    *operation = NULL;
    if (new == NULL)
        return NNG_ENOMEM;
    new->done = done;
    new->context = context;
    error = frontend_call_init(&new->call, link, operation_answered, new);
    if (error == 0)
        *operation = new;
    else
        operation_free(new);
    return error;
}

void operation_free(struct operation *operation)
{
    if (operation == NULL)
        return;
    frontend_call_fini(&operation->call);
    free(operation);
}

void operation_begin(struct operation *operation, enum operation_kind kind, uint32_t slot, uint64_t now_ns)
{
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__DrainRequest drain = MPA__V1__DRAIN_REQUEST__INIT;
    Mpa__V1__UndrainRequest undrain = MPA__V1__UNDRAIN_REQUEST__INIT;

    mpa_assert(operation->state == OPERATION_IDLE);
    operation->begun_ns = now_ns;
    drain.slot = slot;
    undrain.slot = slot;
    if (kind == OPERATION_DRAIN) {
        request.body_case = MPA__V1__REQUEST__BODY_DRAIN;
        request.drain = &drain;
    } else {
        request.body_case = MPA__V1__REQUEST__BODY_UNDRAIN;
        request.undrain = &undrain;
    }
    operation_ask(operation, &request);
}

/* One range for each run of buckets; `ranges` has room for n. The number of ranges. */
static size_t ranges_fill(const uint32_t *buckets, size_t n, Mpa__V1__BucketRange *ranges)
{
    size_t n_ranges = 0;

    for (size_t i = 0; i < n; i++) {
        if (n_ranges > 0 && ranges[n_ranges - 1].last + 1 == buckets[i]) {
            ranges[n_ranges - 1].last = buckets[i];
            continue;
        }
        mpa__v1__bucket_range__init(&ranges[n_ranges]);
        ranges[n_ranges].first = ranges[n_ranges].last = buckets[i];
        n_ranges++;
    }
    return n_ranges;
}

void operation_begin_migrate(struct operation *operation, const uint32_t *buckets, size_t n, uint32_t to)
{
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__MigrateRequest migrate = MPA__V1__MIGRATE_REQUEST__INIT;
    Mpa__V1__BucketRange ranges[OPERATION_MAX_BUCKETS];
    Mpa__V1__BucketRange *list[OPERATION_MAX_BUCKETS];

    mpa_assert(operation->state == OPERATION_IDLE && n > 0 && n <= OPERATION_MAX_BUCKETS);
    operation->begun_ns = clock_now_ns();
    migrate.n_buckets = ranges_fill(buckets, n, ranges);
    for (size_t i = 0; i < migrate.n_buckets; i++)
        list[i] = &ranges[i];
    migrate.buckets = list;
    migrate.to = to;
    request.body_case = MPA__V1__REQUEST__BODY_MIGRATE;
    request.migrate = &migrate;
    operation_ask(operation, &request);
}

void operation_begin_migrate_flow(struct operation *operation, const Mpa__V1__FlowKey *flow, uint32_t to)
{
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__MigrateRequest migrate = MPA__V1__MIGRATE_REQUEST__INIT;
    Mpa__V1__FlowKey key = *flow;

    mpa_assert(operation->state == OPERATION_IDLE);
    operation->begun_ns = clock_now_ns();
    migrate.flow = &key;
    migrate.to = to;
    request.body_case = MPA__V1__REQUEST__BODY_MIGRATE;
    request.migrate = &migrate;
    operation_ask(operation, &request);
}

void operation_step(struct operation *operation)
{
    frontend_call_step(&operation->call);
}

void operation_tick(struct operation *operation, uint64_t now_ns)
{
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__GetOperationRequest look = MPA__V1__GET_OPERATION_REQUEST__INIT;

    if (operation->state != OPERATION_PAUSING)
        return;
    if (now_ns - operation->begun_ns >= (OPERATION_MAX_MS - ANSWER_MS) * CLOCK_NS_PER_MS) {
        operation_end(operation, false, "it has not ended in time");
        return;
    }
    look.operation_id = operation->operation_id;
    request.body_case = MPA__V1__REQUEST__BODY_GET_OPERATION;
    request.get_operation = &look;
    operation_ask(operation, &request);
}
