/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_hop.c — next hops of the workers' packets. lwIP's ARP and ND tables are the truth; here is only what
 * they do not keep: since when an answer is waited for (so that a dead neighbour becomes a "no"), and when an
 * ARP entry in use was confirmed (lwIP confirms only those that its own packets use).
 *
 * That state is direct-mapped by a hash of the destination and may be overwritten by another destination: the
 * waiting then begins anew, nothing worse.
 *
 * lwIP gives every static IPv6 address a network of 64 bits. Where ours is smaller, lwIP is asked for the
 * gateway instead of a destination that only looks like a neighbour (host_route6). A larger one is beyond it:
 * it asks for a neighbour only from an address with the same 64 bits.
 */
#include <string.h>

#include <lwip/etharp.h>
#include <lwip/nd6.h>
#include <lwip/priv/nd6_priv.h>

#include "base/clock.h"
#include "frontend/host_internal.h"

/* A neighbour has this long to answer; three requests, a second apart, go out in it. */
#define HOP_WAIT_NS (3 * CLOCK_NS_PER_S)
/* Then the answer is "none" for this long, before it is asked again. */
#define HOP_GIVEN_UP_NS (2 * CLOCK_NS_PER_S)
/* lwIP forgets an ARP entry after five minutes; one in use is asked again before. */
#define HOP_REFRESH_NS (60 * CLOCK_NS_PER_S)

static const uint8_t broadcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* FNV-1a, continued from `hash`. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
    const uint8_t *byte = bytes;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3ull;
    return hash;
}

/* Everything in lwIP that decides about a next hop. Not for tables: an adversary may collide it at his own
 * cost. */
uint64_t host_neighbours_hash(const struct host *host)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    ip4_addr_t *address;
    struct eth_addr *mac;
    struct netif *netif;

    for (size_t i = 0; i < ARP_TABLE_SIZE; i++) {
        if (etharp_get_entry(i, &address, &netif, &mac) == 0)
            continue;
        hash = hash_bytes(hash, &address->addr, sizeof(address->addr));
        hash = hash_bytes(hash, mac->addr, sizeof(mac->addr));
    }
    for (unsigned i = 0; i < LWIP_ND6_NUM_NEIGHBORS; i++) {
        const struct nd6_neighbor_cache_entry *entry = &neighbor_cache[i];

        if (entry->state == ND6_NO_ENTRY || entry->state == ND6_INCOMPLETE)
            continue;
        hash = hash_bytes(hash, entry->next_hop_address.addr, 16);
        hash = hash_bytes(hash, entry->lladdr, ETH_HWADDR_LEN);
    }
    for (unsigned i = 0; i < LWIP_ND6_NUM_ROUTERS; i++) {
        if (default_router_list[i].neighbor_entry != NULL)
            hash = hash_bytes(hash, default_router_list[i].neighbor_entry->next_hop_address.addr, 16);
    }
    for (uint32_t i = 0; i < host->n_links; i++)
        hash = hash_bytes(hash, &netif_ip4_gw(&host->links[i])->addr, 4);
    return hash;
}

/* Linear: lwIP keeps three routers, and only redirects ask. */
bool host_is_router6(const struct host *host, const uint8_t address[16])
{
    if (host->has_gateway6 && memcmp(host->gateway6.addr, address, 16) == 0)
        return true;
    for (unsigned i = 0; i < LWIP_ND6_NUM_ROUTERS; i++) {
        const struct nd6_neighbor_cache_entry *entry = default_router_list[i].neighbor_entry;

        if (entry != NULL && memcmp(entry->next_hop_address.addr, address, 16) == 0)
            return true;
    }
    return false;
}

/* The state of a destination; a place that served another is taken over. */
static struct host_hop_state *hop_state(struct host *host, uint8_t family, const uint8_t *address)
{
    uint8_t full[16] = {0};
    struct host_hop_state *state;
    uint64_t hash;

    memcpy(full, address, family == 4 ? 4 : 16);
    hash = hash_bytes(0xcbf29ce484222325ull ^ family, full, sizeof(full));
    state = &host->hops[(hash ^ hash >> 32) & (HOST_N_HOPS - 1)];
    if (state->family != family || memcmp(state->address, full, sizeof(full)) != 0) {
        memset(state, 0, sizeof(*state));
        state->family = family;
        memcpy(state->address, full, sizeof(full));
    }
    return state;
}

/* In the second half of the wait: the neighbour had its time, and is not asked again yet. */
static bool is_given_up(const struct host *host, const struct host_hop_state *state)
{
    uint64_t waited_ns = host->now_ns - state->asked_ns;

    return state->is_waiting && waited_ns >= HOP_WAIT_NS && waited_ns < HOP_WAIT_NS + HOP_GIVEN_UP_NS;
}

/* Notes that an answer is missing; true when the asking begins with this call. */
static bool begin_waiting(const struct host *host, struct host_hop_state *state)
{
    if (state->is_waiting && host->now_ns - state->asked_ns < HOP_WAIT_NS + HOP_GIVEN_UP_NS)
        return false;
    state->is_waiting = true;
    state->asked_ns = host->now_ns;
    return true;
}

/*
 * The netif that reaches *destination: the first whose network it is in, so an address that two networks
 * share goes the way of the configuration's order. NULL when there is no way. *destination, which becomes the
 * gateway's address where there is one in between.
 */
static struct netif *route4(struct host *host, ip4_addr_t *destination)
{
    for (uint32_t i = 0; i < host->n_links; i++) {
        struct netif *link = &host->links[i];

        if (!ip4_addr_isany(netif_ip4_addr(link)) &&
            ip4_addr_net_eq(destination, netif_ip4_addr(link), netif_ip4_netmask(link)))
            return link;
    }
    for (uint32_t i = 0; i < host->n_links; i++) {
        struct netif *link = &host->links[i];

        if (!ip4_addr_isany(netif_ip4_addr(link)) && !ip4_addr_isany(netif_ip4_gw(link))) {
            *destination = *netif_ip4_gw(link);
            return link;
        }
    }
    return NULL;
}

/* The entry is good; asks whether it still is, now and then. */
static void confirm4(struct host *host, struct netif *link, const ip4_addr_t *address)
{
    struct host_hop_state *state = hop_state(host, 4, (const uint8_t *)&address->addr);

    if (state->is_waiting || state->refreshed_ns == 0) {
        state->is_waiting = false;
        state->refreshed_ns = host->now_ns;
    } else if (host->now_ns - state->refreshed_ns >= HOP_REFRESH_NS) {
        state->refreshed_ns = host->now_ns;
        (void)etharp_query(link, address, NULL);
    }
}

/*
 * Groups and the all-ones broadcast need no route: DHCP sends to it before there is any address. A network's
 * own broadcast is known by its netif only.
 */
static enum host_hop next_hop4(struct host *host, const uint8_t *destination, uint8_t mac[6])
{
    ip4_addr_t address;
    struct netif *link;
    struct eth_addr *found;
    const ip4_addr_t *found_address;
    struct host_hop_state *state;

    memcpy(&address.addr, destination, 4);
    if (ip4_addr_ismulticast(&address)) {
        const uint8_t group[6] = {0x01, 0x00, 0x5e, destination[1] & 0x7f, destination[2], destination[3]};

        memcpy(mac, group, sizeof(group));
        return HOST_HOP_FOUND;
    }
    link = route4(host, &address);
    if (address.addr == IPADDR_BROADCAST || (link != NULL && ip4_addr_isbroadcast(&address, link))) {
        memcpy(mac, broadcast_mac, sizeof(broadcast_mac));
        return HOST_HOP_FOUND;
    }
    if (link == NULL)
        return HOST_HOP_NONE;
    if (etharp_find_addr(link, &address, &found, &found_address) >= 0) {
        memcpy(mac, found->addr, sizeof(found->addr));
        confirm4(host, link, &address);
        return HOST_HOP_FOUND;
    }
    state = hop_state(host, 4, (const uint8_t *)&address.addr);
    if (is_given_up(host, state))
        return HOST_HOP_NONE;
    if (begin_waiting(host, state))
        (void)etharp_query(link, &address, NULL); /* lwIP repeats it each second */
    return HOST_HOP_PENDING;
}

/* The first n_bits of both are equal; all of 0 are. */
static bool shares_prefix6(const void *a, const void *b, uint32_t n_bits)
{
    const uint8_t *left = a, *right = b;
    uint32_t n_bytes = n_bits / 8, n_left = n_bits % 8;

    if (memcmp(left, right, n_bytes) != 0)
        return false;
    return n_left == 0 || (left[n_bytes] ^ right[n_bytes]) >> (8 - n_left) == 0;
}

/* In a network of the configuration's addresses, by their prefix lengths. */
static bool is_on_link6(const struct host *host, const ip6_addr_t *address)
{
    for (uint32_t i = 0; i < host->n_static6; i++) {
        if (shares_prefix6(host->static6[i].bytes, address->addr, host->static6[i].prefix_bits))
            return true;
    }
    return false;
}

/* lwIP takes it for a neighbour, for an address of ours has the same 64 bits; but neither the configuration
 * nor a router has said that it is one. */
static bool is_mistaken6(const struct host *host, const ip6_addr_t *address)
{
    bool is_alike = false;

    for (uint32_t i = 0; i < host->n_static6; i++)
        is_alike |= shares_prefix6(host->static6[i].bytes, address->addr, HOST_LWIP_PREFIX_BITS);
    if (!is_alike || is_on_link6(host, address))
        return false;
    /* An advertised prefix is on the link by the router's word (RFC 4861 6.3.4). */
    for (unsigned i = 0; i < LWIP_ND6_NUM_PREFIXES; i++) {
        if (prefix_list[i].netif != NULL && prefix_list[i].invalidation_timer > 0 &&
            ip6_addr_net_eq(&prefix_list[i].prefix, address))
            return false;
    }
    return true;
}

const ip6_addr_t *host_route6(const struct host *host, const ip6_addr_t *destination)
{
    if (ip6_addr_ismulticast(destination) || ip6_addr_islinklocal(destination) ||
        !is_mistaken6(host, destination))
        return destination;
    /* In the order of host_hook_gateway6(): the operator's word before that of anybody on the link. */
    if (host->has_gateway6)
        return &host->gateway6;
    for (unsigned i = 0; i < LWIP_ND6_NUM_ROUTERS; i++) {
        const struct nd6_router_list_entry *router = &default_router_list[i];

        if (router->neighbor_entry != NULL && router->invalidation_timer > 0)
            return &router->neighbor_entry->next_hop_address;
    }
    return NULL;
}

/*
 * lwIP chooses router or neighbour, asks, and keeps the neighbour's reachability (RFC 4861 7.3): each
 * question here counts as use, so it probes neighbours that are used and have grown stale.
 */
static enum host_hop next_hop6(struct host *host, const uint8_t *destination, uint8_t mac[6])
{
    struct host_hop_state *state;
    const uint8_t *found = NULL;
    const ip6_addr_t *route;
    ip6_addr_t address;
    err_t result;

    if (destination[0] == 0xff) {
        mac[0] = mac[1] = 0x33;
        memcpy(mac + 2, destination + 12, 4);
        return HOST_HOP_FOUND;
    }
    state = hop_state(host, 6, destination);
    if (is_given_up(host, state))
        return HOST_HOP_NONE;
    memcpy(address.addr, destination, 16);
    route = host_route6(host, &address);
    if (route == NULL)
        return HOST_HOP_NONE;
    /* Asks with a packet that output6() swallows when lwIP, having its answer, sends it. */
    result = nd6_get_next_hop_addr_or_queue(&host->links[0], host->probe, route, &found);
    /* No router: nothing to wait for. Out of table places (ERR_MEM) is a wait like any other. */
    if (result == ERR_RTE)
        return HOST_HOP_NONE;
    if (result == ERR_OK && found != NULL) {
        memcpy(mac, found, ETH_HWADDR_LEN);
        state->is_waiting = false;
        return HOST_HOP_FOUND;
    }
    (void)begin_waiting(host, state);
    return HOST_HOP_PENDING;
}

enum host_hop host_next_hop(struct host *host, uint8_t family, const uint8_t *destination, uint8_t mac[6])
{
    if (!host->is_up)
        return HOST_HOP_PENDING;
    return family == 4 ? next_hop4(host, destination, mac) : next_hop6(host, destination, mac);
}
