/* SPDX-License-Identifier: BSD-3-Clause */
/* packets.c — packets that no worker may send, in slots that are right; and right ones without end. */
#include <string.h>
#include <unistd.h>

#include "hostile.h"

#define PACKET_BYTES 1428u
#define PACKET_STEP_BYTES 1536u /* from one packet in the arena to the next */
#define PROTOCOL_UDP 17u

static const uint8_t our_address[4] = {10, 77, 0, 2};
static const uint8_t foreign_address[4] = {10, 9, 9, 9};
static const uint8_t peer_address[4] = {10, 77, 0, 1};

static void put16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

/* A UDP datagram to the discard port of our peer, at `off` in an arena. The frontend fills in the checksum.
 */
static uint8_t *write_packet(struct hostile *hostile, enum lane_priority priority, uint32_t off,
                             const uint8_t source[4])
{
    uint8_t *packet = (uint8_t *)hostile->half.base + hostile->layout.arena_off[priority] + off;
    uint32_t sum = 0;

    memset(packet, 0, PACKET_BYTES);
    packet[0] = 0x45;
    put16(packet + 2, PACKET_BYTES);
    packet[8] = 64;
    packet[9] = PROTOCOL_UDP;
    memcpy(packet + 12, source, 4);
    memcpy(packet + 16, peer_address, 4);
    for (unsigned i = 0; i < 20; i += 2)
        sum += (uint32_t)packet[i] << 8 | packet[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    put16(packet + 10, ~(sum + (sum >> 16)) & 0xffff);
    put16(packet + 20, 9);
    put16(packet + 22, 9);
    put16(packet + 24, PACKET_BYTES - 20);
    return packet;
}

/* Word 0 of a slot for a packet at `off` in the arena. */
static uint64_t packet_word(uint32_t off, uint32_t gso_bytes)
{
    uint32_t flags = LANE_FLAG_CSUM | (gso_bytes != 0 ? LANE_FLAG_GSO : 0u);

    return lane_word(LANE_SLOT_FRAME | flags << 8, gso_bytes, off);
}

static void put_slot(struct hostile *hostile, enum lane_priority priority, uint32_t idx, uint64_t word,
                     uint32_t len_bytes)
{
    uint32_t n = hostile_half(hostile)->shape.ring_slots[priority];
    struct lane_slot *slot = &hostile_slots(hostile, hostile->layout.tx_slots_off[priority])[idx & (n - 1)];

    atomic_store_explicit(&slot->words[0], word, memory_order_relaxed);
    atomic_store_explicit(&slot->words[1], len_bytes, memory_order_relaxed);
}

static void send_one(struct hostile *hostile, uint32_t len_bytes, uint32_t gso_bytes)
{
    put_slot(hostile, LANE_NORMAL, hostile->tx_tail[LANE_NORMAL]++, packet_word(0, gso_bytes), len_bytes);
    hostile_publish(hostile, &hostile_half(hostile)->tx_tail[LANE_NORMAL], hostile->tx_tail[LANE_NORMAL]);
}

static void source_not_ours(struct hostile *hostile)
{
    write_packet(hostile, LANE_NORMAL, 0, foreign_address);
    send_one(hostile, PACKET_BYTES, 0);
}

static void header_longer_than_packet(struct hostile *hostile)
{
    write_packet(hostile, LANE_NORMAL, 0, our_address)[0] = 0x4f;
    send_one(hostile, 24, 0);
}

static void total_length_lies(struct hostile *hostile)
{
    put16(write_packet(hostile, LANE_NORMAL, 0, our_address) + 2, PACKET_BYTES + 100);
    send_one(hostile, PACKET_BYTES, 0);
}

static void udp_length_lies(struct hostile *hostile)
{
    put16(write_packet(hostile, LANE_NORMAL, 0, our_address) + 24, 4);
    send_one(hostile, PACKET_BYTES, 0);
}

static void gso_without_tcp(struct hostile *hostile)
{
    write_packet(hostile, LANE_NORMAL, 0, our_address);
    send_one(hostile, PACKET_BYTES, 1);
}

/* Right packets, more than anybody can send. */
static void flood(struct hostile *hostile, enum lane_priority priority)
{
    struct worker_half *half = hostile_half(hostile);
    uint32_t n = half->shape.ring_slots[priority],
             n_places = half->shape.arena_bytes[priority] / PACKET_STEP_BYTES;
    uint32_t tail = hostile->tx_tail[priority];
    uint64_t until_ns = 0;

    for (uint32_t place = 0; place < n_places; place++)
        write_packet(hostile, priority, place * PACKET_STEP_BYTES, our_address);
    while (hostile_has_time(hostile, &until_ns)) {
        uint32_t head =
            atomic_load_explicit(&hostile_frontend(hostile)->tx_head[priority].value, memory_order_acquire);

        for (; tail - head < n; tail++)
            put_slot(hostile, priority, tail, packet_word(tail % n_places * PACKET_STEP_BYTES, 0),
                     PACKET_BYTES);
        hostile_publish(hostile, &half->tx_tail[priority], tail);
        usleep(100);
    }
}

static void flood_normal(struct hostile *hostile)
{
    flood(hostile, LANE_NORMAL);
}

static void flood_urgent(struct hostile *hostile)
{
    flood(hostile, LANE_URGENT);
}

deed_fn *packets_find(const char *name)
{
    static const struct {
        const char *name;
        deed_fn *deed;
    } deeds[] = {
        {"source-not-ours", source_not_ours},     {"header-longer-than-packet", header_longer_than_packet},
        {"total-length-lies", total_length_lies}, {"udp-length-lies", udp_length_lies},
        {"gso-without-tcp", gso_without_tcp},     {"flood-normal", flood_normal},
        {"flood-urgent", flood_urgent},
    };

    for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        if (strcmp(name, deeds[i].name) == 0)
            return deeds[i].deed;
    }
    return NULL;
}
