/* SPDX-License-Identifier: BSD-3-Clause */
/* balance_simulated_test.c — promises of the balancer over hours: it converges, then leaves things alone. */
#include "tests/unit/policy/simulator.h"

#include <math.h>
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

/* Even after CONVERGE_ROUNDS and from then on, with bounded moves. */
static void check_skew(enum place place, double total, uint32_t n_rounds)
{
    struct simulator simulator;
    double before, after, worst;
    uint32_t n_moves;

    simulator_init(&simulator, 4, 4096, n_rounds);
    skew_demand(&simulator, total, place);
    before = simulator_imbalance(&simulator);
    CU_ASSERT_TRUE(before > 1.5);
    simulator_run(&simulator, CONVERGE_ROUNDS);
    after = worst = simulator_imbalance(&simulator);
    CU_ASSERT_TRUE(after <= GOOD);
    n_moves = simulator.n_moves;
    for (uint32_t round = CONVERGE_ROUNDS; round < n_rounds; round += 10) {
        simulator_run(&simulator, 10);
        worst = fmax(worst, simulator_imbalance(&simulator));
    }
    CU_ASSERT_TRUE(worst <= GOOD);
    printf(
        "skew: imbalance %.2f, %.2f after %u rounds, at most %.2f until round %u; %u moves, %u at most of a "
        "bucket, %u back\n",
        before, after, CONVERGE_ROUNDS, worst, n_rounds, n_moves, simulator.most_moves, simulator.n_returns);
    CU_ASSERT_TRUE(simulator.most_moves <= 2);
    CU_ASSERT_EQUAL(simulator.n_returns, 0);
    /* Once even, it stays even by doing nothing. */
    CU_ASSERT_EQUAL(simulator.n_moves, n_moves);
    simulator_fini(&simulator);
}

static void test_skew_one_worker(void)
{
    check_skew(PLACE_ONE_WORKER, 1.0 * SIMULATOR_CAPACITY, HOUR_ROUNDS);
}

static void test_skew_two_workers(void)
{
    check_skew(PLACE_TWO_WORKERS, 1.5 * SIMULATOR_CAPACITY, HOUR_ROUNDS / 6);
}

static void test_skew_overloaded(void)
{
    check_skew(PLACE_ONE_WORKER, 3.0 * SIMULATOR_CAPACITY, HOUR_ROUNDS / 6);
}

static void test_skew_seeds(void)
{
    for (uint64_t seed = 10; seed < 30; seed++) {
        struct simulator simulator;

        simulator_init(&simulator, 4, 1024, seed);
        skew_demand(&simulator, (0.6 + (double)(seed % 5) * 0.5) * SIMULATOR_CAPACITY,
                    seed % 2 == 0 ? PLACE_ONE_WORKER : PLACE_TWO_WORKERS);
        simulator_run(&simulator, CONVERGE_ROUNDS);
        CU_ASSERT_TRUE(simulator_imbalance(&simulator) <= GOOD);
        simulator_run(&simulator, 300);
        CU_ASSERT_TRUE(simulator_imbalance(&simulator) <= GOOD);
        CU_ASSERT_TRUE(simulator.most_moves <= 2);
        simulator_fini(&simulator);
    }
}

/* ---- loads that are no balancer's business ---- */

static void test_even_is_left_alone(void)
{
    struct simulator simulator;

    simulator_init(&simulator, 4, 4096, 6);
    simulator.noise = 0.3;
    spread_demand(&simulator, 2.0 * SIMULATOR_CAPACITY);
    simulator_run(&simulator, HOUR_ROUNDS / 6);
    CU_ASSERT_EQUAL(simulator.n_moves, 0);
    /* Uneven, and below the factor. */
    skew_demand(&simulator, 2.0 * SIMULATOR_CAPACITY, PLACE_RANDOM);
    CU_ASSERT_TRUE(simulator_imbalance(&simulator) < 1.5);
    simulator.noise = 0.02;
    simulator_run(&simulator, HOUR_ROUNDS / 6);
    CU_ASSERT_EQUAL(simulator.n_moves, 0);
    simulator_fini(&simulator);
}

static void test_idle_is_left_alone(void)
{
    struct simulator simulator;

    simulator_init(&simulator, 4, 1024, 6);
    skew_demand(&simulator, 0.05 * SIMULATOR_CAPACITY, PLACE_ONE_WORKER);
    simulator_run(&simulator, HOUR_ROUNDS);
    CU_ASSERT_EQUAL(simulator.n_moves, 0);
    CU_ASSERT_EQUAL(simulator.decision.reason, BALANCE_IDLE);
    simulator_fini(&simulator);
}

/* ---- elephants ---- */

static void test_elephant_that_is_the_load_is_left(void)
{
    struct simulator simulator;

    simulator_init(&simulator, 4, 1024, 7);
    spread_demand(&simulator, 0.1 * SIMULATOR_CAPACITY);
    simulator.buckets[8].demand = 0.9 * SIMULATOR_CAPACITY;
    simulator_run(&simulator, HOUR_ROUNDS);
    CU_ASSERT_EQUAL(simulator.buckets[8].n_moves, 0);
    CU_ASSERT_EQUAL(simulator.decision.reason, BALANCE_ELEPHANT_LEFT);
    CU_ASSERT_EQUAL(simulator.decision.elephant, 8);
    CU_ASSERT_EQUAL(simulator.decision.elephant_worker, 0);
    CU_ASSERT_TRUE(simulator.decision.elephant_permille >= 800);
    CU_ASSERT_EQUAL(simulator.n_moves, 0);
    simulator_fini(&simulator);
}

/* Its company moves away instead, as far as that evens the load. */
static void test_elephant_loses_its_company(void)
{
    struct simulator simulator;

    simulator_init(&simulator, 4, 1024, 8);
    spread_demand(&simulator, 1.2 * SIMULATOR_CAPACITY);
    simulator.buckets[8].demand = 0.4 * SIMULATOR_CAPACITY;
    CU_ASSERT_TRUE(simulator_imbalance(&simulator) > 2);
    simulator_run(&simulator, 30);
    CU_ASSERT_TRUE(simulator_imbalance(&simulator) <= GOOD);
    CU_ASSERT_EQUAL(simulator.buckets[8].n_moves, 0);
    CU_ASSERT_TRUE(simulator.most_moves <= 2);
    simulator_fini(&simulator);
}

static void test_two_elephants_part(void)
{
    struct simulator simulator;
    uint32_t n_lonely = 0;

    simulator_init(&simulator, 4, 1024, 9);
    spread_demand(&simulator, 0.1 * SIMULATOR_CAPACITY);
    simulator.buckets[0].demand = simulator.buckets[4].demand = 0.4 * SIMULATOR_CAPACITY;
    for (int i = 0; i < 100; i++) {
        simulator_run(&simulator, 1);
        if (simulator.decision.reason != BALANCE_MOVE_ELEPHANT)
            continue;
        CU_ASSERT_EQUAL(simulator.decision.n_moves, 1);
        n_lonely++;
    }
    CU_ASSERT_EQUAL(simulator.buckets[0].n_moves + simulator.buckets[4].n_moves, 1);
    CU_ASSERT_EQUAL(n_lonely, 1);
    CU_ASSERT_NOT_EQUAL(simulator.owners[0], simulator.owners[4]);
    simulator_fini(&simulator);
}

/* ---- few ---- */

/* Five busy buckets on one worker, and traces of traffic in others: 3 to 2 is as even as it gets. */
static void test_crumbs_stay(void)
{
    struct simulator simulator;

    simulator_init(&simulator, 2, 4096, 17);
    for (uint32_t i = 0; i < 40; i++)
        simulator.buckets[2 * (50 + i)].demand = 1 + i;
    for (uint32_t i = 0; i < 5; i++)
        simulator.buckets[2 * i].demand = 16000;
    simulator_run(&simulator, 600);
    for (uint32_t i = 0; i < 40; i++)
        CU_ASSERT_EQUAL(simulator.buckets[2 * (50 + i)].n_moves, 0);
    CU_ASSERT_EQUAL(simulator.n_moves, 2);
    simulator_fini(&simulator);
}

/* ---- change ---- */

static void test_shifting_load_is_followed(void)
{
    struct simulator simulator;

    simulator_init(&simulator, 4, 1024, 11);
    for (int shift = 0; shift < 12; shift++) {
        uint32_t first = (uint32_t)shift % 4;

        /* Every five minutes what one worker has by then becomes hot. */
        for (uint32_t i = 0; i < simulator.n_buckets; i++)
            simulator.buckets[i].demand = simulator.owners[i] == first ? 400 : 20;
        simulator_forget(&simulator);
        simulator_run(&simulator, 60);
        CU_ASSERT_TRUE(simulator_imbalance(&simulator) <= GOOD);
        simulator_run(&simulator, 240);
        CU_ASSERT_TRUE(simulator_imbalance(&simulator) <= GOOD);
        CU_ASSERT_TRUE(simulator.most_moves <= 2);
        CU_ASSERT_EQUAL(simulator.n_returns, 0);
    }
    simulator_fini(&simulator);
}

/* A load that shifts faster than it can be followed costs few moves. */
static void test_hopeless_load_is_met_with_patience(void)
{
    struct simulator simulator;

    simulator_init(&simulator, 4, 1024, 12);
    for (uint32_t round = 0; round < HOUR_ROUNDS; round += 7) {
        for (uint32_t i = 0; i < simulator.n_buckets; i++)
            simulator.buckets[i].demand = i % 4 == round / 7 % 4 ? 300 : 10;
        simulator_run(&simulator, 7);
    }
    CU_ASSERT_TRUE(simulator.n_acts <= HOUR_ROUNDS / 40);
    simulator_fini(&simulator);
}

static void test_joining_worker_gets_its_share(void)
{
    struct simulator simulator;

    simulator_init(&simulator, 3, 1024, 13);
    spread_demand(&simulator, 1.8 * SIMULATOR_CAPACITY);
    simulator_run(&simulator, 30);
    CU_ASSERT_EQUAL(simulator.n_moves, 0);
    simulator.is_there[3] = true;
    simulator_run(&simulator, 30);
    CU_ASSERT_TRUE(simulator_imbalance(&simulator) <= GOOD);
    CU_ASSERT_TRUE(simulator.most_moves <= 1);
    /* To the new one only: nothing else is disturbed. */
    CU_ASSERT_TRUE(simulator.n_moves <= 1024 / 4 + 10);
    simulator_fini(&simulator);
}

static void test_leaving_worker_leaves_it_even(void)
{
    struct simulator simulator;

    simulator_init(&simulator, 4, 1024, 14);
    skew_demand(&simulator, 1.6 * SIMULATOR_CAPACITY, PLACE_ONE_WORKER);
    simulator_run(&simulator, 30);
    simulator_leave(&simulator, 2);
    simulator_run(&simulator, 30);
    CU_ASSERT_TRUE(simulator_demand(&simulator, 2) <= 0);
    CU_ASSERT_TRUE(simulator.most_moves <= 2);
    simulator_forget(&simulator);
    simulator_run(&simulator, HOUR_ROUNDS);
    CU_ASSERT_EQUAL(simulator.n_moves, 0);
    simulator_fini(&simulator);
}

/* ---- a bad world ---- */

static void test_noise_does_not_swing(void)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct simulator simulator;

        simulator_init(&simulator, 4, 1024, seed);
        simulator.noise = 0.3;
        skew_demand(&simulator, 1.5 * SIMULATOR_CAPACITY, PLACE_ONE_WORKER);
        simulator_run(&simulator, 60);
        CU_ASSERT_TRUE(simulator_imbalance(&simulator) <= 1.4);
        simulator_run(&simulator, HOUR_ROUNDS);
        CU_ASSERT_TRUE(simulator_imbalance(&simulator) <= 1.4);
        CU_ASSERT_TRUE(simulator.n_acts <= 12);
        CU_ASSERT_TRUE(simulator.most_moves <= 3);
        simulator_fini(&simulator);
    }
}

static void test_late_and_failed_orders(void)
{
    struct simulator simulator;

    simulator_init(&simulator, 4, 1024, 16);
    simulator.lag_rounds = 3;
    simulator.failing_one_in = 4;
    skew_demand(&simulator, 1.5 * SIMULATOR_CAPACITY, PLACE_ONE_WORKER);
    simulator_run(&simulator, 120);
    CU_ASSERT_TRUE(simulator_imbalance(&simulator) <= GOOD);
    simulator_run(&simulator, HOUR_ROUNDS);
    CU_ASSERT_TRUE(simulator.most_moves <= 2);
    CU_ASSERT_EQUAL(simulator.n_returns, 0);
    simulator_fini(&simulator);
}

const struct unit_test unit_tests[] = {
    {"90 % of traffic in 5 % of the buckets of one worker is even within 10 rounds, and for an hour",
     test_skew_one_worker},
    {"the same on two workers of four, for ten minutes", test_skew_two_workers},
    {"the same when the worker is asked three times what it can, for ten minutes", test_skew_overloaded},
    {"the same for other seeds, loads and places", test_skew_seeds},
    {"an even load is left alone, also with noise", test_even_is_left_alone},
    {"an idle stack is left alone, however uneven", test_idle_is_left_alone},
    {"an elephant that is the load is left and reported", test_elephant_that_is_the_load_is_left},
    {"an elephant in company loses the company", test_elephant_loses_its_company},
    {"of two elephants on one worker one moves, alone, once", test_two_elephants_part},
    {"buckets with a trace of traffic are not moved to fill a gap", test_crumbs_stay},
    {"a load that shifts is followed, two moves a bucket at most", test_shifting_load_is_followed},
    {"a load that shifts too fast is met with patience", test_hopeless_load_is_met_with_patience},
    {"a worker that joins gets its share, from everybody once", test_joining_worker_gets_its_share},
    {"a worker that leaves does not start a to and fro", test_leaving_worker_leaves_it_even},
    {"noise of 30 % makes it act twelve times an hour at most, three times on one bucket",
     test_noise_does_not_swing},
    {"orders that come late or fail do no harm", test_late_and_failed_orders},
    {NULL, NULL},
};
