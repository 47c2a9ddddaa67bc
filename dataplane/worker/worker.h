/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.h — one worker process: a stack, its lane to the frontend, and the services. Everything hangs on
 * struct worker; started in two steps (worker_init_privileged, confine, worker_init_confined).
 */
#ifndef MPA_WORKER_WORKER_H
#define MPA_WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/log.h"
#include "border/border.h"
#include "ring/wake.h"
#include "shm/attach.h"
#include "shm/segment.h"
#include "worker/service.h"
#include "worker/stack/stack.h"

#define WORKER_MAX_BURST 64u

struct worker {
    struct config config;
    uint32_t slot;
    int attach_socket; /* to the frontend; its end is the frontend's end */
    int wake_socket;
    int signal_fd;
    struct segment half;     /* ours: struct worker_half */
    struct segment records;  /* ours: struct records_segment */
    struct segment frontend; /* struct frontend_half */
    struct segment host;     /* struct host_segment */
    struct segment pool;     /* struct pool_segment */
    struct lane_layout layout;
    struct attach_welcome welcome;
    struct ring_consumer rx[N_LANE_PRIORITIES];
    struct rx_frames frames;
    struct staging staging;
    struct wake wake;
    struct fifo_memory fifo_memory;
    struct stack stack;
    struct service_table *services;
    uint64_t busy_since_ns; /* for the busy gauge: start of the window */
    uint64_t busy_ns;
    uint64_t next_gauges_ns;
    bool was_congested; /* output waits for room in the tx ring */
    uint64_t congested_since_ns;
    struct log_gate stall_gate;
    bool is_stopping;
    int exit_code;
};

/* Maps memory, attaches to the frontend. `runtime_dir` holds attach.sock. 0 or -errno, already logged. */
int worker_init_privileged(struct worker *worker) MPA_WARN_UNUSED;
/* Starts lwIP and the services, says READY. 0 or -errno, already logged. */
int worker_init_confined(struct worker *worker) MPA_WARN_UNUSED;
/* Runs until told to stop or the frontend is gone; returns the exit code. */
int worker_run(struct worker *worker);
void worker_fini(struct worker *worker);

/* attach.c */
int worker_attach(struct worker *worker) MPA_WARN_UNUSED;
int worker_attach_ready(struct worker *worker) MPA_WARN_UNUSED;

/* session.c: services on connections, UDP echo. */
extern const struct stack_callbacks worker_session_callbacks;
int worker_sessions_init(struct worker *worker) MPA_WARN_UNUSED;

/* seccomp.c */
int worker_confine(void) MPA_WARN_UNUSED;

/* Takes the addresses of the host segment if they are new. */
void worker_take_addresses(struct worker *worker);

#endif
