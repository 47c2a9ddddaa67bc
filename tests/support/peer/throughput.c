/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * throughput.c — one stream for a warm-up and a measured time. rx counts what the stack has acknowledged
 * (not what our socket buffer took), tx what our application has read.
 */
#include "net.h"

#include <errno.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define THROUGHPUT_CHUNK_BYTES (128 * 1024)

struct sample {
    uint64_t time_ns, cpu_ns, n_bytes;
    uint32_t n_retransmits;
};

static int take_sample(int fd, bool is_rx, uint64_t n_read, struct sample *sample)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return -errno;
    sample->time_ns = net_now_ns();
    sample->cpu_ns = net_cpu_ns();
    sample->n_bytes = is_rx ? info.tcpi_bytes_acked : n_read;
    sample->n_retransmits = info.tcpi_total_retrans;
    return 0;
}

/* Sends or receives until `end_ns`; the socket's own timeout bounds a stream that stands still. */
static int move_bytes(int fd, bool is_rx, uint64_t end_ns, uint64_t *n_moved)
{
    static char chunk[THROUGHPUT_CHUNK_BYTES];

    while (net_now_ns() < end_ns) {
        ssize_t n = is_rx ? send(fd, chunk, sizeof(chunk), 0) : recv(fd, chunk, sizeof(chunk), 0);

        if (n == 0)
            return -ECONNRESET;
        if (n < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        *n_moved += (uint64_t)n;
    }
    return 0;
}

/* Two samples around the measured time; what moved in the warm-up is not counted. */
static int measure(int fd, bool is_rx, const struct options *options, struct sample samples[2])
{
    uint64_t n_moved = 0;
    int error = move_bytes(fd, is_rx, net_now_ns() + (uint64_t)options->warmup_ms * 1000000u, &n_moved);

    if (error == 0)
        error = take_sample(fd, is_rx, n_moved, &samples[0]);
    /* From the sample on: a stream that stood still may have stretched the warm-up. */
    if (error == 0)
        error = move_bytes(fd, is_rx, samples[0].time_ns + (uint64_t)options->run_ms * 1000000u, &n_moved);
    if (error == 0)
        error = take_sample(fd, is_rx, n_moved, &samples[1]);
    return error;
}

static void print_result(int fd, bool is_rx, const struct sample samples[2])
{
    uint64_t n_bytes = samples[1].n_bytes - samples[0].n_bytes;
    double seconds = (double)(samples[1].time_ns - samples[0].time_ns) / 1e9;
    char congestion[16] = "";
    socklen_t size = sizeof(congestion);

    getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, &size);
    printf("{\"direction\":\"%s\",\"bytes\":%llu,\"seconds\":%.3f,\"gbit_s\":%.4f,\"cpu_s\":%.3f,"
           "\"congestion\":\"%.*s\",\"retransmits\":",
           is_rx ? "rx" : "tx", (unsigned long long)n_bytes, seconds, (double)n_bytes * 8e-9 / seconds,
           (double)(samples[1].cpu_ns - samples[0].cpu_ns) / 1e9, (int)size, congestion);
    if (is_rx)
        printf("%u}\n", samples[1].n_retransmits - samples[0].n_retransmits);
    else
        printf("null}\n"); /* the stack's, which we cannot see */
}

int peer_throughput(const struct options *options)
{
    bool is_rx = options->argument != NULL && strcmp(options->argument, "rx") == 0;
    struct sample samples[2];
    int fd, error;

    if (options->argument == NULL || (!is_rx && strcmp(options->argument, "tx") != 0))
        return peer_fail(options, "rx or tx?");
    fd = net_connect(options, net_port(options, is_rx ? PEER_PORT_DISCARD : PEER_PORT_CHARGEN));
    if (fd < 0)
        return peer_fail(options, "connect: %s", strerror(-fd));
    error = measure(fd, is_rx, options, samples);
    if (error == 0 && samples[0].n_bytes == samples[1].n_bytes)
        error = -ENODATA;
    if (error == 0)
        print_result(fd, is_rx, samples);
    close(fd);
    return error == 0 ? EXIT_SUCCESS : peer_fail(options, "stream: %s", strerror(-error));
}
