/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * move_rig.h — a frontend with workers in one process, for hand-over and adoption: real segments, rings and
 * sockets, a NIC in memory, and workers that keep a table of flows in place of a TCP stack. A flow is a
 * source port; its frames are numbered from 0 by their TCP sequence numbers, and a worker that has the flow
 * knows which comes next. So a worker notices what a peer would: a frame of a flow that it does not have
 * (reset), and a frame that is missing or out of order (gap). A frame that comes twice is no harm.
 *
 * A worker's table outlives it, as records do, and others adopt from it by the rules of shm/attach.h.
 */
#ifndef MPA_TESTS_MOVE_RIG_H
#define MPA_TESTS_MOVE_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "frontend/frontend.h"
#include "frontend/lane_order.h"
#include "shm/worker_writes.h"

#define RIG_N_FLOWS 200u
#define RIG_FIRST_PORT 30000u
#define RIG_N_BUCKETS 64u
#define RIG_MAX_WORKERS 200u /* that ever lived */
#define RIG_MAX_ORDERS 64u

struct rig_record {
    bool in_use;
    uint32_t next_seq;
    uint32_t epoch;
    uint64_t export_number; /* 0: not exported */
};

struct rig_worker {
    uint8_t slot;
    bool is_alive;
    int socket; /* the worker's end */
    int wake_socket;
    struct segment half, records;
    ino_t records_inode;
    struct ring_consumer rx[N_LANE_PRIORITIES];
    struct ring_producer tx[N_LANE_PRIORITIES];
    struct ring_producer returns;
    struct rig_record flows[RIG_N_FLOWS];
    uint64_t fence; /* met in one ring so far */
    uint8_t fence_rings;
    uint64_t adopted[RIG_MAX_ORDERS]; /* ADOPT slots that were met once */
    uint32_t n_adopted;
    uint32_t n_frames, n_exports, n_adopts, n_releases, n_resets;
};

struct rig {
    struct frontend frontend;
    struct rig_worker *workers; /* RIG_MAX_WORKERS, the first n_workers were used */
    uint32_t n_workers;
    uint32_t sent[RIG_N_FLOWS]; /* next sequence number that the peer sends */
    uint64_t n_sent;
    uint32_t n_resets, n_gaps;
};

/* A frontend without workers. `held_frames` as in the configuration. */
void rig_init(struct rig *rig, uint32_t held_frames);
void rig_fini(struct rig *rig);

/* A worker attaches to the slot and is ready; `ring_slots` of its normal ring. */
struct rig_worker *rig_attach(struct rig *rig, uint8_t slot, uint32_t ring_slots);
/* The living worker of the slot, or NULL. */
struct rig_worker *rig_at(struct rig *rig, uint8_t slot);
/* It dies, and the frontend sees it at once. */
void rig_kill(struct rig *rig, struct rig_worker *worker);

/* The peer sends the next frame of a flow; the NIC has it. */
void rig_send(struct rig *rig, uint32_t flow);
/* The frontend's turn. */
void rig_turn(struct rig *rig);
/* The worker's turn: takes what is there, in order, at most `n` slots of each ring; commits and publishes. */
void rig_work(struct rig *rig, struct rig_worker *worker, uint32_t n);
/* Turns of all until nothing moves. */
void rig_settle(struct rig *rig);

/* No order finds room in the worker's urgent rx ring until it has worked. */
void rig_fill(struct rig *rig, uint8_t worker);

/* Every flow sends one frame. */
void rig_send_all(struct rig *rig);
/* Where the frontend sends a flow's frames; a value of BUCKET_ when to nobody. */
uint8_t rig_worker_of(struct rig *rig, uint32_t flow);
struct flow_key rig_key(uint32_t flow);
uint32_t rig_bucket(struct rig *rig, uint32_t flow);

/* No chunk is lost, none is owned twice; nothing is held back and nobody waits; every frame sent was
 * processed once by a worker that had its flow. */
void rig_check(struct rig *rig);
/* The first part of it alone. */
void rig_check_chunks(struct rig *rig);

#endif
