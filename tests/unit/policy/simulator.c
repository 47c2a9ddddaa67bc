/* SPDX-License-Identifier: BSD-3-Clause */
/* simulator.c — workers and buckets in numbers. */
#include "tests/unit/policy/simulator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_PERMILLE 20u /* of a worker with its share of the buckets */

void simulator_init(struct simulator *simulator, uint32_t n_workers, uint32_t n_buckets, uint64_t seed)
{
    struct balance_config config;

    balance_defaults(&config);
    *simulator = (struct simulator){.random = seed * 2 + 1, .n_buckets = n_buckets, .noise = 0.02};
    simulator->balance = balance_new(n_buckets, &config);
    simulator->buckets = calloc(n_buckets, sizeof(simulator->buckets[0]));
    simulator->owners = calloc(n_buckets, sizeof(simulator->owners[0]));
    simulator->frames = calloc(n_buckets, sizeof(simulator->frames[0]));
    if (simulator->balance == NULL || simulator->buckets == NULL || simulator->owners == NULL ||
        simulator->frames == NULL)
        abort();
    for (uint32_t slot = 0; slot < n_workers; slot++)
        simulator->is_there[slot] = true;
    for (uint32_t i = 0; i < n_buckets; i++) {
        simulator->owners[i] = (uint8_t)(i % n_workers);
        simulator->buckets[i].moved_from = BALANCE_NO_WORKER;
    }
}

void simulator_fini(struct simulator *simulator)
{
    balance_free(simulator->balance);
    free(simulator->buckets);
    free(simulator->owners);
    free(simulator->frames);
}

/* xorshift64* (Marsaglia 2003, Vigna 2016). */
uint32_t simulator_random(struct simulator *simulator, uint32_t n)
{
    simulator->random ^= simulator->random >> 12;
    simulator->random ^= simulator->random << 25;
    simulator->random ^= simulator->random >> 27;
    return (uint32_t)((simulator->random * 0x2545f4914f6cdd1dull) >> 33) % n;
}

/* The value with noise. */
static double noisy(struct simulator *simulator, double value)
{
    double part = (double)simulator_random(simulator, 20001) / 10000.0 - 1.0;

    return value * (1.0 + part * simulator->noise);
}

double simulator_demand(const struct simulator *simulator, uint32_t slot)
{
    double sum = 0;

    for (uint32_t i = 0; i < simulator->n_buckets; i++)
        sum += simulator->owners[i] == slot ? simulator->buckets[i].demand : 0;
    return sum;
}

double simulator_imbalance(const struct simulator *simulator)
{
    double max = 0, min = INFINITY;

    for (uint32_t slot = 0; slot < BALANCE_MAX_WORKERS; slot++) {
        double demand = simulator_demand(simulator, slot);

        if (!simulator->is_there[slot])
            continue;
        max = demand > max ? demand : max;
        min = demand < min ? demand : min;
    }
    return max / min;
}

static uint32_t permille(double part)
{
    return part >= 1 ? 1000 : (uint32_t)(part * 1000.0);
}

static void measure(struct simulator *simulator, struct balance_input *input)
{
    double offered[BALANCE_MAX_WORKERS + 1] = {0};
    uint32_t n_owned[BALANCE_MAX_WORKERS + 1] = {0};
    uint32_t n_there = 0;

    for (uint32_t i = 0; i < simulator->n_buckets; i++) {
        double frames = noisy(simulator, simulator->buckets[i].demand);
        uint32_t owner =
            simulator->owners[i] < BALANCE_MAX_WORKERS ? simulator->owners[i] : BALANCE_MAX_WORKERS;

        simulator->frames[i] += (uint64_t)frames;
        offered[owner] += frames;
        n_owned[owner]++;
    }
    *input = (struct balance_input){
        .interval_ms = SIMULATOR_INTERVAL_MS, .owners = simulator->owners, .frames = simulator->frames};
    for (uint32_t slot = 0; slot < BALANCE_MAX_WORKERS; slot++)
        n_there += simulator->is_there[slot];
    for (uint32_t slot = 0; slot < BALANCE_MAX_WORKERS; slot++) {
        double part = noisy(simulator, offered[slot] / SIMULATOR_CAPACITY);

        /* A queue is short until the worker is nearly full, then it grows to its end. */
        input->workers[slot] = (struct balance_worker){
            .is_there = simulator->is_there[slot],
            .busy_permille = permille(part),
            .ring_permille = permille(part >= 1 ? 1 : part * part * part * part / 4),
            .connections_permille = CONNECTIONS_PERMILLE * n_there * n_owned[slot] / simulator->n_buckets,
        };
    }
}

static void carry_out(struct simulator *simulator, const struct balance_decision *decision)
{
    for (uint32_t i = 0; i < decision->n_moves; i++) {
        const struct balance_move *move = &decision->moves[i];
        struct simulator_bucket *bucket = &simulator->buckets[move->bucket];

        if (simulator->failing_one_in > 0 && simulator_random(simulator, simulator->failing_one_in) == 0)
            continue;
        if (simulator->owners[move->bucket] != move->from || !simulator->is_there[move->to])
            continue;
        simulator->owners[move->bucket] = move->to;
        simulator->n_returns += bucket->moved_from == move->to;
        bucket->moved_from = move->from;
        bucket->n_moves++;
        simulator->n_moves++;
        if (bucket->n_moves > simulator->most_moves)
            simulator->most_moves = bucket->n_moves;
    }
}

void simulator_run(struct simulator *simulator, uint32_t n_rounds)
{
    for (uint32_t i = 0; i < n_rounds; i++) {
        struct balance_input input;

        simulator->round++;
        if (simulator->late.n_moves > 0 && simulator->round >= simulator->late_round) {
            carry_out(simulator, &simulator->late);
            simulator->late.n_moves = 0;
        }
        measure(simulator, &input);
        balance_observe(simulator->balance, &input);
        /* As the daemon does: no new decision while orders are under way. */
        if (simulator->late.n_moves > 0)
            continue;
        balance_decide(simulator->balance, false, &simulator->decision);
        if (simulator->decision.n_moves == 0)
            continue;
        simulator->n_acts++;
        balance_commit(simulator->balance, &simulator->decision);
        simulator->late = simulator->decision;
        simulator->late_round = simulator->round + 1 + simulator->lag_rounds;
    }
}

void simulator_leave(struct simulator *simulator, uint32_t slot)
{
    uint32_t next = 0;

    simulator->is_there[slot] = false;
    for (uint32_t i = 0; i < simulator->n_buckets; i++) {
        if (simulator->owners[i] != slot)
            continue;
        do
            next = (next + 1) % BALANCE_MAX_WORKERS;
        while (!simulator->is_there[next]);
        simulator->owners[i] = (uint8_t)next;
    }
}

void simulator_forget(struct simulator *simulator)
{
    simulator->n_moves = simulator->n_acts = simulator->n_returns = simulator->most_moves = 0;
    for (uint32_t i = 0; i < simulator->n_buckets; i++) {
        simulator->buckets[i].n_moves = 0;
        simulator->buckets[i].moved_from = BALANCE_NO_WORKER;
    }
}
