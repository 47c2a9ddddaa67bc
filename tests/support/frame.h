/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frame.h — builds Ethernet frames for tests, layer by layer, from the peer (FRAME_PEER_*) to us
 * (FRAME_OUR_*):
 *
 *     frame_begin(&f, 0x0800); frame_put_ip4(&f, 6); frame_put_tcp(&f, FRAME_SYN, NULL, 0); frame_finish(&f);
 *
 * The checksums are computed byte by byte, on purpose not with the code under test.
 */
#ifndef MPA_TESTS_FRAME_H
#define MPA_TESTS_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX_BYTES 2038u

enum frame_tcp_flag {
    FRAME_FIN = 1,
    FRAME_SYN = 2,
    FRAME_RST = 4,
    FRAME_PSH = 8,
    FRAME_ACK = 16,
    FRAME_CWR = 128
};

#define FRAME_PEER_PORT 40000u
#define FRAME_OUR_PORT 80u

extern const uint8_t frame_our_mac[6], frame_peer_mac[6];
extern const uint8_t frame_our_ip4[4], frame_peer_ip4[4];   /* 10.77.0.2 and 10.77.0.1, of a /24 */
extern const uint8_t frame_our_ip6[16], frame_peer_ip6[16]; /* fd77::2 and fd77::1, of a /64 */

struct frame {
    uint8_t bytes[FRAME_MAX_BYTES];
    uint32_t len_bytes;
    uint32_t transport_off; /* of the last TCP, UDP or ICMP header put, 0: none */
    uint8_t protocol;       /* of the transport header, 0: none */
};

void frame_begin(struct frame *frame, uint16_t ethertype);
void frame_put(struct frame *frame, const void *bytes, size_t n_bytes);
void frame_put_zeros(struct frame *frame, size_t n_bytes);
void frame_put_ip4(struct frame *frame, uint8_t protocol);
void frame_put_ip6(struct frame *frame, uint8_t next_header);
/* `options` are padded to whole words with zeros. */
void frame_put_tcp(struct frame *frame, uint8_t flags, const void *options, size_t n_bytes);
void frame_put_udp(struct frame *frame, uint16_t to_port);
void frame_put_icmp(struct frame *frame, uint8_t protocol, uint8_t type, uint8_t code);

/* Sets the IP and UDP lengths and all checksums after the last layer, as they belong. */
void frame_finish(struct frame *frame);
/* After a change to a finished frame. */
void frame_fix_ip4_checksum(struct frame *frame);
void frame_fix_transport_checksum(struct frame *frame);

/* The checksum, inverted as it stands in a header, of bytes that are summed as big-endian pairs. */
uint16_t frame_checksum(uint32_t sum, const uint8_t *bytes, size_t n_bytes);
/* The checksum of the transport message at transport_off with its pseudo-header; 0 when it is right. */
uint16_t frame_transport_checksum(const struct frame *frame);

#endif
