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
 * Acting that does not settle becomes slower: after some moves the pause doubles, so that a load nobody can
 * even (it shifts faster than the rounds, say) costs few moves an hour.
 */
#include "controlplane/policy/balance_internal.h"

#include <math.h>
#include <stdlib.h>

#define SMOOTH 0.4 /* weight of the newest measure */
#define MS_PER_S 1000.0f
#define PATIENT_ACTS 3u /* moves in a row before the pause doubles */
#define MAX_COOL_DOUBLINGS 4u
#define FORGET_ROUNDS 60u /* even for so long: patience is back */

void balance_defaults(struct balance_config *config)
{
    *config = (struct balance_config){
        .weight_cpu = 50,
        .weight_ring = 30,
        .weight_connections = 20,
        .factor_permille = 1500,
        .settle_permille = 1200,
        .floor_permille = 100,
        .max_moves = 64,
        .confirm_rounds = 2,
        .cool_rounds = 2,
        .rest_rounds = 30,
    };
}

const char *balance_config_fault(const struct balance_config *config)
{
    if (config->weight_cpu > 1000 || config->weight_ring > 1000 || config->weight_connections > 1000 ||
        config->weight_cpu + config->weight_ring + config->weight_connections == 0)
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
    return (uint32_t)lround(balance->seats[slot].score);
}

/* ---- measures ---- */

static uint32_t at_most_1000(uint32_t permille)
{
    return permille < 1000 ? permille : 1000;
}

static double score_of(const struct balance_config *config, const struct balance_worker *worker)
{
    uint32_t sum = config->weight_cpu + config->weight_ring + config->weight_connections;
    uint32_t weighted = config->weight_cpu * at_most_1000(worker->busy_permille) +
                        config->weight_ring * at_most_1000(worker->ring_permille) +
                        config->weight_connections * at_most_1000(worker->connections_permille);

    return (double)weighted / (double)sum;
}

static void observe_workers(struct balance *balance, const struct balance_input *input)
{
    for (uint32_t slot = 0; slot < BALANCE_MAX_WORKERS; slot++) {
        const struct balance_worker *worker = &input->workers[slot];
        struct balance_seat *seat = &balance->seats[slot];
        double score = score_of(&balance->config, worker);
        bool is_known = seat->is_there && seat->life == worker->life;

        seat->score = is_known ? seat->score + SMOOTH * (score - seat->score) : score;
        seat->is_there = worker->is_there;
        seat->life = worker->life;
        seat->rate = 0;
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
        bucket->frames = input->frames[i];
        is_moved |= bucket->owner != input->owners[i];
        bucket->owner = input->owners[i];
        if (bucket->owner < BALANCE_MAX_WORKERS)
            balance->seats[bucket->owner].rate += (double)bucket->rate;
    }
    return is_moved;
}

static void cool(struct balance *balance, uint32_t rounds)
{
    if (balance->cools_to < balance->round + rounds)
        balance->cools_to = balance->round + rounds;
}

/* Where the hysteresis stands after the measures of this round. */
static void observe_evenness(struct balance *balance)
{
    const struct balance_config *config = &balance->config;
    struct balance_extremes extremes;
    double over, settled;

    balance_find_extremes(balance, &extremes);
    over = extremes.min * config->factor_permille / 1000.0;
    settled = extremes.min * config->settle_permille / 1000.0;
    if (extremes.heaviest == BALANCE_NO_WORKER || extremes.max < config->floor_permille ||
        extremes.max <= settled) {
        if (balance->is_acting)
            balance->settled_from = balance->round;
        balance->is_acting = false;
        balance->n_over = 0;
    } else if (extremes.max > over) {
        balance->n_over++;
    } else if (!balance->is_acting) {
        balance->n_over = 0;
    }
    if (balance->n_over > 0 && balance->n_over >= config->confirm_rounds)
        balance->is_acting = true;
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
        balance->n_over = 0;
        balance->is_acting = false;
        return;
    }
    is_moved = observe_buckets(balance, input);
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
    if (!balance->is_acting) {
        decision->reason = balance->n_over > 0 ? BALANCE_UNSURE : BALANCE_EVEN;
        if (decision->reason == BALANCE_UNSURE)
            decision->rounds_left = balance->config.confirm_rounds - balance->n_over;
        return true;
    }
    if (balance->round < balance->cools_to) {
        decision->reason = BALANCE_COOLING;
        decision->rounds_left = balance->cools_to - balance->round;
        return true;
    }
    return false;
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

void balance_commit(struct balance *balance, const struct balance_decision *decision)
{
    uint32_t doublings = 0;
    uint32_t rests_to = balance->round + balance->config.rest_rounds;

    if (decision->n_moves == 0)
        return;
    for (uint32_t i = 0; i < decision->n_moves; i++) {
        const struct balance_move *move = &decision->moves[i];
        struct balance_bucket *bucket;
        double load;

        mpa_assert(move->bucket < balance->n_buckets && move->to < BALANCE_MAX_WORKERS);
        bucket = &balance->buckets[move->bucket];
        bucket->rests_to = rests_to;
        if (bucket->owner >= BALANCE_MAX_WORKERS || bucket->owner == move->to)
            continue;
        load = balance_bucket_load(balance, move->bucket);
        balance->seats[bucket->owner].score -= load;
        balance->seats[bucket->owner].rate -= (double)bucket->rate;
        balance->seats[move->to].score += load;
        balance->seats[move->to].rate += (double)bucket->rate;
        bucket->owner = move->to;
    }
    balance->n_acts++;
    if (balance->n_acts > PATIENT_ACTS)
        doublings = balance->n_acts - PATIENT_ACTS < MAX_COOL_DOUBLINGS ? balance->n_acts - PATIENT_ACTS
                                                                        : MAX_COOL_DOUBLINGS;
    cool(balance, (balance->config.cool_rounds + 1) << doublings);
}
