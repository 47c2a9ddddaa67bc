/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lwipopts.h — the baseline's lwIP: what a careful user of the stock stack would set, and where a value moves
 * a figure the one our workers have (MSS, windows, scaling, timestamps, SACK, timer interval, allocator).
 * Everything that is ours and not lwIP's stays out: no hook, no offload, no look-up trick, no own checksum.
 */
#ifndef MPA_BASELINE_LWIPOPTS_H
#define MPA_BASELINE_LWIPOPTS_H

/* One thread, raw API, as in lwIP's unix example without an operating system. */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0

/* malloc for all: no limit of 65,535 PCBs per pool, and no pool for one side of a comparison only. */
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 8

#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_ICMP 1
#define LWIP_ICMP6 1
#define LWIP_DHCP 0
#define LWIP_DNS 0
#define LWIP_RAW 0
#define IPV6_FRAG_COPYHEADER 1 /* pointers of 64 bits do not fit into the header in place */
#define LWIP_IPV6_AUTOCONFIG 0
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS 0 /* the address is usable at once: nothing in a run waits for DAD */

#define TCP_MSS 1460
#define PBUF_POOL_SIZE 1024 /* lwIP checks that a window fits into it */
#define TCP_WND (1024 * 1024)
#define TCP_SND_BUF (1024 * 1024)
#define TCP_SND_QUEUELEN (4 * TCP_SND_BUF / TCP_MSS)
#define TCP_SNDLOWAT (16 * TCP_MSS) /* for select() only, unused here; the default overflows its 16 bits */
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 5
#define LWIP_TCP_TIMESTAMPS 1
#define LWIP_TCP_SACK_OUT 1
#define TCP_QUEUE_OOSEQ 1
#define TCP_TMR_INTERVAL 10
#define LWIP_TCP_RTO_TIME 1000
#define TCP_MSL 5000UL
#define TCP_LISTEN_BACKLOG 0

#define LWIP_CHKSUM_ALGORITHM 2

#define LWIP_STATS 0

#endif
