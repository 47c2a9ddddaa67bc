/* SPDX-License-Identifier: BSD-3-Clause */
/* lane.c — mapping, checking and reporting one lane. */
#include "frontend/lane.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "shm/frontend_writes.h"
#include "shm/worker_writes.h"

#define LANE_MAX_RETURNS 512u /* taken in one go, so that a worker cannot hold the loop */

void lane_init(struct lane *lane, uint8_t slot, struct board_lane *board)
{
    *lane = (struct lane){.state = BOARD_LANE_EMPTY,
                          .slot = slot,
                          .attach_socket = -1,
                          .wake_socket = -1,
                          .pidfd = -1,
                          .worker_half = {.fd = -1},
                          .records = {.fd = -1},
                          .own_half = {.fd = -1},
                          .board = board};
}

static int lane_map(struct lane *lane, int fds[N_ATTACH_HELLO_FDS])
{
    int failed = segment_attach(&lane->worker_half, fds[ATTACH_FD_WORKER_HALF], SEGMENT_WORKER,
                                SEGMENT_ANY_VERSION, sizeof(struct worker_half));

    fds[ATTACH_FD_WORKER_HALF] = -1;
    if (failed < 0)
        return failed;
    if (!border_worker_shape(lane->worker_half.base, lane->worker_half.size_bytes, &lane->shape))
        return -EINVAL;
    failed = segment_attach(&lane->records, fds[ATTACH_FD_RECORDS], SEGMENT_RECORDS, SEGMENT_ANY_VERSION,
                            sizeof(struct records_segment));
    fds[ATTACH_FD_RECORDS] = -1;
    lane->pidfd = fds[ATTACH_FD_PIDFD];
    fds[ATTACH_FD_PIDFD] = -1;
    return failed;
}

/* True when the word changes. Relaxed: each stands for itself. */
static bool lane_store_word(_Atomic uint32_t *word, uint32_t value)
{
    return atomic_exchange_explicit(word, value, memory_order_relaxed) != value;
}

/* True when the half now says something else. */
static bool lane_store_settings(struct lane *lane)
{
    struct frontend_half *own = lane->own_half.base;
    struct board_lane *board = lane->board;
    bool is_news =
        lane_store_word(&own->log_level, atomic_load_explicit(&board->log_level, memory_order_relaxed));

    is_news |= lane_store_word(&own->orphan_s_plus_1,
                               atomic_load_explicit(&board->orphan_s_plus_1, memory_order_relaxed));
    is_news |= lane_store_word(&own->idle_s_plus_1,
                               atomic_load_explicit(&board->idle_s_plus_1, memory_order_relaxed));
    return is_news;
}

static int lane_new_half(struct lane *lane)
{
    struct segment_spec spec = {
        .name = "mpa-frontend-half", .kind = SEGMENT_FRONTEND, .version = lane->version};
    int failed;

    lane_layout_init(&lane->layout, &lane->shape);
    spec.size_bytes = lane->layout.frontend_bytes;
    failed = segment_new(&lane->own_half, &spec);
    if (failed < 0)
        return failed;
    ((struct frontend_half *)lane->own_half.base)->shape = lane->shape;
    lane_store_settings(lane);
    return segment_seal(&lane->own_half);
}

static void lane_rings(struct lane *lane)
{
    struct frontend_half *own = lane->own_half.base;
    uint8_t *own_base = lane->own_half.base;
    const struct worker_half MPA_PEER *peer = lane->worker_half.base;
    const uint8_t *peer_base = lane->worker_half.base;

    for (int p = 0; p < N_LANE_PRIORITIES; p++) {
        uint32_t n_slots = lane->shape.ring_slots[p];

        ring_producer_init(&lane->rx[p],
                           (struct lane_slot *)(void *)(own_base + lane->layout.rx_slots_off[p]),
                           &own->rx_tail[p], &peer->rx_head[p], n_slots);
        ring_consumer_init(&lane->tx[p],
                           (const struct lane_slot *)(const void *)(peer_base + lane->layout.tx_slots_off[p]),
                           &own->tx_head[p], &peer->tx_tail[p], n_slots);
    }
    ring_consumer_init(&lane->returns,
                       (const struct lane_slot *)(const void *)(peer_base + lane->layout.return_slots_off),
                       &own->return_head, &peer->return_tail, lane->shape.return_slots);
    wake_init(&lane->tx_wake, lane->wake_socket, &own->sleeping, &peer->sleeping);
    lane->rx_wake = lane->tx_wake;
}

int lane_attach(struct lane *lane, const struct attach_hello *hello, int fds[N_ATTACH_HELLO_FDS])
{
    int failed = lane_map(lane, fds);

    lane->version = lane_version_choose(hello->version_min, hello->version_max);
    for (int i = 0; i < N_ATTACH_HELLO_FDS; i++)
        fd_close(&fds[i]);
    if (failed == 0)
        failed = lane_new_half(lane);
    if (failed < 0)
        return failed;
    lane->pid = hello->pid;
    lane->attached_ns = clock_now_ns();
    lane->state = BOARD_LANE_ATTACHING;
    return 0;
}

/* Our end of the wake socket is there only now: the worker gets the other with the welcome. */
void lane_start(struct lane *lane, int wake_socket)
{
    lane->wake_socket = wake_socket;
    lane_rings(lane);
}

static void lane_carry_counters(struct lane *lane)
{
    if (lane->worker_half.base == NULL)
        return;
    for (int i = 0; i < N_WORKER_COUNTERS; i++)
        lane->worker_base[i] += border_worker_counter(lane->worker_half.base, (enum worker_counter)i);
}

void lane_detach(struct lane *lane, struct frame_pool *pool)
{
    lane_carry_counters(lane);
    lane_count_rx(lane);
    frame_pool_reclaim(pool, lane->slot);
    segment_fini(&lane->worker_half);
    segment_fini(&lane->records);
    segment_fini(&lane->own_half);
    fd_close(&lane->attach_socket);
    fd_close(&lane->wake_socket);
    fd_close(&lane->pidfd);
    lane->deficit_bytes = 0;
    lane->was_congested = lane->has_news = false;
    lane->has_returned = lane->is_unsettled = lane->has_stalled = false;
    lane->peer_pid = 0;
    atomic_store_explicit(&lane->board->peer_pid, 0, memory_order_relaxed);
    lane->exports_done = lane->release_number = lane->still_ns = 0;
    lane->is_still = false;
}

void lane_publish(struct lane *lane)
{
    lane->has_news = false;
    lane_count_rx(lane);
    ring_producer_publish(&lane->rx[LANE_URGENT]);
    ring_producer_publish(&lane->rx[LANE_NORMAL]);
    if (wake_peer(&lane->rx_wake))
        lane_count(lane, LANE_rx_wakes, 1);
}

bool lane_take_returns(struct lane *lane, struct frame_pool *pool, enum lane_counter *fault)
{
    struct ring_consumer *ring = &lane->returns;
    struct border_return chunk;
    uint32_t n;

    if (ring_consumer_refresh(ring) != RING_OK) {
        *fault = LANE_fault_index;
        return false;
    }
    n = ring_consumer_ready(ring);
    if (n > LANE_MAX_RETURNS)
        n = LANE_MAX_RETURNS;
    for (uint32_t i = 0; i < n; i++) {
        if (border_peek_return(ring, i, pool->n_head, &chunk) != BORDER_OK ||
            !frame_pool_return(pool, chunk.head_idx, chunk.generation, lane->slot)) {
            *fault = LANE_fault_return;
            return false;
        }
    }
    ring_consumer_take(ring, n);
    ring_consumer_free(ring);
    return true;
}

/* A worker that falls asleep just now sees it at its next tick. */
void lane_tell_settings(struct lane *lane)
{
    if (lane_store_settings(lane) && wake_peer(&lane->rx_wake))
        lane_count(lane, LANE_rx_wakes, 1);
}

static void lane_set_gauge(struct lane *lane, enum lane_gauge gauge, uint64_t value)
{
    atomic_store_explicit(&lane->board->gauges[gauge], value, memory_order_relaxed);
}

static void lane_report_worker(struct lane *lane)
{
    static const struct {
        enum lane_gauge lane;
        enum worker_gauge worker;
    } same[] = {
        {GAUGE_connections, WORKER_GAUGE_connections},
        {GAUGE_time_wait, WORKER_GAUGE_time_wait},
        {GAUGE_fifo_memory_used_bytes, WORKER_GAUGE_fifo_memory_used_bytes},
        {GAUGE_stack_memory_used_bytes, WORKER_GAUGE_stack_memory_used_bytes},
        {GAUGE_busy_permille, WORKER_GAUGE_busy_permille},
        {GAUGE_tx_is_congested, WORKER_GAUGE_tx_is_congested},
        {GAUGE_heartbeat_ns, WORKER_GAUGE_heartbeat_ns},
    };
    bool is_mapped = lane->worker_half.base != NULL;

    for (unsigned i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        lane_set_gauge(lane, same[i].lane,
                       is_mapped ? border_worker_gauge(lane->worker_half.base, same[i].worker) : 0);
    for (int i = 0; i < N_WORKER_COUNTERS; i++) {
        uint64_t own = is_mapped ? border_worker_counter(lane->worker_half.base, (enum worker_counter)i) : 0;

        atomic_store_explicit(&lane->board->worker_counters[i], lane->worker_base[i] + own,
                              memory_order_relaxed);
    }
}

/* Empty lanes have no depth; those that are empty of slots do. */
static void lane_report_depths(struct lane *lane)
{
    struct histogram *histograms = lane->board->histograms;

    if (lane->state != BOARD_LANE_SERVING)
        return;
    histogram_add(&histograms[HISTOGRAM_rx_ring_depth_slots],
                  &lane_histogram_forms[HISTOGRAM_rx_ring_depth_slots],
                  ring_producer_depth(&lane->rx[LANE_NORMAL]));
    histogram_add(&histograms[HISTOGRAM_tx_ring_depth_slots],
                  &lane_histogram_forms[HISTOGRAM_tx_ring_depth_slots],
                  ring_consumer_ready(&lane->tx[LANE_NORMAL]));
}

void lane_report(struct lane *lane, const struct frame_pool *pool, uint32_t n_buckets)
{
    lane_set_gauge(lane, GAUGE_pid, lane->pid);
    lane_set_gauge(lane, GAUGE_uid, lane->uid);
    lane_set_gauge(lane, GAUGE_attached_ns, lane->attached_ns);
    lane_set_gauge(lane, GAUGE_lane_version, lane->version);
    lane_set_gauge(lane, GAUGE_buckets, n_buckets);
    lane_set_gauge(lane, GAUGE_chunks_held, pool->n_held[lane->slot]);
    lane_set_gauge(lane, GAUGE_rx_depth_slots, ring_producer_depth(&lane->rx[LANE_NORMAL]));
    lane_set_gauge(lane, GAUGE_rx_urgent_depth_slots, ring_producer_depth(&lane->rx[LANE_URGENT]));
    lane_set_gauge(lane, GAUGE_tx_depth_slots, ring_consumer_ready(&lane->tx[LANE_NORMAL]));
    lane_set_gauge(lane, GAUGE_tx_urgent_depth_slots, ring_consumer_ready(&lane->tx[LANE_URGENT]));
    lane_set_gauge(lane, GAUGE_rx_ring_slots, lane->shape.ring_slots[LANE_NORMAL]);
    lane_set_gauge(lane, GAUGE_rx_is_congested, lane->rx[LANE_NORMAL].is_congested);
    lane_report_worker(lane);
    lane_report_depths(lane);
    atomic_store_explicit(&lane->board->state, lane->state, memory_order_release);
}
