/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scale.c — counts rounds above and below. Between `down` and `up` lies the hysteresis; and a worker only
 * goes when what it leaves behind keeps the rest below KEEP_PART of `up`, so that down is never followed by
 * up at the same load.
 */
#include "controlplane/policy/scale.h"

#include <stdio.h>

#include "base/assert.h"

#define KEEP_PERMILLE 800u /* of up_permille */

const char *scale_config_fault(const struct scale_config *config)
{
    if (config->min_workers == 0 || config->min_workers > SCALE_MAX_WORKERS)
        return "min_workers";
    if (config->max_workers < config->min_workers || config->max_workers > SCALE_MAX_WORKERS)
        return "max_workers";
    if (config->up_permille > 1000 || config->up_rounds == 0)
        return "up_permille";
    if (config->down_permille >= config->up_permille || config->down_rounds == 0)
        return "down_permille";
    return NULL;
}

void scale_init(struct scale *scale, const struct scale_config *config)
{
    mpa_assert(scale_config_fault(config) == NULL);
    *scale = (struct scale){.config = *config};
}

struct census {
    uint32_t n, n_ready;
    uint32_t sum_permille;
};

static struct census count(const struct scale_worker workers[SCALE_MAX_WORKERS])
{
    struct census census = {0};

    for (uint8_t slot = 0; slot < SCALE_MAX_WORKERS; slot++) {
        if (!workers[slot].is_there)
            continue;
        census.n++;
        census.n_ready += workers[slot].is_ready;
        census.sum_permille += workers[slot].score_permille;
    }
    return census;
}

/* What the load asks for, bounds and patience apart. */
static void judge_load(struct scale *scale, const struct census *census, struct scale_decision *decision)
{
    const struct scale_config *config = &scale->config;
    bool is_high = decision->mean_permille >= config->up_permille;
    bool is_low = decision->mean_permille < config->down_permille;

    scale->n_high = is_high ? scale->n_high + 1 : 0;
    scale->n_low = is_low ? scale->n_low + 1 : 0;
    if (!is_high && !is_low)
        return;
    if (is_high && census->n >= config->max_workers) {
        decision->reason = SCALE_AT_MOST;
    } else if (is_low && census->n <= config->min_workers) {
        decision->reason = SCALE_AT_LEAST;
    } else if (is_low && decision->rest_permille * 1000u >= config->up_permille * KEEP_PERMILLE) {
        decision->reason = SCALE_REST_FULL;
    } else if (is_high ? scale->n_high < config->up_rounds : scale->n_low < config->down_rounds) {
        decision->reason = SCALE_UNSURE;
    } else {
        decision->reason = is_high ? SCALE_HIGH : SCALE_LOW;
        decision->action = is_high ? SCALE_UP : SCALE_DOWN;
    }
}

void scale_round(struct scale *scale, const struct scale_worker workers[SCALE_MAX_WORKERS],
                 struct scale_decision *decision)
{
    const struct scale_config *config = &scale->config;
    struct census census = count(workers);

    *decision = (struct scale_decision){.action = SCALE_STAY, .reason = SCALE_FITS, .n_workers = census.n};
    decision->mean_permille = census.n_ready == 0 ? 0 : census.sum_permille / census.n_ready;
    decision->rest_permille = census.n_ready <= 1 ? 1000 : census.sum_permille / (census.n_ready - 1);
    if (scale->n_cool > 0 || census.n_ready < census.n) {
        /* A worker that is on its way changes the mean: no counting meanwhile. */
        scale->n_cool -= scale->n_cool > 0;
        scale->n_high = scale->n_low = 0;
        decision->reason = SCALE_COOLING;
        return;
    }
    if (census.n < config->min_workers) {
        decision->action = SCALE_UP;
        decision->reason = SCALE_BELOW_LEAST;
    } else if (census.n > config->max_workers) {
        decision->action = SCALE_DOWN;
        decision->reason = SCALE_ABOVE_MOST;
    } else {
        judge_load(scale, &census, decision);
    }
    if (decision->action == SCALE_STAY)
        return;
    scale->n_high = scale->n_low = 0;
    scale->n_cool = config->cool_rounds;
}

const char *scale_reason_name(enum scale_reason reason)
{
    static const char *const names[SCALE_N_REASONS] = {
        [SCALE_FITS] = "fits",
        [SCALE_BELOW_LEAST] = "below_least",
        [SCALE_ABOVE_MOST] = "above_most",
        [SCALE_HIGH] = "high",
        [SCALE_LOW] = "low",
        [SCALE_AT_MOST] = "at_most",
        [SCALE_AT_LEAST] = "at_least",
        [SCALE_UNSURE] = "unsure",
        [SCALE_COOLING] = "cooling",
        [SCALE_REST_FULL] = "rest_full",
    };

    return names[reason];
}

void scale_text(const struct scale *scale, const struct scale_decision *decision, char *text, size_t size)
{
    static const char *const meanings[SCALE_N_REASONS] = {
        [SCALE_FITS] = "that fits",
        [SCALE_BELOW_LEAST] = "fewer than there shall be at least: one more",
        [SCALE_ABOVE_MOST] = "more than there may be: one less",
        [SCALE_HIGH] = "high for long enough: one more",
        [SCALE_LOW] = "low for long enough: one less",
        [SCALE_AT_MOST] = "high, but no more are allowed",
        [SCALE_AT_LEAST] = "low, but no fewer are allowed",
        [SCALE_UNSURE] = "high or low, not for long enough yet",
        [SCALE_COOLING] = "a change is under way, or a moment ago",
        [SCALE_REST_FULL] = "low, but the others would be high without one",
    };

    snprintf(
        text, size,
        "%u worker%s (%u to %u allowed) with a mean score of %u of 1000 (low below %u, high from %u): %s",
        decision->n_workers, decision->n_workers == 1 ? "" : "s", scale->config.min_workers,
        scale->config.max_workers, decision->mean_permille, scale->config.down_permille,
        scale->config.up_permille, meanings[decision->reason]);
}
