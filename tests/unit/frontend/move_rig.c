/* SPDX-License-Identifier: BSD-3-Clause */
/* move_rig.c — see move_rig.h. */
#include "move_rig.h"

#include <CUnit/CUnit.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "frontend/nic/memory.h"
#include "shm/frontend_writes.h"
#include "tests/support/frame.h"

#define RIG_POOL_CHUNKS 4096u
#define RIG_ARENA_BYTES LANE_MIN_ARENA_BYTES
#define RIG_SETTLE_TURNS 400u
#define RIG_SEQ_OFF (NIC_VNET_BYTES + 14u + 20u + 4u) /* in the chunk */
#define RIG_PORT_OFF (NIC_VNET_BYTES + 14u + 20u)

static uint32_t rig_load_be(const uint8_t *bytes, unsigned n)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < n; i++)
        value = value << 8 | bytes[i];
    return value;
}

static void rig_host_segment(struct frontend *frontend)
{
    struct segment_spec spec = {.name = "mpa-test-host",
                                .kind = SEGMENT_HOST,
                                .version = HOST_SEGMENT_VERSION,
                                .size_bytes = sizeof(struct host_segment) + RIG_N_BUCKETS};
    struct host_segment *host;

    mpa_assert(segment_new(&frontend->host_segment, &spec) == 0);
    host = frontend->host_segment.base;
    host->n_buckets = RIG_N_BUCKETS;
    for (uint32_t i = 0; i < RIG_N_BUCKETS; i++)
        hold_announce(frontend, i, BUCKET_NO_WORKER);
}

static void rig_on_frame(void *context, const uint8_t *bytes, uint32_t len_bytes)
{
    (void)context;
    (void)bytes;
    (void)len_bytes;
}

static void rig_on_changed(void *context, const struct host_addresses *addresses)
{
    (void)context;
    (void)addresses;
}

static const struct host_callbacks rig_host_callbacks = {
    .transmit = rig_on_frame, .reassembled = rig_on_frame, .changed = rig_on_changed};

void rig_init(struct rig *rig, uint32_t held_frames)
{
    struct frontend *frontend = &rig->frontend;
    char error[256];

    log_set_level(LOG_LEVEL_ERROR);
    *rig = (struct rig){0};
    rig->workers = calloc(RIG_MAX_WORKERS, sizeof(*rig->workers));
    mpa_assert(rig->workers != NULL);
    config_defaults(&frontend->config);
    frontend->config.nic.backend = CONFIG_BACKEND_MEMORY;
    frontend->suspects.file_fd = frontend->returning.file_fd = -1;
    frontend->handover.source_fd = frontend->listen_socket = frontend->signal_fd = -1;
    frontend->stage.epoll_fd = frontend->stage.stop_fd = -1;
    mpa_assert(nic_open(&frontend->nic, &frontend->config.nic, error, sizeof(error)) == 0);
    mpa_assert(board_init(&frontend->board, RIG_N_BUCKETS) == 0);
    mpa_assert(bucket_table_init(&frontend->buckets, RIG_N_BUCKETS) == 0);
    mpa_assert(pin_table_init(&frontend->pins, 16) == 0);
    mpa_assert(orders_init(&frontend->orders, RIG_N_BUCKETS) == 0);
    mpa_assert(frame_pool_init(&frontend->pool, RIG_POOL_CHUNKS, 16, false) == 0);
    mpa_assert(held_init(&frontend->held, held_frames) == 0);
    estates_init(&frontend->estates);
    rig_host_segment(frontend);
    frontend->host = host_new(&frontend->config, frontend->nic.mac, &rig_host_callbacks, frontend);
    mpa_assert(frontend->host != NULL);
    frontend->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    frontend->addresses.n_addresses = 1;
    frontend->addresses.mtu_bytes = 1500;
    mpa_assert(config_address_parse("10.77.0.2/24", &frontend->addresses.addresses[0]) == 0);
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++)
        lane_init(&frontend->lanes[i], (uint8_t)i, &frontend->board.lanes[i]);
    frontend_receive_init(frontend);
    frontend->now_ns = clock_now_ns();
    frontend->next_number = frontend->now_ns;
}

static void rig_forget(struct rig_worker *worker)
{
    segment_fini(&worker->half);
    segment_fini(&worker->records);
    fd_close(&worker->socket);
    fd_close(&worker->wake_socket);
}

void rig_fini(struct rig *rig)
{
    struct frontend *frontend = &rig->frontend;

    for (uint32_t i = 0; i < rig->n_workers; i++)
        rig_forget(&rig->workers[i]);
    free(rig->workers);
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++)
        lane_detach(&frontend->lanes[i], &frontend->pool);
    estates_fini(&frontend->estates);
    fd_close(&frontend->handover.source_fd);
    held_fini(&frontend->held);
    host_free(frontend->host);
    nic_close(&frontend->nic);
    pin_table_fini(&frontend->pins);
    orders_fini(&frontend->orders);
    bucket_table_fini(&frontend->buckets);
    frame_pool_fini(&frontend->pool);
    segment_fini(&frontend->host_segment);
    board_fini(&frontend->board);
    fd_close(&frontend->epoll_fd);
}

static void rig_segments(struct rig_worker *worker, const struct lane_shape *shape)
{
    struct lane_layout layout;
    struct segment_spec half = {.name = "mpa-test-half", .kind = SEGMENT_WORKER, .version = LANE_VERSION};
    struct segment_spec records = {.name = "mpa-test-records",
                                   .kind = SEGMENT_RECORDS,
                                   .version = RECORDS_SEGMENT_VERSION,
                                   .size_bytes = sizeof(struct records_segment)};
    struct stat status;

    lane_layout_init(&layout, shape);
    half.size_bytes = layout.worker_bytes;
    mpa_assert(segment_new(&worker->half, &half) == 0 && segment_new(&worker->records, &records) == 0);
    ((struct worker_half *)worker->half.base)->shape = *shape;
    mpa_assert(segment_seal(&worker->half) == 0 && segment_seal(&worker->records) == 0);
    mpa_assert(fstat(worker->records.fd, &status) == 0);
    worker->records_inode = status.st_ino;
}

static struct lane_slot *rig_slots(const void *base, size_t off)
{
    return (struct lane_slot *)(void *)((uint8_t *)(uintptr_t)base + off);
}

static void rig_rings(struct rig_worker *worker, const struct lane *lane)
{
    struct worker_half *own = worker->half.base;
    const struct frontend_half *peer = lane->own_half.base;

    for (int p = 0; p < N_LANE_PRIORITIES; p++) {
        ring_consumer_init(&worker->rx[p], rig_slots(peer, lane->layout.rx_slots_off[p]), &own->rx_head[p],
                           &peer->rx_tail[p], lane->shape.ring_slots[p]);
        ring_producer_init(&worker->tx[p], rig_slots(own, lane->layout.tx_slots_off[p]), &own->tx_tail[p],
                           &peer->tx_head[p], lane->shape.ring_slots[p]);
    }
    ring_producer_init(&worker->returns, rig_slots(own, lane->layout.return_slots_off), &own->return_tail,
                       &peer->return_head, lane->shape.return_slots);
}

/* What goes over the two sockets is real; what would be passed as descriptors too, but for the pidfd. */
struct rig_worker *rig_attach(struct rig *rig, uint8_t slot, uint32_t ring_slots)
{
    struct rig_worker *worker = &rig->workers[rig->n_workers++];
    struct lane *lane = &rig->frontend.lanes[slot];
    const struct lane_shape shape = {.ring_slots = {ring_slots, LANE_MIN_SLOTS},
                                     .return_slots = RIG_POOL_CHUNKS,
                                     .arena_bytes = {RIG_ARENA_BYTES, RIG_ARENA_BYTES}};
    const struct attach_hello hello = {.version_min = LANE_VERSION_MIN, .version_max = LANE_VERSION};
    const struct attach_ready ready = {ATTACH_MAGIC, ATTACH_READY};
    int fds[N_ATTACH_HELLO_FDS], sockets[2], wakes[2];

    mpa_assert(rig->n_workers <= RIG_MAX_WORKERS && lane->state == BOARD_LANE_EMPTY);
    *worker = (struct rig_worker){.slot = slot, .is_alive = true};
    rig_segments(worker, &shape);
    fds[ATTACH_FD_PIDFD] = eventfd(0, EFD_CLOEXEC);
    fds[ATTACH_FD_WORKER_HALF] = dup(worker->half.fd);
    fds[ATTACH_FD_RECORDS] = dup(worker->records.fd);
    mpa_assert(lane_attach(lane, &hello, fds) == 0);
    mpa_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sockets) == 0);
    mpa_assert(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, wakes) == 0);
    lane->attach_socket = sockets[0];
    worker->socket = sockets[1];
    worker->wake_socket = wakes[1];
    lane_start(lane, wakes[0]);
    rig_rings(worker, lane);
    mpa_assert(fd_send(worker->socket, &ready, sizeof(ready), NULL, 0) == 0);
    broker_lane_event(&rig->frontend, lane);
    CU_ASSERT_EQUAL(lane->state, BOARD_LANE_SERVING);
    return worker;
}

struct rig_worker *rig_at(struct rig *rig, uint8_t slot)
{
    for (uint32_t i = 0; i < rig->n_workers; i++) {
        if (rig->workers[i].is_alive && rig->workers[i].slot == slot)
            return &rig->workers[i];
    }
    return NULL;
}

void rig_kill(struct rig *rig, struct rig_worker *worker)
{
    worker->is_alive = false;
    fd_close(&worker->socket);
    broker_process_ended(&rig->frontend, &rig->frontend.lanes[worker->slot]);
}

struct flow_key rig_key(uint32_t flow)
{
    struct flow_key key = {
        .remote_port_be = (uint16_t)((RIG_FIRST_PORT + flow) >> 8 | ((RIG_FIRST_PORT + flow) & 0xff) << 8),
        .local_port_be = FRAME_OUR_PORT << 8,
        .protocol = 6,
        .family = 4};

    memcpy(key.remote, frame_peer_ip4, 4);
    memcpy(key.local, frame_our_ip4, 4);
    return key;
}

static uint32_t rig_hash(struct rig *rig, uint32_t flow)
{
    const struct flow_key key = rig_key(flow);

    return flow_key_hash(&key, &rig->frontend.seed);
}

uint32_t rig_bucket(struct rig *rig, uint32_t flow)
{
    return bucket_of(&rig->frontend.buckets, rig_hash(rig, flow));
}

uint8_t rig_worker_of(struct rig *rig, uint32_t flow)
{
    const struct flow_key key = rig_key(flow);
    uint8_t worker = pin_table_find(&rig->frontend.pins, rig_hash(rig, flow), &key);

    return worker != BUCKET_NO_WORKER ? worker : rig->frontend.buckets.worker[rig_bucket(rig, flow)];
}

void rig_send(struct rig *rig, uint32_t flow)
{
    static const uint8_t vnet[NIC_VNET_BYTES];
    uint32_t port = RIG_FIRST_PORT + flow, seq = rig->sent[flow]++;
    uint8_t bytes[NIC_VNET_BYTES + FRAME_MAX_BYTES];
    struct frame frame;
    struct iovec part;

    frame_begin(&frame, 0x0800);
    frame_put_ip4(&frame, 6);
    frame_put_tcp(&frame, FRAME_ACK, NULL, 0);
    frame_finish(&frame);
    frame.bytes[34] = (uint8_t)(port >> 8);
    frame.bytes[35] = (uint8_t)port;
    for (unsigned i = 0; i < 4; i++)
        frame.bytes[38 + i] = (uint8_t)(seq >> (24 - 8 * i));
    frame_fix_transport_checksum(&frame);
    memcpy(bytes, vnet, sizeof(vnet));
    memcpy(bytes + sizeof(vnet), frame.bytes, frame.len_bytes);
    memcpy(bytes + sizeof(vnet), rig->frontend.nic.mac, 6);
    part = (struct iovec){bytes, sizeof(vnet) + frame.len_bytes};
    CU_ASSERT_EQUAL(nic_memory_inject(&rig->frontend.nic, &part, 1), 1);
    rig->n_sent++;
}

void rig_fill(struct rig *rig, uint8_t worker)
{
    struct ring_producer *ring = &rig->frontend.lanes[worker].rx[LANE_URGENT];

    while (ring_producer_room(ring) > 0)
        ring_producer_stage(ring, lane_word(LANE_SLOT_ADDRESSES, 0, 0), 0);
    ring_producer_publish(ring);
}

void rig_send_all(struct rig *rig)
{
    for (uint32_t i = 0; i < RIG_N_FLOWS; i++)
        rig_send(rig, i);
}

void rig_turn(struct rig *rig)
{
    struct frontend *frontend = &rig->frontend;
    enum lane_counter fault;

    frontend->now_ns = clock_now_ns();
    frontend_receive(frontend);
    frontend_transmit(frontend);
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        if (frontend->lane_mask >> i & 1)
            CU_ASSERT(lane_take_returns(&frontend->lanes[i], &frontend->pool, &fault));
    }
    frontend_move(frontend);
}

/* One frame reaches a worker. */
static void rig_frame(struct rig *rig, struct rig_worker *worker, uint32_t head_idx)
{
    const uint8_t *bytes = frame_pool_head(&rig->frontend.pool, head_idx);
    uint32_t flow = rig_load_be(bytes + RIG_PORT_OFF, 2) - RIG_FIRST_PORT;
    uint32_t seq = rig_load_be(bytes + RIG_SEQ_OFF, 4);
    struct rig_record *record;

    mpa_assert(flow < RIG_N_FLOWS);
    record = &worker->flows[flow];
    worker->n_frames++;
    if (seq == 0 && !record->in_use)
        *record = (struct rig_record){.in_use = true};
    if (!record->in_use || record->export_number != 0)
        rig->n_resets++;
    else if (seq == record->next_seq)
        record->next_seq++;
    else if (seq > record->next_seq)
        rig->n_gaps++;
}

static void rig_stage(struct rig_worker *worker, enum lane_priority priority, enum lane_slot_kind kind,
                      uint32_t n_flows, uint64_t number)
{
    CU_ASSERT_EQUAL(ring_producer_refresh(&worker->tx[priority]), RING_OK);
    ring_producer_stage(&worker->tx[priority], lane_word((uint32_t)kind, 0, n_flows), number);
}

static bool rig_is_exported(struct rig *rig, const struct attach_export *order, uint32_t flow)
{
    const struct flow_key key = rig_key(flow);

    switch ((enum attach_export_what)order->what) {
    case ATTACH_EXPORT_BUCKETS:
        for (uint32_t i = 0; i < order->n_buckets; i++) {
            if (order->buckets[i] == rig_bucket(rig, flow))
                return true;
        }
        return false;
    case ATTACH_EXPORT_FLOW:
        return memcmp(&key, order->key, sizeof(key)) == 0;
    case ATTACH_EXPORT_ALL:
        return true;
    }
    return false;
}

/* The fence was met in both rings: all before it was processed. */
static void rig_export(struct rig *rig, struct rig_worker *worker, uint64_t number)
{
    struct attach_export order;
    uint32_t n_flows = 0;
    int fds[1];

    CU_ASSERT_EQUAL(fd_receive(worker->socket, &order, sizeof(order), fds, 1), (ssize_t)sizeof(order));
    CU_ASSERT(order.magic == ATTACH_MAGIC && order.kind == ATTACH_EXPORT && order.number == number);
    for (uint32_t i = 0; i < RIG_N_FLOWS; i++) {
        struct rig_record *record = &worker->flows[i];

        if (!record->in_use || record->export_number != 0 || !rig_is_exported(rig, &order, i))
            continue;
        record->export_number = number;
        n_flows++;
    }
    worker->n_exports++;
    for (int p = 0; p < N_LANE_PRIORITIES; p++)
        rig_stage(worker, (enum lane_priority)p, LANE_SLOT_FENCE, n_flows, number);
}

static struct rig_worker *rig_source(struct rig *rig, int *fd)
{
    struct stat status;

    mpa_assert(*fd >= 0 && fstat(*fd, &status) == 0);
    fd_close(fd);
    for (uint32_t i = 0; i < rig->n_workers; i++) {
        if (rig->workers[i].records_inode == status.st_ino)
            return &rig->workers[i];
    }
    mpa_assert(false);
    return NULL;
}

static bool rig_may_adopt(struct rig *rig, const struct rig_worker *worker, const struct attach_adopt *order,
                          const struct rig_record *record, uint32_t flow)
{
    bool is_meant = order->what == ATTACH_ADOPT_EXPORTED
                        ? record->export_number == order->exported
                        : record->export_number == 0 || record->export_number > order->exports_done;

    return record->in_use && is_meant &&
           (!order->is_shared || hold_announced(&rig->frontend, rig_bucket(rig, flow)) == worker->slot);
}

/* The first of the two slots; the second says nothing new. */
static void rig_adopt(struct rig *rig, struct rig_worker *worker, uint64_t number)
{
    struct rig_worker *source;
    struct attach_adopt order;
    uint32_t n_flows = 0;
    int fds[1];

    for (uint32_t i = 0; i < worker->n_adopted; i++) {
        if (worker->adopted[i] == number)
            return;
    }
    mpa_assert(worker->n_adopted < RIG_MAX_ORDERS);
    worker->adopted[worker->n_adopted++] = number;
    CU_ASSERT_EQUAL(fd_receive(worker->socket, &order, sizeof(order), fds, 1), (ssize_t)sizeof(order));
    CU_ASSERT(order.magic == ATTACH_MAGIC && order.kind == ATTACH_ADOPT && order.number == number);
    source = rig_source(rig, &fds[0]);
    for (uint32_t i = 0; i < RIG_N_FLOWS; i++) {
        const struct rig_record *record = &source->flows[i];
        struct rig_record *own = &worker->flows[i];

        if (!rig_may_adopt(rig, worker, &order, record, i) || (own->in_use && own->export_number == 0))
            continue;
        *own = (struct rig_record){.in_use = true, .next_seq = record->next_seq, .epoch = record->epoch + 1};
        n_flows++;
    }
    worker->n_adopts++;
    rig_stage(worker, LANE_NORMAL, LANE_SLOT_ADOPTED, n_flows, number);
}

static void rig_release(struct rig_worker *worker, uint64_t number)
{
    worker->n_releases++;
    for (uint32_t i = 0; i < RIG_N_FLOWS; i++) {
        if (worker->flows[i].export_number != 0 && worker->flows[i].export_number <= number)
            worker->flows[i] = (struct rig_record){0};
    }
}

static void rig_control(struct rig *rig, struct rig_worker *worker, enum lane_priority priority,
                        const struct ring_slot_value *slot)
{
    uint64_t number = slot->words[1];
    struct attach_reset reset;
    int fds[1];

    switch ((enum lane_slot_kind)(slot->words[0] & 0xff)) {
    case LANE_SLOT_FENCE:
        worker->fence_rings = worker->fence == number ? worker->fence_rings : 0;
        worker->fence = number;
        worker->fence_rings |= (uint8_t)(1u << priority);
        if (worker->fence_rings == 3)
            rig_export(rig, worker, number);
        return;
    case LANE_SLOT_ADOPT:
        rig_adopt(rig, worker, number);
        return;
    case LANE_SLOT_RELEASE:
        rig_release(worker, number);
        return;
    case LANE_SLOT_RESET:
        CU_ASSERT_EQUAL(fd_receive(worker->socket, &reset, sizeof(reset), fds, 1), (ssize_t)sizeof(reset));
        CU_ASSERT_EQUAL(reset.number, number);
        worker->n_resets++;
        return;
    default:
        return;
    }
}

void rig_work(struct rig *rig, struct rig_worker *worker, uint32_t n)
{
    for (unsigned p = N_LANE_PRIORITIES; p-- > 0;) {
        struct ring_consumer *ring = &worker->rx[p];

        CU_ASSERT_EQUAL(ring_consumer_refresh(ring), RING_OK);
        for (uint32_t i = 0; i < n && ring_consumer_ready(ring) > 0; i++) {
            struct ring_slot_value slot = ring_consumer_peek(ring, 0);
            uint32_t kind = (uint32_t)(slot.words[0] & 0xff);

            ring_consumer_take(ring, 1);
            if (kind != LANE_SLOT_FRAME) {
                rig_control(rig, worker, (enum lane_priority)p, &slot);
                continue;
            }
            rig_frame(rig, worker, (uint32_t)(slot.words[0] >> 32));
            CU_ASSERT_EQUAL(ring_producer_refresh(&worker->returns), RING_OK);
            ring_producer_stage(&worker->returns, slot.words[0] & ~0xffffull, 0);
        }
    }
    for (int p = 0; p < N_LANE_PRIORITIES; p++)
        ring_producer_publish(&worker->tx[p]);
    for (int p = 0; p < N_LANE_PRIORITIES; p++)
        ring_consumer_free(&worker->rx[p]);
    ring_producer_publish(&worker->returns);
}

static bool rig_is_quiet(const struct rig *rig)
{
    const struct frontend *frontend = &rig->frontend;

    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        for (int p = 0; p < N_LANE_PRIORITIES && (frontend->lane_mask >> i & 1) != 0; p++) {
            if (ring_producer_depth(&frontend->lanes[i].rx[p]) > 0)
                return false;
        }
    }
    return counter_get(frontend->board.nic, NIC_rx_frames) == rig->n_sent &&
           frontend->handover.state == HANDOVER_IDLE && !frontend->estates.is_round &&
           !frontend->orders.has_order &&
           (frontend->orders.fill_mask == 0 || frontend->orders.fill_ns > frontend->now_ns);
}

void rig_settle(struct rig *rig)
{
    /* A few turns more than it takes: an order may wait for the turn after the last hand-over. */
    for (uint32_t turn = 0, quiet = 0; turn < RIG_SETTLE_TURNS && quiet < 8; turn++) {
        rig_turn(rig);
        for (uint32_t i = 0; i < rig->n_workers; i++) {
            if (rig->workers[i].is_alive)
                rig_work(rig, &rig->workers[i], 64);
        }
        for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
            for (int p = 0; p < N_LANE_PRIORITIES && (rig->frontend.lane_mask >> i & 1) != 0; p++)
                CU_ASSERT_EQUAL(ring_producer_refresh(&rig->frontend.lanes[i].rx[p]), RING_OK);
        }
        quiet = rig_is_quiet(rig) ? quiet + 1 : 0;
    }
    CU_ASSERT(rig_is_quiet(rig));
}

void rig_check_chunks(struct rig *rig)
{
    const struct frame_pool *pool = &rig->frontend.pool;
    uint32_t n_known = pool->n_free_head + rig->frontend.held.n;

    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++)
        n_known += pool->n_held[i];
    for (unsigned i = 0; i < FRONTEND_MAX_BURST; i++)
        n_known += rig->frontend.places[i].head_idx != LANE_NO_CHUNK;
    CU_ASSERT_EQUAL(n_known, pool->n_head);
}

void rig_check(struct rig *rig)
{
    const struct frontend *frontend = &rig->frontend;

    rig_check_chunks(rig);
    CU_ASSERT_EQUAL(frontend->held.n, 0);
    CU_ASSERT_EQUAL(frontend->estates.n, 0);
    CU_ASSERT_EQUAL(rig->n_resets, 0);
    CU_ASSERT_EQUAL(rig->n_gaps, 0);
    for (uint32_t i = 0; i < RIG_N_FLOWS; i++) {
        struct rig_worker *worker = rig_at(rig, rig_worker_of(rig, i));
        uint32_t n_owners = 0;

        for (uint32_t k = 0; k < rig->n_workers; k++)
            n_owners += rig->workers[k].is_alive && rig->workers[k].flows[i].in_use &&
                        rig->workers[k].flows[i].export_number == 0;
        CU_ASSERT_EQUAL(n_owners, rig->sent[i] > 0 ? 1 : 0);
        CU_ASSERT_PTR_NOT_NULL(worker);
        if (worker != NULL)
            CU_ASSERT_EQUAL(worker->flows[i].next_seq, rig->sent[i]);
    }
}
