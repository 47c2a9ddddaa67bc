/* SPDX-License-Identifier: BSD-3-Clause */
/* degrade.c — a ladder with hysteresis on each rung: up at its limit, down at its limit less the relief. */
#include "controlplane/policy/degrade.h"

#include <stdio.h>

#include "base/assert.h"

void degrade_defaults(struct degrade_config *config)
{
    *config = (struct degrade_config){
        .limits_permille = {850, 900, 940, 970},
        .relief_permille = 100,
        .worse_rounds = 2,
        .better_rounds = 10,
    };
}

const char *degrade_config_fault(const struct degrade_config *config)
{
    uint32_t last_permille = config->relief_permille;

    for (uint32_t i = 0; i < DEGRADE_N_STEPS - 1; i++) {
        if (config->limits_permille[i] <= last_permille || config->limits_permille[i] > 1000)
            return "limits_permille";
        last_permille = config->limits_permille[i];
    }
    if (config->worse_rounds == 0)
        return "worse_rounds";
    return config->better_rounds == 0 ? "better_rounds" : NULL;
}

void degrade_init(struct degrade *degrade, const struct degrade_config *config)
{
    mpa_assert(degrade_config_fault(config) == NULL);
    *degrade = (struct degrade){.config = *config, .step = DEGRADE_NONE};
}

/* Fewer workers give memory back to the machine, and leave less of everything to serve with. */
static bool counts_for(enum degrade_pressure pressure, enum degrade_step step)
{
    return step != DEGRADE_FEWER_WORKERS || pressure == DEGRADE_MACHINE;
}

/* What the step goes by: the first one by the worst worker, the others by all. */
static const uint32_t *used_for(const struct degrade_used *used, enum degrade_step step)
{
    return step == DEGRADE_SHED_CONGESTED ? used->worst_permille : used->all_permille;
}

/* The highest pressure that counts for `step`. */
static enum degrade_pressure highest(const uint32_t used_permille[DEGRADE_N_PRESSURES],
                                     enum degrade_step step)
{
    enum degrade_pressure found = DEGRADE_MACHINE; /* counts for every step */

    for (enum degrade_pressure i = DEGRADE_MEMORY; i < DEGRADE_N_PRESSURES; i++) {
        if (counts_for(i, step) && used_permille[i] > used_permille[found])
            found = i;
    }
    return found;
}

/* True when the pressure is at the limit of the step above; fills in what was compared. */
static bool is_worse(const struct degrade *degrade, const struct degrade_used *used,
                     struct degrade_decision *decision)
{
    const uint32_t *used_permille = used_for(used, degrade->step + 1);
    enum degrade_pressure pressure;

    if (degrade->step == DEGRADE_N_STEPS - 1)
        return false;
    pressure = highest(used_permille, degrade->step + 1);
    decision->pressure = pressure;
    decision->pressure_permille = used_permille[pressure];
    decision->limit_permille = degrade->config.limits_permille[degrade->step];
    return used_permille[pressure] >= decision->limit_permille;
}

/* Below this, step `step` ends. */
static uint32_t end_permille(const struct degrade_config *config, enum degrade_step step)
{
    return config->limits_permille[step - 1] - config->relief_permille;
}

/* True when the pressure has left the step that holds. */
static bool is_better(const struct degrade *degrade, const struct degrade_used *used,
                      struct degrade_decision *decision)
{
    const uint32_t *used_permille = used_for(used, degrade->step);
    enum degrade_pressure pressure;

    if (degrade->step == DEGRADE_NONE)
        return false;
    pressure = highest(used_permille, degrade->step);
    decision->pressure = pressure;
    decision->pressure_permille = used_permille[pressure];
    decision->limit_permille = end_permille(&degrade->config, degrade->step);
    return used_permille[pressure] < decision->limit_permille;
}

void degrade_set_step(struct degrade *degrade, enum degrade_step step)
{
    degrade->step = step;
    degrade->n_worse = degrade->n_better = degrade->n_relieved = 0;
}

/* By the pressure that leads to the last step, whichever holds. */
static void count_relief(struct degrade *degrade, const struct degrade_used *used)
{
    const uint32_t *used_permille = used_for(used, DEGRADE_FEWER_WORKERS);

    if (used_permille[highest(used_permille, DEGRADE_FEWER_WORKERS)] >=
        end_permille(&degrade->config, DEGRADE_FEWER_WORKERS))
        degrade->n_relieved = 0;
    else if (degrade->n_relieved < degrade->config.better_rounds)
        degrade->n_relieved++;
}

bool degrade_is_machine_relieved(const struct degrade *degrade)
{
    return degrade->n_relieved >= degrade->config.better_rounds;
}

void degrade_round(struct degrade *degrade, const struct degrade_used *used,
                   struct degrade_decision *decision)
{
    *decision = (struct degrade_decision){.change = DEGRADE_SAME, .from = degrade->step};
    count_relief(degrade, used);
    if (is_worse(degrade, used, decision)) {
        degrade->n_better = 0;
        if (++degrade->n_worse >= degrade->config.worse_rounds) {
            degrade->step++;
            decision->change = DEGRADE_WORSE;
        }
    } else if (is_better(degrade, used, decision)) {
        degrade->n_worse = 0;
        if (++degrade->n_better >= degrade->config.better_rounds) {
            degrade->step--;
            decision->change = DEGRADE_BETTER;
        }
    } else {
        degrade->n_worse = degrade->n_better = 0;
    }
    if (decision->change != DEGRADE_SAME)
        degrade->n_worse = degrade->n_better = 0;
    decision->to = degrade->step;
}

/* What holds in a step. */
static const char *step_meaning(enum degrade_step step)
{
    static const char *const meanings[DEGRADE_N_STEPS] = {
        [DEGRADE_NONE] = "nothing is given up",
        [DEGRADE_SHED_CONGESTED] = "no new connections on the workers concerned",
        [DEGRADE_SHED_ALL] = "no new connections on any worker",
        [DEGRADE_SHORT_IDLE] = "no new connections, and idle ones end sooner",
        [DEGRADE_FEWER_WORKERS] = "no new connections, idle ones end sooner, and fewer workers are wanted",
    };

    return meanings[step];
}

void degrade_text(const struct degrade_decision *decision, bool is_forced, char *text, size_t size)
{
    bool is_worse_now = decision->to > decision->from;
    bool is_machine = decision->pressure == DEGRADE_MACHINE;
    const char *whose = "the machine";
    /* The step whose limit was crossed. */
    enum degrade_step step = is_worse_now ? decision->to : decision->from;

    if (is_forced) {
        snprintf(text, size, "an operator asked: %s", step_meaning(decision->to));
        return;
    }
    if (!is_machine)
        whose = step == DEGRADE_SHED_CONGESTED ? "the worst worker" : "all workers";
    snprintf(text, size, "%s of %s is at %u.%u %%, %s %u.%u %%: %s",
             is_machine ? "memory" : degrade_pressure_name(decision->pressure), whose,
             decision->pressure_permille / 10, decision->pressure_permille % 10,
             is_worse_now ? "not below" : "below", decision->limit_permille / 10,
             decision->limit_permille % 10, step_meaning(decision->to));
}

const char *degrade_step_name(enum degrade_step step)
{
    static const char *const names[DEGRADE_N_STEPS] = {
        [DEGRADE_NONE] = "none",
        [DEGRADE_SHED_CONGESTED] = "shed_congested",
        [DEGRADE_SHED_ALL] = "shed_all",
        [DEGRADE_SHORT_IDLE] = "short_idle",
        [DEGRADE_FEWER_WORKERS] = "fewer_workers",
    };

    return names[step];
}

const char *degrade_pressure_name(enum degrade_pressure pressure)
{
    static const char *const names[DEGRADE_N_PRESSURES] = {
        [DEGRADE_MEMORY] = "memory",
        [DEGRADE_POOL] = "pool",
        [DEGRADE_CPU] = "cpu",
        [DEGRADE_MACHINE] = "machine",
    };

    return names[pressure];
}
