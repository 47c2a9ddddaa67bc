/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * classify_internal.h — what the classifier's files share. A frame that is not as plain as can be
 * (classify_plain.c) goes down through them:
 *
 *   classify.c (link) -> classify_ip4.c / classify_ip6.c -> classify_transport.c (TCP, UDP)
 *                                                       \-> classify_icmp.c (errors, and the flow they quote)
 *
 * Each step checks its header, moves `payload` behind it and calls the next, or ends with one of the
 * classify_to_*() / classify_drop() verdicts. Offsets are in the frame, from the link header on.
 *
 * Invariant: payload_off <= end_off <= frame->len_bytes. A step reads bytes only below
 * classify_readable_end(), which is end_off or the end of the head buffer, whichever comes first.
 */
#ifndef MPA_FRONTEND_CLASSIFY_INTERNAL_H
#define MPA_FRONTEND_CLASSIFY_INTERNAL_H

#include <string.h>

#include "frontend/classify.h"

#define CLASSIFY_LINK_BYTES 14u

/* IP protocol numbers, and IPv6 next headers, that the classifier knows by name. */
enum classify_protocol {
    CLASSIFY_HOP_BY_HOP = 0,
    CLASSIFY_ICMP = 1,
    CLASSIFY_IGMP = 2,
    CLASSIFY_TCP = 6,
    CLASSIFY_UDP = 17,
    CLASSIFY_ROUTING = 43,
    CLASSIFY_FRAGMENT = 44,
    CLASSIFY_ICMP6 = 58,
    CLASSIFY_DESTINATION = 60,
};

/* One frame on its way through the steps. */
struct classify_job {
    const struct classify_context *context;
    const struct classify_frame *frame;
    struct classify_verdict *verdict;
    uint32_t payload_off;  /* what the IP header carries, behind options and extension headers */
    uint32_t end_off;      /* behind the last byte of the IP packet */
    const uint8_t *source; /* IP addresses, 4 or 16 bytes, in the frame */
    const uint8_t *destination;
    uint8_t family; /* 4 or 6 */
    uint8_t protocol;
    bool is_link_unicast;       /* destination MAC is ours */
    bool is_unicast;            /* IP destination is one of ours */
    bool is_group;              /* IP destination is multicast or broadcast */
    bool is_unspecified_source; /* IPv6 "::": only what duplicate address detection and MLD send */
};

static inline uint16_t classify_u16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* End of the bytes that may be read: of the packet, or of the part of it that is in the head. */
static inline uint32_t classify_readable_end(const struct classify_job *job)
{
    return job->end_off < job->frame->head_len ? job->end_off : job->frame->head_len;
}

static inline void classify_drop(struct classify_job *job, enum nic_counter reason)
{
    job->verdict->to = CLASSIFY_DROP;
    job->verdict->drop = reason;
}

static inline void classify_to_host(struct classify_job *job)
{
    job->verdict->to = CLASSIFY_HOST;
}

/* True when one of our addresses is `address` (4 or 16 bytes as `family` says). */
static inline bool classify_is_ours(const struct host_addresses *ours, uint8_t family, const uint8_t *address)
{
    size_t n_bytes = family == 4 ? 4 : 16;

    for (uint32_t i = 0; i < ours->n_addresses; i++) {
        if (ours->addresses[i].family == family && memcmp(ours->addresses[i].bytes, address, n_bytes) == 0)
            return true;
    }
    return false;
}

/* As classify_frame(), without the short cut: any frame, each step a check. */
void classify_step_by_step(const struct classify_context *context, const struct classify_frame *frame,
                           struct classify_verdict *verdict);

void classify_ip4(struct classify_job *job);
void classify_ip6(struct classify_job *job);

/* The packet is whole, not a fragment, and its addresses are possible: goes by its transport protocol. */
void classify_transport(struct classify_job *job);

/* ICMPv4 and ICMPv6, from classify_transport(). */
void classify_icmp(struct classify_job *job);

/* What classify_ip6_extensions() met. */
enum classify_chain {
    CLASSIFY_CHAIN_END,      /* *protocol is no extension header; it begins at *off */
    CLASSIFY_CHAIN_FRAGMENT, /* a fragment header begins at *off */
    CLASSIFY_CHAIN_BAD,      /* not valid, or runs past `end` */
};

/*
 * Walks the extension headers in bytes[*off .. end): *protocol is the next-header value that names what
 * stands at *off. Checks each option's length, refuses what a receiver must refuse. Also for quoted packets.
 */
enum classify_chain classify_ip6_extensions(const uint8_t *bytes, uint32_t end, uint32_t *off,
                                            uint8_t *protocol);

#endif
