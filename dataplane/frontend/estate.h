/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * estate.h — what workers leave behind, and who still has to adopt it. An estate is the records of a worker
 * that is dead, or of a living one whose export nobody has adopted. All estates are offered together, in a
 * round: every worker that serves is asked to adopt, from the newest estate first, the flows of the buckets
 * that are given to it when the round begins. The table of buckets stands still until all have answered. An
 * estate that one of them could not answer for, because it died, is offered again in the next round.
 */
#ifndef MPA_FRONTEND_ESTATE_H
#define MPA_FRONTEND_ESTATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "shm/attach.h"

struct frontend;
struct lane;

#define ESTATES_MAX 32u

struct estate {
    int records_fd; /* owned */
    enum attach_adopt_what what;
    uint8_t from;
    uint64_t from_attached_ns; /* which worker of that slot */
    uint64_t exported;         /* EXPORTED: number of the export */
    uint64_t exports_done;     /* DEAD: exports up to this one are adopted */
    uint64_t begun_ns;         /* its worker's death, or the export's failure */
    uint32_t n_flows, n_frames;
    uint32_t unoffered, unanswered;            /* lanes, in this round */
    bool is_in_round;                          /* else it came later and waits for the next */
    bool is_kept;                              /* somebody died before the answer: once more */
    uint64_t order_number[CONFIG_MAX_WORKERS]; /* of the order to each lane */
};

struct estates {
    struct estate list[ESTATES_MAX]; /* the first n, oldest first */
    uint32_t n;
    bool has_orphans; /* buckets or flows wait for the next round */
    bool is_round;
    uint32_t adopters; /* lanes of the round */
    uint32_t unpassed; /* lanes that have not got all their held frames yet */
    uint64_t deadline_ns;
};

void estates_init(struct estates *estates);
void estates_fini(struct estates *estates);

/* Takes the records of a lane whose worker is dead; `n_frames` were taken back from it. The oldest estate
 * gives way when there are too many: its flows are lost. */
void estates_add_dead(struct frontend *frontend, struct lane *lane, uint32_t n_frames);
/* Export `number` of a living worker has lost its heir. */
void estates_add_exported(struct frontend *frontend, const struct lane *lane, uint64_t number);
/* What `from`, detached or dead by now, had exported under `number` is adopted. */
void estates_export_done(struct frontend *frontend, uint8_t from, uint64_t number);

/* True while a round runs or one must begin before anything is handed over. */
bool estates_are_open(const struct frontend *frontend);
/* Begins, carries on and ends rounds as far as it can without waiting; call it every turn. */
void estates_advance(struct frontend *frontend);
/* A worker's answer to an order; what was not asked is not heard. */
void estates_adopted(struct frontend *frontend, uint8_t worker, uint64_t number, uint32_t n_flows);
/* The lane carries nothing any more (its bit is gone from lane_mask). */
void estates_lane_gone(struct frontend *frontend, uint8_t worker);

#endif
