/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * classify_icmp.c — ICMP errors belong to the worker whose packet they quote; all else is the host stack's.
 * An error is believed only so far: its checksum is right, it came to the address that the quoted packet was
 * sent from, and the quote reaches to the ports and the sequence number (RFC 5927 is the worker's business).
 */
#include <arpa/inet.h>

#include "frontend/checksum.h"
#include "frontend/classify_internal.h"

#define ICMP_BYTES 8u /* type, code, checksum and four bytes more, in both families */
#define QUOTE_TRANSPORT_BYTES 8u
#define IP4_MIN_BYTES 20u
#define IP4_OFFSET 0x1fffu
#define IP6_BYTES 40u

enum icmp4_type { ICMP4_UNREACHABLE = 3, ICMP4_TIME_EXCEEDED = 11, ICMP4_PARAMETER = 12 };

enum icmp6_type {
    ICMP6_LAST_ERROR = 127, /* errors are below 128; 1..4 are defined */
    ICMP6_UNREACHABLE = 1,
    ICMP6_PARAMETER = 4,
    ICMP6_MLD_REPORT = 131,
    ICMP6_MLD_DONE = 132,
    ICMP6_ROUTER_SOLICITATION = 133,
    ICMP6_NEIGHBOUR_SOLICITATION = 135,
    ICMP6_MLD2_REPORT = 143,
};

/* The quoted packet: one that we sent, so `source` is ours. */
struct quote {
    const uint8_t *source;
    const uint8_t *destination;
    const uint8_t *transport; /* NULL: not there, or of a fragment without it */
    uint8_t protocol;
};

/* Over the whole message, which errors are short enough to have in the head; IPv6 with its pseudo-header. */
static bool has_right_checksum(const struct classify_job *job)
{
    uint32_t n_bytes = job->end_off - job->payload_off;
    uint64_t sum = checksum_add(0, job->frame->head + job->payload_off, n_bytes);

    if (job->family == 6)
        sum = checksum_add(sum, job->source, 32) + htonl(n_bytes) + htons(CLASSIFY_ICMP6);
    return checksum_fold(sum) == 0xffff;
}

/* `bytes` .. `end`: the quoted packet, cut off anywhere. Its own length field may say more. */
static bool read_quote4(const uint8_t *bytes, uint32_t n_bytes, struct quote *quote)
{
    uint32_t header_bytes;

    if (n_bytes < IP4_MIN_BYTES || bytes[0] >> 4 != 4)
        return false;
    header_bytes = (bytes[0] & 0xfu) * 4;
    if (header_bytes < IP4_MIN_BYTES || header_bytes > n_bytes)
        return false;
    quote->source = bytes + 12;
    quote->destination = bytes + 16;
    quote->protocol = bytes[9];
    if ((classify_u16(bytes + 6) & IP4_OFFSET) == 0 && n_bytes - header_bytes >= QUOTE_TRANSPORT_BYTES)
        quote->transport = bytes + header_bytes;
    return true;
}

static bool read_quote6(const uint8_t *bytes, uint32_t n_bytes, struct quote *quote)
{
    uint32_t off = IP6_BYTES;
    uint8_t protocol;
    enum classify_chain chain;

    if (n_bytes < IP6_BYTES || bytes[0] >> 4 != 6)
        return false;
    protocol = bytes[6];
    chain = classify_ip6_extensions(bytes, n_bytes, &off, &protocol);
    if (chain == CLASSIFY_CHAIN_FRAGMENT) {
        /* Only the first fragment has the ports. */
        if ((classify_u16(bytes + off + 2) & 0xfff8u) != 0)
            return false;
        protocol = bytes[off];
        off += 8;
    }
    /* Also a quote that was cut off inside its extension headers. */
    if (chain == CLASSIFY_CHAIN_BAD)
        return false;
    quote->source = bytes + 8;
    quote->destination = bytes + 24;
    quote->protocol = protocol;
    if (n_bytes - off >= QUOTE_TRANSPORT_BYTES)
        quote->transport = bytes + off;
    return true;
}

/* The key of the quoted flow as its receiver, which we are, sees it: turned round. */
static void classify_to_quoted_flow(struct classify_job *job, const struct quote *quote)
{
    struct flow_key *key = &job->verdict->key;
    size_t n_bytes = job->family == 4 ? 4 : 16;

    memcpy(key->remote, quote->destination, n_bytes);
    memcpy(key->local, quote->source, n_bytes);
    memcpy(&key->remote_port_be, quote->transport + 2, 2);
    memcpy(&key->local_port_be, quote->transport, 2);
    key->protocol = quote->protocol;
    key->family = job->family;
    job->verdict->hash = flow_key_hash(key, job->context->seed);
    job->verdict->to = CLASSIFY_ICMP_ERROR;
}

static void classify_error(struct classify_job *job)
{
    const uint8_t *quoted = job->frame->head + job->payload_off + ICMP_BYTES;
    uint32_t n_bytes = job->end_off - job->payload_off - ICMP_BYTES;
    struct quote quote = {0};
    bool is_read;

    /* An error has no room to be larger than the head: 576 bytes, over IPv6 1280. */
    if (!job->is_unicast || job->end_off > job->frame->head_len ||
        (!job->frame->has_good_csum && !has_right_checksum(job))) {
        classify_drop(job, NIC_rx_drop_icmp);
        return;
    }
    is_read = job->family == 4 ? read_quote4(quoted, n_bytes, &quote) : read_quote6(quoted, n_bytes, &quote);
    /* An error comes to the sender of what it quotes: anything else was made up. */
    if (!is_read || memcmp(quote.source, job->destination, job->family == 4 ? 4 : 16) != 0) {
        classify_drop(job, NIC_rx_drop_icmp);
        return;
    }
    if (quote.protocol == (job->family == 4 ? CLASSIFY_ICMP : CLASSIFY_ICMP6))
        classify_to_host(job); /* about a ping or so of the host stack */
    else if (quote.transport != NULL && (quote.protocol == CLASSIFY_TCP || quote.protocol == CLASSIFY_UDP))
        classify_to_quoted_flow(job, &quote);
    else
        classify_drop(job, NIC_rx_drop_icmp);
}

static bool is_error(const struct classify_job *job, uint8_t type)
{
    if (job->family == 4)
        return type == ICMP4_UNREACHABLE || type == ICMP4_TIME_EXCEEDED || type == ICMP4_PARAMETER;
    return type <= ICMP6_LAST_ERROR;
}

/* "::" sends what a node without an address must: to test one (NS), to find routers, to report groups. */
static bool may_come_from_unspecified(uint8_t type)
{
    return type == ICMP6_NEIGHBOUR_SOLICITATION || type == ICMP6_ROUTER_SOLICITATION ||
           type == ICMP6_MLD_REPORT || type == ICMP6_MLD_DONE || type == ICMP6_MLD2_REPORT;
}

void classify_icmp(struct classify_job *job)
{
    uint8_t type;

    if (classify_readable_end(job) - job->payload_off < ICMP_BYTES) {
        classify_drop(job, NIC_rx_drop_icmp);
        return;
    }
    type = job->frame->head[job->payload_off];
    if (job->is_unspecified_source && !may_come_from_unspecified(type))
        classify_drop(job, NIC_rx_drop_spoofed);
    else if (!is_error(job, type))
        classify_to_host(job);
    else if (job->family == 6 && (type < ICMP6_UNREACHABLE || type > ICMP6_PARAMETER))
        classify_drop(job, NIC_rx_drop_icmp); /* unknown errors; private experimentation too */
    else
        classify_error(job);
}
