/* SPDX-License-Identifier: BSD-3-Clause */
/* orders.c — orders and shares, as sequences of hand-overs. */
#include "frontend/orders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "frontend/frontend.h"

#define ORDERS_WAIT_NS (15 * CLOCK_NS_PER_S) /* for adoption that goes first */
#define ORDERS_FILL_NS CLOCK_NS_PER_S        /* between two looks at what rests */

int orders_init(struct orders *orders, uint32_t n_buckets)
{
    orders->marks = calloc(n_buckets, sizeof(*orders->marks));
    return orders->marks == NULL ? -ENOMEM : 0;
}

void orders_fini(struct orders *orders)
{
    free(orders->marks);
    orders->marks = NULL;
}

static bool orders_serves(const struct frontend *frontend, uint32_t slot)
{
    return slot < FRONTEND_MAX_LANES && (frontend->lane_mask >> slot & 1) != 0;
}

static bool orders_takes_more(const struct frontend *frontend, uint32_t slot)
{
    return orders_serves(frontend, slot) && !(frontend->draining_mask >> slot & 1);
}

static void orders_count(const struct frontend *frontend, uint32_t n_buckets[FRONTEND_MAX_LANES])
{
    memset(n_buckets, 0, FRONTEND_MAX_LANES * sizeof(n_buckets[0]));
    for (uint32_t i = 0; i < frontend->buckets.n_buckets; i++) {
        if (frontend->buckets.worker[i] < FRONTEND_MAX_LANES)
            n_buckets[frontend->buckets.worker[i]]++;
    }
}

/* Of `mask` (not 0), the lane with the fewest or the most buckets. */
static uint8_t orders_pick(const uint32_t n_buckets[FRONTEND_MAX_LANES], uint32_t mask, bool wants_most)
{
    uint8_t best = (uint8_t)__builtin_ctz(mask);

    for (uint8_t i = best; i < FRONTEND_MAX_LANES; i++) {
        if ((mask >> i & 1) != 0 &&
            (wants_most ? n_buckets[i] > n_buckets[best] : n_buckets[i] < n_buckets[best]))
            best = i;
    }
    return best;
}

/* The board is told at once: whoever hears that the order has ended may send the next one. */
static void orders_set_draining(struct frontend *frontend, uint32_t slot, bool is_draining)
{
    uint32_t bit = 1u << slot;

    frontend->draining_mask = is_draining ? frontend->draining_mask | bit : frontend->draining_mask & ~bit;
    atomic_store_explicit(&frontend->board.lanes[slot].gauges[GAUGE_is_draining], is_draining,
                          memory_order_relaxed);
}

/* The buckets of an order that has been carried out rest where they are. */
static void orders_mark(struct frontend *frontend)
{
    const struct board_order *order = &frontend->orders.order;

    for (uint32_t i = 0; i < order->n_buckets; i++)
        frontend->orders.marks[order->buckets[i]] =
            (struct orders_mark){.moved_ns = frontend->now_ns, .to = (uint8_t)order->to};
}

static bool orders_rests(const struct frontend *frontend, uint32_t bucket)
{
    const struct orders_mark *mark = &frontend->orders.marks[bucket];

    return mark->moved_ns != 0 && mark->to == frontend->buckets.worker[bucket] &&
           frontend->now_ns - mark->moved_ns < ORDERS_REST_NS;
}

static void orders_end(struct frontend *frontend, enum board_result result)
{
    struct orders *orders = &frontend->orders;
    bool is_done = result == BOARD_RESULT_DONE || result == BOARD_RESULT_SAME;

    orders->has_order = false;
    if (is_done && orders->order.kind == BOARD_ORDER_MOVE_BUCKETS)
        orders_mark(frontend);
    /* Not half drained for ever: whoever wants that says so again. */
    if (!is_done && orders->is_draining && orders_serves(frontend, orders->order.slot)) {
        orders_set_draining(frontend, orders->order.slot, false);
        orders_fill(frontend, (uint8_t)orders->order.slot);
    }
    orders->result.id = orders->order.id;
    orders->result.result = (uint32_t)result;
    orders->result.duration_ns = clock_now_ns() - orders->begun_ns;
    board_order_done(&frontend->board, &orders->result);
}

static void orders_hand_over(struct frontend *frontend, const struct handover_request *request)
{
    if (handover_begin(frontend, request) < 0)
        orders_end(frontend, BOARD_RESULT_FULL);
    else
        frontend->orders.is_handing_over = true;
}

/* The buckets of the order that one worker has; false: all are where they shall be. */
static bool orders_gather(const struct frontend *frontend, const struct board_order *order,
                          struct handover_request *request, uint16_t *buckets)
{
    request->from = BUCKET_NO_WORKER;
    request->n_buckets = 0;
    for (uint32_t i = 0; i < order->n_buckets; i++) {
        uint8_t has = frontend->buckets.worker[order->buckets[i]];

        if (has >= FRONTEND_MAX_LANES || has == order->to)
            continue;
        if (request->from == BUCKET_NO_WORKER)
            request->from = has;
        if (request->from == has)
            buckets[request->n_buckets++] = order->buckets[i];
    }
    request->buckets = buckets;
    return request->n_buckets > 0;
}

/* The same bucket twice would be held twice. */
static bool orders_are_plausible(const struct frontend *frontend, const struct board_order *order)
{
    uint8_t is_named[1u << 13] = {0}; /* a bit for each bucket there may be */

    if (order->n_buckets == 0 || order->n_buckets > ATTACH_MAX_BUCKETS)
        return false;
    for (uint32_t i = 0; i < order->n_buckets; i++) {
        uint16_t bucket = order->buckets[i];

        if (bucket >= frontend->buckets.n_buckets || (is_named[bucket / 8] >> bucket % 8 & 1) != 0)
            return false;
        is_named[bucket / 8] |= (uint8_t)(1u << bucket % 8);
    }
    return true;
}

static void orders_move_buckets(struct frontend *frontend)
{
    struct orders *orders = &frontend->orders;
    struct handover_request request = {.to = (uint8_t)orders->order.to, .what = ATTACH_EXPORT_BUCKETS};
    uint16_t buckets[ATTACH_MAX_BUCKETS];

    if (orders_gather(frontend, &orders->order, &request, buckets))
        orders_hand_over(frontend, &request);
    else
        orders_end(frontend, orders->result.n_buckets > 0 ? BOARD_RESULT_DONE : BOARD_RESULT_SAME);
}

static void orders_move_flow(struct frontend *frontend)
{
    const struct board_order *order = &frontend->orders.order;
    uint32_t hash = flow_key_hash(&order->key, &frontend->seed);
    struct handover_request request = {
        .to = (uint8_t)order->to, .what = ATTACH_EXPORT_FLOW, .key = order->key};

    request.from = pin_table_find(&frontend->pins, hash, &order->key);
    if (request.from == BUCKET_NO_WORKER)
        request.from = frontend->buckets.worker[bucket_of(&frontend->buckets, hash)];
    /* From a worker to itself too: that is how it is found out whether it has the flow. */
    if (orders_serves(frontend, request.from))
        orders_hand_over(frontend, &request);
    else
        orders_end(frontend, BOARD_RESULT_NOT_FOUND);
}

/* Up to n buckets of `from`, and a hand-over's worth; those that rest too, or not. */
static uint32_t orders_take_some(const struct frontend *frontend, uint8_t from, uint32_t n,
                                 bool takes_resting, uint16_t *buckets)
{
    uint32_t n_taken = 0;

    n = n < ATTACH_MAX_BUCKETS ? n : ATTACH_MAX_BUCKETS;
    for (uint32_t i = 0; i < frontend->buckets.n_buckets && n_taken < n; i++) {
        if (frontend->buckets.worker[i] == from && (takes_resting || !orders_rests(frontend, i)))
            buckets[n_taken++] = (uint16_t)i;
    }
    return n_taken;
}

static void orders_drain(struct frontend *frontend)
{
    struct orders *orders = &frontend->orders;
    uint8_t from = (uint8_t)orders->order.slot;
    uint32_t others = frontend->lane_mask & ~frontend->draining_mask & ~(1u << from);
    struct handover_request request = {.from = from, .what = ATTACH_EXPORT_BUCKETS};
    uint32_t n_buckets[FRONTEND_MAX_LANES], n_share;
    uint16_t buckets[ATTACH_MAX_BUCKETS];

    if (orders->order.to != BOARD_ANY_LANE)
        others &= 1u << orders->order.to;
    if (!orders_serves(frontend, from) || others == 0) {
        orders_end(frontend,
                   orders_serves(frontend, from) ? BOARD_RESULT_TARGET_DIED : BOARD_RESULT_SOURCE_DIED);
        return;
    }
    orders_count(frontend, n_buckets);
    request.to = orders_pick(n_buckets, others, false);
    /* In portions that leave the others even, whatever they had before. */
    n_share = n_buckets[from] / (uint32_t)__builtin_popcount(others) + 1;
    request.n_buckets = orders_take_some(frontend, from, n_share, true, buckets);
    request.buckets = buckets;
    if (request.n_buckets == 0 && orders->has_moved_rest) {
        orders_end(frontend, BOARD_RESULT_DONE);
        return;
    }
    if (request.n_buckets == 0) {
        request.what = ATTACH_EXPORT_ALL;
        orders->has_moved_rest = true;
    }
    orders_hand_over(frontend, &request);
}

/* Why the order cannot be carried out at all; PENDING: it can. */
static enum board_result orders_refuse(const struct frontend *frontend, const struct board_order *order)
{
    switch ((enum board_order_kind)order->kind) {
    case BOARD_ORDER_MOVE_BUCKETS:
        if (!orders_are_plausible(frontend, order))
            return BOARD_RESULT_NOT_FOUND;
        return orders_takes_more(frontend, order->to) ? BOARD_RESULT_PENDING : BOARD_RESULT_NO_TARGET;
    case BOARD_ORDER_MOVE_FLOW:
        return orders_takes_more(frontend, order->to) ? BOARD_RESULT_PENDING : BOARD_RESULT_NO_TARGET;
    case BOARD_ORDER_DRAIN:
        if (!orders_serves(frontend, order->slot))
            return BOARD_RESULT_NOT_FOUND;
        if ((frontend->lane_mask & ~frontend->draining_mask & ~(1u << order->slot)) == 0)
            return BOARD_RESULT_LAST;
        if (order->to == BOARD_ANY_LANE)
            return BOARD_RESULT_PENDING;
        return order->to != order->slot && orders_takes_more(frontend, order->to) ? BOARD_RESULT_PENDING
                                                                                  : BOARD_RESULT_NO_TARGET;
    case BOARD_ORDER_UNDRAIN:
    case BOARD_ORDER_KILL:
        return orders_serves(frontend, order->slot) ? BOARD_RESULT_PENDING : BOARD_RESULT_NOT_FOUND;
    }
    return BOARD_RESULT_NOT_FOUND;
}

static void orders_step(struct frontend *frontend)
{
    const struct board_order *order = &frontend->orders.order;
    /* It may have died, or begun to drain, since the order was taken or since its last portion. */
    bool has_target = orders_takes_more(frontend, order->to);

    switch ((enum board_order_kind)order->kind) {
    case BOARD_ORDER_MOVE_BUCKETS:
        if (has_target)
            orders_move_buckets(frontend);
        else
            orders_end(frontend, BOARD_RESULT_TARGET_DIED);
        return;
    case BOARD_ORDER_MOVE_FLOW:
        if (has_target)
            orders_move_flow(frontend);
        else
            orders_end(frontend, BOARD_RESULT_TARGET_DIED);
        return;
    case BOARD_ORDER_DRAIN:
        orders_drain(frontend);
        return;
    case BOARD_ORDER_UNDRAIN:
    case BOARD_ORDER_KILL:
        return; /* carried out when they came */
    }
}

/* What needs no hand-over is done at once. */
static void orders_start(struct frontend *frontend)
{
    struct orders *orders = &frontend->orders;
    const struct board_order *order = &orders->order;
    enum board_result refusal = orders_refuse(frontend, order);

    orders->has_order = true;
    orders->has_moved_rest = orders->is_draining = false;
    orders->begun_ns = clock_now_ns();
    orders->result = (struct board_order_result){0};
    if (refusal != BOARD_RESULT_PENDING) {
        orders_end(frontend, refusal);
        return;
    }
    if (order->kind == BOARD_ORDER_DRAIN) {
        orders->is_draining = orders_takes_more(frontend, order->slot);
        orders_set_draining(frontend, order->slot, true);
    }
    if (order->kind == BOARD_ORDER_UNDRAIN) {
        orders_set_draining(frontend, order->slot, false);
        orders_fill(frontend, (uint8_t)order->slot);
        orders_end(frontend, BOARD_RESULT_DONE);
    }
    if (order->kind == BOARD_ORDER_KILL) {
        bool did_kill = broker_kill(&frontend->lanes[order->slot]);

        orders_end(frontend, did_kill ? BOARD_RESULT_DONE : BOARD_RESULT_NO_TARGET);
    }
}

void orders_fill(struct frontend *frontend, uint8_t worker)
{
    frontend->orders.fill_mask |= 1u << worker;
    frontend->orders.fill_ns = 0;
}

/* Buckets for the one that is to get some, of whoever has most above the share. 0: nobody has any to give. */
static uint32_t orders_fill_gather(const struct frontend *frontend, uint32_t share, uint32_t *n_buckets,
                                   struct handover_request *request, uint16_t *buckets)
{
    uint32_t givers = frontend->lane_mask & ~frontend->draining_mask & ~(1u << request->to);
    uint32_t missing = share - n_buckets[request->to];

    request->buckets = buckets;
    for (; givers != 0; givers &= ~(1u << request->from)) {
        uint32_t surplus;

        request->from = orders_pick(n_buckets, givers, true);
        if (n_buckets[request->from] <= share)
            return 0;
        surplus = n_buckets[request->from] - share;
        request->n_buckets =
            orders_take_some(frontend, request->from, missing < surplus ? missing : surplus, false, buckets);
        if (request->n_buckets > 0)
            return request->n_buckets;
        /* All of its buckets rest: they can be given later. */
        request->n_buckets = UINT32_MAX;
    }
    return 0;
}

/* One hand-over towards an even share for those that are to get one. */
static void orders_fill_step(struct frontend *frontend)
{
    struct orders *orders = &frontend->orders;
    uint32_t sharing = frontend->lane_mask & ~frontend->draining_mask;
    uint32_t n_buckets[FRONTEND_MAX_LANES], share;
    uint16_t buckets[ATTACH_MAX_BUCKETS];
    struct handover_request request = {.what = ATTACH_EXPORT_BUCKETS};

    orders->fill_mask &= sharing;
    if (orders->fill_mask == 0)
        return;
    orders_count(frontend, n_buckets);
    request.to = orders_pick(n_buckets, orders->fill_mask, false);
    share = frontend->buckets.n_buckets / (uint32_t)__builtin_popcount(sharing);
    if (n_buckets[request.to] >= share) {
        orders->fill_mask &= ~(1u << request.to);
        return;
    }
    if (orders_fill_gather(frontend, share, n_buckets, &request, buckets) > 0)
        orders->is_filling = handover_begin(frontend, &request) == 0;
    else if (request.n_buckets == 0)
        orders->fill_mask &= ~(1u << request.to);
    else
        orders->fill_ns = frontend->now_ns + ORDERS_FILL_NS;
}

/* The engine is idle again: how did it end? */
static void orders_collect(struct frontend *frontend)
{
    struct orders *orders = &frontend->orders;
    const struct board_order_result *ended = &frontend->handover.ended;
    bool was_idle = frontend->handover.from == frontend->handover.order.to;

    orders->is_filling = false;
    if (!orders->is_handing_over)
        return;
    orders->is_handing_over = false;
    orders->result.n_flows += ended->n_flows;
    orders->result.n_buckets += ended->n_buckets;
    orders->result.n_frames += ended->n_frames;
    if (ended->result == BOARD_RESULT_DONE && was_idle)
        orders_end(frontend, BOARD_RESULT_SAME);
    else if (orders->order.kind == BOARD_ORDER_DRAIN && orders->order.to == BOARD_ANY_LANE &&
             ended->result == BOARD_RESULT_TARGET_DIED)
        orders->has_moved_rest = false; /* there may be others */
    else if (ended->result != BOARD_RESULT_DONE || orders->order.kind == BOARD_ORDER_MOVE_FLOW)
        orders_end(frontend, (enum board_result)ended->result);
}

/* Adoption goes first; an order that it keeps waiting for too long is given up. */
static void orders_wait(struct frontend *frontend)
{
    struct orders *orders = &frontend->orders;

    if (orders->has_order && frontend->now_ns > orders->begun_ns + ORDERS_WAIT_NS)
        orders_end(frontend, BOARD_RESULT_NO_TARGET);
}

void orders_advance(struct frontend *frontend)
{
    struct orders *orders = &frontend->orders;

    if (!orders->has_order && board_order_take(&frontend->board, &orders->order))
        orders_start(frontend);
    if (frontend->handover.state != HANDOVER_IDLE)
        return;
    if (orders->is_handing_over || orders->is_filling)
        orders_collect(frontend);
    if (estates_are_open(frontend))
        orders_wait(frontend);
    else if (orders->has_order)
        orders_step(frontend);
    else if (orders->fill_mask != 0 && frontend->now_ns >= orders->fill_ns)
        orders_fill_step(frontend);
}
