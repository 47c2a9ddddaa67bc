/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_input.c — the way of a frame into the host stack.
 *
 *   ARP ------------------------------> filter -> lwIP
 *   IP -- in fragments -> reassembly -> whole packet
 *      \- whole packet
 *           ICMP echo, ND, MLD, IGMP, DHCP -> filter -> lwIP
 *           TCP, UDP, ICMP errors, reassembled -> handed out, to be classified
 *           anything else -> dropped by name
 *
 * lwIP gets IP packets and ARP messages without the link header, in buffers of its own that leave room for
 * one. So a TCP or UDP packet never reaches it, and it never answers one with an ICMP error.
 */
#include <netinet/in.h>
#include <string.h>

#include <lwip/etharp.h>
#include <lwip/ip4.h>
#include <lwip/ip6.h>

#include "frontend/host_internal.h"
#include "frontend/wire.h"

#define ICMP6_ECHO_REQUEST 128u /* the types below are errors */
#define ICMP6_ECHO_REPLY 129u   /* those above belong to the link: MLD, ND */
#define ICMP6_REDIRECT 137u
#define ARP_SENDER_IP_OFF 14u
#define ARP_TARGET_IP_OFF 24u

/* Unreachable, source quench, time exceeded, parameter problem: they quote a packet, maybe a worker's. */
static bool is_icmp4_error(uint8_t type)
{
    return type == 3 || type == 4 || type == 11 || type == 12;
}

/* The large buffer is the host's own and is never given back. */
static void keep_large(struct pbuf *p)
{
    (void)p;
}

/*
 * A private copy for lwIP, with room in front for the link header. NULL (counted) when there is no memory.
 *
 * lwIP's 16-bit lengths have no place for the room and a datagram of nearly 64 KiB; there is one buffer for
 * such. It is free again when the input function returns: nothing that long is queued, it is cut or dropped.
 */
static struct pbuf *copy_in(struct host *host, const uint8_t *bytes, uint32_t len)
{
    struct pbuf *p;

    if (len <= HOST_MAX_POOLED_BYTES) {
        p = pbuf_alloc(PBUF_LINK, (u16_t)len, PBUF_RAM);
    } else {
        host->large->custom.custom_free_function = keep_large;
        p = pbuf_alloced_custom(PBUF_RAW, (u16_t)len, PBUF_RAM, &host->large->custom, host->large->bytes,
                                sizeof(host->large->bytes));
    }
    if (p == NULL)
        host_count(host, NIC_rx_drop_host);
    else
        memcpy(p->payload, bytes, len);
    return p;
}

/* The netif for what is addressed to one of our IPv4 addresses; the first for everything else. */
static struct netif *link_of(struct host *host, const uint8_t address[4])
{
    for (uint32_t i = 1; i < host->n_links; i++) {
        if (memcmp(&netif_ip4_addr(&host->links[i])->addr, address, 4) == 0)
            return &host->links[i];
    }
    return &host->links[0];
}

/*
 * The netif that an ARP message concerns: the one that is asked or answered. An announcement (RFC 5227) has
 * its own address as target, so it is told to the netif whose network it is about, which may know the sender.
 */
static struct netif *link_of_arp(struct host *host, const uint8_t *arp)
{
    ip4_addr_t sender;

    if (memcmp(arp + ARP_SENDER_IP_OFF, arp + ARP_TARGET_IP_OFF, 4) != 0)
        return link_of(host, arp + ARP_TARGET_IP_OFF);
    memcpy(&sender.addr, arp + ARP_SENDER_IP_OFF, 4);
    for (uint32_t i = 0; i < host->n_links; i++) {
        struct netif *link = &host->links[i];

        if (ip4_addr_net_eq(&sender, netif_ip4_addr(link), netif_ip4_netmask(link)))
            return link;
    }
    return &host->links[0];
}

static void input_arp(struct host *host, const uint8_t *arp, uint32_t len)
{
    unsigned drop = host_filter_arp(host, arp, len);
    struct pbuf *p;

    if (drop != 0) {
        host_count(host, (enum nic_counter)drop);
        return;
    }
    p = copy_in(host, arp, len);
    if (p == NULL)
        return;
    etharp_input(p, link_of_arp(host, arp));
    host_refresh(host);
}

/* The packet is as the sender made it: the caller classifies it and checks its transport checksum. */
static void hand_out(struct host *host, const uint8_t *packet, uint32_t len)
{
    host_count(host, NIC_rx_reassembled);
    host->callbacks.reassembled(host->context, packet, len);
}

/*
 * A whole IPv4 packet of exactly `len` bytes. An unfragmented one of TCP or UDP should not be here: the
 * classifier has sent it to a worker. It is dropped, not handed out, so that no packet goes round between the
 * two.
 */
static void take4(struct host *host, const uint8_t *packet, uint32_t len, bool was_cut)
{
    uint8_t protocol = packet[WIRE_IP4_PROTOCOL_OFF];
    const uint8_t *payload = packet + (packet[0] & 0x0fu) * 4u;
    bool is_dhcp;
    unsigned drop = host_filter_ip4(packet, len, &is_dhcp);
    struct pbuf *p;

    if (drop != 0) {
        host_count(host, (enum nic_counter)drop);
        return;
    }
    if (was_cut && !is_dhcp &&
        (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ||
         (protocol == IPPROTO_ICMP && is_icmp4_error(payload[0])))) {
        hand_out(host, packet, len);
        return;
    }
    if (protocol == IPPROTO_TCP || (protocol == IPPROTO_UDP && !(is_dhcp && host->wants_dhcp))) {
        host_count(host, NIC_rx_drop_host);
        return;
    }
    p = copy_in(host, packet, len);
    if (p == NULL)
        return;
    ip4_input(p, link_of(host, packet + WIRE_IP4_DESTINATION_OFF));
    if (is_dhcp)
        host_refresh(host);
}

/* What becomes of a whole IPv6 packet: 0 or the counter of its drop; *is_for_caller: not lwIP's. */
static unsigned judge6(const struct host *host, struct host_ip6_view *view, bool was_cut, bool *is_for_caller)
{
    unsigned drop = host_filter_chain6(view);
    uint8_t type;

    *is_for_caller = false;
    if (drop != 0)
        return drop;
    if (view->transport == IPPROTO_TCP || view->transport == IPPROTO_UDP) {
        *is_for_caller = was_cut;
        return was_cut ? 0 : NIC_rx_drop_host; /* as in take4() */
    }
    if (view->transport != IPPROTO_ICMPV6)
        return NIC_rx_drop_protocol;
    drop = host_filter_icmp6(host, view);
    if (drop != 0)
        return drop;
    /* RFC 6980: neighbour discovery is never fragmented, nor has anything else of the link a reason to be. */
    type = view->packet[view->transport_off];
    if (was_cut && type > ICMP6_ECHO_REPLY)
        return NIC_rx_drop_nd;
    *is_for_caller = was_cut && type < ICMP6_ECHO_REQUEST;
    return 0;
}

/* A whole IPv6 packet of exactly `len` bytes, in private memory: the filter may reorder ND options. */
static void take6(struct host *host, uint8_t *packet, uint32_t len, bool was_cut)
{
    struct host_ip6_view view = {.packet = packet, .len = len};
    bool is_for_caller;
    unsigned drop = judge6(host, &view, was_cut, &is_for_caller);
    struct pbuf *p;

    if (drop != 0) {
        host_count(host, (enum nic_counter)drop);
        return;
    }
    if (is_for_caller) {
        hand_out(host, packet, len);
        return;
    }
    p = copy_in(host, packet, len);
    if (p == NULL)
        return;
    ip6_input(p, &host->links[0]);
    /* A redirect changes the way of one destination, perhaps to a neighbour long known: nothing else shows
     * it. */
    if (packet[view.transport_off] == ICMP6_REDIRECT)
        host->epoch++;
    /* An echo changes no table; pings should not pay for the comparison. */
    if (packet[view.transport_off] > ICMP6_ECHO_REPLY)
        host_refresh(host);
}

/* A fragment to one of our addresses; others would only fill the table. */
static void take_fragment(struct host *host, const uint8_t *packet, uint32_t len)
{
    struct reassembly_outcome outcome;
    bool is_ip4 = packet[0] >> 4 == 4;
    bool is_ours = is_ip4 ? host_owns4(host, packet + WIRE_IP4_DESTINATION_OFF)
                          : host_owns6(host, packet + WIRE_IP6_DESTINATION_OFF, false);

    if (!is_ours) {
        host_count(host, NIC_rx_drop_not_ours);
        return;
    }
    reassembly_add(host->reassembly, packet, len, host->now_ns, &outcome);
    switch (outcome.result) {
    case REASSEMBLY_HELD:
        break;
    case REASSEMBLY_DROPPED:
        host_count(host, outcome.drop);
        break;
    case REASSEMBLY_COMPLETE:
        if (is_ip4)
            take4(host, outcome.packet, outcome.len_bytes, true);
        else
            take6(host, outcome.packet, outcome.len_bytes, true);
        break;
    }
}

/* The header is checked here though the classifier has done so: fragments and fuzzers come this way alone. */
static void input_ip4(struct host *host, const uint8_t *packet, uint32_t len)
{
    uint32_t header_len;
    uint32_t total_len;

    if (len < WIRE_IP4_BYTES || packet[0] >> 4 != 4) {
        host_count(host, len < WIRE_IP4_BYTES ? NIC_rx_drop_runt : NIC_rx_drop_ip_version);
        return;
    }
    header_len = (packet[0] & 0x0fu) * 4u;
    total_len = wire_get16(packet + WIRE_IP4_LENGTH_OFF);
    if (header_len < WIRE_IP4_BYTES || header_len > total_len || total_len > len)
        host_count(host, NIC_rx_drop_ip_header);
    else if (wire_fold(wire_sum(0, packet, header_len)) != 0)
        host_count(host, NIC_rx_drop_ip_checksum);
    else if (reassembly_is_fragment(packet, total_len))
        take_fragment(host, packet, total_len);
    else
        take4(host, packet, total_len, false);
}

static void input_ip6(struct host *host, const uint8_t *packet, uint32_t len)
{
    uint32_t total_len;

    if (len < WIRE_IP6_BYTES || packet[0] >> 4 != 6) {
        host_count(host, len < WIRE_IP6_BYTES ? NIC_rx_drop_runt : NIC_rx_drop_ip_version);
        return;
    }
    total_len = WIRE_IP6_BYTES + wire_get16(packet + WIRE_IP6_LENGTH_OFF);
    if (total_len > len) {
        host_count(host, NIC_rx_drop_ip_header);
        return;
    }
    if (reassembly_is_fragment(packet, total_len)) {
        take_fragment(host, packet, total_len);
        return;
    }
    if (total_len > HOST_LINEAR_BYTES) { /* no link here carries one */
        host_count(host, NIC_rx_drop_ip_header);
        return;
    }
    /* The filter reorders options in place, and the caller's bytes are read-only (workers map the rx pool).
     */
    if (packet != host->linear)
        memcpy(host->linear, packet, total_len);
    take6(host, host->linear, total_len, false);
}

void host_input(struct host *host, const uint8_t *frame, uint32_t head_len, const uint8_t *tail,
                uint32_t tail_len)
{
    const uint8_t *packet = frame + WIRE_LINK_BYTES;
    uint32_t len;

    if (head_len < WIRE_LINK_BYTES || !host->is_up) {
        host_count(host, head_len < WIRE_LINK_BYTES ? NIC_rx_drop_runt : NIC_rx_drop_host);
        return;
    }
    len = head_len - WIRE_LINK_BYTES;
    /* No datagram is longer; only a backend's mistake could be. */
    if (tail_len > HOST_LINEAR_BYTES || len > HOST_LINEAR_BYTES - tail_len) {
        host_count(host, NIC_rx_drop_ip_header);
        return;
    }
    if (tail_len > 0) {
        memcpy(host->linear, packet, len);
        memcpy(host->linear + len, tail, tail_len);
        packet = host->linear;
        len += tail_len;
    }
    switch (wire_get16(frame + WIRE_ETHERTYPE_OFF)) {
    case WIRE_ETHERTYPE_ARP:
        input_arp(host, packet, len);
        break;
    case WIRE_ETHERTYPE_IP4:
        input_ip4(host, packet, len);
        break;
    case WIRE_ETHERTYPE_IP6:
        input_ip6(host, packet, len);
        break;
    default:
        host_count(host, NIC_rx_drop_ethertype);
        break;
    }
}
