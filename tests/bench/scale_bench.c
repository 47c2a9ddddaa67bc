/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scale_bench.c — whether a segment costs more when there are many connections: the worker's time for a
 * received segment of 64 bytes, each on a connection drawn at random, with 100 connections and with N.
 * Measured is the worker's turn (rings, engine, consumer, ACK); requests are made while the clock stands.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench_flows.h"

#define N_ROUNDS 5u
#define N_BLOCKS 15u
#define BURSTS_IN_BLOCK 100u
#define PAYLOAD_BYTES 64u
#define N_FEW 100u
#define MAX_CONNECTIONS 55000u

static struct bench {
    struct lane_pair pair;
    struct bench_flows flows;
    uint32_t random;
} bench;

static struct bench_flow *draw(void)
{
    bench.random = bench.random * 1664525u + 1013904223u;
    return &bench.flows.flows[(uint64_t)bench.random * bench.flows.n >> 32];
}

static uint64_t burst(void)
{
    struct lane_pair *pair = &bench.pair;
    struct ring_producer *ring = &pair->rx[LANE_NORMAL];
    struct ring_consumer *tx = &pair->tx[LANE_NORMAL];
    uint64_t elapsed_ns;

    bench_check(ring_producer_refresh(ring) == RING_OK, "the worker's index is wrong");
    for (uint32_t i = 0; i < BENCH_BURST; i++) {
        uint32_t head = frame_pool_take_head(&pair->pool);
        uint16_t generation = frame_pool_lend(&pair->pool, head, LANE_PAIR_WORKER);

        bench_flows_write(&bench.flows, draw(), frame_pool_head(&pair->pool, head), false);
        ring_producer_stage(ring, lane_word(LANE_SLOT_FRAME | LANE_FLAG_CSUM << 8, generation, head),
                            LANE_NO_CHUNK | (uint64_t)bench.flows.len_bytes << 32);
    }
    ring_producer_publish(ring);
    pair->now_ns = bench_now_ns();
    lane_pair_worker_turn(pair);
    elapsed_ns = bench_now_ns() - pair->now_ns;
    bench_check(ring_consumer_refresh(tx) == RING_OK, "the worker's index is wrong");
    ring_consumer_take(tx, ring_consumer_ready(tx));
    ring_consumer_free(tx);
    lane_pair_take_returns(pair);
    return elapsed_ns;
}

/* Nanoseconds for a segment with `n` connections established. */
static double measure(uint32_t n)
{
    struct lane_pair_config config;
    double blocks[N_BLOCKS], median;

    bench_pair_config(&config, MAX_CONNECTIONS, &bench_discard);
    config.context = &bench.pair;
    bench_check(lane_pair_init(&bench.pair, &config) == 0 && stack_listen(&bench.pair.stack, BENCH_PORT) == 0,
                "the lane did not start");
    bench_flows_open(&bench.flows, &bench.pair, n, PAYLOAD_BYTES);
    for (uint32_t i = 0; i < N_BLOCKS; i++) {
        uint64_t total_ns = 0, before = lane_pair_counter(&bench.pair, WORKER_rx_bytes);

        for (uint32_t k = 0; k < BURSTS_IN_BLOCK; k++)
            total_ns += burst();
        bench_check(lane_pair_counter(&bench.pair, WORKER_rx_bytes) - before ==
                        (uint64_t)BURSTS_IN_BLOCK * BENCH_BURST * PAYLOAD_BYTES,
                    "not every segment was received");
        blocks[i] = (double)total_ns / (BURSTS_IN_BLOCK * BENCH_BURST);
    }
    median = bench_median(blocks, N_BLOCKS);
    bench_flows_free(&bench.flows);
    lane_pair_fini(&bench.pair);
    return median;
}

/* "100", "50k". */
static uint32_t parse_count(const char *text)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (strcmp(end, "k") == 0)
        n *= 1000;
    else if (*end != '\0')
        return 0;
    return n > 50000 ? 0 : (uint32_t)n;
}

int main(int argc, char **argv)
{
    uint32_t n = argc == 2 ? parse_count(argv[1]) : 0;
    double many[N_ROUNDS], few[N_ROUNDS];

    if (n == 0) {
        fprintf(stderr, "usage: mpa-bench-scale CONNECTIONS (1..50k)\n");
        return EXIT_FAILURE;
    }
    for (uint32_t i = 0; i < N_ROUNDS; i++) {
        few[i] = measure(N_FEW);
        many[i] = measure(n);
    }
    printf("{\"value\": %.1f, \"baseline\": %.1f}\n", bench_median(many, N_ROUNDS),
           bench_median(few, N_ROUNDS));
    return EXIT_SUCCESS;
}
