/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * profile_bench.c — a bulk transfer through the worker's engine, for callgrind. A confined worker cannot run
 * under valgrind, whose own system calls its seccomp list forbids, so the same engine runs here behind a lane
 * pair, and valgrind counts only what happens inside lane_pair_worker_turn() (--toggle-collect): the peer and
 * the frontend's end cost nothing. The clock stands still but for one step a turn, so that a slow run has the
 * same instructions as a fast one.
 *
 * `offload` is the TAP of the other benchmarks: super-frames both ways, no checksum in software. `plain` is a
 * NIC without any of it: frames of 1,460 bytes, every checksum computed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/bench/bench_flows.h"
#include "tests/support/tcp_script.h"

#define PROFILE_BYTES (16u << 20)         /* each way; the start of a stream is then a small part */
#define PROFILE_TURN_BYTES (192u << 10)   /* a worker ends a turn after so many */
#define PROFILE_SUPER_BYTES (44u * 1448u) /* what a kernel peer with timestamps puts into a super-frame */
#define PROFILE_PLAIN_BYTES 1448u
#define PROFILE_TURN_NS (100 * CLOCK_NS_PER_US)
#define PROFILE_MAX_TURNS 1000000u
#define PROFILE_PATTERN_BYTES 7030u /* 95 lines of 74, as worker/service_chargen.c has it */

static struct bench {
    struct lane_pair pair;
    struct tcp_script peer;
    struct lane_pair_packet packet;
    bool has_offload;
    uint64_t position;  /* of the chargen stream */
    uint64_t n_payload; /* bytes that the peer has received in order */
    uint32_t acked;     /* last acknowledgement that the peer has seen */
    uint8_t pattern[PROFILE_PATTERN_BYTES];
    uint8_t payload[PROFILE_SUPER_BYTES];
    uint8_t frame[TCP_SCRIPT_MAX_FRAME_BYTES];
} bench;

static bool profile_opened(void *context, struct conn *conn)
{
    (void)context;
    (void)conn;
    return true;
}

static void profile_closed(void *context, struct conn *conn)
{
    (void)context;
    (void)conn;
}

/* As worker/service_chargen.c does it. */
static void profile_chargen_ready(void *context, struct conn *conn)
{
    struct stack *stack = &((struct lane_pair *)context)->stack;
    struct fifo_span out;

    while ((out = stack_conn_reserve(stack, conn, FIFO_MAX_BYTES)).len > 0) {
        uint32_t off = (uint32_t)(bench.position % PROFILE_PATTERN_BYTES), done = 0;

        while (done < out.len) {
            uint32_t n_bytes = PROFILE_PATTERN_BYTES - off;

            if (n_bytes > out.len - done)
                n_bytes = out.len - done;
            memcpy(out.bytes + done, bench.pattern + off, n_bytes);
            done += n_bytes;
            off = 0;
        }
        bench.position += out.len;
        stack_conn_produce(stack, conn, out.len);
    }
}

static const struct stack_callbacks profile_chargen = {
    .opened = profile_opened, .ready = profile_chargen_ready, .closed = profile_closed};

/* One turn of the worker, the part that is counted, and the frontend's share of what surrounds it. */
static void profile_turn(void)
{
    struct lane_pair *pair = &bench.pair;

    ring_producer_publish(&pair->rx[LANE_NORMAL]);
    pair->now_ns += PROFILE_TURN_NS;
    bench.peer.ts_value = (uint32_t)(pair->now_ns / CLOCK_NS_PER_MS);
    lane_pair_worker_turn(pair);
    lane_pair_take_returns(pair);
    bench_check(ring_producer_refresh(&pair->rx[LANE_NORMAL]) == RING_OK, "the worker's index is wrong");
}

/* With offload the NIC vouches for the checksum, which is right in any case. */
static void profile_inject(const struct tcp_segment *segment)
{
    uint32_t flags = bench.has_offload ? LANE_FLAG_CSUM : 0u;

    if (segment->payload_len > PROFILE_PLAIN_BYTES)
        flags |= LANE_FLAG_GSO;
    bench_check(lane_pair_inject(&bench.pair, bench.frame,
                                 tcp_script_build(&bench.peer, segment, bench.frame), flags),
                "no room for a frame");
}

static void profile_ack(void)
{
    struct tcp_segment segment = tcp_script_segment(&bench.peer, SEGMENT_ACK, NULL, 0);

    profile_inject(&segment);
}

/* A peer as Linux is: timestamps, SACK, a scaled window. */
static void profile_open(void)
{
    struct tcp_segment segment, reply;

    bench.peer = (struct tcp_script){.family = 4,
                                     .stack_port = BENCH_PORT,
                                     .peer_port = 10000,
                                     .window = 0xffff,
                                     .has_timestamp = true,
                                     .ts_value = 1};
    segment = tcp_script_segment(&bench.peer, SEGMENT_SYN, NULL, 0);
    segment.mss = 1460;
    segment.has_scale = true;
    segment.scale = 7;
    segment.is_sack_permitted = true;
    profile_inject(&segment);
    profile_turn();
    bench_check(lane_pair_take(&bench.pair, &bench.packet) &&
                    tcp_script_read(&bench.peer, bench.packet.bytes, bench.packet.slot.len_bytes, &reply) &&
                    (reply.flags & SEGMENT_SYN) != 0,
                "no answer to a SYN");
    bench.peer.seq++;
    bench.acked = bench.peer.seq;
    bench.peer.ack = reply.seq + 1;
    profile_ack();
    profile_turn();
}

/* The peer takes what was sent; an ACK for each second packet, as kernels do. */
static void profile_take(void)
{
    struct tcp_segment segment;
    uint32_t n_unanswered = 0;

    while (lane_pair_take(&bench.pair, &bench.packet)) {
        bench_check(tcp_script_read(&bench.peer, bench.packet.bytes, bench.packet.slot.len_bytes, &segment),
                    "a packet is not the connection's");
        if (segment.payload_len > 0) {
            bench_check(segment.seq == bench.peer.ack, "a segment is out of order");
            bench.peer.ack += segment.payload_len;
            bench.n_payload += segment.payload_len;
            n_unanswered++;
        }
        bench.acked = segment.ack;
        if (n_unanswered == 2) {
            profile_ack();
            n_unanswered = 0;
        }
    }
    if (n_unanswered > 0)
        profile_ack();
}

/* The stream itself says when it stands still: no clock could. */
static void profile_tx(void)
{
    for (uint32_t i = 0; i < PROFILE_MAX_TURNS && bench.n_payload < PROFILE_BYTES; i++) {
        profile_take();
        profile_turn();
    }
    bench_check(bench.n_payload >= PROFILE_BYTES, "the stream stands still");
}

/* A turn's worth at a time, as the loop of a worker takes it; the window is never the limit, for the consumer
 * has read everything before the next. */
static void profile_rx(void)
{
    uint32_t frame_bytes = bench.has_offload ? PROFILE_SUPER_BYTES : PROFILE_PLAIN_BYTES;
    uint32_t n_frames = bench.has_offload ? PROFILE_TURN_BYTES / frame_bytes : LANE_PAIR_MAX_BURST;
    uint32_t first = bench.peer.seq;

    while (bench.peer.seq - first < PROFILE_BYTES) {
        for (uint32_t i = 0; i < n_frames; i++) {
            struct tcp_segment segment =
                tcp_script_segment(&bench.peer, SEGMENT_ACK | SEGMENT_PSH, bench.payload, frame_bytes);

            profile_inject(&segment);
            bench.peer.seq += frame_bytes;
        }
        profile_turn();
        profile_take();
        bench_check(bench.acked == bench.peer.seq, "not every byte was acknowledged");
    }
}

int main(int argc, char **argv)
{
    bool is_rx = argc == 3 && strcmp(argv[1], "rx") == 0;
    struct lane_pair_config config;

    bench.has_offload = argc == 3 && strcmp(argv[2], "offload") == 0;
    if (argc != 3 || (!is_rx && strcmp(argv[1], "tx") != 0) ||
        (!bench.has_offload && strcmp(argv[2], "plain") != 0)) {
        fprintf(stderr, "usage: mpa-bench-profile rx|tx offload|plain\n");
        return EXIT_FAILURE;
    }
    for (uint32_t i = 0; i < PROFILE_PATTERN_BYTES; i++)
        bench.pattern[i] = (uint8_t)(' ' + i % 95);
    bench_pair_config(&config, 64, is_rx ? &bench_discard : &profile_chargen);
    config.context = &bench.pair;
    config.has_gso = config.has_offload_csum = bench.has_offload;
    bench_check(lane_pair_init(&bench.pair, &config) == 0 && stack_listen(&bench.pair.stack, BENCH_PORT) == 0,
                "the lane did not start");
    profile_open();
    if (is_rx)
        profile_rx();
    else
        profile_tx();
    lane_pair_fini(&bench.pair);
    return EXIT_SUCCESS;
}
