/* SPDX-License-Identifier: BSD-3-Clause */
/* stages_rig.c — see stages_rig.h. */
#include "tests/unit/frontend/stages_rig.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/frame.h"
#include "tests/support/unit.h"

#define RIG_SLOTS 256u
#define RIG_ALIGN 4096u

struct stages_rig rig;

static struct frontend_half *own_half;
static struct worker_half *peer_half;

void host_input(struct host *host, const uint8_t *frame, uint32_t head_len, const uint8_t *tail,
                uint32_t tail_len)
{
    (void)host;
    (void)frame;
    (void)head_len;
    (void)tail;
    (void)tail_len;
}

enum host_hop host_next_hop(struct host *host, uint8_t family, const uint8_t *destination, uint8_t mac[6])
{
    (void)host;
    (void)family;
    (void)destination;
    if (rig.hop == HOST_HOP_FOUND)
        memcpy(mac, frame_peer_mac, 6);
    return rig.hop;
}

uint32_t host_epoch(const struct host *host)
{
    (void)host;
    return 1;
}

void broker_quarantine(struct frontend *frontend, struct lane *lane, enum lane_counter fault)
{
    frontend->lane_mask &= ~(1u << lane->slot);
    atomic_store(&lane->tx_fault, 0);
    rig.fault = fault;
    rig.n_faults++;
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

static void *new_zeroed(size_t n_bytes)
{
    size_t size = (n_bytes + RIG_ALIGN - 1) / RIG_ALIGN * RIG_ALIGN;
    void *memory = aligned_alloc(RIG_ALIGN, size);

    CU_ASSERT_PTR_NOT_NULL_FATAL(memory);
    memset(memory, 0, size);
    return memory;
}

static struct lane_slot *slots(void *base, size_t off)
{
    return (struct lane_slot *)(void *)((uint8_t *)base + off);
}

/* Both ends of each ring, over plain memory. */
static void init_rings(struct lane *lane)
{
    const struct lane_layout *layout = &lane->layout;

    for (int p = 0; p < N_LANE_PRIORITIES; p++) {
        struct lane_slot *rx = slots(own_half, layout->rx_slots_off[p]);
        struct lane_slot *tx = slots(peer_half, layout->tx_slots_off[p]);

        ring_producer_init(&lane->rx[p], rx, &own_half->rx_tail[p], &peer_half->rx_head[p], RIG_SLOTS);
        ring_consumer_init(&rig.rx[p], rx, &peer_half->rx_head[p], &own_half->rx_tail[p], RIG_SLOTS);
        ring_producer_init(&rig.tx[p], tx, &peer_half->tx_tail[p], &own_half->tx_head[p], RIG_SLOTS);
        ring_consumer_init(&lane->tx[p], tx, &own_half->tx_head[p], &peer_half->tx_tail[p], RIG_SLOTS);
    }
    ring_producer_init(&rig.returns, slots(peer_half, layout->return_slots_off), &peer_half->return_tail,
                       &own_half->return_head, RIG_SLOTS);
    ring_consumer_init(&lane->returns, slots(peer_half, layout->return_slots_off), &own_half->return_head,
                       &peer_half->return_tail, RIG_SLOTS);
}

static void init_lane(struct lane *lane)
{
    lane->state = BOARD_LANE_SERVING;
    lane->shape = (struct lane_shape){.return_slots = RIG_SLOTS};
    for (int p = 0; p < N_LANE_PRIORITIES; p++) {
        lane->shape.ring_slots[p] = RIG_SLOTS;
        lane->shape.arena_bytes[p] = LANE_MIN_ARENA_BYTES * 4;
    }
    lane_layout_init(&lane->layout, &lane->shape);
    own_half = new_zeroed(lane->layout.frontend_bytes);
    peer_half = new_zeroed(lane->layout.worker_bytes);
    lane->worker_half.base = peer_half;
    init_rings(lane);
    wake_init(&lane->rx_wake, -1, &own_half->sleeping, &peer_half->sleeping); /* nobody sleeps here */
    lane->tx_wake = lane->rx_wake;
}

void stages_rig_init(void)
{
    struct frontend *frontend = &rig.frontend;
    char error[256];

    memset(&rig, 0, sizeof(rig));
    rig.hop = HOST_HOP_FOUND;
    rig.lane = &frontend->lanes[RIG_WORKER];
    config_defaults(&frontend->config);
    frontend->config.nic.backend = CONFIG_BACKEND_MEMORY;
    memcpy(frontend->config.nic.mac, frame_our_mac, 6);
    CU_ASSERT_EQUAL_FATAL(nic_open(&frontend->nic, &frontend->config.nic, error, sizeof(error)), 0);
    CU_ASSERT_EQUAL_FATAL(board_init(&frontend->board, 256), 0);
    CU_ASSERT_EQUAL_FATAL(bucket_table_init(&frontend->buckets, 256), 0);
    CU_ASSERT_EQUAL_FATAL(pin_table_init(&frontend->pins, 16), 0);
    CU_ASSERT_EQUAL_FATAL(park_init(&frontend->park, 4), 0);
    CU_ASSERT_EQUAL_FATAL(frame_pool_init(&frontend->pool, RIG_N_HEAD, 16, false), 0);
    bucket_table_spread(&frontend->buckets, 1u << RIG_WORKER, NULL, NULL);
    frontend->lane_mask = 1u << RIG_WORKER;
    frontend->now_ns = 1;
    frontend->addresses = (struct host_addresses){.n_addresses = 2, .mtu_bytes = 1500};
    CU_ASSERT_EQUAL(config_address_parse("10.77.0.2/24", &frontend->addresses.addresses[0]), 0);
    CU_ASSERT_EQUAL(config_address_parse("fd77::2/64", &frontend->addresses.addresses[1]), 0);
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++)
        lane_init(&frontend->lanes[i], (uint8_t)i, &frontend->board.lanes[i]);
    init_lane(rig.lane);
    frontend_receive_init(frontend);
}

void stages_rig_fini(void)
{
    frame_pool_fini(&rig.frontend.pool);
    park_fini(&rig.frontend.park);
    pin_table_fini(&rig.frontend.pins);
    bucket_table_fini(&rig.frontend.buckets);
    board_fini(&rig.frontend.board);
    nic_close(&rig.frontend.nic);
    free(own_half);
    free(peer_half);
}

void stages_rig_send(enum lane_priority priority, const uint8_t *packet, uint32_t len_bytes, uint8_t flags)
{
    uint8_t *arena = (uint8_t *)peer_half + rig.lane->layout.arena_off[priority];

    memcpy(arena + rig.arena_off, packet, len_bytes);
    ring_producer_stage(&rig.tx[priority],
                        lane_word(LANE_SLOT_FRAME | (uint32_t)flags << 8, 0, rig.arena_off), len_bytes);
    rig.arena_off += len_bytes;
}

void stages_rig_transmit(void)
{
    for (int p = 0; p < N_LANE_PRIORITIES; p++)
        ring_producer_publish(&rig.tx[p]);
    frontend_transmit(&rig.frontend);
    for (int p = 0; p < N_LANE_PRIORITIES; p++)
        CU_ASSERT_EQUAL(ring_producer_refresh(&rig.tx[p]), RING_OK);
}

uint64_t stages_rig_nic(enum nic_counter which)
{
    return counter_get(rig.frontend.board.nic, which);
}

uint64_t stages_rig_lane(enum lane_counter which)
{
    return counter_get(rig.lane->board->counters, which);
}
