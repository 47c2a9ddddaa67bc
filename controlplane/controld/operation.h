/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * operation.h — what controld itself has the frontend do with a worker: begins the operation, looks until it
 * has ended, tells how. One at a time.
 */
#ifndef MPA_CONTROLD_OPERATION_H
#define MPA_CONTROLD_OPERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"
#include "controlplane/controld/frontend_link.h"

struct operation; /* opaque */

/* The end: `text` says why it is not good; borrowed for the call. */
typedef void operation_done_fn(void *context, bool is_good, const char *text);

enum operation_kind { OPERATION_DRAIN, OPERATION_UNDRAIN };

/* 0, or an nng error with NULL. */
int operation_new(struct operation **operation, struct frontend_link *link, operation_done_fn *done,
                  void *context) MPA_WARN_UNUSED;
/* The link's socket must be closed first: `done` is not called any more. */
void operation_free(struct operation *operation);

/* Begins; only while none is under way. `done` is called from operation_step() or operation_tick(), in any
 * case and within OPERATION_MAX_MS. Drain spreads over all other workers. */
void operation_begin(struct operation *operation, enum operation_kind kind, uint32_t slot, uint64_t now_ns);

#define OPERATION_MAX_BUCKETS 128u
/* The same for moving buckets, 1..OPERATION_MAX_BUCKETS of them in rising order, to the worker in slot `to`.
 */
void operation_begin_migrate(struct operation *operation, const uint32_t *buckets, size_t n, uint32_t to);

/* The same for one flow, which is pinned to the worker in slot `to`. `flow` is borrowed for the call. */
void operation_begin_migrate_flow(struct operation *operation, const Mpa__V1__FlowKey *flow, uint32_t to);

#define OPERATION_MAX_MS 120000u

/* Main loop: after a wake, and every tick. */
void operation_step(struct operation *operation);
void operation_tick(struct operation *operation, uint64_t now_ns);

#endif
