/* SPDX-License-Identifier: BSD-3-Clause */
/* stack_memory_test.c — without memory things take longer, but nothing is lost; and many connections cost
 * little. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/support/unit.h"
#include "tests/unit/worker/stack/stack_receiver.h"
#include "worker/stack/pool.h"
#include "worker/stack/stack_internal.h"

#define N_PEERS 16u
#define STREAM_BYTES 200000u
#define N_MANY 10000u

static struct rig rig;
static uint8_t chunk[1448];

/* A peer that sends a stream, and goes back to what was acknowledged last when nothing moves. */
static struct sender {
    struct tcp_script script; /* seq: of stream byte 0 */
    uint32_t sent, acked;
} senders[N_PEERS];

/* A pure ACK: one beside the data, which may be dropped with its segment when memory is short. */
static void sender_acknowledge(const struct sender *sender)
{
    struct tcp_segment ack = tcp_script_segment(&sender->script, SEGMENT_ACK, NULL, 0);

    ack.seq += sender->acked;
    rig_inject(&rig, &sender->script, &ack);
}

static void sender_take(struct sender *sender, const struct tcp_segment *segment)
{
    uint32_t acked = segment->ack - sender->script.seq;

    if (acked <= STREAM_BYTES && acked > sender->acked)
        sender->acked = acked;
    if (segment->payload_len == 0)
        return;
    if (segment->seq == sender->script.ack && sender->script.window > 0) /* what is echoed */
        sender->script.ack += segment->payload_len;
    sender_acknowledge(sender);
}

/* Everything that has left, each packet to its peer. */
static void senders_take(void)
{
    struct tcp_segment segment;

    while (lane_pair_take(&rig.pair, &rig.packet)) {
        for (uint32_t i = 0; i < N_PEERS; i++) {
            if (tcp_script_read(&senders[i].script, rig.packet.bytes, rig.packet.slot.len_bytes, &segment))
                sender_take(&senders[i], &segment);
        }
    }
}

static void sender_step(struct sender *sender, uint32_t n_segments)
{
    while (n_segments-- > 0 && sender->sent < STREAM_BYTES) {
        uint32_t n =
            STREAM_BYTES - sender->sent < sizeof(chunk) ? STREAM_BYTES - sender->sent : sizeof(chunk);
        struct tcp_segment segment;

        rig_fill(chunk, sender->sent, n);
        segment = tcp_script_segment(&sender->script, SEGMENT_ACK, chunk, n);
        segment.seq = sender->script.seq + sender->sent;
        sender->sent += n;
        rig_inject(&rig, &sender->script, &segment);
    }
    lane_pair_turn(&rig.pair);
    senders_take();
}

static void senders_step(uint32_t n_segments)
{
    for (uint32_t i = 0; i < N_PEERS; i++)
        sender_step(&senders[i], n_segments);
}

/* All streams at once; true if every byte was acknowledged. */
static bool send_all(void)
{
    uint32_t n_done = 0;

    for (uint32_t round = 0; round < 2000 && n_done < N_PEERS; round++) {
        n_done = 0;
        senders_step(8);
        for (uint32_t i = 0; i < N_PEERS; i++) {
            if (senders[i].sent == STREAM_BYTES || senders[i].sent > senders[i].acked + 65536)
                senders[i].sent = senders[i].acked;
            n_done += senders[i].acked == STREAM_BYTES;
        }
        lane_pair_advance(&rig.pair, 20);
        senders_take();
    }
    return n_done == N_PEERS;
}

/* Nothing was lost of what has not been acknowledged: from there. */
static void send_again(void)
{
    for (uint32_t i = 0; i < N_PEERS; i++)
        senders[i].sent = senders[i].acked;
}

static void open_senders(void)
{
    for (uint32_t i = 0; i < N_PEERS; i++) {
        senders[i] = (struct sender){.script = rig_peer(4, (uint16_t)(2000 + i))};
        CU_ASSERT_FATAL(rig_open(&rig, &senders[i].script, RIG_OPTIONS_LINUX, NULL));
    }
}

static void test_fifo_memory_exhausted(void)
{
    struct lane_pair_config config;

    rig_defaults(&config);
    config.fifo_memory_bytes = 1u << 20; /* sixteen streams held back want four times as much */
    rig_start(&rig, RIG_HOLD, &config);
    open_senders();
    for (int round = 0; round < 30; round++)
        senders_step(8);
    CU_ASSERT(lane_pair_counter(&rig.pair, WORKER_rx_drop_fifo_memory) > 0);
    CU_ASSERT_EQUAL(rig.n_closed, 0);
    rig.is_reading = true;
    for (uint32_t i = 0; i < rig.pair.stack.n_unused_idx; i++)
        stack_mark_ready(&rig.pair.stack, &rig.pair.stack.conns[i]);
    send_again();
    CU_ASSERT(send_all());
    CU_ASSERT_EQUAL(rig.n_read, (uint64_t)N_PEERS * STREAM_BYTES);
    CU_ASSERT_EQUAL(rig.n_closed, 0);
    rig_fini(&rig);
}

/* What is received must not take the memory that answering it needs. */
static void test_echo_needs_both_fifos(void)
{
    struct lane_pair_config config;

    rig_defaults(&config);
    config.fifo_memory_bytes = 1u << 20;
    rig_start(&rig, RIG_ECHO, &config);
    open_senders();
    for (uint32_t i = 0; i < N_PEERS; i++)
        senders[i].script.window = 0; /* so that answers pile up */
    for (int round = 0; round < 30; round++)
        senders_step(8);
    for (uint32_t i = 0; i < N_PEERS; i++) {
        senders[i].script.window = 0xffff;
        sender_acknowledge(&senders[i]);
    }
    send_again();
    CU_ASSERT(send_all());
    CU_ASSERT_EQUAL(rig.n_closed, 0);
    for (uint32_t i = 0; i < N_PEERS; i++)
        CU_ASSERT(senders[i].script.ack - senders[i].script.irs > STREAM_BYTES / 2);
    rig_fini(&rig);
}

/* A consumer that found no room to write to is asked again when there is memory, though nothing else happens.
 */
static void test_fifo_memory_comes_back(void)
{
    struct tcp_script peer = rig_peer(4, 2000);
    struct fifo_memory *memory = &rig.pair.fifo_memory;
    struct tcp_segment segment;
    uint32_t blocks[256], n = 0;

    rig_init(&rig, RIG_HOLD);
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    rig_fill(chunk, 0, 100);
    rig_send_data(&rig, &peer, chunk, 100);
    rig_drop_all(&rig);
    for (uint32_t bytes = FIFO_MEMORY_MAX_BYTES; bytes >= FIFO_MEMORY_MIN_BYTES; bytes /= 2) {
        while ((blocks[n] = fifo_memory_alloc(memory, bytes)) != FIFO_MEMORY_NONE)
            n += bytes == FIFO_MEMORY_MAX_BYTES;
    }
    rig.consumer = RIG_ECHO;
    stack_mark_ready(&rig.pair.stack, rig.conn);
    lane_pair_turn(&rig.pair);
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 0);
    fifo_memory_free(memory, blocks[0], FIFO_MEMORY_MAX_BYTES);
    lane_pair_advance(&rig.pair, 40); /* a block freed is held until the commit */
    CU_ASSERT_FATAL(rig_take_last(&rig, &peer, &segment));
    CU_ASSERT_EQUAL(segment.payload_len, 100);
    lane_pair_fini(&rig.pair);
}

/* Eats lwIP's memory down to `left_bytes`. */
static void *eat_pool(size_t left_bytes)
{
    void *eaten = NULL, *block;

    while (pool_budget_bytes() - pool_used_bytes() > left_bytes + 1024 &&
           (block = pool_malloc(1024)) != NULL) {
        memcpy(block, &eaten, sizeof(eaten));
        eaten = block;
    }
    while (pool_budget_bytes() - pool_used_bytes() > left_bytes && (block = pool_malloc(64)) != NULL) {
        memcpy(block, &eaten, sizeof(eaten));
        eaten = block;
    }
    return eaten;
}

static void give_back(void *eaten)
{
    while (eaten != NULL) {
        void *next;

        memcpy(&next, eaten, sizeof(next));
        pool_free(eaten);
        eaten = next;
    }
}

/* Sixteen streams in while the pool runs dry again and again. */
static void test_pool_exhausted_receiving(void)
{
    struct lane_pair_config config;
    void *eaten;

    rig_defaults(&config);
    config.stack_memory_bytes = 1u << 20;
    rig_start(&rig, RIG_SINK, &config);
    open_senders();
    for (uint32_t round = 0; round < 40; round++) {
        eaten = eat_pool(round * 64);
        senders_step(4);
        give_back(eaten);
    }
    CU_ASSERT(lane_pair_counter(&rig.pair, WORKER_rx_drop_stack_memory) > 0);
    send_again();
    CU_ASSERT(send_all());
    CU_ASSERT_EQUAL(rig.n_read, (uint64_t)N_PEERS * STREAM_BYTES);
    CU_ASSERT_EQUAL(rig.n_closed, 0);
    rig_fini(&rig);
}

/* A stream out while the pool runs dry at every step, with and without super-segments and losses. */
static void check_pool_exhausted_sending(bool has_gso, bool has_losses)
{
    struct lane_pair_config config;
    struct tcp_script peer = rig_peer(4, 2000);
    struct receiver receiver;

    rig_defaults(&config);
    config.stack_memory_bytes = 1u << 20;
    config.has_gso = has_gso;
    rig_start(&rig, RIG_SOURCE, &config);
    rig.source_bytes = STREAM_BYTES;
    rig.source_closes = true;
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    receiver_init(&receiver, &peer, RIG_OPTIONS_LINUX);
    for (uint32_t i = 0; has_losses && i < 20; i++)
        receiver_lose(&receiver, i * 9973);
    for (uint32_t round = 0; round < 4000 && !receiver.has_fin; round++) {
        void *eaten = round % 3 != 2 ? eat_pool(round % 30 * 64) : NULL;

        lane_pair_turn(&rig.pair);
        receiver_take(&rig, &receiver);
        lane_pair_advance(&rig.pair, 20);
        receiver_take(&rig, &receiver);
        give_back(eaten);
    }
    CU_ASSERT(receiver.has_fin);
    CU_ASSERT_EQUAL(receiver.n_contiguous, STREAM_BYTES + 1);
    receiver_fini(&receiver);
    rig_fini(&rig);
}

static void test_pool_exhausted_sending(void)
{
    check_pool_exhausted_sending(false, false);
    check_pool_exhausted_sending(true, false);
}

static void test_pool_exhausted_recovering(void)
{
    check_pool_exhausted_sending(false, true);
    check_pool_exhausted_sending(true, true);
}

/* Frames held out of order must not starve the rx pool of everybody. */
static void test_held_frames_are_bounded(void)
{
    struct lane_pair_config config;
    struct tcp_script peer = rig_peer(4, 2000);

    rig_defaults(&config);
    config.n_head = 128;
    rig_start(&rig, RIG_SINK, &config);
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    rig_fill(chunk, 0, sizeof(chunk));
    for (uint32_t i = 1; i <= 150; i++) {
        struct tcp_segment segment = tcp_script_segment(&peer, SEGMENT_ACK, chunk, 1000);

        segment.seq = peer.seq + i * 1000;
        rig_send(&rig, &peer, &segment);
        rig_drop_all(&rig);
    }
    CU_ASSERT(rig.pair.pool.n_free_head >= 64);
    CU_ASSERT(lane_pair_counter(&rig.pair, WORKER_rx_unborrowed) > 0);
    rig_fini(&rig);
}

static struct tcp_script many_peer(uint32_t i)
{
    struct tcp_script peer = rig_peer((uint8_t)(i % 2 == 0 ? 4 : 6), (uint16_t)(10000 + i / 2));

    return peer;
}

static void start_many(void)
{
    struct lane_pair_config config;

    rig_defaults(&config);
    config.max_connections = N_MANY;
    config.fifo_memory_bytes = 64u << 20; /* a FIFO that is not empty has a page */
    rig_start(&rig, RIG_ECHO, &config);
    for (uint32_t i = 0; i < N_MANY; i++) {
        struct tcp_script peer = many_peer(i);

        CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTION_SCALE, NULL));
    }
    CU_ASSERT_EQUAL(rig.pair.stack.n_connections, N_MANY);
}

static void test_idle_connections_cost_no_tick(void)
{
    uint32_t n_visits = 0;

    start_many();
    lane_pair_advance(&rig.pair, 1000);
    for (uint32_t i = 0; i < STACK_WHEEL_SLOTS; i++)
        n_visits += rig.pair.stack.wheel[i] != CONN_NONE;
    CU_ASSERT_EQUAL(n_visits, 0);
    CU_ASSERT_EQUAL(fifo_memory_used_bytes(&rig.pair.fifo_memory), 0);
    rig_fini(&rig);
}

/* Data in flight to ten thousand silent peers: every one has its own time-out. */
static void test_many_time_outs(void)
{
    uint32_t n = 0;

    start_many();
    for (uint32_t i = 0; i < N_MANY; i++) {
        struct tcp_script peer = many_peer(i);
        struct tcp_segment segment;

        peer.seq++;
        peer.ack = rig.pair.stack.conns[i].iss + 1;
        segment = tcp_script_segment(&peer, SEGMENT_ACK, "x", 1);
        rig_send(&rig, &peer, &segment);
        n += rig_drop_all(&rig);
    }
    CU_ASSERT_EQUAL(n, N_MANY);
    n = 0;
    for (uint32_t waited = 0; waited < 4000 && n < N_MANY; waited += 20) {
        lane_pair_advance(&rig.pair, 20);
        while (lane_pair_take(&rig.pair, &rig.packet)) {
            n++;
            if (rig.pair.stack.blocked_head != CONN_NONE)
                lane_pair_turn(&rig.pair);
        }
    }
    CU_ASSERT_EQUAL(n, N_MANY);
    CU_ASSERT_EQUAL(lane_pair_counter(&rig.pair, WORKER_tx_timeouts), N_MANY);
    rig_fini(&rig);
}

const char unit_suite_name[] = "worker/stack: memory";
const struct unit_test unit_tests[] = {
    {"without FIFO memory segments wait at the peer and none is lost", test_fifo_memory_exhausted},
    {"what is received leaves memory to answer it", test_echo_needs_both_fifos},
    {"a consumer without FIFO memory is asked again when there is some", test_fifo_memory_comes_back},
    {"without packet memory received segments come again and none is lost", test_pool_exhausted_receiving},
    {"without packet memory a stream is sent all the same", test_pool_exhausted_sending},
    {"without packet memory losses are repaired all the same", test_pool_exhausted_recovering},
    {"frames held out of order leave the pool for others", test_held_frames_are_bounded},
    {"ten thousand idle connections cost no tick and no FIFO", test_idle_connections_cost_no_tick},
    {"ten thousand connections time out each on its own", test_many_time_outs},
    {NULL, NULL},
};
