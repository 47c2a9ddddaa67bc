/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stack_receiver.h — the peer as a receiver of RIG_SOURCE's stream: keeps what arrives in order or not, loses
 * what it is told to lose, and acknowledges with SACK blocks as a real one does.
 */
#ifndef MPA_TESTS_STACK_RECEIVER_H
#define MPA_TESTS_STACK_RECEIVER_H

#include "tests/unit/worker/stack/stack_rig.h"

#define RECEIVER_MAX_BYTES (4u << 20)
#define RECEIVER_MAX_LOSSES 64u

struct receiver {
    struct tcp_script script; /* script.ack: next byte expected */
    uint8_t *has;             /* owned: 1 for each byte of the stream that is here; the FIN counts as one */
    uint32_t n_contiguous;    /* bytes from the start without a hole */
    uint32_t end;             /* behind the last byte here */
    uint32_t fin_position;    /* once has_fin_seen */
    struct tcp_script_sack last;          /* range of the latest segment out of order */
    uint32_t losses[RECEIVER_MAX_LOSSES]; /* positions: the segment that holds one is lost, once for each */
    uint32_t n_losses;
    uint32_t n_lost, n_segments, n_duplicates; /* n_duplicates: segments with nothing new */
    uint32_t n_super;                          /* segments to be cut by the NIC */
    uint32_t max_payload;                      /* longest segment on the wire, after cutting */
    uint32_t n_bad;                            /* segments with a new byte that is not the stream's */
    bool has_fin_seen, has_fin;                /* has_fin: with everything before it */
    bool is_silent;                            /* takes, but acknowledges nothing */
    bool has_sack;
};

void receiver_init(struct receiver *receiver, struct tcp_script *opened, unsigned options);
void receiver_fini(struct receiver *receiver);
/* Loses, once, the segment with the byte at `position`. */
void receiver_lose(struct receiver *receiver, uint32_t position);
/* Takes everything that has left, an ACK for each segment; the ACKs arrive with the next turn. True if there
 * was anything. */
bool receiver_take(struct rig *rig, struct receiver *receiver);
/* Takes and runs turns until nothing comes any more. */
void receiver_drain(struct rig *rig, struct receiver *receiver);

#endif
