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
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/config.h"
#include "flow/key.h"
#include "frontend/histogram.h"
#include "frontend/host.h"
#include "shm/attach.h"
#include "shm/counters.h"

/* Allowed: EMPTY -> ATTACHING -> SERVING, from both of these -> QUARANTINED, and from all back to EMPTY: when
 * the process ends (BOARD_EVENT_GONE tells). */
enum board_lane_state {
    BOARD_LANE_EMPTY,       /* nobody */
    BOARD_LANE_ATTACHING,   /* said hello, not ready yet */
    BOARD_LANE_SERVING,     /* has buckets, carries traffic */
    BOARD_LANE_QUARANTINED, /* broke the rules, or has hung up: detached, its death is awaited */
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
    X(is_draining, "1 while the worker gets nothing new: it is being drained, or was and may go")            \
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
    _Atomic uint32_t state;    /* enum board_lane_state */
    _Atomic uint32_t fault;    /* why QUARANTINED: enum lane_counter of the fault */
    _Atomic uint32_t peer_pid; /* of its worker as the kernel tells, until it is dead; 0: not known here */
    /* Control thread writes, loop passes on to the worker (frontend_writes.h); 0: nothing was set. */
    _Atomic uint32_t log_level, orphan_s_plus_1, idle_s_plus_1;
    _Atomic uint64_t gauges[N_LANE_GAUGES];
    counter counters[N_LANE_COUNTERS];              /* written by the loop as it goes */
    counter worker_counters[N_WORKER_COUNTERS];     /* copied from the worker's segment with the gauges; a
                                                       replaced worker's counts are carried on */
    struct histogram histograms[N_LANE_HISTOGRAMS]; /* added to with the gauges while SERVING */
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
    BOARD_EVENT_HANDOVER, /* from lane a to lane a2 ended; b = ns, n_flows, n_buckets, n_frames held, result;
                             `key` when it was a single flow */
    BOARD_EVENT_DIED,     /* lane a died while serving; b = signal its fault handler noted, 0: none */
    BOARD_EVENT_ADOPTED, /* everything of dead lane a is adopted; b = ns since its death, n_flows, n_frames */
    BOARD_EVENT_STALLED, /* lane a is still with work waiting and is killed; b = ns it was still */
    BOARD_EVENT_SUSPECT, /* lane a died of a frame of flow `key`; n_frames 1: saved; b = times accused */
    BOARD_EVENT_FLOW_RESET, /* flow `key` on lane a is reset: accused twice */
    BOARD_EVENT_RETURNED,   /* lane a came back to this new frontend; n_flows */
};

/* How a hand-over ended. */
enum board_result {
    BOARD_RESULT_PENDING,
    BOARD_RESULT_DONE,
    BOARD_RESULT_NO_TARGET,   /* no such worker serves, it drains, or may not be killed: nothing moved */
    BOARD_RESULT_NOT_FOUND,   /* no such flow or bucket */
    BOARD_RESULT_SAME,        /* it is there already */
    BOARD_RESULT_SOURCE_DIED, /* its flows went to the survivors */
    BOARD_RESULT_TARGET_DIED, /* the flows are where they were, or with the survivors */
    BOARD_RESULT_FULL,        /* no room among the pins or orders */
    BOARD_RESULT_LAST,        /* the last worker cannot be drained */
    BOARD_RESULT_LOST,        /* the result was overwritten before it was read */
};

struct board_event {
    uint64_t time_ns; /* monotonic */
    uint32_t kind;    /* enum board_event_kind */
    uint32_t a;
    uint64_t b;
    uint32_t a2;
    uint32_t result; /* enum board_result */
    uint32_t n_flows, n_buckets, n_frames;
    uint32_t number; /* of the hand-over, low half */
    struct flow_key key;
};

/* Orders of the control thread to the loop; carried out one after the other. */
enum board_order_kind {
    BOARD_ORDER_MOVE_BUCKETS, /* `buckets` to lane `to` */
    BOARD_ORDER_MOVE_FLOW,    /* `key` to lane `to`, pinned there */
    BOARD_ORDER_DRAIN,   /* everything of `slot` to `to` (BOARD_ANY_LANE: spread over the others); it gets
                            nothing new until UNDRAIN. Done when it has no bucket and no flow left */
    BOARD_ORDER_UNDRAIN, /* `slot` may get buckets again, and gets its share */
    BOARD_ORDER_KILL,    /* SIGKILL to the worker of `slot` */
};

#define BOARD_ANY_LANE 0xffffffffu
#define BOARD_N_ORDERS 16u /* waiting at once */

struct board_order {
    uint64_t id; /* set by board_order_add() */
    uint32_t kind, slot, to;
    uint32_t n_buckets;
    uint16_t buckets[ATTACH_MAX_BUCKETS];
    struct flow_key key;
};

struct board_order_result {
    uint64_t id;
    uint32_t result; /* enum board_result */
    uint32_t n_flows, n_buckets, n_frames;
    uint64_t duration_ns;
};

#define BOARD_N_EVENTS 1024u /* power of two */

/* What is copied word by word while the other thread may be writing it: see board.c on the order. */
#define BOARD_EVENT_WORDS (sizeof(struct board_event) / 8)
#define BOARD_ADDRESSES_WORDS ((sizeof(struct host_addresses) + 7) / 8)

/* Commands from the control thread. */
enum board_command_kind {
    BOARD_COMMAND_NONE,
    BOARD_COMMAND_STOP,          /* leave the loop */
    BOARD_COMMAND_CAPTURE_START, /* `capture` below is filled in */
    BOARD_COMMAND_CAPTURE_STOP,
};

#define BOARD_CAPTURE_MAX_FILTER 256
#define BOARD_CAPTURE_ALL_LANES 0xffffffffu
#define BOARD_CAPTURE_MAX_SNAP 65549u /* link header and the longest IP packet */

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
    uint32_t snap_bytes; /* 1..BOARD_CAPTURE_MAX_SNAP */
    uint32_t n_filter;   /* BPF instructions, checked with bpf_validate() by the control thread; 0: all */
    uint64_t filter[BOARD_CAPTURE_MAX_FILTER]; /* the bytes of n_filter struct bpf_insn, 8 each */
};

#define BOARD_CAPTURE_RING_BYTES (8u << 20) /* power of two */

/* The NIC as it was opened; told once, before the control thread starts. */
struct board_nic {
    uint8_t mac[6];
    uint16_t mtu_bytes;
    uint32_t caps; /* enum nic_cap */
};

struct board {
    struct board_nic nic_info; /* written before control_start(), read-only from then on */
    struct flow_seed seed;     /* likewise */
    /* loop writes, control thread reads */
    counter nic[N_NIC_COUNTERS];
    struct board_lane lanes[CONFIG_MAX_WORKERS];
    uint32_t n_buckets;
    counter *bucket_frames;         /* n_buckets: frames classified into each; not those of pinned flows */
    _Atomic uint8_t *bucket_worker; /* n_buckets: worker slot or BUCKET_NO_WORKER */
    _Atomic uint64_t loop_turns;
    _Atomic uint64_t loop_heartbeat_ns;
    _Atomic uint64_t pool_free_chunks, pool_chunks, pool_free_large, pool_large;
    _Atomic uint64_t degrade_step, shed_lanes, shed_all, short_idle_s; /* what of struct board_shed
                                                                              holds */
    _Atomic uint32_t addresses_seq; /* odd while `addresses` is being written (sequence lock) */
    _Atomic uint64_t addresses[BOARD_ADDRESSES_WORDS];          /* a struct host_addresses */
    _Atomic uint64_t events[BOARD_N_EVENTS][BOARD_EVENT_WORDS]; /* ring of struct board_event */
    _Atomic uint64_t events_written; /* release-stored after the entry; a reader BOARD_N_EVENTS or more
                                        behind has missed some */
    /* control thread writes, loop reads */
    _Atomic uint32_t command;      /* enum board_command_kind; the loop sets NONE (release) when done */
    struct board_capture capture;  /* valid while a CAPTURE_START is pending */
    int command_fd;                /* eventfd, non-blocking: wakes the loop; owned by the board */
    struct board_orders *orders;   /* owned, opaque: see board_order_add() */
    _Atomic uint64_t shed;         /* what to refuse, in one word: board_shed.h; 0: nothing came yet */
    _Atomic uint32_t heartbeat_ms; /* 0: as the configuration says */
    /* capture ring: loop writes records, control thread reads; free-running byte positions */
    uint8_t *capture_ring; /* BOARD_CAPTURE_RING_BYTES; records may wrap */
    _Atomic uint64_t capture_written;
    _Atomic uint64_t capture_read;
    struct histogram histograms[N_FRONTEND_HISTOGRAMS]; /* loop writes, control thread reads */
};

/* Allocates for n_buckets (a power of two), all without a worker. 0 or -errno; nothing is left on failure. */
int board_init(struct board *board, uint32_t n_buckets) MPA_WARN_UNUSED;
/* Frees everything. Both threads must have left the board. */
void board_fini(struct board *board);

/* Loop: counts `value` in a histogram of the frontend. */
static inline void board_histogram_add(struct board *board, enum frontend_histogram which, uint64_t value)
{
    histogram_add(&board->histograms[which], &frontend_histogram_forms[which], value);
}

/* Loop: appends an event; never waits, the oldest is overwritten. */
void board_event_add(struct board *board, uint64_t now_ns, enum board_event_kind kind, uint32_t a,
                     uint64_t b);
/*
 * Control thread: event number *next (from 0) into *event, *next moves on. False when there is none yet.
 * Where events were overwritten before they were read, *next jumps and *n_lost gets their number (else 0).
 */
bool board_event_read(struct board *board, uint64_t *next, struct board_event *event, uint64_t *n_lost);

/* Loop: the same with all fields; time_ns and kind are in it. */
void board_event_put(struct board *board, const struct board_event *event);

/* Control thread: queues a copy of *order and wakes the loop; its id (> 0), or 0 when BOARD_N_ORDERS wait. */
uint64_t board_order_add(struct board *board, const struct board_order *order);
/* Control thread: how order `id` stands; false while PENDING. A result is kept for the last 256 orders, then
 * LOST. */
bool board_order_result(struct board *board, uint64_t id, struct board_order_result *result);
/* Loop: the oldest order that waits, into *order; false: none. */
bool board_order_take(struct board *board, struct board_order *order);
/* Loop: order result->id has ended. */
void board_order_done(struct board *board, const struct board_order_result *result);

/*
 * Control thread: descriptors of the records segments of all lanes that serve, into fds[CONFIG_MAX_WORKERS]
 * (-1: none), owned by the caller; asks the loop and waits for at most wait_ms. 0 or -ETIMEDOUT.
 */
int board_records(struct board *board, int fds[CONFIG_MAX_WORKERS], uint32_t wait_ms) MPA_WARN_UNUSED;
/* Loop, with every look at the commands: is somebody waiting for them? Then board_records_give() with
 * duplicates, which are the control thread's from then on. */
bool board_records_wanted(const struct board *board);
void board_records_give(struct board *board, const int fds[CONFIG_MAX_WORKERS]);

/* Loop: reports the addresses. Control thread: a consistent copy of them. */
void board_set_addresses(struct board *board, const struct host_addresses *addresses);
void board_get_addresses(struct board *board, struct host_addresses *addresses);

/* Control thread: hands over a command and wakes the loop; -EBUSY while one is pending. */
int board_command(struct board *board, enum board_command_kind command) MPA_WARN_UNUSED;
/* Control thread: empties the capture ring and hands over CAPTURE_START with a copy of *capture, whose filter
 * the caller has checked. -EBUSY while a command is pending. */
int board_capture_start(struct board *board, const struct board_capture *capture) MPA_WARN_UNUSED;
/* Loop: the pending command, NONE if none; board_command_done() after it was carried out. */
enum board_command_kind board_command_peek(struct board *board);
void board_command_done(struct board *board);

/*
 * Loop: appends record->stored_bytes bytes, taken from the front of the parts (which hold at least so many).
 * False when the ring is full: nothing is written, NIC_capture_missed is counted.
 */
bool board_capture_add(struct board *board, const struct board_capture_record *record,
                       const struct iovec *parts, int n_parts);
/* Control thread: the oldest record without taking it; false when there is none. */
bool board_capture_peek(struct board *board, struct board_capture_record *record);
/* Control thread: takes the record that board_capture_peek() showed and copies its stored_bytes to `bytes`.
 */
void board_capture_take(struct board *board, const struct board_capture_record *record, uint8_t *bytes);

#endif
