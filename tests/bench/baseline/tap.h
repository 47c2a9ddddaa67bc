/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tap.h — lwIP's netif on a plain TAP (no virtio_net_hdr, no offload), after the manner of its unix port:
 * read() a frame and copy it into pool pbufs; gather a packet into one buffer and write() it.
 */
#ifndef MPA_BASELINE_TAP_H
#define MPA_BASELINE_TAP_H

#include <lwip/netif.h>

struct tap {
    int fd; /* non-blocking */
    const char *name;
};

/* Opens the interface tap->name. 0 or -errno; *tap keeps the descriptor for the life of the process. */
int tap_open(struct tap *tap);

/* An init function for netif_add(); netif->state is the struct tap. */
err_t tap_netif_init(struct netif *netif);

/* Hands at most `n_frames` waiting frames to lwIP. Returns how many it took. */
unsigned tap_input(struct netif *netif, unsigned n_frames);

#endif
