/* SPDX-License-Identifier: BSD-3-Clause */
/* pressure.h — how full the workers and the rx pool are, from the frontend's replies. No I/O. */
#ifndef MPA_CONTROLD_PRESSURE_H
#define MPA_CONTROLD_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

#include "mpa/v1/control.pb-c.h"

#include "base/config.h"
#include "controlplane/policy/degrade.h"

struct pressure_worker {
    bool is_there; /* serves, and is not being drained */
    uint32_t busy_permille;
    uint64_t n_chunks; /* of the rx pool in its hands */
    uint32_t used_permille[DEGRADE_N_PRESSURES];
};

/* The pressure of one moment; gathered from three replies, in this order. */
struct pressure {
    struct pressure_worker workers[CONFIG_MAX_WORKERS];
    struct degrade_used used; /* of the worst, and of all: what the policy goes by */
};

/* Memory: the fuller of FIFO memory and stack memory, each a part of what the configuration allows. */
void pressure_take_workers(struct pressure *pressure, const Mpa__V1__GetWorkersReply *reply,
                           const struct config_worker *config);
/* CPU: a worker that is busy all the time and keeps up is well used; one whose rx ring fills meanwhile has
 * more than it can do. So the lower of both counts. */
void pressure_take_lanes(struct pressure *pressure, const Mpa__V1__GetLanesReply *reply);
/* Pool: of a worker the part of what one may hold, half of the pool; of all what is not free. Then sums up.
 */
void pressure_take_nic(struct pressure *pressure, const Mpa__V1__GetNicReply *reply);

/* Machine: what is not available, from the text of /proc/meminfo; 0 where it does not say. After the others.
 */
void pressure_take_machine(struct pressure *pressure, const char *meminfo);

/* True when all that the workers have in memory would leave one worker less below the first limit: what does
 * not fit would be reset. */
bool pressure_has_room(const struct pressure *pressure, const struct degrade_config *config);

/*
 * Workers (bit i: slot i) that are to get no new connections: those with a pressure at the first limit, and
 * of `before` those that have not left it yet. When the pool alone is short: whoever holds most of it.
 */
uint32_t pressure_congested(const struct pressure *pressure, const struct degrade_config *config,
                            uint32_t before);

#endif
