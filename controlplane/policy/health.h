/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * health.h — what follows the end of a process: started again at once, after a pause, or not at all. Pure:
 * the caller tells what it saw, and does what comes back.
 *
 * A first death is answered quickly, a crash loop slower and slower up to a ceiling (backoff.h), a healthy
 * life between two deaths starts the count over. Two exceptions keep the service up: the frontend waits a
 * second at most, for nobody stands in for it, and so does the last worker that did serve, with the base
 * delay. Nothing is given up once the whole has been up; before that, what cannot get ready has a reason that
 * trying again repeats.
 */
#ifndef MPA_POLICY_HEALTH_H
#define MPA_POLICY_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#define HEALTH_FRONTEND_MAX_MS 1000u
#define HEALTH_MAX_TRIES 3u /* of a worker, before the first start of all is given up */

enum health_cause {
    HEALTH_ASKED,       /* it was told to end */
    HEALTH_EXIT,        /* ended by itself */
    HEALTH_SIGNAL,      /* killed by a signal that was not ours */
    HEALTH_STALLED,     /* stood still with work waiting, and was killed for it */
    HEALTH_QUARANTINED, /* broke a rule of shared memory, and was killed for it */
    HEALTH_NOT_READY,   /* did not get ready in time, and was killed for it */
    HEALTH_NOT_STARTED, /* could not be started at all */
    HEALTH_UNKNOWN,     /* it is not ours, or not our child: nobody has told */
};
#define HEALTH_N_CAUSES 8u

/* An end, and what is known around it. */
struct health_end {
    enum health_cause cause;
    bool is_frontend;
    bool was_ready;      /* in the life that ended */
    uint64_t ready_ms;   /* how long */
    uint32_t n_failures; /* in a row, before this end */
    uint32_t base_ms;    /* configured delay */
    bool has_stand_in;   /* another worker serves */
    bool has_served;     /* a worker was ready once */
    bool is_wanted;      /* it is to run again */
};

enum health_action {
    HEALTH_STAY_DOWN,   /* nobody wants it back */
    HEALTH_RESTART_NOW, /* after the base delay or none: no crash loop */
    HEALTH_RESTART_LATER,
    HEALTH_GIVE_UP,
};

struct health_verdict {
    enum health_action action;
    uint32_t delay_ms;
    uint32_t n_failures; /* in a row, this end counted */
};

struct health_verdict health_judge(const struct health_end *end);

/* How long a process with so many failures waits, by what is known now: a stand-in may have died since. */
uint32_t health_delay_ms(const struct health_end *end, uint32_t n_failures);

/* "exit", "stalled", ...: one word. */
const char *health_cause_name(enum health_cause cause);

#endif
