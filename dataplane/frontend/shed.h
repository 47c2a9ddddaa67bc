/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shed.h — new connections refused under pressure. The control plane decides whose and how (struct
 * board_shed) and says it again all the time: an order that is not renewed ends with its lease, so that
 * nobody stays shut because mpa-controld has died. Established connections, connections that are being opened
 * and urgent traffic do not come this way; all of it is the receive stage's.
 */
#ifndef MPA_FRONTEND_SHED_H
#define MPA_FRONTEND_SHED_H

#include <stdbool.h>
#include <stdint.h>

#include "frontend/board_shed.h"
#include "frontend/classify.h"

struct frontend;

#define SHED_RESETS_PER_S 1000u /* and as many at once; what is more is refused without a word */

struct shed {
    struct board_shed order; /* what holds; all zero: nothing */
    uint64_t until_ns;       /* end of the lease */
    uint64_t seen;           /* the board's order that was taken last */
    uint64_t resets_ns;      /* time that the resets sent so far are worth: their rate is bounded by it */
};

/* Takes a new order from the board, ends one whose lease is over. Call it every 100 ms or so. */
void shed_update(struct frontend *frontend);

/* True while the lane is to get no new connections. */
static inline bool shed_wants(const struct shed *shed, uint8_t slot)
{
    return shed->order.is_all || (shed->order.lane_mask >> slot & 1) != 0;
}

/* A SYN as received: `verdict` says where its headers are, all of them in the `head_len` bytes. */
struct shed_frame {
    const uint8_t *bytes; /* link header first */
    uint32_t head_len;
    const struct classify_verdict *verdict;
    bool has_good_csum; /* the NIC vouches for the transport checksum */
};

/* True for a SYN that is a reset too: that opens nothing, and is never answered (RFC 9293 3.10.7.1). */
bool shed_is_reset(const struct shed_frame *frame);

/* Counts the refusal, and answers by a reset where the order says so, the rate allows it and the checksum is
 * right. */
void shed_refuse(struct frontend *frontend, const struct shed_frame *frame);

#endif
