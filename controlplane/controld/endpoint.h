/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * endpoint.h — the server of ipc://RUNTIME/control.ipc. Answers GetStatus, Stop, Update and what the
 * balancer is asked, passes everything else on
 * to the frontend unread. Bounded: so many requests at a time, each with a deadline.
 */
#ifndef MPA_CONTROLD_ENDPOINT_H
#define MPA_CONTROLD_ENDPOINT_H

#include "base/assert.h"
#include "controlplane/controld/controld.h"

/* Opens the socket. Needs controld->link. 0, or an nng error with *endpoint NULL. */
int endpoint_new(struct endpoint **endpoint, struct controld *controld) MPA_WARN_UNUSED;
/* The link's socket must be closed first. */
void endpoint_free(struct endpoint *endpoint);

/* Main loop, after a wake. */
void endpoint_step(struct endpoint *endpoint);

#endif
