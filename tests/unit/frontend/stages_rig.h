/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stages_rig.h — the frontend's two stages over a memory NIC, and one lane whose worker the test plays. The
 * host stack is a stub that knows one neighbour for everything; the broker only notes a fault.
 */
#ifndef MPA_TESTS_STAGES_RIG_H
#define MPA_TESTS_STAGES_RIG_H

#include "frontend/frontend.h"
#include "frontend/nic/memory.h"

#define RIG_WORKER 1u
#define RIG_N_HEAD 64u

struct stages_rig {
    struct frontend frontend;
    struct lane *lane;
    struct ring_producer tx[N_LANE_PRIORITIES]; /* the worker's ends */
    struct ring_consumer rx[N_LANE_PRIORITIES];
    struct ring_producer returns;
    uint32_t arena_off; /* where the worker writes next */
    enum host_hop hop;  /* what the host stack says */
    int n_faults;
    enum lane_counter fault;
};

extern struct stages_rig rig;

/* Sets up everything anew; stages_rig_fini() takes it down. */
void stages_rig_init(void);
void stages_rig_fini(void);

/* The worker writes a packet into its arena and stages its slot. */
void stages_rig_send(enum lane_priority priority, const uint8_t *packet, uint32_t len_bytes, uint8_t flags);
/* Makes the staged slots visible, and runs one round of the transmit stage. */
void stages_rig_transmit(void);

uint64_t stages_rig_nic(enum nic_counter which);
uint64_t stages_rig_lane(enum lane_counter which);

#endif
