/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host.h — the host stack: the frontend's own lwIP. It speaks ARP, ND, ICMPv4/v6 (echo), IGMP/MLD, DHCP and
 * router discovery, reassembles fragments and knows the next hop of every destination. It never sees a TCP or
 * UDP packet of a worker. lwIP's state is global, so a process has one host stack. One thread: the loop's.
 */
#ifndef MPA_FRONTEND_HOST_H
#define MPA_FRONTEND_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/config.h"
#include "shm/counters.h"

#define HOST_MAX_ADDRESSES 8

/* Our addresses and the link as the workers need them. Changes by DHCP and router advertisement. */
struct host_addresses {
    uint32_t n_addresses;
    struct config_address addresses[HOST_MAX_ADDRESSES]; /* valid (preferred or deprecated) ones only */
    uint16_t mtu_bytes;                                  /* link MTU, lowered by a router's MTU option */
};

/* Calls out of the host stack; `context` is the one given to host_init(). */
struct host_callbacks {
    /* Sends one complete Ethernet frame, at most MTU + 14 bytes, checksums filled in. Copied or sent at once.
     */
    void (*transmit)(void *context, const uint8_t *frame, uint32_t len_bytes);
    /* A reassembled IP datagram (checksummed by nobody yet), to be classified again. Borrowed for the call.
     */
    void (*reassembled)(void *context, const uint8_t *packet, uint32_t len_bytes);
    /* The set of addresses or the MTU has changed. */
    void (*changed)(void *context, const struct host_addresses *addresses);
};

/* What a frontend before this one held a moment ago, on the same link: its workers still use it. */
struct host_held {
    struct host_addresses addresses;
    uint8_t gateway4[4]; /* of the lease; all zero: none */
};

struct host; /* opaque */

/*
 * Allocates everything it will use. Returns NULL with errno set. `config` is borrowed for the call. Nothing
 * is sent and no callback is called before the first host_tick(), which brings the interface up; until then
 * frames are dropped. Static IPv4 addresses are in host_addresses() at once, IPv6 ones when duplicate address
 * detection is over, a second or two later. An IPv6 prefix shorter than /64 is used as /64 (a WARN says so).
 */
struct host *host_new(const struct config *config, const uint8_t mac[6],
                      const struct host_callbacks *callbacks, void *context);
void host_free(struct host *host);

/* Counter hook: host stack drops are counted in `nic_counters` (N_NIC_COUNTERS places, single writer). */
void host_set_counters(struct host *host, counter *nic_counters);

const struct host_addresses *host_addresses(const struct host *host);

/*
 * Before the first tick: what was held is ours at once, without duplicate address detection, which it has
 * passed, and without waiting for a lease or a router. DHCP and router discovery run as ever and have the
 * last word; an address that no router confirms ends after two hours (RFC 4862 5.5.3 e).
 */
void host_restore(struct host *host, const struct host_held *held);
/* What the next frontend would have to restore. */
void host_get_held(const struct host *host, struct host_held *held);

/*
 * Callbacks may come during host_input(), host_next_hop() and host_tick(); they must not call back into the
 * host but for host_addresses() and host_epoch().
 *
 * One frame that the classifier gave to the host stack (ARP, ND, ICMP, IGMP/MLD, DHCP, fragments):
 * `frame` begins with the Ethernet header, `head_len` bytes here and `tail_len` more in `tail`.
 * Validates what lwIP does not (ARP that claims our address, ND options, fragment shares, overlaps), counts
 * what it drops.
 */
void host_input(struct host *host, const uint8_t *frame, uint32_t head_len, const uint8_t *tail,
                uint32_t tail_len);

enum host_hop {
    HOST_HOP_FOUND,   /* mac is written */
    HOST_HOP_PENDING, /* asked; ask again after host_epoch() has changed or some ms */
    HOST_HOP_NONE, /* no route, or the neighbour does not answer: drop; not to be cached, it may come back */
};

/* The link-layer address to send a packet for `destination` (4 or 16 bytes, network order) to. */
enum host_hop host_next_hop(struct host *host, uint8_t family, const uint8_t *destination, uint8_t mac[6]);

/*
 * Changes whenever an answer of host_next_hop() may have changed: what is cached from it is then stale.
 * Changes every 30 s in any case: a neighbour that nobody asks for is not confirmed and in the end forgotten.
 */
uint32_t host_epoch(const struct host *host);

/*
 * Runs due timers; returns milliseconds until it wants to be called again (at most 100). Cheap when nothing
 * is due. The only clock of the host stack: `now_ns` is clock_now_ns(), or what a test wants it to be.
 */
uint32_t host_tick(struct host *host, uint64_t now_ns);

#endif
