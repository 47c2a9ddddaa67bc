/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_flows.c — connections, requests and consumers of the in-process benchmarks.
 *
 * Handshakes go the slow way, by tcp_script, once. A request afterwards is a copy of one frame with port,
 * sequence number and acknowledgement changed: to make it must cost little beside what is measured, and
 * nothing is checked that a NIC with offload would have checked.
 */
#include "tests/bench/bench_flows.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/support/tcp_script.h"

#define FLOWS_TCP_OFF 34u /* link and IPv4 header */
#define FLOWS_FIRST_PORT 10000u
#define FLOWS_HEADER_COPY_BYTES 128u /* what the frontend copies of each packet at most */
#define FLOWS_IP_BYTES 20u
#define FLOWS_MAX_PAYLOAD_BYTES 1460u
#define FLOWS_MAX_CONNECTIONS 1024u /* of an echo server here */
#define FLOWS_N_BLOCKS 61u
#define FLOWS_N_WARM_UP 4u

static bool bench_opened(void *context, struct conn *conn)
{
    (void)context;
    (void)conn;
    return true;
}

static void bench_closed(void *context, struct conn *conn)
{
    (void)context;
    (void)conn;
}

/* As worker/service_echo.c does it. */
static void bench_echo_ready(void *context, struct conn *conn)
{
    struct stack *stack = &((struct lane_pair *)context)->stack;

    for (;;) {
        struct fifo_span in = stack_conn_peek(stack, conn), out;

        if (in.len == 0)
            return;
        out = stack_conn_reserve(stack, conn, in.len);
        if (out.len == 0)
            return;
        if (out.len < in.len)
            in.len = out.len;
        memcpy(out.bytes, in.bytes, in.len);
        stack_conn_produce(stack, conn, in.len);
        stack_conn_consume(stack, conn, in.len);
    }
}

static void bench_discard_ready(void *context, struct conn *conn)
{
    struct stack *stack = &((struct lane_pair *)context)->stack;
    struct fifo_span in;

    while ((in = stack_conn_peek(stack, conn)).len > 0)
        stack_conn_consume(stack, conn, in.len);
}

const struct stack_callbacks bench_echo = {
    .opened = bench_opened, .ready = bench_echo_ready, .closed = bench_closed};
const struct stack_callbacks bench_discard = {
    .opened = bench_opened, .ready = bench_discard_ready, .closed = bench_closed};

void bench_check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "bench: %s\n", what);
    exit(EXIT_FAILURE);
}

/* No checksum in software, as behind a TAP or a NIC with offload: a lane is compared and not the memory's
 * speed. */
void bench_pair_config(struct lane_pair_config *config, uint32_t max_connections,
                       const struct stack_callbacks *callbacks)
{
    lane_pair_defaults(config);
    config->n_head = 16384; /* as the defaults of the configuration */
    config->ring_slots = 4096;
    config->arena_bytes = 2u << 20;
    config->fifo_memory_bytes = 256u << 20;
    config->stack_memory_bytes = 256u << 20;
    config->max_connections = max_connections;
    config->has_offload_csum = true;
    config->callbacks = *callbacks;
}

/* What was sent during the handshakes; static, for a packet is 64 KiB. */
static void flows_drop_all(struct lane_pair *pair)
{
    static struct lane_pair_packet packet;

    while (lane_pair_take(pair, &packet))
        ;
}

static void flows_open_one(struct lane_pair *pair, struct bench_flow *flow, struct tcp_script *script)
{
    static struct lane_pair_packet packet;
    uint8_t frame[128];
    struct tcp_segment segment = tcp_script_segment(script, SEGMENT_SYN, NULL, 0), reply;
    struct rx_note note;

    segment.mss = 1460;
    bench_check(lane_pair_inject(pair, frame, tcp_script_build(script, &segment, frame), 0),
                "no room for a SYN");
    lane_pair_turn(pair);
    bench_check(lane_pair_take(pair, &packet) &&
                    tcp_script_read(script, packet.bytes, packet.slot.len_bytes, &reply) &&
                    (reply.flags & SEGMENT_SYN) != 0,
                "no answer to a SYN");
    script->seq++;
    script->ack = reply.seq + 1;
    segment = tcp_script_segment(script, SEGMENT_ACK, NULL, 0);
    bench_check(lane_pair_inject(pair, frame, tcp_script_build(script, &segment, frame), 0),
                "no room for an ACK");
    lane_pair_turn(pair);
    lane_pair_note(pair, frame, &note);
    *flow = (struct bench_flow){script->seq, script->ack, note.hash, script->peer_port};
}

/* The frame that all requests are copies of. */
static void flows_make_frame(struct bench_flows *flows, const struct lane_pair *pair,
                             const struct tcp_script *script)
{
    uint8_t payload[BENCH_MAX_FRAME_BYTES];
    struct tcp_segment segment;

    for (uint32_t i = 0; i < flows->payload_bytes; i++)
        payload[i] = (uint8_t)(i * 7);
    segment = tcp_script_segment(script, SEGMENT_ACK | SEGMENT_PSH, payload, flows->payload_bytes);
    flows->len_bytes = tcp_script_build(script, &segment, flows->frame);
    lane_pair_note(pair, flows->frame, &flows->note);
}

void bench_flows_open(struct bench_flows *flows, struct lane_pair *pair, uint32_t n, uint32_t payload_bytes)
{
    struct tcp_script script = {.family = 4, .stack_port = BENCH_PORT, .window = 0xffff};

    *flows = (struct bench_flows){
        .n = n, .payload_bytes = payload_bytes, .flows = calloc(n, sizeof(struct bench_flow))};
    bench_check(flows->flows != NULL && n <= 0xffff - FLOWS_FIRST_PORT, "too many connections");
    /* Sequence numbers far apart: a frame that is taken for another connection's cannot fit there by chance.
     */
    for (uint32_t i = 0; i < n; i++) {
        script.peer_port = (uint16_t)(FLOWS_FIRST_PORT + i);
        script.seq = i * 100000u;
        script.ack = 0;
        flows_open_one(pair, &flows->flows[i], &script);
    }
    flows_make_frame(flows, pair, &script);
    flows_drop_all(pair);
    bench_check(pair->stack.n_connections == n, "not every connection was opened");
}

void bench_flows_free(struct bench_flows *flows)
{
    free(flows->flows);
    flows->flows = NULL;
}

void bench_flows_write(struct bench_flows *flows, struct bench_flow *flow, uint8_t *head, bool is_echo)
{
    uint8_t *tcp = head + RX_FRAME_OFF + FLOWS_TCP_OFF;
    uint16_t port_be = htons(flow->port);
    uint32_t seq_be = htonl(flow->seq), ack_be = htonl(flow->ack);

    flows->note.hash = flow->hash;
    memcpy(head, &flows->note, sizeof(flows->note));
    memcpy(head + RX_FRAME_OFF, flows->frame, flows->len_bytes);
    memcpy(tcp, &port_be, sizeof(port_be));
    memcpy(tcp + 4, &seq_be, sizeof(seq_be));
    memcpy(tcp + 8, &ack_be, sizeof(ack_be));
    flow->seq += flows->payload_bytes;
    if (is_echo)
        flow->ack += flows->payload_bytes;
}

void bench_lane_stage(const struct bench_flows *flows, struct lane_pair *pair, const uint32_t *heads)
{
    struct ring_producer *ring = &pair->rx[LANE_NORMAL];

    bench_check(ring_producer_refresh(ring) == RING_OK && ring_producer_room(ring) > BENCH_BURST,
                "the ring is full");
    for (uint32_t i = 0; i < BENCH_BURST; i++) {
        uint16_t generation = frame_pool_lend(&pair->pool, heads[i], LANE_PAIR_WORKER);

        ring_producer_stage(ring, lane_word(LANE_SLOT_FRAME | LANE_FLAG_CSUM << 8, generation, heads[i]),
                            LANE_NO_CHUNK | (uint64_t)flows->len_bytes << 32);
    }
    ring_producer_publish(ring);
}

void bench_lane_take(struct bench_flows *flows, struct lane_pair *pair)
{
    struct ring_consumer *ring = &pair->tx[LANE_NORMAL];
    const uint8_t *arena = (const uint8_t *)pair->worker_half.base + pair->layout.arena_off[LANE_NORMAL];

    bench_check(ring_consumer_refresh(ring) == RING_OK, "the worker's index is wrong");
    while (ring_consumer_ready(ring) > 0) {
        uint8_t header[FLOWS_HEADER_COPY_BYTES];
        struct border_tx tx = {0};

        bench_check(border_peek_tx(ring, 0, pair->config.arena_bytes, &tx) == BORDER_OK, "a slot is wrong");
        border_copy_arena(header, arena, tx.arena_off,
                          tx.len_bytes < sizeof(header) ? tx.len_bytes : sizeof(header));
        flows->n_payload += tx.len_bytes - FLOWS_IP_BYTES - (uint32_t)(header[FLOWS_IP_BYTES + 12] >> 4) * 4;
        ring_consumer_take(ring, 1);
    }
    ring_consumer_free(ring);
    lane_pair_take_returns(pair);
}

uint64_t bench_lane_burst(struct bench_flows *flows, struct lane_pair *pair)
{
    uint32_t heads[BENCH_BURST];
    uint64_t start_ns = bench_now_ns(), prepared_ns;

    for (uint32_t i = 0; i < BENCH_BURST; i++)
        heads[i] = frame_pool_take_head(&pair->pool);
    prepared_ns = bench_now_ns();
    for (uint32_t i = 0; i < BENCH_BURST; i++)
        bench_flows_write(flows, &flows->flows[i], frame_pool_head(&pair->pool, heads[i]), true);
    pair->now_ns = bench_now_ns();
    bench_lane_stage(flows, pair, heads);
    lane_pair_worker_turn(pair);
    bench_lane_take(flows, pair);
    return prepared_ns - start_ns + (bench_now_ns() - pair->now_ns);
}

double bench_bursts(struct bench_flows *flows, uint64_t (*burst)(void))
{
    uint64_t payload_before = flows->n_payload, total_ns = 0;

    for (uint32_t i = 0; i < BENCH_BURSTS_IN_BLOCK; i++)
        total_ns += burst();
    bench_check(flows->n_payload - payload_before ==
                    (uint64_t)BENCH_BURSTS_IN_BLOCK * BENCH_BURST * flows->payload_bytes,
                "not every request was answered");
    return (double)total_ns / (BENCH_BURSTS_IN_BLOCK * BENCH_BURST);
}

uint64_t bench_now_ns(void)
{
    return clock_now_ns();
}

static int compare(const void *a, const void *b)
{
    const double *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

double bench_median(double *values, uint32_t n)
{
    qsort(values, n, sizeof(*values), compare);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

void bench_two_sides(void (*block)(double *left_ns, double *right_ns), double *left_ns, double *right_ns)
{
    double left[FLOWS_N_BLOCKS], right[FLOWS_N_BLOCKS];

    for (uint32_t i = 0; i < FLOWS_N_WARM_UP; i++)
        block(&left[0], &right[0]);
    for (uint32_t i = 0; i < FLOWS_N_BLOCKS; i++)
        block(&left[i], &right[i]);
    *left_ns = bench_median(left, FLOWS_N_BLOCKS);
    *right_ns = bench_median(right, FLOWS_N_BLOCKS);
}

uint32_t bench_payload_argument(int argc, char **argv)
{
    unsigned long payload_bytes = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;

    if (payload_bytes < 1 || payload_bytes > FLOWS_MAX_PAYLOAD_BYTES) {
        fprintf(stderr, "usage: %s PAYLOAD_BYTES (1..%u)\n", argv[0], FLOWS_MAX_PAYLOAD_BYTES);
        exit(EXIT_FAILURE);
    }
    return (uint32_t)payload_bytes;
}

void bench_echo_start(struct lane_pair *pair, struct bench_flows *flows, uint32_t n, uint32_t payload_bytes)
{
    struct lane_pair_config config;

    bench_pair_config(&config, FLOWS_MAX_CONNECTIONS, &bench_echo);
    config.context = pair;
    bench_check(lane_pair_init(pair, &config) == 0 && stack_listen(&pair->stack, BENCH_PORT) == 0,
                "the lane did not start");
    bench_flows_open(flows, pair, n, payload_bytes);
}
