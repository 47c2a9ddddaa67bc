/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * classify.h — what a received frame is and whose it is. Pure: bytes in, verdict out, nothing is changed. All
 * that a worker's lwIP would take on trust is checked here: lengths, header and option lengths, sources.
 */
#ifndef MPA_FRONTEND_CLASSIFY_H
#define MPA_FRONTEND_CLASSIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/key.h"
#include "frontend/host.h"
#include "shm/counters.h"

#define CLASSIFY_MAX_HEADER_BYTES 256u /* IP header with extensions plus transport header */

enum classify_to {
    CLASSIFY_WORKER,     /* `key` and `hash` are set */
    CLASSIFY_ICMP_ERROR, /* quotes a flow of ours; key is that flow's (receiver's view), hash is set */
    CLASSIFY_HOST,       /* for the host stack */
    CLASSIFY_DROP,       /* `drop` names the counter */
};

struct classify_verdict {
    enum classify_to to;
    enum nic_counter drop;
    struct flow_key key;
    uint32_t hash;
    uint32_t frame_len;     /* link header + IP length: padding of short frames is cut off */
    uint16_t ip_off;        /* of the IP header in the frame: 14 */
    uint16_t transport_off; /* of the TCP, UDP or ICMP header in the frame */
    uint8_t dscp;
    bool is_syn; /* TCP SYN without ACK: a new connection */
};

/* What the classifier knows of us; borrowed. */
struct classify_context {
    const uint8_t *mac;
    const struct host_addresses *addresses;
    const struct flow_seed *seed;
};

/* A frame as received: `head_len` bytes here (head_len <= len_bytes), the rest elsewhere. */
struct classify_frame {
    const uint8_t *head;
    uint32_t head_len;
    uint32_t len_bytes;
    bool has_good_csum; /* the NIC has checked the transport checksum; IPv4 header checksum is checked here */
    bool is_gso;        /* may be longer than the MTU */
};

/*
 * A frame from the NIC, link header first. Rules: destination MAC is ours, broadcast or multicast; IP
 * destination one of `addresses` for TCP and UDP, source neither ours nor multicast nor broadcast nor
 * unspecified nor loopback; IPv4 header checksum; TCP data offset and every option's length inside the header
 * (tcp_option_malformed); UDP length; fragments, ARP, ND, IGMP/MLD, ICMP echo, DHCP client (UDP to port 68,
 * or to 546 over IPv6) and other multicast go to the host stack; ICMP errors that quote TCP or UDP sent by us
 * go to its worker; 802.1Q and other ethertypes are dropped by name. LLC frames count as ethertype.
 */
void classify_frame(const struct classify_context *context, const struct classify_frame *frame,
                    struct classify_verdict *verdict);

/* The same for n frames: less work for each, as the hashes of some are computed side by side. */
void classify_burst(const struct classify_context *context, const struct classify_frame *frames,
                    struct classify_verdict *verdicts, unsigned n);

#endif
