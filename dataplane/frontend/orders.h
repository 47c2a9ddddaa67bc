/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * orders.h — what is to be moved: orders of the control thread, one after the other, cut into hand-overs; and
 * the share of buckets that a new worker gets. Each order ends with a result in bounded time.
 */
#ifndef MPA_FRONTEND_ORDERS_H
#define MPA_FRONTEND_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "frontend/board.h"

struct frontend;

#define ORDERS_REST_NS                                                                                       \
    (60 * CLOCK_NS_PER_S) /* what an order has moved is not taken back for a share so long */

/* Where an order has put a bucket. Void once it is with somebody else. */
struct orders_mark {
    uint64_t moved_ns; /* 0: no order has */
    uint8_t to;
};

struct orders {
    struct board_order order; /* the one being carried out */
    bool has_order;
    bool is_handing_over;      /* the engine works for it */
    bool has_moved_rest;       /* DRAIN: single flows are gone too */
    bool is_draining;          /* DRAIN: its worker was not draining before, and will not be if this fails */
    bool is_filling;           /* the engine works for a worker's share */
    uint32_t fill_mask;        /* lanes that are to get their share */
    uint64_t fill_ns;          /* not before: what could be given rests */
    struct orders_mark *marks; /* owned, one for each bucket */
    uint64_t begun_ns;
    struct board_order_result result; /* so far */
};

/* Memory for a table of n_buckets; *orders is zero. 0 or -ENOMEM. */
int orders_init(struct orders *orders, uint32_t n_buckets) MPA_WARN_UNUSED;
void orders_fini(struct orders *orders);

/* A new worker is to get its share of the buckets. Those that an order has moved stay for ORDERS_REST_NS with
 * whom it has given them to. */
void orders_fill(struct frontend *frontend, uint8_t worker);

/* Goes on as far as it can without waiting; call it every turn. */
void orders_advance(struct frontend *frontend);

#endif
