/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_filter.c — what lwIP must not see. Stock 2.2.1 believes any ARP, takes the first option of a neighbour
 * solicitation or advertisement for a link-layer address whatever it is and wherever it ends, gives up an
 * address of ours because of a stray advertisement, follows anybody's redirect, and walks IPv6 options past
 * their header. Each rule here is one of RFC 826, 4861, 6980, 8200 and has its test.
 */
#include <netinet/in.h>
#include <string.h>

#include "frontend/host_internal.h"
#include "frontend/wire.h"

#define ARP_BYTES 28u
#define ARP_SENDER_MAC_OFF 8u
#define ARP_SENDER_IP_OFF 14u
#define ARP_REQUEST 1u
#define ARP_REPLY 2u

#define ICMP_MIN_BYTES 8u
#define IGMP_MIN_BYTES 8u
#define UDP_BYTES 8u
#define DHCP_SERVER_PORT 67u
#define DHCP_CLIENT_PORT 68u

#define ICMP6_MLD_QUERY 130u
#define ICMP6_MLD_DONE 132u
#define ICMP6_MLD2_REPORT 143u
#define ND_FIRST 133u
#define ND_ROUTER_SOLICIT 133u
#define ND_ROUTER_ADVERT 134u
#define ND_NEIGHBOUR_SOLICIT 135u
#define ND_NEIGHBOUR_ADVERT 136u
#define ND_REDIRECT 137u
#define ND_TARGET_OFF 8u
#define ND_REDIRECT_DESTINATION_OFF 24u
#define ND_SOLICITED_FLAG 0x40u

#define OPTION_SOURCE_LINK 1u
#define OPTION_TARGET_LINK 2u
#define OPTION_PREFIX 3u
#define OPTION_MTU 5u
#define OPTION_LINK_BYTES 8u

/* The unspecified address, the unset MAC. */
static bool is_zero(const uint8_t *bytes, uint32_t len)
{
    while (len > 0 && bytes[len - 1] == 0)
        len--;
    return len == 0;
}

/* A MAC that can be a station's. */
static bool is_station(const uint8_t mac[6])
{
    return (mac[0] & 1) == 0 && !is_zero(mac, 6);
}

/* fe80::/10: such a packet was not routed. */
static bool is_link_local(const uint8_t address[16])
{
    return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

/*
 * RFC 826, and beyond it: a sender that nobody can be. A claim to our own address is not answered by defence
 * (RFC 5227): an answer would start a storm with another host that defends, and the counter tells the
 * operator.
 */
unsigned host_filter_arp(const struct host *host, const uint8_t *arp, uint32_t len)
{
    static const uint8_t ethernet_ip4[6] = {0, 1, 0x08, 0x00, 6, 4};
    const uint8_t *sender_mac = arp + ARP_SENDER_MAC_OFF;
    const uint8_t *sender_ip = arp + ARP_SENDER_IP_OFF;
    uint16_t operation;

    if (len < ARP_BYTES || memcmp(arp, ethernet_ip4, sizeof(ethernet_ip4)) != 0)
        return NIC_rx_drop_arp;
    operation = wire_get16(arp + 6);
    if (operation != ARP_REQUEST && operation != ARP_REPLY)
        return NIC_rx_drop_arp;
    if (!is_station(sender_mac) || memcmp(sender_mac, host->mac, 6) == 0)
        return NIC_rx_drop_arp;
    /* Multicast, broadcast and loopback have no station; a sender of 0.0.0.0 is a probe (RFC 5227). */
    if (sender_ip[0] >= 224 || sender_ip[0] == 127)
        return NIC_rx_drop_arp;
    return host_owns4(host, sender_ip) ? NIC_rx_drop_arp : 0;
}

/* A UDP checksum that is right, absent, or, from a sender on this machine, still to be completed. */
static bool is_udp_checksum_good(const uint8_t *packet, const uint8_t *udp, uint32_t udp_len)
{
    uint32_t pseudo = wire_sum(udp_len + IPPROTO_UDP, packet + WIRE_IP4_SOURCE_OFF, 8);
    uint16_t field = wire_get16(udp + 6);

    return field == 0 || wire_fold(wire_sum(pseudo, udp, udp_len)) == 0 ||
           (uint16_t)(field + wire_fold(pseudo)) == 0xffffu;
}

/* UDP is DHCP, or a reassembled datagram whose checksum the worker checks. */
static unsigned filter_udp4(const uint8_t *packet, const uint8_t *udp, uint32_t len, bool *is_dhcp)
{
    uint32_t udp_len;

    if (len < UDP_BYTES)
        return NIC_rx_drop_udp_header;
    udp_len = wire_get16(udp + 4);
    if (udp_len < UDP_BYTES || udp_len > len)
        return NIC_rx_drop_udp_header;
    *is_dhcp = wire_get16(udp) == DHCP_SERVER_PORT && wire_get16(udp + 2) == DHCP_CLIENT_PORT;
    if (*is_dhcp && !is_udp_checksum_good(packet, udp, udp_len))
        return NIC_rx_drop_udp_header;
    return 0;
}

/* The IP header and its length have been checked by the caller. */
unsigned host_filter_ip4(const uint8_t *packet, uint32_t len, bool *is_dhcp)
{
    uint32_t header_len = (packet[0] & 0x0fu) * 4u;
    const uint8_t *payload = packet + header_len;
    uint32_t payload_len = len - header_len;

    *is_dhcp = false;
    switch (packet[WIRE_IP4_PROTOCOL_OFF]) {
    case IPPROTO_ICMP:
        if (payload_len < ICMP_MIN_BYTES || wire_fold(wire_sum(0, payload, payload_len)) != 0)
            return NIC_rx_drop_icmp;
        return 0;
    case IPPROTO_IGMP:
        if (payload_len < IGMP_MIN_BYTES || wire_fold(wire_sum(0, payload, payload_len)) != 0)
            return NIC_rx_drop_host;
        return 0;
    case IPPROTO_UDP:
        return filter_udp4(packet, payload, payload_len, is_dhcp);
    case IPPROTO_TCP:
        return 0;
    default:
        return NIC_rx_drop_protocol;
    }
}

/* Options of a hop-by-hop or destination options header: each inside the header. */
static bool are_options_inside(const uint8_t *header, uint32_t len)
{
    uint32_t off = 2;

    while (off < len) {
        if (header[off] == 0) { /* Pad1 */
            off++;
            continue;
        }
        if (len - off < 2 || header[off + 1] + 2u > len - off)
            return false;
        off += header[off + 1] + 2u;
    }
    return true;
}

/*
 * One extension header of `len` readable bytes: its length, or 0. A routing header may only be spent: nobody
 * routes through a host (RFC 5095, RFC 8200 4.4).
 */
static uint32_t extension_bytes(uint8_t kind, const uint8_t *header, uint32_t len)
{
    uint32_t size;

    if (len < 8)
        return 0;
    size = (header[1] + 1u) * 8u;
    if (size > len)
        return 0;
    if (kind == IPPROTO_ROUTING)
        return header[3] == 0 ? size : 0;
    return are_options_inside(header, size) ? size : 0;
}

/*
 * Hop-by-hop options are valid only as the first header (RFC 8200 4.1). A fragment header cannot be here any
 * more: such packets have gone through reassembly, and one inside another is refused there.
 */
unsigned host_filter_chain6(struct host_ip6_view *view)
{
    uint8_t kind = view->packet[WIRE_IP6_NEXT_OFF];
    uint32_t off = WIRE_IP6_BYTES;

    while (kind == IPPROTO_HOPOPTS || kind == IPPROTO_ROUTING || kind == IPPROTO_DSTOPTS) {
        uint32_t size = extension_bytes(kind, view->packet + off, view->len - off);

        if (size == 0 || (kind == IPPROTO_HOPOPTS && off != WIRE_IP6_BYTES))
            return NIC_rx_drop_ip6_extension;
        kind = view->packet[off];
        off += size;
    }
    if (off > REASSEMBLY_MAX_HEADER_BYTES)
        return NIC_rx_drop_ip6_extension;
    view->transport = kind;
    view->transport_off = off;
    return 0;
}

/* What the options of an ND message hold. */
struct nd_options {
    uint8_t *link; /* the link-layer option wanted, NULL if there is none */
    bool has_any;
};

/* Length and content rules of one option. */
static bool is_option_valid(const uint8_t *option, uint32_t size)
{
    switch (option[0]) {
    case OPTION_SOURCE_LINK:
    case OPTION_TARGET_LINK:
        return size == OPTION_LINK_BYTES && is_station(option + 2);
    case OPTION_MTU:
        return size == 8;
    case OPTION_PREFIX:
        return size == 32 && option[2] <= 128;
    default:
        return true;
    }
}

/* RFC 4861 4.6: walks the options; false when one is empty, runs past the end or is not what it says. */
static bool walk_options(uint8_t *options, uint32_t len, uint8_t wanted, struct nd_options *found)
{
    found->link = NULL;
    found->has_any = len != 0;
    while (len != 0) {
        uint32_t size = len < 2 ? 0 : options[1] * 8u;

        if (size == 0 || size > len || !is_option_valid(options, size))
            return false;
        if (options[0] == wanted && found->link == NULL)
            found->link = options;
        options += size;
        len -= size;
    }
    return true;
}

/*
 * lwIP takes the first option for the link-layer address, so that one is moved to the front of its message;
 * 16-bit words change places, which leaves the checksum as it is.
 */
static void move_to_front(uint8_t *options, uint8_t *link)
{
    uint8_t kept[OPTION_LINK_BYTES];

    memcpy(kept, link, sizeof(kept));
    memmove(options + sizeof(kept), options, (size_t)(link - options));
    memcpy(options, kept, sizeof(kept));
}

/* ff02::1:ff00:0/104 (RFC 4291 2.7.1). */
static bool is_solicited_node(const uint8_t address[16])
{
    static const uint8_t prefix[13] = {0xff, 0x02, [11] = 0x01, [12] = 0xff};

    return memcmp(address, prefix, sizeof(prefix)) == 0;
}

/* RFC 4861 7.1.1. A solicitation from our own address is an echo of ours, or a lie that would make us a
 * neighbour. */
static unsigned filter_solicit(const struct host *host, const uint8_t *packet, const uint8_t *message,
                               const struct nd_options *options)
{
    const uint8_t *source = packet + WIRE_IP6_SOURCE_OFF;

    if (message[ND_TARGET_OFF] == 0xff || host_owns6(host, source, false))
        return NIC_rx_drop_nd;
    if (!is_zero(source, 16))
        return options->link == NULL ? NIC_rx_drop_nd : 0; /* lwIP would read another option, or none */
    /* Duplicate address detection: to the solicited-node group, and the sender has no address to tell. */
    if (!is_solicited_node(packet + WIRE_IP6_DESTINATION_OFF) || options->link != NULL)
        return NIC_rx_drop_nd;
    return 0;
}

/* RFC 4861 7.1.2. */
static unsigned filter_advert(const struct host *host, const uint8_t *packet, const uint8_t *message,
                              const struct nd_options *options)
{
    bool is_to_group = packet[WIRE_IP6_DESTINATION_OFF] == 0xff;

    if (message[ND_TARGET_OFF] == 0xff || (is_to_group && (message[4] & ND_SOLICITED_FLAG) != 0))
        return NIC_rx_drop_nd;
    /* An address in use is not given up for a frame that anybody can send; only a tentative one is. */
    if (host_owns6(host, message + ND_TARGET_OFF, false))
        return NIC_rx_drop_nd;
    if (options->has_any && options->link == NULL)
        return NIC_rx_drop_nd_option;
    return 0;
}

/* RFC 4861 8.1: from the router that is in use (stock lwIP takes it from anybody), to the link or to the
 * target. */
static unsigned filter_redirect(const struct host *host, const uint8_t *packet, const uint8_t *message)
{
    const uint8_t *source = packet + WIRE_IP6_SOURCE_OFF;
    const uint8_t *target = message + ND_TARGET_OFF;
    const uint8_t *destination = message + ND_REDIRECT_DESTINATION_OFF;

    if (!is_link_local(source) || !host_is_router6(host, source) || destination[0] == 0xff)
        return NIC_rx_drop_nd;
    return is_link_local(target) || memcmp(target, destination, 16) == 0 ? 0 : NIC_rx_drop_nd;
}

/* The rules of one message type; `message` has its fixed part. */
static unsigned filter_message(const struct host *host, const uint8_t *packet, const uint8_t *message,
                               const struct nd_options *options)
{
    const uint8_t *source = packet + WIRE_IP6_SOURCE_OFF;

    switch (message[0]) {
    case ND_NEIGHBOUR_SOLICIT:
        return filter_solicit(host, packet, message, options);
    case ND_NEIGHBOUR_ADVERT:
        return filter_advert(host, packet, message, options);
    case ND_REDIRECT:
        return filter_redirect(host, packet, message);
    case ND_ROUTER_ADVERT:
        if (!is_link_local(source) || host_owns6(host, source, true))
            return NIC_rx_drop_nd;
        return host->wants_slaac ? 0 : NIC_rx_drop_host;
    default:
        return 0; /* router solicitation: lwIP, being none, ignores it */
    }
}

/*
 * The order matters: lengths before options, options before what they mean, and the message is changed only
 * when it has passed. A router advertisement is left in order: lwIP does look for its options by type.
 */
static unsigned filter_nd(const struct host *host, struct host_ip6_view *view)
{
    static const uint8_t fixed_bytes[] = {8, 16, 24, 24, 40}; /* by type, from ND_FIRST on */
    uint8_t *message = view->packet + view->transport_off;
    uint32_t len = view->len - view->transport_off;
    uint32_t fixed = fixed_bytes[message[0] - ND_FIRST];
    uint8_t wanted = message[0] == ND_NEIGHBOUR_ADVERT || message[0] == ND_REDIRECT ? OPTION_TARGET_LINK
                                                                                    : OPTION_SOURCE_LINK;
    struct nd_options options;
    unsigned drop;

    if (view->packet[WIRE_IP6_HOP_LIMIT_OFF] != 255 || message[1] != 0 || len < fixed)
        return NIC_rx_drop_nd;
    if (!walk_options(message + fixed, len - fixed, wanted, &options))
        return NIC_rx_drop_nd_option;
    drop = filter_message(host, view->packet, message, &options);
    if (drop == 0 && options.link != NULL && message[0] != ND_ROUTER_ADVERT)
        move_to_front(message + fixed, options.link);
    return drop;
}

/*
 * The checksum first, so that a corrupted frame counts as that. ND and MLD are then held to the link; echo
 * and errors may come from anywhere.
 */
unsigned host_filter_icmp6(const struct host *host, struct host_ip6_view *view)
{
    const uint8_t *message = view->packet + view->transport_off;
    uint32_t len = view->len - view->transport_off;
    uint32_t pseudo = wire_sum(len + IPPROTO_ICMPV6, view->packet + WIRE_IP6_SOURCE_OFF, 32);

    if (len < ICMP_MIN_BYTES || wire_fold(wire_sum(pseudo, message, len)) != 0)
        return NIC_rx_drop_icmp;
    if (message[0] >= ND_ROUTER_SOLICIT && message[0] <= ND_REDIRECT)
        return filter_nd(host, view);
    if ((message[0] >= ICMP6_MLD_QUERY && message[0] <= ICMP6_MLD_DONE) || message[0] == ICMP6_MLD2_REPORT) {
        /* RFC 2710 3: from the link, and not past it. A report may come from the unspecified address. */
        const uint8_t *source = view->packet + WIRE_IP6_SOURCE_OFF;

        if (view->packet[WIRE_IP6_HOP_LIMIT_OFF] != 1 || !(is_link_local(source) || is_zero(source, 16)))
            return NIC_rx_drop_icmp;
    }
    return 0;
}
