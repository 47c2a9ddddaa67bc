/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_writes.h — what a worker writes and the frontend reads: its half of a lane; its flow records are in
 * flow_record.h. Nothing in it is ever believed: lib/border turns it into checked private values.
 */
#ifndef MPA_SHM_WORKER_WRITES_H
#define MPA_SHM_WORKER_WRITES_H

#include "shm/counters.h"
#include "shm/flow_record.h"
#include "shm/lane.h"

/* Gauges of a worker, written each slow tick. */
enum worker_gauge {
    WORKER_GAUGE_connections,
    WORKER_GAUGE_time_wait,
    WORKER_GAUGE_fifo_memory_used_bytes,
    WORKER_GAUGE_stack_memory_used_bytes,
    WORKER_GAUGE_busy_permille,
    WORKER_GAUGE_tx_is_congested,
    WORKER_GAUGE_heartbeat_ns, /* end of the last turn that did something, or of the last sleep */
    N_WORKER_GAUGES
};

#define WORKER_NO_SUSPECT 0u

/* The worker's half of a lane; tx slots, return slots and arenas follow (struct lane_layout). */
struct worker_half {
    struct segment_header header;
    struct lane_shape shape;
    struct lane_index rx_head[N_LANE_PRIORITIES]; /* worker writes · frontend reads · frees rx slots */
    struct lane_index
        tx_tail[N_LANE_PRIORITIES]; /* worker writes · frontend reads · publishes tx slots, arena */
    struct lane_index return_tail;  /* worker writes · frontend reads · publishes return slots */
    struct lane_index sleeping;     /* worker writes · frontend reads · odd: wake me */
    _Alignas(SEGMENT_LINE_BYTES) _Atomic uint64_t suspect; /* rx slot in hand: 1 + head chunk;
                                                              WORKER_NO_SUSPECT outside of frames */
    _Atomic uint64_t fault_signal; /* written by the worker's fault handler: SIGSEGV, SIGBUS, SIGILL, SIGFPE,
                                      SIGABRT, SIGSYS; 0: it did not die of a fault of its own */
    _Atomic uint64_t gauges[N_WORKER_GAUGES];
    _Alignas(SEGMENT_LINE_BYTES) counter counters[N_WORKER_COUNTERS];
};

#endif
