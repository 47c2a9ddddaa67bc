/* SPDX-License-Identifier: BSD-3-Clause */
/* packets.h — writes packets and frames for the tests of the frontend: right ones, which a test then spoils.
 */
#ifndef MPA_TESTS_PACKETS_H
#define MPA_TESTS_PACKETS_H

#include <stdint.h>

#define PACKETS_MAX_BYTES (14u + 40u + 65536u)

/* A packet in the making. */
struct packet {
    uint32_t len;
    uint8_t bytes[PACKETS_MAX_BYTES];
};

/* Fills `len` bytes with a pattern that depends on position and seed, so that a misplaced byte is seen. */
void packets_fill(uint8_t *bytes, uint32_t len, uint32_t seed);

/* Appends bytes. */
void packets_add(struct packet *packet, const void *bytes, uint32_t len);

/* Begins with an Ethernet header. */
void packets_link(struct packet *packet, const uint8_t to[6], const uint8_t from[6], uint16_t ethertype);

/* What an IP header needs to know; payload lengths are filled in by packets_finish4/6. */
struct packets_ip {
    const uint8_t *source;
    const uint8_t *destination;
    uint8_t protocol;
    uint8_t hop_limit;
    uint32_t identification; /* IPv4 */
    uint16_t place;          /* IPv4: flags and offset */
};

/* Appends an IP header; returns its offset. */
uint32_t packets_ip4(struct packet *packet, const struct packets_ip *ip);
uint32_t packets_ip6(struct packet *packet, const struct packets_ip *ip);

/* Appends an IPv6 fragment header; off_bytes a multiple of 8. */
void packets_fragment6(struct packet *packet, uint8_t next, uint32_t off_bytes, int has_more, uint32_t id);

/* Fills in total length and header checksum, or payload length, of the header at `ip_off`. */
void packets_finish4(struct packet *packet, uint32_t ip_off);
void packets_finish6(struct packet *packet, uint32_t ip_off);

/* Fills in the checksum at `checksum_off` for the transport bytes from transport_off to the end. */
void packets_checksum4(struct packet *packet, uint32_t transport_off, uint32_t checksum_off);
void packets_checksum6(struct packet *packet, uint32_t ip_off, uint32_t transport_off, uint32_t checksum_off);

#endif
