/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fragment_test.c — cutting a datagram. The round trip goes through a reassembler written here, on purpose
 * the simplest one: it copies each piece to its place and checks that none is missing.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "frontend/fragment.h"
#include "frontend/wire.h"
#include "tests/support/unit.h"
#include "tests/unit/frontend/packets.h"

const char unit_suite_name[] = "fragment";

static const uint8_t ip4_source[4] = {192, 0, 2, 1};
static const uint8_t ip4_destination[4] = {192, 0, 2, 2};
static const uint8_t ip6_source[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
static const uint8_t ip6_destination[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 2};

/* What the emitted fragments add up to. */
struct collected {
    uint32_t n_fragments;
    uint32_t n_bytes; /* of the fragmentable part */
    uint32_t end;     /* from the fragment without MF, 0 before */
    uint32_t first_header_len;
    uint32_t later_header_len;
    uint32_t longest;
    uint32_t identification;
    uint8_t first_header[600];
    uint8_t later_header[600];
    uint8_t bytes[70000];
};

static struct collected collected;

static void note(const struct fragment *fragment, uint32_t off, bool has_more, uint32_t split_len)
{
    uint32_t extra = fragment->header_len - split_len; /* IPv6 extension headers that were cut as payload */

    CU_ASSERT_EQUAL(off, collected.n_bytes); /* in order, no hole */
    CU_ASSERT_EQUAL(collected.end, 0);
    memcpy(collected.bytes + off, fragment->header + split_len, extra);
    memcpy(collected.bytes + off + extra, fragment->payload, fragment->payload_len);
    collected.n_bytes = off + extra + fragment->payload_len;
    CU_ASSERT(!has_more || collected.n_bytes % 8 == 0);
    if (!has_more)
        collected.end = collected.n_bytes;
    if (off == 0) {
        memcpy(collected.first_header, fragment->header, fragment->header_len);
        collected.first_header_len = fragment->header_len;
    } else {
        memcpy(collected.later_header, fragment->header, fragment->header_len);
        collected.later_header_len = fragment->header_len;
    }
    if (fragment->header_len + fragment->payload_len > collected.longest)
        collected.longest = fragment->header_len + fragment->payload_len;
    collected.n_fragments++;
}

static void collect4(void *context, const struct fragment *fragment)
{
    uint32_t place = wire_get16(fragment->header + WIRE_IP4_FRAGMENT_OFF);

    (void)context;
    CU_ASSERT_EQUAL(wire_get16(fragment->header + WIRE_IP4_LENGTH_OFF),
                    fragment->header_len + fragment->payload_len);
    CU_ASSERT_EQUAL(fragment->header_len, (fragment->header[0] & 0x0fu) * 4u);
    CU_ASSERT_EQUAL(wire_fold(wire_sum(0, fragment->header, fragment->header_len)), 0);
    collected.identification = wire_get16(fragment->header + WIRE_IP4_ID_OFF);
    note(fragment, (place & WIRE_IP4_OFFSET_MASK) * 8, (place & WIRE_IP4_MF) != 0, fragment->header_len);
}

/* context: length of the unfragmentable part. */
static void collect6(void *context, const struct fragment *fragment)
{
    uint32_t split_len = *(const uint32_t *)context;
    const uint8_t *header = fragment->header + split_len;
    uint32_t place = wire_get16(header + 2);

    CU_ASSERT_EQUAL(wire_get16(fragment->header + WIRE_IP6_LENGTH_OFF),
                    fragment->header_len + fragment->payload_len - WIRE_IP6_BYTES);
    CU_ASSERT_EQUAL(header[1], 0);
    collected.identification = wire_get32(header + 4);
    note(fragment, place & 0xfff8u, (place & 1) != 0, split_len + WIRE_IP6_FRAGMENT_BYTES);
}

static struct packet header4(void)
{
    struct packet packet = {0};

    packets_ip4(&packet, &(struct packets_ip){ip4_source, ip4_destination, 17, 64, 0, 0});
    packets_finish4(&packet, 0);
    return packet;
}

static uint8_t payload[65536];

static int run4(const struct packet *header, uint32_t payload_len, uint16_t mtu_bytes)
{
    struct fragment_job job = {header->bytes, header->len, payload, payload_len, 0xbeef, mtu_bytes};

    memset(&collected, 0, sizeof(collected));
    return fragment_packet(&job, collect4, NULL);
}

static int run6(const struct packet *header, uint32_t split_len, uint32_t payload_len, uint16_t mtu_bytes)
{
    struct fragment_job job = {header->bytes, header->len, payload, payload_len, 0x12345678, mtu_bytes};

    memset(&collected, 0, sizeof(collected));
    return fragment_packet(&job, collect6, &split_len);
}

static void test_round_trip4(void)
{
    static const uint32_t lengths[] = {1, 8, 1479, 1480, 1481, 2960, 2961, 9000, 65515};
    struct packet header = header4();

    packets_fill(payload, sizeof(payload), 1);
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        int n = run4(&header, lengths[i], 1500);

        CU_ASSERT_EQUAL(n, (int)((lengths[i] + 1479) / 1480));
        CU_ASSERT_EQUAL(n, (int)collected.n_fragments);
        CU_ASSERT_EQUAL(collected.end, lengths[i]);
        CU_ASSERT(collected.longest <= 1500);
        CU_ASSERT_EQUAL(collected.identification, 0xbeef);
        CU_ASSERT_EQUAL(memcmp(collected.bytes, payload, lengths[i]), 0);
    }
}

static void test_mtu_not_a_multiple_of_eight(void)
{
    struct packet header = header4();

    CU_ASSERT_EQUAL(run4(&header, 4000, 1283), 4);
    CU_ASSERT_EQUAL(collected.end, 4000);
    CU_ASSERT_EQUAL(collected.longest, 20 + 1256);
}

static void test_dont_fragment(void)
{
    struct packet header = header4();

    wire_put16(header.bytes + WIRE_IP4_FRAGMENT_OFF, WIRE_IP4_DF);
    CU_ASSERT_EQUAL(run4(&header, 4000, 1500), -EMSGSIZE);
    CU_ASSERT_EQUAL(collected.n_fragments, 0);
}

static void test_options_by_their_copied_bit(void)
{
    /* no-op, record route (not copied, 7), router alert (copied, 4): 12 bytes in all */
    static const uint8_t options[12] = {1, 7, 7, 4, 0, 0, 0, 0, 0x94, 4, 0, 0};
    struct packet header = header4();

    packets_add(&header, options, sizeof(options));
    header.bytes[0] = 0x48;
    CU_ASSERT_EQUAL(run4(&header, 3000, 1500), 3);
    CU_ASSERT_EQUAL(collected.end, 3000);
    CU_ASSERT_EQUAL(collected.first_header_len, 32);
    CU_ASSERT_EQUAL(memcmp(collected.first_header + 20, options, sizeof(options)), 0);
    CU_ASSERT_EQUAL(collected.later_header_len, 24);
    CU_ASSERT_EQUAL(memcmp(collected.later_header + 20, options + 8, 4), 0);
}

static void test_option_that_lies(void)
{
    static const uint8_t past_end[4] = {0x94, 8, 0, 0};
    static const uint8_t too_short[4] = {0x94, 1, 0, 0};
    static const uint8_t no_length[4] = {1, 1, 1, 0x94};
    const uint8_t *all[] = {past_end, too_short, no_length};

    for (unsigned i = 0; i < 3; i++) {
        struct packet header = header4();

        packets_add(&header, all[i], 4);
        header.bytes[0] = 0x46;
        CU_ASSERT_EQUAL(run4(&header, 3000, 1500), -EINVAL);
        CU_ASSERT_EQUAL(collected.n_fragments, 0);
    }
}

static void test_headers_that_lie(void)
{
    struct packet header = header4();

    header.bytes[0] = 0x44;
    CU_ASSERT_EQUAL(run4(&header, 3000, 1500), -EINVAL);
    header.bytes[0] = 0x46;
    CU_ASSERT_EQUAL(run4(&header, 3000, 1500), -EINVAL);
    header.bytes[0] = 0x55;
    CU_ASSERT_EQUAL(run4(&header, 3000, 1500), -EINVAL);
    header = header4();
    CU_ASSERT_EQUAL(run4(&header, 65516, 1500), -EINVAL);
    header.len = 0;
    CU_ASSERT_EQUAL(run4(&header, 3000, 1500), -EINVAL);
}

static void test_mtu_too_small(void)
{
    struct packet header = header4();

    CU_ASSERT_EQUAL(run4(&header, 100, 27), -EMSGSIZE);
    CU_ASSERT_EQUAL(collected.n_fragments, 0);
    CU_ASSERT_EQUAL(run4(&header, 100, 28), 13);
}

static void test_fragment_of_a_fragment(void)
{
    struct packet header = header4();

    wire_put16(header.bytes + WIRE_IP4_FRAGMENT_OFF, WIRE_IP4_MF | 0);
    CU_ASSERT_EQUAL(run4(&header, 2960, 1500), 2);
    CU_ASSERT_EQUAL(collected.end, 0); /* its last piece is not the datagram's */
    wire_put16(header.bytes + WIRE_IP4_FRAGMENT_OFF, 8000);
    CU_ASSERT_EQUAL(run4(&header, 2960, 1500), -EINVAL);
}

static struct packet header6(void)
{
    struct packet packet = {0};

    packets_ip6(&packet, &(struct packets_ip){ip6_source, ip6_destination, 17, 64, 0, 0});
    return packet;
}

static void test_round_trip6(void)
{
    static const uint32_t lengths[] = {1, 1448, 1453, 1500, 2897, 65535};
    struct packet header = header6();

    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        int n = run6(&header, 40, lengths[i], 1500);

        CU_ASSERT_EQUAL(n, (int)collected.n_fragments);
        CU_ASSERT_EQUAL(collected.end, lengths[i]);
        CU_ASSERT(collected.longest <= 1500);
        CU_ASSERT_EQUAL(collected.identification, 0x12345678);
        CU_ASSERT_EQUAL(memcmp(collected.bytes, payload, lengths[i]), 0);
        CU_ASSERT_EQUAL(collected.first_header[WIRE_IP6_NEXT_OFF], 44);
        CU_ASSERT_EQUAL(collected.first_header[40], 17);
    }
}

static void test_unfragmentable_part(void)
{
    /* hop-by-hop, destination options, routing, destination options: the first three stay in every fragment
     */
    static const uint8_t chain[4][8] = {{60, 0, 1, 4}, {43, 0, 1, 4}, {60, 0, 4, 0}, {17, 0, 1, 4}};
    struct packet header = header6();

    header.bytes[WIRE_IP6_NEXT_OFF] = 0;
    packets_add(&header, chain, sizeof(chain));
    CU_ASSERT_EQUAL(run6(&header, 64, 3000, 1500), 3);
    CU_ASSERT_EQUAL(collected.end, 3008);
    CU_ASSERT_EQUAL(memcmp(collected.bytes, chain[3], 8), 0);
    CU_ASSERT_EQUAL(memcmp(collected.bytes + 8, payload, 3000), 0);
    CU_ASSERT_EQUAL(collected.first_header[56], 44); /* the routing header names the fragment header */
    CU_ASSERT_EQUAL(collected.first_header[64], 60); /* which names the destination options behind it */
    CU_ASSERT_EQUAL(collected.later_header_len, 72);
    CU_ASSERT_EQUAL(memcmp(collected.first_header + 40, collected.later_header + 40, 24), 0);
    CU_ASSERT(collected.longest <= 1500);
}

static void test_chain_that_lies(void)
{
    static const uint8_t past_end[8] = {17, 1, 1, 4};
    static const uint8_t fragment[8] = {17, 0, 0, 0};
    struct packet header = header6();

    header.bytes[WIRE_IP6_NEXT_OFF] = 0;
    packets_add(&header, past_end, 8);
    CU_ASSERT_EQUAL(run6(&header, 40, 3000, 1500), -EINVAL);
    header = header6();
    header.bytes[WIRE_IP6_NEXT_OFF] = 44;
    packets_add(&header, fragment, 8);
    CU_ASSERT_EQUAL(run6(&header, 40, 3000, 1500), -EINVAL);
    header = header6();
    header.bytes[WIRE_IP6_NEXT_OFF] = 0;
    packets_add(&header, past_end, 4);
    CU_ASSERT_EQUAL(run6(&header, 40, 3000, 1500), -EINVAL);
    CU_ASSERT_EQUAL(collected.n_fragments, 0);
}

static void test_mtu_too_small6(void)
{
    struct packet header = header6();

    CU_ASSERT_EQUAL(run6(&header, 40, 100, 55), -EMSGSIZE);
    CU_ASSERT_EQUAL(run6(&header, 40, 100, 56), 13);
    CU_ASSERT_EQUAL(run6(&header, 40, 65536, 1500), -EINVAL);
}

const struct unit_test unit_tests[] = {
    {"IPv4 fragments add up to the datagram at every length", test_round_trip4},
    {"fragments end on multiples of eight whatever the MTU", test_mtu_not_a_multiple_of_eight},
    {"a datagram with DF is not cut", test_dont_fragment},
    {"only options with the copied bit stand in later fragments", test_options_by_their_copied_bit},
    {"an option that runs past the header is refused", test_option_that_lies},
    {"header lengths that lie are refused", test_headers_that_lie},
    {"an MTU without room for eight bytes is refused", test_mtu_too_small},
    {"a fragment can be cut again", test_fragment_of_a_fragment},
    {"IPv6 fragments add up to the datagram at every length", test_round_trip6},
    {"the unfragmentable part stands in every fragment, the rest in the first", test_unfragmentable_part},
    {"an extension header chain that lies is refused", test_chain_that_lies},
    {"an IPv6 MTU without room for eight bytes is refused", test_mtu_too_small6},
    {NULL, NULL},
};
