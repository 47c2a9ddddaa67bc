/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nic.h — one interface for every NIC backend; a file per backend (tap.c, packet.c, memory.c; room for
 * xdp.c).
 *
 * A received frame stands in two buffers of the caller: `head` (NIC_HEAD_BYTES) begins with a
 * struct virtio_net_hdr of NIC_VNET_BYTES, then the link header, then as much as fits; the rest is in `tail`.
 * A frame to send is an iovec array whose first entry begins with the virtio_net_hdr. Backends without
 * offload give and want zero headers; nic->caps says so. One thread uses rx, one (maybe another) uses tx.
 */
#ifndef MPA_NIC_NIC_H
#define MPA_NIC_NIC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/assert.h"
#include "base/config.h"

#define NIC_VNET_BYTES 10u /* struct virtio_net_hdr without num_buffers */
#define NIC_LINK_BYTES 14u /* Ethernet, no VLAN */
#define NIC_HEAD_BYTES 2048u
#define NIC_TAIL_BYTES 65536u
#define NIC_MAX_FRAME_BYTES (NIC_LINK_BYTES + 65535u)

enum nic_cap {
    NIC_CAP_CSUM = 1u << 0, /* fills in transport checksums (NEEDS_CSUM), marks received ones as good */
    NIC_CAP_TSO4 = 1u << 1,
    NIC_CAP_TSO6 = 1u << 2,
};

/* One receive place: the caller sets the buffers, the backend the length. */
struct nic_rx {
    uint8_t *head;      /* NIC_HEAD_BYTES */
    uint8_t *tail;      /* NIC_TAIL_BYTES, or NULL when the caller has none left: longer frames are cut off */
    uint32_t len_bytes; /* frame length without the virtio_net_hdr; 0: nothing; may exceed what fitted */
};

enum nic_tx_result {
    NIC_TX_SENT,
    NIC_TX_BUSY,  /* not taken; wait for POLLOUT or try later */
    NIC_TX_ERROR, /* not taken and never will be */
};

struct nic;

struct nic_ops {
    const char *name;
    /* Fills up to n places in order; returns how many, 0 when there is nothing, or -errno when the NIC is
     * gone. */
    int (*rx)(struct nic *nic, struct nic_rx *places, unsigned n);
    enum nic_tx_result (*tx)(struct nic *nic, const struct iovec *parts, int n_parts);
    /* Sends what tx() has gathered; may be NULL. */
    void (*flush)(struct nic *nic);
    void (*close)(struct nic *nic);
    /* Makes the interface outlive its process, or not; NULL: it does anyway. 0 or -errno. */
    int (*keep)(struct nic *nic, bool is_kept);
};

struct nic {
    const struct nic_ops *ops;
    uint32_t caps; /* enum nic_cap */
    int fd;        /* readable when a frame waits, writable after BUSY; -1: poll by calling rx */
    uint16_t mtu_bytes;
    uint8_t mac[6]; /* ours: what frames to us are addressed to */
    bool has_vnet;  /* the descriptor speaks virtio_net_hdr */
    bool is_made;   /* the interface was not there before nic_open() */
    void *backend;  /* owned by the backend */
};

/*
 * Opens the backend that `config` names, in the privileged start step. On failure returns -errno and writes
 * one line to `error` that says what, where and what to do (no permission, interface missing, busy, ...).
 */
int nic_open(struct nic *nic, const struct config_nic *config, char *error,
             size_t error_size) MPA_WARN_UNUSED;
/* The same with a descriptor of an earlier nic->fd that somebody has kept: a NIC that never went away. `fd`
 * is taken in any case; one that does not fit `config` (-1: there is none) is closed and the NIC opened anew.
 */
int nic_open_kept(struct nic *nic, const struct config_nic *config, int fd, char *error,
                  size_t error_size) MPA_WARN_UNUSED;
void nic_close(struct nic *nic);

#endif
