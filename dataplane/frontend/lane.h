/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lane.h — a lane as the frontend holds it: both halves mapped, rings, and what the worker is charged for.
 * Allowed states: enum board_lane_state.
 */
#ifndef MPA_FRONTEND_LANE_H
#define MPA_FRONTEND_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "border/border.h"
#include "frontend/board.h"
#include "ring/frame_pool.h"
#include "ring/wake.h"
#include "shm/attach.h"
#include "shm/segment.h"

struct lane {
    enum board_lane_state state;
    uint8_t slot;
    int attach_socket, wake_socket, pidfd; /* owned, -1 while EMPTY */
    uint32_t pid, uid;
    uint32_t peer_pid; /* as the kernel sees it from here; 0: another container's, not to be killed by us */
    bool has_returned; /* it served an earlier frontend */
    bool is_unsettled; /* which of its exports are adopted is not known yet */
    bool has_stalled;  /* it is detached because it stood still */
    uint32_t version;  /* of the lane, negotiated */
    uint64_t attached_ns;
    struct segment worker_half; /* the worker's, read-only here */
    struct segment records;     /* the worker's; kept so that it outlives the worker */
    struct segment own_half;    /* struct frontend_half */
    struct lane_shape shape;    /* private copy, checked */
    struct lane_layout layout;
    struct ring_producer rx[N_LANE_PRIORITIES];
    struct ring_consumer tx[N_LANE_PRIORITIES];
    struct ring_consumer returns;
    struct wake rx_wake; /* of the receive stage: wakes the worker after publishing rx slots */
    struct wake tx_wake; /* of the transmit stage: sleeps for tx slots, wakes the worker after freeing them */
    _Atomic uint32_t tx_fault; /* 1 + enum lane_counter: the transmit thread saw a fault; 0: none */
    uint64_t exports_done;     /* what it exported up to this number is another's for good */
    uint64_t release_number;   /* to be told so; 0: nothing */
    uint64_t still_ns;         /* how long it has stood still with work waiting */
    uint64_t seen_ns;          /* when that was last looked at */
    bool is_still;             /* it stood still then */
    uint64_t last_heartbeat;
    uint64_t detached_ns;   /* QUARANTINED: since when its death is awaited */
    uint64_t deficit_bytes; /* deficit round robin */
    bool was_congested;
    bool has_news;                           /* slots were staged in this burst */
    uint64_t n_rx_frames, n_rx_bytes;        /* of this burst; lane_count_rx() adds them to the counters */
    uint64_t worker_base[N_WORKER_COUNTERS]; /* counts of earlier workers of this slot */
    struct board_lane *board;
};

void lane_init(struct lane *lane, uint8_t slot, struct board_lane *board);

/* Checks and maps what the worker sent, makes our half. Takes all `fds`. 0 or -errno. */
int lane_attach(struct lane *lane, const struct attach_hello *hello,
                int fds[N_ATTACH_HELLO_FDS]) MPA_WARN_UNUSED;

/* Sets up the rings with our end of the wake socket (taken). */
void lane_start(struct lane *lane, int wake_socket);

/* Unmaps everything, takes all chunks back, carries the worker's counters on. The lane is EMPTY. */
void lane_detach(struct lane *lane, struct frame_pool *pool);

/* The worker's arena of a priority; only through lib/border. */
static inline const uint8_t *lane_arena(const struct lane *lane, enum lane_priority priority)
{
    return (const uint8_t *)lane->worker_half.base + lane->layout.arena_off[priority];
}

/* Makes staged slots visible and wakes the worker if it sleeps. */
void lane_publish(struct lane *lane);

/* Takes the chunks that the worker gives back; false: a fault, `*fault` says which. */
bool lane_take_returns(struct lane *lane, struct frame_pool *pool, enum lane_counter *fault);

/* Passes on to the worker what the board says of its log level and its patience, and wakes it for news. */
void lane_tell_settings(struct lane *lane);

/* Copies gauges and counters to the board. */
void lane_report(struct lane *lane, const struct frame_pool *pool, uint32_t n_buckets);

static inline void lane_count(struct lane *lane, enum lane_counter which, uint64_t n)
{
    counter_add(lane->board->counters, which, n);
}

/* Adds up what a burst has brought. */
static inline void lane_count_rx(struct lane *lane)
{
    lane_count(lane, LANE_rx_frames, lane->n_rx_frames);
    lane_count(lane, LANE_rx_bytes, lane->n_rx_bytes);
    lane->n_rx_frames = lane->n_rx_bytes = 0;
}

#endif
