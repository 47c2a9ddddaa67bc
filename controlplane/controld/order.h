/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * order.h — what controld itself has the frontend do with a worker: begins the operation, looks until it has
 * ended, tells how. One at a time.
 */
#ifndef MPA_CONTROLD_ORDER_H
#define MPA_CONTROLD_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "controlplane/controld/frontend_link.h"

struct order; /* opaque */

/* The end: `text` says why it is not good; borrowed for the call. */
typedef void order_done_fn(void *context, bool is_good, const char *text);

enum order_kind { ORDER_DRAIN, ORDER_UNDRAIN };

/* 0, or an nng error with NULL. */
int order_new(struct order **order, struct frontend_link *link, order_done_fn *done,
              void *context) MPA_WARN_UNUSED;
/* The link's socket must be closed first: `done` is not called any more. */
void order_free(struct order *order);

/* Begins; only while none is under way. `done` is called from order_step() or order_tick(), in any case and
 * within ORDER_MAX_MS. Drain spreads over all other workers. */
void order_begin(struct order *order, enum order_kind kind, uint32_t slot, uint64_t now_ns);

#define ORDER_MAX_MS 120000u

/* Main loop: after a wake, and every tick. */
void order_step(struct order *order);
void order_tick(struct order *order, uint64_t now_ns);

#endif
