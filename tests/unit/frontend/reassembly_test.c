/* SPDX-License-Identifier: BSD-3-Clause */
/* reassembly_test.c — a test per rule of reassembly.h, both families where the rule is the same. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "frontend/reassembly.h"
#include "frontend/wire.h"
#include "tests/support/unit.h"
#include "tests/unit/frontend/packets.h"

const char unit_suite_name[] = "reassembly";

#define MTU_BYTES 1500u
#define NOW_NS 1000000000ull

static const uint8_t destinations[16] = {0xfd, 0x77, [15] = 2};
static const struct reassembly_limits roomy = {256, 90, MTU_BYTES};

/* One fragment to feed: which family, whose, where. */
struct piece {
    int family;
    uint8_t source; /* last byte of the address */
    uint8_t protocol;
    uint32_t id;
    uint32_t off;
    uint32_t len;
    int has_more;
    uint32_t seed; /* of the payload */
};

static uint8_t payload[70000];
static struct reassembly_outcome outcome;

static struct packet build(const struct piece *piece)
{
    struct packet packet = {0};
    uint8_t source[16] = {0xfd, 0x77};
    struct packets_ip ip = {source, destinations, piece->protocol, 64, piece->id, 0};

    packets_fill(payload, sizeof(payload), piece->seed);
    if (piece->family == 4) {
        source[3] = piece->source;
        ip.place = (uint16_t)(piece->off / 8 | (piece->has_more != 0 ? WIRE_IP4_MF : 0));
        packets_ip4(&packet, &ip);
    } else {
        source[15] = piece->source;
        ip.protocol = 44;
        packets_ip6(&packet, &ip);
        packets_fragment6(&packet, piece->protocol, piece->off, piece->has_more, piece->id);
    }
    packets_add(&packet, payload + piece->off, piece->len);
    if (piece->family == 4)
        packets_finish4(&packet, 0);
    else
        packets_finish6(&packet, 0);
    return packet;
}

static enum reassembly_result feed_at(struct reassembly *r, const struct piece *piece, uint64_t now_ns)
{
    struct packet packet = build(piece);

    memset(&outcome, 0, sizeof(outcome));
    reassembly_add(r, packet.bytes, packet.len, now_ns, &outcome);
    return outcome.result;
}

static enum reassembly_result feed(struct reassembly *r, const struct piece *piece)
{
    return feed_at(r, piece, NOW_NS);
}

/* The payload of what came out is the first `len` bytes of the pattern, behind a right header. */
static void check_complete(int family, uint32_t len)
{
    uint32_t header_len = family == 4 ? WIRE_IP4_BYTES : WIRE_IP6_BYTES;

    CU_ASSERT_EQUAL_FATAL(outcome.result, REASSEMBLY_COMPLETE);
    CU_ASSERT_EQUAL_FATAL(outcome.len_bytes, header_len + len);
    CU_ASSERT_EQUAL(memcmp(outcome.packet + header_len, payload, len), 0);
    CU_ASSERT_FALSE(reassembly_is_fragment(outcome.packet, outcome.len_bytes));
    if (family == 4) {
        CU_ASSERT_EQUAL(wire_get16(outcome.packet + WIRE_IP4_LENGTH_OFF), outcome.len_bytes);
        CU_ASSERT_EQUAL(wire_fold(wire_sum(0, outcome.packet, header_len)), 0);
    } else {
        CU_ASSERT_EQUAL(wire_get16(outcome.packet + WIRE_IP6_LENGTH_OFF), len);
        CU_ASSERT_EQUAL(outcome.packet[WIRE_IP6_NEXT_OFF], 17);
    }
}

static void check_dropped(enum nic_counter drop)
{
    CU_ASSERT_EQUAL(outcome.result, REASSEMBLY_DROPPED);
    CU_ASSERT_EQUAL(outcome.drop, drop);
}

static void test_any_order(void)
{
    static const unsigned orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct reassembly *r = reassembly_new(&roomy);

    for (int family = 4; family <= 6; family += 2) {
        const struct piece pieces[3] = {{family, 1, 17, 7, 0, 1000, 1, 0},
                                        {family, 1, 17, 7, 1000, 1448, 1, 0},
                                        {family, 1, 17, 7, 2448, 5, 0, 0}};
        for (unsigned i = 0; i < 6; i++) {
            CU_ASSERT_EQUAL(feed(r, &pieces[orders[i][0]]), REASSEMBLY_HELD);
            CU_ASSERT_EQUAL(feed(r, &pieces[orders[i][1]]), REASSEMBLY_HELD);
            feed(r, &pieces[orders[i][2]]);
            check_complete(family, 2453);
            CU_ASSERT_EQUAL(reassembly_n_held(r), 0);
        }
    }
    reassembly_free(r);
}

static void test_largest(void)
{
    struct reassembly *r = reassembly_new(&roomy);

    for (int family = 4; family <= 6; family += 2) {
        uint32_t total = family == 4 ? 65515 : 65535;
        uint32_t off = 0;

        for (; off + 1448 < total; off += 1448)
            CU_ASSERT_EQUAL(feed(r, &(struct piece){family, 1, 17, 9, off, 1448, 1, 3}), REASSEMBLY_HELD);
        feed(r, &(struct piece){family, 1, 17, 9, off, total - off, 0, 3});
        check_complete(family, total);
    }
    reassembly_free(r);
}

static void test_names_keep_apart(void)
{
    struct reassembly *r = reassembly_new(&roomy);

    for (int family = 4; family <= 6; family += 2) {
        CU_ASSERT_EQUAL(feed(r, &(struct piece){family, 1, 17, 1, 0, 800, 1, 0}), REASSEMBLY_HELD);
        CU_ASSERT_EQUAL(feed(r, &(struct piece){family, 2, 17, 1, 800, 8, 0, 1}), REASSEMBLY_HELD);
        CU_ASSERT_EQUAL(feed(r, &(struct piece){family, 1, 17, 2, 800, 8, 0, 1}), REASSEMBLY_HELD);
        feed(r, &(struct piece){family, 1, 17, 1, 800, 8, 0, 0});
        check_complete(family, 808);
    }
    CU_ASSERT_EQUAL(feed(r, &(struct piece){4, 3, 17, 1, 0, 800, 1, 0}), REASSEMBLY_HELD);
    CU_ASSERT_EQUAL(feed(r, &(struct piece){4, 3, 6, 1, 800, 8, 0, 0}), REASSEMBLY_HELD);
    reassembly_free(r);
}

static void test_atomic(void)
{
    struct reassembly *r = reassembly_new(&roomy);

    CU_ASSERT_EQUAL(feed(r, &(struct piece){6, 1, 17, 1, 0, 800, 1, 0}), REASSEMBLY_HELD);
    feed(r, &(struct piece){6, 1, 17, 1, 0, 33, 0, 0});
    check_complete(6, 33);
    CU_ASSERT_EQUAL(reassembly_n_held(r), 1); /* the other datagram of that name did not notice */
    reassembly_free(r);
}

static void test_extension_headers_stay(void)
{
    static const uint8_t options[8] = {44, 0, 1, 4, 0, 0, 0, 0};
    struct reassembly *r = reassembly_new(&roomy);
    const uint8_t source[16] = {0xfd, 0x77, [15] = 1};

    for (int last = 0; last < 2; last++) {
        struct packet packet = {0};

        packets_ip6(&packet, &(struct packets_ip){source, destinations, 0, 64, 0, 0});
        packets_add(&packet, options, sizeof(options));
        packets_fragment6(&packet, 17, last != 0 ? 800 : 0, last == 0, 5);
        packets_add(&packet, payload + (last != 0 ? 800 : 0), last != 0 ? 33 : 800);
        packets_finish6(&packet, 0);
        reassembly_add(r, packet.bytes, packet.len, NOW_NS, &outcome);
    }
    CU_ASSERT_EQUAL_FATAL(outcome.result, REASSEMBLY_COMPLETE);
    CU_ASSERT_EQUAL(outcome.len_bytes, 48 + 833);
    CU_ASSERT_EQUAL(outcome.packet[WIRE_IP6_NEXT_OFF], 0);
    CU_ASSERT_EQUAL(outcome.packet[40], 17); /* the options now name UDP */
    CU_ASSERT_EQUAL(wire_get16(outcome.packet + WIRE_IP6_LENGTH_OFF), 841);
    CU_ASSERT_EQUAL(memcmp(outcome.packet + 48, payload, 833), 0);
    reassembly_free(r);
}

static void test_tiny(void)
{
    struct reassembly *r = reassembly_new(&roomy);

    for (int family = 4; family <= 6; family += 2) {
        feed(r, &(struct piece){family, 1, 6, 1, 0, 16, 1, 0});
        check_dropped(NIC_rx_drop_fragment_tiny);
        feed(r, &(struct piece){family, 1, 6, 1, 8, 800, 1, 0}); /* would rewrite TCP's flags (RFC 1858) */
        check_dropped(NIC_rx_drop_fragment_tiny);
        CU_ASSERT_EQUAL(feed(r, &(struct piece){family, 1, 17, 1, 0, 8, 1, 0}), REASSEMBLY_HELD);
        CU_ASSERT_EQUAL(feed(r, &(struct piece){family, 1, 6, 2, 0, 24, 1, 0}), REASSEMBLY_HELD);
    }
    reassembly_free(r);
}

static void test_chain_past_first_fragment(void)
{
    const uint8_t source[16] = {0xfd, 0x77, [15] = 1};
    static const uint8_t options[8] = {17, 1, 1, 4, 0, 0, 0, 0}; /* says 16 bytes, 8 are here */
    struct reassembly *r = reassembly_new(&roomy);
    struct packet packet = {0};

    packets_ip6(&packet, &(struct packets_ip){source, destinations, 44, 64, 0, 0});
    packets_fragment6(&packet, 60, 0, 1, 5);
    packets_add(&packet, options, sizeof(options));
    packets_finish6(&packet, 0);
    reassembly_add(r, packet.bytes, packet.len, NOW_NS, &outcome);
    check_dropped(NIC_rx_drop_fragment_tiny);
    reassembly_free(r);
}

static void test_past_64k(void)
{
    struct reassembly *r = reassembly_new(&roomy);

    feed(r, &(struct piece){4, 1, 17, 1, 65512, 8, 0, 0});
    check_dropped(NIC_rx_drop_fragment_overlap);
    feed(r, &(struct piece){6, 1, 17, 1, 65528, 16, 0, 0});
    check_dropped(NIC_rx_drop_fragment_overlap);
    CU_ASSERT_EQUAL(reassembly_n_held(r), 0);
    reassembly_free(r);
}

static void test_lengths_that_lie(void)
{
    struct reassembly *r = reassembly_new(&roomy);

    for (int family = 4; family <= 6; family += 2) {
        feed(r, &(struct piece){family, 1, 17, 1, 0, 801, 1, 0}); /* more follow, no multiple of 8 */
        check_dropped(NIC_rx_drop_fragment_overlap);
        feed(r, &(struct piece){family, 1, 17, 1, 800, 0, 0, 0}); /* nothing in it */
        check_dropped(NIC_rx_drop_fragment_overlap);
        feed(r, &(struct piece){family, 1, 17, 1, 0, MTU_BYTES + 4, 1, 0}); /* longer than the link */
        check_dropped(NIC_rx_drop_fragment_full);
    }
    reassembly_free(r);
}

static void test_overlap4_first_stays(void)
{
    struct reassembly *r = reassembly_new(&roomy);

    CU_ASSERT_EQUAL(feed(r, &(struct piece){4, 1, 17, 1, 0, 800, 1, 0}), REASSEMBLY_HELD);
    feed(r, &(struct piece){4, 1, 17, 1, 792, 80, 1, 9});
    check_dropped(NIC_rx_drop_fragment_overlap);
    feed(r, &(struct piece){4, 1, 17, 1, 0, 800, 1, 9}); /* same place, other bytes */
    check_dropped(NIC_rx_drop_fragment_overlap);
    feed(r, &(struct piece){4, 1, 17, 1, 800, 8, 0, 0});
    check_complete(4, 808);
    reassembly_free(r);
}

static void test_overlap6_kills(void)
{
    struct reassembly *r = reassembly_new(&roomy);
    const struct piece last = {6, 1, 17, 1, 800, 8, 0, 0};

    CU_ASSERT_EQUAL(feed(r, &(struct piece){6, 1, 17, 1, 0, 800, 1, 0}), REASSEMBLY_HELD);
    feed(r, &(struct piece){6, 1, 17, 1, 792, 80, 1, 9});
    check_dropped(NIC_rx_drop_fragment_overlap);
    CU_ASSERT_EQUAL(reassembly_n_held(r), 0);
    feed(r, &last); /* fragments of it that come later die too */
    check_dropped(NIC_rx_drop_fragment_overlap);
    CU_ASSERT_EQUAL(feed_at(r, &last, NOW_NS + REASSEMBLY_IP6_LIFE_NS), REASSEMBLY_HELD);
    reassembly_free(r);
}

static void test_end_that_contradicts(void)
{
    struct reassembly *r = reassembly_new(&roomy);
    static const struct piece second[3] = {
        {4, 1, 17, 1, 1600, 8, 0, 0}, /* a second end */
        {4, 1, 17, 1, 1600, 8, 1, 0}, /* bytes behind the end */
        {4, 1, 17, 1, 400, 8, 0, 0},  /* an end before bytes that are here */
    };

    for (int family = 4; family <= 6; family += 2) {
        for (unsigned i = 0; i < 3; i++) {
            struct piece piece = second[i];

            piece.family = family;
            piece.id = 10 + i;
            CU_ASSERT_EQUAL(feed(r, &(struct piece){family, 1, 17, 10 + i, 800, 8, 0, 0}), REASSEMBLY_HELD);
            feed(r, &piece);
            check_dropped(NIC_rx_drop_fragment_overlap);
        }
    }
    reassembly_free(r);
}

static void test_duplicate_is_harmless(void)
{
    struct reassembly *r = reassembly_new(&roomy);

    for (int family = 4; family <= 6; family += 2) {
        const struct piece first = {family, 1, 17, 1, 0, 800, 1, 0};

        CU_ASSERT_EQUAL(feed(r, &first), REASSEMBLY_HELD);
        feed(r, &first);
        check_dropped(NIC_rx_drop_fragment_overlap);
        feed(r, &(struct piece){family, 1, 17, 1, 800, 8, 0, 0});
        check_complete(family, 808);
    }
    reassembly_free(r);
}

static void test_share_of_a_source(void)
{
    struct reassembly *r = reassembly_new(&(struct reassembly_limits){64, 5, MTU_BYTES});

    for (int family = 4; family <= 6; family += 2) {
        for (uint32_t i = 0; i < 5; i++)
            CU_ASSERT_EQUAL(feed(r, &(struct piece){family, 1, 17, i, 0, 800, 1, 0}), REASSEMBLY_HELD);
        feed(r, &(struct piece){family, 1, 17, 77, 0, 800, 1, 0});
        check_dropped(NIC_rx_drop_fragment_source);
        CU_ASSERT_EQUAL(feed(r, &(struct piece){family, 2, 17, 1, 0, 800, 1, 0}), REASSEMBLY_HELD);
        feed(r, &(struct piece){family, 2, 17, 1, 800, 8, 0, 0}); /* another source is served meanwhile */
        check_complete(family, 808);
    }
    reassembly_free(r);
}

static void test_full(void)
{
    struct reassembly *r = reassembly_new(&(struct reassembly_limits){16, 4, MTU_BYTES});

    for (uint32_t i = 0; i < 16; i++)
        CU_ASSERT_EQUAL(feed(r, &(struct piece){6, (uint8_t)(i / 4), 17, i, 0, 800, 1, 0}), REASSEMBLY_HELD);
    feed(r, &(struct piece){6, 9, 17, 1, 0, 800, 1, 0});
    check_dropped(NIC_rx_drop_fragment_full);
    CU_ASSERT_EQUAL(reassembly_n_held(r), 16);
    reassembly_expire(r, NOW_NS + REASSEMBLY_IP6_LIFE_NS, NULL, NULL);
    CU_ASSERT_EQUAL(reassembly_n_held(r), 0);
    CU_ASSERT_EQUAL(feed(r, &(struct piece){6, 9, 17, 1, 0, 800, 1, 0}), REASSEMBLY_HELD);
    reassembly_free(r);
}

static void test_dead_ones_are_charged(void)
{
    struct reassembly *r = reassembly_new(&(struct reassembly_limits){64, 3, MTU_BYTES});

    for (uint32_t id = 0; id < 2; id++) {
        feed(r, &(struct piece){6, 1, 17, id, 0, 800, 1, 0});
        feed(r, &(struct piece){6, 1, 17, id, 8, 8, 1, 9});
    }
    CU_ASSERT_EQUAL(reassembly_n_held(r), 0);
    CU_ASSERT_EQUAL(feed(r, &(struct piece){6, 1, 17, 49, 0, 800, 1, 0}), REASSEMBLY_HELD);
    feed(r, &(struct piece){6, 1, 17, 50, 0, 800, 1, 0});
    check_dropped(NIC_rx_drop_fragment_source);
    reassembly_free(r);
}

static struct {
    uint32_t n;
    uint32_t header_len;
    uint32_t payload_len;
} expired;

static void note_expired(void *context, const uint8_t *header, uint32_t header_len, const uint8_t *bytes,
                         uint32_t payload_len)
{
    (void)context;
    (void)header;
    expired.n++;
    expired.header_len = header_len;
    expired.payload_len = payload_len;
    CU_ASSERT_EQUAL(memcmp(bytes, payload, payload_len), 0);
}

static void test_endless_fragments_expire(void)
{
    struct reassembly *r = reassembly_new(&roomy);
    uint64_t now_ns = NOW_NS;

    memset(&expired, 0, sizeof(expired));
    for (uint32_t i = 0; i < 31; i++, now_ns += 1000000000ull) {
        reassembly_expire(r, now_ns, note_expired, NULL);
        feed_at(r, &(struct piece){4, 1, 17, 1, i * 800, 800, 1, 0}, now_ns);
    }
    CU_ASSERT_EQUAL(expired.n, 1); /* 30 s after its first fragment, though one came each second */
    CU_ASSERT_EQUAL(expired.header_len, 20);
    CU_ASSERT_EQUAL(expired.payload_len, 800);
    CU_ASSERT_EQUAL(reassembly_n_held(r), 1);
    reassembly_expire(r, now_ns + REASSEMBLY_IP4_LIFE_NS, note_expired, NULL);
    CU_ASSERT_EQUAL(expired.n, 1); /* its first fragment never came: nothing is owed to the sender */
    CU_ASSERT_EQUAL(reassembly_n_held(r), 0);
    reassembly_free(r);
}

static void test_truncated_at_each_byte(void)
{
    struct reassembly *r = reassembly_new(&roomy);

    for (int family = 4; family <= 6; family += 2) {
        struct packet packet = build(&(struct piece){family, 1, 17, 1, 0, 64, 1, 0});

        for (uint32_t len = 0; len < packet.len; len++) {
            reassembly_add(r, packet.bytes, len, NOW_NS, &outcome);
            CU_ASSERT_EQUAL(outcome.result, REASSEMBLY_DROPPED);
        }
    }
    CU_ASSERT_EQUAL(reassembly_n_held(r), 0);
    reassembly_free(r);
}

static void test_header_checksum(void)
{
    struct reassembly *r = reassembly_new(&roomy);
    struct packet packet = build(&(struct piece){4, 1, 17, 1, 0, 64, 1, 0});

    packet.bytes[8] ^= 1;
    reassembly_add(r, packet.bytes, packet.len, NOW_NS, &outcome);
    check_dropped(NIC_rx_drop_ip_checksum);
    reassembly_free(r);
}

static void test_limits_of_zero(void)
{
    CU_ASSERT_PTR_NULL(reassembly_new(&(struct reassembly_limits){0, 1, 1}));
    CU_ASSERT_EQUAL(errno, EINVAL);
    CU_ASSERT_PTR_NULL(reassembly_new(&(struct reassembly_limits){1, 0, 1}));
    CU_ASSERT_PTR_NULL(reassembly_new(&(struct reassembly_limits){1, 1, 0}));
}

const struct unit_test unit_tests[] = {
    {"fragments in any order make the datagram", test_any_order},
    {"a datagram of 64 KiB comes through", test_largest},
    {"datagrams of other sources, protocols and identifications are kept apart", test_names_keep_apart},
    {"an atomic fragment is a datagram by itself", test_atomic},
    {"IPv6 extension headers stay, the fragment header goes", test_extension_headers_stay},
    {"a fragment that splits the transport header is dropped", test_tiny},
    {"a header chain that leaves the first fragment is dropped", test_chain_past_first_fragment},
    {"a fragment past 64 KiB is dropped", test_past_64k},
    {"fragment lengths that lie are dropped", test_lengths_that_lie},
    {"IPv4: an overlapping fragment is dropped, what was there stays", test_overlap4_first_stays},
    {"IPv6: an overlap kills the datagram until it expires", test_overlap6_kills},
    {"an end that contradicts what is held counts as an overlap", test_end_that_contradicts},
    {"an exact duplicate does no harm", test_duplicate_is_harmless},
    {"one source cannot take more than its share", test_share_of_a_source},
    {"full reassembly drops and recovers", test_full},
    {"datagrams killed by overlaps count for their source", test_dead_ones_are_charged},
    {"endless fragments expire by the first one's time", test_endless_fragments_expire},
    {"a fragment cut short at any byte is dropped", test_truncated_at_each_byte},
    {"a wrong IPv4 header checksum is dropped", test_header_checksum},
    {"limits of zero are refused", test_limits_of_zero},
    {NULL, NULL},
};
