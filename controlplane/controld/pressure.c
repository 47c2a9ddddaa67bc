/* SPDX-License-Identifier: BSD-3-Clause */
/* pressure.c — replies to pressures. The frontend is believed, but no index of its reply is used unchecked.
 */
#include "controlplane/controld/pressure.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_PER_MIB (1ull << 20)
#define POOL_SHARE 2u /* one worker may hold this part of the rx pool: lib/ring/frame_pool.h */

static uint32_t permille(uint64_t part, uint64_t whole)
{
    if (whole == 0)
        return 0;
    return part >= whole ? 1000 : (uint32_t)(part * 1000 / whole);
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint64_t value_of(Mpa__V1__Value *const *values, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(values[i]->name, name) == 0)
            return values[i]->value;
    }
    return 0;
}

void pressure_take_workers(struct pressure *pressure, const Mpa__V1__GetWorkersReply *reply,
                           const struct config_worker *config)
{
    *pressure = (struct pressure){0};
    for (size_t i = 0; i < reply->n_workers; i++) {
        const Mpa__V1__Worker *worker = reply->workers[i];
        struct pressure_worker *place;

        if (worker->slot >= CONFIG_MAX_WORKERS)
            continue;
        place = &pressure->workers[worker->slot];
        place->is_there = worker->state == MPA__V1__LANE_STATE__LANE_STATE_SERVING && !worker->is_draining;
        place->busy_permille = worker->busy_permille < 1000 ? worker->busy_permille : 1000;
        place->used_permille[DEGRADE_MEMORY] =
            larger(permille(worker->fifo_memory_used_bytes, config->fifo_memory_mib * BYTES_PER_MIB),
                   permille(worker->stack_memory_used_bytes, config->stack_memory_mib * BYTES_PER_MIB));
    }
}

void pressure_take_lanes(struct pressure *pressure, const Mpa__V1__GetLanesReply *reply)
{
    for (size_t i = 0; i < reply->n_lanes; i++) {
        const Mpa__V1__Lane *lane = reply->lanes[i];
        struct pressure_worker *place;
        uint32_t ring_permille;

        if (lane->slot >= CONFIG_MAX_WORKERS)
            continue;
        place = &pressure->workers[lane->slot];
        ring_permille = permille(value_of(lane->gauges, lane->n_gauges, "rx_depth_slots"),
                                 value_of(lane->gauges, lane->n_gauges, "rx_ring_slots"));
        place->n_chunks = value_of(lane->gauges, lane->n_gauges, "chunks_held");
        place->used_permille[DEGRADE_CPU] =
            place->busy_permille < ring_permille ? place->busy_permille : ring_permille;
    }
}

/* The worst and the mean of those that are there. */
static void sum_up(struct pressure *pressure)
{
    uint32_t n = 0;

    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        const struct pressure_worker *worker = &pressure->workers[slot];

        if (!worker->is_there)
            continue;
        n++;
        for (uint32_t i = 0; i < DEGRADE_N_PRESSURES; i++) {
            pressure->used.worst_permille[i] =
                larger(pressure->used.worst_permille[i], worker->used_permille[i]);
            pressure->used.all_permille[i] += worker->used_permille[i];
        }
    }
    for (uint32_t i = 0; i < DEGRADE_N_PRESSURES && n > 0; i++)
        pressure->used.all_permille[i] /= n;
}

void pressure_take_nic(struct pressure *pressure, const Mpa__V1__GetNicReply *reply)
{
    uint64_t n_chunks = value_of(reply->gauges, reply->n_gauges, "pool_chunks");
    uint64_t n_free = value_of(reply->gauges, reply->n_gauges, "pool_free_chunks");
    uint32_t pool_permille = n_free < n_chunks ? permille(n_chunks - n_free, n_chunks) : 0;

    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        struct pressure_worker *worker = &pressure->workers[slot];

        worker->used_permille[DEGRADE_POOL] = permille(worker->n_chunks, n_chunks / POOL_SHARE);
    }
    sum_up(pressure);
    /* There is one pool for all, and what is held back in the frontend is nobody's. */
    pressure->used.all_permille[DEGRADE_POOL] = pool_permille;
    pressure->used.worst_permille[DEGRADE_POOL] =
        larger(pressure->used.worst_permille[DEGRADE_POOL], pool_permille);
}

/* The number behind "MemTotal:" and such, at the beginning of a line; 0: there is none. */
static uint64_t meminfo_kib(const char *meminfo, const char *name)
{
    const char *line = strstr(meminfo, name);

    if (line == NULL || (line != meminfo && line[-1] != '\n'))
        return 0;
    return strtoull(line + strlen(name), NULL, 10);
}

void pressure_take_machine(struct pressure *pressure, const char *meminfo)
{
    uint64_t total_kib = meminfo_kib(meminfo, "MemTotal:");
    uint64_t available_kib = meminfo_kib(meminfo, "MemAvailable:");
    uint32_t used_permille =
        available_kib < total_kib && available_kib > 0 ? permille(total_kib - available_kib, total_kib) : 0;

    pressure->used.worst_permille[DEGRADE_MACHINE] = used_permille;
    pressure->used.all_permille[DEGRADE_MACHINE] = used_permille;
}

bool pressure_has_room(const struct pressure *pressure, const struct degrade_config *config)
{
    uint32_t sum_permille = 0, n = 0;

    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        if (!pressure->workers[slot].is_there)
            continue;
        n++;
        sum_permille += pressure->workers[slot].used_permille[DEGRADE_MEMORY];
    }
    return n > 1 && sum_permille / (n - 1) < config->limits_permille[DEGRADE_SHED_CONGESTED - 1];
}

static uint32_t highest_of(const struct pressure_worker *worker)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < DEGRADE_N_PRESSURES; i++)
        found = larger(found, worker->used_permille[i]);
    return found;
}

uint32_t pressure_congested(const struct pressure *pressure, const struct degrade_config *config,
                            uint32_t before)
{
    uint32_t begin_permille = config->limits_permille[DEGRADE_SHED_CONGESTED - 1];
    uint32_t mask = 0, most_slot = 0;
    uint64_t most_chunks = 0;

    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        const struct pressure_worker *worker = &pressure->workers[slot];
        uint32_t limit_permille =
            (before >> slot & 1) != 0 ? begin_permille - config->relief_permille : begin_permille;

        if (!worker->is_there)
            continue;
        if (highest_of(worker) >= limit_permille)
            mask |= 1u << slot;
        if (worker->n_chunks > most_chunks) {
            most_chunks = worker->n_chunks;
            most_slot = slot;
        }
    }
    if (mask == 0 && most_chunks > 0 && pressure->used.all_permille[DEGRADE_POOL] >= begin_permille)
        mask = 1u << most_slot;
    return mask;
}
