/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * board_shed.c — the order to refuse new connections on its way to the loop: one word, so that it is never
 * half of one and half of another. From the low bits up:
 *
 *     lane_mask:16 idle_s:16 lease_ms:16 step:3 is_all:1 is_silent:1 number:11
 *
 * The number, never 0, tells an order that comes again from one that was taken already.
 */
#include "frontend/board_shed.h"

#include "base/assert.h"
#include "frontend/board.h"

#define IDLE_SHIFT 16
#define LEASE_SHIFT 32
#define STEP_SHIFT 48
#define STEP_MASK 7u
#define ALL_SHIFT 51
#define SILENT_SHIFT 52
#define NUMBER_SHIFT 53
#define NUMBER_MAX 2047u

void board_shed_set(struct board *board, const struct board_shed *shed)
{
    uint64_t number = atomic_load_explicit(&board->shed, memory_order_relaxed) >> NUMBER_SHIFT;
    uint64_t word = shed->lane_mask | (uint64_t)shed->idle_s << IDLE_SHIFT |
                    (uint64_t)shed->lease_ms << LEASE_SHIFT | (uint64_t)shed->step << STEP_SHIFT |
                    (uint64_t)shed->is_all << ALL_SHIFT | (uint64_t)shed->is_silent << SILENT_SHIFT;

    mpa_assert(shed->step <= STEP_MASK && shed->lease_ms > 0 && shed->lease_ms <= BOARD_SHED_MAX_LEASE_MS);
    number = number % NUMBER_MAX + 1;
    /* One word with nothing behind it: no order of memory is needed. */
    atomic_store_explicit(&board->shed, word | number << NUMBER_SHIFT, memory_order_relaxed);
}

bool board_shed_take(const struct board *board, uint64_t *seen, struct board_shed *shed)
{
    uint64_t word = atomic_load_explicit(&board->shed, memory_order_relaxed);

    if (word == *seen)
        return false;
    *seen = word;
    *shed = (struct board_shed){
        .lane_mask = (uint16_t)word,
        .idle_s = (uint16_t)(word >> IDLE_SHIFT),
        .lease_ms = (uint16_t)(word >> LEASE_SHIFT),
        .step = (uint8_t)(word >> STEP_SHIFT & STEP_MASK),
        .is_all = (word >> ALL_SHIFT & 1) != 0,
        .is_silent = (word >> SILENT_SHIFT & 1) != 0,
    };
    return true;
}
