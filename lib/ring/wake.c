/* SPDX-License-Identifier: BSD-3-Clause */
/* wake.c — see wake.h. The full fences order "publish, then look at the flag" against "flag, then look at the
 * rings": one of the two always sees the other (Dekker). */
#include "ring/wake.h"

#include <sys/socket.h>

void wake_init(struct wake *wake, int socket, struct lane_index *sleeping,
               const struct lane_index MPA_PEER *peer_sleeping)
{
    *wake = (struct wake){.socket = socket, .sleeping = sleeping, .peer_sleeping = peer_sleeping};
}

void wake_announce(struct wake *wake)
{
    wake->own_count++;
    atomic_store_explicit(&wake->sleeping->value, wake->own_count, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
}

void wake_cancel(struct wake *wake, bool has_signal)
{
    char bytes[16];

    wake->own_count++;
    atomic_store_explicit(&wake->sleeping->value, wake->own_count, memory_order_relaxed);
    /* One announcement is answered once by each of the peer's stages: what may be left wakes us once for
     * nothing. */
    if (has_signal && recv(wake->socket, bytes, sizeof(bytes), MSG_DONTWAIT) < 0)
        return; /* somebody else's signal was taken back already */
}

bool wake_peer(struct wake *wake)
{
    uint32_t count;

    atomic_thread_fence(memory_order_seq_cst);
    count = peer_load32_relaxed(wake->peer_sleeping);
    if ((count & 1) == 0 || count == wake->answered)
        return false;
    wake->answered = count;
    return send(wake->socket, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}
