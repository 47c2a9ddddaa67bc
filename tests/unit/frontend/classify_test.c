/* SPDX-License-Identifier: BSD-3-Clause */
/* classify_test.c — link layer, IPv4, TCP and UDP: what goes where, and one test for each reason to drop. */
#include "tests/unit/frontend/classify_setup.h"

const char unit_suite_name[] = "classifier";

#define IP 14u /* offset of the IP header */

static void tcp4(struct frame *frame, uint8_t flags, size_t n_payload)
{
    frame_begin(frame, 0x0800);
    frame_put_ip4(frame, 6);
    frame_put_tcp(frame, flags, NULL, 0);
    frame_put_zeros(frame, n_payload);
    frame_finish(frame);
}

static void udp4(struct frame *frame, uint16_t port, const char *to)
{
    frame_begin(frame, 0x0800);
    frame_put_ip4(frame, 17);
    frame_put_udp(frame, port);
    frame_put_zeros(frame, 5);
    inet_pton(AF_INET, to, frame->bytes + IP + 16);
    frame_finish(frame);
}

static void set_source(struct frame *frame, const char *source)
{
    inet_pton(AF_INET, source, frame->bytes + IP + 12);
    frame_fix_ip4_checksum(frame);
}

static void tcp_goes_to_the_worker_of_its_flow(void)
{
    struct classify_verdict verdict;
    struct frame frame;

    tcp4(&frame, FRAME_ACK, 100);
    frame.bytes[IP + 1] = 46 << 2;
    frame_fix_ip4_checksum(&frame);
    verdict = classify_whole(&frame);
    CU_ASSERT_EQUAL(verdict.to, CLASSIFY_WORKER);
    CU_ASSERT_EQUAL(verdict.ip_off, 14);
    CU_ASSERT_EQUAL(verdict.transport_off, 34);
    CU_ASSERT_EQUAL(verdict.frame_len, frame.len_bytes);
    CU_ASSERT_EQUAL(verdict.dscp, 46);
    CU_ASSERT(!verdict.is_syn);
    CU_ASSERT_EQUAL(memcmp(verdict.key.remote, frame_peer_ip4, 4), 0);
    CU_ASSERT_EQUAL(memcmp(verdict.key.local, frame_our_ip4, 4), 0);
    CU_ASSERT_EQUAL(verdict.key.remote_port_be, htons(FRAME_PEER_PORT));
    CU_ASSERT_EQUAL(verdict.key.local_port_be, htons(FRAME_OUR_PORT));
    CU_ASSERT_EQUAL(verdict.key.protocol, 6);
    CU_ASSERT_EQUAL(verdict.key.family, 4);
    CU_ASSERT_EQUAL(verdict.hash, flow_key_hash(&verdict.key, &setup_seed));
}

static void only_a_syn_without_ack_is_a_new_connection(void)
{
    struct frame frame;

    tcp4(&frame, FRAME_SYN, 0);
    CU_ASSERT(classify_whole(&frame).is_syn);
    tcp4(&frame, FRAME_SYN | FRAME_ACK, 0);
    CU_ASSERT(!classify_whole(&frame).is_syn);
    tcp4(&frame, FRAME_RST, 0);
    CU_ASSERT(!classify_whole(&frame).is_syn);
}

static void udp_goes_to_the_worker_of_its_flow(void)
{
    struct frame frame;

    udp4(&frame, 7, "10.77.0.2");
    ASSERT_TO(&frame, CLASSIFY_WORKER);
    CU_ASSERT_EQUAL(classify_whole(&frame).key.protocol, 17);
    CU_ASSERT_EQUAL(classify_whole(&frame).key.local_port_be, htons(7));
}

static void padding_of_short_frames_is_cut_off(void)
{
    struct frame frame;

    tcp4(&frame, FRAME_ACK, 0);
    frame_put_zeros(&frame, 6);
    ASSERT_TO(&frame, CLASSIFY_WORKER);
    CU_ASSERT_EQUAL(classify_whole(&frame).frame_len, 54);
}

static void what_the_host_stack_speaks_goes_to_it(void)
{
    struct frame frame;

    frame_begin(&frame, 0x0806);
    frame_put_zeros(&frame, 28 + 18);
    ASSERT_TO(&frame, CLASSIFY_HOST);
    CU_ASSERT_EQUAL(classify_whole(&frame).frame_len, 42);
    frame_begin(&frame, 0x0800);
    frame_put_ip4(&frame, 2);
    frame_put_zeros(&frame, 8);
    frame_finish(&frame);
    ASSERT_TO(&frame, CLASSIFY_HOST);
    udp4(&frame, 68, "10.77.0.2");
    ASSERT_TO(&frame, CLASSIFY_HOST);
    udp4(&frame, 68, "10.77.0.200"); /* an address only offered yet */
    ASSERT_TO(&frame, CLASSIFY_HOST);
    udp4(&frame, 5353, "224.0.0.251");
    ASSERT_TO(&frame, CLASSIFY_HOST);
    udp4(&frame, 137, "10.77.0.255");
    ASSERT_TO(&frame, CLASSIFY_HOST);
    udp4(&frame, 137, "255.255.255.255");
    ASSERT_TO(&frame, CLASSIFY_HOST);
}

static void fragments_go_to_the_host_stack(void)
{
    static const uint8_t offsets[3][2] = {{0x20, 0}, {0x20, 0x10}, {0, 0x10}}; /* first, middle, last */
    struct frame frame;

    for (unsigned i = 0; i < 3; i++) {
        tcp4(&frame, FRAME_ACK, 32);
        memcpy(frame.bytes + IP + 6, offsets[i], 2);
        frame_fix_ip4_checksum(&frame);
        ASSERT_TO(&frame, CLASSIFY_HOST);
        CU_ASSERT_EQUAL(classify_head(&frame, frame.len_bytes, true).drop, NIC_rx_drop_gso);
        frame.bytes[IP + 19] = 3;
        frame_fix_ip4_checksum(&frame);
        ASSERT_DROP(&frame, NIC_rx_drop_not_ours);
    }
}

static void other_ethertypes_are_dropped_by_name(void)
{
    static const struct {
        uint16_t ethertype;
        enum nic_counter reason;
    } cases[] = {{0x8100, NIC_rx_drop_vlan},      {0x88a8, NIC_rx_drop_vlan},
                 {0x9100, NIC_rx_drop_vlan},      {0x0026, NIC_rx_drop_ethertype},
                 {0x88cc, NIC_rx_drop_ethertype}, {0, NIC_rx_drop_ethertype}};
    struct frame frame;

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        frame_begin(&frame, cases[i].ethertype);
        frame_put_zeros(&frame, 46);
        ASSERT_DROP(&frame, cases[i].reason);
    }
}

static void frames_for_others_are_dropped(void)
{
    struct frame frame;

    tcp4(&frame, FRAME_ACK, 0);
    frame.bytes[5] ^= 1;
    ASSERT_DROP(&frame, NIC_rx_drop_not_ours);
    tcp4(&frame, FRAME_ACK, 0);
    frame.bytes[IP + 19] = 3;
    frame_fix_ip4_checksum(&frame);
    ASSERT_DROP(&frame, NIC_rx_drop_not_ours);
    udp4(&frame, 7, "10.77.0.3");
    ASSERT_DROP(&frame, NIC_rx_drop_not_ours);
}

static void unicast_in_a_group_frame_is_dropped(void)
{
    struct frame frame;

    tcp4(&frame, FRAME_SYN, 0);
    memset(frame.bytes, 0xff, 6);
    ASSERT_DROP(&frame, NIC_rx_drop_not_ours);
    udp4(&frame, 7, "10.77.0.2");
    memset(frame.bytes, 0xff, 6);
    ASSERT_DROP(&frame, NIC_rx_drop_not_ours);
    tcp4(&frame, FRAME_SYN, 0);
    memset(frame.bytes + IP + 16, 0xff, 4);
    frame_fix_ip4_checksum(&frame);
    ASSERT_DROP(&frame, NIC_rx_drop_not_ours);
}

static void impossible_sources_are_dropped(void)
{
    static const char *const sources[] = {"10.77.0.2", "10.77.0.255", "224.0.0.1", "255.255.255.255",
                                          "127.0.0.1", "0.0.0.0",     "0.1.2.3",   "240.0.0.1"};
    struct frame frame;

    for (unsigned i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        tcp4(&frame, FRAME_SYN, 0);
        set_source(&frame, sources[i]);
        ASSERT_DROP(&frame, NIC_rx_drop_spoofed);
    }
    tcp4(&frame, FRAME_SYN, 0);
    frame.bytes[6] |= 1; /* a group MAC cannot send */
    ASSERT_DROP(&frame, NIC_rx_drop_spoofed);
    tcp4(&frame, FRAME_SYN, 0);
    memcpy(frame.bytes + 6, frame_our_mac, 6);
    ASSERT_DROP(&frame, NIC_rx_drop_spoofed);
}

static void ip_headers_that_lie_are_dropped(void)
{
    struct frame frame;

    tcp4(&frame, FRAME_ACK, 0);
    frame.bytes[IP] = 0x55;
    ASSERT_DROP(&frame, NIC_rx_drop_ip_version);
    tcp4(&frame, FRAME_ACK, 0);
    frame.bytes[IP] = 0x44; /* header of 16 bytes */
    ASSERT_DROP(&frame, NIC_rx_drop_ip_header);
    tcp4(&frame, FRAME_ACK, 0);
    frame.bytes[IP] = 0x4f; /* header of 60 bytes in a packet of 40 */
    ASSERT_DROP(&frame, NIC_rx_drop_ip_header);
    tcp4(&frame, FRAME_ACK, 0);
    frame.bytes[IP + 3]++; /* one byte more than there is */
    ASSERT_DROP(&frame, NIC_rx_drop_ip_header);
    tcp4(&frame, FRAME_ACK, 0);
    frame.bytes[IP + 3] = 19; /* shorter than its own header */
    ASSERT_DROP(&frame, NIC_rx_drop_ip_header);
}

static void every_wrong_header_bit_fails_the_checksum(void)
{
    struct frame frame;

    /* Version and lengths are judged before; all other bits only by the checksum. */
    for (unsigned bit = 32; bit < 160; bit++) {
        tcp4(&frame, FRAME_ACK, 8);
        frame.bytes[IP + bit / 8] ^= (uint8_t)(1u << bit % 8);
        ASSERT_DROP(&frame, NIC_rx_drop_ip_checksum);
    }
}

/* A TCP frame whose IPv4 header has these four option bytes. */
static void tcp4_with_ip_options(struct frame *frame, const uint8_t options[4])
{
    frame_begin(frame, 0x0800);
    frame_put_ip4(frame, 6);
    frame->bytes[IP] = 0x46;
    frame_put(frame, options, 4);
    frame_put_tcp(frame, FRAME_ACK, NULL, 0);
    frame_finish(frame);
}

static void ip_options_are_walked(void)
{
    static const uint8_t good[][4] = {{1, 1, 1, 0}, {0, 9, 9, 9}, {148, 4, 0, 0}, {1, 7, 3, 4}};
    static const uint8_t bad[][4] = {{7, 5, 0, 0},   {7, 0, 0, 0},   {7, 1, 0, 0},
                                     {1, 1, 1, 148}, {131, 4, 4, 0}, {137, 3, 4, 0}};
    struct frame frame;

    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        tcp4_with_ip_options(&frame, good[i]);
        ASSERT_TO(&frame, CLASSIFY_WORKER);
        CU_ASSERT_EQUAL(classify_whole(&frame).transport_off, 38);
    }
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tcp4_with_ip_options(&frame, bad[i]);
        ASSERT_DROP(&frame, NIC_rx_drop_ip_options);
    }
}

static void other_transports_are_dropped(void)
{
    static const uint8_t protocols[] = {0, 4, 41, 47, 50, 58, 89, 132, 255};
    struct frame frame;

    for (unsigned i = 0; i < sizeof(protocols); i++) {
        frame_begin(&frame, 0x0800);
        frame_put_ip4(&frame, protocols[i]);
        frame_put_zeros(&frame, 40);
        frame_finish(&frame);
        ASSERT_DROP(&frame, NIC_rx_drop_protocol);
    }
}

static void tcp_headers_that_lie_are_dropped(void)
{
    struct frame frame;

    tcp4(&frame, FRAME_ACK, 0);
    frame.bytes[frame.transport_off + 12] = 4 << 4;
    ASSERT_DROP(&frame, NIC_rx_drop_tcp_header);
    frame.bytes[frame.transport_off + 12] = 6 << 4;
    ASSERT_DROP(&frame, NIC_rx_drop_tcp_header);
    frame_begin(&frame, 0x0800);
    frame_put_ip4(&frame, 6);
    frame_put_zeros(&frame, 19);
    frame_finish(&frame);
    ASSERT_DROP(&frame, NIC_rx_drop_tcp_header);
}

static void tcp_options_that_lie_are_dropped(void)
{
    static const uint8_t good[][4] = {{2, 4, 5, 0xb4}, {1, 1, 4, 2}, {0, 7, 0, 0}, {1, 3, 3, 7}};
    static const uint8_t bad[][4] = {{2, 5, 5, 0xb4}, {2, 0, 5, 0xb4}, {2, 1, 5, 0xb4},
                                     {1, 1, 1, 2},    {1, 1, 8, 10},   {253, 255, 0, 0}};
    struct frame frame;

    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        frame_begin(&frame, 0x0800);
        frame_put_ip4(&frame, 6);
        frame_put_tcp(&frame, FRAME_SYN, good[i], 4);
        frame_finish(&frame);
        ASSERT_TO(&frame, CLASSIFY_WORKER);
    }
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        frame_begin(&frame, 0x0800);
        frame_put_ip4(&frame, 6);
        frame_put_tcp(&frame, FRAME_SYN, bad[i], 4);
        frame_put_zeros(&frame, 40); /* payload must not stand in for the option's missing bytes */
        frame_finish(&frame);
        ASSERT_DROP(&frame, NIC_rx_drop_tcp_option_malformed);
    }
}

static void udp_lengths_that_lie_are_dropped(void)
{
    struct frame frame;

    udp4(&frame, 7, "10.77.0.2");
    frame.bytes[frame.transport_off + 5] = 7;
    ASSERT_DROP(&frame, NIC_rx_drop_udp_header);
    frame.bytes[frame.transport_off + 5] = 14;
    ASSERT_DROP(&frame, NIC_rx_drop_udp_header);
    frame.bytes[frame.transport_off + 5] = 12; /* shorter than the packet is allowed */
    ASSERT_TO(&frame, CLASSIFY_WORKER);
}

static void only_tcp_may_be_a_super_frame(void)
{
    struct classify_frame super = {.len_bytes = 14 + 65535, .is_gso = true};
    struct classify_verdict verdict;
    struct frame frame;

    tcp4(&frame, FRAME_ACK, 1000);
    memset(frame.bytes + IP + 2, 0xff, 2);
    frame_fix_ip4_checksum(&frame);
    super.head = frame.bytes;
    super.head_len = frame.len_bytes;
    classify_frame(&setup_context, &super, &verdict);
    CU_ASSERT_EQUAL(verdict.to, CLASSIFY_WORKER);
    CU_ASSERT_EQUAL(verdict.frame_len, 14 + 65535);
    udp4(&frame, 7, "10.77.0.2");
    CU_ASSERT_EQUAL(classify_head(&frame, frame.len_bytes, true).drop, NIC_rx_drop_gso);
}

static void truncated_at_each_byte_is_dropped(void)
{
    static const uint8_t options[12] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};
    struct frame frame;
    uint32_t whole;

    frame_begin(&frame, 0x0800);
    frame_put_ip4(&frame, 6);
    frame_put_tcp(&frame, FRAME_ACK, options, sizeof(options));
    frame_put_zeros(&frame, 64);
    frame_finish(&frame);
    whole = frame.len_bytes;
    for (frame.len_bytes = 0; frame.len_bytes < whole; frame.len_bytes++) {
        enum nic_counter reason = frame.len_bytes < 34 ? NIC_rx_drop_runt : NIC_rx_drop_ip_header;

        ASSERT_DROP(&frame, reason);
    }
}

static void a_head_cut_at_each_byte_is_never_read_past(void)
{
    struct frame frame;

    tcp4(&frame, FRAME_ACK, 64);
    for (uint32_t head_len = 0; head_len < frame.len_bytes; head_len++) {
        enum classify_to to = head_len < 54 ? CLASSIFY_DROP : CLASSIFY_WORKER;

        CU_ASSERT_EQUAL(classify_head(&frame, head_len, false).to, to);
    }
}

const struct unit_test unit_tests[] = {
    {"TCP goes to the worker of its flow", tcp_goes_to_the_worker_of_its_flow},
    {"only a SYN without ACK is a new connection", only_a_syn_without_ack_is_a_new_connection},
    {"UDP goes to the worker of its flow", udp_goes_to_the_worker_of_its_flow},
    {"padding of short frames is cut off", padding_of_short_frames_is_cut_off},
    {"what the host stack speaks goes to it", what_the_host_stack_speaks_goes_to_it},
    {"fragments go to the host stack", fragments_go_to_the_host_stack},
    {"other ethertypes are dropped by name", other_ethertypes_are_dropped_by_name},
    {"frames for others are dropped", frames_for_others_are_dropped},
    {"unicast in a group frame is dropped", unicast_in_a_group_frame_is_dropped},
    {"impossible sources are dropped", impossible_sources_are_dropped},
    {"IP headers that lie are dropped", ip_headers_that_lie_are_dropped},
    {"every wrong header bit fails the checksum", every_wrong_header_bit_fails_the_checksum},
    {"IP options are walked", ip_options_are_walked},
    {"other transports are dropped", other_transports_are_dropped},
    {"TCP headers that lie are dropped", tcp_headers_that_lie_are_dropped},
    {"TCP options that lie are dropped", tcp_options_that_lie_are_dropped},
    {"UDP lengths that lie are dropped", udp_lengths_that_lie_are_dropped},
    {"only TCP may be a super frame", only_tcp_may_be_a_super_frame},
    {"truncated at each byte is dropped", truncated_at_each_byte_is_dropped},
    {"a head cut at each byte is never read past", a_head_cut_at_each_byte_is_never_read_past},
    {NULL, NULL},
};
