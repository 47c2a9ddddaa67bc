/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lwipopts.h — lwIP as a worker runs it: TCP, UDP and IP from layer 3 up, no link layer, no timers of its
 * own, no fragmentation and no reassembly (the frontend does both), memory from the budgeted pool.
 */
#ifndef MPA_LWIP_WORKER_LWIPOPTS_H
#define MPA_LWIP_WORKER_LWIPOPTS_H

#include <stddef.h>

/* Defined in dataplane/worker/stack/. */
void *pool_malloc(size_t size);
void *pool_calloc(size_t count, size_t size);
void pool_free(void *memory);
unsigned short stack_lwip_checksum(const void *data, int len);

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_ERRNO_STDINCLUDE 1
#define LWIP_TIMERS 0 /* dataplane/worker/stack/timer.c calls tcp_fasttmr() and tcp_slowtmr() */
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_SINGLE_NETIF 1
#define LWIP_NETIF_API 0

/* Only what lwIP alone knows: the TCP checksums it has found wrong (stack/input.c takes their number). */
#define LWIP_STATS 1
#define LWIP_STATS_LARGE 1
#define TCP_STATS 1
#define LINK_STATS 0
#define ETHARP_STATS 0
#define IP_STATS 0
#define IPFRAG_STATS 0
#define ICMP_STATS 0
#define IGMP_STATS 0
#define UDP_STATS 1
#define MEM_STATS 0
#define MEMP_STATS 0
#define SYS_STATS 0
#define IP6_STATS 0
#define ICMP6_STATS 0
#define IP6_FRAG_STATS 0
#define MLD6_STATS 0
#define ND6_STATS 0

/* Memory: every pcb, segment and pbuf header comes from pool_malloc(). */
#define MEM_ALIGNMENT 8
#define MEM_CUSTOM_ALLOCATOR 1
#define MEM_CUSTOM_MALLOC pool_malloc
#define MEM_CUSTOM_CALLOC pool_calloc
#define MEM_CUSTOM_FREE pool_free
#define MEMP_MEM_MALLOC 1
#define PBUF_POOL_SIZE 4 /* unused: frames stand in the rx pool */

/* Link layer: none. */
#define LWIP_ETHERNET 0
#define LWIP_ARP 0
#define LWIP_DHCP 0
#define LWIP_AUTOIP 0
#define LWIP_ACD 0
#define LWIP_IGMP 0
#define LWIP_RAW 0
#define LWIP_DNS 0
#define PBUF_LINK_HLEN 0
#define PBUF_LINK_ENCAPSULATION_HLEN 0
#define LWIP_SUPPORT_CUSTOM_PBUF 1

#define LWIP_IPV4 1
#define LWIP_ICMP 1 /* port unreachable; echo is the frontend's */
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define IP_FORWARD 0
#define LWIP_IPV6 1
#define LWIP_IPV6_NUM_ADDRESSES 8
#define LWIP_IPV6_REASS 0
#define LWIP_IPV6_FRAG 0
#define LWIP_IPV6_MLD 0
#define LWIP_IPV6_FORWARD 0
#define LWIP_IPV6_AUTOCONFIG 0
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 0
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS 0
#define LWIP_ND6_QUEUEING 0
#define LWIP_ICMP6 1

#define LWIP_UDP 1
#define LWIP_TCP 1
#define TCP_MSS 8960 /* the ceiling; what is announced follows from the link MTU and the family */
#define TCP_CALCULATE_EFF_SEND_MSS 1
#define TCP_WND (1024 * 1024)
#define TCP_SND_BUF (1024 * 1024)
#define TCP_SND_QUEUELEN 8000
#define TCP_SNDLOWAT 4096
#define TCP_SNDQUEUELOWAT 5
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 5
#define LWIP_TCP_TIMESTAMPS 1
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_MAX_SACK_NUM 4
#define TCP_QUEUE_OOSEQ 1
#define TCP_OOSEQ_MAX_PBUFS 1024
/* Bounded by the worker's connection limit, not by 255 half-open ones a port. */
#define TCP_LISTEN_BACKLOG 0
#define LWIP_TCP_KEEPALIVE 1
#define LWIP_TCP_PCB_NUM_EXT_ARGS 1
#define LWIP_CALLBACK_API 1
#define TCP_TMR_INTERVAL 10 /* ms; slow ticks are 20 ms */
/* ms, until a round trip was measured (RFC 6298 2.1); stock: three seconds. */
#define LWIP_TCP_RTO_TIME 1000
#define TCP_MSL 5000UL
/* Segments reference FIFO bytes: no room is added to headers, nothing is copied together. */
#define TCP_OVERSIZE 0
#define LWIP_NETIF_TX_SINGLE_PBUF 0

/* Checksums: TCP and IPv4 headers are written while a packet is staged; UDP and ICMP by lwIP. */
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_CHKSUM_ALGORITHM 2
#define LWIP_CHKSUM stack_lwip_checksum

#define LWIP_HOOK_FILENAME "lwip_hooks.h"

#endif
