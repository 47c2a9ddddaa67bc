/* SPDX-License-Identifier: BSD-3-Clause */
/* stack_open_test.c — birth and death of connections: handshake, FIN, RST, TIME_WAIT, limits. */
#include <lwip/priv/tcp_priv.h>

#include "tests/support/unit.h"
#include "tests/unit/worker/stack/stack_rig.h"

#define TIME_WAIT_MS 10100u /* 2 * TCP_MSL and a bit */

static struct rig rig;

static void check_syn_ack(uint8_t family, uint16_t mss)
{
    struct tcp_script peer = rig_peer(family, 2000);
    struct tcp_segment reply;

    rig_init(&rig, RIG_ECHO);
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, &reply));
    CU_ASSERT_EQUAL(reply.ack, peer.seq);
    CU_ASSERT_EQUAL(reply.mss, mss);
    CU_ASSERT(reply.has_scale && reply.scale == TCP_RCV_SCALE);
    CU_ASSERT(reply.is_sack_permitted);
    CU_ASSERT(reply.has_timestamp && reply.ts_echo == peer.ts_value);
    CU_ASSERT_EQUAL(rig.n_opened, 1);
    CU_ASSERT_EQUAL(rig.pair.stack.n_connections, 1);
    rig_fini(&rig);
}

static void test_handshake_v4(void)
{
    check_syn_ack(4, 1460);
}

static void test_handshake_v6(void)
{
    check_syn_ack(6, 1440);
}

static void test_options_only_when_offered(void)
{
    struct tcp_script peer = rig_peer(4, 2000);
    struct tcp_segment reply;

    rig_init(&rig, RIG_ECHO);
    CU_ASSERT_FATAL(rig_open(&rig, &peer, 0, &reply));
    CU_ASSERT(!reply.has_scale && !reply.is_sack_permitted && !reply.has_timestamp);
    rig_fini(&rig);
}

static void test_closed_port(void)
{
    struct tcp_script peer = rig_peer(4, 2000);
    struct tcp_segment syn, reply;

    rig_init(&rig, RIG_ECHO);
    peer.stack_port = RIG_PORT + 1;
    syn = rig_syn(&peer, 0);
    rig_send(&rig, &peer, &syn);
    CU_ASSERT_FATAL(rig_take(&rig, &peer, &reply));
    CU_ASSERT(reply.flags & SEGMENT_RST);
    CU_ASSERT_EQUAL(rig.pair.stack.n_connections, 0);
    rig_fini(&rig);
}

static void test_bad_checksum_ignored(void)
{
    struct tcp_script peer = rig_peer(4, 2000);
    struct tcp_segment syn = rig_syn(&peer, 0);
    uint8_t frame[128];
    uint32_t len_bytes = tcp_script_build(&peer, &syn, frame);

    rig_init(&rig, RIG_ECHO);
    frame[len_bytes - 1] ^= 1;
    CU_ASSERT_FATAL(lane_pair_inject(&rig.pair, frame, len_bytes, 0));
    lane_pair_turn(&rig.pair);
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 0);
    /* Where the NIC has vouched for it, nobody looks again. */
    CU_ASSERT_FATAL(lane_pair_inject(&rig.pair, frame, len_bytes, LANE_FLAG_CSUM));
    lane_pair_turn(&rig.pair);
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 1);
    rig_fini(&rig);
}

static void test_echo(uint8_t family)
{
    struct tcp_script peer = rig_peer(family, 2000);
    struct tcp_segment reply;
    uint8_t bytes[1000];

    rig_init(&rig, RIG_ECHO);
    rig_fill(bytes, 0, sizeof(bytes));
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    for (unsigned i = 0; i < 5; i++) {
        rig_send_data(&rig, &peer, bytes, sizeof(bytes));
        CU_ASSERT_FATAL(rig_take(&rig, &peer, &reply));
        /* One segment carries both the answer and the ACK. */
        CU_ASSERT_EQUAL(reply.ack, peer.seq);
        CU_ASSERT_EQUAL(reply.seq, peer.ack);
        CU_ASSERT_EQUAL_FATAL(reply.payload_len, sizeof(bytes));
        CU_ASSERT(rig_is_pattern(reply.payload, 0, sizeof(bytes)));
        CU_ASSERT_EQUAL(rig_drop_all(&rig), 0);
        peer.ack += reply.payload_len;
    }
    rig_fini(&rig);
}

static void test_echo_v4(void)
{
    test_echo(4);
}

static void test_echo_v6(void)
{
    test_echo(6);
}

static void test_peer_closes_first(void)
{
    struct tcp_script peer = rig_peer(4, 2000);
    struct tcp_segment fin;

    rig_init(&rig, RIG_ECHO);
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    rig_send_flags(&rig, &peer, SEGMENT_FIN | SEGMENT_ACK);
    peer.seq++;
    CU_ASSERT_FATAL(rig_take_last(&rig, &peer, &fin));
    CU_ASSERT(fin.flags & SEGMENT_FIN);
    CU_ASSERT_EQUAL(fin.ack, peer.seq);
    peer.ack++;
    rig_send_flags(&rig, &peer, SEGMENT_ACK);
    CU_ASSERT_EQUAL(rig.n_closed, 1);
    CU_ASSERT_EQUAL(rig.pair.stack.n_connections, 0);
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 0);
    rig_fini(&rig);
}

/* Opens a connection whose consumer sends 100 bytes and closes; leaves it in TIME_WAIT. */
static void close_from_here(struct tcp_script *peer)
{
    struct tcp_segment segment;

    rig.source_bytes = 100;
    rig.source_closes = true;
    CU_ASSERT_FATAL(rig_open(&rig, peer, RIG_OPTIONS_LINUX, NULL));
    while (rig_take(&rig, peer, &segment)) {
        peer->ack = segment.seq + segment.payload_len;
        if (segment.flags & SEGMENT_FIN)
            peer->ack++;
    }
    CU_ASSERT_EQUAL(peer->ack, peer->irs + 102);
    rig_send_flags(&rig, peer, SEGMENT_FIN | SEGMENT_ACK);
    peer->seq++;
    CU_ASSERT_FATAL(rig_take_last(&rig, peer, &segment));
    CU_ASSERT_EQUAL(segment.ack, peer->seq);
}

static void test_we_close_first(void)
{
    struct tcp_script peer = rig_peer(4, 2000);

    rig_init(&rig, RIG_SOURCE);
    close_from_here(&peer);
    CU_ASSERT_EQUAL(rig.pair.stack.n_time_wait, 1);
    lane_pair_advance(&rig.pair, TIME_WAIT_MS);
    CU_ASSERT_EQUAL(rig.pair.stack.n_time_wait, 0);
    CU_ASSERT_EQUAL(rig.pair.stack.n_connections, 0);
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 0);
    rig_fini(&rig);
}

static void test_time_wait_answers_late_fin(void)
{
    struct tcp_script peer = rig_peer(4, 2000);
    struct tcp_segment segment;

    rig_init(&rig, RIG_SOURCE);
    close_from_here(&peer);
    peer.seq--;
    rig_send_flags(&rig, &peer, SEGMENT_FIN | SEGMENT_ACK);
    CU_ASSERT_FATAL(rig_take(&rig, &peer, &segment));
    CU_ASSERT_EQUAL(segment.flags, SEGMENT_ACK);
    CU_ASSERT_EQUAL(segment.ack, peer.seq + 1);
    rig_fini(&rig);
}

static void test_newer_syn_replaces_time_wait(void)
{
    struct tcp_script peer = rig_peer(4, 2000);

    rig_init(&rig, RIG_SOURCE);
    close_from_here(&peer);
    peer.seq += 1000;
    CU_ASSERT(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    CU_ASSERT_EQUAL(rig.pair.stack.n_time_wait, 0);
    CU_ASSERT_EQUAL(rig.n_opened, 2);
    CU_ASSERT_EQUAL(rig.n_closed, 1);
    rig_fini(&rig);
}

static void test_later_timestamp_replaces_time_wait(void)
{
    struct tcp_script peer = rig_peer(4, 2000);

    rig_init(&rig, RIG_SOURCE);
    close_from_here(&peer);
    peer.seq -= 5000;
    peer.ts_value++;
    CU_ASSERT(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    CU_ASSERT_EQUAL(rig.n_opened, 2);
    rig_fini(&rig);
}

static void test_older_syn_leaves_time_wait(void)
{
    struct tcp_script peer = rig_peer(4, 2000);

    rig_init(&rig, RIG_SOURCE);
    close_from_here(&peer);
    peer.seq -= 5000;
    CU_ASSERT_FALSE(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    CU_ASSERT_EQUAL(rig.pair.stack.n_time_wait, 1);
    rig_fini(&rig);
}

static void test_reset_ends_at_once(void)
{
    struct tcp_script peer = rig_peer(4, 2000);

    rig_init(&rig, RIG_ECHO);
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    rig_send_flags(&rig, &peer, SEGMENT_RST | SEGMENT_ACK);
    CU_ASSERT_EQUAL(rig.n_closed, 1);
    CU_ASSERT_EQUAL(rig_drop_all(&rig), 0);
    CU_ASSERT_EQUAL(lane_pair_counter(&rig.pair, WORKER_connections_reset), 1);
    rig_fini(&rig);
}

static void test_reset_outside_window_ignored(void)
{
    struct tcp_script peer = rig_peer(4, 2000);

    rig_init(&rig, RIG_ECHO);
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    peer.seq += 0x01000000;
    rig_send_flags(&rig, &peer, SEGMENT_RST);
    CU_ASSERT_EQUAL(rig.n_closed, 0);
    rig_fini(&rig);
}

static void test_refused_connection_is_reset(void)
{
    struct tcp_script peer = rig_peer(6, 2000);
    struct tcp_segment segment;

    rig_init(&rig, RIG_ECHO);
    rig.refuses = true;
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    CU_ASSERT_FATAL(rig_take(&rig, &peer, &segment));
    CU_ASSERT(segment.flags & SEGMENT_RST);
    CU_ASSERT_EQUAL(rig.pair.stack.n_connections, 0);
    rig.n_closed = 0; /* a connection that was never opened is not for the consumer to close */
    rig_fini(&rig);
}

static void test_connection_limit(void)
{
    struct lane_pair_config config;
    struct tcp_script peer;

    rig_defaults(&config);
    config.max_connections = 16;
    rig_start(&rig, RIG_ECHO, &config);
    for (uint16_t i = 0; i < 16; i++) {
        peer = rig_peer(4, (uint16_t)(2000 + i));
        CU_ASSERT(rig_open(&rig, &peer, 0, NULL));
    }
    peer = rig_peer(4, 3000);
    CU_ASSERT_FALSE(rig_open(&rig, &peer, 0, NULL));
    CU_ASSERT_EQUAL(lane_pair_counter(&rig.pair, WORKER_rx_drop_connections), 1);
    CU_ASSERT_EQUAL(rig.n_opened, 16);
    rig_fini(&rig);
}

static void test_time_wait_gives_way(void)
{
    struct lane_pair_config config;

    rig_defaults(&config);
    config.max_connections = 64;
    rig_start(&rig, RIG_SOURCE, &config);
    for (uint16_t i = 0; i < 200; i++) {
        struct tcp_script peer = rig_peer(4, (uint16_t)(2000 + i));

        close_from_here(&peer);
        lane_pair_advance(&rig.pair, 20);
    }
    CU_ASSERT_EQUAL(rig.n_opened, 200);
    CU_ASSERT(rig.pair.stack.n_time_wait >= 50);
    CU_ASSERT(rig.pair.stack.n_connections <= 64);
    rig_fini(&rig);
}

static void test_half_open_times_out(void)
{
    struct tcp_script peer = rig_peer(4, 2000);
    struct tcp_segment syn = rig_syn(&peer, RIG_OPTIONS_LINUX);

    rig_init(&rig, RIG_ECHO);
    rig_send(&rig, &peer, &syn);
    CU_ASSERT_EQUAL(rig.pair.stack.n_connections, 1);
    lane_pair_advance(&rig.pair, 25000);
    CU_ASSERT_EQUAL(rig.pair.stack.n_connections, 0);
    CU_ASSERT(rig_drop_all(&rig) > 1); /* the SYN-ACK was sent again meanwhile */
    CU_ASSERT_EQUAL(rig.n_opened, 0);
    rig_fini(&rig);
}

const char unit_suite_name[] = "worker/stack: opening and closing";
const struct unit_test unit_tests[] = {
    {"an IPv4 SYN is answered with MSS 1460 and the options offered", test_handshake_v4},
    {"an IPv6 SYN is answered with MSS 1440 and the options offered", test_handshake_v6},
    {"no option is answered that was not offered", test_options_only_when_offered},
    {"a SYN for a closed port is reset", test_closed_port},
    {"a wrong TCP checksum is dropped unless the NIC has checked it", test_bad_checksum_ignored},
    {"echo over IPv4 answers with data and ACK in one segment", test_echo_v4},
    {"echo over IPv6 answers with data and ACK in one segment", test_echo_v6},
    {"a FIN of the peer is acknowledged and answered by ours", test_peer_closes_first},
    {"after our FIN a connection waits 2 MSL and is gone", test_we_close_first},
    {"a FIN sent again finds TIME_WAIT and is acknowledged", test_time_wait_answers_late_fin},
    {"a SYN with a higher sequence number replaces TIME_WAIT", test_newer_syn_replaces_time_wait},
    {"a SYN with a later timestamp replaces TIME_WAIT", test_later_timestamp_replaces_time_wait},
    {"an older SYN leaves TIME_WAIT alone", test_older_syn_leaves_time_wait},
    {"a reset in the window ends a connection without an answer", test_reset_ends_at_once},
    {"a reset outside the window is ignored", test_reset_outside_window_ignored},
    {"a connection that its consumer refuses is reset", test_refused_connection_is_reset},
    {"the connection limit turns away the next one and no other", test_connection_limit},
    {"connections in TIME_WAIT give way to new ones", test_time_wait_gives_way},
    {"a handshake that is never finished times out", test_half_open_times_out},
    {NULL, NULL},
};
