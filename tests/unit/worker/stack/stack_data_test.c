/* SPDX-License-Identifier: BSD-3-Clause */
/* stack_data_test.c — bytes in both directions: order, windows, super frames, moving FIFOs, path MTU. */
#include <string.h>

#include "base/clock.h"
#include "tests/support/unit.h"
#include "tests/unit/worker/stack/stack_receiver.h"
#include "worker/stack/stack_internal.h"

#define WINDOW_BYTES STACK_FIFO_MAX_BYTES /* the receive window */
#define SUPER_BYTES 60000u

static struct rig rig;
static uint8_t stream[WINDOW_BYTES + SUPER_BYTES];

/* Sends stream bytes [position, position + n) at their place. */
static void send_at(struct tcp_script *peer, uint32_t position, uint32_t n)
{
    struct tcp_segment segment = tcp_script_segment(peer, SEGMENT_ACK, stream + position, n);

    segment.seq = peer->seq + position;
    rig_send(&rig, peer, &segment);
}

static struct tcp_script start(enum rig_consumer consumer, struct lane_pair_config *config)
{
    struct tcp_script peer = rig_peer(4, 2000);

    rig_fill(stream, 0, sizeof(stream));
    rig_start(&rig, consumer, config);
    return peer;
}

static struct tcp_script start_open(enum rig_consumer consumer)
{
    struct lane_pair_config config;
    struct tcp_script peer;

    rig_defaults(&config);
    peer = start(consumer, &config);
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    return peer;
}

static void test_out_of_order_is_held(void)
{
    struct tcp_script peer = start_open(RIG_SINK);
    struct tcp_segment ack;

    send_at(&peer, 1000, 1000);
    CU_ASSERT_EQUAL(rig.n_read, 0);
    CU_ASSERT_EQUAL(rig.pair.pool.n_held[LANE_PAIR_WORKER], 1); /* the frame itself is what is held */
    CU_ASSERT_FATAL(rig_take_last(&rig, &peer, &ack));
    CU_ASSERT_EQUAL(ack.ack, peer.seq);
    CU_ASSERT_EQUAL_FATAL(ack.n_sack, 1);
    CU_ASSERT_EQUAL(ack.sack[0].left, peer.seq + 1000);
    CU_ASSERT_EQUAL(ack.sack[0].right, peer.seq + 2000);
    send_at(&peer, 0, 1000);
    CU_ASSERT_EQUAL(rig.n_read, 2000);
    CU_ASSERT_EQUAL(rig.pair.pool.n_held[LANE_PAIR_WORKER], 0);
    CU_ASSERT_FATAL(rig_take_last(&rig, &peer, &ack));
    CU_ASSERT_EQUAL(ack.ack, peer.seq + 2000);
    CU_ASSERT_EQUAL(ack.n_sack, 0);
    CU_ASSERT_EQUAL(lane_pair_counter(&rig.pair, WORKER_rx_out_of_order), 1);
    rig_fini(&rig);
}

static void test_reversed_and_overlapping(void)
{
    struct tcp_script peer = start_open(RIG_SINK);

    for (int i = 49; i >= 0; i--)
        send_at(&peer, (uint32_t)i * 1000, 1400); /* each overlaps the next by 400 */
    CU_ASSERT_EQUAL(rig.n_read, 50400);
    for (uint32_t i = 0; i < 50; i++)
        send_at(&peer, i * 1000, 1000); /* all of it again */
    CU_ASSERT_EQUAL(rig.n_read, 50400);
    CU_ASSERT_EQUAL(fifo_memory_used_bytes(&rig.pair.fifo_memory), 0);
    rig_fini(&rig);
}

static void test_super_frame(void)
{
    struct tcp_script peer = start_open(RIG_SINK);

    send_at(&peer, 0, SUPER_BYTES);
    CU_ASSERT_EQUAL(rig.n_read, SUPER_BYTES);
    CU_ASSERT_EQUAL(rig.pair.pool.n_free_large, rig.pair.config.n_large);
    send_at(&peer, SUPER_BYTES + 1448, SUPER_BYTES);
    CU_ASSERT_EQUAL(rig.pair.pool.n_free_large, rig.pair.config.n_large - 1);
    send_at(&peer, SUPER_BYTES, 1448);
    CU_ASSERT_EQUAL(rig.n_read, 2 * SUPER_BYTES + 1448);
    CU_ASSERT_EQUAL(rig.pair.pool.n_free_large, rig.pair.config.n_large);
    rig_fini(&rig);
}

static void test_window_follows_reader(void)
{
    struct tcp_script peer = start_open(RIG_HOLD);
    struct tcp_segment ack = {0};
    uint32_t sent = 0;

    while (sent < WINDOW_BYTES) {
        send_at(&peer, sent, 4096);
        sent += 4096;
        CU_ASSERT_FATAL(rig_take_last(&rig, &peer, &ack));
        CU_ASSERT_EQUAL(ack.ack, peer.seq + sent);
        CU_ASSERT((uint32_t)ack.window << TCP_RCV_SCALE <= WINDOW_BYTES - sent);
    }
    CU_ASSERT_EQUAL(ack.window, 0);
    /* A byte beyond the window changes nothing. */
    send_at(&peer, sent, 1);
    CU_ASSERT_FATAL(rig_take_last(&rig, &peer, &ack));
    CU_ASSERT_EQUAL(ack.ack, peer.seq + sent);
    CU_ASSERT_EQUAL(fifo_used(&rig.conn->rx), WINDOW_BYTES);
    /* The reader takes it all; the peer is told without asking. */
    rig.is_reading = true;
    stack_mark_ready(&rig.pair.stack, rig.conn);
    lane_pair_turn(&rig.pair);
    CU_ASSERT_EQUAL(rig.n_read, WINDOW_BYTES);
    CU_ASSERT_FATAL(rig_take_last(&rig, &peer, &ack));
    CU_ASSERT((uint32_t)ack.window << TCP_RCV_SCALE > WINDOW_BYTES - 65536);
    rig_fini(&rig);
}

static void test_zero_window_is_probed(void)
{
    struct tcp_script peer = start_open(RIG_ECHO);
    struct tcp_segment segment;
    unsigned n_probes = 0;

    rig_send_data(&rig, &peer, stream, 10);
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 1);
    peer.ack += 10;
    peer.window = 0;
    rig_send_data(&rig, &peer, stream, 1000);
    CU_ASSERT_FATAL(rig_take_last(&rig, &peer, &segment));
    CU_ASSERT_EQUAL(segment.payload_len, 0);
    for (uint32_t waited = 0; waited < 60000; waited += 20) {
        lane_pair_advance(&rig.pair, 20);
        if (!rig_take(&rig, &peer, &segment))
            continue;
        n_probes++;
        CU_ASSERT(segment.payload_len <= 1);
        rig_send_flags(&rig, &peer, SEGMENT_ACK); /* still closed */
    }
    CU_ASSERT(n_probes >= 3);
    CU_ASSERT_EQUAL(rig.n_closed, 0);
    peer.window = 0xffff;
    rig_send_flags(&rig, &peer, SEGMENT_ACK);
    CU_ASSERT_FATAL(rig_take_last(&rig, &peer, &segment));
    CU_ASSERT_EQUAL(segment.payload_len, 1000);
    CU_ASSERT(rig_is_pattern(segment.payload, 0, 1000));
    rig_fini(&rig);
}

/* Nobody answers the probes of a closed window: as patient as with data in flight, and no more. */
static void test_silent_closed_window_is_given_up(void)
{
    struct tcp_script peer = start_open(RIG_ECHO);
    uint32_t seconds = 0;

    rig_send_data(&rig, &peer, stream, 10);
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 1);
    peer.ack += 10;
    peer.window = 0;
    rig_send_data(&rig, &peer, stream, 1000);
    for (; seconds < 2000 && rig.n_closed == 0; seconds++) {
        lane_pair_advance(&rig.pair, 1000);
        (void)rig_drop_all(&rig);
    }
    CU_ASSERT_EQUAL(rig.n_closed, 1);
    CU_ASSERT(seconds >= 14 * 60 && seconds <= 16 * 60);
    rig_fini(&rig);
}

static void test_small_window_is_respected(void)
{
    struct lane_pair_config config;
    struct tcp_script peer;
    struct tcp_segment segment;
    uint32_t got = 0;

    rig_defaults(&config);
    peer = start(RIG_SOURCE, &config);
    rig.source_bytes = 100000;
    peer.window = 16; /* scaled: 2,048 bytes */
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    for (unsigned i = 0; i < 1000 && got < 100000; i++) {
        uint32_t in_flight = 0;

        while (rig_take(&rig, &peer, &segment)) {
            CU_ASSERT(rig_is_pattern(segment.payload, segment.seq - peer.irs - 1, segment.payload_len));
            in_flight += segment.payload_len;
            peer.ack = segment.seq + segment.payload_len;
        }
        CU_ASSERT(in_flight <= 2048);
        got += in_flight;
        rig_send_flags(&rig, &peer, SEGMENT_ACK);
        if (in_flight == 0)
            lane_pair_advance(&rig.pair, 20);
    }
    CU_ASSERT_EQUAL(got, 100000);
    rig_fini(&rig);
}

/* The FIFO of the sender grows, and so moves, with bytes of it in flight. */
static void test_fifo_grows_in_flight(void)
{
    struct lane_pair_config config;
    struct tcp_script peer;
    struct receiver receiver;

    rig_defaults(&config);
    config.has_gso = true;
    peer = start(RIG_SOURCE, &config);
    rig.source_bytes = 3000000;
    rig.source_closes = true;
    rig.write_bytes =
        3000; /* less than what a turn sends: the FIFO starts small and is never asked for all */
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    receiver_init(&receiver, &peer, RIG_OPTIONS_LINUX);
    for (unsigned i = 0; i < 20000 && !receiver.has_fin; i++) {
        /* Acknowledges in gusts, so that the FIFO fills up meanwhile. */
        if (rig.conn != NULL)
            stack_mark_ready(&rig.pair.stack, rig.conn);
        lane_pair_turn(&rig.pair);
        if (i % 25 == 24)
            receiver_drain(&rig, &receiver);
    }
    CU_ASSERT(receiver.has_fin);
    CU_ASSERT_EQUAL(receiver.n_contiguous, rig.source_bytes + 1);
    receiver_fini(&receiver);
    rig_fini(&rig);
}

static void test_echo_stream(void)
{
    struct tcp_script peer = start_open(RIG_ECHO);
    struct receiver receiver;
    uint32_t sent = 0;

    receiver_init(&receiver, &peer, RIG_OPTIONS_LINUX);
    while (sent < sizeof(stream)) {
        uint32_t n = sizeof(stream) - sent < 20000 ? (uint32_t)sizeof(stream) - sent : 20000;

        rig_send_data(&rig, &receiver.script, stream + sent, n);
        sent += n;
        receiver_drain(&rig, &receiver);
    }
    CU_ASSERT_EQUAL(receiver.n_contiguous, sizeof(stream));
    rig_send_flags(&rig, &receiver.script, SEGMENT_FIN | SEGMENT_ACK);
    receiver.script.seq++;
    receiver_drain(&rig, &receiver);
    CU_ASSERT(receiver.has_fin);
    CU_ASSERT_EQUAL(rig.n_closed, 1);
    receiver_fini(&receiver);
    rig_fini(&rig);
}

/* A timer tick falls into a turn that has input: the answer is still one segment. */
static void test_tick_sends_no_ack_of_its_own(void)
{
    struct tcp_script peer = start_open(RIG_ECHO);
    struct tcp_segment segment;

    for (unsigned i = 0; i < 10; i++) {
        rig.pair.now_ns += 20 * CLOCK_NS_PER_MS;
        rig_send_data(&rig, &peer, stream + i * 100, 100);
        CU_ASSERT_FATAL(rig_take(&rig, &peer, &segment));
        CU_ASSERT_EQUAL(segment.payload_len, 100);
        CU_ASSERT_EQUAL(rig_drop_all(&rig), 0);
        peer.ack += segment.payload_len;
    }
    rig_fini(&rig);
}

/* ICMP "fragmentation needed" as the frontend hands it over: link header, IP, ICMP, quoted IP and 8 bytes of
 * TCP. */
static void send_too_big(const struct tcp_script *peer, uint16_t mtu_bytes, uint32_t quoted_seq)
{
    uint8_t frame[14 + 20 + 8 + 20 + 20] = {0};
    uint8_t *icmp = frame + 34, *quoted = icmp + 8, inbound[128];
    struct tcp_segment any = tcp_script_segment(peer, SEGMENT_ACK, NULL, 0);
    struct rx_note note;

    tcp_script_build(peer, &any, inbound);
    lane_pair_note(&rig.pair, inbound, &note); /* the flow's hash, as the classifier turns the quote round */
    frame[14] = 0x45;
    frame[14 + 9] = 1;
    memcpy(frame + 14 + 12, inbound + 14 + 12, 8);
    icmp[0] = 3;
    icmp[1] = 4;
    icmp[6] = (uint8_t)(mtu_bytes >> 8);
    icmp[7] = (uint8_t)mtu_bytes;
    quoted[0] = 0x45;
    quoted[9] = 6;
    for (int i = 0; i < 4; i++)
        quoted[24 + i] = (uint8_t)(quoted_seq >> (24 - 8 * i));
    note.transport_off = 34;
    note.protocol = 1;
    CU_ASSERT_FATAL(lane_pair_inject_as(&rig.pair, frame, sizeof(frame), &note, LANE_SLOT_ICMP_ERROR));
    lane_pair_turn(&rig.pair);
}

static void check_path_mtu(bool has_gso)
{
    struct lane_pair_config config;
    struct tcp_script peer;
    struct receiver receiver;
    struct tcp_segment segment;

    rig_defaults(&config);
    config.has_gso = has_gso;
    peer = start(RIG_SOURCE, &config);
    rig.source_bytes = 200000;
    rig.source_closes = true;
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    receiver_init(&receiver, &peer, RIG_OPTIONS_LINUX);
    CU_ASSERT_FATAL(rig_take(&rig, &receiver.script, &segment)); /* too long for the path: it never arrives */
    rig_drop_all(&rig);
    send_too_big(&receiver.script, 1000, segment.seq);
    CU_ASSERT_EQUAL(lane_pair_counter(&rig.pair, WORKER_rx_pmtu), 1);
    /* Sent again at once, and nothing longer than 1000 - 40 - 12 ever after. */
    for (unsigned i = 0; i < 400 && !receiver.has_fin; i++) {
        receiver_drain(&rig, &receiver);
        lane_pair_advance(&rig.pair, 20);
    }
    CU_ASSERT(receiver.has_fin);
    CU_ASSERT_EQUAL(receiver.max_payload, 948);
    receiver_fini(&receiver);
    rig_fini(&rig);
}

static void test_path_mtu(void)
{
    check_path_mtu(false);
}

static void test_path_mtu_super(void)
{
    check_path_mtu(true);
}

static void test_forged_too_big(void)
{
    struct tcp_script peer = start_open(RIG_SOURCE);
    uint16_t mss = rig.conn->real_mss;

    /* Nothing is in flight, so every sequence number is a forger's. */
    send_too_big(&peer, 600, peer.ack);
    send_too_big(&peer, 600, peer.ack - 1);
    send_too_big(&peer, 600, peer.ack + 0x40000000u);
    CU_ASSERT_EQUAL(lane_pair_counter(&rig.pair, WORKER_rx_drop_icmp), 3);
    CU_ASSERT_EQUAL(rig.conn->real_mss, mss);
    rig_fini(&rig);
}

static void test_urgent_first(void)
{
    struct tcp_script peer = rig_peer(4, 2000), urgent = rig_peer(4, 2001);
    struct lane_pair_config config;
    struct tcp_segment segment;

    rig_defaults(&config);
    start(RIG_ECHO, &config);
    urgent.dscp = 46;
    CU_ASSERT_FATAL(rig_open(&rig, &peer, 0, NULL));
    CU_ASSERT_FATAL(rig_open(&rig, &urgent, 0, NULL));
    rig.conn->pcb->tos = 46 << 2; /* what a service that is urgent asks for */
    segment = tcp_script_segment(&peer, SEGMENT_ACK, stream, 10);
    rig_inject(&rig, &peer, &segment);
    segment = tcp_script_segment(&urgent, SEGMENT_ACK, stream, 10);
    rig_inject(&rig, &urgent, &segment);
    lane_pair_turn(&rig.pair);
    CU_ASSERT(lane_pair_take(&rig.pair, &rig.packet));
    CU_ASSERT_EQUAL(rig.packet.priority, LANE_URGENT);
    CU_ASSERT(tcp_script_read(&urgent, rig.packet.bytes, rig.packet.slot.len_bytes, &segment));
    CU_ASSERT(lane_pair_take(&rig.pair, &rig.packet));
    CU_ASSERT_EQUAL(rig.packet.priority, LANE_NORMAL);
    rig_fini(&rig);
}

static void test_congested_ring_waits(void)
{
    struct lane_pair_config config;
    struct tcp_script peers[64];
    struct tcp_segment segment;
    unsigned n = 0;

    rig_defaults(&config);
    config.ring_slots = 64;
    start(RIG_ECHO, &config);
    for (uint16_t i = 0; i < 64; i++) {
        peers[i] = rig_peer(4, (uint16_t)(2000 + i));
        CU_ASSERT_FATAL(rig_open(&rig, &peers[i], 0, NULL));
    }
    /* Three answers each and nobody takes them: the ring has 64 places. */
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 64; i++) {
            segment = tcp_script_segment(&peers[i], SEGMENT_ACK, stream, 100);
            peers[i].seq += 100;
            rig_inject(&rig, &peers[i], &segment);
            if (i % 16 == 15)
                lane_pair_turn(&rig.pair);
        }
    }
    CU_ASSERT(stack_has_work(&rig.pair.stack));
    /* Taken at last, every byte comes, without a time-out. */
    for (unsigned i = 0; i < 1000 && lane_pair_take(&rig.pair, &rig.packet); i++) {
        for (unsigned p = 0; p < 64; p++) {
            if (tcp_script_read(&peers[p], rig.packet.bytes, rig.packet.slot.len_bytes, &segment)) {
                n += segment.payload_len;
                peers[p].ack = segment.seq + segment.payload_len;
                segment = tcp_script_segment(&peers[p], SEGMENT_ACK, NULL, 0);
                rig_inject(&rig, &peers[p], &segment);
            }
        }
        lane_pair_turn(&rig.pair);
    }
    CU_ASSERT_EQUAL(n, 64 * 300);
    CU_ASSERT_EQUAL(lane_pair_counter(&rig.pair, WORKER_tx_timeouts), 0);
    CU_ASSERT_FALSE(stack_has_work(&rig.pair.stack));
    rig_fini(&rig);
}

/* A segment size that leaves no room for a byte beside the timestamp: lwIP's arithmetic would go below zero.
 */
static void test_tiny_mss(void)
{
    struct tcp_script peer = rig_peer(4, 2000);
    struct tcp_segment segment = rig_syn(&peer, RIG_OPTIONS_LINUX);
    uint32_t n = 0;

    rig_init(&rig, RIG_SOURCE);
    rig.source_bytes = 1000;
    segment.mss = 1;
    rig_send(&rig, &peer, &segment);
    CU_ASSERT_FATAL(rig_take(&rig, &peer, &segment));
    peer.seq++;
    peer.irs = segment.seq;
    peer.ack = segment.seq + 1;
    rig_send_flags(&rig, &peer, SEGMENT_ACK);
    for (int i = 0; i < 200 && n < rig.source_bytes; i++) {
        while (rig_take(&rig, &peer, &segment)) {
            CU_ASSERT(segment.payload_len <= 64);
            CU_ASSERT(rig_is_pattern(segment.payload, segment.seq - peer.irs - 1, segment.payload_len));
            n += segment.payload_len;
            peer.ack = segment.seq + segment.payload_len;
        }
        rig_send_flags(&rig, &peer, SEGMENT_ACK);
    }
    CU_ASSERT_EQUAL(n, rig.source_bytes);
    rig_fini(&rig);
}

const char unit_suite_name[] = "worker/stack: data";
const struct unit_test unit_tests[] = {
    {"a segment out of order is held in its frame and reported by SACK", test_out_of_order_is_held},
    {"reversed, overlapping and repeated segments give each byte once", test_reversed_and_overlapping},
    {"a super frame is read from both its chunks, also out of order", test_super_frame},
    {"the window closes with the FIFO and opens with its reader", test_window_follows_reader},
    {"a closed window is probed until it opens", test_zero_window_is_probed},
    {"a closed window that nobody speaks of any more is given up", test_silent_closed_window_is_given_up},
    {"no more is in flight than a small window allows", test_small_window_is_respected},
    {"a FIFO that grows with bytes in flight changes none", test_fifo_grows_in_flight},
    {"a stream longer than the window is echoed exactly", test_echo_stream},
    {"a timer tick in the turn of a request adds no segment", test_tick_sends_no_ack_of_its_own},
    {"a packet too big makes segments smaller and sends again", test_path_mtu},
    {"a packet too big re-cuts super-segments", test_path_mtu_super},
    {"a forged packet too big changes nothing", test_forged_too_big},
    {"urgent packets take the urgent ring", test_urgent_first},
    {"a tx ring that nobody empties holds output back and loses nothing", test_congested_ring_waits},
    {"a peer with the smallest segments is sent to", test_tiny_mss},
    {NULL, NULL},
};
