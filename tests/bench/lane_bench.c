/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lane_bench.c — what a lane costs. One echo request through both ends of a lane, against the same engine
 * called in-process: the frames stand in a private buffer, no pool, slot or ring is between, and what is sent
 * is copied once to where a NIC would take it. Both sides in turn on one core, 32 connections, bursts of 32.
 *
 * Measured are both ends' work, not the making of requests: the clock runs while chunks are taken, lent,
 * staged and published (frontend), during the worker's turn, and while packets are taken, their headers
 * copied, and arena and chunks freed (frontend). A block that was preempted falls out by the median.
 */
#include <lwip/pbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench_flows.h"
#include "worker/stack/checksum.h"

#define N_BLOCKS 61u
#define BURSTS_IN_BLOCK 100u
#define N_WARM_UP 4u
#define HEADER_COPY_BYTES 128u /* what the frontend copies of each packet at most */
#define IP_HEADER_BYTES 20u

static struct bench {
    struct lane_pair pair;
    struct bench_flows flows;
    uint32_t direct_heads[BENCH_BURST]; /* chunks of the in-process side, never lent */
    uint8_t out[BENCH_BURST][2048];     /* where its packets go */
    uint32_t n_out;
    uint64_t n_payload; /* bytes of answers, to be sure that there were any */
} bench;

static void lane_stage(const uint32_t *heads)
{
    struct lane_pair *pair = &bench.pair;
    struct ring_producer *ring = &pair->rx[LANE_NORMAL];

    bench_check(ring_producer_refresh(ring) == RING_OK && ring_producer_room(ring) > BENCH_BURST,
                "the ring is full");
    for (uint32_t i = 0; i < BENCH_BURST; i++) {
        uint16_t generation = frame_pool_lend(&pair->pool, heads[i], LANE_PAIR_WORKER);

        ring_producer_stage(ring, lane_word(LANE_SLOT_FRAME | LANE_FLAG_CSUM << 8, generation, heads[i]),
                            LANE_NO_CHUNK | (uint64_t)bench.flows.len_bytes << 32);
    }
    ring_producer_publish(ring);
}

static void lane_take(void)
{
    struct lane_pair *pair = &bench.pair;
    struct ring_consumer *ring = &pair->tx[LANE_NORMAL];
    const uint8_t *arena = (const uint8_t *)pair->worker_half.base + pair->layout.arena_off[LANE_NORMAL];

    bench_check(ring_consumer_refresh(ring) == RING_OK, "the worker's index is wrong");
    while (ring_consumer_ready(ring) > 0) {
        uint8_t header[HEADER_COPY_BYTES];
        struct border_tx tx = {0};

        bench_check(border_peek_tx(ring, 0, pair->config.arena_bytes, &tx) == BORDER_OK, "a slot is wrong");
        border_copy_arena(header, arena, tx.arena_off,
                          tx.len_bytes < sizeof(header) ? tx.len_bytes : sizeof(header));
        bench.n_payload += tx.len_bytes - IP_HEADER_BYTES - (uint32_t)(header[IP_HEADER_BYTES + 12] >> 4) * 4;
        ring_consumer_take(ring, 1);
    }
    ring_consumer_free(ring);
    lane_pair_take_returns(pair);
}

/* One burst through the lane; nanoseconds. */
static uint64_t lane_burst(void)
{
    struct lane_pair *pair = &bench.pair;
    uint32_t heads[BENCH_BURST];
    uint64_t start_ns = bench_now_ns(), prepared_ns;

    for (uint32_t i = 0; i < BENCH_BURST; i++)
        heads[i] = frame_pool_take_head(&pair->pool);
    prepared_ns = bench_now_ns();
    for (uint32_t i = 0; i < BENCH_BURST; i++)
        bench_flows_write(&bench.flows, &bench.flows.flows[i], frame_pool_head(&pair->pool, heads[i]), true);
    pair->now_ns = bench_now_ns();
    lane_stage(heads);
    lane_pair_worker_turn(pair);
    lane_take();
    return prepared_ns - start_ns + (bench_now_ns() - pair->now_ns);
}

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
    bench.n_payload += packet->tot_len - IP_HEADER_BYTES - (uint32_t)(out[IP_HEADER_BYTES + 12] >> 4) * 4;
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

static double block(uint64_t (*burst)(void))
{
    uint64_t payload_before = bench.n_payload, total_ns = 0;

    for (uint32_t i = 0; i < BURSTS_IN_BLOCK; i++)
        total_ns += burst();
    bench_check(bench.n_payload - payload_before ==
                    (uint64_t)BURSTS_IN_BLOCK * BENCH_BURST * bench.flows.payload_bytes,
                "not every request was answered");
    return (double)total_ns / (BURSTS_IN_BLOCK * BENCH_BURST);
}

/* Both sides in turn, so that noise falls on both. */
static void measure(double *lane_ns, double *direct_ns)
{
    netif_output_fn staged_output = bench.pair.stack.netif.output;
    double lane[N_BLOCKS], direct[N_BLOCKS];

    for (uint32_t i = 0; i < N_WARM_UP + N_BLOCKS; i++) {
        uint32_t at = i < N_WARM_UP ? 0 : i - N_WARM_UP;

        bench.pair.stack.netif.output = staged_output;
        lane[at] = block(lane_burst);
        bench.pair.stack.netif.output = direct_output;
        direct[at] = block(direct_burst);
    }
    bench.pair.stack.netif.output = staged_output;
    *lane_ns = bench_median(lane, N_BLOCKS);
    *direct_ns = bench_median(direct, N_BLOCKS);
}

int main(int argc, char **argv)
{
    struct lane_pair_config config;
    uint32_t payload_bytes = argc == 2 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
    double lane_ns, direct_ns;

    if (payload_bytes < 1 || payload_bytes > 1460) {
        fprintf(stderr, "usage: mpa-bench-lane PAYLOAD_BYTES (1..1460)\n");
        return EXIT_FAILURE;
    }
    bench_pair_config(&config, 1024, &bench_echo);
    config.context = &bench.pair;
    bench_check(lane_pair_init(&bench.pair, &config) == 0 && stack_listen(&bench.pair.stack, BENCH_PORT) == 0,
                "the lane did not start");
    bench_flows_open(&bench.flows, &bench.pair, BENCH_BURST, payload_bytes);
    for (uint32_t i = 0; i < BENCH_BURST; i++)
        bench.direct_heads[i] = frame_pool_take_head(&bench.pair.pool);
    measure(&lane_ns, &direct_ns);
    printf("{\"value\": %.1f, \"baseline\": %.1f}\n", lane_ns, direct_ns);
    bench_flows_free(&bench.flows);
    lane_pair_fini(&bench.pair);
    return EXIT_SUCCESS;
}
