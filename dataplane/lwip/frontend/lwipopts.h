/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lwipopts.h — the frontend's own lwIP: a host's duties (ARP, ND, ICMP, IGMP, MLD, DHCP, router discovery)
 * and no transport but the UDP below DHCP. TCP and UDP of applications live in the workers.
 *
 * All memory is static: lwIP's heap and pools are arrays of the program, so the budget is fixed when it is
 * linked and nothing is asked from the system later.
 *
 * Reassembly is off here on purpose: frontend/reassembly.c does it before lwIP, see there.
 */
#ifndef MPA_LWIP_FRONTEND_LWIPOPTS_H
#define MPA_LWIP_FRONTEND_LWIPOPTS_H

#define LWIP_HOOK_FILENAME "lwip_hooks.h"

/* One thread, no operating system layer; timers are driven by host_tick(). */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_TIMERS 1
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0

/* Memory: the heap holds packets, a few of them pings of 64 KiB and their answers. */
#define MEM_LIBC_MALLOC 0
#define MEMP_MEM_MALLOC 0
#define MEM_ALIGNMENT 8
#define MEM_SIZE (768 * 1024)
#define MEMP_NUM_PBUF 64
#define PBUF_POOL_SIZE 4
#define MEMP_NUM_RAW_PCB 1
#define MEMP_NUM_UDP_PCB 2
/* An alias netif for each further IPv4 address joins all-hosts; IPv6 joins a group per address. */
#define MEMP_NUM_IGMP_GROUP 16
#define MEMP_NUM_MLD6_GROUP 24
/* A probe (host_hop.c) is referenced once by each neighbour that is asked for. */
#define LWIP_PBUF_REF_T u16_t
#define LWIP_SUPPORT_CUSTOM_PBUF 1

/* Protocols. */
#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_ARP 1
#define LWIP_ETHERNET 1
#define LWIP_ICMP 1
#define LWIP_ICMP6 1
#define LWIP_IGMP 1
#define LWIP_IPV6_MLD 1
#define LWIP_UDP 1
#define LWIP_RAW 0
#define LWIP_TCP 0
#define LWIP_DNS 0
#define LWIP_AUTOIP 0
#define LWIP_DHCP 1
/* An address conflict is what host_filter.c drops and counts, so lwIP would never hear of one. */
#define LWIP_ACD 0
#define LWIP_DHCP_DOES_ACD_CHECK 0
#define LWIP_IPV6_AUTOCONFIG 1
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 1
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS 1
#define LWIP_ND6_ALLOW_RA_UPDATES 1
#define LWIP_IPV6_DHCP6 0
/* There is one link: a link-local address needs no zone to say which. */
#define LWIP_IPV6_SCOPES 0

/* Fragments: put together by frontend/reassembly.c, cut by frontend/fragment.c. */
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define LWIP_IPV6_REASS 0
#define LWIP_IPV6_FRAG 0
#define IP_FORWARD 0
#define LWIP_IPV6_FORWARD 0

/* Next hops: as many as lwIP's signed 8-bit indexes take (nd6_tmr() runs through the destinations with one).
 */
#define ARP_TABLE_SIZE 127
#define ARP_QUEUEING 0
#define ETHARP_SUPPORT_STATIC_ENTRIES 0
#define LWIP_ND6_NUM_NEIGHBORS 120
#define LWIP_ND6_NUM_DESTINATIONS 127
#define LWIP_ND6_QUEUEING 0
#define LWIP_IPV6_NUM_ADDRESSES 10

/*
 * An echo request is turned round in place. Its buffer comes from host_input.c, which leaves room for the
 * link header; with the check on, a datagram of full 64 KiB would overflow lwIP's 16-bit lengths and go
 * unanswered.
 */
#define LWIP_ICMP_ECHO_CHECK_INPUT_PBUF_LEN 0
#define LWIP_MULTICAST_PING 0
#define LWIP_BROADCAST_PING 0

/*
 * Checksums of what comes in: IP, ICMP and IGMP are checked. UDP is not: a frame of this machine's own DHCP
 * server has only a partial one (virtio_net_hdr NEEDS_CSUM), host_filter.c accepts that and the full one.
 */
#define CHECKSUM_CHECK_UDP 0
#define LWIP_NETIF_TX_SINGLE_PBUF 1

#define LWIP_NETIF_HOSTNAME 0
#define LWIP_NETIF_LOOPBACK 0
#define LWIP_STATS 0

#endif
