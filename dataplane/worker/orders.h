/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * orders.h — what the frontend orders: messages on the attach socket (shm/attach.h), each with a number, and
 * the control slots in the rx rings that say when (shm/lane.h).
 *
 *   FENCE    in both rings: behind the second one, at the end of that turn, the flows are exported; answered
 *            in both tx rings behind everything staged before
 *   ADOPT    in both rings: at the first one, before anything behind it, the flows are adopted; answered in
 *            the normal tx ring with the number of flows
 *   RELEASE  the flows exported under this number or a lower one are another's for good
 *   RESET    one flow is to be reset
 *
 * A message is there before its slot. A slot that finds none is carried out with nothing in it, so that the
 * frontend always gets its answer.
 */
#ifndef MPA_WORKER_ORDERS_H
#define MPA_WORKER_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "border/border.h"
#include "shm/attach.h"

struct worker;

#define ORDERS_MAX 64u /* at a time; the frontend has an estate of each slot and little else under way */

union order_message {
    struct attach_export export;
    struct attach_adopt adopt;
    struct attach_reset reset;
    struct {
        uint32_t magic, kind;
        uint64_t number;
    } head; /* of all of them */
};

struct order {
    uint64_t number;    /* 0: the place is free */
    uint8_t met;        /* rx rings whose slot was met, a bit each */
    uint8_t unanswered; /* tx rings that still get an answer, a bit each */
    uint32_t n_flows;   /* of the answer */
    uint64_t arrived;   /* a count: the lowest came first */
    int source_fd;      /* ADOPT: owned, -1 when used */
    union order_message message;
};

struct orders {
    struct order places[ORDERS_MAX];
    uint64_t n_arrived;
    uint32_t n_exports_due; /* fences met in both rings in this turn */
    uint32_t n_unanswered;  /* places with answers that found no room yet */
};

void orders_init(struct orders *orders);
/* Forgets everything, closing descriptors: the numbers of a new frontend have nothing to do with it. */
void orders_fini(struct orders *orders);

/* Reads what lies on the attach socket; false: its end. Nonsense is logged and left out. */
bool orders_receive(struct worker *worker);

/* A control slot other than ADDRESSES was met in ring `priority`, in its place among the frames. */
void orders_slot(struct worker *worker, const struct border_rx *slot, enum lane_priority priority);

/* The end of a turn, behind all of its output and before its commit: exports whose fences were met, and
 * answers. */
void orders_finish_turn(struct worker *worker);

/* True while an answer waits for room in a tx ring. */
static inline bool orders_have_answers(const struct orders *orders)
{
    return orders->n_unanswered > 0;
}

#endif
