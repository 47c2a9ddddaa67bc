/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_setup.h — a host stack on a link made of memory: tests feed frames, look at what it sends, and move
 * its clock. One host at a time, as in the process.
 */
#ifndef MPA_TESTS_HOST_SETUP_H
#define MPA_TESTS_HOST_SETUP_H

#include <stdbool.h>
#include <stdint.h>

#include "frontend/host.h"
#include "tests/unit/frontend/packets.h"

#define SETUP_N_FRAMES 256u

/* What the host did, newest last. */
struct setup {
    struct host *host;
    uint64_t now_ns;
    counter counters[N_NIC_COUNTERS];
    uint32_t n_frames;
    uint32_t frame_len[SETUP_N_FRAMES];
    uint8_t frames[SETUP_N_FRAMES][1514];
    uint32_t n_reassembled;
    uint32_t reassembled_len;
    uint8_t reassembled[66000];
    uint32_t n_changes;
    struct host_addresses addresses;
};

extern struct setup setup;

/* We: 10.77.0.2/24, 10.88.0.2/16 and fd77::2/64, MTU 1500. The peer is on the link. */
extern const uint8_t our_mac[6], peer_mac[6], all_macs[6];
extern const uint8_t our4[4], our4_alias[4], peer4[4];
extern const uint8_t our6[16], our_link6[16], peer6[16], peer_link6[16];

/* The configuration of the tests; change it before setup_begin(). */
struct config setup_config(void);

/* A host after its first tick. */
void setup_start(const struct config *config);
/* The same behind a frontend that held these addresses. */
void setup_start_held(const struct config *config, const struct host_held *held);
/* A host that has been up long enough for its IPv6 addresses to be valid; frames of that time are forgotten.
 */
void setup_begin(const struct config *config);
void setup_end(void);

/* Moves the clock in steps of 100 ms. */
void setup_run_ms(uint32_t ms);

void setup_forget_frames(void);
void setup_input(const struct packet *packet);
uint64_t setup_count(enum nic_counter which);

/* The first frame sent with this ethertype and byte `value` at `off`; NULL if there is none. */
const uint8_t *setup_sent(uint16_t ethertype, uint32_t off, uint8_t value);

/* Frames to us. */
struct packet setup_arp(uint16_t operation, const uint8_t sender_mac[6], const uint8_t sender_ip[4],
                        const uint8_t target_ip[4]);
struct packet setup_ping4(const uint8_t destination[4], uint32_t len);
struct packet setup_ping6(uint32_t len);

/* An ICMPv6 message of `len` bytes (checksum filled in) from the peer. */
struct packet setup_icmp6(const uint8_t source[16], const uint8_t destination[16], uint8_t hop_limit,
                          const uint8_t *message, uint32_t len);

/* Neighbour solicitation and advertisement with their link-layer option. */
struct packet setup_solicit(const uint8_t source[16], const uint8_t target[16]);
struct packet setup_advert(const uint8_t source[16], const uint8_t target[16], const uint8_t mac[6]);

/* The peer resolves us and so is known itself. */
void setup_meet_peer(void);

/* Cuts the packet behind the link header and feeds the pieces; returns their number. */
int setup_input_cut(const struct packet *packet, uint32_t header_len, uint16_t mtu_bytes);

#endif
