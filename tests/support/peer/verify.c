/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verify.c — the content of streams: N connections to the echo service, --bytes each way, every byte checked
 * against its position. With --half-close our FIN goes out behind the last byte while the echo still comes;
 * without, it goes after the last byte is back. Either way the stream must end where it must, with a FIN.
 */
#include "net.h"
#include "pattern.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define VERIFY_CHUNK_BYTES 65536u
#define VERIFY_N_EVENTS 64

struct stream {
    int fd;
    uint64_t seed;
    uint64_t n_sent, n_received;
    bool is_shut;
};

struct verify {
    const struct options *options;
    int epoll_fd;
    struct stream *streams;
    unsigned n_left;
};

/* Our FIN, at the moment --half-close decides. */
static int shut_once(struct stream *stream)
{
    if (stream->is_shut)
        return 0;
    stream->is_shut = true;
    return shutdown(stream->fd, SHUT_WR) < 0 ? -errno : 0;
}

/* Sends what the socket takes, one chunk a call so that no stream starves the others. */
static int stream_send(struct verify *verify, struct stream *stream)
{
    uint8_t bytes[VERIFY_CHUNK_BYTES];
    uint64_t n_left = verify->options->n_bytes - stream->n_sent;
    size_t n_chunk = n_left < sizeof(bytes) ? (size_t)n_left : sizeof(bytes);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = stream};
    ssize_t n;

    if (n_chunk > 0) {
        pattern_fill(stream->seed, stream->n_sent, bytes, n_chunk);
        n = send(stream->fd, bytes, n_chunk, 0);
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        stream->n_sent += (uint64_t)n;
    }
    if (stream->n_sent < verify->options->n_bytes)
        return 0;
    /* Nothing more to send: writable would be reported for ever. */
    epoll_ctl(verify->epoll_fd, EPOLL_CTL_MOD, stream->fd, &event);
    return verify->options->is_half_closing ? shut_once(stream) : 0;
}

/* Too early is as wrong as a bad byte. */
static int end_of_stream(struct verify *verify, struct stream *stream)
{
    if (stream->n_received != verify->options->n_bytes) {
        peer_fail(verify->options, "end of stream at byte %llu of %llu",
                  (unsigned long long)stream->n_received, (unsigned long long)verify->options->n_bytes);
        return -EBADMSG;
    }
    verify->n_left--;
    epoll_ctl(verify->epoll_fd, EPOLL_CTL_DEL, stream->fd, NULL);
    return 0;
}

static int stream_receive(struct verify *verify, struct stream *stream)
{
    uint8_t bytes[VERIFY_CHUNK_BYTES];
    ssize_t n = recv(stream->fd, bytes, sizeof(bytes), 0);
    size_t n_good;

    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;
    if (n == 0)
        return end_of_stream(verify, stream);
    /* More than we have sent cannot be an echo, even if the bytes were right. */
    n_good = pattern_check(stream->seed, stream->n_received, bytes, (size_t)n);
    if (n_good < (size_t)n || stream->n_received + (uint64_t)n > stream->n_sent) {
        peer_fail(verify->options, "bad byte at position %llu",
                  (unsigned long long)(stream->n_received + n_good));
        return -EBADMSG;
    }
    stream->n_received += (uint64_t)n;
    return stream->n_received == verify->options->n_bytes ? shut_once(stream) : 0;
}

/* Ends when all streams have, or when none moves for --timeout. */
static int run(struct verify *verify)
{
    struct epoll_event events[VERIFY_N_EVENTS];

    while (verify->n_left > 0) {
        int n_ready = epoll_wait(verify->epoll_fd, events, VERIFY_N_EVENTS, (int)verify->options->timeout_ms);

        if (n_ready <= 0)
            return -ETIMEDOUT;
        for (int i = 0; i < n_ready; i++) {
            struct stream *stream = events[i].data.ptr;
            int error = 0;

            if ((events[i].events & EPOLLOUT) != 0)
                error = stream_send(verify, stream);
            if (error == 0 && (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0)
                error = stream_receive(verify, stream);
            if (error < 0)
                return error;
        }
    }
    return 0;
}

static void streams_init(struct verify *verify, const int *fds)
{
    for (unsigned i = 0; i < verify->options->n_connections; i++) {
        struct stream *stream = &verify->streams[i];
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = stream};

        stream->fd = fds[i];
        stream->seed = verify->options->seed * 1000003u + i;
        epoll_ctl(verify->epoll_fd, EPOLL_CTL_ADD, stream->fd, &event);
    }
}

/* Opens, runs and closes the streams; prints the result. 0 or -errno; -EBADMSG has been reported. */
static int verify_run(struct verify *verify, int *fds)
{
    const struct options *options = verify->options;
    uint64_t start_ns = net_now_ns(), n_total = options->n_bytes * options->n_connections;
    int error = net_connect_many(options, net_port(options, PEER_PORT_ECHO), fds, options->n_connections);

    if (error < 0)
        return error;
    streams_init(verify, fds);
    error = run(verify);
    net_close_many(fds, options->n_connections);
    if (error == 0)
        printf("{\"connections\":%u,\"bytes_sent\":%llu,\"bytes_received\":%llu,\"bad_bytes\":0,\"seconds\":%"
               ".3f}\n",
               options->n_connections, (unsigned long long)n_total, (unsigned long long)n_total,
               (double)(net_now_ns() - start_ns) / 1e9);
    return error;
}

int peer_verify(const struct options *options)
{
    struct verify verify = {.options = options, .n_left = options->n_connections};
    int *fds = calloc(options->n_connections, sizeof(*fds));
    int error = -ENOMEM;

    verify.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    verify.streams = calloc(options->n_connections, sizeof(*verify.streams));
    if (fds != NULL && verify.streams != NULL && verify.epoll_fd >= 0)
        error = verify_run(&verify, fds);
    if (verify.epoll_fd >= 0)
        close(verify.epoll_fd);
    free(verify.streams);
    free(fds);
    if (error < 0 && error != -EBADMSG)
        return peer_fail(options, "%u of %u streams unfinished: %s", verify.n_left, options->n_connections,
                         strerror(-error));
    return error == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
