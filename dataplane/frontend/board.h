/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * board.h — the notice board between the data loop and the control thread of the frontend: private memory of
 * one process. The loop writes the board, the control thread reads it at any time; the control thread writes
 * commands and capture requests, the loop takes them. Nobody waits for anybody.
 */
#ifndef MPA_FRONTEND_BOARD_H
#define MPA_FRONTEND_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "frontend/host.h"
#include "shm/counters.h"

/* Allowed: EMPTY -> ATTACHING -> SERVING -> GONE -> EMPTY, SERVING -> QUARANTINED -> EMPTY. */
enum board_lane_state {
    BOARD_LANE_EMPTY,       /* nobody */
    BOARD_LANE_ATTACHING,   /* said hello, not ready yet */
    BOARD_LANE_SERVING,     /* has buckets, carries traffic */
    BOARD_LANE_QUARANTINED, /* broke the rules: detached, waits to be killed */
    BOARD_LANE_GONE,        /* the process has ended */
};

/* Gauges of a lane, refreshed by the loop every 100 ms. X(name, help) */
#define LANE_GAUGES(X)                                                                                       \
    X(pid, "Process number of the worker, 0 if unknown")                                                     \
    X(uid, "User of the worker")                                                                             \
    X(attached_ns, "Monotonic time of the attach")                                                           \
    X(lane_version, "Negotiated version of the lane")                                                        \
    X(buckets, "Buckets that point at the worker")                                                           \
    X(chunks_held, "rx pool chunks in the worker's hands")                                                   \
    X(rx_depth_slots, "Slots waiting in the normal rx ring")                                                 \
    X(rx_urgent_depth_slots, "Slots waiting in the urgent rx ring")                                          \
    X(tx_depth_slots, "Slots waiting in the normal tx ring")                                                 \
    X(tx_urgent_depth_slots, "Slots waiting in the urgent tx ring")                                          \
    X(rx_ring_slots, "Capacity of the normal rx ring")                                                       \
    X(rx_is_congested, "1 while the normal rx ring is congested")                                            \
    X(tx_is_congested, "1 while the worker reports its tx ring congested")                                   \
    X(connections, "TCP connections of the worker, without TIME_WAIT")                                       \
    X(time_wait, "Connections in TIME_WAIT")                                                                 \
    X(fifo_memory_used_bytes, "FIFO memory in use")                                                          \
    X(stack_memory_used_bytes, "Stack memory in use")                                                        \
    X(busy_permille, "Share of the last second in which the worker's loop worked")                           \
    X(heartbeat_ns, "Monotonic time of the worker's last turn")

#define LANE_GAUGE_ENUM(name, help) GAUGE_##name,
enum lane_gauge { LANE_GAUGES(LANE_GAUGE_ENUM) N_LANE_GAUGES };
extern const struct counter_text lane_gauge_texts[N_LANE_GAUGES];

struct board_lane {
    _Atomic uint32_t state; /* enum board_lane_state */
    _Atomic uint32_t fault; /* why QUARANTINED: enum lane_counter of the fault */
    _Atomic uint64_t gauges[N_LANE_GAUGES];
    counter counters[N_LANE_COUNTERS];          /* written by the loop as it goes */
    counter worker_counters[N_WORKER_COUNTERS]; /* copied from the worker's segment with the gauges; a
                                                   replaced worker's counts are carried on */
};

/* Things that happened, in order; the control thread publishes them as events. */
enum board_event_kind {
    BOARD_EVENT_ATTACHED,    /* lane a */
    BOARD_EVENT_SERVING,     /* lane a, b = buckets */
    BOARD_EVENT_GONE,        /* lane a */
    BOARD_EVENT_QUARANTINED, /* lane a, b = enum lane_counter of the fault */
    BOARD_EVENT_CONGESTED,   /* lane a, b = 1 begins, 0 ends */
    BOARD_EVENT_ADDRESSES,   /* our addresses changed */
    BOARD_EVENT_REFUSED,     /* an attach was refused; a = slot asked for, b = errno */
};

struct board_event {
    uint64_t time_ns;
    uint32_t kind;
    uint32_t a;
    uint64_t b;
};

#define BOARD_N_EVENTS 1024u /* power of two */

/* Commands from the control thread. */
enum board_command_kind {
    BOARD_COMMAND_NONE,
    BOARD_COMMAND_STOP,            /* leave the loop */
    BOARD_COMMAND_CAPTURE_START,   /* `capture` below is filled in */
    BOARD_COMMAND_CAPTURE_STOP,
};

#define BOARD_CAPTURE_MAX_FILTER 256
#define BOARD_CAPTURE_ALL_LANES 0xffffffffu
struct bpf_insn;

/* One frame captured; `bytes` follow in the ring, rounded up to 8. */
struct board_capture_record {
    uint64_t time_ns;      /* CLOCK_REALTIME */
    uint32_t len_bytes;    /* original length */
    uint32_t stored_bytes; /* <= snap_bytes */
    uint32_t lane;         /* BOARD_CAPTURE_ALL_LANES: none (host stack, drop) */
    uint32_t is_out;       /* 1: sent */
};

struct board_capture {
    uint32_t lane;       /* or BOARD_CAPTURE_ALL_LANES */
    uint32_t snap_bytes; /* at most 65549 */
    uint32_t n_filter;   /* BPF instructions, checked with bpf_validate() by the control thread; 0: all */
    uint64_t filter[BOARD_CAPTURE_MAX_FILTER]; /* struct bpf_insn is 8 bytes */
};

#define BOARD_CAPTURE_RING_BYTES (8u << 20) /* power of two */

struct board {
    /* loop writes, control thread reads */
    counter nic[N_NIC_COUNTERS];
    struct board_lane lanes[CONFIG_MAX_WORKERS];
    uint32_t n_buckets;
    counter *bucket_frames;              /* n_buckets: frames classified into each */
    _Atomic uint8_t *bucket_worker;      /* n_buckets: worker slot or BUCKET_NO_WORKER */
    _Atomic uint64_t loop_turns;
    _Atomic uint64_t loop_heartbeat_ns;
    _Atomic uint64_t pool_free_chunks, pool_chunks, pool_free_large, pool_large;
    _Atomic uint32_t addresses_seq;      /* odd while `addresses` is being written (sequence lock) */
    struct host_addresses addresses;
    struct board_event events[BOARD_N_EVENTS]; /* ring */
    _Atomic uint64_t events_written;     /* release-stored after the entry; a reader more than
                                            BOARD_N_EVENTS behind has missed some */
    /* control thread writes, loop reads */
    _Atomic uint32_t command;            /* enum board_command_kind; the loop sets NONE (release) when done */
    struct board_capture capture;        /* valid while a CAPTURE_START is pending */
    int command_fd;                      /* eventfd: wakes the loop */
    /* capture ring: loop writes records, control thread reads; free-running byte positions */
    uint8_t *capture_ring;               /* BOARD_CAPTURE_RING_BYTES; records may wrap */
    _Atomic uint64_t capture_written;
    _Atomic uint64_t capture_read;
};

/* 0 or -errno. */
int board_init(struct board *board, uint32_t n_buckets) MPA_WARN_UNUSED;
void board_fini(struct board *board);

/* Loop: appends an event. */
void board_event_add(struct board *board, uint64_t now_ns, enum board_event_kind kind, uint32_t a, uint64_t b);

/* Loop: reports the addresses. Control thread: a consistent copy of them. */
void board_set_addresses(struct board *board, const struct host_addresses *addresses);
void board_get_addresses(struct board *board, struct host_addresses *addresses);

/* Control thread: hands over a command and wakes the loop; -EBUSY while one is pending. */
int board_command(struct board *board, enum board_command_kind command) MPA_WARN_UNUSED;
/* Loop: the pending command, NONE if none; board_command_done() after it was carried out. */
enum board_command_kind board_command_peek(struct board *board);
void board_command_done(struct board *board);

#endif
