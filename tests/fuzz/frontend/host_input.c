/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_input.c — fuzz target: a host stack that gets several frames and lets time pass between them. Its
 * frames out keep to the MTU, its reassembled packets are whole, its memory is in order (sanitizers).
 *
 * Input: records of a kind byte, a length byte and so many bytes.
 *   kind bit 7: time passes, the low bits in units of 100 ms; no bytes follow
 *   else the low three bits: 0 a raw frame; 1 an ARP message; 2 an IPv4 packet; 3 an IPv6 packet (checksums
 * of both mended); 4 a destination to find the next hop of
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "frontend/host.h"
#include "frontend/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MTU_BYTES 1280u

static void transmit(void *context, const uint8_t *frame, uint32_t len)
{
    (void)context;
    mpa_assert(frame[0] != 0 || len != 0);
    mpa_assert(len >= WIRE_LINK_BYTES && len <= WIRE_LINK_BYTES + MTU_BYTES);
}

static void reassembled(void *context, const uint8_t *packet, uint32_t len)
{
    uint32_t stated = packet[0] >> 4 == 4 ? wire_get16(packet + WIRE_IP4_LENGTH_OFF)
                                          : wire_get16(packet + WIRE_IP6_LENGTH_OFF) + WIRE_IP6_BYTES;

    (void)context;
    mpa_assert(stated == len);
}

static void changed(void *context, const struct host_addresses *addresses)
{
    (void)context;
    mpa_assert(addresses->n_addresses <= HOST_MAX_ADDRESSES && addresses->mtu_bytes <= MTU_BYTES);
}

static void configure(struct config *config)
{
    static const struct config_address own4 = {4, 24, {10, 77, 0, 2}};
    static const struct config_address own6 = {6, 64, {0xfd, 0x77, [15] = 2}};

    memset(config, 0, sizeof(*config));
    config->nic.mtu_bytes = MTU_BYTES;
    config->host.dhcp = true;
    config->host.slaac = true;
    config->host.n_addresses = 2;
    config->host.addresses[0] = own4;
    config->host.addresses[1] = own6;
    config->frontend.reassembly_fragments = 16;
    config->frontend.reassembly_source_fragments = 6;
}

/* Mends the IPv4 header checksum, and that of ICMP or ICMPv6 when it stands directly behind the header. */
static void mend(uint8_t *packet, uint32_t len)
{
    uint32_t header_len = packet[0] >> 4 == 4 ? (packet[0] & 0x0fu) * 4u : WIRE_IP6_BYTES;
    uint32_t sum = 0;

    if (header_len < WIRE_IP4_BYTES || header_len + 4 > len)
        return;
    if (packet[0] >> 4 == 4)
        wire_ip4_set_checksum(packet, header_len);
    else
        sum = wire_sum(len - header_len + 58, packet + WIRE_IP6_SOURCE_OFF, 32);
    if (packet[packet[0] >> 4 == 4 ? WIRE_IP4_PROTOCOL_OFF : WIRE_IP6_NEXT_OFF] == (sum == 0 ? 1 : 58)) {
        wire_put16(packet + header_len + 2, 0);
        wire_put16(packet + header_len + 2, wire_fold(wire_sum(sum, packet + header_len, len - header_len)));
    }
}

static void feed(struct host *host, uint8_t kind, const uint8_t *bytes, uint32_t len)
{
    static const uint16_t types[4] = {0, WIRE_ETHERTYPE_ARP, WIRE_ETHERTYPE_IP4, WIRE_ETHERTYPE_IP6};
    uint8_t frame[WIRE_LINK_BYTES + 256] = {0x02, 0x4d, 0x50, 0x41, 0, 1, 2, 0, 0, 0, 0, 9};
    uint8_t mac[6];

    if (kind >= 4) {
        uint8_t destination[16] = {0};

        memcpy(destination, bytes, len < 16 ? len : 16);
        (void)host_next_hop(host, len < 16 ? 4 : 6, destination, mac);
    } else if (kind == 0) {
        host_input(host, bytes, len, NULL, 0);
    } else {
        wire_put16(frame + WIRE_ETHERTYPE_OFF, types[kind]);
        memcpy(frame + WIRE_LINK_BYTES, bytes, len);
        if (kind != 1 && len > 0)
            mend(frame + WIRE_LINK_BYTES, len);
        host_input(host, frame, WIRE_LINK_BYTES + len, NULL, 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct host_callbacks callbacks = {transmit, reassembled, changed};
    static const uint8_t mac[6] = {0x02, 0x4d, 0x50, 0x41, 0, 1};
    uint64_t now_ns = CLOCK_NS_PER_S;
    struct config config;
    struct host *host;

    configure(&config);
    host = host_new(&config, mac, &callbacks, NULL);
    mpa_assert(host != NULL);
    (void)host_tick(host, now_ns);
    while (size >= 2) {
        uint32_t len = data[1] <= size - 2 ? data[1] : (uint32_t)(size - 2);

        if ((data[0] & 0x80) != 0) {
            for (unsigned i = data[0] & 0x7fu; i > 0; i--)
                (void)host_tick(host, now_ns += 100 * CLOCK_NS_PER_MS);
            len = 0;
        } else {
            feed(host, data[0] & 7, data + 2, len);
        }
        data += 2 + len;
        size -= 2 + len;
    }
    host_free(host);
    return 0;
}
