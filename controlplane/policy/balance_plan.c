/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * balance_plan.c — the fewest buckets that even the load, greedily: while the heaviest worker exceeds the
 * lightest, the largest bucket that makes neither end pass the mean. Large buckets go first, so few are
 * needed.
 *
 * A bucket that would only swap the two (more than three quarters of their difference) does not go. A worker
 * without a bucket that may go is closed and the next heaviest gives. A bucket that is a third of its
 * worker's load or more, an elephant, goes alone: what it does to the two is measured before anything else is
 * moved.
 *
 * Cost: a look at all buckets for each move, at most BALANCE_MAX_MOVES x 4096 by default, well below a
 * millisecond.
 */
#include "controlplane/policy/balance_internal.h"

#include <math.h>
#include <string.h>

#define AIM 1.05        /* planned heaviest over lightest: below settle, with room for noise */
#define SWAP_PART 0.75  /* of the difference; a larger bucket only changes who is heaviest */
#define CRUMB_PART 0.1  /* of the mean rate of its worker's busy buckets: less is moved for nothing */
#define WORTH_PART 0.03 /* of the mean score: less is not worth disturbing connections */

struct plan {
    const struct balance *balance;
    struct balance_decision *decision;
    double costs[BALANCE_MAX_WORKERS];   /* of a frame a second */
    double loads[BALANCE_MAX_WORKERS];   /* expected after the moves so far */
    bool is_closed[BALANCE_MAX_WORKERS]; /* gives nothing */
    bool is_taken_from_rest;             /* a bucket that would fit rests */
    double n_moved;                      /* score that changes hands */
};

/*
 * A worker that is full shows less CPU than its frames would need; how many came for it is known all the
 * same. So it is given the cost of the others, if that is more. The depth of rings has no part in it: it
 * tells that there is too much, not how much.
 */
void balance_find_costs(const struct balance *balance, double costs[BALANCE_MAX_WORKERS])
{
    double full = BALANCE_FULL_PART * balance_cpu_limit(balance);
    double cpu = 0, rate = 0;

    for (uint32_t slot = 0; slot < BALANCE_MAX_WORKERS; slot++) {
        const struct balance_seat *seat = &balance->seats[slot];

        costs[slot] = balance_seat_rate(seat) > 0 ? seat->cpu / balance_seat_rate(seat) : 0;
        if (!seat->is_there || balance_seat_rate(seat) <= 0 || seat->cpu >= full)
            continue;
        cpu += seat->cpu;
        rate += balance_seat_rate(seat);
    }
    for (uint32_t slot = 0; slot < BALANCE_MAX_WORKERS && rate > 0; slot++) {
        if (balance->seats[slot].cpu >= full && costs[slot] < cpu / rate)
            costs[slot] = cpu / rate;
    }
}

/* Load of a bucket with its owner, in score. */
static double bucket_load(const struct plan *plan, uint32_t bucket)
{
    uint8_t owner = plan->balance->buckets[bucket].owner;
    const struct balance_seat *seat;

    if (owner >= BALANCE_MAX_WORKERS || plan->balance->seats[owner].n_buckets == 0)
        return 0;
    seat = &plan->balance->seats[owner];
    /* Connections are spread over buckets by the hash, whatever each of them does. */
    return seat->connections / seat->n_buckets +
           plan->costs[owner] * (double)plan->balance->buckets[bucket].rate;
}

/* ---- who is heaviest ---- */

/* The largest bucket of each worker. */
static void find_largest(const struct balance *balance, uint32_t largest[BALANCE_MAX_WORKERS])
{
    for (uint32_t slot = 0; slot < BALANCE_MAX_WORKERS; slot++)
        largest[slot] = BALANCE_NO_BUCKET;
    for (uint32_t i = 0; i < balance->n_buckets; i++) {
        uint8_t owner = balance->buckets[i].owner;

        if (owner < BALANCE_MAX_WORKERS && (largest[owner] == BALANCE_NO_BUCKET ||
                                            balance->buckets[i].rate > balance->buckets[largest[owner]].rate))
            largest[owner] = i;
    }
}

/* Its load is flows that were moved to it alone: no bucket would take it away. */
static bool is_pinned_down(const struct balance_seat *seat)
{
    return seat->pinned_rate > 0 && seat->pinned_rate >= BALANCE_WHOLE_PART * balance_seat_rate(seat);
}

/* Of the workers held up, the heaviest that would have been acted on. */
static void find_elephant(const struct balance *balance, const uint32_t largest[BALANCE_MAX_WORKERS],
                          struct balance_extremes *extremes)
{
    double limit = extremes->min * balance->config.factor_permille / 1000.0;

    for (uint8_t slot = 0; slot < BALANCE_MAX_WORKERS; slot++) {
        double score = balance_seat_score(&balance->seats[slot]);

        if (!extremes->is_held_up[slot] || score < balance->config.floor_permille || score <= limit ||
            is_pinned_down(&balance->seats[slot]))
            continue;
        limit = score;
        extremes->elephant = largest[slot];
        extremes->elephant_worker = slot;
        extremes->elephant_part =
            (double)balance->buckets[largest[slot]].rate / balance_seat_rate(&balance->seats[slot]);
    }
}

void balance_find_extremes(const struct balance *balance, struct balance_extremes *extremes)
{
    uint32_t largest[BALANCE_MAX_WORKERS];

    *extremes = (struct balance_extremes){.heaviest = BALANCE_NO_WORKER,
                                          .lightest = BALANCE_NO_WORKER,
                                          .elephant = BALANCE_NO_BUCKET,
                                          .elephant_worker = BALANCE_NO_WORKER};
    find_largest(balance, largest);
    for (uint8_t slot = 0; slot < BALANCE_MAX_WORKERS; slot++) {
        const struct balance_seat *seat = &balance->seats[slot];
        double score;

        if (!seat->is_there)
            continue;
        extremes->n_there++;
        extremes->is_held_up[slot] =
            is_pinned_down(seat) ||
            (largest[slot] != BALANCE_NO_BUCKET && seat->rate > 0 &&
             (double)balance->buckets[largest[slot]].rate >= BALANCE_WHOLE_PART * balance_seat_rate(seat));
        score = balance_seat_score(seat);
        if (extremes->lightest == BALANCE_NO_WORKER || score < extremes->min) {
            extremes->lightest = slot;
            extremes->min = score;
        }
        if (!extremes->is_held_up[slot] &&
            (extremes->heaviest == BALANCE_NO_WORKER || score > extremes->max)) {
            extremes->heaviest = slot;
            extremes->max = score;
        }
    }
    find_elephant(balance, largest, extremes);
}

/* ---- the plan ---- */

static bool is_planned(const struct plan *plan, uint32_t bucket)
{
    for (uint32_t i = 0; i < plan->decision->n_moves; i++) {
        if (plan->decision->moves[i].bucket == bucket)
            return true;
    }
    return false;
}

/* The mean of those that can still take part. */
static double open_mean(const struct plan *plan)
{
    double sum = 0;
    unsigned n = 0;

    for (uint32_t slot = 0; slot < BALANCE_MAX_WORKERS; slot++) {
        if (!plan->balance->seats[slot].is_there || plan->is_closed[slot])
            continue;
        sum += plan->loads[slot];
        n++;
    }
    return n == 0 ? 0 : sum / n;
}

/* The open worker with most and the worker with least expected load; false: no two that differ. */
static bool find_pair(const struct plan *plan, uint8_t *from, uint8_t *to)
{
    *from = *to = BALANCE_NO_WORKER;
    for (uint8_t slot = 0; slot < BALANCE_MAX_WORKERS; slot++) {
        if (!plan->balance->seats[slot].is_there)
            continue;
        if (*to == BALANCE_NO_WORKER || plan->loads[slot] < plan->loads[*to])
            *to = slot;
        if (!plan->is_closed[slot] && (*from == BALANCE_NO_WORKER || plan->loads[slot] > plan->loads[*from]))
            *from = slot;
    }
    return *from != BALANCE_NO_WORKER && *from != *to && plan->loads[*from] > AIM * plan->loads[*to];
}

/*
 * What moving a load is good for: all of it, as long as neither end passes the mean (`want`). Beyond that it
 * still brings the heaviest down, at the price of a lightest that becomes heavy: half as good.
 */
static double worth_of(double load, double want, double gap)
{
    if (load > SWAP_PART * gap)
        return 0;
    return load <= want ? load : (load < gap - load ? load : gap - load) / 2;
}

/* Many crumbs would weigh something together, and disturb as many connections as real load. */
static double least_rate(const struct balance_seat *seat)
{
    return seat->n_busy == 0 ? INFINITY : CRUMB_PART * seat->rate / seat->n_busy;
}

/* The bucket of `from` that is best moved to `to`; BALANCE_NO_BUCKET: none that helps. */
static uint32_t find_bucket(struct plan *plan, uint8_t from, uint8_t to)
{
    const struct balance *balance = plan->balance;
    double mean = open_mean(plan);
    double too_much = plan->loads[from] - mean;
    double too_little = mean - plan->loads[to];
    double want = too_much < too_little ? too_much : too_little;
    double least = least_rate(&balance->seats[from]);
    uint32_t best = BALANCE_NO_BUCKET;
    double best_worth = 0;

    for (uint32_t i = 0; i < balance->n_buckets; i++) {
        const struct balance_bucket *bucket = &balance->buckets[i];
        double worth;

        /* One without traffic carries no load that could be seen to move. */
        if (bucket->owner != from || bucket->rate <= 0 || (double)bucket->rate < least)
            continue;
        worth = worth_of(bucket_load(plan, i), want, plan->loads[from] - plan->loads[to]);
        if (worth <= best_worth || is_planned(plan, i))
            continue;
        if (bucket->rests_to > balance->round) {
            plan->is_taken_from_rest = true;
            continue;
        }
        best = i;
        best_worth = worth;
    }
    return best;
}

static void plan_move(struct plan *plan, uint32_t bucket, uint8_t from, uint8_t to)
{
    struct balance_decision *decision = plan->decision;
    double load = bucket_load(plan, bucket);

    plan->loads[from] -= load;
    plan->loads[to] += load;
    plan->n_moved += load;
    decision->moves[decision->n_moves++] = (struct balance_move){
        .bucket = bucket, .from = from, .to = to, .load_permille = (uint16_t)lround(load)};
}

static bool is_elephant(const struct plan *plan, uint32_t bucket)
{
    const struct balance_bucket *entry = &plan->balance->buckets[bucket];

    return (double)entry->rate >=
           BALANCE_ELEPHANT_PART * balance_seat_rate(&plan->balance->seats[entry->owner]);
}

/* Moves until even, out of buckets, or at the limit. Returns true when the plan is one elephant. */
static bool plan_moves(struct plan *plan)
{
    uint8_t from, to;

    while (plan->decision->n_moves < plan->balance->config.max_moves && find_pair(plan, &from, &to)) {
        uint32_t bucket = find_bucket(plan, from, to);

        if (bucket == BALANCE_NO_BUCKET) {
            plan->is_closed[from] = true;
            continue;
        }
        if (!is_elephant(plan, bucket)) {
            plan_move(plan, bucket, from, to);
            continue;
        }
        if (plan->decision->n_moves > 0)
            return false;
        plan_move(plan, bucket, from, to);
        return true;
    }
    return false;
}

static void tell_expectation(const struct plan *plan)
{
    double max = -1, min = -1;

    for (uint32_t slot = 0; slot < BALANCE_MAX_WORKERS; slot++) {
        if (!plan->balance->seats[slot].is_there)
            continue;
        if (max < 0 || plan->loads[slot] > max)
            max = plan->loads[slot];
        if (min < 0 || plan->loads[slot] < min)
            min = plan->loads[slot];
    }
    plan->decision->new_max_permille = (uint32_t)lround(max);
    plan->decision->new_min_permille = (uint32_t)lround(min);
}

void balance_plan(const struct balance *balance, const struct balance_extremes *extremes,
                  struct balance_decision *decision)
{
    struct plan plan = {.balance = balance, .decision = decision};
    bool is_one_elephant;
    double worth;

    balance_find_costs(balance, plan.costs);
    for (uint32_t slot = 0; slot < BALANCE_MAX_WORKERS; slot++)
        plan.loads[slot] =
            balance->seats[slot].connections + plan.costs[slot] * balance_seat_rate(&balance->seats[slot]);
    worth = WORTH_PART * open_mean(&plan);
    memcpy(plan.is_closed, extremes->is_held_up, sizeof(plan.is_closed));
    is_one_elephant = plan_moves(&plan);
    if (decision->n_moves == 0 || plan.n_moved < worth) {
        decision->n_moves = 0;
        decision->reason = plan.is_taken_from_rest ? BALANCE_RESTING : BALANCE_NO_GAIN;
        return;
    }
    tell_expectation(&plan);
    decision->reason = is_one_elephant ? BALANCE_MOVE_ELEPHANT : BALANCE_MOVE;
    if (!is_one_elephant)
        return;
    decision->elephant = decision->moves[0].bucket;
    decision->elephant_worker = decision->moves[0].from;
    decision->elephant_permille =
        (uint32_t)lround(1000.0 * (double)balance->buckets[decision->elephant].rate /
                         balance_seat_rate(&balance->seats[decision->elephant_worker]));
}
