/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * udp.c — -n datagrams to the echo service, one at a time, sizes from 1 byte to --bytes, content checked.
 * UDP may lose: a datagram is sent up to three times; the wrong content is an error at once.
 */
#include "net.h"
#include "pattern.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define UDP_MAX_BYTES 65507u
#define UDP_N_TRIES 3

static int connect_udp(const struct options *options)
{
    union address to = options->to;
    int fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), error;

    if (fd < 0)
        return -errno;
    /* sin_port and sin6_port stand at the same place. */
    to.ip4.sin_port = htons(net_port(options, PEER_PORT_ECHO));
    if (connect(fd, &to.any, to.any.sa_family == AF_INET ? sizeof(to.ip4) : sizeof(to.ip6)) == 0)
        return fd;
    error = -errno;
    close(fd);
    return error;
}

static int echo_one(int fd, const struct options *options, uint64_t serial, size_t n_bytes)
{
    static uint8_t sent[UDP_MAX_BYTES], received[UDP_MAX_BYTES];
    uint64_t seed = options->seed + serial;

    pattern_fill(seed, 0, sent, n_bytes);
    for (int i = 0; i < UDP_N_TRIES; i++) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (send(fd, sent, n_bytes, 0) < 0)
            return -errno;
        if (poll(&readable, 1, (int)options->timeout_ms / UDP_N_TRIES) == 0)
            continue;
        n = recv(fd, received, sizeof(received), 0);
        if (n < 0)
            return -errno;
        return (size_t)n == n_bytes && pattern_check(seed, 0, received, n_bytes) == n_bytes ? 0 : -EBADMSG;
    }
    return -ETIMEDOUT;
}

int peer_udp(const struct options *options)
{
    size_t max_bytes = options->n_bytes < UDP_MAX_BYTES ? (size_t)options->n_bytes : UDP_MAX_BYTES;
    int fd = connect_udp(options), error = fd < 0 ? fd : 0;
    unsigned n = options->n_connections;

    for (unsigned i = 0; i < n && error == 0; i++) {
        size_t n_bytes = n == 1 ? max_bytes : 1 + (max_bytes - 1) * i / (n - 1);

        error = echo_one(fd, options, i, n_bytes);
        if (error < 0)
            peer_fail(options, "datagram %u of %zu bytes: %s", i, n_bytes,
                      error == -EBADMSG ? "came back changed" : strerror(-error));
    }
    if (fd < 0)
        return peer_fail(options, "%s", strerror(-error));
    close(fd);
    if (error == 0)
        printf("{\"datagrams\":%u,\"bad_datagrams\":0}\n", n);
    return error == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
