/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * classify_ip6.c — the IPv6 header and its extension headers (RFC 8200). A worker copies at most
 * CLASSIFY_MAX_HEADER_BYTES of headers, so a longer chain is refused here.
 */
#include "frontend/classify_internal.h"

#define IP6_BYTES 40u
#define IP6_MAX_PACKET_BYTES 65535u
#define IP6_OPTION_PAD1 0u
#define IP6_OPTION_MUST_UNDERSTAND 0xc0u /* the two bits that say what to do with an unknown option */

/* Options of a hop-by-hop or destination header: inside it, and none that we had to understand (4.2). */
static bool has_valid_options(const uint8_t *options, uint32_t n_bytes)
{
    uint32_t i = 0;

    while (i < n_bytes) {
        if (options[i] == IP6_OPTION_PAD1) {
            i++;
            continue;
        }
        if ((options[i] & IP6_OPTION_MUST_UNDERSTAND) != 0 || n_bytes - i < 2 ||
            options[i + 1] > n_bytes - i - 2)
            return false;
        i += 2u + options[i + 1];
    }
    return true;
}

enum classify_chain classify_ip6_extensions(const uint8_t *bytes, uint32_t end, uint32_t *off,
                                            uint8_t *protocol)
{
    uint32_t first_off = *off;

    while (*protocol == CLASSIFY_HOP_BY_HOP || *protocol == CLASSIFY_ROUTING ||
           *protocol == CLASSIFY_DESTINATION || *protocol == CLASSIFY_FRAGMENT) {
        const uint8_t *header = bytes + *off;
        uint32_t n_bytes;

        /* Every extension header has at least 8 bytes, and its length counts those beyond. */
        if (end - *off < 8)
            return CLASSIFY_CHAIN_BAD;
        if (*protocol == CLASSIFY_FRAGMENT)
            return CLASSIFY_CHAIN_FRAGMENT;
        n_bytes = 8 + header[1] * 8u;
        if (n_bytes > end - *off)
            return CLASSIFY_CHAIN_BAD;
        if (*protocol == CLASSIFY_HOP_BY_HOP && *off != first_off)
            return CLASSIFY_CHAIN_BAD; /* only directly behind the IPv6 header (4.1) */
        if (*protocol == CLASSIFY_ROUTING) {
            if (header[3] != 0)
                return CLASSIFY_CHAIN_BAD; /* we are no hop on a route (RFC 5095) */
        } else if (!has_valid_options(header + 2, n_bytes - 2)) {
            return CLASSIFY_CHAIN_BAD;
        }
        *protocol = header[0];
        *off += n_bytes;
    }
    return CLASSIFY_CHAIN_END;
}

/* Checks version and lengths; the bytes of the packet are end_off afterwards. */
static bool check_header(struct classify_job *job)
{
    const struct classify_frame *frame = job->frame;
    const uint8_t *ip = frame->head + CLASSIFY_LINK_BYTES;
    uint32_t off = CLASSIFY_LINK_BYTES + IP6_BYTES;

    if (frame->len_bytes < off || frame->head_len < off) {
        classify_drop(job, NIC_rx_drop_runt);
        return false;
    }
    if (ip[0] >> 4 != 6) {
        classify_drop(job, NIC_rx_drop_ip_version);
        return false;
    }
    /* 40 bytes below the protocol's own limit: lwIP's lengths have 16 bits. */
    if (classify_u16(ip + 4) > frame->len_bytes - off ||
        classify_u16(ip + 4) > IP6_MAX_PACKET_BYTES - IP6_BYTES) {
        classify_drop(job, NIC_rx_drop_ip_header);
        return false;
    }
    job->payload_off = off;
    job->end_off = off + classify_u16(ip + 4);
    return true;
}

/* Without a branch for each byte: these are looked at for every frame from a low address. */
static bool is_zero(const uint8_t *bytes, size_t n_bytes)
{
    uint8_t any = 0;

    for (size_t i = 0; i < n_bytes; i++)
        any |= bytes[i];
    return any == 0;
}

/* Multicast, loopback, IPv4-mapped or ours. "::" is judged by what it sends, in classify_icmp(). */
static bool is_impossible_source(struct classify_job *job)
{
    const uint8_t *source = job->source;

    if (source[0] == 0xff)
        return true;
    if (source[0] == 0 && is_zero(source, 10)) {
        if (source[10] == 0xff && source[11] == 0xff)
            return true;
        if (is_zero(source + 10, 5) && source[15] == 1)
            return true;
        job->is_unspecified_source = is_zero(source + 10, 6);
    }
    return classify_is_ours(job->context->addresses, 6, source);
}

static void note_destination(struct classify_job *job)
{
    const uint8_t *destination = job->destination;

    /* Scope 0 is reserved, scope 1 never leaves an interface (RFC 4291 2.7). */
    job->is_group = destination[0] == 0xff && (destination[1] & 0xf) > 1;
    job->is_unicast = !job->is_group && classify_is_ours(job->context->addresses, 6, destination);
}

/*
 * The host stack alone knows the addresses it is still testing (RFC 4862 5.4): link-local ones pass to it for
 * what they are tested and configured with, ICMPv6 and DHCPv6. Nothing else reaches an address not ours.
 */
static bool may_be_host_address(const struct classify_job *job)
{
    bool is_link_local = job->destination[0] == 0xfe && (job->destination[1] & 0xc0) == 0x80;

    if (!is_link_local || !job->is_link_unicast)
        return false;
    return job->protocol == CLASSIFY_ICMP6 ||
           (job->protocol == CLASSIFY_UDP && job->payload_off + 8 <= classify_readable_end(job) &&
            classify_u16(job->frame->head + job->payload_off + 2) == 546);
}

/* Behind the extension headers: fragments to the host stack, the rest by its transport. */
static void classify_chain_end(struct classify_job *job, enum classify_chain chain)
{
    bool is_for_us = job->is_unicast || job->is_group;

    if (chain == CLASSIFY_CHAIN_BAD)
        classify_drop(job, NIC_rx_drop_ip6_extension);
    else if (!is_for_us && (chain == CLASSIFY_CHAIN_FRAGMENT || !may_be_host_address(job)))
        classify_drop(job, NIC_rx_drop_not_ours);
    else if (job->is_unspecified_source &&
             (chain == CLASSIFY_CHAIN_FRAGMENT || job->protocol != CLASSIFY_ICMP6))
        classify_drop(job, NIC_rx_drop_spoofed);
    else if (chain == CLASSIFY_CHAIN_END)
        classify_transport(job);
    else if (job->frame->is_gso)
        classify_drop(job, NIC_rx_drop_gso);
    else
        classify_to_host(job);
}

void classify_ip6(struct classify_job *job)
{
    const uint8_t *ip = job->frame->head + CLASSIFY_LINK_BYTES;
    enum classify_chain chain = CLASSIFY_CHAIN_END;
    uint32_t end;

    if (!check_header(job))
        return;
    job->family = 6;
    job->protocol = ip[6];
    job->source = ip + 8;
    job->destination = ip + 24;
    job->verdict->dscp = (uint8_t)((ip[0] & 0xf) << 2 | ip[1] >> 6);
    job->verdict->frame_len = job->end_off;
    if (is_impossible_source(job)) {
        classify_drop(job, NIC_rx_drop_spoofed);
        return;
    }
    note_destination(job);
    /* What reaches past the worker's copy is refused as if it ran past the packet. */
    end = classify_readable_end(job);
    if (end > CLASSIFY_LINK_BYTES + CLASSIFY_MAX_HEADER_BYTES)
        end = CLASSIFY_LINK_BYTES + CLASSIFY_MAX_HEADER_BYTES;
    chain = classify_ip6_extensions(job->frame->head, end, &job->payload_off, &job->protocol);
    job->verdict->transport_off = (uint16_t)job->payload_off;
    classify_chain_end(job, chain);
}
