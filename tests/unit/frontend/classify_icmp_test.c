/* SPDX-License-Identifier: BSD-3-Clause */
/* classify_icmp_test.c — ICMP errors go to the worker of the flow they quote; the rest to the host stack. */
#include "tests/unit/frontend/classify_setup.h"

const char unit_suite_name[] = "classifier, ICMP";

#define IP 14u
#define REMOTE_PORT 443u
#define LOCAL_PORT 50000u

/* A packet of ours as an error quotes it: IPv4 from us to 192.0.2.1, 4 bytes of options, ports. */
static size_t quote4(uint8_t *quote, uint8_t protocol, size_t n_transport)
{
    static const uint8_t header[24] = {0x46, 0,  2, 0, 0,   0, 0x40, 0, 63, 0, 0, 0,
                                       10,   77, 0, 2, 192, 0, 2,    1, 1,  1, 1, 0};
    static const uint8_t transport[8] = {
        LOCAL_PORT >> 8, LOCAL_PORT & 0xff, REMOTE_PORT >> 8, REMOTE_PORT & 0xff, 1, 2, 3, 4};

    memcpy(quote, header, sizeof(header));
    quote[9] = protocol;
    memcpy(quote + sizeof(header), transport, n_transport);
    return sizeof(header) + n_transport;
}

/* IPv6 from us to 2001:db8::1 with a destination options header, and a fragment header if asked. */
static size_t quote6(uint8_t *quote, uint8_t protocol, int fragment_off)
{
    static const uint8_t transport[8] = {
        LOCAL_PORT >> 8, LOCAL_PORT & 0xff, REMOTE_PORT >> 8, REMOTE_PORT & 0xff, 1, 2, 3, 4};
    uint8_t header[40] = {0x60, 0, 0, 0, 5, 0, 60, 63};
    uint8_t options[8] = {protocol, 0, 1, 4};
    uint8_t fragment[8] = {protocol, 0, (uint8_t)(fragment_off >> 8), (uint8_t)(fragment_off | 1), 0, 0,
                           0,        9};
    size_t len = 48;

    memcpy(header + 8, frame_our_ip6, 16);
    inet_pton(AF_INET6, "2001:db8::1", header + 24);
    if (fragment_off >= 0)
        options[0] = 44;
    memcpy(quote, header, 40);
    memcpy(quote + 40, options, 8);
    if (fragment_off >= 0) {
        memcpy(quote + len, fragment, 8);
        len += 8;
    }
    memcpy(quote + len, transport, 8);
    return len + 8;
}

static void icmp(struct frame *frame, uint8_t family, uint8_t type, const void *rest, size_t n_bytes)
{
    frame_begin(frame, family == 4 ? 0x0800 : 0x86dd);
    if (family == 4)
        frame_put_ip4(frame, 1);
    else
        frame_put_ip6(frame, 58);
    frame_put_icmp(frame, family == 4 ? 1 : 58, type, 0);
    frame_put(frame, rest, n_bytes);
    frame_finish(frame);
}

static void assert_quoted_flow(const struct classify_verdict *verdict, uint8_t family, uint8_t protocol)
{
    uint8_t remote[16] = {0};

    inet_pton(family == 4 ? AF_INET : AF_INET6, family == 4 ? "192.0.2.1" : "2001:db8::1", remote);
    CU_ASSERT_EQUAL(verdict->to, CLASSIFY_ICMP_ERROR);
    CU_ASSERT_EQUAL(verdict->key.family, family);
    CU_ASSERT_EQUAL(verdict->key.protocol, protocol);
    CU_ASSERT_EQUAL(memcmp(verdict->key.remote, remote, 16), 0);
    CU_ASSERT_EQUAL(
        memcmp(verdict->key.local, family == 4 ? frame_our_ip4 : frame_our_ip6, family == 4 ? 4 : 16), 0);
    CU_ASSERT_EQUAL(verdict->key.remote_port_be, htons(REMOTE_PORT));
    CU_ASSERT_EQUAL(verdict->key.local_port_be, htons(LOCAL_PORT));
    CU_ASSERT_EQUAL(verdict->hash, flow_key_hash(&verdict->key, &setup_seed));
}

static void errors_go_to_the_worker_of_the_quoted_flow(void)
{
    static const uint8_t types4[] = {3, 11, 12}, types6[] = {1, 2, 3, 4}, protocols[] = {6, 17};
    struct classify_verdict verdict;
    struct frame frame;
    uint8_t quote[128];

    for (unsigned p = 0; p < 2; p++) {
        for (unsigned i = 0; i < sizeof(types4); i++) {
            icmp(&frame, 4, types4[i], quote, quote4(quote, protocols[p], 8));
            verdict = classify_whole(&frame);
            assert_quoted_flow(&verdict, 4, protocols[p]);
            CU_ASSERT_EQUAL(verdict.transport_off, 34);
        }
        for (unsigned i = 0; i < sizeof(types6); i++) {
            icmp(&frame, 6, types6[i], quote, quote6(quote, protocols[p], -1));
            verdict = classify_whole(&frame);
            assert_quoted_flow(&verdict, 6, protocols[p]);
            CU_ASSERT_EQUAL(verdict.transport_off, 54);
        }
    }
}

static void an_error_finds_the_worker_that_the_answer_would(void)
{
    struct classify_verdict error, answer;
    struct frame frame;
    uint8_t quote[128];

    icmp(&frame, 4, 3, quote, quote4(quote, 6, 8));
    error = classify_whole(&frame);
    frame_begin(&frame, 0x0800);
    frame_put_ip4(&frame, 6);
    memcpy(frame.bytes + IP + 12, "\xc0\0\x02\x01", 4);
    frame_put_tcp(&frame, FRAME_ACK, NULL, 0);
    memcpy(frame.bytes + frame.transport_off, &error.key.remote_port_be, 2);
    memcpy(frame.bytes + frame.transport_off + 2, &error.key.local_port_be, 2);
    frame_finish(&frame);
    answer = classify_whole(&frame);
    CU_ASSERT(flow_key_equal(&error.key, &answer.key));
    CU_ASSERT_EQUAL(error.hash, answer.hash);
}

static void the_first_fragment_has_the_ports_the_others_not(void)
{
    struct classify_verdict verdict;
    struct frame frame;
    uint8_t quote[128];

    icmp(&frame, 6, 2, quote, quote6(quote, 17, 0));
    verdict = classify_whole(&frame);
    assert_quoted_flow(&verdict, 6, 17);
    icmp(&frame, 6, 2, quote, quote6(quote, 17, 8));
    ASSERT_DROP(&frame, NIC_rx_drop_icmp);
    quote4(quote, 17, 8);
    quote[7] = 1;
    icmp(&frame, 4, 3, quote, 32);
    ASSERT_DROP(&frame, NIC_rx_drop_icmp);
}

static void errors_about_the_host_stacks_own_packets_go_to_it(void)
{
    struct frame frame;
    uint8_t quote[128];

    icmp(&frame, 4, 3, quote, quote4(quote, 1, 8));
    ASSERT_TO(&frame, CLASSIFY_HOST);
    icmp(&frame, 6, 1, quote, quote6(quote, 58, -1));
    ASSERT_TO(&frame, CLASSIFY_HOST);
}

static void quotes_that_are_not_ours_are_dropped(void)
{
    struct frame frame;
    uint8_t quote[128];

    quote4(quote, 6, 8);
    quote[15] = 9; /* not sent from the address the error came to */
    icmp(&frame, 4, 3, quote, 32);
    ASSERT_DROP(&frame, NIC_rx_drop_icmp);
    quote6(quote, 6, -1);
    quote[23] = 9;
    icmp(&frame, 6, 1, quote, 56);
    ASSERT_DROP(&frame, NIC_rx_drop_icmp);
    icmp(&frame, 4, 3, quote, quote4(quote, 47, 8));
    ASSERT_DROP(&frame, NIC_rx_drop_icmp);
    quote4(quote, 6, 8);
    quote[0] = 0x66; /* another version */
    icmp(&frame, 4, 3, quote, 32);
    ASSERT_DROP(&frame, NIC_rx_drop_icmp);
    quote6(quote, 6, -1);
    quote[0] = 0x46;
    icmp(&frame, 6, 1, quote, 56);
    ASSERT_DROP(&frame, NIC_rx_drop_icmp);
}

static void quotes_truncated_at_each_byte_are_dropped(void)
{
    struct frame frame;
    uint8_t quote[128];

    quote4(quote, 6, 8);
    for (size_t len = 0; len < 32; len++) {
        icmp(&frame, 4, 3, quote, len);
        ASSERT_DROP(&frame, NIC_rx_drop_icmp);
    }
    quote6(quote, 6, 0);
    for (size_t len = 0; len < 64; len++) {
        icmp(&frame, 6, 1, quote, len);
        ASSERT_DROP(&frame, NIC_rx_drop_icmp);
    }
}

static void errors_with_a_wrong_checksum_are_dropped(void)
{
    struct frame frame;
    uint8_t quote[128];

    icmp(&frame, 4, 3, quote, quote4(quote, 6, 8));
    frame.bytes[frame.len_bytes - 1] ^= 1;
    ASSERT_DROP(&frame, NIC_rx_drop_icmp);
    icmp(&frame, 6, 2, quote, quote6(quote, 6, -1));
    frame.bytes[IP + 40 + 7] ^= 1; /* the MTU of a Packet Too Big */
    ASSERT_DROP(&frame, NIC_rx_drop_icmp);
}

static void errors_to_a_group_are_dropped(void)
{
    struct frame frame;
    uint8_t quote[128];

    icmp(&frame, 4, 3, quote, quote4(quote, 6, 8));
    memcpy(frame.bytes + IP + 16, "\xe0\0\0\1", 4);
    frame_fix_ip4_checksum(&frame);
    ASSERT_DROP(&frame, NIC_rx_drop_icmp);
}

static void queries_go_to_the_host_stack(void)
{
    static const uint8_t types4[] = {0, 5, 8, 9, 13},
                         types6[] = {128, 129, 130, 133, 134, 135, 136, 137, 143};
    struct frame frame;

    for (unsigned i = 0; i < sizeof(types4); i++) {
        icmp(&frame, 4, types4[i], "12345678", 8);
        ASSERT_TO(&frame, CLASSIFY_HOST);
    }
    for (unsigned i = 0; i < sizeof(types6); i++) {
        icmp(&frame, 6, types6[i], "1234567890123456", 16);
        ASSERT_TO(&frame, CLASSIFY_HOST);
        memcpy(frame.bytes + IP + 24, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x77", 16); /* still tested */
        ASSERT_TO(&frame, CLASSIFY_HOST);
    }
}

static void only_probes_and_reports_come_from_unspecified(void)
{
    struct frame frame;

    for (unsigned type = 128; type < 256; type++) {
        bool may = type == 131 || type == 132 || type == 133 || type == 135 || type == 143;

        icmp(&frame, 6, (uint8_t)type, "1234567890123456", 16);
        memset(frame.bytes + IP + 8, 0, 16);
        if (may)
            ASSERT_TO(&frame, CLASSIFY_HOST);
        else
            ASSERT_DROP(&frame, NIC_rx_drop_spoofed);
    }
}

static void unknown_errors_and_runts_are_dropped(void)
{
    struct frame frame;

    for (unsigned type = 5; type < 128; type++) {
        icmp(&frame, 6, (uint8_t)type, "12345678", 8);
        ASSERT_DROP(&frame, NIC_rx_drop_icmp);
    }
    for (unsigned n_missing = 1; n_missing <= 8; n_missing++) {
        icmp(&frame, 4, 8, NULL, 0);
        frame.len_bytes -= n_missing;
        frame.transport_off = 0;
        frame_finish(&frame);
        ASSERT_DROP(&frame, NIC_rx_drop_icmp);
    }
}

const struct unit_test unit_tests[] = {
    {"errors go to the worker of the quoted flow", errors_go_to_the_worker_of_the_quoted_flow},
    {"an error finds the worker that the answer would", an_error_finds_the_worker_that_the_answer_would},
    {"the first fragment has the ports, the others not", the_first_fragment_has_the_ports_the_others_not},
    {"errors about the host stack's own packets go to it", errors_about_the_host_stacks_own_packets_go_to_it},
    {"quotes that are not ours are dropped", quotes_that_are_not_ours_are_dropped},
    {"quotes truncated at each byte are dropped", quotes_truncated_at_each_byte_are_dropped},
    {"errors with a wrong checksum are dropped", errors_with_a_wrong_checksum_are_dropped},
    {"errors to a group are dropped", errors_to_a_group_are_dropped},
    {"queries go to the host stack", queries_go_to_the_host_stack},
    {"only probes and reports come from ::", only_probes_and_reports_come_from_unspecified},
    {"unknown errors and runts are dropped", unknown_errors_and_runts_are_dropped},
    {NULL, NULL},
};
