/* SPDX-License-Identifier: BSD-3-Clause */
/* control_stats.c — GetStats: every counter and gauge of the board in one flat list, each with its scope. */
#include "frontend/control_internal.h"

#include <errno.h>

#define N_LANE_STATS (N_LANE_GAUGES + N_LANE_COUNTERS + N_WORKER_COUNTERS)
#define MAX_STATS (N_NIC_COUNTERS + N_FRONTEND_GAUGES + CONFIG_MAX_WORKERS * N_LANE_STATS)

/* One set of numbers with one scope. */
struct stat_set {
    const char *scope; /* in the arena */
    const struct counter_text *texts;
    const counter *values;
    size_t n;
    bool is_gauge;
};

static int stats_add(struct control_call *call, Mpa__V1__GetStatsReply *body, const struct stat_set *set)
{
    bool with_help = call->request->get_stats->with_help;
    Mpa__V1__Stat *stat = control_alloc(&call->core->arena, set->n, sizeof(*stat));

    if (stat == NULL || set->scope == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < set->n; i++) {
        mpa__v1__stat__init(&stat[i]);
        stat[i].scope = control_borrow(set->scope);
        stat[i].name = control_borrow(set->texts[i].name);
        stat[i].value = counter_get(set->values, (unsigned)i);
        stat[i].is_gauge = set->is_gauge;
        if (with_help)
            stat[i].help = control_borrow(set->texts[i].help);
        body->stats[body->n_stats++] = &stat[i];
    }
    return 0;
}

static int stats_add_lane(struct control_call *call, Mpa__V1__GetStatsReply *body, uint32_t slot)
{
    const struct board_lane *lane = &call->core->board->lanes[slot];
    const char *lane_scope = control_text(&call->core->arena, "lane%u", slot);
    const char *worker_scope = control_text(&call->core->arena, "worker%u", slot);
    const struct stat_set sets[] = {
        {lane_scope, lane_gauge_texts, lane->gauges, N_LANE_GAUGES, true},
        {lane_scope, lane_counter_texts, lane->counters, N_LANE_COUNTERS, false},
        {worker_scope, worker_counter_texts, lane->worker_counters, N_WORKER_COUNTERS, false},
    };

    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        if (stats_add(call, body, &sets[i]) != 0)
            return -ENOMEM;
    }
    return 0;
}

bool control_shows_lane(const struct control_core *core, uint32_t slot)
{
    return slot < core->config->worker.count ||
           control_lane_state(&core->board->lanes[slot]) != MPA__V1__LANE_STATE__LANE_STATE_EMPTY;
}

int control_get_stats(struct control_call *call)
{
    struct control_core *core = call->core;
    counter gauges[N_FRONTEND_GAUGES];
    const struct stat_set frontend = {"frontend", control_frontend_gauge_texts, gauges, N_FRONTEND_GAUGES,
                                      true};
    const struct stat_set nic = {"nic", nic_counter_texts, core->board->nic, N_NIC_COUNTERS, false};
    Mpa__V1__GetStatsReply *body = control_alloc(&core->arena, 1, sizeof(*body));

    if (body == NULL)
        return -ENOMEM;
    mpa__v1__get_stats_reply__init(body);
    body->stats = control_alloc(&core->arena, MAX_STATS, sizeof(*body->stats));
    control_frontend_gauges(core->board, gauges);
    if (body->stats == NULL || stats_add(call, body, &frontend) != 0 || stats_add(call, body, &nic) != 0)
        return -ENOMEM;
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        if (control_shows_lane(core, slot) && stats_add_lane(call, body, slot) != 0)
            return -ENOMEM;
    }
    call->reply->body_case = MPA__V1__REPLY__BODY_GET_STATS;
    call->reply->get_stats = body;
    return 0;
}
