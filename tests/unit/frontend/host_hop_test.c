/* SPDX-License-Identifier: BSD-3-Clause */
/* host_hop_test.c — next hops: found, asked for, given up, asked again; and the epoch that ends caching. */
#include <stdint.h>
#include <string.h>

#include "frontend/wire.h"
#include "tests/support/unit.h"
#include "tests/unit/frontend/host_setup.h"

const char unit_suite_name[] = "host hop";

#define ICMP6_OFF (WIRE_LINK_BYTES + WIRE_IP6_BYTES)

static uint8_t mac[6];

static enum host_hop hop4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    const uint8_t destination[4] = {a, b, c, d};

    memset(mac, 0, sizeof(mac));
    return host_next_hop(setup.host, 4, destination, mac);
}

static enum host_hop hop6(const uint8_t destination[16])
{
    memset(mac, 0, sizeof(mac));
    return host_next_hop(setup.host, 6, destination, mac);
}

static void begin(void)
{
    struct config config = setup_config();

    setup_begin(&config);
}

static uint32_t n_sent(uint16_t ethertype)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < setup.n_frames; i++)
        n += wire_get16(setup.frames[i] + WIRE_ETHERTYPE_OFF) == ethertype;
    return n;
}

static void test_groups_and_broadcast(void)
{
    static const uint8_t group6[16] = {0xff, 0x05, [12] = 1, 2, 3, 4};
    static const uint8_t group4_mac[6] = {1, 0, 0x5e, 0x01, 2, 3};
    static const uint8_t group6_mac[6] = {0x33, 0x33, 1, 2, 3, 4};

    begin();
    CU_ASSERT_EQUAL(hop4(239, 129, 2, 3), HOST_HOP_FOUND);
    CU_ASSERT_EQUAL(memcmp(mac, group4_mac, 6), 0);
    CU_ASSERT_EQUAL(hop4(255, 255, 255, 255), HOST_HOP_FOUND);
    CU_ASSERT_EQUAL(memcmp(mac, all_macs, 6), 0);
    CU_ASSERT_EQUAL(hop4(10, 77, 0, 255), HOST_HOP_FOUND);
    CU_ASSERT_EQUAL(memcmp(mac, all_macs, 6), 0);
    CU_ASSERT_EQUAL(hop4(10, 88, 255, 255), HOST_HOP_FOUND);
    CU_ASSERT_EQUAL(hop6(group6), HOST_HOP_FOUND);
    CU_ASSERT_EQUAL(memcmp(mac, group6_mac, 6), 0);
    CU_ASSERT_EQUAL(setup.n_frames, 0);
    setup_end();
}

static void test_resolve4(void)
{
    struct packet reply = setup_arp(2, peer_mac, peer4, our4);
    uint32_t epoch;

    begin();
    CU_ASSERT_EQUAL(hop4(10, 77, 0, 1), HOST_HOP_PENDING);
    CU_ASSERT_EQUAL(hop4(10, 77, 0, 1), HOST_HOP_PENDING);
    CU_ASSERT_EQUAL(n_sent(WIRE_ETHERTYPE_ARP), 1); /* asked once */
    CU_ASSERT_EQUAL(memcmp(setup.frames[0] + 28, our4, 4), 0);
    CU_ASSERT_EQUAL(memcmp(setup.frames[0] + 38, peer4, 4), 0);
    epoch = host_epoch(setup.host);
    setup_input(&reply);
    CU_ASSERT_NOT_EQUAL(host_epoch(setup.host), epoch);
    CU_ASSERT_EQUAL(hop4(10, 77, 0, 1), HOST_HOP_FOUND);
    CU_ASSERT_EQUAL(memcmp(mac, peer_mac, 6), 0);
    epoch = host_epoch(setup.host);
    setup_input(&reply); /* nothing new */
    CU_ASSERT_EQUAL(host_epoch(setup.host), epoch);
    setup_end();
}

static void test_each_network_asks_for_itself(void)
{
    static const uint8_t neighbour[4] = {10, 88, 3, 4};
    struct packet reply = setup_arp(2, peer_mac, neighbour, our4_alias);

    begin();
    CU_ASSERT_EQUAL(hop4(10, 88, 3, 4), HOST_HOP_PENDING);
    CU_ASSERT_EQUAL(memcmp(setup.frames[0] + 28, our4_alias, 4), 0);
    setup_input(&reply);
    CU_ASSERT_EQUAL(hop4(10, 88, 3, 4), HOST_HOP_FOUND);
    setup_end();
}

static void test_mac_changes(void)
{
    static const uint8_t new_mac[6] = {2, 0, 0, 0, 0, 0x77};
    struct packet announcement = setup_arp(1, new_mac, peer4, peer4);
    uint32_t epoch;

    begin();
    setup_meet_peer();
    CU_ASSERT_EQUAL(hop4(10, 77, 0, 1), HOST_HOP_FOUND);
    epoch = host_epoch(setup.host);
    setup_input(&announcement);
    CU_ASSERT_NOT_EQUAL(host_epoch(setup.host), epoch);
    CU_ASSERT_EQUAL(hop4(10, 77, 0, 1), HOST_HOP_FOUND);
    CU_ASSERT_EQUAL(memcmp(mac, new_mac, 6), 0);
    setup_end();
}

static void test_gateway4(void)
{
    struct config config = setup_config();

    begin();
    CU_ASSERT_EQUAL(hop4(198, 51, 100, 7), HOST_HOP_NONE);
    setup_end();
    config.host.gateway4.family = 4;
    memcpy(config.host.gateway4.bytes, peer4, 4);
    setup_begin(&config);
    CU_ASSERT_EQUAL(hop4(198, 51, 100, 7), HOST_HOP_PENDING);
    CU_ASSERT_EQUAL(memcmp(setup.frames[0] + 38, peer4, 4), 0);
    setup_meet_peer();
    CU_ASSERT_EQUAL(hop4(198, 51, 100, 7), HOST_HOP_FOUND);
    CU_ASSERT_EQUAL(memcmp(mac, peer_mac, 6), 0);
    setup_end();
}

static void test_dead_neighbour4(void)
{
    begin();
    CU_ASSERT_EQUAL(hop4(10, 77, 0, 9), HOST_HOP_PENDING);
    setup_run_ms(2900);
    CU_ASSERT_EQUAL(hop4(10, 77, 0, 9), HOST_HOP_PENDING);
    CU_ASSERT(n_sent(WIRE_ETHERTYPE_ARP) >= 3); /* asked again each second */
    setup_run_ms(100);
    CU_ASSERT_EQUAL(hop4(10, 77, 0, 9), HOST_HOP_NONE);
    setup_run_ms(1900);
    CU_ASSERT_EQUAL(hop4(10, 77, 0, 9), HOST_HOP_NONE);
    setup_run_ms(4000);
    setup_forget_frames();
    CU_ASSERT_EQUAL(hop4(10, 77, 0, 9), HOST_HOP_PENDING); /* and later asked anew */
    CU_ASSERT(n_sent(WIRE_ETHERTYPE_ARP) >= 1);
    setup_end();
}

static void test_entry_in_use_stays(void)
{
    struct packet reply = setup_arp(2, peer_mac, peer4, our4);
    uint32_t n_confirmations = 0;

    begin();
    setup_meet_peer();
    for (uint32_t s = 0; s < 900; s += 10) { /* three times the life of an entry */
        setup_forget_frames();
        CU_ASSERT_EQUAL(hop4(10, 77, 0, 1), HOST_HOP_FOUND);
        if (n_sent(WIRE_ETHERTYPE_ARP) != 0) {
            n_confirmations++;
            setup_input(&reply);
        }
        setup_run_ms(10000);
    }
    CU_ASSERT(n_confirmations >= 10 && n_confirmations <= 15);
    setup_end();
}

static void test_silent_entry_goes(void)
{
    uint32_t epoch;

    begin();
    setup_meet_peer();
    CU_ASSERT_EQUAL(hop4(10, 77, 0, 1), HOST_HOP_FOUND);
    setup_run_ms(290000);
    epoch = host_epoch(setup.host);
    setup_run_ms(20000);
    CU_ASSERT_NOT_EQUAL(host_epoch(setup.host), epoch);
    CU_ASSERT_EQUAL(hop4(10, 77, 0, 1), HOST_HOP_PENDING);
    setup_end();
}

static void test_resolve6(void)
{
    struct packet advert = setup_advert(peer6, peer6, peer_mac);
    uint32_t epoch;

    begin();
    CU_ASSERT_EQUAL(hop6(peer6), HOST_HOP_PENDING);
    CU_ASSERT_EQUAL(hop6(peer6), HOST_HOP_PENDING);
    CU_ASSERT_EQUAL(setup.n_frames, 1);
    CU_ASSERT_EQUAL(setup.frames[0][ICMP6_OFF], 135);
    setup_forget_frames();
    epoch = host_epoch(setup.host);
    setup_input(&advert);
    CU_ASSERT_NOT_EQUAL(host_epoch(setup.host), epoch);
    CU_ASSERT_EQUAL(hop6(peer6), HOST_HOP_FOUND);
    CU_ASSERT_EQUAL(memcmp(mac, peer_mac, 6), 0);
    CU_ASSERT_EQUAL(setup.n_frames, 0); /* the packet that asked does not leave */
    setup_end();
}

static void test_gateway6(void)
{
    static const uint8_t far6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 8};
    struct packet advert = setup_advert(peer_link6, peer_link6, peer_mac);
    struct config config = setup_config();

    config.host.gateway6.family = 6;
    memcpy(config.host.gateway6.bytes, peer_link6, 16);
    setup_begin(&config);
    CU_ASSERT_EQUAL(hop6(far6), HOST_HOP_PENDING);
    CU_ASSERT_EQUAL(memcmp(setup.frames[0] + ICMP6_OFF + 8, peer_link6, 16), 0);
    setup_input(&advert);
    CU_ASSERT_EQUAL(hop6(far6), HOST_HOP_FOUND);
    CU_ASSERT_EQUAL(memcmp(mac, peer_mac, 6), 0);
    setup_end();
}

/* fd77::2 with that prefix length, and a gateway unless NULL. */
static void begin6(uint8_t prefix_bits, const uint8_t *gateway)
{
    struct config config = setup_config();

    for (uint32_t i = 0; i < config.host.n_addresses; i++) {
        if (config.host.addresses[i].family == 6)
            config.host.addresses[i].prefix_bits = prefix_bits;
    }
    if (gateway != NULL) {
        config.host.gateway6.family = 6;
        memcpy(config.host.gateway6.bytes, gateway, 16);
    }
    setup_begin(&config);
}

/* Whom the first neighbour solicitation asks for. */
static bool asked_for(const uint8_t target[16])
{
    return setup.n_frames > 0 && memcmp(setup.frames[0] + ICMP6_OFF + 8, target, 16) == 0;
}

static void test_long_prefix6(void)
{
    /* fd77::ff is in fd77::/120, fd77::1:8 is only in fd77::/64. */
    static const uint8_t in6[16] = {0xfd, 0x77, [15] = 0xff};
    static const uint8_t far6[16] = {0xfd, 0x77, [13] = 1, [15] = 8};
    struct packet advert = setup_advert(peer_link6, peer_link6, peer_mac);

    begin6(120, peer_link6);
    CU_ASSERT_EQUAL(hop6(in6), HOST_HOP_PENDING);
    CU_ASSERT(asked_for(in6));
    setup_forget_frames();
    CU_ASSERT_EQUAL(hop6(far6), HOST_HOP_PENDING);
    CU_ASSERT(asked_for(peer_link6));
    setup_input(&advert);
    CU_ASSERT_EQUAL(hop6(far6), HOST_HOP_FOUND);
    CU_ASSERT_EQUAL(memcmp(mac, peer_mac, 6), 0);
    setup_end();
}

/* No bit of the last byte in between is lost: fd77::2/127 is fd77::2 and fd77::3. */
static void test_prefix6_to_the_bit(void)
{
    static const uint8_t in6[16] = {0xfd, 0x77, [15] = 3};
    static const uint8_t out6[16] = {0xfd, 0x77, [15] = 4};

    begin6(127, NULL);
    CU_ASSERT_EQUAL(hop6(in6), HOST_HOP_PENDING);
    CU_ASSERT(asked_for(in6));
    CU_ASSERT_EQUAL(hop6(out6), HOST_HOP_NONE);
    setup_end();
}

/* The gateway is on the link whatever the prefix says: an address alone, /128, with a gateway beside it. */
static void test_gateway6_outside_the_prefix(void)
{
    static const uint8_t far6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 8};

    begin6(128, peer6);
    CU_ASSERT_EQUAL(hop6(far6), HOST_HOP_PENDING);
    CU_ASSERT(asked_for(peer6));
    CU_ASSERT_EQUAL(hop6(peer6), HOST_HOP_PENDING);
    setup_end();
}

/* On the link all the same, and asks for us: the answer goes to whoever asked. */
static void test_discovery_outside_the_prefix(void)
{
    static const uint8_t far6[16] = {0xfd, 0x77, [13] = 1, [15] = 8};
    struct packet solicit = setup_solicit(far6, our6);
    const uint8_t *reply;

    begin6(120, peer_link6);
    setup_input(&solicit);
    reply = setup_sent(WIRE_ETHERTYPE_IP6, ICMP6_OFF, 136);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
    CU_ASSERT_EQUAL(memcmp(reply, peer_mac, 6), 0);
    CU_ASSERT_EQUAL(setup.n_frames, 1);
    setup_end();
}

static void test_redirect(void)
{
    static const uint8_t far6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 8};
    static const uint8_t better6[16] = {0xfe, 0x80, [15] = 7};
    static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
    static const uint8_t better_mac[6] = {2, 0, 0, 0, 0, 7};
    uint8_t advert[24] = {134, [4] = 64, [7] = 100, [16] = 1, [17] = 1};
    uint8_t redirect[48] = {137, [40] = 2, [41] = 1};
    struct packet packet;
    uint32_t epoch;

    memcpy(advert + 18, peer_mac, 6);
    memcpy(redirect + 8, better6, 16);
    memcpy(redirect + 24, far6, 16);
    memcpy(redirect + 42, better_mac, 6);
    begin();
    packet = setup_icmp6(peer_link6, all_nodes, 255, advert, sizeof(advert));
    setup_input(&packet);
    CU_ASSERT_EQUAL(hop6(far6), HOST_HOP_FOUND);
    CU_ASSERT_EQUAL(memcmp(mac, peer_mac, 6), 0);
    packet = setup_icmp6(peer_link6, our6, 255, redirect, sizeof(redirect));
    setup_input(&packet);
    CU_ASSERT_EQUAL(hop6(far6), HOST_HOP_FOUND);
    CU_ASSERT_EQUAL(memcmp(mac, better_mac, 6), 0);
    epoch = host_epoch(setup.host);
    memcpy(redirect + 8, peer_link6, 16); /* and back to a neighbour that is known */
    memcpy(redirect + 42, peer_mac, 6);
    packet = setup_icmp6(peer_link6, our6, 255, redirect, sizeof(redirect));
    setup_input(&packet);
    CU_ASSERT_NOT_EQUAL(host_epoch(setup.host), epoch);
    CU_ASSERT_EQUAL(hop6(far6), HOST_HOP_FOUND);
    CU_ASSERT_EQUAL(memcmp(mac, peer_mac, 6), 0);
    setup_end();
}

static void test_dead_neighbour6(void)
{
    static const uint8_t nobody[16] = {0xfd, 0x77, [15] = 99};

    begin();
    CU_ASSERT_EQUAL(hop6(nobody), HOST_HOP_PENDING);
    setup_run_ms(2900);
    CU_ASSERT_EQUAL(hop6(nobody), HOST_HOP_PENDING);
    setup_run_ms(100);
    CU_ASSERT_EQUAL(hop6(nobody), HOST_HOP_NONE);
    setup_run_ms(5000);
    setup_forget_frames();
    CU_ASSERT_EQUAL(hop6(nobody), HOST_HOP_PENDING);
    setup_end();
}

static void test_many_destinations(void)
{
    begin();
    for (uint32_t i = 1; i < 2000; i++) {
        uint8_t destination[16] = {0xfd, 0x77, [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i};
        enum host_hop answer6 = i == 2 ? HOST_HOP_PENDING : hop6(destination);
        enum host_hop answer4 = hop4(10, 88, (uint8_t)(i >> 8), (uint8_t)(i | 8));

        CU_ASSERT(answer6 == HOST_HOP_PENDING || answer6 == HOST_HOP_NONE);
        CU_ASSERT(answer4 != HOST_HOP_FOUND || memcmp(mac, all_macs, 6) == 0);
        if (i % 100 == 0)
            setup_run_ms(100);
    }
    setup_run_ms(10000);
    setup_meet_peer(); /* a neighbour that speaks finds its place all the same */
    CU_ASSERT_EQUAL(hop4(10, 77, 0, 1), HOST_HOP_FOUND);
    CU_ASSERT_EQUAL(hop6(peer6), HOST_HOP_FOUND);
    setup_end();
}

static void test_epoch_by_age(void)
{
    uint32_t epoch;

    begin();
    epoch = host_epoch(setup.host);
    setup_run_ms(31000);
    CU_ASSERT_NOT_EQUAL(host_epoch(setup.host), epoch); /* so that use is seen */
    setup_end();
}

const struct unit_test unit_tests[] = {
    {"groups and broadcasts need no asking", test_groups_and_broadcast},
    {"an IPv4 neighbour is asked for once and found when it answers", test_resolve4},
    {"each IPv4 network is asked from its own address", test_each_network_asks_for_itself},
    {"a neighbour's new MAC is taken and ends caching", test_mac_changes},
    {"other networks are reached by the gateway, or not at all", test_gateway4},
    {"an IPv4 neighbour that does not answer is given up, and asked again later", test_dead_neighbour4},
    {"an ARP entry in use is confirmed and never lost", test_entry_in_use_stays},
    {"an ARP entry that is not confirmed goes", test_silent_entry_goes},
    {"an IPv6 neighbour is found when it answers", test_resolve6},
    {"the configured IPv6 gateway is used", test_gateway6},
    {"outside an IPv6 network smaller than /64 the gateway is used", test_long_prefix6},
    {"an IPv6 prefix length counts to the bit", test_prefix6_to_the_bit},
    {"the IPv6 gateway may stand outside our prefix", test_gateway6_outside_the_prefix},
    {"neighbour discovery needs no gateway", test_discovery_outside_the_prefix},
    {"a router's redirect is followed", test_redirect},
    {"an IPv6 neighbour that does not answer is given up, and asked again later", test_dead_neighbour6},
    {"more destinations than there are places do no harm", test_many_destinations},
    {"answers go stale by age", test_epoch_by_age},
    {NULL, NULL},
};
