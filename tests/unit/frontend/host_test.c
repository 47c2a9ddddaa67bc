/* SPDX-License-Identifier: BSD-3-Clause */
/* host_test.c — what the host stack does for others on its link: answers, addresses, reassembled datagrams.
 */
#include <malloc.h>
#include <stdint.h>
#include <string.h>

#include "frontend/wire.h"
#include "tests/support/unit.h"
#include "tests/unit/frontend/host_setup.h"

const char unit_suite_name[] = "host";

#define IP4 WIRE_ETHERTYPE_IP4
#define IP6 WIRE_ETHERTYPE_IP6
#define ICMP4_OFF (WIRE_LINK_BYTES + WIRE_IP4_BYTES)
#define ICMP6_OFF (WIRE_LINK_BYTES + WIRE_IP6_BYTES)

static void begin(void)
{
    struct config config = setup_config();

    setup_begin(&config);
}

static bool has_address(uint8_t family, const uint8_t *bytes, uint8_t prefix_bits)
{
    const struct host_addresses *list = host_addresses(setup.host);

    for (uint32_t i = 0; i < list->n_addresses; i++) {
        if (list->addresses[i].family == family && list->addresses[i].prefix_bits == prefix_bits &&
            memcmp(list->addresses[i].bytes, bytes, family == 4 ? 4 : 16) == 0)
            return true;
    }
    return false;
}

static void test_static_addresses(void)
{
    begin();
    CU_ASSERT_EQUAL(host_addresses(setup.host)->n_addresses, 4);
    CU_ASSERT(has_address(4, our4, 24));
    CU_ASSERT(has_address(4, our4_alias, 16));
    CU_ASSERT(has_address(6, our6, 64));
    CU_ASSERT(has_address(6, our_link6, 64));
    CU_ASSERT_EQUAL(host_addresses(setup.host)->mtu_bytes, 1500);
    CU_ASSERT(setup.n_changes >= 1); /* the IPv6 ones came when nobody claimed them */
    CU_ASSERT_EQUAL(memcmp(&setup.addresses, host_addresses(setup.host), sizeof(setup.addresses)), 0);
    setup_end();
}

static void test_silent_before_first_tick(void)
{
    struct config config = setup_config();
    static const struct host_callbacks none = {NULL, NULL, NULL};
    struct host *host = host_new(&config, our_mac, &none, NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(host); /* a callback would have crashed */
    CU_ASSERT_EQUAL(host_addresses(host)->n_addresses, 2);
    host_free(host);
}

static void test_arp_is_answered(void)
{
    const uint8_t *targets[2] = {our4, our4_alias};

    begin();
    for (unsigned i = 0; i < 2; i++) {
        struct packet arp = setup_arp(1, peer_mac, peer4, targets[i]);
        const uint8_t *reply;

        setup_forget_frames();
        setup_input(&arp);
        reply = setup_sent(WIRE_ETHERTYPE_ARP, 21, 2);
        CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
        CU_ASSERT_EQUAL(memcmp(reply, peer_mac, 6), 0);
        CU_ASSERT_EQUAL(memcmp(reply + 22, our_mac, 6), 0);
        CU_ASSERT_EQUAL(memcmp(reply + 28, targets[i], 4), 0);
    }
    setup_end();
}

static void test_solicitation_is_answered(void)
{
    struct packet solicit = setup_solicit(peer6, our6);
    const uint8_t *reply;

    begin();
    setup_input(&solicit);
    reply = setup_sent(IP6, ICMP6_OFF, 136);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
    CU_ASSERT_EQUAL(memcmp(reply + ICMP6_OFF + 8, our6, 16), 0);
    CU_ASSERT_EQUAL(memcmp(reply + ICMP6_OFF + 26, our_mac, 6), 0);
    setup_end();
}

static void test_ping(void)
{
    struct packet ping4 = setup_ping4(our4, 56);
    struct packet ping6 = setup_ping6(56);
    const uint8_t *reply;

    begin();
    setup_meet_peer();
    setup_input(&ping4);
    reply = setup_sent(IP4, ICMP4_OFF, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
    CU_ASSERT_EQUAL(memcmp(reply, peer_mac, 6), 0);
    CU_ASSERT_EQUAL(memcmp(reply + 26, our4, 4), 0);
    CU_ASSERT_EQUAL(wire_fold(wire_sum(0, reply + WIRE_LINK_BYTES, WIRE_IP4_BYTES)), 0);
    CU_ASSERT_EQUAL(wire_fold(wire_sum(0, reply + ICMP4_OFF, 64)), 0);
    CU_ASSERT_EQUAL(memcmp(reply + ICMP4_OFF + 4, ping4.bytes + ICMP4_OFF + 4, 60), 0);
    setup_input(&ping6);
    reply = setup_sent(IP6, ICMP6_OFF, 129);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
    CU_ASSERT_EQUAL(memcmp(reply + ICMP6_OFF + 4, ping6.bytes + ICMP6_OFF + 4, 60), 0);
    setup_end();
}

static void test_ping_in_two_buffers(void)
{
    struct packet ping = setup_ping4(our4, 1000);

    begin();
    setup_meet_peer();
    host_input(setup.host, ping.bytes, 400, ping.bytes + 400, ping.len - 400);
    CU_ASSERT_PTR_NOT_NULL(setup_sent(IP4, ICMP4_OFF, 0));
    setup_end();
}

static void test_identification_tells_nothing(void)
{
    struct packet ping = setup_ping4(our4, 8);
    uint32_t n_same = 0;

    begin();
    setup_meet_peer();
    for (unsigned i = 0; i < 4; i++) {
        setup_input(&ping);
        n_same += wire_get16(setup.frames[i] + WIRE_LINK_BYTES + WIRE_IP4_ID_OFF) == 0x4242;
    }
    CU_ASSERT(n_same < 2); /* each is as random as 1 in 65536 */
    setup_end();
}

/* Adds up the fragments that were sent; returns the payload bytes, 0 when one is missing or too long. */
static uint32_t sent_payload(uint16_t ethertype, uint8_t *bytes)
{
    uint32_t len = 0;

    for (uint32_t i = 0; i < setup.n_frames; i++) {
        const uint8_t *ip = setup.frames[i] + WIRE_LINK_BYTES;
        uint32_t header_len = ethertype == IP4 ? WIRE_IP4_BYTES : WIRE_IP6_BYTES + WIRE_IP6_FRAGMENT_BYTES;
        uint32_t off = ethertype == IP4 ? (wire_get16(ip + 6) & WIRE_IP4_OFFSET_MASK) * 8u
                                        : (wire_get16(ip + 42) & 0xfff8u);

        if (wire_get16(setup.frames[i] + WIRE_ETHERTYPE_OFF) != ethertype)
            continue;
        if (off != len)
            return 0;
        memcpy(bytes + len, ip + header_len, setup.frame_len[i] - WIRE_LINK_BYTES - header_len);
        len += setup.frame_len[i] - WIRE_LINK_BYTES - header_len;
    }
    return len;
}

static void test_large_pings(void)
{
    static const uint32_t lengths[] = {1473, 8000, 64970, 65000, 65507};
    static uint8_t reply[66000];

    begin();
    setup_meet_peer();
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct packet ping4 = setup_ping4(our4, lengths[i]);
        struct packet ping6 = setup_ping6(lengths[i] - 100);

        setup_forget_frames();
        CU_ASSERT(setup_input_cut(&ping4, WIRE_IP4_BYTES, 1500) > 1);
        CU_ASSERT_EQUAL(sent_payload(IP4, reply), lengths[i] + 8);
        CU_ASSERT_EQUAL(memcmp(reply + 8, ping4.bytes + ICMP4_OFF + 8, lengths[i]), 0);
        setup_forget_frames();
        CU_ASSERT(setup_input_cut(&ping6, WIRE_IP6_BYTES, 1300) > 1);
        if (lengths[i] == 1473) /* the answer fits */
            CU_ASSERT_PTR_NOT_NULL(setup_sent(IP6, ICMP6_OFF, 129));
        if (lengths[i] > 1600) {
            CU_ASSERT_EQUAL(sent_payload(IP6, reply), lengths[i] - 100 + 8);
        }
    }
    CU_ASSERT_EQUAL(setup.n_reassembled, 0); /* pings are not the classifier's */
    setup_end();
}

/* A UDP or TCP packet to us of `len` transport bytes. */
static struct packet transport(uint16_t ethertype, uint8_t protocol, uint32_t len)
{
    static uint8_t data[4000];
    struct packet packet;
    uint32_t ip_off;

    packets_fill(data, sizeof(data), 3);
    wire_put16(data, 5000); /* ports */
    wire_put16(data + 2, 7);
    wire_put16(data + 4, len);
    packets_link(&packet, our_mac, peer_mac, ethertype);
    if (ethertype == IP4)
        ip_off = packets_ip4(&packet, &(struct packets_ip){peer4, our4, protocol, 64, 9, 0});
    else
        ip_off = packets_ip6(&packet, &(struct packets_ip){peer6, our6, protocol, 64, 0, 0});
    packets_add(&packet, data, len);
    if (ethertype == IP4)
        packets_finish4(&packet, ip_off);
    else
        packets_finish6(&packet, ip_off);
    return packet;
}

static void test_datagrams_are_handed_out_whole(void)
{
    static const uint8_t protocols[2] = {6, 17};

    begin();
    setup_meet_peer();
    for (unsigned i = 0; i < 2; i++) {
        struct packet whole4 = transport(IP4, protocols[i], 3000);
        struct packet whole6 = transport(IP6, protocols[i], 3000);

        CU_ASSERT_EQUAL(setup_input_cut(&whole4, WIRE_IP4_BYTES, 1500), 3);
        CU_ASSERT_EQUAL(setup.reassembled_len, 3020);
        CU_ASSERT_EQUAL(memcmp(setup.reassembled + 20, whole4.bytes + ICMP4_OFF, 3000), 0);
        CU_ASSERT_EQUAL(setup_input_cut(&whole6, WIRE_IP6_BYTES, 1500), 3);
        CU_ASSERT_EQUAL(setup.reassembled_len, 3040);
        CU_ASSERT_EQUAL(memcmp(setup.reassembled, whole6.bytes + WIRE_LINK_BYTES, 3040), 0);
    }
    CU_ASSERT_EQUAL(setup.n_reassembled, 4);
    CU_ASSERT_EQUAL(setup_count(NIC_rx_reassembled), 4);
    CU_ASSERT_EQUAL(setup.n_frames, 0);
    setup_end();
}

static void test_icmp_errors_are_handed_out_whole(void)
{
    struct packet error4 = setup_ping4(our4, 1480);
    struct packet error6 = setup_ping6(1240);

    error4.bytes[ICMP4_OFF] = 3;
    packets_checksum4(&error4, ICMP4_OFF, ICMP4_OFF + 2);
    error6.bytes[ICMP6_OFF] = 2;
    packets_checksum6(&error6, WIRE_LINK_BYTES, ICMP6_OFF, ICMP6_OFF + 2);
    begin();
    CU_ASSERT_EQUAL(setup_input_cut(&error4, WIRE_IP4_BYTES, 1300), 2);
    CU_ASSERT_EQUAL(setup.reassembled_len, error4.len - WIRE_LINK_BYTES);
    CU_ASSERT_EQUAL(setup_input_cut(&error6, WIRE_IP6_BYTES, 1280), 2);
    CU_ASSERT_EQUAL(setup.reassembled_len, error6.len - WIRE_LINK_BYTES);
    CU_ASSERT_EQUAL(setup.n_reassembled, 2);
    setup_end();
}

static void test_no_unreachable_for_workers_ports(void)
{
    static const uint16_t types[2] = {IP4, IP6};

    begin();
    setup_meet_peer();
    for (unsigned i = 0; i < 2; i++) {
        struct packet udp = transport(types[i], 17, 40);
        struct packet tcp = transport(types[i], 6, 40);
        struct packet sctp = transport(types[i], 132, 40);

        setup_input(&udp);
        setup_input(&tcp);
        setup_input(&sctp);
    }
    CU_ASSERT_EQUAL(setup.n_frames, 0);
    CU_ASSERT_EQUAL(setup_count(NIC_rx_drop_host), 4);
    CU_ASSERT_EQUAL(setup_count(NIC_rx_drop_protocol), 2);
    setup_end();
}

static void test_expiry_is_told(void)
{
    struct packet whole4 = transport(IP4, 17, 1400);
    struct packet whole6 = transport(IP6, 17, 1400);
    struct packet piece6 = {0};
    const uint8_t *error;

    begin();
    setup_meet_peer();
    wire_put16(whole4.bytes + WIRE_LINK_BYTES + WIRE_IP4_FRAGMENT_OFF, WIRE_IP4_MF);
    wire_ip4_set_checksum(whole4.bytes + WIRE_LINK_BYTES, WIRE_IP4_BYTES);
    setup_input(&whole4);
    packets_add(&piece6, whole6.bytes, ICMP6_OFF);
    packets_fragment6(&piece6, 17, 0, 1, 1);
    packets_add(&piece6, whole6.bytes + ICMP6_OFF, 1400);
    packets_finish6(&piece6, WIRE_LINK_BYTES);
    piece6.bytes[WIRE_LINK_BYTES + WIRE_IP6_NEXT_OFF] = 44;
    setup_input(&piece6);
    setup_run_ms(29000);
    CU_ASSERT_PTR_NULL(setup_sent(IP4, ICMP4_OFF, 11));
    setup_run_ms(2500);
    error = setup_sent(IP4, ICMP4_OFF, 11);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error[ICMP4_OFF + 1], 1); /* fragment reassembly time exceeded */
    CU_ASSERT_EQUAL(memcmp(error + ICMP4_OFF + 8, whole4.bytes + WIRE_LINK_BYTES, 20), 0);
    CU_ASSERT_PTR_NULL(setup_sent(IP6, ICMP6_OFF, 3));
    setup_run_ms(27000);
    setup_meet_peer(); /* it had been silent for so long that it counted as gone */
    setup_run_ms(3000);
    CU_ASSERT_PTR_NOT_NULL(setup_sent(IP6, ICMP6_OFF, 3));
    setup_end();
}

/* A router advertisement with MTU 1400 and prefix 2001:db8:7::/64. */
static struct packet router_advert(const uint8_t source[16])
{
    static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
    uint8_t message[64] = {134,         [4] = 64,    [7] = 100,   [16] = 1,    [17] = 1,    [24] = 5,
                           [25] = 1,    [32] = 3,    [33] = 4,    [34] = 64,   [35] = 0xc0, [38] = 0x70,
                           [42] = 0x70, [48] = 0x20, [49] = 0x01, [50] = 0x0d, [51] = 0xb8, [53] = 7};

    memcpy(message + 18, peer_mac, 6);
    wire_put32(message + 28, 1400);
    return setup_icmp6(source, all_nodes, 255, message, sizeof(message));
}

static const uint8_t slaac6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 7, 0, 0, 0, 0x4d, 0x50, 0xff, 0xfe, 0x41, 0, 1};

static void test_router_advertisement(void)
{
    struct packet advert = router_advert(peer_link6);
    static const uint8_t far6[16] = {0x20, 0x01, 0x48, 0x60, [15] = 8};
    uint32_t epoch;
    uint8_t mac[6];

    begin();
    CU_ASSERT_EQUAL(host_next_hop(setup.host, 6, far6, mac), HOST_HOP_NONE);
    epoch = host_epoch(setup.host);
    setup_input(&advert);
    CU_ASSERT_EQUAL(setup.addresses.mtu_bytes, 1400);
    CU_ASSERT_NOT_EQUAL(host_epoch(setup.host), epoch);
    setup_run_ms(3000);
    CU_ASSERT(has_address(6, slaac6, 64));
    CU_ASSERT_EQUAL(host_next_hop(setup.host, 6, far6, mac), HOST_HOP_FOUND);
    CU_ASSERT_EQUAL(memcmp(mac, peer_mac, 6), 0);
    setup_end();
}

static void test_slaac_off(void)
{
    struct config config = setup_config();
    struct packet advert = router_advert(peer_link6);

    config.host.slaac = false;
    setup_begin(&config);
    setup_input(&advert);
    setup_run_ms(3000);
    CU_ASSERT_FALSE(has_address(6, slaac6, 64));
    CU_ASSERT_EQUAL(host_addresses(setup.host)->mtu_bytes, 1500);
    CU_ASSERT_EQUAL(setup_count(NIC_rx_drop_host), 1);
    CU_ASSERT_PTR_NULL(setup_sent(IP6, ICMP6_OFF, 133));
    setup_end();
}

static void test_duplicate_address_is_not_used(void)
{
    static const uint8_t group[16] = {0xff, 0x02, [15] = 1};
    uint8_t message[32] = {136, [4] = 0x20, [24] = 2, [25] = 1};
    struct config config = setup_config();
    struct packet claim;

    memcpy(message + 8, our6, 16);
    memcpy(message + 26, peer_mac, 6);
    claim = setup_icmp6(our6, group, 255, message, sizeof(message));
    setup_start(&config);
    setup_input(&claim); /* while the address is tentative */
    setup_run_ms(4000);
    CU_ASSERT_FALSE(has_address(6, our6, 64));
    CU_ASSERT(has_address(6, our_link6, 64));
    setup_end();
}

static void test_next_host_knows_nothing(void)
{
    uint8_t mac[6];

    begin();
    setup_meet_peer();
    CU_ASSERT_EQUAL(host_next_hop(setup.host, 4, peer4, mac), HOST_HOP_FOUND);
    setup_end();
    begin();
    CU_ASSERT_EQUAL(host_next_hop(setup.host, 4, peer4, mac), HOST_HOP_PENDING);
    CU_ASSERT_EQUAL(host_next_hop(setup.host, 6, peer6, mac), HOST_HOP_PENDING);
    setup_end();
}

static void test_held_addresses_are_ours_at_once(void)
{
    struct config config = setup_config();
    struct packet advert = router_advert(peer_link6);
    struct host_held held;

    setup_begin(&config);
    setup_input(&advert);
    setup_run_ms(3000);
    host_get_held(setup.host, &held);
    setup_end();
    setup_start_held(&config, &held);
    CU_ASSERT(has_address(4, our4, 24));
    CU_ASSERT(has_address(6, our6, 64));
    CU_ASSERT(has_address(6, our_link6, 64));
    CU_ASSERT(has_address(6, slaac6, 64)); /* no router has spoken yet */
    setup_end();
}

#define ADVERT_FLAGS_OFF (ICMP6_OFF + 4)
#define ADVERT_TARGET_OFF (ICMP6_OFF + 8)
#define ADVERT_OVERRIDE 0x20

/* A neighbour that asked a moment too early would ask again after a second. */
static void test_neighbours_are_told_of_held_addresses_at_once(void)
{
    struct config config = setup_config();
    struct host_held held;
    unsigned n_found = 0;

    setup_begin(&config);
    host_get_held(setup.host, &held);
    setup_end();
    setup_forget_frames();
    setup_start_held(&config, &held);
    for (uint32_t i = 0; i < setup.n_frames; i++) {
        const uint8_t *frame = setup.frames[i];
        bool is_advert =
            setup.frame_len[i] >= ADVERT_TARGET_OFF + 24 && frame[12] == 0x86 && frame[ICMP6_OFF] == 136;

        if (!is_advert || memcmp(frame + ADVERT_TARGET_OFF, our6, 16) != 0)
            continue;
        n_found++;
        CU_ASSERT_EQUAL(frame[ADVERT_FLAGS_OFF], ADVERT_OVERRIDE);
        CU_ASSERT_EQUAL(memcmp(frame + ADVERT_TARGET_OFF + 18, our_mac, 6), 0);
        CU_ASSERT_EQUAL(memcmp(frame, "\x33\x33\0\0\0\x01", 6), 0);
    }
    CU_ASSERT_EQUAL(n_found, 1);
    CU_ASSERT_PTR_NOT_NULL(setup_sent(0x0806, WIRE_LINK_BYTES + 17, our4[3])); /* IPv4: by ARP */
    setup_end();
}

/* A configuration that was changed meanwhile is the newer word. */
static void test_a_held_address_needs_its_configuration(void)
{
    struct config config = setup_config();
    struct host_held held;

    setup_begin(&config);
    host_get_held(setup.host, &held);
    setup_end();
    config.host.n_addresses = 1;
    config.host.slaac = false;
    setup_start_held(&config, &held);
    CU_ASSERT_FALSE(has_address(6, our6, 64));
    CU_ASSERT_FALSE(has_address(4, our4_alias, 16));
    setup_end();
}

#define UDP_OFF (WIRE_LINK_BYTES + WIRE_IP4_BYTES)
#define BOOTP_OFF (UDP_OFF + 8)
#define BOOTP_OPTIONS_OFF (BOOTP_OFF + 240)

static const uint8_t leased4[4] = {10, 99, 0, 5};
static const uint8_t server4[4] = {10, 99, 0, 1};

/* The server's answer to the last DHCP message that the host sent: 2 offer, 5 acknowledgement. */
static struct packet dhcp_answer(uint8_t kind)
{
    const uint8_t options[] = {53, 1, kind, 54,  4,   10, 99, 0, 1, 51, 4,  0, 0, 14,
                               16, 1, 4,    255, 255, 0,  0,  3, 4, 10, 99, 0, 1, 255};
    static const uint8_t cookie[4] = {0x63, 0x82, 0x53, 0x63};
    const uint8_t *request = NULL;
    uint8_t message[248 + sizeof(options)] = {0, 67, 0, 68, [8] = 2, 1, 6};
    struct packet packet;
    uint32_t ip_off;

    for (uint32_t i = 0; i < setup.n_frames; i++) {
        if (setup.frame_len[i] > BOOTP_OPTIONS_OFF && setup.frames[i][UDP_OFF + 3] == 67)
            request = setup.frames[i];
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(request);
    wire_put16(message + 4, sizeof(message));
    memcpy(message + 12, request + BOOTP_OFF + 4, 4); /* transaction */
    memcpy(message + 24, leased4, 4);
    memcpy(message + 36, our_mac, 6);
    memcpy(message + 244, cookie, 4);
    memcpy(message + 248, options, sizeof(options));
    packets_link(&packet, our_mac, peer_mac, IP4);
    ip_off = packets_ip4(&packet, &(struct packets_ip){server4, leased4, 17, 64, 1, 0});
    packets_add(&packet, message, sizeof(message));
    packets_finish4(&packet, ip_off);
    return packet;
}

/* Writes the UDP checksum: the whole one, or what a sender leaves for its NIC to complete. */
static void udp_checksum(struct packet *packet, bool is_partial)
{
    uint32_t len = packet->len - UDP_OFF;
    uint32_t sum = wire_sum(len + 17, packet->bytes + WIRE_LINK_BYTES + WIRE_IP4_SOURCE_OFF, 8);

    if (is_partial)
        wire_put16(packet->bytes + UDP_OFF + 6, 0xffffu ^ wire_fold(sum));
    else
        wire_put16(packet->bytes + UDP_OFF + 6, wire_fold(wire_sum(sum, packet->bytes + UDP_OFF, len)));
}

static void start_dhcp(void)
{
    struct config config = setup_config();

    config.host.dhcp = true;
    config.host.n_addresses = 0;
    setup_start(&config);
    setup_run_ms(3000);
}

static void test_dhcp_lease(void)
{
    static const uint8_t far4[4] = {198, 51, 100, 1};
    struct packet answer;
    uint8_t mac[6];

    start_dhcp();
    CU_ASSERT_FALSE(has_address(4, leased4, 16));
    answer = dhcp_answer(2);
    udp_checksum(&answer, false);
    setup_input(&answer);
    setup_run_ms(1000);
    answer = dhcp_answer(5);
    udp_checksum(&answer, true);
    setup_forget_frames();
    setup_input(&answer);
    CU_ASSERT(has_address(4, leased4, 16));
    CU_ASSERT_EQUAL(memcmp(&setup.addresses, host_addresses(setup.host), sizeof(setup.addresses)), 0);
    CU_ASSERT_PTR_NOT_NULL(setup_sent(WIRE_ETHERTYPE_ARP, 31, leased4[3])); /* announced */
    CU_ASSERT_EQUAL(host_next_hop(setup.host, 4, far4, mac), HOST_HOP_PENDING);
    CU_ASSERT_EQUAL(memcmp(setup.frames[setup.n_frames - 1] + 38, server4, 4),
                    0); /* its router is asked for */
    setup_end();
}

static void test_a_held_lease_is_used_until_dhcp_answers(void)
{
    static const uint8_t far4[4] = {198, 51, 100, 1};
    struct config config = setup_config();
    struct host_held held = {
        .addresses = {.n_addresses = 1, .addresses = {{.family = 4, .prefix_bits = 16}}}};
    uint8_t mac[6];

    memcpy(held.addresses.addresses[0].bytes, leased4, 4);
    memcpy(held.gateway4, server4, 4);
    config.host.dhcp = true;
    config.host.n_addresses = 0;
    setup_start_held(&config, &held);
    CU_ASSERT(has_address(4, leased4, 16));
    CU_ASSERT_EQUAL(host_next_hop(setup.host, 4, far4, mac), HOST_HOP_PENDING); /* its router is asked for */
    setup_end();
}

static void test_dhcp_checksum(void)
{
    struct packet answer;

    start_dhcp();
    answer = dhcp_answer(2);
    udp_checksum(&answer, false);
    answer.bytes[UDP_OFF + 6] ^= 1;
    setup_forget_frames();
    setup_input(&answer);
    CU_ASSERT_EQUAL(setup_count(NIC_rx_drop_udp_header), 1);
    CU_ASSERT_EQUAL(setup.n_frames, 0); /* the offer is not requested */
    setup_end();
}

static void test_dhcp_off(void)
{
    struct packet answer;

    start_dhcp();
    answer = dhcp_answer(2);
    setup_end();
    begin();
    setup_input(&answer);
    CU_ASSERT_EQUAL(setup_count(NIC_rx_drop_host), 1);
    CU_ASSERT_EQUAL(setup.n_frames, 0);
    setup_end();
}

static void test_no_allocation_after_start(void)
{
    struct packet ping4 = setup_ping4(our4, 9000);
    struct packet ping6 = setup_ping6(9000);
    struct packet udp = transport(IP4, 17, 3000);
    static const uint8_t nobody6[16] = {0xfd, 0x77, [15] = 99};
    uint8_t mac[6];
    size_t before;

    if (MPA_SANITIZER)
        return; /* mallinfo() knows nothing of a sanitizer's heap */
    begin();
    before = mallinfo2().uordblks;
    setup_meet_peer();
    for (unsigned i = 0; i < 20; i++) {
        setup_input_cut(&ping4, WIRE_IP4_BYTES, 1500);
        setup_input_cut(&ping6, WIRE_IP6_BYTES, 1500);
        setup_input_cut(&udp, WIRE_IP4_BYTES, 600);
        (void)host_next_hop(setup.host, 6, nobody6, mac);
        setup_run_ms(1000);
        CU_ASSERT_EQUAL(mallinfo2().uordblks, before);
    }
    setup_end();
}

const struct unit_test unit_tests[] = {
    {"static addresses of both families are held and told", test_static_addresses},
    {"what the frontend before held is ours at once", test_held_addresses_are_ours_at_once},
    {"neighbours are told of held addresses at once", test_neighbours_are_told_of_held_addresses_at_once},
    {"a held lease is used until DHCP answers", test_a_held_lease_is_used_until_dhcp_answers},
    {"a held address needs its configuration", test_a_held_address_needs_its_configuration},
    {"nothing is sent before the first tick", test_silent_before_first_tick},
    {"ARP for each of our addresses is answered", test_arp_is_answered},
    {"a neighbour solicitation is answered", test_solicitation_is_answered},
    {"pings are answered", test_ping},
    {"a frame in two buffers is one frame", test_ping_in_two_buffers},
    {"IP identifications of answers tell nothing", test_identification_tells_nothing},
    {"pings of up to 64 KiB are put together, answered and cut", test_large_pings},
    {"TCP and UDP in fragments are handed out whole", test_datagrams_are_handed_out_whole},
    {"ICMP errors in fragments are handed out whole", test_icmp_errors_are_handed_out_whole},
    {"no ICMP error for a port or protocol that is not the host's", test_no_unreachable_for_workers_ports},
    {"the sender of a datagram that expires is told", test_expiry_is_told},
    {"a router's prefix, MTU and route are taken", test_router_advertisement},
    {"without SLAAC routers are ignored", test_slaac_off},
    {"an address, its network and its router come by DHCP", test_dhcp_lease},
    {"DHCP with a wrong checksum is dropped", test_dhcp_checksum},
    {"without DHCP a server is ignored", test_dhcp_off},
    {"nothing is allocated after the start", test_no_allocation_after_start},
    {"an IPv6 address that somebody has already is not used", test_duplicate_address_is_not_used},
    {"a host made after another knows nothing of its neighbours", test_next_host_knows_nothing},
    {NULL, NULL},
};
