/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * offload.h — what happens to a worker's packet before it goes to the NIC: checking a private copy of its
 * headers, asking the NIC for checksum and segmentation, or doing both in software. Pure functions.
 */
#ifndef MPA_FRONTEND_OFFLOAD_H
#define MPA_FRONTEND_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "flow/key.h"
#include "frontend/host.h"

#define OFFLOAD_MAX_HEADER_BYTES 256u

/* A packet to send: its first bytes in private memory, all of it `len_bytes` long. */
struct offload_packet {
    uint8_t header[OFFLOAD_MAX_HEADER_BYTES]; /* private copy: what is checked is what is sent */
    uint32_t header_bytes;                    /* valid in `header`: min(len_bytes, OFFLOAD_MAX_HEADER_BYTES) */
    uint32_t len_bytes;                       /* IP header and all */
    uint16_t gso_bytes;                       /* wanted payload of a segment; 0: not to be cut */
    bool needs_csum;                          /* transport checksum is ours to see to */
    /* written by offload_check_tx() */
    uint8_t family;
    uint8_t protocol;                         /* behind extension headers */
    uint8_t dscp;
    uint16_t transport_off;                   /* in header */
    uint16_t payload_off;                     /* end of the transport header for TCP and UDP */
    uint8_t destination[16];                  /* 4 or 16 bytes, network order */
    bool must_fragment;                       /* longer than the MTU and not to be cut as TCP */
};

enum offload_verdict {
    OFFLOAD_OK,
    OFFLOAD_BAD_SOURCE, /* source address is not ours */
    OFFLOAD_BAD_HEADER, /* version, lengths, protocol or offload wish not valid */
};

/*
 * Checks a worker's packet: version, lengths, source one of `addresses`, protocol TCP, UDP or ICMP, transport
 * header inside the copy, gso_bytes (TCP only) between 1 and MTU - headers, at most the MTU long unless it is
 * cut or may be fragmented (UDP and ICMP; never TCP).
 */
enum offload_verdict offload_check_tx(struct offload_packet *packet, const struct host_addresses *addresses);

/*
 * For a NIC with offload: fills the 10-byte virtio_net_hdr for the packet behind a link header of 14 bytes, and
 * writes the folded, not inverted pseudo-header sum into the private header where the NIC completes it.
 */
void offload_write_vnet(struct offload_packet *packet, uint8_t vnet[10]);

/* One packet on the wire: header bytes of its own, payload where it stands. */
struct offload_segment {
    const uint8_t *header;
    uint32_t header_len;
    const uint8_t *payload;
    uint32_t payload_len;
};
typedef void offload_emit_fn(void *context, const struct offload_segment *segment);

/*
 * For a NIC without: cuts a checked TCP packet with gso_bytes into segments (sequence numbers, IP lengths and
 * checksums right; PSH and FIN only on the last, CWR only on the first), or completes the checksum of a packet
 * that needs it; `payload` are the bytes behind payload_off. Returns the number of segments emitted.
 */
unsigned offload_segment(const struct offload_packet *packet, const uint8_t *payload, offload_emit_fn *emit,
                         void *context);

#endif
