/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frontend.h — the frontend process: one NIC, one bucket table, a lane for each worker. Everything hangs on
 * struct frontend; started in two steps (frontend_init_privileged, confine, frontend_init_confined).
 *
 * The data loop is one thread: receive (NIC -> classify -> rx rings), transmit (tx rings -> NIC), returns,
 * housekeeping. The control thread (control.c) sees only the board.
 */
#ifndef MPA_FRONTEND_FRONTEND_H
#define MPA_FRONTEND_FRONTEND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/inherit.h"
#include "base/notify.h"
#include "flow/bucket.h"
#include "flow/key.h"
#include "flow/pin.h"
#include "frontend/board.h"
#include "frontend/control.h"
#include "frontend/estate.h"
#include "frontend/handover.h"
#include "frontend/held.h"
#include "frontend/host.h"
#include "frontend/lane.h"
#include "frontend/nic/nic.h"
#include "frontend/orders.h"
#include "frontend/park.h"
#include "frontend/returning.h"
#include "frontend/shed.h"
#include "frontend/stage.h"
#include "frontend/suspect.h"
#include "ring/frame_pool.h"
#include "shm/segment.h"

#define FRONTEND_MAX_BURST 256u
#define FRONTEND_MAX_LANES CONFIG_MAX_WORKERS
#define FRONTEND_MAX_GREETING 8u
/* epoll tags: 0.. the lanes' attach sockets, then their wake sockets, then their pidfds, then these. */
#define FRONTEND_TAG_GREETING (3u * FRONTEND_MAX_LANES)
#define FRONTEND_WATCH_MS 2u /* between two looks for workers that stand still */
#define FRONTEND_HOPS 256u   /* next-hop cache, direct mapped, power of two */

/* A place of the receive burst: the chunks that the NIC fills next. */
struct receive_place {
    uint32_t head_idx; /* LANE_NO_CHUNK: the pool was empty */
    uint32_t large_idx;
};

/* A next hop that was resolved; valid while `epoch` is the host stack's. */
struct frontend_hop {
    uint8_t destination[16];
    uint8_t family;               /* 0: empty */
    uint8_t link[NIC_LINK_BYTES]; /* the link header of what goes there */
    uint32_t epoch;
    uint64_t until_ns;
};

/* What a round has sent, on its way to the NIC's counters. */
struct frontend_sent {
    uint64_t n_frames, n_bytes;
};

struct frontend {
    struct config config;
    struct notify notify;   /* to the service manager, if one has started us */
    struct inherit inherit; /* what it handed over; empty after the privileged step */
    struct nic nic;
    bool is_nic_kept; /* keep.c */
    struct board board;
    struct control *control;
    struct host *host;
    struct host_addresses addresses; /* the host stack's current ones */
    struct segment host_segment;     /* struct host_segment */
    struct frame_pool pool;
    struct bucket_table buckets;
    struct pin_table pins;
    struct flow_seed seed;
    uint8_t isn_key[16];
    struct lane lanes[FRONTEND_MAX_LANES];
    uint32_t lane_mask;     /* bit i: lanes[i] is SERVING */
    uint32_t told_mask;     /* lane_mask as the service manager was told last */
    uint32_t dying_mask;    /* lanes that are detached, and whose worker may still be alive */
    uint32_t draining_mask; /* lanes that get nothing new; their connections go elsewhere */
    uint32_t drr_next;      /* lane that is served first in the next round */
    struct held held;
    struct handover handover;
    struct estates estates;
    struct orders orders;
    struct suspects suspects;
    struct shed shed;
    struct returning returning;
    uint64_t next_number; /* of orders to workers; begins with the clock, so that no frontend repeats one */
    struct park park;
    struct frontend_hop hops[FRONTEND_HOPS];
    uint32_t hops_epoch; /* the host stack's, as of this round */
    struct frontend_sent sent;
    struct receive_place places[FRONTEND_MAX_BURST];
    struct nic_rx rx[FRONTEND_MAX_BURST]; /* the places as the NIC sees them */
    uint16_t ip4_id;                      /* of datagrams that may be fragmented; see transmit.c */
    uint32_t ip6_id;
    int listen_socket;
    bool is_listen_inherited;            /* the service manager's: its file stays */
    uid_t own_uid, worker_uid;           /* besides root, who may attach; equal when no other may */
    int greeting[FRONTEND_MAX_GREETING]; /* accepted, their hello not here yet; -1: free */
    unsigned next_greeting;
    int signal_fd;
    int epoll_fd;
    int lock_fd;             /* RUNTIME/frontend.lock: one frontend for each runtime folder */
    _Atomic uint64_t now_ns; /* written by the loop's thread */
    uint64_t next_house_ns;  /* housekeeping */
    uint64_t next_watch_ns;  /* looking for workers that stand still */
    uint64_t next_host_ns;   /* host_tick() */
    bool is_stopping;
    int exit_code;
    bool is_capturing;
    bool is_nic_busy;  /* tx waits for the NIC */
    bool has_work_out; /* a worker may stand still with work waiting: the next look must not be late */
    struct stage stage;
};

/* frontend.c. 0 or -errno, already logged. */
int frontend_init_privileged(struct frontend *frontend) MPA_WARN_UNUSED;
int frontend_init_confined(struct frontend *frontend) MPA_WARN_UNUSED;
void frontend_fini(struct frontend *frontend);

/* loop.c: runs until told to stop; returns the exit code. */
int frontend_run(struct frontend *frontend);
/* Tells the board how a lane is. The loop does it for all, some times a second; where one begins to serve or
 * becomes empty it is told at once, before the event: whoever hears of it may send an order for it. */
void frontend_report_lane(struct frontend *frontend, struct lane *lane, uint32_t n_buckets);

/* Carries hand-overs, adoption and orders on; part of every turn. */
void frontend_move(struct frontend *frontend);

/* receive.c: one burst from the NIC; true if there was any. */
bool frontend_receive(struct frontend *frontend);
void frontend_receive_init(struct frontend *frontend);
/* Classifies a datagram that the host stack has reassembled. */
void frontend_receive_datagram(struct frontend *frontend, const uint8_t *packet, uint32_t len_bytes);

/* transmit.c: one round over all lanes; true if anything was sent. */
bool frontend_transmit(struct frontend *frontend);
/* Sends what a worker that is gone has published, as far as the NIC takes it now. */
void frontend_transmit_last(struct frontend *frontend, struct lane *lane);
/* Sends a frame of the host stack. */
void frontend_transmit_host(struct frontend *frontend, const uint8_t *frame, uint32_t len_bytes);
/* Sends what waited for a next hop that is known by now; drops what waited too long. */
void frontend_transmit_parked(struct frontend *frontend);

/* stage.c: the transmit stage on a thread of its own (stage.h). */
void stage_lock(struct frontend *frontend);
void stage_unlock(struct frontend *frontend);
int stage_start(struct frontend *frontend) MPA_WARN_UNUSED;
void stage_stop(struct frontend *frontend);
/* A fault seen while transmitting: quarantine, now or by the loop's thread. */
void stage_fault(struct frontend *frontend, struct lane *lane, enum lane_counter fault);
/* Transmit stage: hands a note on; false: no room. Receive stage: carries the notes out. */
bool stage_note_add(struct frontend *frontend, const struct stage_note *note);
void stage_take_notes(struct frontend *frontend);
/* Loop: quarantines the lanes whose fault the transmit thread has seen. */
void stage_take_faults(struct frontend *frontend);
/* True if the lane may be transmitted from. */
static inline bool stage_serves(const struct frontend *frontend, const struct lane *lane)
{
    return (frontend->lane_mask >> lane->slot & 1) != 0 &&
           atomic_load_explicit(&lane->tx_fault, memory_order_relaxed) == 0;
}
/* Announces sleep to all workers, sleeps, takes it back: whoever runs the transmit stage does this. */
void stage_sleep(struct frontend *frontend, uint32_t (*wait)(struct frontend *frontend));

/* broker.c: the attach socket, and how lanes come to serve. */
int broker_init(struct frontend *frontend) MPA_WARN_UNUSED;
/* Closes the attach socket and removes its file. Lanes are detached one by one. */
void broker_fini(struct frontend *frontend);
void broker_accept(struct frontend *frontend);
/* The hello of accepted socket `idx` is here, or its end. */
void broker_greeting_event(struct frontend *frontend, unsigned idx);
/* The lane's socket has something to say. */
void broker_lane_event(struct frontend *frontend, struct lane *lane);
/* farewell.c: how they end.
 * The lane's pidfd has become readable: the worker has ended, or what it sent was no pidfd. Its lane ends,
 * also when somebody else still holds its socket. */
void broker_process_ended(struct frontend *frontend, struct lane *lane);
/* Gives up on workers that said hello and never became ready. */
void broker_expire(struct frontend *frontend);
/* The worker broke the rules: detach its lane now, tell controld. `fault` is the counter that says how. */
void broker_quarantine(struct frontend *frontend, struct lane *lane, enum lane_counter fault);
/* Writes addresses, link and bucket table into the host segment and tells the workers. */
void broker_publish_host(struct frontend *frontend);

/* Kills a worker through its pidfd; false: that is for others to do, or it is gone. */
bool broker_kill(struct lane *lane);
/* The socket has ended: a worker that served is detached and its death awaited. */
void broker_hung_up(struct frontend *frontend, struct lane *lane);
/* True while a worker that is detached may still be alive. */
bool broker_is_dying(const struct frontend *frontend);
/* Looks for workers that stand still with work waiting; call it every FRONTEND_WATCH_MS or so, for what
 * happens between two looks is not known: a stall is found out that much later, at most. */
void broker_watch_stalls(struct frontend *frontend);

/* hold.c: frames held back while nobody serves their flow (held.h). */
/* Takes the chunks over; false: no room, counted, they stay the caller's. */
bool hold_frame(struct frontend *frontend, const struct held_frame *frame);
/* What the worker did not read goes in front of what was held since, but for the frame that it is accused of
 * (head chunk `accused_idx`): that one, if found, is in *accused and the caller's, else its head_idx is
 * LANE_NO_CHUNK. Returns the number held. */
uint32_t hold_unread(struct frontend *frontend, struct lane *lane, uint32_t accused_idx,
                     struct held_frame *accused);
/* All buckets of a worker are on their way elsewhere. */
void hold_buckets(struct frontend *frontend, uint8_t worker);
/* Buckets and pins of a lane that carries nothing any more wait for adoption. */
void hold_lane_gone(struct frontend *frontend, uint8_t worker);
/* What is held for a hand-over, or was orphaned during a round, waits for the next round. */
void hold_orphan(struct frontend *frontend);
/* A pin to whoever has the bucket anyway says nothing: drops all of these. */
void hold_drop_idle_pins(struct frontend *frontend);
/* Hands on the frames of the hand-over, or in a round those whose bucket is announced to the lane, as far as
 * there is room. True: none is left. False also when the lane was found at fault. */
bool hold_release(struct frontend *frontend, struct lane *lane, bool is_round) MPA_WARN_UNUSED;
/* Whom workers and people see as the worker of a bucket. */
uint8_t hold_announced(const struct frontend *frontend, uint32_t bucket);
void hold_announce(struct frontend *frontend, uint32_t bucket, uint8_t worker);

/* keys.c: flow seed and ISN key, kept in the runtime folder (0600). */
int keys_load(struct frontend *frontend) MPA_WARN_UNUSED;

/* keep.c: an interface of ours outlives us while workers wait for the next frontend. Begin: privileged, after
 * the NIC is open. End: before lanes and NIC are closed. Neither fails: it is worth a warning. */
void keep_begin(struct frontend *frontend);
void keep_end(struct frontend *frontend);

/* capture.c */
void capture_start(struct frontend *frontend);
void capture_stop(struct frontend *frontend);
/* One frame for whoever captures; `lane` BOARD_CAPTURE_ALL_LANES: none. Parts are contiguous pieces, one of
 * no bytes may be NULL. Either stage. */
struct iovec;
void capture_frame(struct frontend *frontend, const struct iovec *parts, int n_parts, uint32_t lane,
                   bool is_out);

/* seccomp.c: capabilities before any thread is started, system calls after. */
int frontend_drop_capabilities(void) MPA_WARN_UNUSED;
int frontend_confine(void) MPA_WARN_UNUSED;

#endif
