/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * carry.c — N connections to the echo service that carry position-dependent bytes both ways until they are
 * told to stop (orders.h), while somebody does things to the stack. Whatever happens, a byte that comes back
 * must be the right one, all that was sent must come back, and the stream must end with a FIN.
 *
 *   bulk      as fast as it goes, at most --bytes on their way in each connection
 *   trickle   a message of up to --bytes, its echo, a pause of 20 to 400 ms, the next
 *   idle      nothing, but for a message of --bytes at each order to probe
 *
 * A stream is moved by one number, n_allowed: the position up to which it may send. The modes differ only in
 * when they raise it. A connection that failed is counted and not opened again.
 */
#include "net.h"
#include "orders.h"
#include "pattern.h"
#include "tally.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CARRY_CHUNK_BYTES 65536u
#define CARRY_N_EVENTS 256
#define CARRY_TICK_NS 5000000u
#define CARRY_MIN_PAUSE_NS 20000000u
#define CARRY_PAUSE_SPAN_NS 380000000u

enum carry_mode { CARRY_BULK, CARRY_TRICKLE, CARRY_IDLE };

struct stream {
    int fd; /* -1: ended, well or not */
    bool is_shut, is_writable_wanted;
    uint64_t seed;
    uint64_t n_sent, n_received, n_allowed;
    uint64_t waiting_ns; /* since when something is due; 0: nothing is */
    uint64_t next_ns;    /* trickle: the pause ends */
};

struct carry {
    const struct options *options;
    enum carry_mode mode;
    int epoll_fd;
    struct stream *streams;
    unsigned n_open;
    unsigned n_probed; /* streams whose probe has not come back */
    uint64_t probe_ns;
    uint64_t stop_ns; /* when it was told to stop; 0: not yet */
    struct orders orders;
    struct tally tally;
};

static uint64_t mix(uint64_t x)
{
    uint8_t bytes[8];
    uint64_t mixed;

    pattern_fill(x, 0, bytes, sizeof(bytes));
    memcpy(&mixed, bytes, sizeof(mixed));
    return mixed;
}

/* One stream less whose probe is due, answered or dead: the last one makes the line. */
static void probe_done(struct carry *carry, uint64_t now_ns)
{
    if (carry->n_probed == 0 || --carry->n_probed > 0)
        return;
    printf("{\"probed\":%u,\"open\":%u,\"ms\":%.3f}\n", carry->options->n_connections, carry->n_open,
           (double)(now_ns - carry->probe_ns) / 1e6);
    fflush(stdout);
}

static void stream_end(struct carry *carry, struct stream *stream, int error)
{
    bool is_probed = carry->mode == CARRY_IDLE && stream->n_allowed != stream->n_received;

    if (stream->waiting_ns != 0)
        tally_wait(&carry->tally, stream->fd, stream->waiting_ns, net_now_ns());
    tally_socket(&carry->tally, stream->fd);
    if (error < 0)
        tally_failure(&carry->tally, stream->fd, stream->n_received, error);
    else
        carry->tally.n_completed++;
    close(stream->fd);
    stream->fd = -1;
    carry->n_open--;
    if (is_probed)
        probe_done(carry, net_now_ns());
}

static void want_writable(struct carry *carry, struct stream *stream, bool is_wanted)
{
    struct epoll_event event = {.events = EPOLLIN | (is_wanted ? EPOLLOUT : 0u), .data.ptr = stream};

    if (stream->is_writable_wanted != is_wanted)
        epoll_ctl(carry->epoll_fd, EPOLL_CTL_MOD, stream->fd, &event);
    stream->is_writable_wanted = is_wanted;
}

/* One chunk a call, so that no stream starves the others. 0 or -errno. */
static int stream_send(struct carry *carry, struct stream *stream)
{
    uint8_t bytes[CARRY_CHUNK_BYTES];
    uint64_t n_left = stream->n_allowed - stream->n_sent;
    size_t n_chunk = n_left < sizeof(bytes) ? (size_t)n_left : sizeof(bytes);
    ssize_t n;

    if (n_chunk == 0) {
        want_writable(carry, stream, false);
        return 0;
    }
    pattern_fill(stream->seed, stream->n_sent, bytes, n_chunk);
    n = send(stream->fd, bytes, n_chunk, 0);
    if (n < 0 && errno != EAGAIN)
        return -errno;
    if (n > 0) {
        if (stream->waiting_ns == 0)
            stream->waiting_ns = net_now_ns();
        stream->n_sent += (uint64_t)n;
        carry->tally.n_bytes_sent += (uint64_t)n;
    }
    want_writable(carry, stream, stream->n_sent < stream->n_allowed);
    return 0;
}

/* All that was sent is back: what the mode does next. */
static int stream_settled(struct carry *carry, struct stream *stream, uint64_t now_ns)
{
    stream->waiting_ns = 0;
    if (carry->stop_ns != 0) {
        stream->is_shut = true;
        stream->waiting_ns = now_ns; /* for the other FIN */
        return shutdown(stream->fd, SHUT_WR) < 0 ? -errno : 0;
    }
    if (carry->mode == CARRY_TRICKLE)
        stream->next_ns =
            now_ns + CARRY_MIN_PAUSE_NS + mix(stream->n_sent ^ stream->seed) % CARRY_PAUSE_SPAN_NS;
    if (carry->mode == CARRY_IDLE)
        probe_done(carry, now_ns);
    return 0;
}

static int stream_progress(struct carry *carry, struct stream *stream, size_t n)
{
    uint64_t now_ns = net_now_ns();

    stream->n_received += n;
    carry->tally.n_bytes_received += n;
    tally_wait(&carry->tally, stream->fd, stream->waiting_ns, now_ns);
    stream->waiting_ns = now_ns;
    /* In pieces of a quarter: a byte for a byte would make bulk a trickle. */
    if (carry->mode == CARRY_BULK && carry->stop_ns == 0 &&
        stream->n_allowed - stream->n_received <= carry->options->n_bytes - carry->options->n_bytes / 4)
        stream->n_allowed = stream->n_received + carry->options->n_bytes;
    if (stream->n_received == stream->n_sent && stream->n_sent == stream->n_allowed)
        return stream_settled(carry, stream, now_ns);
    return stream_send(carry, stream);
}

/* 0, or -errno; 1 when the stream has ended well. */
static int stream_receive(struct carry *carry, struct stream *stream)
{
    uint8_t bytes[CARRY_CHUNK_BYTES];
    ssize_t n = recv(stream->fd, bytes, sizeof(bytes), 0);
    size_t n_good;

    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;
    if (n == 0)
        return stream->is_shut && stream->n_received == stream->n_sent ? 1 : -ENODATA;
    n_good = pattern_check(stream->seed, stream->n_received, bytes, (size_t)n);
    /* More than we have sent cannot be an echo, even if the bytes were right. */
    if (n_good == (size_t)n && stream->n_received + (uint64_t)n > stream->n_sent)
        n_good = (size_t)(stream->n_sent - stream->n_received);
    if (n_good < (size_t)n) {
        carry->tally.n_bad_bytes += (uint64_t)n - n_good;
        stream->n_received += n_good;
        return -EBADMSG;
    }
    return stream_progress(carry, stream, (size_t)n);
}

static void stream_event(struct carry *carry, struct stream *stream, uint32_t events)
{
    int result = 0;

    if (stream->fd < 0)
        return;
    if ((events & EPOLLOUT) != 0)
        result = stream_send(carry, stream);
    if (result == 0 && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0)
        result = stream_receive(carry, stream);
    if (result != 0)
        stream_end(carry, stream, result < 0 ? result : 0);
}

/* Lets a stream send `n_bytes` more. */
static void stream_allow(struct carry *carry, struct stream *stream, uint64_t n_bytes)
{
    int error;

    stream->n_allowed = stream->n_sent + n_bytes;
    error = stream_send(carry, stream);
    if (error < 0)
        stream_end(carry, stream, error);
}

static void probe(struct carry *carry)
{
    carry->probe_ns = net_now_ns();
    for (unsigned i = 0; i < carry->options->n_connections; i++) {
        struct stream *stream = &carry->streams[i];

        if (stream->fd < 0 || stream->n_allowed != stream->n_received)
            continue;
        carry->n_probed++;
        stream_allow(carry, stream, carry->options->n_bytes);
    }
}

/* Nothing more is sent but what was; who has all back may end. */
static void stop(struct carry *carry)
{
    uint64_t now_ns = net_now_ns();

    if (carry->stop_ns != 0)
        return;
    carry->stop_ns = now_ns;
    for (unsigned i = 0; i < carry->options->n_connections; i++) {
        struct stream *stream = &carry->streams[i];
        int error = 0;

        if (stream->fd < 0)
            continue;
        stream->n_allowed = stream->n_sent;
        want_writable(carry, stream, false);
        if (stream->n_received == stream->n_sent)
            error = stream_settled(carry, stream, now_ns);
        if (error < 0)
            stream_end(carry, stream, error);
    }
}

/* Trickle: streams whose pause is over. */
static void tick(struct carry *carry, uint64_t now_ns)
{
    for (unsigned i = 0; i < carry->options->n_connections; i++) {
        struct stream *stream = &carry->streams[i];

        if (stream->fd < 0 || stream->next_ns == 0 || stream->next_ns > now_ns)
            continue;
        stream->next_ns = 0;
        stream_allow(carry, stream, 1 + mix(~stream->n_sent ^ stream->seed) % carry->options->n_bytes);
    }
}

/* As things stand, with what living connections can tell. */
static void print_now(const struct carry *carry)
{
    struct tally tally = carry->tally;

    for (unsigned i = 0; i < carry->options->n_connections; i++) {
        if (carry->streams[i].fd >= 0)
            tally_socket(&tally, carry->streams[i].fd);
    }
    tally_print(&tally);
}

static void take_orders(struct carry *carry)
{
    for (;;) {
        uint64_t number = 0;

        switch (orders_next(&carry->orders, &number)) {
        case ORDER_NONE:
            return;
        case ORDER_FAULT:
            tally_fault(&carry->tally, number);
            break;
        case ORDER_PROBE:
            probe(carry);
            break;
        case ORDER_STAT:
            print_now(carry);
            break;
        case ORDER_STOP:
            stop(carry);
            return;
        }
    }
}

/* Until all have ended; after the stop no longer than --timeout. */
static void run(struct carry *carry)
{
    uint64_t end_ns = net_now_ns() + (uint64_t)carry->options->run_ms * 1000000u, tick_ns = 0;
    struct epoll_event events[CARRY_N_EVENTS];

    while (carry->n_open > 0) {
        int n_ready = epoll_wait(carry->epoll_fd, events, CARRY_N_EVENTS, CARRY_TICK_NS / 1000000);
        uint64_t now_ns;

        for (int i = 0; i < n_ready; i++)
            stream_event(carry, events[i].data.ptr, events[i].events);
        now_ns = net_now_ns();
        if (carry->stop_ns == 0)
            take_orders(carry);
        if (carry->stop_ns == 0 && now_ns >= end_ns)
            stop(carry);
        if (carry->stop_ns == 0 && carry->mode == CARRY_TRICKLE && now_ns >= tick_ns) {
            tick(carry, now_ns);
            tick_ns = now_ns + CARRY_TICK_NS;
        }
        if (carry->stop_ns != 0 && now_ns > carry->stop_ns + (uint64_t)carry->options->timeout_ms * 1000000u)
            break;
    }
    for (unsigned i = 0; i < carry->options->n_connections; i++) {
        if (carry->streams[i].fd >= 0)
            stream_end(carry, &carry->streams[i], -EINPROGRESS);
    }
}

static void streams_init(struct carry *carry, const int *fds)
{
    uint64_t now_ns = net_now_ns();

    for (unsigned i = 0; i < carry->options->n_connections; i++) {
        struct stream *stream = &carry->streams[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = stream};

        stream->fd = fds[i];
        stream->seed = carry->options->seed * 1000003u + i;
        stream->next_ns = now_ns + 1 + mix(stream->seed) % CARRY_PAUSE_SPAN_NS;
        epoll_ctl(carry->epoll_fd, EPOLL_CTL_ADD, stream->fd, &event);
    }
    carry->n_open = carry->options->n_connections;
    carry->tally.n_connections = carry->options->n_connections;
    printf("{\"open\":%u}\n", carry->n_open);
    fflush(stdout);
    for (unsigned i = 0; carry->mode == CARRY_BULK && i < carry->options->n_connections; i++)
        stream_allow(carry, &carry->streams[i], carry->options->n_bytes);
}

static int carry_run(struct carry *carry, int *fds)
{
    const struct options *options = carry->options;
    int error = orders_init(&carry->orders);

    if (error == 0)
        error = net_connect_many(options, net_port(options, PEER_PORT_ECHO), fds, options->n_connections);
    if (error < 0)
        return peer_fail(options, "opening %u connections: %s", options->n_connections, strerror(-error));
    streams_init(carry, fds);
    run(carry);
    tally_print(&carry->tally);
    return tally_is_clean(&carry->tally) ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int parse_mode(const struct options *options, enum carry_mode *mode)
{
    static const char *const names[] = {"bulk", "trickle", "idle"};

    for (unsigned i = 0; options->argument != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(options->argument, names[i]) == 0) {
            *mode = (enum carry_mode)i;
            return options->n_bytes > 0 ? 0 : -EINVAL;
        }
    }
    return -EINVAL;
}

int peer_carry(const struct options *options)
{
    static struct carry carry; /* the tally is large */
    int *fds = calloc(options->n_connections, sizeof(*fds));
    int status = EXIT_FAILURE;

    carry.options = carry.tally.options = options;
    carry.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    carry.streams = calloc(options->n_connections, sizeof(*carry.streams));
    if (parse_mode(options, &carry.mode) < 0)
        peer_fail(options, "bulk, trickle or idle, and some --bytes?");
    else if (fds == NULL || carry.streams == NULL || carry.epoll_fd < 0)
        peer_fail(options, "%s", strerror(ENOMEM));
    else
        status = carry_run(&carry, fds);
    if (carry.epoll_fd >= 0)
        close(carry.epoll_fd);
    free(carry.streams);
    free(fds);
    return status;
}
