/* SPDX-License-Identifier: BSD-3-Clause */
/* lwip_hooks.h — the places where the frontend's lwIP asks us; implemented in dataplane/frontend/host.c.
 */
#ifndef MPA_LWIP_FRONTEND_LWIP_HOOKS_H
#define MPA_LWIP_FRONTEND_LWIP_HOOKS_H

#include <lwip/ip6_addr.h>
#include <lwip/netif.h>

/*
 * Asked for an IPv6 destination outside lwIP's on-link prefixes. Returns the configured gateway, or NULL to
 * take a router from an advertisement. Borrowed for the life of the host stack.
 */
const ip6_addr_t *host_hook_gateway6(struct netif *netif, const ip6_addr_t *destination);
#define LWIP_HOOK_ND6_GET_GW(netif, destination) host_hook_gateway6(netif, destination)

#endif
