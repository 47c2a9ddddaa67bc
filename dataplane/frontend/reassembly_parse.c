/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reassembly_parse.c — headers of one fragment. All rules that need no other fragment are here: lengths, the
 * place in 64 KiB, the whole transport header in the first fragment and nothing else reaching into it.
 */
#include "frontend/reassembly_internal.h"

#include <netinet/in.h>
#include <string.h>

#include "frontend/reassembly.h"
#include "frontend/wire.h"
#include "shm/counters.h"

#define MAX_DATAGRAM_BYTES 65535u
#define TCP_BYTES 20u
#define SHORT_TRANSPORT_BYTES 8u /* UDP, ICMP, ICMPv6 */

/* The extension headers that have their length in their second byte and may stand before or behind a fragment
 * header. */
static bool is_ip6_option_header(uint32_t kind)
{
    return kind == IPPROTO_HOPOPTS || kind == IPPROTO_ROUTING || kind == IPPROTO_DSTOPTS;
}

/* Bytes of header that must stand in the first fragment. */
static uint32_t transport_min_bytes(uint32_t protocol)
{
    switch (protocol) {
    case IPPROTO_TCP:
        return TCP_BYTES;
    case IPPROTO_UDP:
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        return SHORT_TRANSPORT_BYTES;
    default:
        return 1;
    }
}

/* RFC 7112: the header chain behind an IPv6 fragment header must end inside the first fragment. */
static bool has_whole_chain(const struct reassembly_view *view)
{
    uint32_t kind = view->transport;
    uint32_t off = 0;

    while (is_ip6_option_header(kind)) {
        if (view->payload_len - off < 8)
            return false;
        kind = view->payload[off];
        off += (view->payload[off + 1] + 1u) * 8u;
        if (off > view->payload_len)
            return false;
    }
    return view->payload_len - off >= transport_min_bytes(kind);
}

/*
 * RFC 1858: what decides about a packet (ports, flags) stands in its first fragment, all of it, and no later
 * fragment may write over it.
 */
static bool is_tiny(const struct reassembly_view *view)
{
    if (!view->has_more && view->off_bytes == 0)
        return false; /* atomic: whoever gets the packet checks its headers */
    if (view->off_bytes != 0)
        return view->off_bytes < transport_min_bytes(view->transport);
    return !has_whole_chain(view);
}

/*
 * Rules that both families share. counted_header_len: what the datagram's own length field will count besides
 * the payload, so that no datagram grows past 64 KiB (the "ping of death").
 */
static unsigned check_place(const struct reassembly_view *view, uint32_t counted_header_len)
{
    if (view->payload_len == 0 || (view->has_more && view->payload_len % 8 != 0))
        return NIC_rx_drop_fragment_overlap;
    if (counted_header_len + view->off_bytes + view->payload_len > MAX_DATAGRAM_BYTES)
        return NIC_rx_drop_fragment_overlap;
    if (is_tiny(view))
        return NIC_rx_drop_fragment_tiny;
    return 0;
}

/* The name has the protocol in it (RFC 791): two protocols may use one identification at a time. */
static unsigned parse4(const uint8_t *packet, uint32_t len, struct reassembly_view *view)
{
    uint32_t header_len;
    uint32_t total_len;
    uint32_t place;

    if (len < WIRE_IP4_BYTES)
        return NIC_rx_drop_ip_header;
    header_len = (packet[0] & 0x0fu) * 4u;
    total_len = wire_get16(packet + WIRE_IP4_LENGTH_OFF);
    if (header_len < WIRE_IP4_BYTES || header_len > total_len || total_len > len)
        return NIC_rx_drop_ip_header;
    if (wire_fold(wire_sum(0, packet, header_len)) != 0)
        return NIC_rx_drop_ip_checksum;
    place = wire_get16(packet + WIRE_IP4_FRAGMENT_OFF);
    memcpy(view->name.source, packet + WIRE_IP4_SOURCE_OFF, 4);
    memcpy(view->name.destination, packet + WIRE_IP4_DESTINATION_OFF, 4);
    view->name.identification = wire_get16(packet + WIRE_IP4_ID_OFF);
    view->name.family = 4;
    view->name.protocol = packet[WIRE_IP4_PROTOCOL_OFF];
    view->header = packet;
    view->header_len = header_len;
    view->transport = packet[WIRE_IP4_PROTOCOL_OFF];
    view->payload = packet + header_len;
    view->payload_len = total_len - header_len;
    view->off_bytes = (place & WIRE_IP4_OFFSET_MASK) * 8u;
    view->has_more = (place & WIRE_IP4_MF) != 0;
    return check_place(view, header_len);
}

/* Finds the fragment header: its offset, and that of the byte that names it. 0 when there is none. */
static uint32_t find_fragment_header(const uint8_t *packet, uint32_t len, uint32_t *next_off)
{
    uint32_t off = WIRE_IP6_BYTES;

    *next_off = WIRE_IP6_NEXT_OFF;
    while (is_ip6_option_header(packet[*next_off])) {
        if (len - off < 8)
            return 0;
        *next_off = off;
        off += (packet[off + 1] + 1u) * 8u;
        if (off > len)
            return 0;
    }
    if (packet[*next_off] != IPPROTO_FRAGMENT || len - off < WIRE_IP6_FRAGMENT_BYTES)
        return 0;
    return off;
}

/* RFC 8200 4.5: named by addresses and identification; only the first one's next header counts. */
static unsigned parse6(const uint8_t *packet, uint32_t len, struct reassembly_view *view)
{
    uint32_t total_len;
    uint32_t off;
    uint32_t place;

    if (len < WIRE_IP6_BYTES)
        return NIC_rx_drop_ip_header;
    total_len = WIRE_IP6_BYTES + wire_get16(packet + WIRE_IP6_LENGTH_OFF);
    if (total_len > len)
        return NIC_rx_drop_ip_header;
    off = find_fragment_header(packet, total_len, &view->next_off);
    if (off == 0 || off + WIRE_IP6_FRAGMENT_BYTES > REASSEMBLY_MAX_HEADER_BYTES)
        return NIC_rx_drop_ip6_extension;
    place = wire_get16(packet + off + 2);
    memcpy(view->name.source, packet + WIRE_IP6_SOURCE_OFF, 16);
    memcpy(view->name.destination, packet + WIRE_IP6_DESTINATION_OFF, 16);
    view->name.identification = wire_get32(packet + off + 4);
    view->name.family = 6;
    view->header = packet;
    view->header_len = off + WIRE_IP6_FRAGMENT_BYTES;
    view->transport = packet[off];
    view->payload = packet + view->header_len;
    view->payload_len = total_len - view->header_len;
    view->off_bytes = place & 0xfff8u;
    view->has_more = (place & 1u) != 0;
    if (view->transport == IPPROTO_FRAGMENT || view->transport == IPPROTO_HOPOPTS)
        return NIC_rx_drop_ip6_extension;
    /* The payload length of the whole datagram counts extension headers, not the fixed or fragment header. */
    return check_place(view, off - WIRE_IP6_BYTES);
}

unsigned reassembly_parse(const uint8_t *packet, uint32_t len_bytes, struct reassembly_view *view)
{
    memset(view, 0, sizeof(*view));
    if (len_bytes == 0)
        return NIC_rx_drop_ip_header;
    if (packet[0] >> 4 == 4)
        return parse4(packet, len_bytes, view);
    if (packet[0] >> 4 == 6)
        return parse6(packet, len_bytes, view);
    return NIC_rx_drop_ip_version;
}

bool reassembly_is_fragment(const uint8_t *packet, uint32_t len_bytes)
{
    uint32_t next_off;

    if (len_bytes >= WIRE_IP4_BYTES && packet[0] >> 4 == 4)
        return (wire_get16(packet + WIRE_IP4_FRAGMENT_OFF) & (WIRE_IP4_MF | WIRE_IP4_OFFSET_MASK)) != 0;
    if (len_bytes >= WIRE_IP6_BYTES && packet[0] >> 4 == 6)
        return find_fragment_header(packet, len_bytes, &next_off) != 0;
    return false;
}
