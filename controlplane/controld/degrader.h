/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * degrader.h — brings the policy of degradation to the stack: asks the frontend how full everything is, has
 * the policy decide, orders what the step asks for, again with each round: the frontend forgets an order that
 * is not renewed. Keeps the last steps for those who ask why.
 */
#ifndef MPA_CONTROLD_DEGRADER_H
#define MPA_CONTROLD_DEGRADER_H

#include <nng/nng.h>
#include <stdbool.h>
#include <stdint.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"
#include "controlplane/controld/controld.h"

struct degrader; /* opaque */

/* Needs controld->link and controld->events. 0, or an nng error with *degrader NULL. */
int degrader_new(struct degrader **degrader, struct controld *controld) MPA_WARN_UNUSED;
/* The link's socket must be closed first. */
void degrader_free(struct degrader *degrader);

/* Main loop: after a wake, and every tick. */
void degrader_step(struct degrader *degrader);
void degrader_tick(struct degrader *degrader, uint64_t now_ns);

/* Takes the limits of controld->config over; the step stays. The rest is looked up when it is used. */
void degrader_configure(struct degrader *degrader);

/* control.degrade has changed: the policy decides from now on, or nobody does; a step that an operator holds
 * ends. */
void degrader_switch(struct degrader *degrader, bool is_on);

/* For whoever else decides on the number of workers: true while there are to be fewer, or those that ended
 * are not back yet; then it is decided here.
 */
bool degrader_has_workers_ended(const struct degrader *degrader);

/* The reply to each command, as request `id`; NULL: out of memory. */
nng_msg *degrader_set(struct degrader *degrader, uint64_t id,
                      const Mpa__V1__SetDegradeRequest *request) MPA_WARN_UNUSED;
nng_msg *degrader_get(const struct degrader *degrader, uint64_t id) MPA_WARN_UNUSED;

/* Its lines of the status; the text lives until the next round. */
void degrader_fill_status(const struct degrader *degrader, Mpa__V1__GetStatusReply *status);

/* The last decisions as messages, newest first. */
#define DEGRADER_MAX_DECISIONS 16u
#define DEGRADER_TEXT_BYTES 160

struct degrade_wire {
    Mpa__V1__DegradeDecision messages[DEGRADER_MAX_DECISIONS];
    Mpa__V1__DegradeDecision *list[DEGRADER_MAX_DECISIONS];
    char texts[DEGRADER_MAX_DECISIONS][DEGRADER_TEXT_BYTES];
};

/* At most `limit` of them (0: all that are kept) into `wire`; returns how many. */
size_t degrader_fill_decisions(const struct degrader *degrader, uint32_t limit, struct degrade_wire *wire);

#endif
