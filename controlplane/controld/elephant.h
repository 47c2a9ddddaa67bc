/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * elephant.h — which flow makes a bucket heavy? Two looks at the flows of the bucket, a moment apart: one
 * flow with nearly all bytes between them is the elephant, and may go without its company.
 */
#ifndef MPA_CONTROLD_ELEPHANT_H
#define MPA_CONTROLD_ELEPHANT_H

#include <stdint.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"
#include "controlplane/controld/frontend_link.h"

struct elephant; /* opaque */

/* The end of a search. `flow`: NULL when no flow stands out, when it has the bucket to itself, or when the
 * frontend did not answer; borrowed for the call. */
typedef void elephant_found_fn(void *context, const Mpa__V1__FlowKey *flow);

/* 0, or an nng error with NULL. */
int elephant_new(struct elephant **elephant, struct frontend_link *link, elephant_found_fn *found,
                 void *context) MPA_WARN_UNUSED;
/* The link's socket must be closed first: `found` is not called any more. */
void elephant_free(struct elephant *elephant);

/* Begins a search; only while none is under way. `found` is called from elephant_step() or elephant_tick(),
 * in any case and within some seconds. */
void elephant_begin(struct elephant *elephant, uint32_t worker, uint32_t bucket);

/* Main loop: after a wake, and every tick. */
void elephant_step(struct elephant *elephant);
void elephant_tick(struct elephant *elephant, uint64_t now_ns);

/* The flow of `after` with at least 80 % of the bytes that all have carried since `before`; NULL: there is
 * none, or no other flow. */
const Mpa__V1__Flow *elephant_pick(const Mpa__V1__GetFlowsReply *before, const Mpa__V1__GetFlowsReply *after);

#endif
