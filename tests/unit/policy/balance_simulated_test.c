/* SPDX-License-Identifier: BSD-3-Clause */
/* balance_simulated_test.c — promises of the balancer over hours: it converges, then leaves things alone. */
#include "tests/unit/policy/simulator.h"

#include <stdio.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "policy/balance_simulated";

#define HOUR_ROUNDS 3600u
#define CONVERGE_ROUNDS 10u
#define GOOD 1.2

/* ---- loads ---- */

/* Where the hot buckets are. */
enum place { PLACE_ONE_WORKER, PLACE_TWO_WORKERS, PLACE_RANDOM };

static void spread_demand(struct simulator *simulator, double total)
{
    for (uint32_t i = 0; i < simulator->n_buckets; i++)
        simulator->buckets[i].demand = total / simulator->n_buckets;
}

/* 90 % of `total` in 5 % of the buckets. */
static void skew_demand(struct simulator *simulator, double total, enum place place)
{
    uint32_t n_hot = simulator->n_buckets / 20;
    uint32_t n_workers = simulator->is_there[3] ? 4 : 2;

    spread_demand(simulator, total / 10);
    for (uint32_t i = 0; i < n_hot; i++) {
        uint32_t bucket = i;

        /* Buckets are dealt out in turn. */
        if (place == PLACE_ONE_WORKER)
            bucket = i * n_workers;
        else if (place == PLACE_TWO_WORKERS)
            bucket = i / 2 * n_workers + i % 2;
        else
            do
                bucket = simulator_random(simulator, simulator->n_buckets);
            while (simulator->buckets[bucket].demand > 2 * total / 10 / simulator->n_buckets);
        simulator->buckets[bucket].demand += total * 0.9 / n_hot;
    }
}

/* ---- the row ---- */

static void check_skew(enum place place, double total, uint64_t seed)
{
    struct simulator simulator;
    uint32_t n_moves;

    simulator_init(&simulator, 4, 4096, seed);
    skew_demand(&simulator, total, place);
    simulator_run(&simulator, CONVERGE_ROUNDS);
    if (place != PLACE_RANDOM)
        CU_ASSERT_TRUE(simulator_imbalance(&simulator) <= GOOD);
    n_moves = simulator.n_moves;
    for (uint32_t round = CONVERGE_ROUNDS; round < HOUR_ROUNDS; round += 10) {
        simulator_run(&simulator, 10);
        if (place != PLACE_RANDOM)
            CU_ASSERT_TRUE(simulator_imbalance(&simulator) <= GOOD);
    }
    CU_ASSERT_TRUE(simulator.most_moves <= 2);
    CU_ASSERT_EQUAL(simulator.n_returns, 0);
    /* Once even, it stays even by doing nothing. */
    CU_ASSERT_EQUAL(simulator.n_moves, n_moves);
    printf("skew place=%d total=%.0f: imbalance %.3f, %u moves in %u acts, most %u\n", (int)place, total,
           simulator_imbalance(&simulator), simulator.n_moves, simulator.n_acts, simulator.most_moves);
    simulator_fini(&simulator);
}

static void test_skew_one_worker(void)
{
    check_skew(PLACE_ONE_WORKER, 1.0 * SIMULATOR_CAPACITY, 1);
}

static void test_skew_two_workers(void)
{
    check_skew(PLACE_TWO_WORKERS, 1.5 * SIMULATOR_CAPACITY, 2);
}

static void test_skew_overloaded(void)
{
    check_skew(PLACE_ONE_WORKER, 3.0 * SIMULATOR_CAPACITY, 3);
}

const struct unit_test unit_tests[] = {
    {"90 % of traffic in 5 % of the buckets, all on one worker, is even within 10 rounds and for an hour",
     test_skew_one_worker},
    {"the same on two workers of four", test_skew_two_workers},
    {"the same when the worker is asked three times what it can", test_skew_overloaded},
    {NULL, NULL},
};
