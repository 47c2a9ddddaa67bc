/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net.c — see net.h. Every wait has a deadline: a stack under test may well never answer, and that must end
 * the run with a line that says so.
 */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NET_FIRST_SOURCE_PORT 10000
#define NET_N_SOURCE_PORTS 50000
#define NET_N_HANDSHAKES 64u

uint64_t net_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t net_cpu_ns(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) * 1000000000u +
           ((uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec) * 1000u;
}

int net_left_ms(uint64_t deadline_ns)
{
    uint64_t now_ns = net_now_ns();

    return now_ns >= deadline_ns ? 0 : (int)((deadline_ns - now_ns + 999999) / 1000000);
}

uint16_t net_port(const struct options *options, uint16_t service_port)
{
    return options->port != 0 ? options->port : service_port;
}

static socklen_t address_bytes(const union address *address)
{
    return address->any.sa_family == AF_INET ? sizeof(address->ip4) : sizeof(address->ip6);
}

static void address_set_port(union address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET)
        address->ip4.sin_port = htons(port);
    else
        address->ip6.sin6_port = htons(port);
}

/* A client that lets the kernel choose its ports meets its own TIME_WAIT, and the server's, after some ten
 * thousand connections; counted ports cannot. */
static int bind_source(int fd, const struct options *options, uint64_t serial)
{
    union address source = options->from;
    uint64_t address_idx = serial / NET_N_SOURCE_PORTS;
    uint8_t *last_byte = source.any.sa_family == AF_INET ? (uint8_t *)&source.ip4.sin_addr + 3
                                                         : &source.ip6.sin6_addr.s6_addr[15];
    int one = 1;

    if (address_idx >= options->n_sources || *last_byte + address_idx > 255)
        return -EADDRNOTAVAIL;
    *last_byte = (uint8_t)(*last_byte + address_idx);
    address_set_port(&source, (uint16_t)(NET_FIRST_SOURCE_PORT + serial % NET_N_SOURCE_PORTS));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    return bind(fd, &source.any, address_bytes(&source)) < 0 ? -errno : 0;
}

/* Before connect(): congestion control and source must hold for the handshake too. */
static int socket_prepare(int fd, const struct options *options, uint64_t serial)
{
    int one = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (options->congestion != NULL && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, options->congestion,
                                                  (socklen_t)strlen(options->congestion)) < 0)
        return -errno;
    return options->from.any.sa_family == AF_UNSPEC ? 0 : bind_source(fd, options, serial);
}

int net_connect_start(const struct options *options, uint16_t port, uint64_t serial)
{
    union address to = options->to;
    int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -errno;
    address_set_port(&to, port);
    error = socket_prepare(fd, options, serial);
    if (error == 0 && connect(fd, &to.any, address_bytes(&to)) < 0 && errno != EINPROGRESS)
        error = -errno;
    if (error < 0) {
        close(fd);
        return error;
    }
    return fd;
}

int net_connect_result(int fd)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return -errno;
    return -error;
}

/* In order of start: a later handshake that has ended meanwhile costs no wait when its turn comes. */
static int wait_connected(int fd, uint64_t deadline_ns)
{
    struct pollfd writable = {.fd = fd, .events = POLLOUT};

    if (poll(&writable, 1, net_left_ms(deadline_ns)) <= 0)
        return -ETIMEDOUT;
    return net_connect_result(fd);
}

int net_connect(const struct options *options, uint16_t port)
{
    struct timeval timeout = {.tv_sec = options->timeout_ms / 1000,
                              .tv_usec = options->timeout_ms % 1000 * 1000};
    int fd, error = net_connect_many(options, port, &fd, 1);

    if (error < 0)
        return error;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    if (fcntl(fd, F_SETFL, 0) < 0) {
        error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

int net_connect_many(const struct options *options, uint16_t port, int *fds, unsigned n)
{
    unsigned n_started = 0, n_open = 0;
    int error = 0;

    while (n_open < n && error == 0) {
        while (n_started < n && n_started - n_open < NET_N_HANDSHAKES && error == 0) {
            fds[n_started] = net_connect_start(options, port, n_started);
            error = fds[n_started] < 0 ? fds[n_started] : 0;
            n_started += error == 0;
        }
        if (error == 0)
            error = wait_connected(fds[n_open], net_now_ns() + (uint64_t)options->timeout_ms * 1000000u);
        n_open += error == 0;
    }
    if (error < 0)
        net_close_many(fds, n_started);
    return error;
}

void net_close_many(const int *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        close(fds[i]);
}
