/* SPDX-License-Identifier: BSD-3-Clause */
/* offload_internal.h — places in headers and the pseudo-header sum, shared by offload.c and
 * offload_segment.c. */
#ifndef MPA_FRONTEND_OFFLOAD_INTERNAL_H
#define MPA_FRONTEND_OFFLOAD_INTERNAL_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "frontend/offload.h"

#define OFFLOAD_IP4_BYTES 20u
#define OFFLOAD_IP4_MORE_OR_OFFSET 0x3fffu
#define OFFLOAD_IP6_BYTES 40u
#define OFFLOAD_TCP_MIN_BYTES 20u
#define OFFLOAD_TCP_SEQ_OFF 4u
#define OFFLOAD_TCP_OFFSET_OFF 12u
#define OFFLOAD_TCP_FLAGS_OFF 13u

enum offload_tcp_flag {
    OFFLOAD_TCP_FIN = 0x01,
    OFFLOAD_TCP_SYN = 0x02,
    OFFLOAD_TCP_RST = 0x04,
    OFFLOAD_TCP_PSH = 0x08,
    OFFLOAD_TCP_CWR = 0x80,
};

static inline uint16_t offload_u16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* Of the checksum field in a TCP or UDP header. */
static inline uint16_t offload_csum_off(uint8_t protocol)
{
    return protocol == IPPROTO_TCP ? 16 : 6;
}

/* True when one of our addresses is `address` (4 or 16 bytes as `family` says). */
static inline bool offload_is_ours(const struct host_addresses *ours, uint8_t family, const uint8_t *address)
{
    for (uint32_t i = 0; i < ours->n_addresses; i++) {
        const uint8_t *own = ours->addresses[i].bytes;

        /* Each with a constant size: a compare in place, not a call, for each of a packet's addresses. */
        if (ours->addresses[i].family == family &&
            (family == 4 ? memcmp(own, address, 4) == 0 : memcmp(own, address, 16) == 0))
            return true;
    }
    return false;
}

/* Sum of the pseudo-header (RFC 9293 3.1, RFC 8200 8.1), not folded. The words of both kinds are the same but
 * for the order, which a sum does not see; an IPv4 key is zero behind its addresses. */
static inline uint64_t offload_pseudo_sum(const struct flow_key *key, uint32_t transport_bytes)
{
    uint64_t sum = (uint64_t)htonl(transport_bytes) + htons(key->protocol);
    uint32_t local, remote;

    for (unsigned i = 0; i < (key->family == 4 ? 4 : 16); i += 4) {
        memcpy(&local, key->local + i, sizeof(local));
        memcpy(&remote, key->remote + i, sizeof(remote));
        sum += (uint64_t)local + remote;
    }
    return sum;
}

#endif
