/* SPDX-License-Identifier: BSD-3-Clause */
/* frame.c — see frame.h. */
#include "tests/support/frame.h"

#include <stdlib.h>
#include <string.h>

#define LINK_BYTES 14u

const uint8_t frame_our_mac[6] = {0x02, 0x4d, 0x50, 0x41, 0x00, 0x01};
const uint8_t frame_peer_mac[6] = {0x02, 0, 0, 0, 0, 0x99};
const uint8_t frame_our_ip4[4] = {10, 77, 0, 2}, frame_peer_ip4[4] = {10, 77, 0, 1};
const uint8_t frame_our_ip6[16] = {0xfd, 0x77, [15] = 2}, frame_peer_ip6[16] = {0xfd, 0x77, [15] = 1};

static void put_u16_at(struct frame *frame, uint32_t off, uint32_t value)
{
    frame->bytes[off] = (uint8_t)(value >> 8);
    frame->bytes[off + 1] = (uint8_t)value;
}

void frame_put(struct frame *frame, const void *bytes, size_t n_bytes)
{
    if (n_bytes > FRAME_MAX_BYTES - frame->len_bytes)
        abort(); /* the test is wrong */
    if (n_bytes > 0)
        memcpy(frame->bytes + frame->len_bytes, bytes, n_bytes);
    frame->len_bytes += (uint32_t)n_bytes;
}

void frame_put_zeros(struct frame *frame, size_t n_bytes)
{
    static const uint8_t zeros[FRAME_MAX_BYTES];

    frame_put(frame, zeros, n_bytes);
}

void frame_begin(struct frame *frame, uint16_t ethertype)
{
    memset(frame, 0, sizeof(*frame));
    frame_put(frame, frame_our_mac, 6);
    frame_put(frame, frame_peer_mac, 6);
    frame_put_zeros(frame, 2);
    put_u16_at(frame, 12, ethertype);
}

void frame_put_ip4(struct frame *frame, uint8_t protocol)
{
    uint8_t header[12] = {0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, protocol};

    frame_put(frame, header, sizeof(header));
    frame_put(frame, frame_peer_ip4, 4);
    frame_put(frame, frame_our_ip4, 4);
}

void frame_put_ip6(struct frame *frame, uint8_t next_header)
{
    uint8_t header[8] = {0x60, 0, 0, 0, 0, 0, next_header, 64};

    frame_put(frame, header, sizeof(header));
    frame_put(frame, frame_peer_ip6, 16);
    frame_put(frame, frame_our_ip6, 16);
}

void frame_put_tcp(struct frame *frame, uint8_t flags, const void *options, size_t n_bytes)
{
    size_t n_padded = (n_bytes + 3) & ~(size_t)3;
    uint8_t header[20] = {FRAME_PEER_PORT >> 8,
                          FRAME_PEER_PORT & 0xff,
                          0,
                          FRAME_OUR_PORT,
                          0,
                          0,
                          1,
                          0,
                          0,
                          0,
                          2,
                          0,
                          (uint8_t)((20 + n_padded) / 4 << 4),
                          flags,
                          0x20};

    frame->transport_off = frame->len_bytes;
    frame->protocol = 6;
    frame_put(frame, header, sizeof(header));
    frame_put(frame, options, n_bytes);
    frame_put_zeros(frame, n_padded - n_bytes);
}

void frame_put_udp(struct frame *frame, uint16_t to_port)
{
    uint8_t header[8] = {FRAME_PEER_PORT >> 8, FRAME_PEER_PORT & 0xff, (uint8_t)(to_port >> 8),
                         (uint8_t)to_port};

    frame->transport_off = frame->len_bytes;
    frame->protocol = 17;
    frame_put(frame, header, sizeof(header));
}

void frame_put_icmp(struct frame *frame, uint8_t protocol, uint8_t type, uint8_t code)
{
    uint8_t header[8] = {type, code};

    frame->transport_off = frame->len_bytes;
    frame->protocol = protocol;
    frame_put(frame, header, sizeof(header));
}

uint16_t frame_checksum(uint32_t sum, const uint8_t *bytes, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static uint32_t checksum_off(const struct frame *frame)
{
    uint32_t off = frame->protocol == 6 ? 16 : frame->protocol == 17 ? 6 : 2;

    return frame->transport_off + off;
}

uint16_t frame_transport_checksum(const struct frame *frame)
{
    uint32_t n_bytes = frame->len_bytes - frame->transport_off;
    uint32_t sum = 0;

    if (frame->protocol != 1) {
        const uint8_t *addresses = frame->bytes + LINK_BYTES + (frame->bytes[LINK_BYTES] >> 4 == 4 ? 12 : 8);

        sum = (uint16_t)~frame_checksum(n_bytes + frame->protocol, addresses,
                                        frame->bytes[LINK_BYTES] >> 4 == 4 ? 8 : 32);
    }
    return frame_checksum(sum, frame->bytes + frame->transport_off, n_bytes);
}

void frame_fix_ip4_checksum(struct frame *frame)
{
    uint8_t *ip = frame->bytes + LINK_BYTES;

    put_u16_at(frame, LINK_BYTES + 10, 0);
    put_u16_at(frame, LINK_BYTES + 10, frame_checksum(0, ip, (ip[0] & 0xfu) * 4));
}

void frame_fix_transport_checksum(struct frame *frame)
{
    put_u16_at(frame, checksum_off(frame), 0);
    put_u16_at(frame, checksum_off(frame), frame_transport_checksum(frame));
}

void frame_finish(struct frame *frame)
{
    uint32_t ip_len = frame->len_bytes - LINK_BYTES;

    if (frame->bytes[LINK_BYTES] >> 4 == 4) {
        put_u16_at(frame, LINK_BYTES + 2, ip_len);
        frame_fix_ip4_checksum(frame);
    } else {
        put_u16_at(frame, LINK_BYTES + 4, ip_len - 40);
    }
    if (frame->protocol == 17)
        put_u16_at(frame, frame->transport_off + 4, frame->len_bytes - frame->transport_off);
    if (frame->transport_off != 0)
        frame_fix_transport_checksum(frame);
}
