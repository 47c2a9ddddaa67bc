/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.h — one worker process: a stack, its lane to the frontend, and the services. Everything hangs on
 * struct worker; started in two steps (worker_init_privileged, confine, worker_init_confined).
 *
 * A worker outlives its frontend: without one it keeps its connections and their timers, sends nothing, and
 * looks for the next one (return.c).
 */
#ifndef MPA_WORKER_WORKER_H
#define MPA_WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/log.h"
#include "base/notify.h"
#include "border/border.h"
#include "ring/wake.h"
#include "shm/attach.h"
#include "shm/segment.h"
#include "worker/orders.h"
#include "worker/service.h"
#include "worker/stack/stack.h"

#define WORKER_MAX_BURST 64u

/* Where a worker stands with its frontend. */
enum worker_link {
    WORKER_ATTACHED, /* lane, pool and rings are there: turns */
    WORKER_ORPHAN,   /* only its own segments and the last host segment are: timers, tries to connect */
    WORKER_GREETING, /* the same, and HELLO was said: waits for the WELCOME */
};

struct worker {
    struct config config;
    struct notify notify; /* to the service manager, if one has started us */
    uint32_t slot;
    enum worker_link link;
    int attach_socket; /* to the frontend; its end is the frontend's end. Does not block once attached */
    int wake_socket;
    int signal_fd;
    int pidfd;               /* our own, for the frontend to watch */
    struct segment half;     /* ours: struct worker_half; a new one for each frontend */
    struct segment records;  /* ours: struct records_segment, as long as we live */
    struct segment frontend; /* struct frontend_half; not there without a frontend, like the pool */
    struct segment host;     /* struct host_segment; the last one without a frontend */
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
    struct orders orders;
    const char *lost_why;   /* set when the lane is found lost, until the turn is over */
    uint64_t lost_ns;       /* without a frontend: since when */
    uint64_t next_try_ns;   /* to connect */
    uint64_t busy_since_ns; /* for the busy gauge: start of the window */
    uint64_t busy_ns;
    uint64_t next_gauges_ns;
    bool was_congested; /* output waits for room in the tx ring */
    uint64_t congested_since_ns;
    struct log_gate stall_gate, refused_gate;
    bool is_stopping;
    int exit_code;
};

/* Everything zero but the descriptors, which are none. */
void worker_prepare(struct worker *worker);
/* Maps memory, attaches to the frontend. `runtime_dir` holds attach.sock. 0 or -errno, already logged. */
int worker_init_privileged(struct worker *worker) MPA_WARN_UNUSED;
/* Starts lwIP and the services, says READY. 0 or -errno, already logged. */
int worker_init_confined(struct worker *worker) MPA_WARN_UNUSED;
/* Runs until told to stop, or until the frontend was gone for too long; returns the exit code. */
int worker_run(struct worker *worker);
void worker_fini(struct worker *worker);

/* Starts lwIP with what the frontend has told and the addresses it has. 0 or -errno, already logged. */
int worker_stack_init(struct worker *worker) MPA_WARN_UNUSED;

/* Takes the addresses of the host segment if they are new. */
void worker_take_addresses(struct worker *worker);

/* Takes what an operator has changed, as the frontend's half says; only while attached. */
void worker_take_settings(struct worker *worker);

/* loop.c: one turn with a frontend; true if there was anything to do. *next_ns is when timers want to run. */
bool worker_turn(struct worker *worker, uint64_t now_ns, uint64_t *next_ns);

/* attach.c: the first attach, and its steps for those that follow. All 0 or -errno. */
int worker_attach(struct worker *worker) MPA_WARN_UNUSED;
int worker_attach_ready(struct worker *worker) MPA_WARN_UNUSED;
int worker_new_half(const struct worker *worker, struct segment *half) MPA_WARN_UNUSED;
int worker_new_records(struct worker *worker) MPA_WARN_UNUSED;
int worker_send_hello(struct worker *worker, uint32_t flags) MPA_WARN_UNUSED;
/* Takes the answer to a hello: maps what came, sets up rings, frames and staging. Besides: -EAGAIN (not there
 * yet), -ECONNREFUSED (*refused says why), -ESTALE (flow seed or number of buckets is not the last one's: no
 * flow would be found). What was mapped before stays until all of the new was found good. */
int worker_take_welcome(struct worker *worker, struct attach_refused *refused) MPA_WARN_UNUSED;
/* Lets frames, rings, pool and sockets of the lane go; the host segment stays. */
void worker_detach(struct worker *worker);

/* return.c: the frontend is gone (worker->lost_why). Gives up what was its, makes a new half. */
void worker_orphan(struct worker *worker, uint64_t now_ns);
/* One step on the way to the next frontend; never blocks. */
void worker_return_step(struct worker *worker, uint64_t now_ns);

/* session.c: services on connections, UDP echo. */
extern const struct stack_callbacks worker_session_callbacks;
int worker_sessions_init(struct worker *worker) MPA_WARN_UNUSED;

/* fault.c: SEGV, BUS, ILL, FPE, ABRT and SYS are written into the half that was set last; then they end the
 * process as always. 0 or -errno. */
int worker_fault_init(void) MPA_WARN_UNUSED;
void worker_fault_set_half(struct worker_half *half);

/* seccomp.c */
int worker_confine(void) MPA_WARN_UNUSED;

#endif
