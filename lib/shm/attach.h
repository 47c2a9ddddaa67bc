/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attach.h — the handshake of a worker on the attach socket (Unix SEQPACKET, RUNTIME/attach.sock):
 *
 *   worker   -> HELLO    + pidfd, its half of the lane, its records segment
 *   frontend -> WELCOME  + its half of the lane, host segment, rx pool, wake socket     or REFUSED
 *   worker   -> READY    (mapped, confined, listening); traffic begins
 *
 * The socket stays open: its end tells that the peer is gone. What a control slot in the rx rings is about
 * comes over it before the slot is published (orders):
 *
 *   frontend -> EXPORT                what a FENCE of this number is to export
 *   frontend -> ADOPT   + records     what an ADOPT slot of this number is to adopt, and from whom
 *   frontend -> RESET                 the flow that a RESET slot is about
 *
 * A worker whose frontend is gone connects again and says HELLO with ATTACH_RETURNS: a new half of a lane,
 * the same records segment. Messages are fixed-size structs of one host.
 */
#ifndef MPA_SHM_ATTACH_H
#define MPA_SHM_ATTACH_H

#include <stdint.h>

#include "shm/flow_record.h"
#include "shm/lane.h"

#define ATTACH_SOCKET_NAME "attach.sock"
#define ATTACH_MAGIC 0x4841504du /* "MPAH" */
#define ATTACH_TEXT_BYTES 96u

enum attach_kind {
    ATTACH_HELLO = 1,
    ATTACH_WELCOME = 2,
    ATTACH_REFUSED = 3,
    ATTACH_READY = 4,
    ATTACH_EXPORT = 5,
    ATTACH_ADOPT = 6,
    ATTACH_RESET = 7,
};

enum attach_hello_fd { ATTACH_FD_PIDFD, ATTACH_FD_WORKER_HALF, ATTACH_FD_RECORDS, N_ATTACH_HELLO_FDS };
enum attach_welcome_fd {
    ATTACH_FD_FRONTEND_HALF,
    ATTACH_FD_HOST,
    ATTACH_FD_POOL,
    ATTACH_FD_WAKE,
    N_ATTACH_WELCOME_FDS
};

struct attach_hello {
    uint32_t magic;
    uint32_t kind;
    uint32_t version_min, version_max; /* of lanes that the worker speaks */
    uint32_t slot;
    uint32_t pid;   /* for people; the pidfd is what counts */
    uint32_t flags; /* ATTACH_RETURNS */
};

#define ATTACH_RETURNS 1u /* it served before, for a frontend that is gone, and its records are in use */

struct attach_welcome {
    uint32_t magic;
    uint32_t kind;
    uint32_t version; /* of the lane, chosen */
    uint32_t reserved;
    uint32_t flow_seed[4]; /* struct flow_seed */
    uint8_t isn_key[16];   /* one for all workers, kept over restarts */
};

struct attach_refused {
    uint32_t magic;
    uint32_t kind;
    int32_t error; /* -errno; ESTALE: it cannot come back, its connections are others' */
    uint32_t reserved;
    char text[ATTACH_TEXT_BYTES]; /* one line, NUL-terminated */
};

struct attach_ready {
    uint32_t magic;
    uint32_t kind;
};

#define ATTACH_MAX_BUCKETS 512u /* of one hand-over */

enum attach_export_what { ATTACH_EXPORT_BUCKETS = 1, ATTACH_EXPORT_FLOW = 2, ATTACH_EXPORT_ALL = 3 };

struct attach_export {
    uint32_t magic;
    uint32_t kind;
    uint64_t number; /* of the hand-over: grows, never used twice, not even by the next frontend */
    uint32_t to;     /* worker slot */
    uint32_t what;   /* enum attach_export_what */
    uint8_t key[FLOW_RECORD_KEY_BYTES]; /* FLOW */
    uint32_t n_buckets;                 /* BUCKETS */
    uint16_t buckets[ATTACH_MAX_BUCKETS];
};

enum attach_adopt_what {
    ATTACH_ADOPT_EXPORTED = 1, /* the chain of export `exported` */
    ATTACH_ADOPT_DEAD = 2,     /* the writer is dead: every record in use that was not exported at all or
                                  under a number above `exports_done`, and its tombstones */
};

struct attach_adopt {
    uint32_t magic;
    uint32_t kind;
    uint64_t number; /* of this order: what the ADOPT slot says */
    uint64_t exported;
    uint64_t exports_done;
    uint32_t from;      /* worker slot of the records' writer */
    uint16_t what;      /* enum attach_adopt_what */
    uint16_t is_shared; /* 1: several adopt from it: take only flows whose bucket is yours */
};

enum attach_adopt_fd { ATTACH_FD_SOURCE, N_ATTACH_ADOPT_FDS };

struct attach_reset {
    uint32_t magic;
    uint32_t kind;
    uint64_t number;
    uint8_t key[FLOW_RECORD_KEY_BYTES];
};

#endif
