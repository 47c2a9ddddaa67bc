/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * classify_transport.c — TCP and UDP: headers and option lengths checked, then the key of the flow and its
 * hash. Stock lwIP reads option bytes past the end of a header that lies: it never gets to see one.
 */
#include "frontend/classify_internal.h"

#define TCP_MIN_BYTES 20u
#define TCP_FLAG_SYN 0x02u
#define TCP_FLAG_ACK 0x10u
#define UDP_BYTES 8u

enum { PORT_DHCP_CLIENT = 68, PORT_DHCP6_CLIENT = 546 };

enum tcp_option { TCP_OPTION_END = 0, TCP_OPTION_NOP = 1 };

/* Gives the packet to the worker of its flow; source and destination port stand at payload_off. */
static void classify_to_worker(struct classify_job *job)
{
    const uint8_t *ports = job->frame->head + job->payload_off;
    struct flow_key *key = &job->verdict->key;
    size_t n_bytes = job->family == 4 ? 4 : 16;

    memcpy(key->remote, job->source, n_bytes);
    memcpy(key->local, job->destination, n_bytes);
    memcpy(&key->remote_port_be, ports, 2);
    memcpy(&key->local_port_be, ports + 2, 2);
    key->protocol = job->protocol;
    key->family = job->family;
    /* The verdict was zeroed: an IPv4 key has nothing behind its addresses, as memcmp() on keys needs. */
    job->verdict->hash = flow_key_hash(key, job->context->seed);
    job->verdict->to = CLASSIFY_WORKER;
}

/* Kind and length only: what an option means is TCP's business, unknown ones are passed over by length. */
static bool has_valid_tcp_options(const uint8_t *options, uint32_t n_bytes)
{
    uint32_t i = 0;

    while (i < n_bytes) {
        if (options[i] == TCP_OPTION_END)
            return true;
        if (options[i] == TCP_OPTION_NOP) {
            i++;
            continue;
        }
        if (n_bytes - i < 2 || options[i + 1] < 2 || options[i + 1] > n_bytes - i)
            return false;
        i += options[i + 1];
    }
    return true;
}

/*
 * The transport header must be in the head buffer, and with all before it within what a worker copies. The
 * IPv4 header ends early enough that only extension headers can use the room up.
 */
static bool is_within_worker_copy(const struct classify_job *job, uint32_t header_bytes)
{
    return job->payload_off + header_bytes <= CLASSIFY_LINK_BYTES + CLASSIFY_MAX_HEADER_BYTES;
}

static void classify_tcp(struct classify_job *job)
{
    const uint8_t *tcp = job->frame->head + job->payload_off;
    uint32_t n_readable = classify_readable_end(job) - job->payload_off;
    uint32_t header_bytes;

    /* Never for a group, nor in a frame to one (RFC 1122 4.2.3.10). */
    if (!job->is_unicast || !job->is_link_unicast) {
        classify_drop(job, NIC_rx_drop_not_ours);
        return;
    }
    if (n_readable < TCP_MIN_BYTES) {
        classify_drop(job, NIC_rx_drop_tcp_header);
        return;
    }
    header_bytes = (uint32_t)(tcp[12] >> 4) * 4;
    if (header_bytes < TCP_MIN_BYTES || header_bytes > n_readable) {
        classify_drop(job, NIC_rx_drop_tcp_header);
        return;
    }
    if (!is_within_worker_copy(job, header_bytes)) {
        classify_drop(job, NIC_rx_drop_ip6_extension);
        return;
    }
    if (!has_valid_tcp_options(tcp + TCP_MIN_BYTES, header_bytes - TCP_MIN_BYTES)) {
        classify_drop(job, NIC_rx_drop_tcp_option_malformed);
        return;
    }
    job->verdict->is_syn = (tcp[13] & (TCP_FLAG_SYN | TCP_FLAG_ACK)) == TCP_FLAG_SYN;
    classify_to_worker(job);
}

/* UDP over IPv6 without a checksum is not allowed (RFC 8200 8.1). */
static bool has_valid_udp_header(const struct classify_job *job, const uint8_t *udp)
{
    uint32_t len_bytes = classify_u16(udp + 4);

    if (len_bytes < UDP_BYTES || len_bytes > job->end_off - job->payload_off)
        return false;
    return job->family == 4 || classify_u16(udp + 6) != 0;
}

static void classify_udp(struct classify_job *job)
{
    const uint8_t *udp = job->frame->head + job->payload_off;
    uint16_t port;

    if (classify_readable_end(job) - job->payload_off < UDP_BYTES || !has_valid_udp_header(job, udp)) {
        classify_drop(job, NIC_rx_drop_udp_header);
        return;
    }
    if (!is_within_worker_copy(job, UDP_BYTES)) {
        classify_drop(job, NIC_rx_drop_ip6_extension);
        return;
    }
    /* The host stack's ports first: a DHCP server may answer to an address that is not ours yet. */
    port = classify_u16(udp + 2);
    if (port == (job->family == 4 ? PORT_DHCP_CLIENT : PORT_DHCP6_CLIENT) || job->is_group)
        classify_to_host(job);
    else if (!job->is_unicast || !job->is_link_unicast)
        classify_drop(job, NIC_rx_drop_not_ours); /* unicast in a broadcast frame (RFC 1122 3.3.6) */
    else
        classify_to_worker(job);
}

void classify_transport(struct classify_job *job)
{
    if (job->frame->is_gso && job->protocol != CLASSIFY_TCP) {
        classify_drop(job, NIC_rx_drop_gso); /* we ask for no other kind */
        return;
    }
    if (job->protocol == CLASSIFY_TCP)
        classify_tcp(job);
    else if (job->protocol == CLASSIFY_UDP)
        classify_udp(job);
    else if (job->protocol == (job->family == 4 ? CLASSIFY_ICMP : CLASSIFY_ICMP6))
        classify_icmp(job);
    else if (job->protocol == CLASSIFY_IGMP && job->family == 4)
        classify_to_host(job);
    else
        classify_drop(job, NIC_rx_drop_protocol);
}
