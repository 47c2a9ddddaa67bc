/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * service_rig.h — a service on two plain FIFOs, with the test as its peer. For unit tests and fuzz targets;
 * what a service may never do (produce without room, send after its close) aborts.
 */
#ifndef MPA_TESTS_SERVICE_RIG_H
#define MPA_TESTS_SERVICE_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/service.h"

struct service_rig {
    const struct service *service;
    struct fifo_memory memory;
    void *regions[2]; /* owned; `memory` is in one of them, service_rig_move() goes to the other */
    struct fifo rx, tx;
    uint32_t tx_limit_bytes; /* room that tx has in all; may be changed at any time */
    bool has_peer_closed;
    bool is_closed;
    bool is_aborted;
    uint64_t *state; /* owned: an exact allocation, so that a sanitizer sees what is outside */
};

/* A new connection to `service`, which is borrowed. Ends the process when memory is short. */
void service_rig_init(struct service_rig *rig, const struct service *service);
void service_rig_fini(struct service_rig *rig);

/* The peer sends; n_bytes must fit in the receive FIFO. */
void service_rig_send(struct service_rig *rig, const void *bytes, uint32_t n_bytes);

void service_rig_run(struct service_rig *rig);

/* Another worker goes on: the state and both FIFOs are copied elsewhere, and the old ones overwritten. */
void service_rig_move(struct service_rig *rig);

/* The peer acknowledges: copies at most n_bytes of what was sent and frees them. Returns their number. */
uint32_t service_rig_take(struct service_rig *rig, uint8_t *bytes, uint32_t n_bytes);

#endif
