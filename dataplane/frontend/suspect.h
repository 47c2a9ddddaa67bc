/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * suspect.h — frames that a worker died of. Only a death that the worker's own fault handler marked, or a
 * stall, accuses the frame that was in hand. It is kept in RUNTIME/suspects/frames.pcap and not replayed. The
 * peer will send it again; a flow that is accused twice is reset alone, by whoever adopted it, before its
 * next frame.
 */
#ifndef MPA_FRONTEND_SUSPECT_H
#define MPA_FRONTEND_SUSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "flow/key.h"
#include "frontend/held.h"

struct frontend;
struct lane;

#define SUSPECTS_MAX_FLOWS 64u
#define SUSPECTS_MAX_SAVED 256u /* frames of one frontend's life */

struct suspect_flow {
    struct flow_key key;
    uint32_t hash;
    uint32_t n_accused; /* 0: the place is free */
    bool must_reset;
};

struct suspects {
    int file_fd; /* pcap, appended to; -1: there is none, frames are not kept */
    uint32_t n_saved;
    uint32_t next_place; /* that gives way when all are taken */
    struct suspect_flow flows[SUSPECTS_MAX_FLOWS];
};

/* Before confinement: makes the folder and opens the file. Without it nothing is kept, which is logged. */
void suspects_init(struct suspects *suspects, const char *runtime_dir);
void suspects_fini(struct suspects *suspects);

/* A worker died of this frame: counts, keeps, tells. The frame's chunks are free afterwards. */
void suspects_accuse(struct frontend *frontend, const struct lane *lane, const struct held_frame *frame);

/* Resets the flows that the lane has adopted and that were accused twice. False: there was no room for all
 * orders; no frame must go to the lane before the rest. */
bool suspects_reset(struct frontend *frontend, struct lane *lane) MPA_WARN_UNUSED;

#endif
