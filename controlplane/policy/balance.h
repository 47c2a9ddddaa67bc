/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * balance.h — which buckets should go to which worker. Measures in, decision out: no clock, no I/O; the only
 * memory is taken by balance_new(). One round is
 *
 *     balance_observe()   takes the measures of this moment
 *     balance_decide()    says what to do and why; changes nothing, so it is the dry run too
 *     balance_commit()    the moves of that decision are on their way
 *
 * Score of a worker, 0..1000: the weighted mean of CPU, ring depth and connections, each as a share of what
 * the worker can bear. A decision to move is taken when the heaviest worker exceeds the lightest by the
 * factor, for some rounds on end and above a floor; then moves go on until the two differ by less than the
 * settle factor (hysteresis), with a pause after each (cool-down) in which the measures follow.
 *
 * Load of a bucket: its worker's CPU score times its part of the worker's frames, as in RSS++
 * (Barbette et al., "RSS++: load and state-aware receive side scaling", CoNEXT 2019), and its part of the
 * connections.
 */
#ifndef MPA_POLICY_BALANCE_H
#define MPA_POLICY_BALANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

#define BALANCE_MAX_WORKERS 16u
#define BALANCE_MAX_BUCKETS 65536u
#define BALANCE_MAX_MOVES 128u
#define BALANCE_NO_WORKER 255u
#define BALANCE_NO_BUCKET UINT32_MAX

/* All shares are in thousandths; all durations in rounds, so that the policy knows no time. */
struct balance_config {
    uint32_t weight_cpu, weight_ring, weight_connections; /* of the score; not only the ring's */
    uint32_t factor_permille;                             /* act above so many times the lightest */
    uint32_t settle_permille;                             /* and go on until below */
    uint32_t floor_permille;                              /* heaviest score that is worth acting on */
    uint32_t max_moves;                                   /* of one round, at most BALANCE_MAX_MOVES */
    uint32_t confirm_rounds; /* above the factor on end before a move, and more when it is barely above */
    uint32_t cool_rounds;    /* between moves */
    uint32_t rest_rounds;    /* a bucket that moved stays so long */
};

/* What one worker says of itself. */
struct balance_worker {
    bool is_there; /* serves, and is neither draining nor a spare: may give and get */
    uint32_t life; /* changes when another process takes the slot: old measures count no more */
    uint32_t busy_permille;
    uint32_t ring_permille;        /* fullest rx ring */
    uint32_t connections_permille; /* of those it may hold */
    uint64_t frames;               /* given to it since ever, by its buckets and by pins; 0: not known */
};

/* The measures of one moment. The arrays have n_buckets entries. */
struct balance_input {
    uint32_t interval_ms; /* since the round before, > 0 */
    struct balance_worker workers[BALANCE_MAX_WORKERS];
    const uint8_t *owners;  /* worker slot of each bucket, or BALANCE_NO_WORKER */
    const uint64_t *frames; /* since ever; a count that fell starts over */
};

enum balance_reason {
    BALANCE_NO_MEASURES,   /* first round, or the frontend is new */
    BALANCE_TOO_FEW,       /* fewer than two workers to move between */
    BALANCE_IDLE,          /* uneven or not: too little load to matter */
    BALANCE_EVEN,          /* within the factor, or settled */
    BALANCE_UNSURE,        /* above the factor, not for long enough */
    BALANCE_COOLING,       /* moved a moment ago */
    BALANCE_MOVE,          /* moves */
    BALANCE_MOVE_ELEPHANT, /* one move: a bucket that is a third of its worker's load or more */
    BALANCE_ELEPHANT_LEFT, /* one bucket is the load: wherever it went, it would be as uneven */
    BALANCE_RESTING,       /* what could go has just moved */
    BALANCE_NO_GAIN,       /* the moves possible would not be worth it */
};
#define BALANCE_N_REASONS 11u

struct balance_move {
    uint32_t bucket;
    uint8_t from, to;
    uint16_t load_permille; /* its part of the score of `from` before any move, rounded */
};

/* What to do and the numbers behind it. Worker slots are BALANCE_NO_WORKER where there is none. */
struct balance_decision {
    enum balance_reason reason;
    uint32_t round;                              /* of the measures */
    uint8_t heaviest, lightest;                  /* by score; what an elephant holds up is not `heaviest` */
    uint32_t max_permille, min_permille;         /* their scores now */
    uint32_t new_max_permille, new_min_permille; /* expected of all workers after the moves */
    uint32_t factor_permille; /* that was compared with: factor, or settle when it is acting */
    uint32_t rounds_left;     /* of COOLING; at least, of UNSURE */
    uint32_t elephant;        /* bucket, or BALANCE_NO_BUCKET */
    uint8_t elephant_worker;
    uint32_t elephant_permille; /* of its worker's load */
    uint32_t n_moves;
    struct balance_move moves[BALANCE_MAX_MOVES];
};

struct balance; /* opaque */

/* The defaults of every field. */
void balance_defaults(struct balance_config *config);
/* NULL, or the name of the first field that makes no sense. */
const char *balance_config_fault(const struct balance_config *config);

/* For a table of n_buckets (1..BALANCE_MAX_BUCKETS); NULL when memory is out. The configuration, without a
 * fault, is copied. */
struct balance *balance_new(uint32_t n_buckets, const struct balance_config *config) MPA_WARN_UNUSED;
/* Another configuration, without a fault, from the next round on; what was measured stays. */
void balance_configure(struct balance *balance, const struct balance_config *config);
void balance_free(struct balance *balance);

uint32_t balance_n_buckets(const struct balance *balance);
/* Score of a worker as smoothed, 0 for one that is not there. */
uint32_t balance_score_permille(const struct balance *balance, uint32_t slot);

/* Takes the measures; owners beyond BALANCE_MAX_WORKERS are nobody. */
void balance_observe(struct balance *balance, const struct balance_input *input);

/* What to do now. `is_forced` passes over factor, floor, confirmation and cool-down (an operator asks);
 * buckets rest all the same. Writes only *decision. */
void balance_decide(const struct balance *balance, bool is_forced, struct balance_decision *decision);

/* The moves of the last decision have been ordered: those buckets rest, the cool-down begins. No-op without
 * moves. */
void balance_commit(struct balance *balance, const struct balance_decision *decision);

/* ---- telling ---- */

/* "even", "move", ...: one word for scripts. */
const char *balance_reason_name(enum balance_reason reason);
/* One sentence with the numbers, cut to `size`. */
void balance_text(const struct balance_decision *decision, char *text, size_t size);

#endif
