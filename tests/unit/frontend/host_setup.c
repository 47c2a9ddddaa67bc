/* SPDX-License-Identifier: BSD-3-Clause */
/* host_setup.c — see host_setup.h. */
#include "tests/unit/frontend/host_setup.h"

#include <string.h>

#include "base/assert.h"
#include "frontend/fragment.h"
#include "frontend/wire.h"

struct setup setup;

const uint8_t our_mac[6] = {0x02, 0x4d, 0x50, 0x41, 0, 1};
const uint8_t peer_mac[6] = {0x02, 0, 0, 0, 0, 9};
const uint8_t all_macs[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
const uint8_t our4[4] = {10, 77, 0, 2};
const uint8_t our4_alias[4] = {10, 88, 0, 2};
const uint8_t peer4[4] = {10, 77, 0, 1};
const uint8_t our6[16] = {0xfd, 0x77, [15] = 2};
const uint8_t our_link6[16] = {0xfe, 0x80, [8] = 0x00, 0x4d, 0x50, 0xff, 0xfe, 0x41, 0x00, 0x01};
const uint8_t peer6[16] = {0xfd, 0x77, [15] = 1};
const uint8_t peer_link6[16] = {0xfe, 0x80, [15] = 9};

static void transmit(void *context, const uint8_t *frame, uint32_t len)
{
    (void)context;
    mpa_assert(len >= WIRE_LINK_BYTES && len <= sizeof(setup.frames[0]));
    if (setup.n_frames == SETUP_N_FRAMES)
        return;
    memcpy(setup.frames[setup.n_frames], frame, len);
    setup.frame_len[setup.n_frames++] = len;
}

static void reassembled(void *context, const uint8_t *packet, uint32_t len)
{
    (void)context;
    mpa_assert(len <= sizeof(setup.reassembled));
    memcpy(setup.reassembled, packet, len);
    setup.reassembled_len = len;
    setup.n_reassembled++;
}

static void changed(void *context, const struct host_addresses *addresses)
{
    (void)context;
    setup.addresses = *addresses;
    setup.n_changes++;
}

static struct config_address address(uint8_t family, const uint8_t *bytes, uint8_t prefix_bits)
{
    struct config_address result = {.family = family, .prefix_bits = prefix_bits};

    memcpy(result.bytes, bytes, family == 4 ? 4 : 16);
    return result;
}

struct config setup_config(void)
{
    struct config config = {0};

    config.nic.mtu_bytes = 1500;
    config.host.slaac = true;
    config.host.n_addresses = 3;
    config.host.addresses[0] = address(4, our4, 24);
    config.host.addresses[1] = address(4, our4_alias, 16);
    config.host.addresses[2] = address(6, our6, 64);
    config.frontend.reassembly_fragments = 128;
    config.frontend.reassembly_source_fragments = 90;
    return config;
}

void setup_start(const struct config *config)
{
    setup_start_held(config, NULL);
}

void setup_start_held(const struct config *config, const struct host_held *held)
{
    static const struct host_callbacks callbacks = {transmit, reassembled, changed};

    memset(&setup, 0, sizeof(setup));
    setup.now_ns = 1000000000ull;
    setup.host = host_new(config, our_mac, &callbacks, NULL);
    mpa_assert(setup.host != NULL);
    host_set_counters(setup.host, setup.counters);
    if (held != NULL)
        host_restore(setup.host, held);
    setup_run_ms(0);
}

void setup_begin(const struct config *config)
{
    setup_start(config);
    setup_run_ms(4000);
    setup_forget_frames();
}

void setup_end(void)
{
    host_free(setup.host);
    setup.host = NULL;
}

void setup_run_ms(uint32_t ms)
{
    for (uint32_t i = 0; i <= ms / 100; i++) {
        (void)host_tick(setup.host, setup.now_ns);
        if (i < ms / 100)
            setup.now_ns += 100000000ull;
    }
}

void setup_forget_frames(void)
{
    setup.n_frames = 0;
}

void setup_input(const struct packet *packet)
{
    host_input(setup.host, packet->bytes, packet->len, NULL, 0);
}

uint64_t setup_count(enum nic_counter which)
{
    return counter_get(setup.counters, which);
}

const uint8_t *setup_sent(uint16_t ethertype, uint32_t off, uint8_t value)
{
    for (uint32_t i = 0; i < setup.n_frames; i++) {
        if (wire_get16(setup.frames[i] + WIRE_ETHERTYPE_OFF) == ethertype && off < setup.frame_len[i] &&
            setup.frames[i][off] == value)
            return setup.frames[i];
    }
    return NULL;
}

struct packet setup_arp(uint16_t operation, const uint8_t sender_mac[6], const uint8_t sender_ip[4],
                        const uint8_t target_ip[4])
{
    static const uint8_t target_mac[6] = {0};
    uint8_t head[8] = {0, 1, 0x08, 0x00, 6, 4};
    struct packet packet;

    packets_link(&packet, all_macs, sender_mac, WIRE_ETHERTYPE_ARP);
    wire_put16(head + 6, operation);
    packets_add(&packet, head, sizeof(head));
    packets_add(&packet, sender_mac, 6);
    packets_add(&packet, sender_ip, 4);
    packets_add(&packet, target_mac, 6);
    packets_add(&packet, target_ip, 4);
    return packet;
}

/* The body of an echo message: header, then a pattern; `len` bytes behind the header. */
static void add_echo(struct packet *packet, uint8_t type, uint32_t len)
{
    const uint8_t head[8] = {type, 0, 0, 0, 0x12, 0x34, 0, 1};
    static uint8_t data[66000];

    packets_fill(data, len, 5);
    packets_add(packet, head, sizeof(head));
    packets_add(packet, data, len);
}

struct packet setup_ping4(const uint8_t destination[4], uint32_t len)
{
    struct packet packet;
    uint32_t ip_off;

    packets_link(&packet, our_mac, peer_mac, WIRE_ETHERTYPE_IP4);
    ip_off = packets_ip4(&packet, &(struct packets_ip){peer4, destination, 1, 64, 0x4242, 0});
    add_echo(&packet, 8, len);
    packets_finish4(&packet, ip_off);
    packets_checksum4(&packet, ip_off + WIRE_IP4_BYTES, ip_off + WIRE_IP4_BYTES + 2);
    return packet;
}

struct packet setup_ping6(uint32_t len)
{
    struct packet packet;
    uint32_t ip_off;

    packets_link(&packet, our_mac, peer_mac, WIRE_ETHERTYPE_IP6);
    ip_off = packets_ip6(&packet, &(struct packets_ip){peer6, our6, 58, 64, 0, 0});
    add_echo(&packet, 128, len);
    packets_finish6(&packet, ip_off);
    packets_checksum6(&packet, ip_off, ip_off + WIRE_IP6_BYTES, ip_off + WIRE_IP6_BYTES + 2);
    return packet;
}

struct packet setup_icmp6(const uint8_t source[16], const uint8_t destination[16], uint8_t hop_limit,
                          const uint8_t *message, uint32_t len)
{
    struct packet packet;
    uint32_t ip_off;

    packets_link(&packet, our_mac, peer_mac, WIRE_ETHERTYPE_IP6);
    ip_off = packets_ip6(&packet, &(struct packets_ip){source, destination, 58, hop_limit, 0, 0});
    packets_add(&packet, message, len);
    packets_finish6(&packet, ip_off);
    if (len >= 4)
        packets_checksum6(&packet, ip_off, ip_off + WIRE_IP6_BYTES, ip_off + WIRE_IP6_BYTES + 2);
    return packet;
}

struct packet setup_solicit(const uint8_t source[16], const uint8_t target[16])
{
    uint8_t message[32] = {135, [24] = 1, [25] = 1};

    memcpy(message + 8, target, 16);
    memcpy(message + 26, peer_mac, 6);
    return setup_icmp6(source, target, 255, message, sizeof(message));
}

struct packet setup_advert(const uint8_t source[16], const uint8_t target[16], const uint8_t mac[6])
{
    uint8_t message[32] = {136, [4] = 0x60, [24] = 2, [25] = 1};

    memcpy(message + 8, target, 16);
    memcpy(message + 26, mac, 6);
    return setup_icmp6(source, our6, 255, message, sizeof(message));
}

void setup_meet_peer(void)
{
    struct packet arp = setup_arp(1, peer_mac, peer4, our4);
    struct packet solicit = setup_solicit(peer6, our6);

    setup_input(&arp);
    setup_input(&solicit);
    setup_forget_frames();
}

static void feed_piece(void *context, const struct fragment *fragment)
{
    const struct packet *whole = context;
    struct packet piece = {0};

    packets_add(&piece, whole->bytes, WIRE_LINK_BYTES);
    packets_add(&piece, fragment->header, fragment->header_len);
    packets_add(&piece, fragment->payload, fragment->payload_len);
    setup_input(&piece);
}

int setup_input_cut(const struct packet *packet, uint32_t header_len, uint16_t mtu_bytes)
{
    const uint8_t *header = packet->bytes + WIRE_LINK_BYTES;
    struct fragment_job job = {
        header, header_len, header + header_len, packet->len - WIRE_LINK_BYTES - header_len, 77, mtu_bytes};
    struct packet whole = *packet;

    return fragment_packet(&job, feed_piece, &whole);
}
