/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_internal.h — the host stack's parts among themselves: host.c (life, addresses, time), host_input.c
 * (the way of a frame in), host_filter.c (what lwIP must not see), host_output.c (the way out), host_hop.c
 * (next hops).
 */
#ifndef MPA_FRONTEND_HOST_INTERNAL_H
#define MPA_FRONTEND_HOST_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <lwip/netif.h>
#include <lwip/pbuf.h>

#include "frontend/host.h"
#include "frontend/reassembly.h"

/* lwIP gives a netif one IPv4 address, so each further one has a netif of its own on the same link. */
#define HOST_MAX_LINKS HOST_MAX_ADDRESSES
#define HOST_N_HOPS 256u /* power of two */
/* lwIP knows no other network of an IPv6 address. */
#define HOST_LWIP_PREFIX_BITS 64u

/* Waiting for a next hop. Idle -> waiting (asked) -> given up -> waiting ...; idle again when it answers. */
struct host_hop_state {
    uint8_t family; /* 0: never used */
    bool is_waiting;
    uint8_t address[16];
    uint64_t asked_ns;     /* while waiting: when the asking began */
    uint64_t refreshed_ns; /* IPv4: when an entry in use was last confirmed by us */
};

/*
 * The buffer for a datagram that lwIP's heap has no length for. The bytes follow the pbuf at once, as in the
 * pbufs that lwIP makes itself: it looks for header room no further than the end of the struct.
 */
#define HOST_MAX_POOLED_BYTES 65000u
struct host_large {
    struct pbuf_custom custom;
    uint8_t bytes[65535];
};

struct host {
    struct host_callbacks callbacks;
    void *context;
    counter *counters; /* the caller's, or own_counters until there are any */
    uint8_t mac[6];
    uint16_t mtu_bytes;
    bool is_up; /* the netifs are up: from the first tick until host_free() */
    bool wants_dhcp;
    bool wants_slaac;

    struct netif links[HOST_MAX_LINKS]; /* [0] has IPv6, DHCP and the multicast groups */
    uint32_t n_links;
    struct config_address static6[CONFIG_MAX_ADDRESSES]; /* IPv6 addresses to add when up */
    uint32_t n_static6;
    bool has_gateway6;
    ip6_addr_t gateway6;

    uint64_t now_ns;         /* of the last tick */
    uint64_t next_second_ns; /* when reassembly is swept again */
    uint64_t next_epoch_ns;  /* when caches of the caller go stale by age */
    uint32_t epoch;
    uint64_t neighbours_hash; /* of all that next hops depend on */
    struct host_addresses addresses;
    struct host_held held; /* to be taken up again by the first tick */

    struct reassembly *reassembly; /* owned */
    struct host_large *large;      /* owned */
    struct pbuf *probe;            /* owned: what an unresolved IPv6 neighbour is asked with */
    struct host_hop_state hops[HOST_N_HOPS];

    uint8_t *linear; /* owned, HOST_LINEAR_BYTES: a frame that came in two parts, or a datagram to cut */
    uint32_t identification; /* of the next datagram that is cut; starts at random */
    counter own_counters[N_NIC_COUNTERS];
};

#define HOST_LINEAR_BYTES 65536u

/* host.c */
static inline void host_count(struct host *host, enum nic_counter which)
{
    counter_add(host->counters, which, 1);
}

/* Addresses and neighbours may have changed: compares, tells. After whatever lets lwIP change them. */
void host_refresh(struct host *host);

/* Whether an address is ours (IPv6: also a tentative one if `or_tentative`). */
bool host_owns4(const struct host *host, const uint8_t address[4]);
bool host_owns6(const struct host *host, const uint8_t address[16], bool or_tentative);

/* host_restore.c: takes host->held up again; the netifs are up. */
void host_take_held(struct host *host);

/* host_output.c: what the netifs call. */
void host_output_attach(struct netif *netif);

/* host_hop.c */
uint64_t host_neighbours_hash(const struct host *host);
bool host_is_router6(const struct host *host, const uint8_t address[16]);
/* Whom lwIP is to be asked for to reach `destination`: itself, or a router; NULL: there is no way. Borrowed
 * until lwIP is called next. */
const ip6_addr_t *host_route6(const struct host *host, const ip6_addr_t *destination);

/* host_filter.c: each returns 0, or the counter that names why not. Pure but for our addresses and routers.
 */
unsigned host_filter_arp(const struct host *host, const uint8_t *arp, uint32_t len);

/* An IPv6 packet split at its transport header; `packet` is a private copy that the filter may reorder. */
struct host_ip6_view {
    uint8_t *packet;
    uint32_t transport_off;
    uint32_t len;
    uint8_t transport; /* protocol number */
};

/* Walks the extension headers, options included. The packet's length has been checked. */
unsigned host_filter_chain6(struct host_ip6_view *view);
/* An ICMPv6 message, neighbour discovery in particular. Puts the link-layer option first where lwIP needs it.
 */
unsigned host_filter_icmp6(const struct host *host, struct host_ip6_view *view);
/* ICMP, IGMP and DHCP over IPv4: checksum and lengths. `is_dhcp`: the packet is UDP to the DHCP client. */
unsigned host_filter_ip4(const uint8_t *packet, uint32_t len, bool *is_dhcp);

#endif
