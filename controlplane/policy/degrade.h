/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * degrade.h — what to give up under pressure, in steps, and when to take it back. Each step includes those
 * before it; established connections and urgent traffic are never in the list. One step at a time, up after a
 * few rounds above its limit, down after more rounds below a lower one.
 */
#ifndef MPA_POLICY_DEGRADE_H
#define MPA_POLICY_DEGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum degrade_step {
    DEGRADE_NONE,
    DEGRADE_SHED_CONGESTED, /* no new connections on workers that are congested */
    DEGRADE_SHED_ALL,       /* no new connections anywhere */
    DEGRADE_SHORT_IDLE,     /* idle connections end sooner */
    DEGRADE_FEWER_WORKERS,  /* workers are drained and ended: helps the machine, so only that leads here */
};
#define DEGRADE_N_STEPS 5u

enum degrade_pressure {
    DEGRADE_MEMORY,  /* of workers, as a part of what they may use: more workers would be a relief */
    DEGRADE_POOL,    /* chunks of the rx pool */
    DEGRADE_CPU,     /* workers that are busy while their rings fill */
    DEGRADE_MACHINE, /* memory of the machine, where it is looked at */
};
#define DEGRADE_N_PRESSURES 4u

/* Used parts in thousandths, by enum degrade_pressure. One worker that is full must not close all of them:
 * the first step, which spares single workers, goes by the worst, every other by all together. */
struct degrade_used {
    uint32_t worst_permille[DEGRADE_N_PRESSURES]; /* of the worker that is worst off */
    uint32_t all_permille[DEGRADE_N_PRESSURES];   /* of all workers together: never above the worst */
};

struct degrade_config {
    /* Pressure at which a step begins, one for each but DEGRADE_NONE, rising. */
    uint32_t limits_permille[DEGRADE_N_STEPS - 1];
    uint32_t relief_permille; /* a step ends when pressure is so far below its limit */
    uint32_t worse_rounds;    /* above the next limit on end, before a step up */
    uint32_t better_rounds;   /* below on end, before a step down */
};

struct degrade {
    struct degrade_config config;
    enum degrade_step step;
    uint32_t n_worse, n_better; /* rounds on end */
    uint32_t n_relieved;        /* rounds on end in which DEGRADE_FEWER_WORKERS would have been left */
};

enum degrade_change { DEGRADE_SAME, DEGRADE_WORSE, DEGRADE_BETTER };

struct degrade_decision {
    enum degrade_change change;
    enum degrade_step from, to;     /* equal for DEGRADE_SAME */
    enum degrade_pressure pressure; /* the highest of those that count for the step */
    uint32_t pressure_permille;
    uint32_t limit_permille; /* it was compared with: of the step up, or where this one ends */
};

void degrade_defaults(struct degrade_config *config);
/* NULL, or the name of the first field that makes no sense. */
const char *degrade_config_fault(const struct degrade_config *config);

/* `config` without a fault. */
void degrade_init(struct degrade *degrade, const struct degrade_config *config);

/* One round. The step of `degrade` is what holds from now on. */
void degrade_round(struct degrade *degrade, const struct degrade_used *used,
                   struct degrade_decision *decision);

/* True when the machine has been without pressure for as long as it takes to leave DEGRADE_FEWER_WORKERS,
 * though this state may never have been there: what a predecessor has given up in that step may be taken
 * back. */
bool degrade_is_machine_relieved(const struct degrade *degrade);

/* The step is another from now on, whatever the pressure: an operator's word. */
void degrade_set_step(struct degrade *degrade, enum degrade_step step);

/* The decision with its numbers, as one sentence for people; `is_forced`: an operator asked, there are no
 * numbers. */
void degrade_text(const struct degrade_decision *decision, bool is_forced, char *text, size_t size);

/* "none", "shed_congested", ...; "memory", "pool", "cpu", "machine": one word. */
const char *degrade_step_name(enum degrade_step step);
const char *degrade_pressure_name(enum degrade_pressure pressure);

#endif
