/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop.c — the worker's loop. One turn: take a burst, let lwIP and the consumers run, output only staged;
 * then in this order: commit, publish tx, free rx, publish returns. A worker that dies before the publish
 * has, for the world, not run that turn. Without a frontend only the timers run (return.c).
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault_point.h"
#include "base/fd.h"
#include "base/log.h"
#include "shm/worker_writes.h"
#include "worker/stack/pool.h"
#include "worker/worker.h"

#define LOOP_GAUGES_NS (100 * CLOCK_NS_PER_MS)
/* A turn ends after so many bytes: with super-frames a full burst would be megabytes, and the peer would wait
 * for its ACK, and the frontend for its chunks, until all of them are copied. Measured: +30 % throughput. */
#define LOOP_TURN_BYTES (256u << 10)

static counter *loop_counters(struct worker *worker)
{
    return ((struct worker_half *)worker->half.base)->counters;
}

static void loop_set_gauge(struct worker *worker, enum worker_gauge gauge, uint64_t value)
{
    struct worker_half *half = worker->half.base;

    atomic_store_explicit(&half->gauges[gauge], value, memory_order_relaxed);
}

/* The frontend broke the lane, or is gone. The turn goes on as it is; between turns all of it is let go. */
static void loop_lane_lost(struct worker *worker, const char *why)
{
    if (worker->lost_why == NULL)
        worker->lost_why = why;
}

/* A slot that is not a frame. */
static void loop_control_slot(struct worker *worker, const struct border_rx *slot,
                              enum lane_priority priority)
{
    if (slot->kind == LANE_SLOT_ADDRESSES)
        worker_take_addresses(worker);
    else
        orders_slot(worker, slot, priority);
}

/* Takes up to `room` frames of one ring. Control slots are carried out in their place: a frame after one is
 * left for the next turn. */
static unsigned loop_take(struct worker *worker, enum lane_priority priority, struct rx_frame *frames,
                          unsigned room)
{
    struct ring_consumer *ring = &worker->rx[priority];
    uint32_t bytes = 0;
    unsigned n = 0;

    if (ring_consumer_refresh(ring) != RING_OK) {
        loop_lane_lost(worker, "rx_index");
        return 0;
    }
    while (n < room && bytes < LOOP_TURN_BYTES && ring_consumer_ready(ring) > 0) {
        struct rx_frame *frame = &frames[n];

        if (border_peek_rx(ring, 0, worker->frames.pool, &frame->slot) != BORDER_OK) {
            loop_lane_lost(worker, "rx_slot");
            return n;
        }
        if (frame->slot.kind != LANE_SLOT_FRAME && frame->slot.kind != LANE_SLOT_ICMP_ERROR) {
            if (n > 0)
                break;
            loop_control_slot(worker, &frame->slot, priority);
            ring_consumer_take(ring, 1);
            continue;
        }
        ring_consumer_take(ring, 1);
        bytes += frame->slot.len_bytes;
        if (rx_frame_open(&worker->frames, frame)) {
            n++;
        } else {
            rx_frame_drop(&worker->frames, frame);
            counter_add(loop_counters(worker), WORKER_rx_drop_slot, 1);
        }
    }
    return n;
}

/* Output, or an answer to the frontend, that found no room. */
static bool loop_waits_for_room(const struct worker *worker)
{
    return stack_has_work(&worker->stack) || orders_have_answers(&worker->orders);
}

/* Commit, then publish; the order is the promise. */
static void loop_publish(struct worker *worker)
{
    bool did_publish;

    stack_commit(&worker->stack);
    fault_point(FAULT_commit_done);
    /* Before the publish: whoever frees tx slots after it must find us waiting (transmit_free). */
    loop_set_gauge(worker, WORKER_GAUGE_tx_is_congested, loop_waits_for_room(worker));
    did_publish = staging_publish(&worker->staging);
    fault_point(FAULT_publish_tx);
    for (int p = 0; p < N_LANE_PRIORITIES; p++)
        ring_consumer_free(&worker->rx[p]);
    fault_point(FAULT_publish_rx);
    did_publish |= rx_frames_publish(&worker->frames);
    if (did_publish && wake_peer(&worker->wake))
        counter_add(loop_counters(worker), WORKER_wakes_sent, 1);
    if (worker->staging.is_faulted || worker->frames.is_faulted)
        loop_lane_lost(worker, "frontend_index");
}

/* Tells when output has waited for the frontend longer than the configuration allows. */
static void loop_congestion(struct worker *worker, uint64_t now_ns)
{
    uint64_t wait_ns = worker->config.worker.tx_wait_ms * CLOCK_NS_PER_MS;
    bool was_congested = worker->was_congested;
    uint64_t n_held;

    worker->was_congested = loop_waits_for_room(worker) && staging_is_congested(&worker->staging);
    if (!worker->was_congested || !was_congested) {
        worker->congested_since_ns = now_ns;
        return;
    }
    if (wait_ns == 0 || now_ns - worker->congested_since_ns < wait_ns)
        return;
    worker->congested_since_ns = now_ns;
    counter_add(loop_counters(worker), WORKER_tx_stalled, 1);
    if (log_gate_open(&worker->stall_gate, now_ns, &n_held))
        log_warn("tx_stalled wait_ms=%u held=%llu", worker->config.worker.tx_wait_ms,
                 (unsigned long long)n_held);
}

bool worker_turn(struct worker *worker, uint64_t now_ns, uint64_t *next_ns)
{
    struct rx_frame frames[WORKER_MAX_BURST];
    unsigned burst = worker->config.worker.burst_frames;
    unsigned n_urgent, n;

    stack_set_now(&worker->stack, now_ns);
    staging_refresh(&worker->staging);
    n_urgent = loop_take(worker, LANE_URGENT, frames, burst);
    n = n_urgent;
    if (n < burst)
        n += loop_take(worker, LANE_NORMAL, frames + n, burst - n);
    if (n > 0)
        stack_input(&worker->stack, frames, n);
    *next_ns = stack_timers(&worker->stack, now_ns);
    stack_run(&worker->stack);
    orders_finish_turn(worker);
    loop_congestion(worker, now_ns);
    loop_publish(worker);
    return n > 0;
}

/* Output waited for room in the tx ring, and there is room by now. */
static bool loop_has_room(struct worker *worker)
{
    if (!worker->was_congested)
        return false;
    staging_refresh(&worker->staging);
    return !staging_is_congested(&worker->staging);
}

static bool loop_has_input(struct worker *worker)
{
    for (int p = 0; p < N_LANE_PRIORITIES; p++) {
        if (ring_consumer_refresh(&worker->rx[p]) != RING_OK)
            return true; /* the next turn reports it */
        if (ring_consumer_ready(&worker->rx[p]) > 0)
            return true;
    }
    return loop_has_room(worker);
}

static void loop_take_signal(struct worker *worker)
{
    struct signalfd_siginfo info;

    if (read(worker->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        log_info("stopping signal=%u", info.ssi_signo);
        worker->is_stopping = true;
    }
}

/* Looks at the descriptors, waiting at most `wait_ns`. True if the frontend woke us. */
static bool loop_poll(struct worker *worker, uint64_t wait_ns)
{
    struct pollfd fds[3] = {{.fd = worker->wake_socket, .events = POLLIN},
                            {.fd = worker->attach_socket, .events = POLLIN},
                            {.fd = worker->signal_fd, .events = POLLIN}};
    struct timespec timeout = {(time_t)(wait_ns / CLOCK_NS_PER_S), (long)(wait_ns % CLOCK_NS_PER_S)};

    if (ppoll(fds, 3, &timeout, NULL) <= 0)
        return false;
    if (fds[1].revents != 0 && worker->link == WORKER_ATTACHED && !orders_receive(worker))
        loop_lane_lost(worker, "frontend_gone");
    if (fds[2].revents != 0)
        loop_take_signal(worker);
    return (fds[0].revents & POLLIN) != 0;
}

/* Blocks until the frontend wakes us, a timer is due, or somebody wants us to stop. */
static void loop_sleep(struct worker *worker, uint64_t wait_ns)
{
    bool has_signal = false;

    wake_announce(&worker->wake);
    if (!loop_has_input(worker)) {
        counter_add(loop_counters(worker), WORKER_sleeps, 1);
        has_signal = loop_poll(worker, wait_ns);
    }
    wake_cancel(&worker->wake, has_signal);
    if (has_signal)
        worker_take_settings(worker);
}

/* The configured limit, or the frontend's while it is shorter. A frontend that is gone says nothing. */
static void loop_idle_limit(struct worker *worker)
{
    const struct host_segment *host = worker->host.base;
    uint32_t limit_s = worker->config.worker.idle_s;
    uint32_t short_s = 0;

    if (worker->link == WORKER_ATTACHED)
        short_s = atomic_load_explicit(&host->short_idle_s, memory_order_relaxed);
    if (short_s != 0 && (limit_s == 0 || short_s < limit_s))
        limit_s = short_s;
    stack_set_idle_limit(&worker->stack, limit_s);
}

static void loop_gauges(struct worker *worker, uint64_t now_ns)
{
    uint64_t window_ns = now_ns - worker->busy_since_ns;

    if (now_ns < worker->next_gauges_ns)
        return;
    worker->next_gauges_ns = now_ns + LOOP_GAUGES_NS;
    loop_poll(worker, 0); /* a loop that never sleeps still hears a signal */
    loop_idle_limit(worker);
    worker_take_settings(worker);
    loop_set_gauge(worker, WORKER_GAUGE_connections, worker->stack.n_connections - worker->stack.n_time_wait);
    loop_set_gauge(worker, WORKER_GAUGE_time_wait, worker->stack.n_time_wait);
    loop_set_gauge(worker, WORKER_GAUGE_fifo_memory_used_bytes, fifo_memory_used_bytes(&worker->fifo_memory));
    loop_set_gauge(worker, WORKER_GAUGE_stack_memory_used_bytes, pool_used_bytes());
    if (window_ns >= CLOCK_NS_PER_S) {
        loop_set_gauge(worker, WORKER_GAUGE_busy_permille, worker->busy_ns * 1000 / window_ns);
        worker->busy_since_ns = now_ns;
        worker->busy_ns = 0;
    }
}

/* One turn without a frontend: timers go on, and a step is made towards the next one. */
static void loop_orphan_turn(struct worker *worker, uint64_t now_ns)
{
    uint64_t next_ns, end_ns;

    stack_set_now(&worker->stack, now_ns);
    next_ns = stack_timers(&worker->stack, now_ns);
    stack_run(&worker->stack);
    stack_commit(&worker->stack);
    worker_return_step(worker, now_ns);
    loop_idle_limit(worker);
    end_ns = clock_now_ns();
    loop_set_gauge(worker, WORKER_GAUGE_heartbeat_ns, end_ns);
    notify_alive(&worker->notify, end_ns);
    /* A tick is never far, and there is one for each try. */
    if (worker->link != WORKER_ATTACHED && !worker->is_stopping)
        loop_poll(worker, next_ns > end_ns ? next_ns - end_ns : 0);
}

/* One turn with a frontend, and the wait behind it. Returns the time. */
static uint64_t loop_attached(struct worker *worker, uint64_t now_ns, uint64_t *idle_since_ns)
{
    uint64_t spin_ns = worker->config.worker.spin_us * CLOCK_NS_PER_US;
    uint64_t next_ns = 0;
    bool did_work = worker_turn(worker, now_ns, &next_ns);
    uint64_t end_ns = clock_now_ns();

    loop_set_gauge(worker, WORKER_GAUGE_heartbeat_ns, end_ns);
    notify_alive(&worker->notify, end_ns);
    loop_gauges(worker, end_ns);
    if (did_work) {
        counter_add_turn(loop_counters(worker), end_ns - now_ns);
        worker->busy_ns += end_ns - now_ns;
        *idle_since_ns = end_ns;
        return end_ns;
    }
    if (end_ns - *idle_since_ns < spin_ns) {
        sched_yield(); /* spinning, but never in the way of whoever has work for this core */
        return clock_now_ns();
    }
    loop_sleep(worker, next_ns > end_ns ? next_ns - end_ns : 0);
    *idle_since_ns = clock_now_ns();
    return *idle_since_ns;
}

int worker_run(struct worker *worker)
{
    uint64_t now_ns = clock_now_ns();
    uint64_t idle_since_ns = now_ns;

    worker->busy_since_ns = now_ns;
    while (!worker->is_stopping) {
        if (worker->lost_why != NULL) {
            worker_orphan(worker, now_ns);
        } else if (worker->link == WORKER_ATTACHED) {
            now_ns = loop_attached(worker, now_ns, &idle_since_ns);
        } else {
            loop_orphan_turn(worker, now_ns);
            now_ns = clock_now_ns();
        }
    }
    notify_tell(&worker->notify, "STOPPING=1");
    return worker->exit_code;
}
