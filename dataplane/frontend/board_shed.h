/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * board_shed.h — new connections that are to be refused, and how: an order of the control plane on the board,
 * which holds for `lease_ms` and is forgotten then unless it comes again (shed.h).
 */
#ifndef MPA_FRONTEND_BOARD_SHED_H
#define MPA_FRONTEND_BOARD_SHED_H

#include <stdbool.h>
#include <stdint.h>

struct board;

#define BOARD_SHED_MAX_LEASE_MS 60000u

struct board_shed {
    uint16_t lane_mask; /* lanes that get none; they are steered to others, and refused where there is none */
    uint16_t idle_s;    /* idle limit of workers meanwhile; 0: their own */
    uint16_t lease_ms;  /* 1..BOARD_SHED_MAX_LEASE_MS */
    uint8_t step;       /* 0..7, for people: of the policy of degradation */
    bool is_all;        /* none gets any */
    bool is_silent;     /* refused without a word; else with a reset */
};

/* Control thread: the order that holds from now on, or no order any more when it orders nothing. */
void board_shed_set(struct board *board, const struct board_shed *shed);
/* Loop: the last order, if it is not the one that `*seen` tells of (0: none was seen); the same order come
 * again is another one. */
bool board_shed_take(const struct board *board, uint64_t *seen, struct board_shed *shed);

#endif
