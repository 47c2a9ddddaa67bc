/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * balancer.h — brings the policy of balance to the stack: asks the frontend for the measures, has the policy
 * decide, orders the moves, keeps the last decisions for those who ask why.
 */
#ifndef MPA_CONTROLD_BALANCER_H
#define MPA_CONTROLD_BALANCER_H

#include <nng/nng.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "controlplane/controld/controld.h"

struct balancer; /* opaque */

/* Needs controld->link and controld->events. 0, or an nng error with *balancer NULL. */
int balancer_new(struct balancer **balancer, struct controld *controld) MPA_WARN_UNUSED;
/* The link's socket must be closed first. */
void balancer_free(struct balancer *balancer);

/* Main loop: after a wake, and every tick. */
void balancer_step(struct balancer *balancer);
void balancer_tick(struct balancer *balancer, uint64_t now_ns);

/* control.balance and its kin have changed in controld->config: it goes by them from now on. It measures also
 * when it is off. */
void balancer_configure(struct balancer *balancer);

/*
 * The reply to each command, as request `id`; NULL: out of memory. Rebalance decides on the last measures, at
 * most a round old; its moves are ordered unless `is_dry`, and refused while others or an update are under
 * way.
 */
nng_msg *balancer_rebalance(struct balancer *balancer, uint64_t id, bool is_dry) MPA_WARN_UNUSED;
nng_msg *balancer_explain(const struct balancer *balancer, uint64_t id, uint32_t limit) MPA_WARN_UNUSED;

#endif
