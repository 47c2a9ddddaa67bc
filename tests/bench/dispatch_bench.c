/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dispatch_bench.c — how many workers one frontend can feed: its time for an echo request (a frame in, a
 * frame out) against the worker's. The frontend's own receive and transmit stages run over the memory NIC,
 * whose copies count as the frontend's; the worker is the engine behind a lane pair. Both in turn on one
 * core, bursts of 32.
 *
 * A process can hold only one lwIP, and here it is the worker's: the host stack is a stub that knows one
 * neighbour. It is not in the way of these frames, since a next hop is asked for once a second.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/frontend.h"
#include "frontend/nic/memory.h"
#include "tests/bench/bench_flows.h"

#define N_PINS 64u
#define VNET_DATA_VALID 2u /* VIRTIO_NET_HDR_F_DATA_VALID */
#define HEADERS_BYTES (NIC_VNET_BYTES + NIC_LINK_BYTES + 40u)

static struct bench {
    struct lane_pair pair;
    struct frontend frontend;
    struct bench_flows flows;
    uint8_t requests[BENCH_BURST][POOL_HEAD_BYTES];
    uint64_t frontend_ns, worker_ns;
} bench;

/* What the stages call beside the data path. */
void host_input(struct host *host, const uint8_t *frame, uint32_t head_len, const uint8_t *tail,
                uint32_t tail_len)
{
    (void)host;
    (void)frame;
    (void)head_len;
    (void)tail;
    (void)tail_len;
    bench_check(false, "a request went to the host stack");
}

enum host_hop host_next_hop(struct host *host, uint8_t family, const uint8_t *destination, uint8_t mac[6])
{
    (void)host;
    (void)family;
    (void)destination;
    memset(mac, 2, 6);
    return HOST_HOP_FOUND;
}

uint32_t host_epoch(const struct host *host)
{
    (void)host;
    return 1;
}

void broker_quarantine(struct frontend *frontend, struct lane *lane, enum lane_counter fault)
{
    (void)frontend;
    (void)lane;
    (void)fault;
    bench_check(false, "the lane was quarantined");
}

void capture_frame(struct frontend *frontend, const struct iovec *parts, int n_parts, uint32_t lane,
                   bool is_out)
{
    (void)frontend;
    (void)parts;
    (void)n_parts;
    (void)lane;
    (void)is_out;
}

/* The lane as the broker would have set it up, over the pair's segments. */
static void init_lane(struct lane *lane)
{
    struct lane_pair *pair = &bench.pair;
    struct frontend_half *own = pair->frontend_half.base;
    const struct worker_half *peer = pair->worker_half.base;

    lane->state = BOARD_LANE_SERVING;
    lane->worker_half = pair->worker_half;
    lane->shape = peer->shape;
    lane->layout = pair->layout;
    lane->returns = pair->returns;
    for (int p = 0; p < N_LANE_PRIORITIES; p++) {
        lane->rx[p] = pair->rx[p];
        lane->tx[p] = pair->tx[p];
    }
    wake_init(&lane->rx_wake, -1, &own->sleeping, &peer->sleeping); /* nobody sleeps here */
    lane->tx_wake = lane->rx_wake;
}

/* Of the start only what the two stages look at: no socket, no control thread, no host stack. */
static void init_frontend(void)
{
    struct frontend *frontend = &bench.frontend;
    uint32_t n_buckets;
    char error[256];

    config_defaults(&frontend->config);
    frontend->config.nic.backend = CONFIG_BACKEND_MEMORY;
    n_buckets = frontend->config.frontend.n_buckets;
    bench_check(nic_open(&frontend->nic, &frontend->config.nic, error, sizeof(error)) == 0, "no memory NIC");
    bench_check(board_init(&frontend->board, n_buckets) == 0 &&
                    bucket_table_init(&frontend->buckets, n_buckets) == 0 &&
                    pin_table_init(&frontend->pins, N_PINS) == 0,
                "no memory for the tables");
    bucket_table_spread(&frontend->buckets, 1u << LANE_PAIR_WORKER, NULL, NULL);
    frontend->lane_mask = 1u << LANE_PAIR_WORKER;
    frontend->pool = bench.pair.pool;
    frontend->seed = bench.pair.stack.config.flow_seed;
    frontend->addresses.n_addresses = 1;
    frontend->addresses.mtu_bytes = 1500;
    bench_check(config_address_parse("10.77.0.2/24", &frontend->addresses.addresses[0]) == 0, "no address");
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++)
        lane_init(&frontend->lanes[i], (uint8_t)i, &frontend->board.lanes[i]);
    frontend_receive_init(frontend);
}

/* Thirty-two requests arrive at the NIC. */
static void put_requests(void)
{
    static const uint8_t vnet[NIC_VNET_BYTES] = {VNET_DATA_VALID};
    struct iovec frames[BENCH_BURST];

    for (uint32_t i = 0; i < BENCH_BURST; i++) {
        bench_flows_write(&bench.flows, &bench.flows.flows[i], bench.requests[i], true);
        memcpy(bench.requests[i], vnet, sizeof(vnet));
        memcpy(bench.requests[i] + NIC_VNET_BYTES, bench.frontend.nic.mac, 6);
        frames[i] = (struct iovec){bench.requests[i], NIC_VNET_BYTES + bench.flows.len_bytes};
    }
    bench_check(nic_memory_inject(&bench.frontend.nic, frames, BENCH_BURST) == BENCH_BURST,
                "the NIC is full");
}

/* The far end of the NIC, outside the clock; lengths are enough, the unit tests look at bytes. */
static void take_answers(void)
{
    struct iovec frames[BENCH_BURST];
    unsigned n = nic_memory_take(&bench.frontend.nic, frames, BENCH_BURST);

    bench_check(n == BENCH_BURST, "not every request was answered");
    for (unsigned i = 0; i < n; i++)
        bench_check(frames[i].iov_len == HEADERS_BYTES + bench.flows.payload_bytes,
                    "an answer is not the request");
    nic_memory_release(&bench.frontend.nic);
}

/* Four readings of the clock: NIC to rx ring (frontend), rx ring to tx ring (worker), tx ring to NIC
 * (frontend). */
static void burst(void)
{
    struct frontend *frontend = &bench.frontend;
    struct lane *lane = &frontend->lanes[LANE_PAIR_WORKER];
    enum lane_counter fault;
    uint64_t start_ns, received_ns, worked_ns;

    put_requests();
    start_ns = bench_now_ns();
    frontend->now_ns = start_ns;
    bench_check(frontend_receive(frontend), "the NIC gave nothing");
    received_ns = bench_now_ns();
    bench.pair.now_ns = received_ns;
    lane_pair_worker_turn(&bench.pair);
    worked_ns = bench_now_ns();
    frontend_transmit(frontend);
    bench_check(lane_take_returns(lane, &frontend->pool, &fault), "a chunk came back that should not");
    bench.frontend_ns += received_ns - start_ns + (bench_now_ns() - worked_ns);
    bench.worker_ns += worked_ns - received_ns;
    take_answers();
}

/* Both sides of the same bursts, so that noise falls on both. */
static void block(double *frontend_ns, double *worker_ns)
{
    bench.frontend_ns = bench.worker_ns = 0;
    for (uint32_t i = 0; i < BENCH_BURSTS_IN_BLOCK; i++)
        burst();
    *frontend_ns = (double)bench.frontend_ns / (BENCH_BURSTS_IN_BLOCK * BENCH_BURST);
    *worker_ns = (double)bench.worker_ns / (BENCH_BURSTS_IN_BLOCK * BENCH_BURST);
}

int main(int argc, char **argv)
{
    uint32_t payload_bytes = bench_payload_argument(argc, argv);
    double frontend_ns, worker_ns;

    bench_echo_start(&bench.pair, &bench.flows, BENCH_BURST, payload_bytes);
    init_frontend();
    init_lane(&bench.frontend.lanes[LANE_PAIR_WORKER]);
    bench_two_sides(block, &frontend_ns, &worker_ns);
    printf("{\"value\": %.1f, \"baseline\": %.1f}\n", frontend_ns, worker_ns);
    return EXIT_SUCCESS;
}
