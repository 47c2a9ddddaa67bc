/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * classify_ip4.c — the IPv4 header (RFC 791, RFC 1122 3.2.1): lengths first, then the checksum, and only then
 * is anything in it believed.
 */
#include <arpa/inet.h>

#include "frontend/checksum.h"
#include "frontend/classify_internal.h"

#define IP4_MIN_BYTES 20u
#define IP4_MORE_OR_OFFSET 0x3fffu /* more-fragments flag and fragment offset */

enum ip4_option {
    IP4_OPTION_END = 0,
    IP4_OPTION_NOP = 1,
    IP4_OPTION_LOOSE_ROUTE = 131,
    IP4_OPTION_STRICT_ROUTE = 137,
};

/* An address as a number. */
static inline uint32_t address_at(const uint8_t *bytes)
{
    uint32_t address_be;

    memcpy(&address_be, bytes, sizeof(address_be));
    return ntohl(address_be);
}

/* Every option inside the header; source routes are refused (RFC 7126 4.3, 4.4). */
static bool has_valid_options(const uint8_t *options, uint32_t n_bytes)
{
    uint32_t i = 0;

    /* Each round moves on by at least one byte, and reads a length only where there is one. */
    while (i < n_bytes) {
        if (options[i] == IP4_OPTION_END)
            return true;
        if (options[i] == IP4_OPTION_NOP) {
            i++;
            continue;
        }
        if (options[i] == IP4_OPTION_LOOSE_ROUTE || options[i] == IP4_OPTION_STRICT_ROUTE)
            return false;
        if (n_bytes - i < 2 || options[i + 1] < 2 || options[i + 1] > n_bytes - i)
            return false;
        i += options[i + 1];
    }
    return true;
}

/* What our addresses say about one address of a packet. */
struct ip4_match {
    bool is_ours;
    bool is_subnet_broadcast;
};

static struct ip4_match match_ours(const struct host_addresses *ours, uint32_t address)
{
    struct ip4_match match = {0};

    for (uint32_t i = 0; i < ours->n_addresses; i++) {
        const struct config_address *own = &ours->addresses[i];
        uint32_t host_bits;

        if (own->family != 4)
            continue;
        if (address_at(own->bytes) == address)
            match.is_ours = true;
        /* /31 and /32 have no broadcast address (RFC 3021). */
        host_bits = own->prefix_bits < 31 ? 0xffffffffu >> own->prefix_bits : 0;
        if (host_bits != 0 && address == (address_at(own->bytes) | host_bits))
            match.is_subnet_broadcast = true;
    }
    return match;
}

/* A source that no honest sender has (RFC 1122 3.2.1.3): 0/8, 127/8, 224/3, ours, a broadcast. */
static bool is_impossible_source(const struct classify_job *job, uint32_t source)
{
    struct ip4_match match;

    if (source >> 24 == 0 || source >> 24 == 127 || source >> 29 == 7)
        return true;
    match = match_ours(job->context->addresses, source);
    return match.is_ours || match.is_subnet_broadcast;
}

/* Checks the header and its lengths; the bytes of the packet are end_off afterwards. */
static bool check_header(struct classify_job *job)
{
    const struct classify_frame *frame = job->frame;
    const uint8_t *ip = frame->head + CLASSIFY_LINK_BYTES;
    uint32_t header_bytes, total_bytes;

    if (frame->len_bytes < CLASSIFY_LINK_BYTES + IP4_MIN_BYTES ||
        frame->head_len < CLASSIFY_LINK_BYTES + IP4_MIN_BYTES) {
        classify_drop(job, NIC_rx_drop_runt);
        return false;
    }
    /* Frames may be longer than their packet (padding to 60 bytes), never shorter. */
    header_bytes = (ip[0] & 0xfu) * 4;
    total_bytes = classify_u16(ip + 2);
    if (ip[0] >> 4 != 4) {
        classify_drop(job, NIC_rx_drop_ip_version);
        return false;
    }
    if (header_bytes < IP4_MIN_BYTES || total_bytes < header_bytes ||
        total_bytes > frame->len_bytes - CLASSIFY_LINK_BYTES ||
        header_bytes > frame->head_len - CLASSIFY_LINK_BYTES) {
        classify_drop(job, NIC_rx_drop_ip_header);
        return false;
    }
    if (checksum_fold(checksum_add(0, ip, header_bytes)) != 0xffff) {
        classify_drop(job, NIC_rx_drop_ip_checksum);
        return false;
    }
    if (header_bytes > IP4_MIN_BYTES &&
        !has_valid_options(ip + IP4_MIN_BYTES, header_bytes - IP4_MIN_BYTES)) {
        classify_drop(job, NIC_rx_drop_ip_options);
        return false;
    }
    job->payload_off = CLASSIFY_LINK_BYTES + header_bytes;
    job->end_off = CLASSIFY_LINK_BYTES + total_bytes;
    return true;
}

static void note_destination(struct classify_job *job, uint32_t destination)
{
    struct ip4_match match = match_ours(job->context->addresses, destination);

    /* An address of ours that is also the broadcast of a subnet of ours would be a configuration error. */
    job->is_unicast = match.is_ours;
    job->is_group = !match.is_ours &&
                    (match.is_subnet_broadcast || destination >> 28 == 14 || destination == 0xffffffffu);
}

/* A DHCP server may answer to the address it offers, which is not ours yet (RFC 2131 4.1). */
static bool is_dhcp_offer(const struct classify_job *job)
{
    return job->protocol == CLASSIFY_UDP && job->payload_off + 8 <= classify_readable_end(job) &&
           classify_u16(job->frame->head + job->payload_off + 2) == 68;
}

static void classify_fragment(struct classify_job *job)
{
    if (job->frame->is_gso)
        classify_drop(job, NIC_rx_drop_gso); /* what is to be segmented cannot be a fragment */
    else
        classify_to_host(job);
}

void classify_ip4(struct classify_job *job)
{
    const uint8_t *ip = job->frame->head + CLASSIFY_LINK_BYTES;
    bool is_fragment;

    if (!check_header(job))
        return;
    job->family = 4;
    job->protocol = ip[9];
    job->source = ip + 12;
    job->destination = ip + 16;
    job->verdict->dscp = ip[1] >> 2;
    job->verdict->frame_len = job->end_off;
    job->verdict->transport_off = (uint16_t)job->payload_off;
    is_fragment = (classify_u16(ip + 6) & IP4_MORE_OR_OFFSET) != 0;
    note_destination(job, address_at(job->destination));
    /* The source first: a spoofed packet is named so, wherever it goes. */
    if (is_impossible_source(job, address_at(job->source)))
        classify_drop(job, NIC_rx_drop_spoofed);
    else if (!job->is_unicast && !job->is_group && (is_fragment || !is_dhcp_offer(job)))
        classify_drop(job, NIC_rx_drop_not_ours);
    else if (is_fragment)
        classify_fragment(job);
    else
        classify_transport(job);
}
