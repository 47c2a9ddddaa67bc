/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * orders.h — what whoever runs us says on standard input during a long run, a line each:
 *
 *   fault NS   something was done to the stack at that time of CLOCK_MONOTONIC
 *   probe      idle connections: each sends once and waits for the answer
 *   stat       print the counts as they are
 *   stop       send nothing more, let everything end, print the counts
 *
 * The end of standard input means stop.
 */
#ifndef MPA_TESTS_PEER_ORDERS_H
#define MPA_TESTS_PEER_ORDERS_H

#include <stdint.h>

enum order { ORDER_NONE, ORDER_FAULT, ORDER_PROBE, ORDER_STAT, ORDER_STOP };

struct orders {
    char bytes[256];
    unsigned n_bytes;
};

/* Makes standard input non-blocking. 0 or -errno. */
int orders_init(struct orders *orders) __attribute__((warn_unused_result));

/* The next order; ORDER_NONE when none has come. *number is that of a fault. Unknown lines are skipped. */
enum order orders_next(struct orders *orders, uint64_t *number);

#endif
