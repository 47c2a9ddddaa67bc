/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lane.h — the shape of a lane: what frontend and worker agree on. A lane has an rx ring and a tx ring for
 * each priority, a return ring for rx chunks, and a tx arena for each priority. Each half stands in the
 * segment of the process that writes it (frontend_writes.h, worker_writes.h).
 *
 * Indexes are free-running 32-bit counts, compared by subtraction; slots are 16 bytes.
 */
#ifndef MPA_SHM_LANE_H
#define MPA_SHM_LANE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/segment.h"

#define LANE_VERSION 1u     /* spoken; a peer of version N - 1 or N + 1 may be spoken to */
#define LANE_VERSION_MIN 1u /* oldest understood */

enum lane_priority { LANE_NORMAL, LANE_URGENT, N_LANE_PRIORITIES };

/* Slots kept free of frames for control (fences), which are never dropped. */
#define LANE_CONTROL_SLOTS 8u

struct lane_shape {
    uint32_t ring_slots[N_LANE_PRIORITIES]; /* of an rx and of a tx ring; powers of two */
    uint32_t return_slots;                  /* power of two, at least the worker's quota of chunks */
    uint32_t arena_bytes[N_LANE_PRIORITIES];
};

#define LANE_MIN_SLOTS 64u
#define LANE_MAX_SLOTS 32768u
#define LANE_MAX_RETURN_SLOTS 131072u
#define LANE_MIN_ARENA_BYTES (256u << 10)
#define LANE_MAX_ARENA_BYTES (64u << 20)

/* An index or flag alone on its cache line. */
struct lane_index {
    _Alignas(SEGMENT_LINE_BYTES) _Atomic uint32_t value;
};

struct lane_slot {
    _Atomic uint64_t words[2];
};

/* What a slot is about: bits 0..7 of word 0. */
enum lane_slot_kind {
    LANE_SLOT_FRAME = 1,      /* rx: a frame for lwIP; tx: an IP packet */
    LANE_SLOT_ICMP_ERROR = 2, /* rx: a frame with an ICMP error about a flow of this worker */
    LANE_SLOT_ADDRESSES = 3,  /* rx: the addresses in the host segment have changed */
    LANE_SLOT_FENCE = 4,      /* rx: export what ATTACH_EXPORT of this number says, once it was met in both
                                 rings; tx, in both rings: done, the chain stands in the records segment.
                                 Word 1 is the number of the hand-over */
    LANE_SLOT_OPENED = 5,     /* tx: a flow outside the worker's buckets is here; the arena holds its key */
    LANE_SLOT_CLOSED = 6,     /* tx: such a flow is gone */
    LANE_SLOT_ADOPT = 7,      /* rx, in both rings: before anything behind it, adopt what ATTACH_ADOPT of the
                                 number in word 1 says */
    LANE_SLOT_ADOPTED = 8,    /* tx normal: done; word 0 has the number of flows in its upper half */
    LANE_SLOT_RELEASE = 9,    /* rx normal: the flows exported up to the number in word 1 are another's */
    LANE_SLOT_RESET = 10,     /* rx normal: reset the flow that ATTACH_RESET of the number in word 1 names */
};

/* Flags of a slot: bits 8..15 of word 0. */
enum lane_slot_flag {
    LANE_FLAG_CSUM = 1u << 0, /* rx: transport checksum is good; tx: the frontend sees to it */
    LANE_FLAG_GSO = 1u << 1,  /* longer than the MTU; tx: to be cut to gso_size */
};

#define LANE_NO_CHUNK 0xffffffffu

/*
 * Layout of words:
 *   rx      kind:8 flags:8 generation:16 head_chunk:32 | large_chunk:32 len_bytes:32
 *   tx      kind:8 flags:8 gso_bytes:16  arena_off:32  | len_bytes:32   zero:32
 *   return  zero:16        generation:16 head_chunk:32 | zero:64
 *   control kind:8 zero:24                n_flows:32    | number:64      (FENCE to RESET; n_flows: ADOPTED)
 */
static inline uint64_t lane_word(uint32_t low16, uint32_t mid16, uint32_t high32)
{
    return (uint64_t)(low16 & 0xffffu) | (uint64_t)(mid16 & 0xffffu) << 16 | (uint64_t)high32 << 32;
}

/* The newest version of [min, max] and our own; 0: none in common. */
uint32_t lane_version_choose(uint32_t version_min, uint32_t version_max);

/* Every number in range and a power of two where it must be. */
bool lane_shape_is_valid(const struct lane_shape *shape);

/* Byte offsets in the two segments, a function of the shape alone. */
struct lane_layout {
    size_t rx_slots_off[N_LANE_PRIORITIES]; /* in the frontend's segment */
    size_t frontend_bytes;
    size_t tx_slots_off[N_LANE_PRIORITIES]; /* in the worker's segment */
    size_t return_slots_off;
    size_t arena_off[N_LANE_PRIORITIES];
    size_t worker_bytes;
};

void lane_layout_init(struct lane_layout *layout, const struct lane_shape *shape);

#endif
