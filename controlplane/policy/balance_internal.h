/* SPDX-License-Identifier: BSD-3-Clause */
/* balance_internal.h — the state of the balancer, shared by its two halves: measures and plan. */
#ifndef MPA_POLICY_BALANCE_INTERNAL_H
#define MPA_POLICY_BALANCE_INTERNAL_H

#include "controlplane/policy/balance.h"

/* A bucket with this part of its worker's load is an elephant; with this part it *is* the load. */
#define BALANCE_ELEPHANT_PART 0.33
#define BALANCE_WHOLE_PART 0.9

struct balance_bucket {
    uint64_t frames;   /* as of the round before */
    float rate;        /* smoothed, frames each second */
    uint32_t rests_to; /* round; it may move again from then on */
    uint8_t owner;
};

/* One worker. The three parts of its score are smoothed; together at most 1000. */
struct balance_seat {
    bool is_there;
    uint32_t life;
    double cpu, ring;
    double connections; /* they go with buckets, not with frames */
    double rate;        /* of its buckets together */
    uint64_t frames;    /* as of the round before */
    double all_rate;    /* smoothed, of everything it is given; 0: not known */
    double pinned_rate; /* of single flows that are pinned to it, which no bucket can take away */
    uint32_t n_buckets;
    uint32_t n_busy; /* of them: with traffic */
};

static inline double balance_seat_score(const struct balance_seat *seat)
{
    return seat->cpu + seat->ring + seat->connections;
}

/* Everything that it works for. */
static inline double balance_seat_rate(const struct balance_seat *seat)
{
    return seat->rate + seat->pinned_rate;
}

struct balance {
    struct balance_config config;
    uint32_t round;
    bool has_rates;        /* two rounds of counts have been seen */
    bool is_acting;        /* above the factor, and not below settle since */
    uint32_t n_over;       /* rounds above the limit on end */
    double evidence;       /* the excess of those rounds, added up */
    uint32_t cools_to;     /* round; no automatic decision to move before */
    uint32_t n_acts;       /* commits of late: many make it slower */
    uint32_t settled_from; /* round since which it has not been acting */
    struct balance_seat seats[BALANCE_MAX_WORKERS];
    uint32_t n_buckets;
    struct balance_bucket buckets[];
};

/* The extremes of the workers there. What holds one elephant and little else gives nothing, so it is not
 * compared. */
struct balance_extremes {
    uint32_t n_there;
    uint8_t heaviest, lightest; /* BALANCE_NO_WORKER: none */
    double max, min;
    uint32_t elephant; /* bucket of the heaviest of those held up and above the factor */
    uint8_t elephant_worker;
    double elephant_part;
    bool is_held_up[BALANCE_MAX_WORKERS]; /* by an elephant */
};
void balance_find_extremes(const struct balance *balance, struct balance_extremes *extremes);

/* Fills in reason, moves and expectation. */
void balance_plan(const struct balance *balance, const struct balance_extremes *extremes,
                  struct balance_decision *decision);

/* CPU score that a frame a second costs with each worker. */
void balance_find_costs(const struct balance *balance, double costs[BALANCE_MAX_WORKERS]);

/* The part of the CPU score from which on a worker counts as full: what more it would need cannot be seen. */
#define BALANCE_FULL_PART 0.95
/* The largest CPU score. */
double balance_cpu_limit(const struct balance *balance);

#endif
