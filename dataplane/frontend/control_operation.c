/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_operation.c — what the loop is asked to do with workers, buckets and flows. Such a thing takes
 * longer than a reply may, so a request only begins it: an operation, which stands in a table under its id
 * until newer ones need the place. It is one or more orders to the loop (buckets go in portions) and knows
 * how they went. The table moves on with every tick and every look at it.
 *
 *   PENDING: orders in flight, or still to be given  ->  DONE: all went well  |  FAILED: the first that did
 * not
 *
 * What can be refused at once is; between the look at the board and the order things may change, so the loop
 * checks everything again.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/control_internal.h"

#define N_OPERATIONS 64u
#define MAX_IN_FLIGHT 4u /* orders of one operation that wait in the loop, so that others get their turn */

struct control_operation {
    uint64_t id; /* 0: the place is free */
    struct board_order order;
    uint8_t *is_wanted; /* owned: MOVE_BUCKETS: n_buckets flags, those not ordered yet */
    uint32_t next_bucket;
    uint64_t in_flight[MAX_IN_FLIGHT]; /* ids of orders, oldest first */
    uint32_t in_flight_buckets[MAX_IN_FLIGHT];
    uint32_t n_in_flight;
    bool is_ordered; /* nothing is left to be given to the loop */
    bool is_ended;
    uint64_t begun_ns;
    uint32_t n_done, n_total;
    struct board_order_result sum; /* result: the first that is not good, or DONE */
};

struct control_operations {
    struct control_operation places[N_OPERATIONS];
    uint64_t next_id;
};

struct control_operations *control_operations_new(uint64_t first_id)
{
    struct control_operations *operations = calloc(1, sizeof(*operations));

    if (operations != NULL)
        operations->next_id = first_id == 0 ? 1 : first_id;
    return operations;
}

void control_operations_free(struct control_operations *operations)
{
    if (operations == NULL)
        return;
    for (uint32_t i = 0; i < N_OPERATIONS; i++)
        free(operations->places[i].is_wanted);
    free(operations);
}

/* ---- on the way ---- */

static bool is_good(uint32_t result)
{
    return result == BOARD_RESULT_DONE || result == BOARD_RESULT_SAME;
}

static void operation_take_result(struct control_operation *operation,
                                  const struct board_order_result *result)
{
    struct board_order_result *sum = &operation->sum;

    sum->n_flows += result->n_flows;
    sum->n_buckets += result->n_buckets;
    sum->n_frames += result->n_frames;
    sum->duration_ns += result->duration_ns;
    if (is_good(result->result))
        operation->n_done += operation->in_flight_buckets[0];
    else if (is_good(sum->result))
        sum->result = result->result;
    if (is_good(result->result) && operation->is_wanted == NULL)
        operation->n_done = operation->n_total;
    operation->n_in_flight--;
    memmove(operation->in_flight, operation->in_flight + 1,
            operation->n_in_flight * sizeof(operation->in_flight[0]));
    memmove(operation->in_flight_buckets, operation->in_flight_buckets + 1,
            operation->n_in_flight * sizeof(operation->in_flight_buckets[0]));
}

/* The next portion of buckets into the order; the place behind it. */
static uint32_t portion_fill(struct control_operation *operation, uint32_t n_buckets)
{
    struct board_order *order = &operation->order;
    uint32_t bucket = operation->next_bucket;

    order->n_buckets = 0;
    for (; bucket < n_buckets && order->n_buckets < ATTACH_MAX_BUCKETS; bucket++) {
        if (operation->is_wanted[bucket])
            order->buckets[order->n_buckets++] = (uint16_t)bucket;
    }
    return bucket;
}

/* Gives the next order to the loop; false when it takes no more for now, or there is none. */
static bool operation_order(struct control_operation *operation, struct board *board)
{
    uint32_t next_bucket = 0;
    uint64_t id;

    if (operation->is_ordered || operation->n_in_flight == MAX_IN_FLIGHT)
        return false;
    if (operation->is_wanted != NULL) {
        next_bucket = portion_fill(operation, board->n_buckets);
        operation->is_ordered = operation->order.n_buckets == 0;
        if (operation->is_ordered)
            return false;
    }
    id = board_order_add(board, &operation->order);
    if (id == 0)
        return false;
    operation->in_flight[operation->n_in_flight] = id;
    operation->in_flight_buckets[operation->n_in_flight] = operation->order.n_buckets;
    operation->n_in_flight++;
    operation->next_bucket = next_bucket;
    operation->is_ordered = operation->is_wanted == NULL;
    return true;
}

static void operation_step(struct control_operation *operation, struct board *board)
{
    struct board_order_result result;

    if (operation->id == 0 || operation->is_ended)
        return;
    while (operation->n_in_flight > 0 && board_order_result(board, operation->in_flight[0], &result))
        operation_take_result(operation, &result);
    if (!is_good(operation->sum.result))
        operation->is_ordered = true;
    while (operation_order(operation, board)) {
    }
    operation->is_ended = operation->is_ordered && operation->n_in_flight == 0;
    if (operation->is_ended) {
        free(operation->is_wanted);
        operation->is_wanted = NULL;
    }
}

void control_operations_tick(struct control_core *core, uint64_t now_ns)
{
    (void)now_ns;
    for (uint32_t i = 0; i < N_OPERATIONS; i++)
        operation_step(&core->operations->places[i], core->board);
}

/* A place for a new one: free, or that of the oldest which has ended; NULL when all are under way. */
static struct control_operation *operation_place(struct control_operations *operations)
{
    struct control_operation *oldest = NULL;

    for (uint32_t i = 0; i < N_OPERATIONS; i++) {
        struct control_operation *place = &operations->places[i];

        if (place->id == 0)
            return place;
        if (place->is_ended && (oldest == NULL || place->id < oldest->id))
            oldest = place;
    }
    return oldest;
}

/* ---- what is told ---- */

/* Buckets that a lane still has, for the progress of a drain. */
static uint32_t lane_buckets(const struct board *board, uint32_t slot)
{
    return (uint32_t)atomic_load_explicit(&board->lanes[slot].gauges[GAUGE_buckets], memory_order_relaxed);
}

static uint32_t operation_n_done(const struct control_operation *operation, const struct board *board)
{
    uint32_t n_left;

    if (operation->order.kind != BOARD_ORDER_DRAIN || operation->is_ended)
        return operation->n_done;
    n_left = lane_buckets(board, operation->order.slot);
    return n_left < operation->n_total ? operation->n_total - n_left : 0;
}

static char *operation_text(struct control_arena *arena, const struct control_operation *operation)
{
    const struct board_order *order = &operation->order;
    char flow[FLOW_KEY_TEXT_BYTES];

    switch ((enum board_order_kind)order->kind) {
    case BOARD_ORDER_MOVE_BUCKETS:
        return control_text(arena, "migrate %u bucket%s to worker %u", operation->n_total,
                            operation->n_total == 1 ? "" : "s", order->to);
    case BOARD_ORDER_MOVE_FLOW:
        flow_key_format(&order->key, flow, sizeof(flow));
        return control_text(arena, "migrate flow %s to worker %u", flow, order->to);
    case BOARD_ORDER_DRAIN:
        if (order->to == BOARD_ANY_LANE)
            return control_text(arena, "drain worker %u to the others", order->slot);
        return control_text(arena, "drain worker %u to worker %u", order->slot, order->to);
    case BOARD_ORDER_UNDRAIN:
        return control_text(arena, "undrain worker %u", order->slot);
    case BOARD_ORDER_KILL:
        return control_text(arena, "kill worker %u", order->slot);
    }
    return control_borrow("");
}

/* A result in words: for scripts, and as an error. */
struct result_form {
    const char *name;
    Mpa__V1__ErrorCode code;
    const char *field;
};

static const struct result_form *result_form(uint32_t result)
{
    static const struct result_form forms[] = {
        [BOARD_RESULT_PENDING] = {"", MPA__V1__ERROR_CODE__ERROR_CODE_FAILED, ""},
        [BOARD_RESULT_DONE] = {"done", MPA__V1__ERROR_CODE__ERROR_CODE_NONE, ""},
        [BOARD_RESULT_NO_TARGET] = {"no_target", MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, "to"},
        [BOARD_RESULT_NOT_FOUND] = {"not_found", MPA__V1__ERROR_CODE__ERROR_CODE_NOT_FOUND, ""},
        [BOARD_RESULT_SAME] = {"done", MPA__V1__ERROR_CODE__ERROR_CODE_NONE, ""},
        [BOARD_RESULT_SOURCE_DIED] = {"source_died", MPA__V1__ERROR_CODE__ERROR_CODE_FAILED, ""},
        [BOARD_RESULT_TARGET_DIED] = {"target_died", MPA__V1__ERROR_CODE__ERROR_CODE_FAILED, "to"},
        [BOARD_RESULT_FULL] = {"full", MPA__V1__ERROR_CODE__ERROR_CODE_BUSY, ""},
        [BOARD_RESULT_LAST] = {"last", MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, "slot"},
        [BOARD_RESULT_LOST] = {"lost", MPA__V1__ERROR_CODE__ERROR_CODE_FAILED, ""},
    };

    return &forms[result < sizeof(forms) / sizeof(forms[0]) ? result : BOARD_RESULT_LOST];
}

const char *control_result_name(uint32_t result)
{
    return result == BOARD_RESULT_SAME ? "same" : result_form(result)->name;
}

static char *failure_text(struct control_arena *arena, const struct control_operation *operation)
{
    const struct board_order *order = &operation->order;
    char flow[FLOW_KEY_TEXT_BYTES];

    switch ((enum board_result)operation->sum.result) {
    case BOARD_RESULT_NO_TARGET:
        /* It served when it was asked for, and the kernel let nobody signal it. */
        if (order->kind == BOARD_ORDER_KILL)
            return control_text(
                arena,
                "the frontend may not signal worker %u: it runs as another user, or in another "
                "container",
                order->slot);
        if (order->to == BOARD_ANY_LANE || order->kind == BOARD_ORDER_UNDRAIN)
            return control_text(arena, "worker %u is not serving", order->slot);
        return control_text(arena, "worker %u is not serving, or is draining", order->to);
    case BOARD_RESULT_NOT_FOUND:
        if (order->kind != BOARD_ORDER_MOVE_FLOW)
            return control_text(arena, "worker %u is not serving", order->slot);
        flow_key_format(&order->key, flow, sizeof(flow));
        return control_text(arena, "no flow %s", flow);
    case BOARD_RESULT_SOURCE_DIED:
        return control_borrow("the worker died meanwhile; its connections are with the others");
    case BOARD_RESULT_TARGET_DIED:
        if (order->kind == BOARD_ORDER_DRAIN)
            return control_text(
                arena,
                "the new worker died meanwhile, and nobody else is there; worker %u serves as "
                "before",
                order->slot);
        return control_borrow("the new worker died meanwhile; the connections are where they were, or with "
                              "the others");
    case BOARD_RESULT_FULL:
        return control_borrow("no room: too many flows are pinned, or too many orders wait");
    case BOARD_RESULT_LAST:
        return control_text(arena, "worker %u is the last one: nobody could take its connections",
                            order->slot);
    case BOARD_RESULT_PENDING:
    case BOARD_RESULT_DONE:
    case BOARD_RESULT_SAME:
    case BOARD_RESULT_LOST:
        break;
    }
    return control_borrow("how it ended is not known any more");
}

static Mpa__V1__Error *failure(struct control_arena *arena, const struct control_operation *operation)
{
    Mpa__V1__Error *error = control_alloc(arena, 1, sizeof(*error));
    const struct result_form *form = result_form(operation->sum.result);

    if (error == NULL)
        return NULL;
    mpa__v1__error__init(error);
    error->code = form->code;
    error->field = control_borrow(operation->order.kind == BOARD_ORDER_KILL ? "slot" : form->field);
    error->text = failure_text(arena, operation);
    return error->text == NULL ? NULL : error;
}

/* Puts the operation into the reply, under the number of the command. */
static int operation_reply(struct control_call *call, const struct control_operation *operation)
{
    struct control_arena *arena = &call->core->arena;
    Mpa__V1__OperationReply *body = control_alloc(arena, 1, sizeof(*body));

    if (body == NULL)
        return -ENOMEM;
    mpa__v1__operation_reply__init(body);
    body->operation_id = operation->id;
    body->text = operation_text(arena, operation);
    body->n_done = operation_n_done(operation, call->core->board);
    body->n_total = operation->n_total;
    body->flows = operation->sum.n_flows;
    body->buckets = operation->sum.n_buckets;
    body->frames_held = operation->sum.n_frames;
    body->duration_ns = operation->is_ended ? operation->sum.duration_ns : call->now_ns - operation->begun_ns;
    body->state = MPA__V1__OPERATION_STATE__OPERATION_STATE_PENDING;
    if (operation->is_ended && is_good(operation->sum.result)) {
        body->state = MPA__V1__OPERATION_STATE__OPERATION_STATE_DONE;
    } else if (operation->is_ended) {
        body->state = MPA__V1__OPERATION_STATE__OPERATION_STATE_FAILED;
        body->error = failure(arena, operation);
    }
    if (operation->is_ended)
        body->result = control_borrow(result_form(operation->sum.result)->name);
    if (body->text == NULL || (body->error == NULL && operation->is_ended && !is_good(operation->sum.result)))
        return -ENOMEM;
    /* Command and reply have the same number, and all of these the same body. */
    call->reply->body_case = (Mpa__V1__Reply__BodyCase)call->request->body_case;
    call->reply->get_operation = body;
    return 0;
}

int control_get_operation(struct control_call *call)
{
    struct control_operations *operations = call->core->operations;
    uint64_t id = call->request->get_operation->operation_id;

    for (uint32_t i = 0; i < N_OPERATIONS && id != 0; i++) {
        if (operations->places[i].id != id)
            continue;
        operation_step(&operations->places[i], call->core->board);
        return operation_reply(call, &operations->places[i]);
    }
    control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_NOT_FOUND, "operation_id",
                   "no operation %llu is known (it ended long ago, or who had it was restarted: see status)",
                   (unsigned long long)id);
    return 0;
}

/* ---- beginnings ---- */

/* Takes `is_wanted`, which is NULL unless it moves buckets. */
static int operation_begin(struct control_call *call, const struct board_order *order, uint8_t *is_wanted,
                           uint32_t n_total)
{
    struct control_operations *operations = call->core->operations;
    struct control_operation *place = operation_place(operations);

    if (place == NULL) {
        free(is_wanted);
        control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_BUSY, "", "%u operations are under way",
                       N_OPERATIONS);
        return 0;
    }
    *place = (struct control_operation){.id = operations->next_id++,
                                        .order = *order,
                                        .is_wanted = is_wanted,
                                        .begun_ns = call->now_ns,
                                        .n_total = n_total,
                                        .sum = {.result = BOARD_RESULT_DONE}};
    operation_step(place, call->core->board);
    return operation_reply(call, place);
}

static bool slot_exists(struct control_call *call, const char *field, uint32_t slot)
{
    if (slot < CONFIG_MAX_WORKERS)
        return true;
    control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, field,
                   "worker %u does not exist (allowed: 0 to %u)", slot, CONFIG_MAX_WORKERS - 1);
    return false;
}

static bool is_serving(struct control_call *call, const char *field, uint32_t slot)
{
    if (!slot_exists(call, field, slot))
        return false;
    if (control_lane_state(&call->core->board->lanes[slot]) == MPA__V1__LANE_STATE__LANE_STATE_SERVING)
        return true;
    control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_NOT_FOUND, field, "worker %u is not serving", slot);
    return false;
}

static bool can_receive(struct control_call *call, uint32_t slot)
{
    const struct board_lane *lane;

    if (!is_serving(call, "to", slot))
        return false;
    lane = &call->core->board->lanes[slot];
    if (atomic_load_explicit(&lane->gauges[GAUGE_is_draining], memory_order_relaxed) == 0)
        return true;
    control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, "to", "worker %u is draining", slot);
    return false;
}

/* Marks the buckets of the ranges; their number, or 0 after a refusal. */
static uint32_t buckets_mark(struct control_call *call, const Mpa__V1__MigrateRequest *migrate,
                             uint8_t *is_wanted)
{
    uint32_t n_buckets = call->core->board->n_buckets;
    uint32_t n = 0;

    for (size_t i = 0; i < migrate->n_buckets; i++) {
        const Mpa__V1__BucketRange *range = migrate->buckets[i];

        if (range->first > range->last || range->last >= n_buckets) {
            control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, "buckets",
                           "no buckets %u to %u (allowed: 0 to %u)", range->first, range->last,
                           n_buckets - 1);
            return 0;
        }
        for (uint32_t bucket = range->first; bucket <= range->last; bucket++) {
            n += is_wanted[bucket] == 0;
            is_wanted[bucket] = 1;
        }
    }
    return n;
}

int control_migrate(struct control_call *call)
{
    const Mpa__V1__MigrateRequest *migrate = call->request->migrate;
    struct board_order order = {.kind = BOARD_ORDER_MOVE_BUCKETS, .to = migrate->to};
    uint8_t *is_wanted;
    uint32_t n;

    if ((migrate->flow == NULL) == (migrate->n_buckets == 0)) {
        control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, "buckets",
                       "either buckets or a flow are to be named");
        return 0;
    }
    if (!can_receive(call, migrate->to))
        return 0;
    if (migrate->flow != NULL) {
        order.kind = BOARD_ORDER_MOVE_FLOW;
        return control_flow_key(call, migrate->flow, &order.key) ? operation_begin(call, &order, NULL, 1) : 0;
    }
    is_wanted = calloc(call->core->board->n_buckets, 1);
    if (is_wanted == NULL)
        return -ENOMEM;
    n = buckets_mark(call, migrate, is_wanted);
    if (n > 0)
        return operation_begin(call, &order, is_wanted, n);
    free(is_wanted);
    return 0;
}

int control_drain(struct control_call *call)
{
    const Mpa__V1__DrainRequest *drain = call->request->drain;
    struct board_order order = {.kind = BOARD_ORDER_DRAIN, .slot = drain->slot, .to = BOARD_ANY_LANE};

    if (!is_serving(call, "slot", drain->slot))
        return 0;
    if (drain->has_to) {
        order.to = drain->to;
        if (drain->to == drain->slot) {
            control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, "to",
                           "worker %u cannot be drained to itself", drain->to);
            return 0;
        }
        if (!can_receive(call, drain->to))
            return 0;
    }
    return operation_begin(call, &order, NULL, lane_buckets(call->core->board, drain->slot));
}

int control_undrain(struct control_call *call)
{
    struct board_order order = {.kind = BOARD_ORDER_UNDRAIN, .slot = call->request->undrain->slot};

    return slot_exists(call, "slot", order.slot) ? operation_begin(call, &order, NULL, 1) : 0;
}

int control_kill(struct control_call *call)
{
    struct board_order order = {.kind = BOARD_ORDER_KILL, .slot = call->request->kill->slot};

    return is_serving(call, "slot", order.slot) ? operation_begin(call, &order, NULL, 1) : 0;
}
