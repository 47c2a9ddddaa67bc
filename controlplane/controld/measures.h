/* SPDX-License-Identifier: BSD-3-Clause */
/* measures.h — what the frontend's replies mean to the balancer. No I/O. */
#ifndef MPA_CONTROLD_MEASURES_H
#define MPA_CONTROLD_MEASURES_H

#include <stdbool.h>
#include <stdint.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"
#include "controlplane/policy/balance.h"

/* The load of one moment, gathered from three replies. */
struct measures {
    struct balance_worker workers[BALANCE_MAX_WORKERS];
    uint32_t n_buckets;
    uint8_t *owners; /* n_buckets each, ours */
    uint64_t *frames;
};

void measures_fini(struct measures *measures);

/* Who may give and get: those that serve and do not drain. `max_connections`: of one worker. */
void measures_take_workers(struct measures *measures, const Mpa__V1__GetWorkersReply *reply,
                           uint32_t max_connections);

/* How full the normal rx ring is, and how much has gone in; after the workers. */
void measures_take_lanes(struct measures *measures, const Mpa__V1__GetLanesReply *reply);

/* The bucket table. 0; -EINVAL: its lists do not fit; -ENOMEM. The arrays are made anew when it has another
 * size than before. */
int measures_take_buckets(struct measures *measures, const Mpa__V1__GetBucketsReply *reply) MPA_WARN_UNUSED;

#endif
