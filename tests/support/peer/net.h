/* SPDX-License-Identifier: BSD-3-Clause */
/* net.h — sockets of the peer, all non-blocking but where a function says otherwise; its clock. */
#ifndef MPA_TESTS_PEER_NET_H
#define MPA_TESTS_PEER_NET_H

#include <stdint.h>

#include "options.h"

/* CLOCK_MONOTONIC; processor time of this process, user and system. */
uint64_t net_now_ns(void);
uint64_t net_cpu_ns(void);

/* Milliseconds until `deadline_ns`, rounded up, 0 when it is past; fits poll() and epoll_wait(). */
int net_left_ms(uint64_t deadline_ns);

/*
 * Starts a TCP connection. With --from the source is (from + serial / 50000, port 10000 + serial % 50000), so
 * that a run with counted serials never uses a 4-tuple twice, whatever stands in TIME_WAIT at either end.
 * Returns the descriptor, or -errno: -EADDRNOTAVAIL when the sources are used up.
 */
int net_connect_start(const struct options *options, uint16_t port, uint64_t serial);

/* 0 when the handshake of a writable socket succeeded, else -errno. */
int net_connect_result(int fd);

/* One connection, waited for, at most --timeout. The descriptor is blocking, with --timeout for reads and
 * writes. Returns it or -errno. */
int net_connect(const struct options *options, uint16_t port);

/* Opens n connections, 64 handshakes at a time. 0 with fds[] filled, or -errno and none open. */
int net_connect_many(const struct options *options, uint16_t port, int *fds, unsigned n);

void net_close_many(const int *fds, unsigned n);

/* The port to use: --port, else the service's. */
uint16_t net_port(const struct options *options, uint16_t service_port);

#endif
