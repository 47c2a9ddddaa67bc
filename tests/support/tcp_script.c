/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_script.c — segments to bytes and back. */
#include "tests/support/tcp_script.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define LINK_BYTES 14u
#define IP4_BYTES 20u
#define IP6_BYTES 40u
#define TCP_BYTES 20u
#define TCP_CHECKSUM_OFF 16u

enum option_kind {
    OPTION_END = 0,
    OPTION_NOP = 1,
    OPTION_MSS = 2,
    OPTION_SCALE = 3,
    OPTION_SACK_PERMITTED = 4,
    OPTION_SACK = 5,
    OPTION_TIMESTAMP = 8,
};

static const uint8_t peer_ip4[4] = {10, 77, 0, 1}, stack_ip4[4] = {10, 77, 0, 2};
static const uint8_t peer_ip6[16] = {0xfd, 0x77, [15] = 1}, stack_ip6[16] = {0xfd, 0x77, [15] = 2};

static void put16(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

static void put32(uint8_t *out, uint32_t value)
{
    put16(out, value >> 16);
    put16(out + 2, value);
}

static uint16_t get16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t get32(const uint8_t *bytes)
{
    return (uint32_t)get16(bytes) << 16 | get16(bytes + 2);
}

/* Adds big-endian pairs to `sum`, the last odd byte padded with zero. */
static uint64_t sum_bytes(uint64_t sum, const uint8_t *bytes, uint32_t n)
{
    for (uint32_t i = 0; i + 1 < n; i += 2)
        sum += get16(bytes + i);
    return (n & 1) != 0 ? sum + (uint32_t)(bytes[n - 1] << 8) : sum;
}

static uint16_t fold(uint64_t sum)
{
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* Sum of pseudo-header and TCP message; 0xffff for a message whose checksum is right. */
static uint16_t tcp_sum(const uint8_t *ip, uint32_t ip_len, uint32_t tcp_len)
{
    bool is_v4 = ip[0] >> 4 == 4;
    uint64_t sum = is_v4 ? sum_bytes(0, ip + 12, 8) : sum_bytes(0, ip + 8, 32);

    return fold(sum_bytes(sum + IPPROTO_TCP + tcp_len, ip + ip_len, tcp_len));
}

static uint32_t put_ip(const struct tcp_script *script, uint8_t *ip, uint32_t tcp_len)
{
    if (script->family == 4) {
        memset(ip, 0, IP4_BYTES);
        ip[0] = 0x45;
        ip[1] = (uint8_t)(script->dscp << 2);
        put16(ip + 2, IP4_BYTES + tcp_len);
        ip[6] = 0x40; /* DF */
        ip[8] = 64;
        ip[9] = IPPROTO_TCP;
        memcpy(ip + 12, peer_ip4, 4);
        memcpy(ip + 16, stack_ip4, 4);
        put16(ip + 10, (uint16_t)~fold(sum_bytes(0, ip, IP4_BYTES)));
        return IP4_BYTES;
    }
    memset(ip, 0, IP6_BYTES);
    ip[0] = (uint8_t)(0x60 | script->dscp >> 2);
    ip[1] = (uint8_t)(script->dscp << 6);
    put16(ip + 4, tcp_len);
    ip[6] = IPPROTO_TCP;
    ip[7] = 64;
    memcpy(ip + 8, peer_ip6, 16);
    memcpy(ip + 24, stack_ip6, 16);
    return IP6_BYTES;
}

/* Writes the options in words of four bytes; returns their length. */
static uint32_t put_options(const struct tcp_segment *segment, uint8_t *out)
{
    uint8_t *start = out;

    if (segment->mss != 0) {
        put32(out, OPTION_MSS << 24 | 4u << 16 | segment->mss);
        out += 4;
    }
    if (segment->has_scale) {
        put32(out, (uint32_t)OPTION_NOP << 24 | OPTION_SCALE << 16 | 3u << 8 | segment->scale);
        out += 4;
    }
    if (segment->is_sack_permitted) {
        put32(out, (uint32_t)OPTION_NOP << 24 | OPTION_NOP << 16 | OPTION_SACK_PERMITTED << 8 | 2u);
        out += 4;
    }
    if (segment->has_timestamp) {
        put32(out, (uint32_t)OPTION_NOP << 24 | OPTION_NOP << 16 | OPTION_TIMESTAMP << 8 | 10u);
        put32(out + 4, segment->ts_value);
        put32(out + 8, segment->ts_echo);
        out += 12;
    }
    if (segment->n_sack > 0) {
        put32(out,
              (uint32_t)OPTION_NOP << 24 | OPTION_NOP << 16 | OPTION_SACK << 8 | (2 + 8 * segment->n_sack));
        out += 4;
        for (uint32_t i = 0; i < segment->n_sack; i++, out += 8) {
            put32(out, segment->sack[i].left);
            put32(out + 4, segment->sack[i].right);
        }
    }
    return (uint32_t)(out - start);
}

uint32_t tcp_script_build(const struct tcp_script *script, const struct tcp_segment *segment, uint8_t *frame)
{
    uint8_t *ip = frame + LINK_BYTES;
    uint32_t ip_len = script->family == 4 ? IP4_BYTES : IP6_BYTES;
    uint8_t *tcp = ip + ip_len;
    uint32_t header_len = TCP_BYTES + put_options(segment, tcp + TCP_BYTES);
    uint32_t tcp_len = header_len + segment->payload_len;

    memset(frame, 2, 12); /* link addresses: the worker does not look at them */
    put16(frame + 12, script->family == 4 ? 0x0800 : 0x86dd);
    put_ip(script, ip, tcp_len);
    put16(tcp, script->peer_port);
    put16(tcp + 2, script->stack_port);
    put32(tcp + 4, segment->seq);
    put32(tcp + 8, segment->ack);
    tcp[12] = (uint8_t)(header_len / 4 << 4);
    tcp[13] = segment->flags;
    put16(tcp + 14, segment->window);
    put32(tcp + TCP_CHECKSUM_OFF, 0);
    if (segment->payload_len > 0)
        memcpy(tcp + header_len, segment->payload, segment->payload_len);
    put16(tcp + TCP_CHECKSUM_OFF, (uint16_t)~tcp_sum(ip, ip_len, tcp_len));
    return LINK_BYTES + ip_len + tcp_len;
}

struct tcp_segment tcp_script_segment(const struct tcp_script *script, uint8_t flags, const void *payload,
                                      uint32_t payload_len)
{
    return (struct tcp_segment){
        .flags = flags,
        .seq = script->seq,
        .ack = (flags & SEGMENT_ACK) != 0 ? script->ack : 0,
        .window = script->window,
        .has_timestamp = script->has_timestamp,
        .ts_value = script->ts_value,
        .ts_echo = (flags & SEGMENT_ACK) != 0 ? script->ts_recent : 0,
        .payload = payload,
        .payload_len = payload_len,
    };
}

static void read_sack(const uint8_t *option, uint32_t len, struct tcp_segment *segment)
{
    for (uint32_t off = 2; off + 8 <= len && segment->n_sack < TCP_SCRIPT_MAX_SACK; off += 8)
        segment->sack[segment->n_sack++] =
            (struct tcp_script_sack){.left = get32(option + off), .right = get32(option + off + 4)};
}

static void read_option(const uint8_t *option, uint32_t len, struct tcp_segment *segment)
{
    if (option[0] == OPTION_MSS && len == 4) {
        segment->mss = get16(option + 2);
    } else if (option[0] == OPTION_SCALE && len == 3) {
        segment->has_scale = true;
        segment->scale = option[2];
    } else if (option[0] == OPTION_SACK_PERMITTED && len == 2) {
        segment->is_sack_permitted = true;
    } else if (option[0] == OPTION_TIMESTAMP && len == 10) {
        segment->has_timestamp = true;
        segment->ts_value = get32(option + 2);
        segment->ts_echo = get32(option + 6);
    } else if (option[0] == OPTION_SACK) {
        read_sack(option, len, segment);
    }
}

static void read_options(const uint8_t *options, uint32_t len, struct tcp_segment *segment)
{
    uint32_t off = 0;

    while (off < len && options[off] != OPTION_END) {
        if (options[off] == OPTION_NOP) {
            off++;
            continue;
        }
        if (off + 1 >= len || options[off + 1] < 2 || off + options[off + 1] > len)
            return;
        read_option(options + off, options[off + 1], segment);
        off += options[off + 1];
    }
}

/* True if the packet is TCP from the stack's end of this script to the peer's, with lengths that agree. */
static bool is_ours(const struct tcp_script *script, const uint8_t *ip, uint32_t len_bytes, uint32_t ip_len)
{
    bool is_v4 = script->family == 4;

    if (len_bytes < ip_len + TCP_BYTES || ip[0] >> 4 != script->family ||
        (is_v4 ? ip[9] : ip[6]) != IPPROTO_TCP)
        return false;
    if ((is_v4 ? get16(ip + 2) : get16(ip + 4) + IP6_BYTES) != len_bytes)
        return false;
    if (memcmp(is_v4 ? ip + 12 : ip + 8, is_v4 ? stack_ip4 : stack_ip6, is_v4 ? 4 : 16) != 0 ||
        memcmp(is_v4 ? ip + 16 : ip + 24, is_v4 ? peer_ip4 : peer_ip6, is_v4 ? 4 : 16) != 0)
        return false;
    return get16(ip + ip_len) == script->stack_port && get16(ip + ip_len + 2) == script->peer_port;
}

bool tcp_script_read(struct tcp_script *script, const uint8_t *packet, uint32_t len_bytes,
                     struct tcp_segment *segment)
{
    uint32_t ip_len = script->family == 4 ? IP4_BYTES : IP6_BYTES;
    const uint8_t *tcp = packet + ip_len;
    uint32_t header_len;

    if (!is_ours(script, packet, len_bytes, ip_len))
        return false;
    header_len = (uint32_t)(tcp[12] >> 4) * 4;
    if (header_len < TCP_BYTES || ip_len + header_len > len_bytes)
        return false;
    *segment = (struct tcp_segment){
        .flags = tcp[13],
        .seq = get32(tcp + 4),
        .ack = get32(tcp + 8),
        .window = get16(tcp + 14),
        .payload = tcp + header_len,
        .payload_len = len_bytes - ip_len - header_len,
        .has_good_checksum = tcp_sum(packet, ip_len, len_bytes - ip_len) == 0xffff &&
                             (script->family != 4 || fold(sum_bytes(0, packet, IP4_BYTES)) == 0xffff),
    };
    read_options(tcp + TCP_BYTES, header_len - TCP_BYTES, segment);
    if (segment->has_timestamp)
        script->ts_recent = segment->ts_value;
    return true;
}
