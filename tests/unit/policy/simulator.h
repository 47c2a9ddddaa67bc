/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * simulator.h — a stack of workers and buckets in numbers, with the real balancer over it: hours of load in
 * seconds, the same for the same seed. A round is a second. A bucket has a demand in frames a second; a
 * worker serves what its capacity allows and shows CPU, ring depth and connections for it, with noise.
 */
#ifndef MPA_TESTS_POLICY_SIMULATOR_H
#define MPA_TESTS_POLICY_SIMULATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/policy/balance.h"

#define SIMULATOR_CAPACITY 100000.0 /* frames a second that one worker can serve */
#define SIMULATOR_INTERVAL_MS 1000u

struct simulator_bucket {
    double demand;      /* frames a second, on average */
    uint8_t moved_from; /* of its last move */
    uint32_t n_moves;
};

struct simulator {
    struct balance *balance;
    uint64_t random;
    uint32_t n_buckets;
    uint32_t round;
    bool is_there[BALANCE_MAX_WORKERS];
    double noise;                     /* half width of the noise of every measure, as a part of it */
    uint32_t lag_rounds;              /* orders take effect so late, 0: before the next round */
    uint32_t failing_one_in;          /* so many orders are not carried out; 0: all are */
    struct balance_decision decision; /* of the last round */
    struct balance_decision late;     /* to be carried out at late_round */
    uint32_t late_round;
    /* What has been seen so far. */
    uint32_t n_moves;    /* in all */
    uint32_t n_acts;     /* rounds with moves */
    uint32_t n_returns;  /* moves back to where the bucket came from */
    uint32_t most_moves; /* of one bucket */
    struct simulator_bucket *buckets;
    uint8_t *owners;
    uint64_t *frames;
};

/* Workers 0..n_workers-1 are there; buckets are dealt out in turn and have no demand. */
void simulator_init(struct simulator *simulator, uint32_t n_workers, uint32_t n_buckets, uint64_t seed);
void simulator_fini(struct simulator *simulator);

/* 0 <= result < n. */
uint32_t simulator_random(struct simulator *simulator, uint32_t n);

/* So many measures, decisions and moves. */
void simulator_run(struct simulator *simulator, uint32_t n_rounds);

/* Demand of a worker's buckets now. */
double simulator_demand(const struct simulator *simulator, uint32_t slot);
/* Demand of the most over that of the least loaded worker. */
double simulator_imbalance(const struct simulator *simulator);

/* A worker goes: the mechanism deals its buckets out to the others. */
void simulator_leave(struct simulator *simulator, uint32_t slot);

/* Forgets what has been seen of moves. */
void simulator_forget(struct simulator *simulator);

#endif
