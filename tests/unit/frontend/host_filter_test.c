/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_filter_test.c — a test per rule of host_filter.c: the frame is counted under its reason, nothing is
 * answered and no table learns from it.
 */
#include <stdint.h>
#include <string.h>

#include "frontend/wire.h"
#include "tests/support/unit.h"
#include "tests/unit/frontend/host_setup.h"

const char unit_suite_name[] = "host filter";

#define IP4 WIRE_ETHERTYPE_IP4
#define IP6 WIRE_ETHERTYPE_IP6
#define ICMP6_OFF (WIRE_LINK_BYTES + WIRE_IP6_BYTES)
#define ARP_OFF WIRE_LINK_BYTES

static const uint8_t any6[16] = {0};
static const uint8_t all_nodes6[16] = {0xff, 0x02, [15] = 1};
static const uint8_t solicited_node6[16] = {0xff, 0x02, [11] = 1, [12] = 0xff, [15] = 2};

static void begin(void)
{
    struct config config = setup_config();

    setup_begin(&config);
}

/* Feeds the frame: one more of `which`, nothing sent, the neighbour table as it was. */
static void check_drop(const struct packet *packet, enum nic_counter which)
{
    uint64_t before = setup_count(which);
    uint32_t epoch = host_epoch(setup.host);

    setup_forget_frames();
    setup_input(packet);
    CU_ASSERT_EQUAL(setup_count(which), before + 1);
    CU_ASSERT_EQUAL(setup.n_frames, 0);
    CU_ASSERT_EQUAL(host_epoch(setup.host), epoch);
}

static void test_arp_malformed(void)
{
    static const uint8_t spoiled_offs[] = {1, 2, 4, 5}; /* hardware, protocol, both lengths */
    struct packet packet;

    begin();
    for (unsigned i = 0; i < sizeof(spoiled_offs); i++) {
        packet = setup_arp(1, peer_mac, peer4, our4);
        packet.bytes[ARP_OFF + spoiled_offs[i]] ^= 1;
        check_drop(&packet, NIC_rx_drop_arp);
    }
    packet = setup_arp(3, peer_mac, peer4, our4); /* reverse ARP */
    check_drop(&packet, NIC_rx_drop_arp);
    packet = setup_arp(1, peer_mac, peer4, our4);
    for (packet.len = WIRE_LINK_BYTES; packet.len < WIRE_LINK_BYTES + 28; packet.len++)
        check_drop(&packet, NIC_rx_drop_arp);
    setup_end();
}

static void test_arp_claims_our_address(void)
{
    struct packet request = setup_arp(1, peer_mac, our4, our4);
    struct packet reply = setup_arp(2, peer_mac, our4_alias, our4);

    begin();
    check_drop(&request, NIC_rx_drop_arp);
    check_drop(&reply, NIC_rx_drop_arp);
    setup_end();
}

static void test_arp_sender_mac(void)
{
    static const uint8_t group[6] = {1, 0, 0x5e, 0, 0, 1};
    static const uint8_t zero[6] = {0};
    const uint8_t *macs[] = {all_macs, group, zero, our_mac};

    begin();
    for (unsigned i = 0; i < 4; i++) {
        struct packet packet = setup_arp(1, macs[i], peer4, our4);

        check_drop(&packet, NIC_rx_drop_arp);
    }
    setup_end();
}

static void test_arp_sender_address(void)
{
    static const uint8_t addresses[3][4] = {{224, 0, 0, 1}, {255, 255, 255, 255}, {127, 0, 0, 1}};

    begin();
    for (unsigned i = 0; i < 3; i++) {
        struct packet packet = setup_arp(1, peer_mac, addresses[i], our4);

        check_drop(&packet, NIC_rx_drop_arp);
    }
    setup_end();
}

static void test_nd_hop_limit_and_code(void)
{
    static const uint8_t types[] = {134, 135, 136, 137};
    uint8_t message[64] = {0};

    begin();
    for (unsigned i = 0; i < sizeof(types); i++) {
        struct packet packet;

        message[0] = types[i];
        message[1] = 0;
        packet = setup_icmp6(peer_link6, our6, 254, message, 40);
        check_drop(&packet, NIC_rx_drop_nd);
        message[1] = 1;
        packet = setup_icmp6(peer_link6, our6, 255, message, 40);
        check_drop(&packet, NIC_rx_drop_nd);
    }
    setup_end();
}

static void test_nd_too_short(void)
{
    static const uint8_t types[] = {134, 135, 136, 137};
    static const uint8_t fixed[] = {16, 24, 24, 40};
    uint8_t message[64] = {0};

    begin();
    for (unsigned i = 0; i < sizeof(types); i++) {
        message[0] = types[i];
        for (uint32_t len = 8; len < fixed[i]; len++) {
            struct packet packet = setup_icmp6(peer_link6, our6, 255, message, len);

            check_drop(&packet, NIC_rx_drop_nd);
        }
    }
    setup_end();
}

/* A solicitation, an advertisement and a router advertisement each with these option bytes. */
static void check_option(const uint8_t *option, uint32_t len)
{
    static const uint8_t types[] = {134, 135, 136};
    static const uint8_t fixed[] = {16, 24, 24};

    for (unsigned i = 0; i < sizeof(types); i++) {
        uint8_t message[80] = {0};
        struct packet packet;

        message[0] = types[i];
        if (types[i] != 134)
            memcpy(message + 8, types[i] == 135 ? our6 : peer6, 16);
        memcpy(message + fixed[i], option, len);
        packet = setup_icmp6(peer_link6, our6, 255, message, fixed[i] + len);
        check_drop(&packet, NIC_rx_drop_nd_option);
    }
}

static void test_nd_option_lengths(void)
{
    static const uint8_t zero_length[8] = {1, 0, 2, 0, 0, 0, 0, 9};
    static const uint8_t past_end[8] = {1, 2, 2, 0, 0, 0, 0, 9};
    static const uint8_t far_past_end[8] = {14, 255};
    static const uint8_t half[1] = {1};
    static const uint8_t long_link[16] = {1, 2, 2, 0, 0, 0, 0, 9};
    static const uint8_t long_mtu[16] = {5, 2};
    static const uint8_t short_prefix[8] = {3, 1, 64, 0xc0};
    static const uint8_t wide_prefix[32] = {3, 4, 129, 0xc0};

    begin();
    check_option(zero_length, sizeof(zero_length));
    check_option(past_end, sizeof(past_end));
    check_option(far_past_end, sizeof(far_past_end));
    check_option(half, sizeof(half));
    check_option(long_link, sizeof(long_link));
    check_option(long_mtu, sizeof(long_mtu));
    check_option(short_prefix, sizeof(short_prefix));
    check_option(wide_prefix, sizeof(wide_prefix));
    setup_end();
}

static void test_nd_option_with_group_mac(void)
{
    static const uint8_t group[8] = {1, 1, 0x33, 0x33, 0, 0, 0, 1};
    static const uint8_t zero[8] = {2, 1};

    begin();
    check_option(group, sizeof(group));
    check_option(zero, sizeof(zero));
    setup_end();
}

static void test_link_option_is_found_behind_others(void)
{
    /* nonce first (RFC 3971), then the source's MAC: lwIP alone would take the nonce for a MAC */
    uint8_t message[40] = {135, [24] = 14, [25] = 1, [26] = 0xde, 0xad, 0xbe, 0xef, [32] = 1, [33] = 1};
    struct packet packet;
    uint8_t mac[6];

    memcpy(message + 8, our6, 16);
    memcpy(message + 34, peer_mac, 6);
    packet = setup_icmp6(peer6, our6, 255, message, sizeof(message));
    begin();
    setup_input(&packet);
    CU_ASSERT_PTR_NOT_NULL(setup_sent(IP6, ICMP6_OFF, 136));
    CU_ASSERT_EQUAL(host_next_hop(setup.host, 6, peer6, mac), HOST_HOP_FOUND);
    CU_ASSERT_EQUAL(memcmp(mac, peer_mac, 6), 0);
    setup_end();
}

static void test_solicitation_sources(void)
{
    uint8_t with_link[32] = {135, [24] = 1, [25] = 1, [26] = 2, [31] = 9};
    uint8_t bare[24] = {135};
    uint8_t to_group[32];
    struct packet packet;

    memcpy(with_link + 8, our6, 16);
    memcpy(bare + 8, our6, 16);
    memcpy(to_group, with_link, sizeof(to_group));
    to_group[8] = 0xff;
    begin();
    packet =
        setup_icmp6(any6, solicited_node6, 255, with_link, sizeof(with_link)); /* DAD has no MAC to tell */
    check_drop(&packet, NIC_rx_drop_nd);
    packet = setup_icmp6(any6, our6, 255, bare, sizeof(bare)); /* DAD goes to the solicited-node group */
    check_drop(&packet, NIC_rx_drop_nd);
    packet = setup_icmp6(peer6, our6, 255, bare, sizeof(bare)); /* nobody to answer to */
    check_drop(&packet, NIC_rx_drop_nd);
    packet = setup_icmp6(our6, our6, 255, with_link, sizeof(with_link)); /* that is us */
    check_drop(&packet, NIC_rx_drop_nd);
    packet = setup_icmp6(peer6, our6, 255, to_group, sizeof(to_group)); /* target is a group */
    check_drop(&packet, NIC_rx_drop_nd);
    packet =
        setup_icmp6(any6, solicited_node6, 255, bare, sizeof(bare)); /* right: it is told that we have it */
    setup_input(&packet);
    CU_ASSERT_PTR_NOT_NULL(setup_sent(IP6, ICMP6_OFF, 136));
    setup_end();
}

static void test_advertisement_claims_our_address(void)
{
    uint8_t message[32] = {136, [4] = 0x20, [24] = 2, [25] = 1, [26] = 2, [31] = 9};
    struct packet packet;

    memcpy(message + 8, our6, 16);
    packet = setup_icmp6(peer_link6, all_nodes6, 255, message, sizeof(message));
    begin();
    check_drop(&packet, NIC_rx_drop_nd);
    setup_run_ms(2000);
    CU_ASSERT_EQUAL(host_addresses(setup.host)->n_addresses, 4); /* stock lwIP would have given it up */
    setup_end();
}

static void test_advertisement_rules(void)
{
    uint8_t message[32] = {136, [4] = 0x60, [24] = 14, [25] = 1};
    struct packet packet;

    memcpy(message + 8, peer6, 16);
    begin();
    packet = setup_icmp6(peer6, all_nodes6, 255, message, sizeof(message)); /* solicited, but to a group */
    check_drop(&packet, NIC_rx_drop_nd);
    packet = setup_icmp6(peer6, our6, 255, message, sizeof(message)); /* an option, but not the MAC */
    check_drop(&packet, NIC_rx_drop_nd_option);
    message[8] = 0xff;
    packet = setup_icmp6(peer6, our6, 255, message, sizeof(message)); /* target is a group */
    check_drop(&packet, NIC_rx_drop_nd);
    setup_end();
}

static void test_router_must_be_on_link(void)
{
    uint8_t message[16] = {134, [4] = 64, [7] = 100};
    struct packet packet = setup_icmp6(peer6, all_nodes6, 255, message, sizeof(message));
    struct packet ours = setup_icmp6(our_link6, all_nodes6, 255, message, sizeof(message));

    begin();
    check_drop(&packet, NIC_rx_drop_nd);
    check_drop(&ours, NIC_rx_drop_nd);
    setup_end();
}

static void test_redirect_only_by_a_router(void)
{
    uint8_t message[40] = {137, [8] = 0xfe, [9] = 0x80, [23] = 7, [24] = 0x20, [25] = 1, [39] = 1};
    struct packet packet = setup_icmp6(peer_link6, our6, 255, message, sizeof(message));

    begin();
    check_drop(&packet, NIC_rx_drop_nd);
    setup_end();
}

static void test_checksums(void)
{
    struct packet ping4 = setup_ping4(our4, 8);
    struct packet ping6 = setup_ping6(8);
    struct packet header = setup_ping4(our4, 8);

    ping4.bytes[ping4.len - 1] ^= 1;
    ping6.bytes[ping6.len - 1] ^= 1;
    header.bytes[WIRE_LINK_BYTES + 8] ^= 1;
    begin();
    setup_meet_peer();
    check_drop(&ping4, NIC_rx_drop_icmp);
    check_drop(&ping6, NIC_rx_drop_icmp);
    check_drop(&header, NIC_rx_drop_ip_checksum);
    setup_end();
}

static void test_group_messages_stay_on_link(void)
{
    static const uint8_t query[24] = {130, [4] = 1};
    struct packet far = setup_icmp6(peer_link6, all_nodes6, 64, query, sizeof(query));
    struct packet routed = setup_icmp6(peer6, all_nodes6, 1, query, sizeof(query));

    begin();
    check_drop(&far, NIC_rx_drop_icmp);
    check_drop(&routed, NIC_rx_drop_icmp);
    setup_end();
}

/* A ping with an extension header of 8 bytes in front. */
static struct packet extended(uint8_t kind, const uint8_t header[8])
{
    struct packet plain = setup_ping6(8);
    struct packet packet = {0};

    packets_add(&packet, plain.bytes, ICMP6_OFF);
    packets_add(&packet, header, 8);
    packets_add(&packet, plain.bytes + ICMP6_OFF, plain.len - ICMP6_OFF);
    packet.bytes[WIRE_LINK_BYTES + WIRE_IP6_NEXT_OFF] = kind;
    packets_finish6(&packet, WIRE_LINK_BYTES);
    return packet;
}

static void test_extension_headers(void)
{
    static const uint8_t padded[8] = {58, 0, 1, 4};
    static const uint8_t long_header[8] = {58, 9, 1, 4};
    static const uint8_t long_option[8] = {58, 0, 1, 5};
    static const uint8_t half_option[8] = {58, 0, 1, 3, 0, 0, 0, 5};
    static const uint8_t routing[8] = {58, 0, 0, 1};
    static const uint8_t spent_routing[8] = {58, 0, 0, 0};
    static const uint8_t options_again[8] = {0, 0, 1, 4};
    struct packet packet = extended(60, padded);

    begin();
    setup_meet_peer();
    setup_input(&packet);
    packet = extended(43, spent_routing);
    setup_input(&packet);
    CU_ASSERT_EQUAL(setup.n_frames, 2); /* both are answered */
    packet = extended(0, long_header);
    check_drop(&packet, NIC_rx_drop_ip6_extension);
    packet = extended(0, long_option);
    check_drop(&packet, NIC_rx_drop_ip6_extension);
    packet = extended(60, half_option);
    check_drop(&packet, NIC_rx_drop_ip6_extension);
    packet = extended(43, routing);
    check_drop(&packet, NIC_rx_drop_ip6_extension);
    packet = extended(60, options_again); /* hop-by-hop, but not first */
    check_drop(&packet, NIC_rx_drop_ip6_extension);
    setup_end();
}

static void test_nd_in_fragments(void)
{
    struct packet solicit = setup_solicit(peer6, our6);
    struct packet atomic = {0};

    begin();
    setup_meet_peer();
    setup_input_cut(&solicit, WIRE_IP6_BYTES, 64);
    CU_ASSERT_EQUAL(setup_count(NIC_rx_drop_nd), 1);
    packets_add(&atomic, solicit.bytes, ICMP6_OFF);
    packets_fragment6(&atomic, 58, 0, 0, 1);
    packets_add(&atomic, solicit.bytes + ICMP6_OFF, solicit.len - ICMP6_OFF);
    packets_finish6(&atomic, WIRE_LINK_BYTES);
    atomic.bytes[WIRE_LINK_BYTES + WIRE_IP6_NEXT_OFF] = 44;
    check_drop(&atomic, NIC_rx_drop_nd);
    setup_end();
}

static void test_fragments_for_others(void)
{
    static const uint8_t other4[4] = {10, 77, 0, 99};
    struct packet ping = setup_ping4(other4, 2000);

    begin();
    CU_ASSERT_EQUAL(setup_input_cut(&ping, WIRE_IP4_BYTES, 1500), 2);
    CU_ASSERT_EQUAL(setup_count(NIC_rx_drop_not_ours), 2);
    setup_end();
}

static void test_exhausted_reassembly(void)
{
    struct config config = setup_config();

    config.frontend.reassembly_fragments = 4;
    config.frontend.reassembly_source_fragments = 3;
    setup_begin(&config);
    setup_meet_peer();
    for (unsigned i = 0; i < 3; i++) {
        struct packet ping4 = setup_ping4(our4, 9000);
        struct packet ping6 = setup_ping6(9000);

        setup_input_cut(&ping4, WIRE_IP4_BYTES, 1500);
        setup_input_cut(&ping6, WIRE_IP6_BYTES, 1500);
    }
    CU_ASSERT(setup_count(NIC_rx_drop_fragment_source) > 0);
    CU_ASSERT(setup_count(NIC_rx_drop_fragment_full) > 0);
    setup_run_ms(61000);
    setup_meet_peer();
    struct packet ping = setup_ping4(our4, 2000);
    setup_input_cut(&ping, WIRE_IP4_BYTES, 1500);
    CU_ASSERT_EQUAL(setup.n_frames, 2); /* serves again */
    setup_end();
}

static void test_truncated_at_each_byte(void)
{
    struct packet frames[5] = {setup_ping4(our4, 40), setup_ping6(40), setup_solicit(peer6, our6),
                               setup_advert(peer6, peer6, peer_mac), setup_arp(1, peer_mac, peer4, our4)};

    begin();
    for (unsigned i = 0; i < 5; i++) {
        uint32_t len = frames[i].len;

        for (frames[i].len = 0; frames[i].len < len; frames[i].len++)
            setup_input(&frames[i]);
    }
    CU_ASSERT_EQUAL(setup.n_frames, 0);
    setup_end();
}

static void test_other_ethertypes(void)
{
    struct packet packet;

    begin();
    packets_link(&packet, our_mac, peer_mac, 0x88cc);
    check_drop(&packet, NIC_rx_drop_ethertype);
    packet.len = 13;
    check_drop(&packet, NIC_rx_drop_runt);
    packet = setup_ping4(our4, 8);
    packet.bytes[WIRE_LINK_BYTES] = 0x65;
    check_drop(&packet, NIC_rx_drop_ip_version);
    setup_end();
}

const struct unit_test unit_tests[] = {
    {"malformed ARP is dropped, at every length", test_arp_malformed},
    {"ARP that claims one of our addresses is dropped", test_arp_claims_our_address},
    {"ARP from no station's MAC, or from ours, is dropped", test_arp_sender_mac},
    {"ARP from no station's address is dropped", test_arp_sender_address},
    {"ND from off the link or with a code is dropped", test_nd_hop_limit_and_code},
    {"ND shorter than its fixed part is dropped", test_nd_too_short},
    {"ND options that are empty, too long or of a wrong size are dropped", test_nd_option_lengths},
    {"ND options with no station's MAC are dropped", test_nd_option_with_group_mac},
    {"the link-layer option counts wherever it stands", test_link_option_is_found_behind_others},
    {"solicitations keep the rules on their source", test_solicitation_sources},
    {"an advertisement does not take an address from us", test_advertisement_claims_our_address},
    {"advertisements keep the rules on flags and options", test_advertisement_rules},
    {"a router speaks from its link-local address", test_router_must_be_on_link},
    {"a redirect comes from a router or is dropped", test_redirect_only_by_a_router},
    {"wrong checksums are dropped", test_checksums},
    {"multicast listener messages from off the link are dropped", test_group_messages_stay_on_link},
    {"IPv6 extension headers that lie are dropped", test_extension_headers},
    {"ND in fragments is dropped", test_nd_in_fragments},
    {"fragments for others take no place", test_fragments_for_others},
    {"exhausted reassembly drops, and serves again later", test_exhausted_reassembly},
    {"frames cut short at any byte do nothing", test_truncated_at_each_byte},
    {"what is not ARP or IP is dropped by name", test_other_ethertypes},
    {NULL, NULL},
};
