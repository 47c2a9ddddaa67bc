/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lane_bench.c — what a lane costs. One echo request through both ends of a lane, against the same engine
 * called in-process: the frames stand in a private buffer, no pool, slot or ring is between, and what is sent
 * is copied once to where a NIC would take it. Both sides in turn on one core, 32 connections, bursts of 32.
 *
 * Measured are both ends' work, not the making of requests: the clock runs while chunks are taken, lent,
 * staged and published (frontend), during the worker's turn, and while packets are taken, their headers
 * copied, and arena and chunks freed (frontend).
 *
 * Besides, with the ends on two cores, as they run in earnest: eight bursts are under way, and the figure is
 * the time from one answer to the next, the slower end's with the cache lines that travel between the cores.
 * No clock is started and stopped there, so the making of requests counts as the frontend's.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <lwip/pbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench_flows.h"
#include "worker/stack/checksum.h"

#define N_CORE_BLOCKS 31u
#define N_CORE_BURSTS 8u /* under way at once between two cores: neither end waits for the other */
#define N_FLOWS (N_CORE_BURSTS * BENCH_BURST)
#define IP_HEADER_BYTES 20u

static struct bench {
    struct lane_pair pair;
    struct bench_flows flows;
    uint32_t direct_heads[BENCH_BURST]; /* chunks of the in-process side, never lent */
    uint8_t out[BENCH_BURST][2048];     /* where its packets go */
    uint32_t n_out;
    atomic_bool is_over; /* main thread · worker thread · nothing but itself */
} bench;

/* The in-process side's way out: once copied, with the IPv4 checksum. */
static err_t direct_output(struct netif *netif, struct pbuf *packet, const ip4_addr_t *next_hop)
{
    uint8_t *out = bench.out[bench.n_out++ % BENCH_BURST];
    uint16_t sum;

    (void)netif;
    (void)next_hop;
    pbuf_copy_partial(packet, out, packet->tot_len, 0);
    memset(out + 4, 0, 2);
    memset(out + 10, 0, 2);
    sum = (uint16_t)~checksum(out, IP_HEADER_BYTES);
    memcpy(out + 10, &sum, sizeof(sum));
    bench.flows.n_payload +=
        packet->tot_len - IP_HEADER_BYTES - (uint32_t)(out[IP_HEADER_BYTES + 12] >> 4) * 4;
    return ERR_OK;
}

/* One burst without a lane; nanoseconds. */
static uint64_t direct_burst(void)
{
    struct lane_pair *pair = &bench.pair;
    struct ring_producer *returns = &pair->frames.return_ring;
    struct rx_frame frames[BENCH_BURST];

    for (uint32_t i = 0; i < BENCH_BURST; i++)
        bench_flows_write(&bench.flows, &bench.flows.flows[i],
                          frame_pool_head(&pair->pool, bench.direct_heads[i]), true);
    pair->now_ns = bench_now_ns();
    stack_set_now(&pair->stack, pair->now_ns);
    for (uint32_t i = 0; i < BENCH_BURST; i++) {
        frames[i].slot = (struct border_rx){.kind = LANE_SLOT_FRAME,
                                            .flags = LANE_FLAG_CSUM,
                                            .head_idx = bench.direct_heads[i],
                                            .large_idx = LANE_NO_CHUNK,
                                            .len_bytes = bench.flows.len_bytes};
        bench_check(rx_frame_open(&pair->frames, &frames[i]), "a frame was refused");
    }
    stack_input(&pair->stack, frames, BENCH_BURST);
    stack_timers(&pair->stack, pair->now_ns);
    stack_run(&pair->stack);
    stack_commit(&pair->stack);
    /* Nobody takes chunks back: they are simply free again. */
    returns->staged_tail = returns->published_tail;
    return bench_now_ns() - pair->now_ns;
}

static uint64_t lane_burst(void)
{
    return bench_lane_burst(&bench.flows, &bench.pair);
}

/* Both sides in turn, so that noise falls on both. */
static void block(double *lane_ns, double *direct_ns)
{
    netif_output_fn staged_output = bench.pair.stack.netif.output;

    *lane_ns = bench_bursts(&bench.flows, lane_burst);
    bench.pair.stack.netif.output = direct_output;
    *direct_ns = bench_bursts(&bench.flows, direct_burst);
    bench.pair.stack.netif.output = staged_output;
}

static void pin(uint32_t cpu)
{
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    bench_check(sched_setaffinity(0, sizeof(cpus), &cpus) == 0, "a thread cannot be pinned");
}

/* The first two CPUs that we may use; false: there is but one. */
static bool two_cpus(uint32_t cpus[2])
{
    uint32_t n = 0;
    cpu_set_t allowed;

    bench_check(sched_getaffinity(0, sizeof(allowed), &allowed) == 0, "no CPU");
    for (uint32_t cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++) {
        if (CPU_ISSET(cpu, &allowed))
            cpus[n++] = cpu;
    }
    return n == 2;
}

/* The worker's end. lwIP is this thread's alone while it runs. */
static void *worker_thread(void *argument)
{
    const uint32_t *cpu = argument;

    pin(*cpu);
    while (!atomic_load_explicit(&bench.is_over, memory_order_relaxed)) {
        bench.pair.now_ns = bench_now_ns();
        lane_pair_worker_turn(&bench.pair);
    }
    return NULL;
}

/* The frontend's end: the next burst as soon as the oldest is answered; a flow has one request under way.
 * Nanoseconds for a request. */
static double cores_block(uint32_t *next_burst)
{
    const uint32_t n_bursts = BENCH_BURSTS_IN_BLOCK;
    const uint64_t burst_bytes = (uint64_t)BENCH_BURST * bench.flows.payload_bytes;
    uint64_t start_ns = bench_now_ns(), payload_before = bench.flows.n_payload;
    uint32_t n_sent = 0, n_answered = 0, heads[BENCH_BURST];

    while (n_answered < n_bursts) {
        if (n_sent < n_bursts && n_sent - n_answered < N_CORE_BURSTS) {
            struct bench_flow *flows = &bench.flows.flows[(*next_burst)++ % N_CORE_BURSTS * BENCH_BURST];

            for (uint32_t i = 0; i < BENCH_BURST; i++) {
                heads[i] = frame_pool_take_head(&bench.pair.pool);
                bench_flows_write(&bench.flows, &flows[i], frame_pool_head(&bench.pair.pool, heads[i]), true);
            }
            bench_lane_stage(&bench.flows, &bench.pair, heads);
            n_sent++;
        }
        bench_lane_take(&bench.flows, &bench.pair);
        n_answered = (uint32_t)((bench.flows.n_payload - payload_before) / burst_bytes);
    }
    return (double)(bench_now_ns() - start_ns) / (n_bursts * BENCH_BURST);
}

/* Nanoseconds for a request with the ends on two cores; 0 where there is one core. */
static double measure_cores(void)
{
    double blocks[N_CORE_BLOCKS];
    uint32_t cpus[2], next_burst = 0;
    pthread_t worker;

    if (!two_cpus(cpus))
        return 0;
    pin(cpus[0]);
    bench_check(pthread_create(&worker, NULL, worker_thread, &cpus[1]) == 0, "no thread");
    cores_block(&next_burst); /* warms up */
    for (uint32_t i = 0; i < N_CORE_BLOCKS; i++)
        blocks[i] = cores_block(&next_burst);
    atomic_store_explicit(&bench.is_over, true, memory_order_relaxed);
    pthread_join(worker, NULL);
    return bench_median(blocks, N_CORE_BLOCKS);
}

int main(int argc, char **argv)
{
    uint32_t payload_bytes = bench_payload_argument(argc, argv);
    double lane_ns, direct_ns, cores_ns;

    bench_echo_start(&bench.pair, &bench.flows, N_FLOWS, payload_bytes);
    for (uint32_t i = 0; i < BENCH_BURST; i++)
        bench.direct_heads[i] = frame_pool_take_head(&bench.pair.pool);
    bench_two_sides(block, &lane_ns, &direct_ns);
    cores_ns = measure_cores();
    printf("{\"value\": %.1f, \"baseline\": %.1f", lane_ns, direct_ns);
    if (cores_ns > 0)
        printf(", \"two_cores\": %.1f", cores_ns);
    printf("}\n");
    bench_flows_free(&bench.flows);
    lane_pair_fini(&bench.pair);
    return EXIT_SUCCESS;
}
