/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * handover.h — one hand-over of buckets, of a single flow or of everything, from one living worker to
 * another. One at a time; adoption from the dead (estate.h) and hand-overs never run beside each other.
 *
 * Who dies when, and what then, is the table in docs/architecture.md ("Hand-over and adoption").
 */
#ifndef MPA_FRONTEND_HANDOVER_H
#define MPA_FRONTEND_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/key.h"
#include "frontend/board.h"
#include "shm/attach.h"

struct frontend;

enum handover_state {
    HANDOVER_IDLE,
    HANDOVER_EXPORTING, /* frames are held; the order to export waits for room in the rings */
    HANDOVER_FENCING,   /* it was sent; the fence has not come back in both tx rings */
    HANDOVER_OFFERING,  /* the flows are in no stack; the order to adopt waits for room */
    HANDOVER_ADOPTING,  /* it was sent; held frames follow, the answer is missing */
};

struct handover {
    enum handover_state state;
    struct attach_export order;
    uint8_t from;
    uint8_t heir;      /* who adopts: order.to, or `from` again when that one is gone */
    uint8_t fenced;    /* bit p: the answer was met in tx ring p */
    bool is_to_gone;   /* before it was asked to adopt */
    bool is_from_gone; /* after it had exported */
    bool is_adopted;   /* answered, or there is nothing to adopt */
    bool is_passed;    /* no held frame is left, buckets point at the heir */
    int source_fd;     /* records of a `from` that is gone before they were offered, ours; else -1 */
    uint32_t hash;     /* of the flow, when it is a single one */
    uint64_t adopt_number;
    uint64_t begun_ns, deadline_ns;
    uint64_t n_held_before;          /* held.n_ever when it began */
    struct board_order_result ended; /* how the last one ended, once IDLE again; id 0 */
};

/* What to hand over. */
struct handover_request {
    uint8_t from, to; /* lanes that serve */
    enum attach_export_what what;
    uint32_t n_buckets; /* of `from` */
    const uint16_t *buckets;
    struct flow_key key;
};

/* Begins one; the engine must be IDLE. -ENOSPC: no room among the pins, nothing has changed. */
int handover_begin(struct frontend *frontend, const struct handover_request *request) MPA_WARN_UNUSED;

/* Goes on as far as it can without waiting; call it every turn. */
void handover_advance(struct frontend *frontend);

/* The worker's answers; what was not asked is not heard. */
void handover_fenced(struct frontend *frontend, uint8_t worker, uint8_t priority, uint64_t number);
void handover_adopted(struct frontend *frontend, uint8_t worker, uint64_t number, uint32_t n_flows);

/* The lane carries nothing any more (its bit is gone from lane_mask). */
void handover_lane_gone(struct frontend *frontend, uint8_t worker);

#endif
