/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * staging.h — the way out of a worker: IP packets are written into the tx arena and staged in the tx ring of
 * their priority; the frontend sees them only after staging_publish(), which the loop calls after the commit.
 *
 * An arena is a circular buffer for packets of any size, freed in ring order. A packet is contiguous: what is
 * left at the end of the arena is skipped when it is too short.
 */
#ifndef MPA_STACK_STAGING_H
#define MPA_STACK_STAGING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "flow/key.h"
#include "ring/ring.h"
#include "shm/counters.h"

struct pbuf;

#define STAGING_ALIGN_BYTES 64u

struct staging_arena {
    uint8_t *bytes; /* own segment */
    uint32_t size;
    uint64_t tail;       /* bytes ever reserved, skipped ones included */
    uint64_t freed;      /* bytes ever freed */
    uint64_t *slot_end;  /* owned, a place per ring slot: tail after that slot's packet */
    uint32_t freed_slot; /* ring index up to which `freed` counts */
};

/* A note that found no room yet. */
struct staging_late {
    enum lane_slot_kind kind;
    struct flow_key key;
};

#define STAGING_MAX_LATE 256u

struct staging {
    struct ring_producer ring[N_LANE_PRIORITIES];
    struct staging_arena arena[N_LANE_PRIORITIES];
    counter *counters;     /* borrowed */
    bool has_offload_csum; /* the frontend fills in TCP checksums */
    bool is_faulted;       /* the frontend's index is impossible: the lane is dead */
    bool is_closed;        /* there is no frontend: every packet is refused, as if the rings were full */
    uint32_t n_late;
    struct staging_late late[STAGING_MAX_LATE]; /* oldest first; staged by staging_refresh() */
};

/* What the TCP layer says about the packet it is about to send; zero for everything else. */
struct staging_hint {
    uint16_t gso_bytes; /* payload of one segment on the wire; 0: not to be cut */
};

int staging_init_arena(struct staging *staging, enum lane_priority priority, uint8_t *bytes,
                       uint32_t size) MPA_WARN_UNUSED;
void staging_fini(struct staging *staging);

/* The frontend is gone: rings and arenas are not touched any more, until they were set up anew. */
void staging_close(struct staging *staging);

/* Learns what the frontend has freed, and stages notes that wait. Call once a turn, and when out of room. */
void staging_refresh(struct staging *staging);

/* True while normal output should pause: a ring or arena is over 90 % full, until 80 %. */
bool staging_is_congested(const struct staging *staging);

/*
 * Copies one IP packet (IPv4 or IPv6, headers first) out of `packet` and stages it; sums the TCP checksum in
 * the same pass unless the frontend does it, and writes ID, DF and header checksum of IPv4 (RFC 6864).
 * Returns 0, -ENOBUFS (ring or arena full; nothing staged) or -EINVAL.
 */
int staging_put(struct staging *staging, const struct pbuf *packet, struct staging_hint hint) MPA_WARN_UNUSED;

/* Stages a note about a flow, OPENED or CLOSED; without room it is kept, behind older ones, until there is.
 * 0, or -ENOBUFS: no frontend, or STAGING_MAX_LATE are kept already. */
int staging_put_note(struct staging *staging, enum lane_slot_kind kind,
                     const struct flow_key *key) MPA_WARN_UNUSED;

/*
 * The answers to a fence (one in each ring) and to an ADOPT order, which say the number of flows. Their room
 * is reserved, LANE_CONTROL_SLOTS of each ring. 0 or -ENOBUFS: the frontend has not taken that many older
 * ones; to be tried again in a later turn.
 */
int staging_put_fence(struct staging *staging, enum lane_priority priority, uint64_t number) MPA_WARN_UNUSED;
int staging_put_adopted(struct staging *staging, uint64_t number, uint32_t n_flows) MPA_WARN_UNUSED;

/* Makes everything staged visible. True if there was anything. */
bool staging_publish(struct staging *staging);

#endif
