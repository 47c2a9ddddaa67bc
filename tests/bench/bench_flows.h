/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_flows.h — the peers of the in-process benchmarks: established connections to a stack behind a lane
 * pair, each a few numbers, and one frame from which every request is made by changing three of its fields.
 * Requests are marked as checked by the NIC, as a TAP or a NIC with offload gives them, so no sum is wanted.
 */
#ifndef MPA_TESTS_BENCH_FLOWS_H
#define MPA_TESTS_BENCH_FLOWS_H

#include "tests/support/lane_pair.h"

#define BENCH_BURST 32u
/* Some milliseconds: a block that was preempted falls out by the median. */
#define BENCH_BURSTS_IN_BLOCK 100u
#define BENCH_PORT 7u
#define BENCH_MAX_FRAME_BYTES 2038u

struct bench_flow {
    uint32_t seq, ack; /* of the next request */
    uint32_t hash;
    uint16_t port;
};

struct bench_flows {
    uint32_t n;
    struct bench_flow *flows; /* owned */
    uint8_t frame[BENCH_MAX_FRAME_BYTES];
    uint32_t len_bytes;
    uint32_t payload_bytes;
    struct rx_note note; /* but for the hash */
    uint64_t n_payload;  /* bytes of answers taken by bench_lane_take(), to be sure that there were any */
};

/* What a consumer behind BENCH_PORT does. */
extern const struct stack_callbacks bench_echo, bench_discard;

/* The pair that the benchmarks run on, for at most `max_connections`. */
void bench_pair_config(struct lane_pair_config *config, uint32_t max_connections,
                       const struct stack_callbacks *callbacks);

/* Opens `n` connections, requests of `payload_bytes`. Exits with a message when that fails. */
void bench_flows_open(struct bench_flows *flows, struct lane_pair *pair, uint32_t n, uint32_t payload_bytes);
void bench_flows_free(struct bench_flows *flows);

/* Writes the next request of a flow, its note included, to a head chunk; the flow moves on. With `is_echo`
 * the answer is taken for received. */
void bench_flows_write(struct bench_flows *flows, struct bench_flow *flow, uint8_t *head, bool is_echo);

/* The frontend's end: hands a burst of written head chunks over; takes what was answered. */
void bench_lane_stage(const struct bench_flows *flows, struct lane_pair *pair, const uint32_t *heads);
void bench_lane_take(struct bench_flows *flows, struct lane_pair *pair);

/* One burst through both ends of the lane, a request of each of the first flows; nanoseconds of both ends'
 * work, without the making of requests. */
uint64_t bench_lane_burst(struct bench_flows *flows, struct lane_pair *pair);

/* Nanoseconds of a request in a block of bursts, each of which is answered. */
double bench_bursts(struct bench_flows *flows, uint64_t (*burst)(void));

/* Nanoseconds of the clock that phases are measured with; about 25 ns a call. */
uint64_t bench_now_ns(void);

/* Median of n values, which are sorted. */
double bench_median(double *values, uint32_t n);

/* Runs block(), which measures two sides once in turn, until there is enough for a median of each. The first
 * runs, with cold caches, do not count. */
void bench_two_sides(void (*block)(double *left_ns, double *right_ns), double *left_ns, double *right_ns);

/* The size of a request, the program's only argument; exits with the usage when it is not one. */
uint32_t bench_payload_argument(int argc, char **argv);

/* Starts `pair` as an echo server and opens `n` connections to it. */
void bench_echo_start(struct lane_pair *pair, struct bench_flows *flows, uint32_t n, uint32_t payload_bytes);

/* Ends the program when something that must hold does not: a figure of wrong work is worth nothing. */
void bench_check(bool holds, const char *what);

#endif
