/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_script.h — the other end of a TCP connection, moved by hand: builds any segment as an Ethernet frame
 * over IPv4 or IPv6, and reads the packets that come back. Checksums are computed byte by byte, on purpose
 * not with the code under test.
 */
#ifndef MPA_TESTS_TCP_SCRIPT_H
#define MPA_TESTS_TCP_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#define TCP_SCRIPT_MAX_SACK 4u
#define TCP_SCRIPT_MAX_FRAME_BYTES 65549u /* a link header and 65,535 */

enum tcp_script_flag {
    SEGMENT_FIN = 1,
    SEGMENT_SYN = 2,
    SEGMENT_RST = 4,
    SEGMENT_PSH = 8,
    SEGMENT_ACK = 16,
};

struct tcp_script_sack {
    uint32_t left, right;
};

/* One segment, to be sent or as it was read. Options that are 0 or false are not there. */
struct tcp_segment {
    uint8_t flags; /* enum tcp_script_flag */
    uint32_t seq, ack;
    uint16_t window; /* as on the wire, not scaled */
    uint16_t mss;
    bool has_scale;
    uint8_t scale;
    bool is_sack_permitted;
    bool has_timestamp;
    uint32_t ts_value, ts_echo;
    uint32_t n_sack;
    struct tcp_script_sack sack[TCP_SCRIPT_MAX_SACK];
    const uint8_t *payload; /* borrowed; points into the packet when it was read */
    uint32_t payload_len;
    bool has_good_checksum; /* read: TCP's, and IPv4's where there is one */
};

/* The peer's end of one connection. */
struct tcp_script {
    uint8_t family; /* 4: 10.77.0.1 -> 10.77.0.2, 6: fd77::1 -> fd77::2 */
    uint16_t peer_port, stack_port;
    uint32_t seq;    /* of the next byte that the peer sends */
    uint32_t ack;    /* of the next byte that it expects */
    uint32_t irs;    /* the stack's initial sequence number, once known */
    uint16_t window; /* as on the wire */
    uint8_t dscp;
    bool has_timestamp;
    uint32_t ts_value;  /* ours in the next segment */
    uint32_t ts_recent; /* the last that the stack sent */
};

/* Builds `segment` as it is (only ports, addresses and DSCP come from the script); returns the frame's
 * length. At most TCP_SCRIPT_MAX_FRAME_BYTES are written. */
uint32_t tcp_script_build(const struct tcp_script *script, const struct tcp_segment *segment, uint8_t *frame);

/* A segment with the script's sequence numbers, window and timestamps filled in. Nothing moves. */
struct tcp_segment tcp_script_segment(const struct tcp_script *script, uint8_t flags, const void *payload,
                                      uint32_t payload_len);

/* Reads an IP packet of the stack; false: not a TCP packet from the script's port to its peer. Remembers the
 * timestamp; sequence numbers stay as they are. */
bool tcp_script_read(struct tcp_script *script, const uint8_t *packet, uint32_t len_bytes,
                     struct tcp_segment *segment);

#endif
