/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vnet.h — the ten bytes in front of every frame: struct virtio_net_hdr in the host's byte order, as TAP and
 * AF_PACKET speak it (virtio 1.2, 5.1.6), here without kernel headers so that code beyond nic/ may use it.
 */
#ifndef MPA_NIC_VNET_H
#define MPA_NIC_VNET_H

#include <stdint.h>

#define VNET_NEEDS_CSUM 1u /* checksum from csum_start on goes to csum_start + csum_offset */
#define VNET_DATA_VALID 2u /* received: the transport checksum has been checked */
#define VNET_GSO_NONE 0u
#define VNET_GSO_TCPV4 1u
#define VNET_GSO_TCPV6 4u
#define VNET_GSO_ECN 0x80u /* or-ed in: the packet has CWR, which only its first segment may carry */

struct nic_vnet {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t hdr_len;     /* link to transport header; a hint, never to be trusted */
    uint16_t gso_size;    /* payload of each segment */
    uint16_t csum_start;  /* from the link header on */
    uint16_t csum_offset; /* of the checksum field, from csum_start on */
};

_Static_assert(sizeof(struct nic_vnet) == 10, "virtio_net_hdr has ten bytes");

#endif
