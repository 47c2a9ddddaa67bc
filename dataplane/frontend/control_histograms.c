/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_histograms.c — GetHistograms. The frontend's and the lanes' are on the board; a worker's is made of
 * the counters of its turns, whose last bucket is what `turns` has beyond the others.
 */
#include "frontend/control_internal.h"

#include <errno.h>
#include <string.h>

#define MAX_HISTOGRAMS (N_FRONTEND_HISTOGRAMS + CONFIG_MAX_WORKERS * (N_LANE_HISTOGRAMS + 1))

static const struct histogram_form worker_loop_form = {
    "loop_ns", "Duration of a turn of a worker's loop that found work", 0, {0}};

/* An empty one with room for its numbers, appended to the reply; NULL: arena full. */
static Mpa__V1__Histogram *histogram_new(struct control_call *call, const char *scope,
                                         const struct histogram_form *form, size_t n_bounds)
{
    struct control_arena *arena = &call->core->arena;
    Mpa__V1__GetHistogramsReply *body = call->reply->get_histograms;
    Mpa__V1__Histogram *histogram = control_alloc(arena, 1, sizeof(*histogram));

    if (histogram == NULL || scope == NULL)
        return NULL;
    mpa__v1__histogram__init(histogram);
    histogram->scope = control_borrow(scope);
    histogram->name = control_borrow(form->name);
    histogram->help = control_borrow(form->help);
    histogram->n_bounds = n_bounds;
    histogram->n_counts = n_bounds + 1;
    histogram->bounds = control_alloc(arena, n_bounds, sizeof(*histogram->bounds));
    histogram->counts = control_alloc(arena, n_bounds + 1, sizeof(*histogram->counts));
    if (histogram->bounds == NULL || histogram->counts == NULL)
        return NULL;
    body->histograms[body->n_histograms++] = histogram;
    return histogram;
}

static int add_board(struct control_call *call, const char *scope, const struct histogram_form *form,
                     const struct histogram *from)
{
    Mpa__V1__Histogram *to = histogram_new(call, scope, form, form->n_bounds);

    if (to == NULL)
        return -ENOMEM;
    memcpy(to->bounds, form->bounds, form->n_bounds * sizeof(form->bounds[0]));
    for (uint32_t i = 0; i <= form->n_bounds; i++)
        to->counts[i] = counter_get(from->counts, i);
    to->sum = counter_get(&from->sum, 0);
    return 0;
}

static int add_worker(struct control_call *call, const char *scope, const counter *counters)
{
    Mpa__V1__Histogram *to = histogram_new(call, scope, &worker_loop_form, WORKER_N_TURN_BOUNDS);
    uint64_t n_turns = counter_get(counters, WORKER_turns), n_bounded = 0;

    if (to == NULL)
        return -ENOMEM;
    memcpy(to->bounds, worker_turn_bounds_ns, sizeof(worker_turn_bounds_ns));
    for (uint32_t i = 0; i < WORKER_N_TURN_BOUNDS; i++) {
        to->counts[i] = counter_get(counters, WORKER_turns_30us + i);
        n_bounded += to->counts[i];
    }
    /* Copied at different moments, and a worker may write what it likes. */
    to->counts[WORKER_N_TURN_BOUNDS] = n_turns > n_bounded ? n_turns - n_bounded : 0;
    to->sum = counter_get(counters, WORKER_turns_busy_ns);
    return 0;
}

static int add_lane(struct control_call *call, uint32_t slot)
{
    struct control_arena *arena = &call->core->arena;
    const struct board_lane *lane = &call->core->board->lanes[slot];
    const char *scope = control_text(arena, "lane%u", slot);

    for (uint32_t i = 0; i < N_LANE_HISTOGRAMS; i++) {
        if (add_board(call, scope, &lane_histogram_forms[i], &lane->histograms[i]) != 0)
            return -ENOMEM;
    }
    return add_worker(call, control_text(arena, "worker%u", slot), lane->worker_counters);
}

int control_get_histograms(struct control_call *call)
{
    struct control_core *core = call->core;
    Mpa__V1__GetHistogramsReply *body = control_alloc(&core->arena, 1, sizeof(*body));

    if (body == NULL)
        return -ENOMEM;
    mpa__v1__get_histograms_reply__init(body);
    body->histograms = control_alloc(&core->arena, MAX_HISTOGRAMS, sizeof(*body->histograms));
    if (body->histograms == NULL)
        return -ENOMEM;
    call->reply->body_case = MPA__V1__REPLY__BODY_GET_HISTOGRAMS;
    call->reply->get_histograms = body;
    for (uint32_t i = 0; i < N_FRONTEND_HISTOGRAMS; i++) {
        if (add_board(call, "", &frontend_histogram_forms[i], &core->board->histograms[i]) != 0)
            return -ENOMEM;
    }
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        if (control_shows_lane(core, slot) && add_lane(call, slot) != 0)
            return -ENOMEM;
    }
    return 0;
}
