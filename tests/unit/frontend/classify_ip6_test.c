/* SPDX-License-Identifier: BSD-3-Clause */
/* classify_ip6_test.c — IPv6: addresses, extension headers, TCP and UDP behind them. */
#include "tests/unit/frontend/classify_setup.h"

const char unit_suite_name[] = "classifier, IPv6";

#define IP 14u

/* Extension headers put between IPv6 and TCP; `first` is their first protocol number. */
static void tcp6(struct frame *frame, uint8_t first, const void *extensions, size_t n_bytes)
{
    frame_begin(frame, 0x86dd);
    frame_put_ip6(frame, n_bytes == 0 ? 6 : first);
    frame_put(frame, extensions, n_bytes);
    frame_put_tcp(frame, FRAME_SYN, NULL, 0);
    frame_put_zeros(frame, 16);
    frame_finish(frame);
}

static void udp6(struct frame *frame, uint16_t port, const char *to)
{
    frame_begin(frame, 0x86dd);
    frame_put_ip6(frame, 17);
    frame_put_udp(frame, port);
    frame_put_zeros(frame, 3);
    inet_pton(AF_INET6, to, frame->bytes + IP + 24);
    frame_finish(frame);
}

static void tcp_and_udp_go_to_the_worker_of_their_flow(void)
{
    struct classify_verdict verdict;
    struct frame frame;

    tcp6(&frame, 0, NULL, 0);
    frame.bytes[IP] = 0x6b; /* DSCP 46 across two bytes */
    frame.bytes[IP + 1] = 0x80;
    verdict = classify_whole(&frame);
    CU_ASSERT_EQUAL(verdict.to, CLASSIFY_WORKER);
    CU_ASSERT_EQUAL(verdict.transport_off, 54);
    CU_ASSERT_EQUAL(verdict.dscp, 46);
    CU_ASSERT(verdict.is_syn);
    CU_ASSERT_EQUAL(verdict.key.family, 6);
    CU_ASSERT_EQUAL(memcmp(verdict.key.remote, frame_peer_ip6, 16), 0);
    CU_ASSERT_EQUAL(memcmp(verdict.key.local, frame_our_ip6, 16), 0);
    CU_ASSERT_EQUAL(verdict.hash, flow_key_hash(&verdict.key, &setup_seed));
    udp6(&frame, 7, "fd77::2");
    ASSERT_TO(&frame, CLASSIFY_WORKER);
}

static void host_traffic_goes_to_the_host_stack(void)
{
    struct frame frame;

    udp6(&frame, 546, "fd77::2");
    ASSERT_TO(&frame, CLASSIFY_HOST);
    udp6(&frame, 546, "fe80::77"); /* an address still tested */
    ASSERT_TO(&frame, CLASSIFY_HOST);
    udp6(&frame, 5353, "ff02::fb");
    memcpy(frame.bytes, "\x33\x33\0\0\0\xfb", 6);
    ASSERT_TO(&frame, CLASSIFY_HOST);
}

static void addresses_of_others_are_dropped(void)
{
    static const char *const others[] = {"fd77::3", "fe80::77", "ff01::1", "ff00::1", "::1", "::"};
    struct frame frame;

    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        udp6(&frame, 7, others[i]);
        ASSERT_DROP(&frame, NIC_rx_drop_not_ours);
    }
    tcp6(&frame, 0, NULL, 0);
    memcpy(frame.bytes, "\x33\x33\0\0\0\1", 6);
    ASSERT_DROP(&frame, NIC_rx_drop_not_ours);
}

static void impossible_sources_are_dropped(void)
{
    static const char *const sources[] = {"fd77::2", "fe80::2", "ff02::1", "::1", "::", "::ffff:10.0.0.1"};
    struct frame frame;

    for (unsigned i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        tcp6(&frame, 0, NULL, 0);
        inet_pton(AF_INET6, sources[i], frame.bytes + IP + 8);
        ASSERT_DROP(&frame, NIC_rx_drop_spoofed);
    }
}

static void headers_that_lie_are_dropped(void)
{
    struct frame frame;

    tcp6(&frame, 0, NULL, 0);
    frame.bytes[IP] = 0x40;
    ASSERT_DROP(&frame, NIC_rx_drop_ip_version);
    tcp6(&frame, 0, NULL, 0);
    frame.bytes[IP + 5]++;
    ASSERT_DROP(&frame, NIC_rx_drop_ip_header);
    udp6(&frame, 7, "fd77::2");
    memset(frame.bytes + frame.transport_off + 6, 0, 2); /* no checksum */
    ASSERT_DROP(&frame, NIC_rx_drop_udp_header);
    tcp6(&frame, 0, NULL, 0);
    frame.bytes[IP + 6] = 59; /* no next header */
    ASSERT_DROP(&frame, NIC_rx_drop_protocol);
}

static void packets_too_long_for_lwip_are_dropped(void)
{
    struct classify_frame super = {.len_bytes = 14 + 40 + 65535, .is_gso = true};
    struct classify_verdict verdict;
    struct frame frame;

    tcp6(&frame, 0, NULL, 0);
    super.head = frame.bytes;
    super.head_len = frame.len_bytes;
    memcpy(frame.bytes + IP + 4, "\xff\xd7", 2);
    classify_frame(&setup_context, &super, &verdict);
    CU_ASSERT_EQUAL(verdict.to, CLASSIFY_WORKER);
    CU_ASSERT_EQUAL(verdict.frame_len, 14 + 65535);
    memcpy(frame.bytes + IP + 4, "\xff\xd8", 2);
    classify_frame(&setup_context, &super, &verdict);
    CU_ASSERT_EQUAL(verdict.drop, NIC_rx_drop_ip_header);
}

static void extension_headers_are_passed_over(void)
{
    static const uint8_t chain[] = {60, 0, 5, 2,  0, 0, 1, 0, /* hop-by-hop: router alert, padding */
                                    43, 1, 1, 12, 0, 0, 0, 0,
                                    0,  0, 0, 0,  0, 0, 0, 0,  /* destination: one long padding */
                                    6,  0, 0, 0,  0, 0, 0, 0}; /* routing, no segments left */
    struct frame frame;

    tcp6(&frame, 0, chain, sizeof(chain));
    ASSERT_TO(&frame, CLASSIFY_WORKER);
    CU_ASSERT_EQUAL(classify_whole(&frame).transport_off, 54 + sizeof(chain));
}

static void extension_headers_that_lie_are_dropped(void)
{
    static const struct {
        uint8_t first;
        uint8_t bytes[16];
    } bad[] = {
        {0, {6, 30, 1, 4}},                /* longer than the packet */
        {0, {6, 0, 1, 5, 0, 0, 0, 0}},     /* option runs past its header */
        {0, {6, 0, 0, 0, 0, 0, 0, 1}},     /* option without its length */
        {0, {6, 0, 0xc2, 4, 0, 1, 0, 0}},  /* jumbogram: we do not understand it, so must drop */
        {60, {6, 0, 0x80, 4, 0, 0, 0, 0}}, /* an option we had to understand */
        {43, {6, 0, 0, 1, 0, 0, 0, 0}},    /* routing header with a segment left */
        {60, {0, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0}}, /* hop-by-hop not first */
    };
    struct frame frame;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tcp6(&frame, bad[i].first, bad[i].bytes, sizeof(bad[i].bytes));
        ASSERT_DROP(&frame, NIC_rx_drop_ip6_extension);
    }
}

static void more_header_than_a_worker_copies_is_dropped(void)
{
    /* 256 bytes = 40 IPv6, n destination headers of 8, 20 TCP: 24 headers fit, 25 do not. */
    uint8_t chain[27 * 8];
    struct frame frame;

    for (unsigned n = 23; n <= 27; n++) {
        for (unsigned i = 0; i < n; i++)
            memcpy(chain + i * 8, (const uint8_t[8]){i + 1 < n ? 60 : 6, 0, 1, 4}, 8);
        tcp6(&frame, 60, chain, n * 8);
        if (n <= 24)
            ASSERT_TO(&frame, CLASSIFY_WORKER);
        else
            ASSERT_DROP(&frame, NIC_rx_drop_ip6_extension);
    }
}

static void fragments_go_to_the_host_stack(void)
{
    static const uint8_t fragment[8] = {6, 0, 0, 1, 1, 2, 3, 4};
    struct frame frame;

    tcp6(&frame, 44, fragment, sizeof(fragment));
    ASSERT_TO(&frame, CLASSIFY_HOST);
    CU_ASSERT_EQUAL(classify_head(&frame, frame.len_bytes, true).drop, NIC_rx_drop_gso);
    frame.bytes[IP + 39] = 3;
    ASSERT_DROP(&frame, NIC_rx_drop_not_ours);
}

static void truncated_at_each_byte_is_dropped(void)
{
    static const uint8_t chain[] = {44, 0, 5, 2, 0, 0, 1, 0, 6, 0, 0, 1, 1, 2, 3, 4};
    struct frame frame;
    uint32_t whole;

    tcp6(&frame, 0, chain, sizeof(chain));
    whole = frame.len_bytes;
    for (frame.len_bytes = 14; frame.len_bytes < whole; frame.len_bytes++) {
        enum nic_counter reason = frame.len_bytes < 54 ? NIC_rx_drop_runt : NIC_rx_drop_ip_header;

        ASSERT_DROP(&frame, reason);
    }
    /* The same with a length that fits, so that the chain ends at each byte. */
    for (uint32_t len = 54; len < 54 + sizeof(chain); len++) {
        frame.len_bytes = len;
        frame.bytes[IP + 5] = (uint8_t)(len - 54);
        frame.bytes[IP + 4] = 0;
        ASSERT_DROP(&frame, NIC_rx_drop_ip6_extension);
    }
}

const struct unit_test unit_tests[] = {
    {"TCP and UDP go to the worker of their flow", tcp_and_udp_go_to_the_worker_of_their_flow},
    {"host traffic goes to the host stack", host_traffic_goes_to_the_host_stack},
    {"addresses of others are dropped", addresses_of_others_are_dropped},
    {"impossible sources are dropped", impossible_sources_are_dropped},
    {"headers that lie are dropped", headers_that_lie_are_dropped},
    {"packets too long for lwIP are dropped", packets_too_long_for_lwip_are_dropped},
    {"extension headers are passed over", extension_headers_are_passed_over},
    {"extension headers that lie are dropped", extension_headers_that_lie_are_dropped},
    {"more header than a worker copies is dropped", more_header_than_a_worker_copies_is_dropped},
    {"fragments go to the host stack", fragments_go_to_the_host_stack},
    {"truncated at each byte is dropped", truncated_at_each_byte_is_dropped},
    {NULL, NULL},
};
