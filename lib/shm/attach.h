/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attach.h — the handshake of a worker on the attach socket (Unix SEQPACKET, RUNTIME/attach.sock):
 *
 *   worker   -> HELLO    + pidfd, its half of the lane, its records segment
 *   frontend -> WELCOME  + its half of the lane, host segment, rx pool, wake socket     or REFUSED
 *   worker   -> READY    (mapped, confined, listening); traffic begins
 *
 * The socket stays open: its end tells that the peer is gone. Messages are fixed-size structs of one host.
 */
#ifndef MPA_SHM_ATTACH_H
#define MPA_SHM_ATTACH_H

#include <stdint.h>

#include "shm/lane.h"

#define ATTACH_SOCKET_NAME "attach.sock"
#define ATTACH_MAGIC 0x4841504du /* "MPAH" */
#define ATTACH_TEXT_BYTES 96u

enum attach_kind { ATTACH_HELLO = 1, ATTACH_WELCOME = 2, ATTACH_REFUSED = 3, ATTACH_READY = 4 };

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
    uint32_t pid; /* for people; the pidfd is what counts */
};

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
    int32_t error; /* errno */
    uint32_t reserved;
    char text[ATTACH_TEXT_BYTES]; /* one line, NUL-terminated */
};

struct attach_ready {
    uint32_t magic;
    uint32_t kind;
};

#endif
