/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wire.h — numbers and checksums in packet bytes: unaligned, network order. Offsets of the headers that the
 * host stack reads stand here once. No bounds are checked: the caller has done that.
 */
#ifndef MPA_FRONTEND_WIRE_H
#define MPA_FRONTEND_WIRE_H

#include <stdint.h>

#define WIRE_LINK_BYTES 14u
#define WIRE_ETHERTYPE_OFF 12u
#define WIRE_ETHERTYPE_IP4 0x0800u
#define WIRE_ETHERTYPE_ARP 0x0806u
#define WIRE_ETHERTYPE_IP6 0x86ddu

#define WIRE_IP4_BYTES 20u
#define WIRE_IP4_LENGTH_OFF 2u
#define WIRE_IP4_ID_OFF 4u
#define WIRE_IP4_FRAGMENT_OFF 6u
#define WIRE_IP4_PROTOCOL_OFF 9u
#define WIRE_IP4_CHECKSUM_OFF 10u
#define WIRE_IP4_SOURCE_OFF 12u
#define WIRE_IP4_DESTINATION_OFF 16u
#define WIRE_IP4_DF 0x4000u
#define WIRE_IP4_MF 0x2000u
#define WIRE_IP4_OFFSET_MASK 0x1fffu

#define WIRE_IP6_BYTES 40u
#define WIRE_IP6_LENGTH_OFF 4u
#define WIRE_IP6_NEXT_OFF 6u
#define WIRE_IP6_HOP_LIMIT_OFF 7u
#define WIRE_IP6_SOURCE_OFF 8u
#define WIRE_IP6_DESTINATION_OFF 24u
#define WIRE_IP6_FRAGMENT_BYTES 8u

static inline uint16_t wire_get16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t wire_get32(const uint8_t *bytes)
{
    return (uint32_t)wire_get16(bytes) << 16 | wire_get16(bytes + 2);
}

static inline void wire_put16(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

static inline void wire_put32(uint8_t *bytes, uint32_t value)
{
    wire_put16(bytes, value >> 16);
    wire_put16(bytes + 2, value & 0xffffu);
}

/* Adds bytes to a one's complement sum (RFC 1071); only the last piece may have an odd length. Up to 64 KiB.
 */
static inline uint32_t wire_sum(uint32_t sum, const uint8_t *bytes, uint32_t len)
{
    for (; len > 1; len -= 2, bytes += 2)
        sum += wire_get16(bytes);
    if (len == 1)
        sum += (uint32_t)bytes[0] << 8;
    return (sum & 0xffffu) + (sum >> 16);
}

/* The 16 bits to put into a checksum field; 0 when the sum was taken over bytes with a right checksum. */
static inline uint16_t wire_fold(uint32_t sum)
{
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = (sum & 0xffffu) + (sum >> 16);
    return (uint16_t)~sum;
}

/* Fills in the header checksum of an IPv4 header. */
static inline void wire_ip4_set_checksum(uint8_t *header, uint32_t header_len)
{
    wire_put16(header + WIRE_IP4_CHECKSUM_OFF, 0);
    wire_put16(header + WIRE_IP4_CHECKSUM_OFF, wire_fold(wire_sum(0, header, header_len)));
}

#endif
