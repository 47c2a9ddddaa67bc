/* SPDX-License-Identifier: BSD-3-Clause */
/* snapshot.h — the answer to GetSnapshot: the events that somebody missed, and the state they have led to. */
#ifndef MPA_CONTROLD_SNAPSHOT_H
#define MPA_CONTROLD_SNAPSHOT_H

#include <nng/nng.h>
#include <stdint.h>

#include "controlplane/controld/events.h"

/* What was asked. */
struct snapshot_query {
    uint64_t request_id;
    uint64_t after;
    uint64_t life;
    uint64_t last; /* number of the last event when the frontend was asked for its status */
};

/* The reply; `status` (taken) is a packed reply to GetStatus. It ends with the event that was the last when
 * the status was asked for: what came since may or may not be in the status. NULL: out of memory. */
nng_msg *snapshot_reply(const struct events *events, const struct snapshot_query *query,
                        nng_msg *status) MPA_WARN_UNUSED;

#endif
