/* SPDX-License-Identifier: BSD-3-Clause */
/* offload_test.c — what a worker may send, the words for the NIC, and segmentation checked byte by byte. */
#include "frontend/offload.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/frame.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "offload";

#define LINK 14u
#define MTU 1500u
#define MSS 1448u

static const struct host_addresses ours = {
    .n_addresses = 2,
    .mtu_bytes = MTU,
    .addresses = {{.family = 4, .prefix_bits = 24, .bytes = {10, 77, 0, 2}},
                  {.family = 6, .prefix_bits = 64, .bytes = {0xfd, 0x77, [15] = 2}}}};

/* A packet of up to 64 KiB: its headers in `frame` (from us to the peer), its payload beside. */
struct packet {
    struct frame frame;
    const uint8_t *payload;
    uint32_t total_len;
    uint16_t gso_size;
    bool needs_csum;
};

static uint8_t payload_bytes[65536];

static uint32_t u16_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 8 | bytes[1];
}

static void turn_round(struct frame *frame, uint8_t family)
{
    if (family == 4) {
        memcpy(frame->bytes + LINK + 12, frame_our_ip4, 4);
        memcpy(frame->bytes + LINK + 16, frame_peer_ip4, 4);
    } else {
        memcpy(frame->bytes + LINK + 8, frame_our_ip6, 16);
        memcpy(frame->bytes + LINK + 24, frame_peer_ip6, 16);
    }
}

static void make(struct packet *packet, uint8_t family, uint8_t protocol, uint32_t n_payload)
{
    static const uint8_t timestamps[12] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t *ip = packet->frame.bytes + LINK;

    memset(packet, 0, sizeof(*packet));
    for (uint32_t i = 0; i < sizeof(payload_bytes); i++)
        payload_bytes[i] = (uint8_t)(i * 31 + i / 256);
    frame_begin(&packet->frame, family == 4 ? 0x0800 : 0x86dd);
    if (family == 4)
        frame_put_ip4(&packet->frame, protocol);
    else
        frame_put_ip6(&packet->frame, protocol);
    turn_round(&packet->frame, family);
    if (protocol == 6)
        frame_put_tcp(&packet->frame, FRAME_ACK | FRAME_PSH | FRAME_FIN, timestamps, sizeof(timestamps));
    else if (protocol == 17)
        frame_put_udp(&packet->frame, 53);
    else
        frame_put_icmp(&packet->frame, protocol, family == 4 ? 3 : 1, 3);
    packet->payload = payload_bytes;
    packet->total_len = packet->frame.len_bytes - LINK + n_payload;
    if (family == 4)
        memcpy(ip + 2, (uint16_t[]){htons((uint16_t)packet->total_len)}, 2);
    else
        memcpy(ip + 4, (uint16_t[]){htons((uint16_t)(packet->total_len - 40))}, 2);
    if (protocol == 17)
        memcpy(packet->frame.bytes + packet->frame.transport_off + 4,
               (uint16_t[]){htons((uint16_t)(8 + n_payload))}, 2);
    if (family == 4)
        frame_fix_ip4_checksum(&packet->frame);
    packet->needs_csum = protocol == 6 || protocol == 17;
}

static enum offload_outcome check(const struct packet *packet, struct offload_plan *plan)
{
    uint32_t header_len = packet->frame.len_bytes - LINK;
    struct offload_request request = {.header = packet->frame.bytes + LINK,
                                      .header_len =
                                          header_len < packet->total_len ? header_len : packet->total_len,
                                      .total_len = packet->total_len,
                                      .gso_size = packet->gso_size,
                                      .needs_csum = packet->needs_csum};

    return offload_check_tx(&ours, MTU, &request, plan);
}

static void assert_bad(const struct packet *packet, enum offload_outcome outcome)
{
    struct offload_plan plan = {.total_len = 12345};

    CU_ASSERT_EQUAL(check(packet, &plan), outcome);
    CU_ASSERT_EQUAL(plan.total_len, 12345);
}

static void says_all_that_the_sender_needs(void)
{
    struct offload_plan plan;
    struct packet packet;

    make(&packet, 4, 6, 100);
    packet.frame.bytes[LINK + 1] = 46 << 2;
    CU_ASSERT_EQUAL_FATAL(check(&packet, &plan), OFFLOAD_OK);
    CU_ASSERT_EQUAL(plan.transport_off, 20);
    CU_ASSERT_EQUAL(plan.header_len, 52);
    CU_ASSERT_EQUAL(plan.total_len, 152);
    CU_ASSERT_EQUAL(plan.dscp, 46);
    CU_ASSERT(plan.needs_csum && !plan.needs_fragments && plan.gso_size == 0);
    CU_ASSERT_EQUAL(memcmp(plan.key.remote, frame_peer_ip4, 4), 0);
    CU_ASSERT_EQUAL(memcmp(plan.key.local, frame_our_ip4, 4), 0);
    CU_ASSERT_EQUAL(plan.key.local_port_be, htons(FRAME_PEER_PORT)); /* built from the peer's side */
    CU_ASSERT_EQUAL(plan.key.remote_port_be, htons(FRAME_OUR_PORT));
    make(&packet, 6, 17, 2000);
    CU_ASSERT_EQUAL_FATAL(check(&packet, &plan), OFFLOAD_OK);
    CU_ASSERT_EQUAL(plan.header_len, 48);
    CU_ASSERT(plan.needs_fragments);
    make(&packet, 4, 1, 28);
    CU_ASSERT_EQUAL_FATAL(check(&packet, &plan), OFFLOAD_OK);
    CU_ASSERT_EQUAL(plan.key.remote_port_be, 0);
}

static void only_our_addresses_may_send(void)
{
    struct packet packet;

    make(&packet, 4, 6, 0);
    packet.frame.bytes[LINK + 15] = 3;
    assert_bad(&packet, OFFLOAD_BAD_SOURCE);
    make(&packet, 6, 17, 0);
    packet.frame.bytes[LINK + 23] = 3;
    assert_bad(&packet, OFFLOAD_BAD_SOURCE);
}

static void destinations_beyond_the_wire_are_refused(void)
{
    static const char *const bad4[] = {"10.77.0.2", "127.0.0.1", "0.0.0.0"};
    static const char *const bad6[] = {"fd77::2", "::1", "::"};
    struct packet packet;

    for (unsigned i = 0; i < 3; i++) {
        make(&packet, 4, 6, 0);
        inet_pton(AF_INET, bad4[i], packet.frame.bytes + LINK + 16);
        assert_bad(&packet, OFFLOAD_BAD_HEADER);
        make(&packet, 6, 6, 0);
        inet_pton(AF_INET6, bad6[i], packet.frame.bytes + LINK + 24);
        assert_bad(&packet, OFFLOAD_BAD_HEADER);
    }
}

/* One byte of a good packet set to something that makes it bad. */
struct spoilt {
    uint8_t family, protocol;
    uint32_t off; /* from the IP header on */
    uint8_t value;
};

static void headers_that_lie_are_refused(void)
{
    static const struct spoilt cases[] = {
        {4, 6, 0, 0x35},                                      /* version */
        {4, 6, 0, 0x44},  {4, 6, 0, 0x46},                    /* header length; options */
        {4, 6, 3, 99},    {6, 6, 5, 99},                      /* total length */
        {4, 6, 6, 0x20},  {4, 6, 7, 1},                       /* a fragment */
        {4, 6, 9, 2},     {4, 6, 9, 47},    {6, 6, 6, 0},     /* IGMP, GRE, hop-by-hop */
        {4, 6, 32, 0x40}, {4, 6, 32, 0xf0},                   /* TCP data offset */
        {4, 17, 25, 7},   {6, 17, 45, 99},                    /* UDP length */
        {4, 1, 20, 5},    {4, 1, 20, 9},    {4, 1, 20, 13},   /* redirect, router advertisement, timestamp */
        {6, 58, 40, 134}, {6, 58, 40, 136}, {6, 58, 40, 137}, /* RA, NA, redirect */
        {6, 58, 40, 131}, {4, 6, 9, 58},    {6, 6, 6, 1},     /* MLD; each family's ICMP in the other */
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct offload_plan plan;
        struct packet packet;

        make(&packet, cases[i].family, cases[i].protocol, 8);
        CU_ASSERT_EQUAL(check(&packet, &plan), OFFLOAD_OK);
        packet.frame.bytes[LINK + cases[i].off] = cases[i].value;
        assert_bad(&packet, OFFLOAD_BAD_HEADER);
    }
}

static void copies_cut_at_each_byte_are_never_read_past(void)
{
    static const struct spoilt kinds[] = {{4, 6, 52, 0}, {6, 6, 72, 0}, {4, 17, 28, 0}, {6, 58, 48, 0}};

    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct offload_plan plan;
        struct packet packet;

        make(&packet, kinds[i].family, kinds[i].protocol, 0);
        for (uint32_t n_copied = 0; n_copied <= kinds[i].off; n_copied++) {
            uint8_t *copy = malloc(n_copied + 1);
            struct offload_request request = {
                .header = copy + 1, .header_len = n_copied, .total_len = packet.total_len};

            CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
            memcpy(copy + 1, packet.frame.bytes + LINK, n_copied);
            CU_ASSERT_EQUAL(offload_check_tx(&ours, MTU, &request, &plan),
                            n_copied == kinds[i].off ? OFFLOAD_OK : OFFLOAD_BAD_HEADER);
            free(copy);
        }
    }
}

static void gso_is_checked(void)
{
    struct offload_plan plan;
    struct packet packet;

    make(&packet, 4, 6, 10 * MSS);
    packet.gso_size = MSS;
    CU_ASSERT_EQUAL(check(&packet, &plan), OFFLOAD_OK);
    CU_ASSERT_EQUAL(plan.gso_size, MSS);
    CU_ASSERT(!plan.needs_fragments);
    packet.gso_size = MSS + 1; /* a segment longer than the MTU */
    assert_bad(&packet, OFFLOAD_BAD_HEADER);
    packet.gso_size = MSS;
    packet.needs_csum = false;
    assert_bad(&packet, OFFLOAD_BAD_HEADER);
    packet.needs_csum = true;
    packet.frame.bytes[packet.frame.transport_off + 13] |= FRAME_SYN;
    assert_bad(&packet, OFFLOAD_BAD_HEADER);
    make(&packet, 4, 17, 3000);
    packet.gso_size = 1000;
    assert_bad(&packet, OFFLOAD_BAD_HEADER);
    make(&packet, 6, 6, 100);
    packet.gso_size = 100; /* fits into one: an ordinary packet */
    CU_ASSERT_EQUAL(check(&packet, &plan), OFFLOAD_OK);
    CU_ASSERT_EQUAL(plan.gso_size, 0);
}

static void the_nic_gets_offsets_and_the_pseudo_header_sum(void)
{
    static const struct spoilt kinds[] = {{4, 6, 16, 1}, {6, 6, 16, 4}, {4, 17, 6, 0}, {6, 17, 6, 0}};

    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        uint32_t n_payload = kinds[i].protocol == 6 ? 2000 : 200;
        struct offload_plan plan;
        struct nic_vnet vnet;
        struct packet packet;
        uint8_t *frame = packet.frame.bytes;
        uint16_t sum;

        make(&packet, kinds[i].family, kinds[i].protocol, n_payload);
        packet.gso_size = kinds[i].protocol == 6 ? 1400 : 0;
        CU_ASSERT_EQUAL_FATAL(check(&packet, &plan), OFFLOAD_OK);
        offload_write_vnet(&plan, frame + LINK, &vnet);
        CU_ASSERT_EQUAL(vnet.flags, VNET_NEEDS_CSUM);
        CU_ASSERT_EQUAL(vnet.csum_start, packet.frame.transport_off);
        CU_ASSERT_EQUAL(vnet.csum_offset, kinds[i].off);
        CU_ASSERT_EQUAL(vnet.gso_type, kinds[i].value);
        CU_ASSERT_EQUAL(vnet.gso_size, packet.gso_size);
        CU_ASSERT_EQUAL(vnet.hdr_len, kinds[i].protocol == 6 ? packet.frame.len_bytes : 0);
        memcpy(&sum, frame + packet.frame.transport_off + kinds[i].off, 2);
        CU_ASSERT_EQUAL(ntohs((uint16_t)~sum),
                        frame_checksum(packet.total_len - plan.transport_off + kinds[i].protocol,
                                       frame + LINK + (kinds[i].family == 4 ? 12 : 8),
                                       kinds[i].family == 4 ? 8 : 32));
    }
}

static void a_finished_packet_needs_nothing_of_the_nic(void)
{
    struct offload_plan plan;
    struct nic_vnet vnet, zero = {0};
    struct packet packet, before;

    make(&packet, 4, 6, 10);
    packet.needs_csum = false;
    before = packet;
    CU_ASSERT_EQUAL_FATAL(check(&packet, &plan), OFFLOAD_OK);
    offload_write_vnet(&plan, packet.frame.bytes + LINK, &vnet);
    CU_ASSERT_EQUAL(memcmp(&vnet, &zero, sizeof(vnet)), 0);
    CU_ASSERT_EQUAL(memcmp(packet.frame.bytes, before.frame.bytes, before.frame.len_bytes), 0);
}

static void congestion_window_reduced_is_told(void)
{
    struct offload_plan plan;
    struct nic_vnet vnet;
    struct packet packet;

    make(&packet, 4, 6, 3000);
    packet.gso_size = MSS;
    packet.frame.bytes[packet.frame.transport_off + 13] |= FRAME_CWR;
    CU_ASSERT_EQUAL_FATAL(check(&packet, &plan), OFFLOAD_OK);
    offload_write_vnet(&plan, packet.frame.bytes + LINK, &vnet);
    CU_ASSERT_EQUAL(vnet.gso_type, VNET_GSO_TCPV4 | VNET_GSO_ECN);
}

/* What the segments of one packet must be; checked as they come. */
struct expected {
    const struct packet *packet;
    uint32_t mss; /* 0: one packet */
    uint32_t n_seen;
    uint32_t payload_off;
    uint32_t n_payload;
};

static void check_tcp_segment(const struct expected *expected, const uint8_t *tcp, bool is_last)
{
    const uint8_t *before = expected->packet->frame.bytes + expected->packet->frame.transport_off;
    uint32_t seq_be, seq_before_be;

    memcpy(&seq_be, tcp + 4, 4);
    memcpy(&seq_before_be, before + 4, 4);
    CU_ASSERT_EQUAL(ntohl(seq_be), ntohl(seq_before_be) + expected->payload_off);
    CU_ASSERT_EQUAL((tcp[13] & (FRAME_FIN | FRAME_PSH)) != 0, is_last);
    CU_ASSERT_EQUAL((tcp[13] & FRAME_CWR) != 0, expected->n_seen == 0);
    CU_ASSERT((tcp[13] & FRAME_ACK) != 0);
    CU_ASSERT_EQUAL(memcmp(tcp + 20, before + 20, 12), 0);
}

static void check_segment(void *context, const struct offload_segment *segment)
{
    struct expected *expected = context;
    const struct packet *packet = expected->packet;
    struct frame whole = {.protocol = packet->frame.protocol, .transport_off = packet->frame.transport_off};
    uint8_t *ip = whole.bytes + LINK;
    uint32_t left = expected->n_payload - expected->payload_off;

    CU_ASSERT_EQUAL(segment->payload_len, expected->mss != 0 && left > expected->mss ? expected->mss : left);
    CU_ASSERT_PTR_EQUAL(segment->payload, packet->payload + expected->payload_off);
    frame_put(&whole, packet->frame.bytes, LINK);
    frame_put(&whole, segment->header, segment->header_len);
    frame_put(&whole, segment->payload, segment->payload_len);
    CU_ASSERT_EQUAL(frame_transport_checksum(&whole), 0);
    if (ip[0] >> 4 == 4) {
        CU_ASSERT_EQUAL(u16_at(ip + 2), whole.len_bytes - LINK);
        CU_ASSERT_EQUAL(frame_checksum(0, ip, 20), 0);
        CU_ASSERT_EQUAL(u16_at(ip + 4), 0x1234 + expected->n_seen);
    } else {
        CU_ASSERT_EQUAL(u16_at(ip + 4), whole.len_bytes - LINK - 40);
    }
    if (expected->mss != 0)
        check_tcp_segment(expected, whole.bytes + whole.transport_off, left == segment->payload_len);
    expected->payload_off += segment->payload_len;
    expected->n_seen++;
}

static void segment(const struct packet *packet, uint32_t mss, unsigned n_expected)
{
    struct offload_plan plan;
    struct offload_packet cut = {
        .plan = &plan, .header = packet->frame.bytes + LINK, .payload = packet->payload};
    struct expected expected = {.packet = packet, .mss = mss};

    CU_ASSERT_EQUAL_FATAL(check(packet, &plan), OFFLOAD_OK);
    expected.n_payload = plan.total_len - plan.header_len;
    CU_ASSERT_EQUAL(offload_segment(&cut, check_segment, &expected), n_expected);
    CU_ASSERT_EQUAL(expected.n_seen, n_expected);
    CU_ASSERT_EQUAL(expected.payload_off, expected.n_payload);
}

static void super_packets_are_cut_into_right_segments(void)
{
    static const struct {
        uint32_t n_payload, mss, n_segments;
    } cases[] = {{MSS + 1, MSS, 2}, {2 * MSS, MSS, 2}, {44 * MSS + 7, MSS, 45}, {1000, 333, 4}, {9, 1, 9}};
    struct packet packet;

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
            uint32_t mss = family == 6 && cases[i].mss == MSS ? MSS - 20 : cases[i].mss;

            make(&packet, family, 6, cases[i].n_payload);
            packet.gso_size = (uint16_t)mss;
            packet.frame.bytes[packet.frame.transport_off + 13] |= FRAME_CWR;
            memset(packet.frame.bytes + packet.frame.transport_off + 4, 0xff, 4); /* the sequence wraps */
            segment(&packet, mss, (cases[i].n_payload + mss - 1) / mss);
        }
    }
}

static void a_single_packet_gets_its_checksum(void)
{
    static const struct spoilt kinds[] = {{4, 6, 0, 0}, {6, 6, 0, 0}, {4, 17, 0, 0}, {6, 17, 0, 0}};
    struct packet packet;

    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        for (uint32_t n_payload = 0; n_payload < 20; n_payload++) {
            make(&packet, kinds[i].family, kinds[i].protocol, n_payload);
            segment(&packet, 0, 1);
        }
    }
}

static void keep_udp_checksum(void *context, const struct offload_segment *segment)
{
    memcpy(context, segment->header + 26, 2);
}

static void a_udp_checksum_of_zero_is_sent_as_ones(void)
{
    uint8_t payload[2] = {0, 0};
    uint16_t csum = 0;
    struct offload_plan plan;
    struct packet packet;
    struct offload_packet single = {.plan = &plan, .payload = payload};

    make(&packet, 4, 17, 2);
    single.header = packet.frame.bytes + LINK;
    CU_ASSERT_EQUAL_FATAL(check(&packet, &plan), OFFLOAD_OK);
    offload_segment(&single, keep_udp_checksum, &csum);
    memcpy(payload, &csum, 2); /* what is missing to all ones: the checksum becomes 0 */
    offload_segment(&single, keep_udp_checksum, &csum);
    CU_ASSERT_EQUAL(csum, 0xffff);
}

static void received_offload_headers_are_checked(void)
{
    static const struct {
        struct nic_vnet vnet;
        bool is_valid;
    } cases[] = {
        {{0}, true},
        {{.flags = VNET_DATA_VALID}, true},
        {{.flags = VNET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16}, true},
        {{.flags = VNET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 65}, false}, /* past the head */
        {{.flags = VNET_NEEDS_CSUM, .csum_start = 65535, .csum_offset = 65535}, false},
        {{.flags = VNET_NEEDS_CSUM, .csum_start = 33, .csum_offset = 16}, false}, /* in the IP header */
        {{.gso_type = VNET_GSO_TCPV4, .gso_size = 1448}, true},
        {{.gso_type = VNET_GSO_TCPV6 | VNET_GSO_ECN, .gso_size = 1}, true},
        {{.gso_type = VNET_GSO_TCPV4}, false}, /* segments of nothing */
        {{.gso_type = 3, .gso_size = 1000}, false},
        {{.gso_type = 5, .gso_size = 1000}, false},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct nic_vnet *vnet = &cases[i].vnet;
        struct offload_rx rx = {0};

        CU_ASSERT_EQUAL(offload_check_rx(vnet, 100, &rx), cases[i].is_valid);
        if (!cases[i].is_valid)
            continue;
        CU_ASSERT_EQUAL(rx.has_good_csum, vnet->flags != 0);
        CU_ASSERT_EQUAL(rx.is_partial, vnet->flags == VNET_NEEDS_CSUM);
        CU_ASSERT_EQUAL(rx.is_gso, vnet->gso_type != 0);
    }
}

static void partial_checksums_are_finished(void)
{
    for (uint32_t n_payload = 0; n_payload < 9; n_payload++) {
        struct offload_plan plan;
        struct nic_vnet vnet;
        struct packet packet;

        make(&packet, 4, 17, n_payload);
        CU_ASSERT_EQUAL_FATAL(check(&packet, &plan), OFFLOAD_OK);
        offload_write_vnet(&plan, packet.frame.bytes + LINK, &vnet);
        frame_put(&packet.frame, payload_bytes, n_payload);
        offload_finish_csum(packet.frame.bytes, packet.frame.len_bytes, &vnet);
        CU_ASSERT_EQUAL(frame_transport_checksum(&packet.frame), 0);
    }
}

const struct unit_test unit_tests[] = {
    {"says all that the sender needs", says_all_that_the_sender_needs},
    {"only our addresses may send", only_our_addresses_may_send},
    {"destinations beyond the wire are refused", destinations_beyond_the_wire_are_refused},
    {"headers that lie are refused", headers_that_lie_are_refused},
    {"copies cut at each byte are never read past", copies_cut_at_each_byte_are_never_read_past},
    {"GSO is checked", gso_is_checked},
    {"the NIC gets offsets and the pseudo-header sum", the_nic_gets_offsets_and_the_pseudo_header_sum},
    {"a finished packet needs nothing of the NIC", a_finished_packet_needs_nothing_of_the_nic},
    {"congestion window reduced is told", congestion_window_reduced_is_told},
    {"super packets are cut into right segments", super_packets_are_cut_into_right_segments},
    {"a single packet gets its checksum", a_single_packet_gets_its_checksum},
    {"a UDP checksum of zero is sent as ones", a_udp_checksum_of_zero_is_sent_as_ones},
    {"received offload headers are checked", received_offload_headers_are_checked},
    {"partial checksums are finished", partial_checksums_are_finished},
    {NULL, NULL},
};
