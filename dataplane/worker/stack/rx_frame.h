/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rx_frame.h — frames of the rx pool as lwIP sees them: headers copied to private memory (lwIP rewrites them
 * in place), payload referenced where it stands. When the last reference is gone the chunk is staged in the
 * return ring; rx_frames_publish() comes after the rx ring was freed.
 */
#ifndef MPA_STACK_RX_FRAME_H
#define MPA_STACK_RX_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "border/border.h"
#include "flow/key.h"

struct pbuf;

#define RX_FRAME_MAX_HEADER_BYTES 256u
#define RX_FRAME_OFF 10u /* of the link header in a head chunk, behind the virtio_net_hdr */
#define RX_FRAME_LINK_BYTES 14u

/* The frontend's note for the worker in the first bytes of a head chunk, where the virtio_net_hdr stood. */
struct rx_note {
    uint32_t hash;          /* flow_key_hash() of the frame, or of the flow that an ICMP error quotes */
    uint16_t transport_off; /* in the frame */
    uint16_t protocol;      /* IPPROTO_TCP or IPPROTO_UDP, also behind IPv6 extension headers */
};

/* One frame in hand. */
struct rx_frame {
    struct border_rx slot;
    const uint8_t *bytes; /* link header first, in the head chunk */
    struct rx_note note;
    struct flow_key key;
    uint32_t conn_idx; /* CONN_NONE: not known */
};

/* A head chunk while it is here. */
struct rx_chunk {
    uint16_t n_references; /* pbufs over it and over its large chunk */
    uint16_t generation;
    bool has_large;
};

struct rx_frames {
    const struct pool_segment *pool; /* mapped read-only */
    const uint8_t *heads, *larges;
    struct ring_producer return_ring;
    struct rx_chunk *chunks; /* owned: of each head chunk */
    uint32_t n_held;         /* head chunks here, not yet staged for return */
    uint32_t n_held_large;   /* large chunks that belong to them */
    bool is_faulted;
};

/* 0 or -errno; `pool` is an attached SEGMENT_POOL of `pool_bytes`. */
int rx_frames_init(struct rx_frames *frames, const struct pool_segment *pool,
                   size_t pool_bytes) MPA_WARN_UNUSED;
void rx_frames_fini(struct rx_frames *frames);

/* Fills in bytes, note and key of a frame whose slot was taken; false: nonsense, give it back. */
bool rx_frame_open(struct rx_frames *frames, struct rx_frame *frame);

/*
 * True while so many chunks are held (segments out of order, mostly) that further frames should be copied:
 * what a peer can make us hold must not take the pool from everybody else.
 */
bool rx_frames_are_scarce(const struct rx_frames *frames);

/* Makes lwIP's packet of it: IP header first, link header gone. NULL: no memory; the chunk is back then. The
 * frame itself is used up in either case. rx_frame_copy() gives the chunk back at once. */
struct pbuf *rx_frame_copy(struct rx_frames *frames, const struct rx_frame *frame);
struct pbuf *rx_frame_to_pbuf(struct rx_frames *frames, const struct rx_frame *frame);

/* Gives a frame back that was not made a pbuf of. */
void rx_frame_drop(struct rx_frames *frames, const struct rx_frame *frame);

/* Makes everything returned visible. True if there was anything. */
bool rx_frames_publish(struct rx_frames *frames);

#endif
