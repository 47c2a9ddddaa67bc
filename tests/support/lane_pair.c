/* SPDX-License-Identifier: BSD-3-Clause */
/* lane_pair.c — see lane_pair.h. Segments are real ones (memfd); only the process boundary is missing. */
#include "tests/support/lane_pair.h"

#include <errno.h>
#include <lwip/priv/tcp_priv.h>
#include <string.h>

#include "base/clock.h"
#include "shm/frontend_writes.h"
#include "shm/worker_writes.h"
#include "worker/stack/pool.h"

#define PAIR_TICK_NS (20 * CLOCK_NS_PER_MS) /* a slow tick of lwIP */
#define PAIR_IP6_BYTES 40u

void lane_pair_defaults(struct lane_pair_config *config)
{
    *config = (struct lane_pair_config){
        .n_head = 2048,
        .n_large = 16,
        .ring_slots = 1024,
        .arena_bytes = 1u << 20,
        .fifo_memory_bytes = 32u << 20,
        .stack_memory_bytes = 32u << 20,
        .max_connections = 4096,
        .mtu_bytes = 1500,
    };
}

static int pair_new_segment(struct segment *segment, enum segment_kind kind, size_t size_bytes)
{
    struct segment_spec spec = {
        .name = "mpa-test",
        .kind = kind,
        .version = kind == SEGMENT_RECORDS ? RECORDS_SEGMENT_VERSION : LANE_VERSION,
        .size_bytes = size_bytes,
    };

    return segment_new(segment, &spec);
}

static int pair_records(struct lane_pair *pair)
{
    uint32_t n = pair->config.max_connections, fifo_bytes = pair->config.fifo_memory_bytes;
    int failed = pair_new_segment(&pair->records, SEGMENT_RECORDS, stack_records_bytes(n, fifo_bytes));

    if (failed == 0)
        stack_records_layout(pair->records.base, n, fifo_bytes);
    return failed;
}

static int pair_segments(struct lane_pair *pair)
{
    struct lane_shape shape = {.return_slots = LANE_MIN_SLOTS};
    int failed;

    for (int p = 0; p < N_LANE_PRIORITIES; p++) {
        shape.ring_slots[p] = pair->config.ring_slots;
        shape.arena_bytes[p] = pair->config.arena_bytes;
    }
    while (shape.return_slots < pair->config.n_head)
        shape.return_slots *= 2;
    if (!lane_shape_is_valid(&shape))
        return -EINVAL;
    lane_layout_init(&pair->layout, &shape);
    failed = pair_new_segment(&pair->frontend_half, SEGMENT_FRONTEND, pair->layout.frontend_bytes);
    if (failed == 0)
        failed = pair_new_segment(&pair->worker_half, SEGMENT_WORKER, pair->layout.worker_bytes);
    if (failed == 0)
        failed = pair_records(pair);
    if (failed < 0)
        return failed;
    ((struct worker_half *)pair->worker_half.base)->shape = shape;
    pair->counters = ((struct worker_half *)pair->worker_half.base)->counters;
    return frame_pool_init(&pair->pool, pair->config.n_head, pair->config.n_large, false);
}

static struct lane_slot *pair_slots(const struct segment *segment, size_t off)
{
    return (struct lane_slot *)(void *)((uint8_t *)segment->base + off);
}

static void pair_rings(struct lane_pair *pair)
{
    struct frontend_half *frontend = pair->frontend_half.base;
    struct worker_half *worker = pair->worker_half.base;

    for (int p = 0; p < N_LANE_PRIORITIES; p++) {
        struct lane_slot *rx_slots = pair_slots(&pair->frontend_half, pair->layout.rx_slots_off[p]);
        struct lane_slot *tx_slots = pair_slots(&pair->worker_half, pair->layout.tx_slots_off[p]);
        uint32_t n_slots = pair->config.ring_slots;

        ring_producer_init(&pair->rx[p], rx_slots, &frontend->rx_tail[p], &worker->rx_head[p], n_slots);
        ring_consumer_init(&pair->worker_rx[p], rx_slots, &worker->rx_head[p], &frontend->rx_tail[p],
                           n_slots);
        ring_producer_init(&pair->staging.ring[p], tx_slots, &worker->tx_tail[p], &frontend->tx_head[p],
                           n_slots);
        ring_consumer_init(&pair->tx[p], tx_slots, &frontend->tx_head[p], &worker->tx_tail[p], n_slots);
    }
    struct lane_slot *return_slots = pair_slots(&pair->worker_half, pair->layout.return_slots_off);
    ring_producer_init(&pair->frames.return_ring, return_slots, &worker->return_tail, &frontend->return_head,
                       worker->shape.return_slots);
    ring_consumer_init(&pair->returns, return_slots, &frontend->return_head, &worker->return_tail,
                       worker->shape.return_slots);
}

static int pair_worker(struct lane_pair *pair)
{
    uint8_t *base = pair->worker_half.base;
    const struct records_segment *records = pair->records.base;
    int failed = rx_frames_init(&pair->frames, pair->pool.segment.base, pair->pool.segment.size_bytes);

    if (failed < 0)
        return failed;
    pair_rings(pair);
    pair->staging.counters = pair->counters;
    pair->staging.has_offload_csum = pair->config.has_offload_csum;
    for (int p = 0; p < N_LANE_PRIORITIES && failed == 0; p++)
        failed = staging_init_arena(&pair->staging, (enum lane_priority)p, base + pair->layout.arena_off[p],
                                    pair->config.arena_bytes);
    if (failed == 0)
        failed = fifo_memory_init(&pair->fifo_memory, (uint8_t *)pair->records.base + records->fifo_off,
                                  records->fifo_bytes);
    if (failed == 0)
        failed = pool_init(pair->config.stack_memory_bytes);
    if (failed == 0)
        fifo_memory_hold(&pair->fifo_memory); /* as a worker does */
    return failed;
}

static void pair_addresses(struct lane_pair *pair)
{
    struct host_facts facts = {.n_addresses = 2, .mtu_bytes = pair->config.mtu_bytes};

    mpa_assert(config_address_parse("10.77.0.2/24", &facts.addresses[0]) == 0);
    mpa_assert(config_address_parse("fd77::2/64", &facts.addresses[1]) == 0);
    stack_set_addresses(&pair->stack, &facts);
}

static int pair_stack(struct lane_pair *pair)
{
    struct stack_config config = {
        .max_connections = pair->config.max_connections,
        .flow_seed = {{1, 2, 3, 4}},
        .isn_key = "no secret here",
        .fifo_memory = &pair->fifo_memory,
        .staging = &pair->staging,
        .frames = &pair->frames,
        .counters = pair->counters,
        .records = pair->config.has_no_records ? NULL : pair->records.base,
        .commits_facts = pair->config.commits_facts,
        .slot = pair->config.slot,
        .n_buckets = pair->config.n_buckets,
        .bucket_worker = pair->config.bucket_worker,
        .suspect = &pair->suspect,
        .has_gso = pair->config.has_gso,
    };
    int failed = stack_init(&pair->stack, &config, &pair->config.callbacks, pair->config.context);

    if (failed < 0)
        return failed;
    /* From here on the clock is the test's; it starts where lwIP's ticks stand. */
    pair->now_ns = pair->config.start_ns != 0 ? pair->config.start_ns
                                              : (pair->stack.now_ns / PAIR_TICK_NS + 1) * PAIR_TICK_NS;
    /* A worker that starts later finds its ticks at the clock's. */
    if (pair->config.start_ns != 0)
        tcp_ticks = (u32_t)(pair->now_ns / PAIR_TICK_NS);
    stack_set_now(&pair->stack, pair->now_ns);
    pair_addresses(pair);
    return 0;
}

int lane_pair_init(struct lane_pair *pair, const struct lane_pair_config *config)
{
    int failed;

    *pair = (struct lane_pair){
        .config = *config, .frontend_half = {.fd = -1}, .worker_half = {.fd = -1}, .records = {.fd = -1}};
    failed = pair_segments(pair);
    if (failed == 0)
        failed = pair_worker(pair);
    if (failed == 0)
        failed = pair_stack(pair);
    return failed;
}

struct segment lane_pair_stop(struct lane_pair *pair)
{
    struct segment records = pair->records;

    stack_fini(&pair->stack);
    fifo_memory_fini(&pair->fifo_memory);
    staging_fini(&pair->staging);
    rx_frames_fini(&pair->frames);
    pool_fini();
    frame_pool_fini(&pair->pool);
    segment_fini(&pair->frontend_half);
    segment_fini(&pair->worker_half);
    pair->records = (struct segment){.fd = -1};
    return records;
}

void lane_pair_fini(struct lane_pair *pair)
{
    struct segment records = lane_pair_stop(pair);

    segment_fini(&records);
}

bool lane_pair_adopt(struct lane_pair *pair, const struct segment *source, const struct attach_adopt *order,
                     struct stack_adoption *adoption)
{
    struct border_records records;

    stack_set_now(&pair->stack, pair->now_ns);
    if (border_records_open(&records, source->base, source->size_bytes) != BORDER_OK)
        return false;
    stack_adopt(&pair->stack, &records, order, adoption);
    return true;
}

void lane_pair_note(const struct lane_pair *pair, const uint8_t *frame, struct rx_note *note)
{
    const uint8_t *ip = frame + RX_FRAME_LINK_BYTES;
    bool is_v4 = ip[0] >> 4 == 4;
    const uint8_t *transport = ip + (is_v4 ? (ip[0] & 0x0fu) * 4u : PAIR_IP6_BYTES);
    struct flow_key key = {.family = is_v4 ? 4 : 6, .protocol = is_v4 ? ip[9] : ip[6]};

    memcpy(key.remote, is_v4 ? ip + 12 : ip + 8, is_v4 ? 4 : 16);
    memcpy(key.local, is_v4 ? ip + 16 : ip + 24, is_v4 ? 4 : 16);
    memcpy(&key.remote_port_be, transport, 2);
    memcpy(&key.local_port_be, transport + 2, 2);
    *note = (struct rx_note){.hash = flow_key_hash(&key, &pair->stack.config.flow_seed),
                             .transport_off = (uint16_t)(transport - frame),
                             .protocol = key.protocol};
}

bool lane_pair_inject_as(struct lane_pair *pair, const uint8_t *frame, uint32_t len_bytes,
                         const struct rx_note *note, uint32_t kind_and_flags)
{
    uint32_t in_head = POOL_HEAD_BYTES - RX_FRAME_OFF;
    bool is_large = len_bytes > in_head;
    uint32_t large_idx = LANE_NO_CHUNK;
    struct ring_producer *ring = &pair->rx[LANE_NORMAL];
    uint32_t head_idx = frame_pool_take_head(&pair->pool);
    uint8_t *head;
    uint16_t generation;

    if (is_large)
        large_idx = frame_pool_take_large(&pair->pool);
    if (head_idx == LANE_NO_CHUNK || (is_large && large_idx == LANE_NO_CHUNK) ||
        ring_producer_room(ring) == 0) {
        if (head_idx != LANE_NO_CHUNK)
            frame_pool_put(&pair->pool, head_idx);
        if (large_idx != LANE_NO_CHUNK)
            frame_pool_put_large(&pair->pool, large_idx);
        return false;
    }
    head = frame_pool_head(&pair->pool, head_idx);
    memcpy(head, note, sizeof(*note));
    memcpy(head + RX_FRAME_OFF, frame, is_large ? in_head : len_bytes);
    if (is_large)
        memcpy(frame_pool_large(&pair->pool, large_idx), frame + in_head, len_bytes - in_head);
    frame_pool_tie(&pair->pool, head_idx, large_idx);
    generation = frame_pool_lend(&pair->pool, head_idx, LANE_PAIR_WORKER);
    ring_producer_stage(ring, lane_word(kind_and_flags, generation, head_idx),
                        large_idx | (uint64_t)len_bytes << 32);
    return true;
}

bool lane_pair_inject(struct lane_pair *pair, const uint8_t *frame, uint32_t len_bytes, uint32_t flags)
{
    struct rx_note note;

    lane_pair_note(pair, frame, &note);
    return lane_pair_inject_as(pair, frame, len_bytes, &note, LANE_SLOT_FRAME | flags << 8);
}

/* worker/loop.c: loop_take(), without control slots. */
static unsigned pair_take_frames(struct lane_pair *pair, enum lane_priority priority, struct rx_frame *frames,
                                 unsigned room)
{
    struct ring_consumer *ring = &pair->worker_rx[priority];
    unsigned n = 0;

    mpa_assert(ring_consumer_refresh(ring) == RING_OK);
    while (n < room && ring_consumer_ready(ring) > 0) {
        mpa_assert(border_peek_rx(ring, 0, pair->frames.pool, &frames[n].slot) == BORDER_OK);
        ring_consumer_take(ring, 1);
        if (rx_frame_open(&pair->frames, &frames[n]))
            n++;
        else
            rx_frame_drop(&pair->frames, &frames[n]);
    }
    return n;
}

void lane_pair_take_returns(struct lane_pair *pair)
{
    struct border_return chunk;

    mpa_assert(ring_consumer_refresh(&pair->returns) == RING_OK);
    while (ring_consumer_ready(&pair->returns) > 0) {
        if (border_peek_return(&pair->returns, 0, pair->pool.n_head, &chunk) != BORDER_OK ||
            !frame_pool_return(&pair->pool, chunk.head_idx, chunk.generation, LANE_PAIR_WORKER))
            pair->n_bad_returns++;
        ring_consumer_take(&pair->returns, 1);
    }
    ring_consumer_free(&pair->returns);
}

/* As worker/loop.c: loop_turn(), up to the commit; the number of frames. */
static unsigned pair_work(struct lane_pair *pair)
{
    struct rx_frame frames[LANE_PAIR_MAX_BURST];
    unsigned n;

    stack_set_now(&pair->stack, pair->now_ns);
    staging_refresh(&pair->staging);
    n = pair_take_frames(pair, LANE_URGENT, frames, LANE_PAIR_MAX_BURST);
    n += pair_take_frames(pair, LANE_NORMAL, frames + n, LANE_PAIR_MAX_BURST - n);
    if (n > 0)
        stack_input(&pair->stack, frames, n);
    stack_timers(&pair->stack, pair->now_ns);
    stack_run(&pair->stack);
    return n;
}

void lane_pair_turn_until(struct lane_pair *pair, enum lane_pair_end end)
{
    for (int p = 0; p < N_LANE_PRIORITIES; p++)
        ring_producer_publish(&pair->rx[p]);
    pair_work(pair);
    if (end == LANE_PAIR_UNPUBLISHED)
        stack_commit(&pair->stack);
}

bool lane_pair_worker_turn(struct lane_pair *pair)
{
    unsigned n = pair_work(pair);

    stack_commit(&pair->stack);
    staging_publish(&pair->staging);
    for (int p = 0; p < N_LANE_PRIORITIES; p++)
        ring_consumer_free(&pair->worker_rx[p]);
    rx_frames_publish(&pair->frames);
    return n == LANE_PAIR_MAX_BURST;
}

void lane_pair_turn(struct lane_pair *pair)
{
    bool has_more;

    for (int p = 0; p < N_LANE_PRIORITIES; p++)
        ring_producer_publish(&pair->rx[p]);
    do {
        has_more = lane_pair_worker_turn(pair);
        lane_pair_take_returns(pair);
    } while (has_more);
    for (int p = 0; p < N_LANE_PRIORITIES; p++)
        mpa_assert(ring_producer_refresh(&pair->rx[p]) == RING_OK);
    mpa_assert(!pair->staging.is_faulted && !pair->frames.is_faulted);
}

void lane_pair_advance(struct lane_pair *pair, uint32_t ms)
{
    uint64_t end_ns = pair->now_ns + ms * CLOCK_NS_PER_MS;

    while (pair->now_ns + PAIR_TICK_NS < end_ns) {
        pair->now_ns += PAIR_TICK_NS;
        lane_pair_turn(pair);
    }
    pair->now_ns = end_ns;
    lane_pair_turn(pair);
}

bool lane_pair_take(struct lane_pair *pair, struct lane_pair_packet *packet)
{
    static const enum lane_priority order[N_LANE_PRIORITIES] = {LANE_URGENT, LANE_NORMAL};

    for (int i = 0; i < N_LANE_PRIORITIES; i++) {
        struct ring_consumer *ring = &pair->tx[order[i]];
        const uint8_t *arena = (const uint8_t *)pair->worker_half.base + pair->layout.arena_off[order[i]];

        mpa_assert(ring_consumer_refresh(ring) == RING_OK);
        if (ring_consumer_ready(ring) == 0)
            continue;
        mpa_assert(border_peek_tx(ring, 0, pair->config.arena_bytes, &packet->slot) == BORDER_OK);
        packet->priority = order[i];
        if (packet->slot.kind == LANE_SLOT_FRAME)
            border_copy_arena(packet->bytes, arena, packet->slot.arena_off, packet->slot.len_bytes);
        ring_consumer_take(ring, 1);
        ring_consumer_free(ring);
        return true;
    }
    return false;
}

uint64_t lane_pair_counter(const struct lane_pair *pair, enum worker_counter which)
{
    return atomic_load_explicit(&pair->counters[which], memory_order_relaxed);
}
