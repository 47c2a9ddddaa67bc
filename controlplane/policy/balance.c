/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * balance.c — measures, and when to act on them.
 *
 * Scores and bucket rates are smoothed with the same weight: a bucket's load is its worker's score times its
 * part of the rate, and the two must lag alike. After a move both are carried over as expected, so that the
 * lag of a smoothed score does not look like a move that did nothing.
 *
 *   even ── above the factor for confirm_rounds ──► acting ── below settle ──► even
 *                                                   │  ▲
 *                                        moves, then cool_rounds
 *
 * Acting that does not settle ends when at least the factor is kept, for the rest may be noise. Above it,
 * acting becomes slower: after some moves the pause doubles, so that a load nobody can even (it shifts faster
 * than the rounds, say) costs few moves an hour.
 */
#include "controlplane/policy/balance_internal.h"

#include <math.h>
#include <stdlib.h>

#define SMOOTH 0.3      /* weight of the newest measure */
#define SURE 0.3        /* evidence, see there */
#define PINNED_PART 0.1 /* of a worker's frames; less may be a matter of when which count was taken */
#define QUIET 0.5f      /* frames a second; less is what smoothing has left of traffic that is over */
#define MS_PER_S 1000.0f
#define PATIENT_ACTS 4u /* moves in a row before it slows down, or is content with less */
#define MAX_COOL_DOUBLINGS 4u
#define FORGET_ROUNDS 60u /* even for so long: patience is back */

void balance_defaults(struct balance_config *config)
{
    *config = (struct balance_config){
        .weight_cpu = 50,
        .weight_ring = 30,
        .weight_connections = 20,
        .factor_permille = 1500,
        .settle_permille = 1150,
        .floor_permille = 100,
        .max_moves = BALANCE_MAX_MOVES,
        .confirm_rounds = 2,
        .cool_rounds = 1,
        .rest_rounds = 30,
    };
}

const char *balance_config_fault(const struct balance_config *config)
{
    if (config->weight_cpu > 1000 || config->weight_ring > 1000 || config->weight_connections > 1000 ||
        config->weight_cpu + config->weight_connections == 0) /* the ring's tells of no bucket */
        return "weights";
    if (config->settle_permille <= 1000)
        return "settle_permille";
    if (config->factor_permille < config->settle_permille)
        return "factor_permille";
    if (config->floor_permille > 1000)
        return "floor_permille";
    if (config->max_moves == 0 || config->max_moves > BALANCE_MAX_MOVES)
        return "max_moves";
    return NULL;
}

struct balance *balance_new(uint32_t n_buckets, const struct balance_config *config)
{
    struct balance *balance;

    mpa_assert(n_buckets > 0 && n_buckets <= BALANCE_MAX_BUCKETS && balance_config_fault(config) == NULL);
    balance = calloc(1, sizeof(*balance) + n_buckets * sizeof(balance->buckets[0]));
    if (balance == NULL)
        return NULL;
    balance->config = *config;
    balance->n_buckets = n_buckets;
    return balance;
}

void balance_configure(struct balance *balance, const struct balance_config *config)
{
    mpa_assert(balance_config_fault(config) == NULL);
    balance->config = *config;
}

void balance_free(struct balance *balance)
{
    free(balance);
}

uint32_t balance_n_buckets(const struct balance *balance)
{
    return balance->n_buckets;
}

uint32_t balance_score_permille(const struct balance *balance, uint32_t slot)
{
    if (slot >= BALANCE_MAX_WORKERS || !balance->seats[slot].is_there)
        return 0;
    return (uint32_t)lround(balance_seat_score(&balance->seats[slot]));
}

/* ---- measures ---- */

static uint32_t at_most_1000(uint32_t permille)
{
    return permille < 1000 ? permille : 1000;
}

/* The weight of a measure in the score. */
static double part_of(const struct balance_config *config, uint32_t weight, uint32_t permille)
{
    uint32_t sum = config->weight_cpu + config->weight_ring + config->weight_connections;

    return (double)(weight * at_most_1000(permille)) / (double)sum;
}

double balance_cpu_limit(const struct balance *balance)
{
    return part_of(&balance->config, balance->config.weight_cpu, 1000);
}

static void smooth(double *value, double newest, bool is_known)
{
    *value = is_known ? *value + SMOOTH * (newest - *value) : newest;
}

/* All frames of a worker. */
static void observe_frames(struct balance_seat *seat, const struct balance_worker *worker,
                           uint32_t interval_ms, bool is_known)
{
    bool has_rate = is_known && seat->frames > 0 && worker->frames >= seat->frames;

    if (has_rate)
        smooth(&seat->all_rate,
               (double)(worker->frames - seat->frames) * (double)MS_PER_S / (double)interval_ms,
               seat->all_rate > 0);
    else
        seat->all_rate = 0;
    seat->frames = worker->frames;
}

static void observe_workers(struct balance *balance, const struct balance_input *input)
{
    const struct balance_config *config = &balance->config;

    for (uint32_t slot = 0; slot < BALANCE_MAX_WORKERS; slot++) {
        const struct balance_worker *worker = &input->workers[slot];
        struct balance_seat *seat = &balance->seats[slot];
        bool is_known = seat->is_there && seat->life == worker->life;

        smooth(&seat->cpu, part_of(config, config->weight_cpu, worker->busy_permille), is_known);
        smooth(&seat->ring, part_of(config, config->weight_ring, worker->ring_permille), is_known);
        smooth(&seat->connections, part_of(config, config->weight_connections, worker->connections_permille),
               is_known);
        observe_frames(seat, worker, input->interval_ms, is_known);
        seat->is_there = worker->is_there;
        seat->life = worker->life;
        seat->rate = 0;
        seat->n_buckets = 0;
        seat->n_busy = 0;
    }
}

/* A frontend that is new counts from 0 again. */
static bool is_counting_anew(const struct balance *balance, const struct balance_input *input)
{
    for (uint32_t i = 0; i < balance->n_buckets; i++) {
        if (input->frames[i] < balance->buckets[i].frames)
            return true;
    }
    return false;
}

/* Returns whether a bucket has changed hands without us: a drain, a death, a worker that came. */
static bool observe_buckets(struct balance *balance, const struct balance_input *input)
{
    bool is_moved = false;

    for (uint32_t i = 0; i < balance->n_buckets; i++) {
        struct balance_bucket *bucket = &balance->buckets[i];
        float rate = (float)(input->frames[i] - bucket->frames) * MS_PER_S / (float)input->interval_ms;

        if (balance->has_rates)
            bucket->rate += (float)SMOOTH * (rate - bucket->rate);
        else
            bucket->rate = rate;
        if (bucket->rate < QUIET)
            bucket->rate = 0;
        bucket->frames = input->frames[i];
        is_moved |= bucket->owner != input->owners[i];
        bucket->owner = input->owners[i];
        if (bucket->owner >= BALANCE_MAX_WORKERS)
            continue;
        balance->seats[bucket->owner].rate += (double)bucket->rate;
        balance->seats[bucket->owner].n_buckets++;
        balance->seats[bucket->owner].n_busy += bucket->rate > 0;
    }
    return is_moved;
}

/* What is not of its buckets. */
static void observe_pinned(struct balance *balance)
{
    for (uint32_t slot = 0; slot < BALANCE_MAX_WORKERS; slot++) {
        struct balance_seat *seat = &balance->seats[slot];
        double rest = seat->all_rate - seat->rate;

        seat->pinned_rate = rest >= PINNED_PART * seat->all_rate && rest > 0 ? rest : 0;
    }
}

static void cool(struct balance *balance, uint32_t rounds)
{
    if (balance->cools_to < balance->round + rounds)
        balance->cools_to = balance->round + rounds;
}

static void settle(struct balance *balance)
{
    if (balance->is_acting)
        balance->settled_from = balance->round;
    balance->is_acting = false;
    balance->n_over = 0;
    balance->evidence = 0;
}

/* Excess over the limit, rounds on end: gross unevenness is believed at once, what might be noise later. */
static void observe_excess(struct balance *balance, double max, double limit)
{
    if (max <= limit) {
        balance->n_over = 0;
        balance->evidence = 0;
        return;
    }
    balance->n_over++;
    balance->evidence += max < 2 * limit ? max / limit - 1 : 1;
}

static bool is_sure(const struct balance *balance)
{
    return balance->n_over >= balance->config.confirm_rounds && balance->evidence >= SURE;
}

/* Where the hysteresis stands after the measures of this round. */
static void observe_evenness(struct balance *balance)
{
    const struct balance_config *config = &balance->config;
    struct balance_extremes extremes;
    double factor_limit, limit;

    balance_find_extremes(balance, &extremes);
    factor_limit = extremes.min * config->factor_permille / 1000.0;
    limit = balance->is_acting ? extremes.min * config->settle_permille / 1000.0 : factor_limit;
    if (balance->round < balance->cools_to) {
        /* What is seen now is mostly what was expected. */
        balance->n_over = 0;
        balance->evidence = 0;
    } else if (extremes.max < config->floor_permille) {
        settle(balance);
    } else {
        observe_excess(balance, extremes.max, limit);
        if (balance->is_acting &&
            (extremes.max <= limit || (balance->n_acts >= PATIENT_ACTS && extremes.max <= factor_limit)))
            settle(balance);
        else if (is_sure(balance))
            balance->is_acting = true;
    }
    if (!balance->is_acting && balance->round - balance->settled_from >= FORGET_ROUNDS)
        balance->n_acts = 0;
}

void balance_observe(struct balance *balance, const struct balance_input *input)
{
    bool had_counts = balance->round > 0;
    bool is_moved;

    mpa_assert(input->interval_ms > 0);
    if (had_counts && is_counting_anew(balance, input)) {
        balance->has_rates = false;
        had_counts = false;
    }
    balance->round++;
    observe_workers(balance, input);
    if (!had_counts) {
        /* Counts since ever are no rate: this round only begins. */
        for (uint32_t i = 0; i < balance->n_buckets; i++) {
            balance->buckets[i] = (struct balance_bucket){.frames = input->frames[i],
                                                          .owner = input->owners[i],
                                                          .rests_to = balance->buckets[i].rests_to};
        }
        settle(balance);
        return;
    }
    is_moved = observe_buckets(balance, input);
    observe_pinned(balance);
    balance->has_rates = true;
    if (is_moved)
        cool(balance, balance->config.cool_rounds);
    observe_evenness(balance);
}

/* ---- what to do ---- */

/* A reason to do nothing; false: there is none. */
static bool is_held_back(const struct balance *balance, const struct balance_extremes *extremes,
                         struct balance_decision *decision)
{
    if (extremes->max < balance->config.floor_permille) {
        decision->reason = BALANCE_IDLE;
        return true;
    }
    if (balance->round < balance->cools_to) {
        decision->reason = BALANCE_COOLING;
        decision->rounds_left = balance->cools_to - balance->round;
        return true;
    }
    if (balance->is_acting && is_sure(balance))
        return false;
    decision->reason = balance->n_over > 0 ? BALANCE_UNSURE : BALANCE_EVEN;
    if (balance->n_over > 0)
        decision->rounds_left = balance->n_over < balance->config.confirm_rounds
                                    ? balance->config.confirm_rounds - balance->n_over
                                    : 1;
    return true;
}

void balance_decide(const struct balance *balance, bool is_forced, struct balance_decision *decision)
{
    struct balance_extremes extremes;

    *decision = (struct balance_decision){
        .round = balance->round,
        .heaviest = BALANCE_NO_WORKER,
        .lightest = BALANCE_NO_WORKER,
        .elephant = BALANCE_NO_BUCKET,
        .elephant_worker = BALANCE_NO_WORKER,
        .factor_permille =
            balance->is_acting ? balance->config.settle_permille : balance->config.factor_permille,
    };
    if (!balance->has_rates) {
        decision->reason = BALANCE_NO_MEASURES;
        return;
    }
    balance_find_extremes(balance, &extremes);
    decision->heaviest = extremes.heaviest;
    decision->lightest = extremes.lightest;
    decision->max_permille = decision->new_max_permille = (uint32_t)lround(extremes.max);
    decision->min_permille = decision->new_min_permille = (uint32_t)lround(extremes.min);
    if (extremes.n_there < 2) {
        decision->reason = BALANCE_TOO_FEW;
        return;
    }
    if (is_forced || !is_held_back(balance, &extremes, decision))
        balance_plan(balance, &extremes, decision);
    /* Doing nothing because one bucket is the load is another thing than nothing to do. */
    if (decision->n_moves == 0 && extremes.elephant != BALANCE_NO_BUCKET) {
        decision->elephant = extremes.elephant;
        decision->elephant_worker = extremes.elephant_worker;
        decision->elephant_permille = (uint32_t)lround(extremes.elephant_part * 1000.0);
        if (decision->reason == BALANCE_EVEN || decision->reason == BALANCE_IDLE ||
            decision->reason == BALANCE_NO_GAIN)
            decision->reason = BALANCE_ELEPHANT_LEFT;
    }
}

/* A bucket with all that is known of it goes to another seat. */
static void seat_move(struct balance *balance, uint32_t bucket, uint8_t to, const double costs[])
{
    struct balance_bucket *entry = &balance->buckets[bucket];
    struct balance_seat *from_seat, *to_seat = &balance->seats[to];
    double cpu, connections;

    if (entry->owner >= BALANCE_MAX_WORKERS || entry->owner == to)
        return;
    from_seat = &balance->seats[entry->owner];
    cpu = costs[entry->owner] * (double)entry->rate;
    connections = from_seat->connections / from_seat->n_buckets;
    from_seat->cpu -= cpu;
    from_seat->connections -= connections;
    from_seat->rate -= (double)entry->rate;
    from_seat->all_rate -= (double)entry->rate;
    from_seat->n_buckets--;
    to_seat->cpu += cpu;
    to_seat->connections += connections;
    to_seat->rate += (double)entry->rate;
    to_seat->all_rate += (double)entry->rate;
    to_seat->n_buckets++;
    entry->owner = to;
}

/* The measures as they are expected after the moves. */
static void seats_expect(struct balance *balance, const struct balance_decision *decision)
{
    double costs[BALANCE_MAX_WORKERS];
    double limit = balance_cpu_limit(balance);

    balance_find_costs(balance, costs);
    for (uint32_t slot = 0; slot < BALANCE_MAX_WORKERS; slot++)
        balance->seats[slot].cpu = costs[slot] * balance_seat_rate(&balance->seats[slot]);
    for (uint32_t i = 0; i < decision->n_moves; i++)
        seat_move(balance, decision->moves[i].bucket, decision->moves[i].to, costs);
    for (uint32_t slot = 0; slot < BALANCE_MAX_WORKERS; slot++) {
        struct balance_seat *seat = &balance->seats[slot];

        /* A ring that was full is emptied by a worker that is no longer. */
        if (seat->cpu < BALANCE_FULL_PART * limit)
            seat->ring = 0;
        if (seat->cpu > limit)
            seat->cpu = limit;
    }
}

void balance_commit(struct balance *balance, const struct balance_decision *decision)
{
    uint32_t doublings = 0;

    if (decision->n_moves == 0)
        return;
    for (uint32_t i = 0; i < decision->n_moves; i++) {
        const struct balance_move *move = &decision->moves[i];

        mpa_assert(move->bucket < balance->n_buckets && move->to < BALANCE_MAX_WORKERS);
        balance->buckets[move->bucket].rests_to = balance->round + balance->config.rest_rounds;
    }
    seats_expect(balance, decision);
    balance->n_acts++;
    if (balance->n_acts > PATIENT_ACTS)
        doublings = balance->n_acts - PATIENT_ACTS < MAX_COOL_DOUBLINGS ? balance->n_acts - PATIENT_ACTS
                                                                        : MAX_COOL_DOUBLINGS;
    cool(balance, (balance->config.cool_rounds + 1) << doublings);
}
