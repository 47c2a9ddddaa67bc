/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * offload.h — what a NIC may be asked to do with a packet, checked and put into words; and the same work in
 * software where the NIC does not do it. Pure functions: the caller copies the beginning of a worker's packet
 * to private memory, has the copy checked, lets it be changed here, and sends that copy in front of the
 * payload.
 *
 * A packet here begins with its IP header; offsets in a struct offload_plan are from there. A virtio_net_hdr
 * counts from the link header, NIC_LINK_BYTES before.
 */
#ifndef MPA_FRONTEND_OFFLOAD_H
#define MPA_FRONTEND_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/key.h"
#include "frontend/host.h"
#include "frontend/nic/nic.h"
#include "frontend/nic/vnet.h"

#define OFFLOAD_MAX_COPY_BYTES 128u /* more than the longest headers that pass: IPv6 and 60 bytes of TCP */
#define OFFLOAD_MAX_PACKET_BYTES 65535u /* IPv6 too: its own limit is 40 bytes higher */

/* The beginning of a frame to send, all of it private: what is checked here is what leaves. */
struct offload_frame {
    struct nic_vnet vnet;
    uint8_t link[NIC_LINK_BYTES];
    uint8_t packet[OFFLOAD_MAX_COPY_BYTES];
};

#define OFFLOAD_PACKET_OFF (NIC_VNET_BYTES + NIC_LINK_BYTES)
_Static_assert(sizeof(struct offload_frame) == OFFLOAD_PACKET_OFF + OFFLOAD_MAX_COPY_BYTES,
               "its parts stand as the NIC wants them");

/* What a worker wants sent, as its slot says. */
struct offload_request {
    const uint8_t *header; /* private copy of the first bytes of the packet */
    uint32_t header_len;   /* bytes copied: total_len or OFFLOAD_MAX_COPY_BYTES, whichever is less */
    uint32_t total_len;    /* of the packet, as far as the arena really has it */
    uint16_t gso_size;     /* payload of each segment to cut; 0: not to be cut */
    bool needs_csum;       /* the transport checksum is not filled in */
};

enum offload_outcome {
    OFFLOAD_OK,
    OFFLOAD_BAD_SOURCE, /* not one of our addresses: LANE_tx_drop_source */
    OFFLOAD_BAD_HEADER, /* not valid, or nothing a worker may send: LANE_tx_drop_header */
};

/* A packet that may be sent, and how. */
struct offload_plan {
    struct flow_key key; /* receiver's view: remote is the destination; ports 0 for ICMP */
    uint32_t total_len;
    uint16_t transport_off;
    uint16_t header_len; /* IP and transport header: where the payload begins; 8 bytes of ICMP */
    uint16_t gso_size;   /* 0: one packet (also when the payload fits into one segment) */
    uint8_t dscp;
    bool needs_csum;
    bool needs_fragments; /* longer than the MTU and not to be segmented */
};

/*
 * Checks a packet: version and lengths, a source that is ours, a destination that is somebody else's, no
 * fragment, no IPv4 options, no IPv6 extension headers, TCP, UDP or ICMP (errors and echo only: ND, redirects
 * and router advertisements are no worker's), the transport header inside the copy; GSO only for TCP without
 * SYN or RST, with needs_csum, with a segment within the MTU. *plan is written when the outcome is
 * OFFLOAD_OK.
 */
enum offload_outcome offload_check_tx(const struct host_addresses *ours, uint32_t mtu_bytes,
                                      const struct offload_request *request, struct offload_plan *plan);

/* The same outcome and plan without the short cut that offload_check_tx() takes for plain TCP: for the tests
 * that hold the two against each other. */
enum offload_outcome offload_check_tx_step_by_step(const struct host_addresses *ours, uint32_t mtu_bytes,
                                                   const struct offload_request *request,
                                                   struct offload_plan *plan);

/*
 * For a NIC that does it: fills in the virtio_net_hdr, and where needs_csum is set puts the folded, not
 * inverted, sum of the pseudo-header into the checksum field of `header` (plan->header_len bytes).
 */
void offload_write_vnet(const struct offload_plan *plan, uint8_t *header, struct nic_vnet *vnet);

/* One packet, complete with its checksums; both parts are valid during the call. */
struct offload_segment {
    const uint8_t *header;
    uint32_t header_len;
    const uint8_t *payload;
    uint32_t payload_len;
};

typedef void offload_emit_fn(void *context, const struct offload_segment *segment);

/* A packet in two parts: `header` has plan->header_len bytes, `payload` all that follows. */
struct offload_packet {
    const struct offload_plan *plan;
    const uint8_t *header;
    const uint8_t
        *payload; /* summed, never interpreted: it may change under us, which then shows to the peer */
};

/*
 * For a NIC that does not: fills in the transport checksum where needs_csum is set, and cuts by gso_size. Of
 * the segments only the last has FIN and PSH, only the first CWR; sequence numbers and IPv4 identifications
 * go up. Emits in order; returns how many.
 */
unsigned offload_segment(const struct offload_packet *packet, offload_emit_fn *emit, void *context);

/* What a received virtio_net_hdr says. */
struct offload_rx {
    bool has_good_csum; /* nobody needs to check it: it was checked, or the frame never left this host */
    bool is_partial;    /* the checksum field has the pseudo-header's sum only: see offload_finish_csum() */
    bool is_gso;
};

/* False: not valid for a frame of which head_len bytes are in the head (NIC_rx_drop_gso). */
MPA_WARN_UNUSED static inline bool offload_check_rx(const struct nic_vnet *vnet, uint32_t head_len,
                                                    struct offload_rx *rx)
{
    uint8_t gso_type = vnet->gso_type & (uint8_t)~VNET_GSO_ECN;
    bool is_partial = (vnet->flags & VNET_NEEDS_CSUM) != 0;

    if (gso_type != VNET_GSO_NONE &&
        ((gso_type != VNET_GSO_TCPV4 && gso_type != VNET_GSO_TCPV6) || vnet->gso_size == 0))
        return false;
    /* The field to fill in must be behind an IP header (of 20 bytes at least) and in the part that we hold.
     */
    if (is_partial && (vnet->csum_start < NIC_LINK_BYTES + 20u ||
                       (uint32_t)vnet->csum_start + vnet->csum_offset + 2 > head_len))
        return false;
    *rx = (struct offload_rx){.has_good_csum = is_partial || (vnet->flags & VNET_DATA_VALID) != 0,
                              .is_partial = is_partial,
                              .is_gso = gso_type != VNET_GSO_NONE};
    return true;
}

/*
 * Fills in the checksum of a received frame with is_partial before somebody sees it who checks: the host
 * stack, a capture. `frame` is whole, and `vnet` was found valid for it.
 */
void offload_finish_csum(uint8_t *frame, uint32_t len_bytes, const struct nic_vnet *vnet);

#endif
