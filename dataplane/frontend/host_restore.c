/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_restore.c — addresses over the death of a frontend. Its workers go on using them, so a second of
 * duplicate address detection, or the seconds of a new lease, would be a second in which every connection
 * stands still, with each restart anew. The addresses were checked when they were first taken; nobody can
 * have taken them since, for the link answered for them until a moment ago.
 */
#include <lwip/inet_chksum.h>
#include <lwip/ip6.h>
#include <lwip/nd6.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/prot/ethernet.h>
#include <lwip/prot/icmp6.h>
#include <lwip/prot/nd6.h>
#include <string.h>

#include "base/log.h"
#include "frontend/host.h"
#include "frontend/host_internal.h"

#define RESTORE_LIFE_S 7200u  /* of an address that only a router may prolong */
#define RESTORE_HOP_LIMIT 255 /* of neighbour discovery, RFC 4861 7.1 */

void host_restore(struct host *host, const struct host_held *held)
{
    host->held = *held;
    if (host->held.addresses.n_addresses > HOST_MAX_ADDRESSES)
        host->held.addresses.n_addresses = 0;
}

void host_get_held(const struct host *host, struct host_held *held)
{
    *held = (struct host_held){.addresses = host->addresses};
    if (host->wants_dhcp)
        memcpy(held->gateway4, &netif_ip4_gw(&host->links[0])->addr, sizeof(held->gateway4));
}

/* The lease's address goes where DHCP will put its own. */
static void restore4(struct host *host, const struct config_address *address)
{
    struct netif *link = &host->links[0];
    ip4_addr_t ip, mask, router;

    if (!host->wants_dhcp || !ip4_addr_isany(netif_ip4_addr(link)) || host_owns4(host, address->bytes) ||
        address->prefix_bits == 0 || address->prefix_bits > 32)
        return;
    memcpy(&ip.addr, address->bytes, sizeof(ip.addr));
    memcpy(&router.addr, host->held.gateway4, sizeof(router.addr));
    mask.addr = lwip_htonl(0xffffffffu << (32 - address->prefix_bits));
    netif_set_addr(link, &ip, &mask, &router);
}

/*
 * An unsolicited neighbour advertisement (RFC 4861 7.2.6), as gratuitous ARP is for IPv4. A neighbour that
 * asked while nobody was here would ask again only after a second, and TCP would wait longer still.
 */
static void tell6(struct netif *link, const ip6_addr_t *ip)
{
    enum { OPTION_LEN_8 = (2 + ETH_HWADDR_LEN) / 8 };
    struct pbuf *p = pbuf_alloc(PBUF_IP, sizeof(struct na_header) + OPTION_LEN_8 * 8, PBUF_RAM);
    struct na_header *advert;
    struct lladdr_option *option;
    ip6_addr_t all_nodes;

    if (p == NULL)
        return; /* then they find us by asking */
    memset(p->payload, 0, p->len);
    advert = p->payload;
    advert->type = ICMP6_TYPE_NA;
    advert->flags = ND6_FLAG_OVERRIDE;
    ip6_addr_copy_to_packed(advert->target_address, *ip);
    option = (struct lladdr_option *)(void *)(advert + 1);
    option->type = ND6_OPTION_TYPE_TARGET_LLADDR;
    option->length = OPTION_LEN_8;
    memcpy(option->addr, link->hwaddr, ETH_HWADDR_LEN);
    ip6_addr_set_allnodes_linklocal(&all_nodes);
    ip6_addr_assign_zone(&all_nodes, IP6_MULTICAST, link);
    advert->chksum = ip6_chksum_pseudo(p, IP6_NEXTH_ICMP6, p->len, ip, &all_nodes);
    ip6_output_if(p, ip, &all_nodes, RESTORE_HOP_LIMIT, 0, IP6_NEXTH_ICMP6, link);
    pbuf_free(p);
}

/* One that was added already need not be examined; one of a router's prefix is added for a limited time. */
static void restore6(struct host *host, const struct config_address *address)
{
    struct netif *link = &host->links[0];
    ip6_addr_t ip;
    s8_t idx;

    memcpy(ip.addr, address->bytes, 16);
    ip6_addr_clear_zone(&ip);
    ip6_addr_assign_zone(&ip, IP6_UNICAST, link);
    idx = netif_get_ip6_addr_match(link, &ip);
    if (idx < 0 && host->wants_slaac && !ip6_addr_islinklocal(&ip)) {
        if (netif_add_ip6_address(link, &ip, &idx) != ERR_OK)
            return;
        netif_ip6_addr_set_valid_life(link, idx, RESTORE_LIFE_S);
        netif_ip6_addr_set_pref_life(link, idx, RESTORE_LIFE_S);
    }
    if (idx < 0)
        return;
    netif_ip6_addr_set_state(link, idx, IP6_ADDR_PREFERRED);
    tell6(link, &ip);
}

void host_take_held(struct host *host)
{
    const struct host_addresses *held = &host->held.addresses;

    for (uint32_t i = 0; i < held->n_addresses; i++) {
        if (held->addresses[i].family == 4)
            restore4(host, &held->addresses[i]);
        else if (held->addresses[i].family == 6)
            restore6(host, &held->addresses[i]);
    }
    if (held->n_addresses > 0)
        log_info("addresses_restored n=%u", held->n_addresses);
}
