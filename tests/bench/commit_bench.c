/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * commit_bench.c — what it costs that connections survive. One echo request through both ends of a lane, with
 * the commit of flow records and without it, in turn on one stack: 32 connections, bursts of 32, so each turn
 * commits each connection once, as dear as it gets.
 *
 * With a third argument, off or on, that side alone runs a fixed number of bursts: for callgrind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench_flows.h"

#define N_COUNTED_BURSTS 500u

static struct bench {
    struct lane_pair pair;
    struct bench_flows flows;
    struct flow_record *records;
} bench;

static uint64_t burst(void)
{
    return bench_lane_burst(&bench.flows, &bench.pair);
}

/* Both sides in turn; without records there is nothing to commit to. */
static void block(double *on_ns, double *off_ns)
{
    *on_ns = bench_bursts(&bench.flows, burst);
    bench.pair.stack.flow_records = NULL;
    *off_ns = bench_bursts(&bench.flows, burst);
    bench.pair.stack.flow_records = bench.records;
}

/* The clock stands still: under callgrind it would tick all the time. */
static void count(bool is_on)
{
    uint32_t heads[BENCH_BURST];

    if (!is_on)
        bench.pair.stack.flow_records = NULL;
    for (uint32_t i = 0; i < N_COUNTED_BURSTS; i++) {
        for (uint32_t k = 0; k < BENCH_BURST; k++) {
            heads[k] = frame_pool_take_head(&bench.pair.pool);
            bench_flows_write(&bench.flows, &bench.flows.flows[k],
                              frame_pool_head(&bench.pair.pool, heads[k]), true);
        }
        bench_lane_stage(&bench.flows, &bench.pair, heads);
        lane_pair_worker_turn(&bench.pair);
        bench_lane_take(&bench.flows, &bench.pair);
    }
    printf("{\"requests\": %u}\n", N_COUNTED_BURSTS * BENCH_BURST);
}

int main(int argc, char **argv)
{
    bool is_full = argc >= 2 && strncmp(argv[1], "full-", 5) == 0;
    uint32_t payload_bytes = 0;
    double on_ns, off_ns;

    if (is_full || (argc >= 2 && strncmp(argv[1], "minimal-", 8) == 0))
        payload_bytes = (uint32_t)strtoul(strchr(argv[1], '-') + 1, NULL, 10);
    if (payload_bytes < 1 || payload_bytes > 1460) {
        fprintf(stderr, "usage: mpa-bench-commit minimal-BYTES|full-BYTES [on|off]\n");
        return EXIT_FAILURE;
    }
    bench_echo_start(&bench.pair, &bench.flows, BENCH_BURST, payload_bytes);
    bench.records = bench.pair.stack.flow_records;
    bench.pair.stack.config.commits_facts = is_full;
    if (argc == 3) {
        count(strcmp(argv[2], "on") == 0);
        return EXIT_SUCCESS;
    }
    bench_two_sides(block, &on_ns, &off_ns);
    printf("{\"value\": %.1f, \"baseline\": %.1f}\n", on_ns, off_ns);
    bench_flows_free(&bench.flows);
    lane_pair_fini(&bench.pair);
    return EXIT_SUCCESS;
}
