/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lane_pair.h — both ends of one lane in one process: the frontend's pool and rings on one side, a worker's
 * stack on the other, and a clock that moves only when told to. Frames are injected as the frontend would
 * hand them over, lane_pair_turn() runs one turn in the order of worker/loop.c, and what was published is
 * taken packet by packet.
 *
 * lwIP's state is global: one pair at a time.
 */
#ifndef MPA_TESTS_LANE_PAIR_H
#define MPA_TESTS_LANE_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "border/border.h"
#include "ring/frame_pool.h"
#include "worker/stack/stack.h"

#define LANE_PAIR_MAX_PACKET_BYTES 65536u
#define LANE_PAIR_MAX_BURST 64u
#define LANE_PAIR_WORKER 0u /* slot that the chunks are lent to */

struct lane_pair_config {
    uint32_t n_head, n_large; /* chunks of the rx pool */
    uint32_t ring_slots;      /* of each ring, both priorities */
    uint32_t arena_bytes;     /* of each arena */
    uint32_t fifo_memory_bytes;
    uint32_t stack_memory_bytes;
    uint32_t max_connections;
    uint16_t mtu_bytes;
    bool has_gso, has_offload_csum;
    bool has_no_records, commits_facts;
    uint32_t slot;                        /* of the worker */
    uint32_t n_buckets;                   /* 0: one */
    const _Atomic uint8_t *bucket_worker; /* borrowed; NULL: all are the worker's */
    uint64_t start_ns;                    /* where the clock stands; 0: now */
    struct stack_callbacks callbacks;
    void *context; /* of the callbacks */
};

struct lane_pair {
    struct lane_pair_config config;
    struct lane_layout layout;
    struct segment frontend_half, worker_half, records;

    /* the frontend's end; the ends may be two threads, and share no cache line */
    _Alignas(64) struct frame_pool pool;
    struct ring_producer rx[N_LANE_PRIORITIES];
    struct ring_consumer tx[N_LANE_PRIORITIES];
    struct ring_consumer returns;
    uint32_t n_bad_returns; /* chunks that came back twice, or never were the worker's */

    /* the worker's end */
    _Alignas(64) uint64_t now_ns; /* what the stack sees; a whole number of slow ticks after init */
    struct ring_consumer worker_rx[N_LANE_PRIORITIES];
    struct rx_frames frames;
    struct staging staging;
    struct fifo_memory fifo_memory;
    struct stack stack;
    counter *counters; /* N_WORKER_COUNTERS, in the worker's half */
    _Atomic uint64_t suspect;
};

/* One packet as it left the worker. */
struct lane_pair_packet {
    struct border_tx slot;
    enum lane_priority priority;
    uint8_t bytes[LANE_PAIR_MAX_PACKET_BYTES]; /* slot.len_bytes of them, IP header first */
};

/* A pair that is large enough for anything but a lack of memory; echo-less: callbacks are the caller's. */
void lane_pair_defaults(struct lane_pair_config *config);

/* Makes everything and starts the stack with 10.77.0.2/24 and fd77::2/64. 0 or -errno. */
int lane_pair_init(struct lane_pair *pair, const struct lane_pair_config *config) MPA_WARN_UNUSED;
void lane_pair_fini(struct lane_pair *pair);

/* Ends the pair as a death ends a worker: nothing is said, nothing more is committed. What it leaves is its
 * records segment, the caller's to segment_fini(). A new pair can be made then: another worker. */
struct segment lane_pair_stop(struct lane_pair *pair);

/* Carries out an order to adopt from a records segment, before the next turn. False: it is none. */
bool lane_pair_adopt(struct lane_pair *pair, const struct segment *source, const struct attach_adopt *order,
                     struct stack_adoption *adoption) MPA_WARN_UNUSED;

/* Stages an Ethernet frame with TCP or UDP over IPv4 or IPv6 (no extension headers); `flags` are those of an
 * rx slot. False: no chunk or no room. Published with the next turn. */
bool lane_pair_inject(struct lane_pair *pair, const uint8_t *frame, uint32_t len_bytes,
                      uint32_t flags) MPA_WARN_UNUSED;

/* The same with a note and a kind of slot of the caller's choice. */
bool lane_pair_inject_as(struct lane_pair *pair, const uint8_t *frame, uint32_t len_bytes,
                         const struct rx_note *note, uint32_t kind_and_flags) MPA_WARN_UNUSED;

/* Note and flow key of such a frame, as the frontend's classifier would find them. */
void lane_pair_note(const struct lane_pair *pair, const uint8_t *frame, struct rx_note *note);

/* The frontend publishes, the worker runs turns until it has taken everything, the frontend takes the
 * returned chunks. */
void lane_pair_turn(struct lane_pair *pair);

/* A turn that ends before its commit, or behind it and before anything is published. Only lane_pair_stop()
 * may follow. */
enum lane_pair_end { LANE_PAIR_UNCOMMITTED, LANE_PAIR_UNPUBLISHED };
void lane_pair_turn_until(struct lane_pair *pair, enum lane_pair_end end);
/* The worker's part of it alone: one burst. True if there may be more. */
bool lane_pair_worker_turn(struct lane_pair *pair);
/* The frontend's: the chunks that came back. */
void lane_pair_take_returns(struct lane_pair *pair);

/* Moves the clock on, a turn for each slow tick on the way. */
void lane_pair_advance(struct lane_pair *pair, uint32_t ms);

/* Takes and frees the next published packet, urgent ones first; false: there is none. */
bool lane_pair_take(struct lane_pair *pair, struct lane_pair_packet *packet) MPA_WARN_UNUSED;

/* A worker counter's value. */
uint64_t lane_pair_counter(const struct lane_pair *pair, enum worker_counter which);

#endif
