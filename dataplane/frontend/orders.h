/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * orders.h — what is to be moved: orders of the control thread, one after the other, cut into hand-overs; and
 * the share of buckets that a new worker gets. Each order ends with a result in bounded time.
 */
#ifndef MPA_FRONTEND_ORDERS_H
#define MPA_FRONTEND_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "frontend/board.h"

struct frontend;

struct orders {
    struct board_order order; /* the one being carried out */
    bool has_order;
    bool is_handing_over; /* the engine works for it */
    bool has_moved_rest;  /* DRAIN: single flows are gone too */
    bool is_filling;      /* the engine works for a worker's share */
    uint32_t fill_mask;   /* lanes that are to get their share */
    uint64_t begun_ns;
    struct board_order_result result; /* so far */
};

/* A new worker is to get its share of the buckets. */
void orders_fill(struct frontend *frontend, uint8_t worker);

/* Goes on as far as it can without waiting; call it every turn. */
void orders_advance(struct frontend *frontend);

#endif
