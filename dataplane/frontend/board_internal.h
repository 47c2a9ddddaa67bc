/* SPDX-License-Identifier: BSD-3-Clause */
/* board_internal.h — what the two files of the board share. */
#ifndef MPA_FRONTEND_BOARD_INTERNAL_H
#define MPA_FRONTEND_BOARD_INTERNAL_H

#include "frontend/board.h"

/* Copies word by word with release stores and acquire loads: see the theory in board.c. */
void board_words_store(_Atomic uint64_t *to, const void *from, size_t size);
void board_words_load(void *to, _Atomic uint64_t *from, size_t size);

/* Control thread: wakes the loop. 0 or -errno. */
int board_wake(const struct board *board);

/* NULL: out of memory or descriptors. NULL is allowed to be freed. */
struct board_orders *board_orders_new(void) MPA_WARN_UNUSED;
void board_orders_free(struct board_orders *orders);

#endif
