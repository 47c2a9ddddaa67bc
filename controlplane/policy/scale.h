/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scale.h — how many workers there should be, between a least and a most number. One more when the mean score
 * has been high for some rounds; one less, by draining, when it has been low for longer and the rest would
 * stay well below high. Which one is not asked: the workers are numbered from 0, and the last one goes. State
 * in, decision out; durations in rounds.
 */
#ifndef MPA_POLICY_SCALE_H
#define MPA_POLICY_SCALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCALE_MAX_WORKERS 16u

struct scale_config {
    uint32_t min_workers, max_workers;
    uint32_t up_permille;   /* mean score above which one more is started */
    uint32_t up_rounds;     /* on end */
    uint32_t down_permille; /* mean score below which one is drained */
    uint32_t down_rounds;   /* on end */
    uint32_t cool_rounds;   /* after each change */
};

struct scale_worker {
    bool is_there; /* started or being started, and not on its way out */
    bool is_ready;
    uint32_t score_permille;
};

enum scale_action { SCALE_STAY, SCALE_UP, SCALE_DOWN };

enum scale_reason {
    SCALE_FITS,        /* neither high nor low */
    SCALE_BELOW_LEAST, /* fewer than configured: up */
    SCALE_ABOVE_MOST,  /* more than configured: down */
    SCALE_HIGH,        /* up */
    SCALE_LOW,         /* down */
    SCALE_AT_MOST,     /* high, and no more allowed */
    SCALE_AT_LEAST,    /* low, and no fewer allowed */
    SCALE_UNSURE,      /* not for long enough */
    SCALE_COOLING,     /* changed a moment ago, or a change is under way */
    SCALE_REST_FULL,   /* low, but the rest would be high */
};
#define SCALE_N_REASONS 10u

struct scale {
    struct scale_config config;
    uint32_t n_high, n_low; /* rounds on end */
    uint32_t n_cool;        /* rounds left */
};

struct scale_decision {
    enum scale_action action;
    enum scale_reason reason;
    uint32_t n_workers;
    uint32_t mean_permille;
    uint32_t rest_permille; /* expected mean of the rest after DOWN */
};

/* NULL, or the name of the first field that makes no sense. */
const char *scale_config_fault(const struct scale_config *config);

/* `config` without a fault. */
void scale_init(struct scale *scale, const struct scale_config *config);

/* One round. UP and DOWN begin the cool-down: the caller carries them out. */
void scale_round(struct scale *scale, const struct scale_worker workers[SCALE_MAX_WORKERS],
                 struct scale_decision *decision);

/* "high", "at_most", ...: one word. */
const char *scale_reason_name(enum scale_reason reason);
/* One sentence with the numbers, cut to `size`. */
void scale_text(const struct scale *scale, const struct scale_decision *decision, char *text, size_t size);

#endif
