/* SPDX-License-Identifier: BSD-3-Clause */
/* packets.c — packets of the frontend's tests. */
#include "tests/unit/frontend/packets.h"

#include <string.h>

#include "base/assert.h"
#include "frontend/wire.h"

void packets_fill(uint8_t *bytes, uint32_t len, uint32_t seed)
{
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)((i * 2654435761u + seed * 40503u) >> 11);
}

void packets_add(struct packet *packet, const void *bytes, uint32_t len)
{
    mpa_assert(packet->len + len <= PACKETS_MAX_BYTES);
    memcpy(packet->bytes + packet->len, bytes, len);
    packet->len += len;
}

void packets_link(struct packet *packet, const uint8_t to[6], const uint8_t from[6], uint16_t ethertype)
{
    uint8_t link[WIRE_LINK_BYTES];

    packet->len = 0;
    memcpy(link, to, 6);
    memcpy(link + 6, from, 6);
    wire_put16(link + WIRE_ETHERTYPE_OFF, ethertype);
    packets_add(packet, link, sizeof(link));
}

uint32_t packets_ip4(struct packet *packet, const struct packets_ip *ip)
{
    uint32_t ip_off = packet->len;
    uint8_t header[WIRE_IP4_BYTES] = {0x45};

    wire_put16(header + WIRE_IP4_ID_OFF, ip->identification);
    wire_put16(header + WIRE_IP4_FRAGMENT_OFF, ip->place);
    header[8] = ip->hop_limit;
    header[WIRE_IP4_PROTOCOL_OFF] = ip->protocol;
    memcpy(header + WIRE_IP4_SOURCE_OFF, ip->source, 4);
    memcpy(header + WIRE_IP4_DESTINATION_OFF, ip->destination, 4);
    packets_add(packet, header, sizeof(header));
    return ip_off;
}

uint32_t packets_ip6(struct packet *packet, const struct packets_ip *ip)
{
    uint32_t ip_off = packet->len;
    uint8_t header[WIRE_IP6_BYTES] = {0x60};

    header[WIRE_IP6_NEXT_OFF] = ip->protocol;
    header[WIRE_IP6_HOP_LIMIT_OFF] = ip->hop_limit;
    memcpy(header + WIRE_IP6_SOURCE_OFF, ip->source, 16);
    memcpy(header + WIRE_IP6_DESTINATION_OFF, ip->destination, 16);
    packets_add(packet, header, sizeof(header));
    return ip_off;
}

void packets_fragment6(struct packet *packet, uint8_t next, uint32_t off_bytes, int has_more, uint32_t id)
{
    uint8_t header[WIRE_IP6_FRAGMENT_BYTES] = {next};

    wire_put16(header + 2, off_bytes | (has_more != 0 ? 1u : 0u));
    wire_put32(header + 4, id);
    packets_add(packet, header, sizeof(header));
}

void packets_finish4(struct packet *packet, uint32_t ip_off)
{
    uint8_t *header = packet->bytes + ip_off;

    wire_put16(header + WIRE_IP4_LENGTH_OFF, packet->len - ip_off);
    wire_ip4_set_checksum(header, (header[0] & 0x0fu) * 4u);
}

void packets_finish6(struct packet *packet, uint32_t ip_off)
{
    wire_put16(packet->bytes + ip_off + WIRE_IP6_LENGTH_OFF, packet->len - ip_off - WIRE_IP6_BYTES);
}

void packets_checksum4(struct packet *packet, uint32_t transport_off, uint32_t checksum_off)
{
    uint8_t *field = packet->bytes + checksum_off;

    wire_put16(field, 0);
    wire_put16(field, wire_fold(wire_sum(0, packet->bytes + transport_off, packet->len - transport_off)));
}

void packets_checksum6(struct packet *packet, uint32_t ip_off, uint32_t transport_off, uint32_t checksum_off)
{
    uint8_t *field = packet->bytes + checksum_off;
    uint32_t len = packet->len - transport_off;
    uint32_t sum = wire_sum(0, packet->bytes + ip_off + WIRE_IP6_SOURCE_OFF, 32);

    wire_put16(field, 0);
    /* Tests send ICMPv6 only. */
    wire_put16(field, wire_fold(wire_sum(sum + len + 58u, packet->bytes + transport_off, len)));
}
