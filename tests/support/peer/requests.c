/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * requests.c — one byte to the echo service and back, over N connections, each with one request under way.
 * The byte changes with each request, so an answer to an older one is seen.
 */
#include "net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUESTS_N_EVENTS 256

struct pinger {
    int *fds;
    uint64_t *n_answers;
    unsigned n;
    uint64_t n_answers_total;
    int epoll_fd;
};

/* 37 is odd: 256 requests pass before a byte comes again. */
static uint8_t request_byte(const struct pinger *pinger, unsigned idx)
{
    return (uint8_t)(pinger->n_answers[idx] * 37 + idx);
}

static int send_request(const struct pinger *pinger, unsigned idx)
{
    uint8_t byte = request_byte(pinger, idx);

    return send(pinger->fds[idx], &byte, 1, 0) == 1 ? 0 : -errno;
}

/* Two bytes are asked for so that one too many is seen. */
static int take_answer(struct pinger *pinger, unsigned idx)
{
    uint8_t bytes[2];
    ssize_t n = recv(pinger->fds[idx], bytes, sizeof(bytes), 0);

    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;
    if (n == 0)
        return -ECONNRESET;
    if (n != 1 || bytes[0] != request_byte(pinger, idx))
        return -EBADMSG;
    pinger->n_answers[idx]++;
    pinger->n_answers_total++;
    return send_request(pinger, idx);
}

/* Runs until end_ns. All connections silent for --timeout is an error. */
static int ping_until(struct pinger *pinger, uint64_t end_ns, uint32_t timeout_ms)
{
    struct epoll_event events[REQUESTS_N_EVENTS];
    uint64_t heard_ns = net_now_ns();

    while (net_now_ns() < end_ns) {
        int n_ready = epoll_wait(pinger->epoll_fd, events, REQUESTS_N_EVENTS, net_left_ms(end_ns));

        for (int i = 0; i < n_ready; i++) {
            int error = take_answer(pinger, events[i].data.u32);

            if (error < 0)
                return error;
        }
        if (n_ready > 0)
            heard_ns = net_now_ns();
        else if (net_left_ms(heard_ns + (uint64_t)timeout_ms * 1000000u) == 0)
            return -ETIMEDOUT;
    }
    return 0;
}

static int start_all(struct pinger *pinger)
{
    for (unsigned i = 0; i < pinger->n; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        int error;

        if (epoll_ctl(pinger->epoll_fd, EPOLL_CTL_ADD, pinger->fds[i], &event) < 0)
            return -errno;
        error = send_request(pinger, i);
        if (error < 0)
            return error;
    }
    return 0;
}

/* The warm-up fills caches, ARP and windows; it is verified like the rest, but not counted. */
static int measure(struct pinger *pinger, const struct options *options)
{
    uint64_t start_ns, begin_answers, cpu_ns, run_ns;
    int error = start_all(pinger);

    if (error == 0)
        error =
            ping_until(pinger, net_now_ns() + (uint64_t)options->warmup_ms * 1000000u, options->timeout_ms);
    if (error < 0)
        return error;
    start_ns = net_now_ns();
    cpu_ns = net_cpu_ns();
    begin_answers = pinger->n_answers_total;
    error = ping_until(pinger, start_ns + (uint64_t)options->run_ms * 1000000u, options->timeout_ms);
    if (error < 0)
        return error;
    run_ns = net_now_ns() - start_ns;
    for (unsigned i = 0; i < pinger->n; i++) {
        if (pinger->n_answers[i] == 0)
            return -ENODATA;
    }
    printf("{\"connections\":%u,\"requests\":%llu,\"seconds\":%.3f,\"requests_s\":%.0f,\"cpu_s\":%.3f}\n",
           pinger->n, (unsigned long long)(pinger->n_answers_total - begin_answers), (double)run_ns / 1e9,
           (double)(pinger->n_answers_total - begin_answers) * 1e9 / (double)run_ns,
           (double)(net_cpu_ns() - cpu_ns) / 1e9);
    return 0;
}

int peer_requests(const struct options *options)
{
    struct pinger pinger = {.n = options->n_connections, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    int error = -ENOMEM;

    pinger.fds = calloc(pinger.n, sizeof(*pinger.fds));
    pinger.n_answers = calloc(pinger.n, sizeof(*pinger.n_answers));
    if (pinger.fds != NULL && pinger.n_answers != NULL && pinger.epoll_fd >= 0)
        error = net_connect_many(options, net_port(options, PEER_PORT_ECHO), pinger.fds, pinger.n);
    if (error == 0) {
        error = measure(&pinger, options);
        net_close_many(pinger.fds, pinger.n);
    }
    if (pinger.epoll_fd >= 0)
        close(pinger.epoll_fd);
    free(pinger.n_answers);
    free(pinger.fds);
    if (error == -EBADMSG)
        return peer_fail(options, "an answer is not its request");
    if (error == -ENODATA)
        return peer_fail(options, "a connection got no answer");
    return error == 0 ? EXIT_SUCCESS : peer_fail(options, "%s", strerror(-error));
}
