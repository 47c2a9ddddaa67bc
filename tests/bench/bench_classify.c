/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_classify.c — nanoseconds a frame in the classifier, for frames that are in the cache: what it adds to
 * the frontend's cost of a packet. Prints the median of REPEATS runs for each kind of frame.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "frontend/classify.h"
#include "tests/support/frame.h"

#define REPEATS 9
#define N_FRAMES 32u
#define N_ROUNDS 20000u

static const struct host_addresses addresses = {
    .n_addresses = 3,
    .mtu_bytes = 1500,
    .addresses = {{.family = 4, .prefix_bits = 24, .bytes = {10, 77, 0, 2}},
                  {.family = 6, .prefix_bits = 64, .bytes = {0xfe, 0x80, [15] = 2}},
                  {.family = 6, .prefix_bits = 64, .bytes = {0xfd, 0x77, [15] = 2}}}};
static const struct flow_seed seed = {{1, 2, 3, 4}};

static struct frame frames[N_FRAMES];

/* A burst of TCP data segments with timestamps, or UDP datagrams, of as many flows. */
static void make_burst(uint8_t family, uint8_t protocol)
{
    static const uint8_t timestamps[12] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};

    for (unsigned i = 0; i < N_FRAMES; i++) {
        struct frame *frame = &frames[i];

        frame_begin(frame, family == 4 ? 0x0800 : 0x86dd);
        if (family == 4)
            frame_put_ip4(frame, protocol);
        else
            frame_put_ip6(frame, protocol);
        if (protocol == 6)
            frame_put_tcp(frame, FRAME_ACK, timestamps, sizeof(timestamps));
        else
            frame_put_udp(frame, 7);
        frame->bytes[frame->transport_off + 1] = (uint8_t)i;
        frame_put_zeros(frame, 64);
        frame_finish(frame);
    }
}

static double run_ns(uint32_t *hash_sum)
{
    const struct classify_context context = {.mac = frame_our_mac, .addresses = &addresses, .seed = &seed};
    uint64_t start_ns = clock_now_ns();

    for (unsigned round = 0; round < N_ROUNDS; round++) {
        for (unsigned i = 0; i < N_FRAMES; i++) {
            struct classify_frame frame = {
                .head = frames[i].bytes, .head_len = frames[i].len_bytes, .len_bytes = frames[i].len_bytes};
            struct classify_verdict verdict;

            classify_frame(&context, &frame, &verdict);
            *hash_sum += verdict.hash;
        }
    }
    return (double)(clock_now_ns() - start_ns) / (N_ROUNDS * N_FRAMES);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(void)
{
    static const struct {
        const char *name;
        uint8_t family, protocol;
    } kinds[] = {{"tcp4", 4, 6}, {"udp4", 4, 17}, {"tcp6", 6, 6}, {"udp6", 6, 17}};
    uint32_t hash_sum = 0;

    for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        double ns[REPEATS];

        make_burst(kinds[k].family, kinds[k].protocol);
        for (unsigned i = 0; i < REPEATS; i++)
            ns[i] = run_ns(&hash_sum);
        qsort(ns, REPEATS, sizeof(ns[0]), compare_doubles);
        printf("classify %s %.1f ns/frame (%.1f to %.1f)\n", kinds[k].name, ns[REPEATS / 2], ns[0],
               ns[REPEATS - 1]);
    }
    /* So that the work cannot be left out. */
    return hash_sum == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
