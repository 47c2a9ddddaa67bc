/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.h — the far end of a NIC of backend `memory`: two rings of frames inside the process, for tests and
 * benchmarks. One thread may stand at the far end and another at the NIC's (each direction is SPSC).
 *
 * A frame here is a virtio_net_hdr of NIC_VNET_BYTES followed by the Ethernet frame, in one piece.
 */
#ifndef MPA_NIC_MEMORY_H
#define MPA_NIC_MEMORY_H

#include "frontend/nic/nic.h"

/* Bytes of each ring: some super frames or thousands of small ones, and still at home in an L2 cache. */
#define NIC_MEMORY_RING_BYTES (512u << 10)

/*
 * Puts up to n frames where nic->ops->rx() finds them, in order and copied, published together. Returns how
 * many fitted. A frame longer than NIC_VNET_BYTES + NIC_MAX_FRAME_BYTES, or shorter than the header, is our
 * own bug.
 */
unsigned nic_memory_inject(struct nic *nic, const struct iovec *frames, unsigned n);

/*
 * Up to n frames that nic->ops->tx() has sent, in order; returns how many. They are borrowed from the ring
 * until nic_memory_release(), which gives back everything taken so far.
 */
unsigned nic_memory_take(struct nic *nic, struct iovec *frames, unsigned n);
void nic_memory_release(struct nic *nic);

#endif
