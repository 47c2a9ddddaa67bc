/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_rig.h — a whole worker in the process of a test, turn by turn, and the test as its frontend: a
 * listener in a folder of its own, pool, host segment and one lane. lwIP's state is global: one at a time.
 */
#ifndef MPA_TESTS_WORKER_RIG_H
#define MPA_TESTS_WORKER_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/frame_pool.h"
#include "worker/worker.h"

#define WORKER_RIG_SLOT 2u
#define WORKER_RIG_BUCKETS 64u

/* One frontend's life. */
struct worker_rig_frontend {
    int listener;
    int socket; /* to the worker, once it has come */
    int wake_socket;
    struct attach_hello hello;
    struct segment worker_half, records; /* as they came with the hello */
    struct segment half, host;
    struct frame_pool pool;
    uint32_t flow_seed; /* first word of it */
    struct ring_producer rx[N_LANE_PRIORITIES];
    struct ring_consumer tx[N_LANE_PRIORITIES];
};

struct worker_rig {
    struct worker worker;
    char dir[32];
    uint64_t now_ns;
    struct worker_rig_frontend frontend;
};

/* A worker that serves, behind its first frontend. */
void worker_rig_start(struct worker_rig *rig);
void worker_rig_end(struct worker_rig *rig);

/* The frontend ends without a word, and another begins to listen. */
void worker_rig_frontend_end(struct worker_rig *rig);
void worker_rig_frontend_listen(struct worker_rig *rig);
/* Takes the hello of a worker that has connected; then says WELCOME, or no with these words. */
void worker_rig_take_hello(struct worker_rig *rig);
void worker_rig_welcome(struct worker_rig *rig);
void worker_rig_refuse(struct worker_rig *rig, int error, const char *text);
/* True if the worker's next message is READY. */
bool worker_rig_is_ready(struct worker_rig *rig);

/* Sends an order with a descriptor (-1: none), which stays the caller's. */
void worker_rig_send(struct worker_rig *rig, const void *message, size_t size, int fd);
/* Publishes a control slot. */
void worker_rig_slot(struct worker_rig *rig, enum lane_priority priority, enum lane_slot_kind kind,
                     uint64_t number);
/* One turn of the worker. */
void worker_rig_turn(struct worker_rig *rig);
/* The next slot that the worker has published, freed; zero words: none. */
struct ring_slot_value worker_rig_take(struct worker_rig *rig, enum lane_priority priority);

#endif
