/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frontend_writes.h — what the frontend writes and workers read: its half of a lane, the host segment, the rx
 * pool. Read-only for everybody else by seal.
 */
#ifndef MPA_SHM_FRONTEND_WRITES_H
#define MPA_SHM_FRONTEND_WRITES_H

#include "base/config.h"
#include "shm/lane.h"

/* The frontend's half of a lane; rx slots follow at lane_layout.rx_slots_off. */
struct frontend_half {
    struct segment_header header;
    struct lane_shape shape; /* constant after attach */
    /* What an operator has changed since the worker read its file. Frontend writes · worker reads, each alone
     * and checks it; 0: as its own configuration says. Older frontends leave all 0. */
    _Atomic uint32_t log_level;                   /* enum log_level */
    _Atomic uint32_t orphan_s_plus_1;             /* worker.orphan_s */
    _Atomic uint32_t idle_s_plus_1;               /* worker.idle_s */
    struct lane_index rx_tail[N_LANE_PRIORITIES]; /* frontend writes · worker reads · publishes rx slots */
    struct lane_index tx_head[N_LANE_PRIORITIES]; /* frontend writes · worker reads · frees tx slots, arena */
    struct lane_index return_head;                /* frontend writes · worker reads · frees return slots */
    struct lane_index sleeping;                   /* frontend writes · worker reads · odd: wake me */
};

#define HOST_SEGMENT_VERSION 1u
#define HOST_SEGMENT_MAX_ADDRESSES 8u

#define HOST_CAP_CSUM 1u /* workers leave TCP checksums to the frontend */
#define HOST_CAP_GSO 2u  /* workers may send super-segments */

/* Addresses and link, twice: the reader copies copy[seq / 2 % 2] and checks that seq has not moved on. */
struct host_facts {
    uint32_t n_addresses;
    uint16_t mtu_bytes;
    uint16_t caps; /* HOST_CAP_ bits */
    struct config_address addresses[HOST_SEGMENT_MAX_ADDRESSES];
};

struct host_segment {
    struct segment_header header;
    uint32_t n_buckets;
    _Atomic uint32_t short_idle_s; /* frontend writes · workers read · idle limit under pressure, 0: none;
                                      in what was padding, and 0, before it came */
    _Alignas(
        SEGMENT_LINE_BYTES) _Atomic uint32_t seq; /* frontend writes · workers read · even: the copy
                                                     seq / 2 % 2 is complete, odd: the other is written */
    struct host_facts copies[2];
    _Alignas(SEGMENT_LINE_BYTES) _Atomic uint8_t bucket_worker[]; /* n_buckets: slot of the worker */
};

/* rx pool: head chunks of 2 KiB, then large chunks of 64 KiB. A chunk keeps its bytes from the publishing of
 * its slot until it comes back through the return ring. */
#define POOL_SEGMENT_VERSION 1u
#define POOL_HEAD_BYTES 2048u
#define POOL_LARGE_BYTES 65536u

struct pool_segment {
    struct segment_header header;
    uint32_t n_head;
    uint32_t n_large;
    uint64_t head_off;  /* of head chunk 0 in the segment, page aligned */
    uint64_t large_off; /* of large chunk 0, page aligned */
};

#endif
