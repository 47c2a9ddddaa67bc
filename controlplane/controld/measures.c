/* SPDX-License-Identifier: BSD-3-Clause */
/* measures.c — replies to numbers. The frontend is believed, but no index of its reply is used unchecked. */
#include "controlplane/controld/measures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void measures_fini(struct measures *measures)
{
    free(measures->owners);
    free(measures->frames);
    *measures = (struct measures){0};
}

static uint32_t permille(uint64_t part, uint64_t whole)
{
    if (whole == 0)
        return 0;
    return part >= whole ? 1000 : (uint32_t)(part * 1000 / whole);
}

void measures_take_workers(struct measures *measures, const Mpa__V1__GetWorkersReply *reply,
                           uint32_t max_connections)
{
    memset(measures->workers, 0, sizeof(measures->workers));
    for (size_t i = 0; i < reply->n_workers; i++) {
        const Mpa__V1__Worker *worker = reply->workers[i];

        if (worker->slot >= BALANCE_MAX_WORKERS)
            continue;
        measures->workers[worker->slot] = (struct balance_worker){
            .is_there = worker->state == MPA__V1__LANE_STATE__LANE_STATE_SERVING && !worker->is_draining,
            .life = worker->pid,
            .busy_permille = worker->busy_permille,
            .connections_permille = permille(worker->connections, max_connections),
        };
    }
}

static uint64_t value_of(Mpa__V1__Value *const *values, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(values[i]->name, name) == 0)
            return values[i]->value;
    }
    return 0;
}

void measures_take_lanes(struct measures *measures, const Mpa__V1__GetLanesReply *reply)
{
    for (size_t i = 0; i < reply->n_lanes; i++) {
        const Mpa__V1__Lane *lane = reply->lanes[i];

        if (lane->slot >= BALANCE_MAX_WORKERS)
            continue;
        measures->workers[lane->slot].ring_permille =
            permille(value_of(lane->gauges, lane->n_gauges, "rx_depth_slots"),
                     value_of(lane->gauges, lane->n_gauges, "rx_ring_slots"));
        measures->workers[lane->slot].frames = value_of(lane->counters, lane->n_counters, "rx_frames");
    }
}

static int measures_resize(struct measures *measures, uint32_t n_buckets)
{
    uint8_t *owners = calloc(n_buckets, sizeof(*owners));
    uint64_t *frames = calloc(n_buckets, sizeof(*frames));

    if (owners == NULL || frames == NULL) {
        free(owners);
        free(frames);
        return -ENOMEM;
    }
    free(measures->owners);
    free(measures->frames);
    measures->owners = owners;
    measures->frames = frames;
    measures->n_buckets = n_buckets;
    return 0;
}

int measures_take_buckets(struct measures *measures, const Mpa__V1__GetBucketsReply *reply)
{
    uint32_t n = reply->n_buckets;

    if (n == 0 || n > BALANCE_MAX_BUCKETS || reply->n_workers != n || reply->n_frames != n)
        return -EINVAL;
    if (n != measures->n_buckets) {
        int error = measures_resize(measures, n);

        if (error != 0)
            return error;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t owner = reply->workers[i];

        measures->owners[i] = owner < BALANCE_MAX_WORKERS ? (uint8_t)owner : BALANCE_NO_WORKER;
        measures->frames[i] = reply->frames[i];
    }
    return 0;
}
