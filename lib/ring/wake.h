/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wake.h — sleeping and waking across a lane. A consumer about to sleep announces it, looks at its rings once
 * more and blocks on the lane's wake socket; a producer that has published looks at the announcement and
 * sends one byte. The announcement counts: odd means "wake me", and one number is answered only once, so a
 * burst of publishing does not become a burst of system calls.
 *
 * The wake object is a socketpair (AF_UNIX, datagram, non-blocking sends by flag): a peer that never reads
 * can fill it, and then a send fails with EAGAIN; it can never block the waker.
 */
#ifndef MPA_RING_WAKE_H
#define MPA_RING_WAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "peer/peer.h"
#include "shm/lane.h"

struct wake {
    int socket;                                      /* borrowed: this side's end of the pair */
    struct lane_index *sleeping;                     /* own segment */
    const struct lane_index MPA_PEER *peer_sleeping; /* peer's segment */
    uint32_t own_count;                              /* what `sleeping` holds */
    uint32_t answered;                               /* last announcement of the peer that was answered */
};

void wake_init(struct wake *wake, int socket, struct lane_index *sleeping,
               const struct lane_index MPA_PEER *peer_sleeping);

/* About to sleep: announce. The caller must look at all its rings again before it blocks. */
void wake_announce(struct wake *wake);

/* Awake again: take the announcement back and empty the socket if `has_signal`. */
void wake_cancel(struct wake *wake, bool has_signal);

/* After publishing: wakes the peer if it sleeps. True if a signal was sent. */
bool wake_peer(struct wake *wake);

#endif
