/* SPDX-License-Identifier: BSD-3-Clause */
/* stages_test.c — bursts through the frontend's stages: nothing is lost, doubled, reordered or counted wrong
 * because some packets are worked on together. */
#include <arpa/inet.h>
#include <string.h>

#include "tests/support/frame.h"
#include "tests/support/unit.h"
#include "tests/unit/frontend/stages_rig.h"

const char unit_suite_name[] = "stages";

#define LINK 14u
#define MAX_TAKEN 256u

/* A packet of ours: TCP, n_payload bytes, numbered in its sequence number. */
static uint32_t make(uint8_t *packet, uint8_t family, uint32_t number, uint32_t n_payload)
{
    uint32_t number_be = htonl(number), n_headers;
    struct frame frame;

    frame_begin(&frame, family == 4 ? 0x0800 : 0x86dd);
    if (family == 4)
        frame_put_ip4(&frame, 6);
    else
        frame_put_ip6(&frame, 6);
    frame_put_tcp(&frame, FRAME_ACK, NULL, 0);
    n_headers = frame.len_bytes - LINK;
    memcpy(frame.bytes + frame.transport_off + 4, &number_be, sizeof(number_be));
    for (uint32_t i = 0; i < n_payload; i++)
        frame_put(&frame, &(uint8_t){(uint8_t)(number + i)}, 1);
    frame_finish(&frame);
    memcpy(packet, frame.bytes + LINK, n_headers + n_payload);
    memcpy(packet + (family == 4 ? 12 : 8), family == 4 ? frame_our_ip4 : frame_our_ip6,
           family == 4 ? 4 : 16);
    memcpy(packet + (family == 4 ? 16 : 24), family == 4 ? frame_peer_ip4 : frame_peer_ip6,
           family == 4 ? 4 : 16);
    return n_headers + n_payload;
}

static void send_one(enum lane_priority priority, uint32_t number, uint32_t n_payload)
{
    uint8_t packet[FRAME_MAX_BYTES];
    uint32_t len_bytes = make(packet, 4, number, n_payload);

    stages_rig_send(priority, packet, len_bytes, 0);
}

/* The numbers of the frames that have left since the last call. */
static unsigned take_numbers(uint32_t numbers[MAX_TAKEN])
{
    struct iovec frames[MAX_TAKEN];
    unsigned n = nic_memory_take(&rig.frontend.nic, frames, MAX_TAKEN);

    for (unsigned i = 0; i < n; i++) {
        memcpy(&numbers[i], (uint8_t *)frames[i].iov_base + NIC_VNET_BYTES + LINK + 24, sizeof(numbers[i]));
        numbers[i] = ntohl(numbers[i]);
    }
    nic_memory_release(&rig.frontend.nic);
    return n;
}

static void packets_leave_as_they_were_written(void)
{
    static const uint32_t lengths[] = {0, 1, 60, 68, 87, 88, 89, 100, 1440};

    for (unsigned i = 0; i < 2 * sizeof(lengths) / sizeof(lengths[0]); i++) {
        uint8_t family = i % 2 == 0 ? 4 : 6, packet[FRAME_MAX_BYTES];
        uint32_t len_bytes;
        struct iovec frame;
        const uint8_t *sent;

        stages_rig_init();
        len_bytes = make(packet, family, i, lengths[i / 2]);
        stages_rig_send(LANE_NORMAL, packet, len_bytes, 0);
        stages_rig_transmit();
        CU_ASSERT_EQUAL_FATAL(nic_memory_take(&rig.frontend.nic, &frame, 1), 1);
        sent = (const uint8_t *)frame.iov_base + NIC_VNET_BYTES;
        CU_ASSERT_EQUAL_FATAL(frame.iov_len, NIC_VNET_BYTES + LINK + len_bytes);
        CU_ASSERT_EQUAL(memcmp(sent, frame_peer_mac, 6), 0);
        CU_ASSERT_EQUAL(memcmp(sent + 6, rig.frontend.nic.mac, 6), 0);
        CU_ASSERT_EQUAL(sent[12] << 8 | sent[13], family == 4 ? 0x0800 : 0x86dd);
        CU_ASSERT_EQUAL(memcmp(sent + LINK, packet, len_bytes), 0);
        CU_ASSERT_EQUAL(stages_rig_nic(NIC_tx_bytes), LINK + len_bytes);
        CU_ASSERT_EQUAL(stages_rig_lane(LANE_tx_bytes), len_bytes);
        stages_rig_fini();
    }
}

static void a_packet_at_the_end_of_the_arena_is_not_read_past(void)
{
    uint8_t packet[FRAME_MAX_BYTES];
    uint32_t numbers[MAX_TAKEN], len_bytes = make(packet, 4, 7, 1);

    stages_rig_init();
    rig.arena_off = rig.lane->shape.arena_bytes[LANE_URGENT] - len_bytes;
    stages_rig_send(LANE_URGENT, packet, len_bytes, 0);
    stages_rig_transmit();
    CU_ASSERT_EQUAL(take_numbers(numbers), 1);
    CU_ASSERT_EQUAL(numbers[0], 7);
    stages_rig_fini();
}

/* The NIC holds some 350 of these: it gets busy in the middle of a batch. */
static void a_busy_nic_loses_nothing_and_doubles_nothing(void)
{
    uint32_t numbers[MAX_TAKEN], next = 0, n_sent = 0;

    stages_rig_init();
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned i = 0; i < 20; i++)
            send_one(LANE_NORMAL, n_sent++, 1400);
        if (rig.arena_off > (600u << 10))
            rig.arena_off = 0; /* what stood there has left long ago */
        stages_rig_transmit();
        if (round % 20 < 18)
            continue;
        for (;;) {
            unsigned n = take_numbers(numbers);

            for (unsigned i = 0; i < n; i++)
                CU_ASSERT_EQUAL(numbers[i], next++);
            stages_rig_transmit();
            if (n == 0)
                break;
        }
        CU_ASSERT_EQUAL(next, n_sent);
    }
    CU_ASSERT(stages_rig_nic(NIC_tx_busy) > 0);
    CU_ASSERT_EQUAL(stages_rig_nic(NIC_tx_frames), n_sent);
    CU_ASSERT_EQUAL(stages_rig_lane(LANE_tx_frames), n_sent);
    stages_rig_fini();
}

static void a_bad_packet_is_dropped_alone(void)
{
    uint8_t packet[FRAME_MAX_BYTES];
    uint32_t numbers[MAX_TAKEN], len_bytes = make(packet, 4, 3, 10);

    stages_rig_init();
    packet[15] = 99; /* not our address */
    for (uint32_t i = 0; i < 8; i++) {
        if (i == 3)
            stages_rig_send(LANE_NORMAL, packet, len_bytes, 0);
        else
            send_one(LANE_NORMAL, i, 10);
    }
    stages_rig_transmit();
    CU_ASSERT_EQUAL(take_numbers(numbers), 7);
    CU_ASSERT_EQUAL(numbers[2], 2);
    CU_ASSERT_EQUAL(numbers[3], 4);
    CU_ASSERT_EQUAL(stages_rig_lane(LANE_tx_drop_source), 1);
    stages_rig_fini();
}

static void a_slot_that_breaks_the_rules_ends_the_lane_behind_what_came_before(void)
{
    uint32_t numbers[MAX_TAKEN];

    stages_rig_init();
    send_one(LANE_NORMAL, 0, 10);
    send_one(LANE_NORMAL, 1, 10);
    ring_producer_stage(&rig.tx[LANE_NORMAL], lane_word(LANE_SLOT_FRAME, 0, 0xffffff00u), 60);
    send_one(LANE_NORMAL, 2, 10);
    stages_rig_transmit();
    CU_ASSERT_EQUAL(take_numbers(numbers), 2);
    CU_ASSERT_EQUAL(rig.n_faults, 1);
    CU_ASSERT_EQUAL(rig.fault, LANE_fault_slot);
    CU_ASSERT_EQUAL(stages_rig_lane(LANE_tx_frames), 2);
    stages_rig_fini();
}

static void urgent_packets_have_a_share_and_no_more(void)
{
    uint32_t numbers[MAX_TAKEN];

    stages_rig_init();
    for (uint32_t i = 0; i < 100; i++)
        send_one(LANE_URGENT, i, 10);
    send_one(LANE_NORMAL, 1000, 10);
    stages_rig_transmit();
    CU_ASSERT_EQUAL(take_numbers(numbers), 65);
    CU_ASSERT_EQUAL(numbers[63], 63);
    CU_ASSERT_EQUAL(numbers[64], 1000);
    CU_ASSERT_EQUAL(stages_rig_lane(LANE_tx_urgent_frames), 64);
    stages_rig_transmit();
    CU_ASSERT_EQUAL(take_numbers(numbers), 36);
    stages_rig_fini();
}

static void packets_without_a_next_hop_wait_and_leave(void)
{
    uint32_t numbers[MAX_TAKEN];

    stages_rig_init();
    rig.hop = HOST_HOP_PENDING;
    for (uint32_t i = 0; i < 3; i++)
        send_one(LANE_NORMAL, i, i * 100);
    stages_rig_transmit();
    CU_ASSERT_EQUAL(take_numbers(numbers), 0);
    CU_ASSERT_EQUAL(stages_rig_nic(NIC_tx_parked), 3);
    rig.hop = HOST_HOP_FOUND;
    frontend_transmit_parked(&rig.frontend);
    CU_ASSERT_EQUAL(take_numbers(numbers), 3);
    for (uint32_t i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(numbers[i], i);
    rig.hop = HOST_HOP_NONE;
    rig.frontend.now_ns += 2000000000u; /* what the cache knew is too old */
    send_one(LANE_NORMAL, 4, 10);
    stages_rig_transmit();
    CU_ASSERT_EQUAL(stages_rig_nic(NIC_tx_drop_no_route), 1);
    stages_rig_fini();
}

static void inject(const struct frame *frame, unsigned n)
{
    static uint8_t bytes[NIC_VNET_BYTES + FRAME_MAX_BYTES];
    struct iovec one = {bytes, NIC_VNET_BYTES + frame->len_bytes};

    memset(bytes, 0, NIC_VNET_BYTES);
    memcpy(bytes + NIC_VNET_BYTES, frame->bytes, frame->len_bytes);
    for (unsigned i = 0; i < n; i++)
        CU_ASSERT_EQUAL(nic_memory_inject(&rig.frontend.nic, &one, 1), 1);
}

static uint64_t sum_of_buckets(void)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < rig.frontend.buckets.n_buckets; i++)
        n += counter_get(rig.frontend.board.bucket_frames, i);
    return n;
}

/* Frames for the worker, and between them some that are dropped, whose chunks serve again. */
static void a_burst_is_handed_on_and_counted_frame_by_frame(void)
{
    uint32_t number_be, n_taken = 0;
    struct frame frame;

    stages_rig_init();
    for (uint32_t i = 0; i < 24; i++) {
        frame_begin(&frame, i % 4 == 3 ? 0x8100 : 0x0800);
        frame_put_ip4(&frame, 6);
        frame_put_tcp(&frame, FRAME_ACK, NULL, 0);
        number_be = htonl(i);
        memcpy(frame.bytes + LINK + 24, &number_be, sizeof(number_be));
        frame_finish(&frame);
        inject(&frame, 1);
    }
    CU_ASSERT(frontend_receive(&rig.frontend));
    CU_ASSERT_EQUAL(ring_consumer_refresh(&rig.rx[LANE_NORMAL]), RING_OK);
    CU_ASSERT_EQUAL(ring_consumer_ready(&rig.rx[LANE_NORMAL]), 18);
    for (uint32_t i = 0; i < 24; i++) {
        struct ring_slot_value slot = ring_consumer_peek(&rig.rx[LANE_NORMAL], n_taken);

        if (i % 4 == 3)
            continue;
        n_taken++;
        memcpy(&number_be,
               frame_pool_head(&rig.frontend.pool, (uint32_t)(slot.words[0] >> 32)) + NIC_VNET_BYTES + LINK +
                   24,
               sizeof(number_be));
        CU_ASSERT_EQUAL(ntohl(number_be), i);
    }
    CU_ASSERT_EQUAL(stages_rig_nic(NIC_rx_frames), 24);
    CU_ASSERT_EQUAL(stages_rig_nic(NIC_rx_drop_vlan), 6);
    CU_ASSERT_EQUAL(stages_rig_lane(LANE_rx_frames), 18);
    CU_ASSERT_EQUAL(stages_rig_lane(LANE_rx_bytes), 18 * 54);
    CU_ASSERT_EQUAL(sum_of_buckets(), 18);
    CU_ASSERT_EQUAL(rig.frontend.pool.n_held[RIG_WORKER], 18);
    stages_rig_fini();
}

static void a_worker_gets_no_more_than_its_share_of_the_pool(void)
{
    enum lane_counter fault;
    struct frame frame;

    stages_rig_init();
    frame_begin(&frame, 0x0800);
    frame_put_ip4(&frame, 6);
    frame_put_tcp(&frame, FRAME_ACK, NULL, 0);
    frame_finish(&frame);
    inject(&frame, 40);
    while (frontend_receive(&rig.frontend))
        ;
    CU_ASSERT_EQUAL(stages_rig_lane(LANE_rx_frames), RIG_N_HEAD / 2);
    CU_ASSERT_EQUAL(stages_rig_lane(LANE_rx_drop_quota), 40 - RIG_N_HEAD / 2);
    CU_ASSERT_EQUAL(ring_consumer_refresh(&rig.rx[LANE_NORMAL]), RING_OK);
    /* Back they come, word for word as they left: generation and chunk stand where a return has them. */
    for (uint32_t i = 0; i < RIG_N_HEAD / 2; i++)
        ring_producer_stage(&rig.returns, ring_consumer_peek(&rig.rx[LANE_NORMAL], i).words[0], 0);
    ring_producer_publish(&rig.returns);
    CU_ASSERT(lane_take_returns(rig.lane, &rig.frontend.pool, &fault));
    CU_ASSERT_EQUAL(rig.frontend.pool.n_held[RIG_WORKER], 0);
    /* A second time is once too often. */
    ring_producer_stage(&rig.returns, ring_consumer_peek(&rig.rx[LANE_NORMAL], 0).words[0], 0);
    ring_producer_publish(&rig.returns);
    CU_ASSERT(!lane_take_returns(rig.lane, &rig.frontend.pool, &fault));
    CU_ASSERT_EQUAL(fault, LANE_fault_return);
    stages_rig_fini();
}

const struct unit_test unit_tests[] = {
    {"packets leave as they were written", packets_leave_as_they_were_written},
    {"a packet at the end of the arena is not read past", a_packet_at_the_end_of_the_arena_is_not_read_past},
    {"a busy NIC loses nothing and doubles nothing", a_busy_nic_loses_nothing_and_doubles_nothing},
    {"a bad packet is dropped alone", a_bad_packet_is_dropped_alone},
    {"a slot that breaks the rules ends the lane behind what came before",
     a_slot_that_breaks_the_rules_ends_the_lane_behind_what_came_before},
    {"urgent packets have a share and no more", urgent_packets_have_a_share_and_no_more},
    {"packets without a next hop wait and leave", packets_without_a_next_hop_wait_and_leave},
    {"a burst is handed on and counted frame by frame", a_burst_is_handed_on_and_counted_frame_by_frame},
    {"a worker gets no more than its share of the pool", a_worker_gets_no_more_than_its_share_of_the_pool},
    {NULL, NULL},
};
