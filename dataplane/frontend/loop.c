/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop.c — the data loop: burst in, burst out, spin a bounded time, sleep. Interrupts (epoll) are asked for
 * only when there was nothing to do; while there is work, it polls.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/leave.h"
#include "base/log.h"
#include "frontend/frontend.h"
#include "frontend/lane_order.h"

#define LOOP_HOUSE_NS (100 * CLOCK_NS_PER_MS)
#define LOOP_MAX_SLEEP_MS 100
#define LOOP_MAX_EVENTS 16
#define LOOP_CLOSE_MS 2000u /* for closing everything at the end; the supervisor kills after 3 s */
#define LOOP_SWEEP_PINS 256u
#define LOOP_POLL_TURNS 64u /* a loop that never sleeps looks at its descriptors once in so many turns */

/* epoll tags besides those of broker.c (frontend.h). */
enum loop_tag {
    LOOP_TAG_NIC = 1000,
    LOOP_TAG_LISTEN,
    LOOP_TAG_SIGNAL,
    LOOP_TAG_COMMAND,
};

static int loop_watch(struct frontend *frontend, int fd, enum loop_tag tag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)tag};

    if (fd < 0)
        return 0;
    return epoll_ctl(frontend->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static bool loop_returns(struct frontend *frontend)
{
    bool did_work = false;

    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        struct lane *lane = &frontend->lanes[i];
        uint32_t n_held = frontend->pool.n_held[i];
        enum lane_counter fault;

        if (!(frontend->lane_mask >> i & 1))
            continue;
        if (!lane_take_returns(lane, &frontend->pool, &fault))
            broker_quarantine(frontend, lane, fault);
        did_work |= frontend->pool.n_held[i] != n_held;
    }
    return did_work;
}

void frontend_report_lane(struct frontend *frontend, struct lane *lane, uint32_t n_buckets)
{
    atomic_store_explicit(&lane->board->gauges[GAUGE_is_draining], frontend->draining_mask >> lane->slot & 1,
                          memory_order_relaxed);
    lane_report(lane, &frontend->pool, n_buckets);
}

static void loop_congestion(struct frontend *frontend, struct lane *lane)
{
    bool is_congested = lane->rx[LANE_NORMAL].is_congested;

    if (is_congested == lane->was_congested)
        return;
    lane->was_congested = is_congested;
    if (is_congested)
        lane_count(lane, LANE_rx_congested, 1);
    board_event_add(&frontend->board, frontend->now_ns, BOARD_EVENT_CONGESTED, lane->slot, is_congested);
}

static void loop_report(struct frontend *frontend)
{
    uint32_t n_buckets[BUCKET_NO_WORKER + 1] = {0};

    for (uint32_t i = 0; i < frontend->buckets.n_buckets; i++)
        n_buckets[frontend->buckets.worker[i]]++;
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        frontend_report_lane(frontend, &frontend->lanes[i], n_buckets[i]);
        loop_congestion(frontend, &frontend->lanes[i]);
        if ((frontend->lane_mask >> i & 1) != 0)
            lane_tell_settings(&frontend->lanes[i]);
    }
    atomic_store_explicit(&frontend->board.pool_free_chunks, frontend->pool.n_free_head,
                          memory_order_relaxed);
    atomic_store_explicit(&frontend->board.pool_chunks, frontend->pool.n_head, memory_order_relaxed);
    atomic_store_explicit(&frontend->board.pool_free_large, frontend->pool.n_free_large,
                          memory_order_relaxed);
    atomic_store_explicit(&frontend->board.pool_large, frontend->pool.n_large, memory_order_relaxed);
    atomic_store_explicit(&frontend->board.loop_heartbeat_ns, frontend->now_ns, memory_order_relaxed);
}

/* The service manager hears that this very loop turns, and what `systemctl status` shows. */
static void loop_notify(struct frontend *frontend)
{
    char status[64];

    notify_alive(&frontend->notify, frontend->now_ns);
    if (frontend->told_mask == frontend->lane_mask)
        return;
    frontend->told_mask = frontend->lane_mask;
    snprintf(status, sizeof(status), "STATUS=%d workers serve", __builtin_popcount(frontend->lane_mask));
    notify_tell(&frontend->notify, status);
}

/* Everything that is due now and then rather than with each frame. */
static void loop_house(struct frontend *frontend)
{
    bool is_host_due = frontend->now_ns >= frontend->next_host_ns;

    if (is_host_due || frontend->park.n_used > 0) {
        stage_lock(frontend);
        if (is_host_due)
            frontend->next_host_ns =
                frontend->now_ns + host_tick(frontend->host, frontend->now_ns) * CLOCK_NS_PER_MS;
        frontend_transmit_parked(frontend);
        stage_unlock(frontend);
    }
    if (frontend->now_ns >= frontend->next_watch_ns) {
        frontend->next_watch_ns = frontend->now_ns + FRONTEND_WATCH_MS * CLOCK_NS_PER_MS;
        broker_watch_stalls(frontend);
    }
    if (frontend->now_ns < frontend->next_house_ns)
        return;
    stage_take_faults(frontend);
    shed_update(frontend);
    broker_expire(frontend);
    frontend->next_house_ns = frontend->now_ns + LOOP_HOUSE_NS;
    pin_table_sweep(&frontend->pins, frontend->now_ns, LOOP_SWEEP_PINS);
    loop_report(frontend);
    loop_notify(frontend);
}

/* The control thread wants to look at the records of those that serve. */
static void loop_records(struct frontend *frontend)
{
    int fds[FRONTEND_MAX_LANES];

    if (!board_records_wanted(&frontend->board))
        return;
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++)
        fds[i] = (frontend->lane_mask >> i & 1) != 0
                     ? fcntl(frontend->lanes[i].records.fd, F_DUPFD_CLOEXEC, 0)
                     : -1;
    board_records_give(&frontend->board, fds);
}

static void loop_command(struct frontend *frontend)
{
    uint64_t n;

    if (read(frontend->board.command_fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
        log_warn("command_fd_failed error=\"%s\"", strerror(errno));
    loop_records(frontend);
    switch (board_command_peek(&frontend->board)) {
    case BOARD_COMMAND_NONE:
        return;
    case BOARD_COMMAND_STOP:
        frontend->is_stopping = true;
        break;
    case BOARD_COMMAND_CAPTURE_START:
        capture_start(frontend);
        break;
    case BOARD_COMMAND_CAPTURE_STOP:
        capture_stop(frontend);
        break;
    }
    board_command_done(&frontend->board);
}

static void loop_signal(struct frontend *frontend)
{
    struct signalfd_siginfo info;

    if (read(frontend->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        log_info("stopping signal=%u", info.ssi_signo);
        frontend->is_stopping = true;
    }
}

static void loop_event(struct frontend *frontend, uint64_t tag, uint32_t *woken_lanes)
{
    switch (tag) {
    case LOOP_TAG_NIC:
        return;
    case LOOP_TAG_LISTEN:
        broker_accept(frontend);
        return;
    case LOOP_TAG_SIGNAL:
        loop_signal(frontend);
        return;
    case LOOP_TAG_COMMAND:
        loop_command(frontend);
        return;
    default:
        break;
    }
    if (tag >= FRONTEND_TAG_GREETING)
        broker_greeting_event(frontend, (unsigned)(tag - FRONTEND_TAG_GREETING));
    else if (tag / FRONTEND_MAX_LANES == 1)
        *woken_lanes |= 1u << tag % FRONTEND_MAX_LANES;
    else if (tag / FRONTEND_MAX_LANES == 2)
        broker_process_ended(frontend, &frontend->lanes[tag % FRONTEND_MAX_LANES]);
    else
        broker_lane_event(frontend, &frontend->lanes[tag % FRONTEND_MAX_LANES]);
}

/* Waits at most `wait_ms` for any descriptor; returns the lanes whose worker woke us. */
static uint32_t loop_poll(struct frontend *frontend, int wait_ms)
{
    struct epoll_event events[LOOP_MAX_EVENTS];
    uint32_t woken_lanes = 0;
    int n = epoll_wait(frontend->epoll_fd, events, LOOP_MAX_EVENTS, wait_ms);

    frontend->now_ns = clock_now_ns();
    for (int i = 0; i < n; i++) {
        stage_lock(frontend);
        loop_event(frontend, events[i].data.u64, &woken_lanes);
        stage_unlock(frontend);
    }
    return woken_lanes;
}

static int loop_sleep_ms(const struct frontend *frontend)
{
    uint64_t wait_ns =
        frontend->next_host_ns > frontend->now_ns ? frontend->next_host_ns - frontend->now_ns : 0;
    uint64_t wait_ms = wait_ns / CLOCK_NS_PER_MS + 1;
    uint64_t most_ms = frontend->has_work_out ? FRONTEND_WATCH_MS : LOOP_MAX_SLEEP_MS;

    if (frontend->is_nic_busy || frontend->park.n_used > 0 || frontend->nic.fd < 0)
        return 1;
    return (int)(wait_ms > most_ms ? most_ms : wait_ms);
}

static uint32_t loop_wait(struct frontend *frontend)
{
    return loop_poll(frontend, loop_sleep_ms(frontend));
}

/* With a transmit thread this one has only the NIC to wait for. */
static void loop_sleep(struct frontend *frontend)
{
    if (frontend->stage.is_split)
        loop_wait(frontend);
    else
        stage_sleep(frontend, loop_wait);
}

/* Those whose exports are another's for good are told so when their ring has room. */
static void loop_release(struct frontend *frontend)
{
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        struct lane *lane = &frontend->lanes[i];

        if ((frontend->lane_mask >> i & 1) != 0 && lane->release_number != 0 &&
            lane_order_release(lane, lane->release_number) == LANE_ORDER_SENT)
            lane->release_number = 0;
    }
}

/* Hand-overs, adoption and orders: each goes on as far as it can without waiting. */
void frontend_move(struct frontend *frontend)
{
    stage_take_notes(frontend);
    returning_advance(frontend);
    handover_advance(frontend);
    estates_advance(frontend);
    orders_advance(frontend);
    loop_release(frontend);
}

static bool loop_turn(struct frontend *frontend)
{
    bool did_work = frontend_receive(frontend);

    if (!frontend->stage.is_split)
        did_work |= frontend_transmit(frontend);
    did_work |= loop_returns(frontend);
    frontend_move(frontend);
    loop_house(frontend);
    return did_work;
}

static int loop_init(struct frontend *frontend)
{
    int failed = loop_watch(frontend, frontend->nic.fd, LOOP_TAG_NIC);

    if (failed == 0)
        failed = loop_watch(frontend, frontend->listen_socket, LOOP_TAG_LISTEN);
    if (failed == 0)
        failed = loop_watch(frontend, frontend->signal_fd, LOOP_TAG_SIGNAL);
    if (failed == 0)
        failed = loop_watch(frontend, frontend->board.command_fd, LOOP_TAG_COMMAND);
    return failed;
}

int frontend_run(struct frontend *frontend)
{
    uint64_t spin_ns = frontend->config.frontend.spin_us * CLOCK_NS_PER_US;
    uint64_t idle_since_ns = clock_now_ns(), n_turns = 0;
    int failed = loop_init(frontend);

    if (failed < 0) {
        log_error("epoll_failed error=\"%s\"", strerror(-failed));
        return 1;
    }
    frontend->now_ns = idle_since_ns;
    if (stage_start(frontend) < 0)
        return 1;
    notify_tell(&frontend->notify, "READY=1\nSTATUS=No worker serves yet");
    while (!frontend->is_stopping) {
        uint64_t begun_ns = frontend->now_ns;
        bool did_work = loop_turn(frontend);

        frontend->now_ns = clock_now_ns();
        atomic_store_explicit(&frontend->board.loop_turns, ++n_turns, memory_order_relaxed);
        if (did_work) {
            board_histogram_add(&frontend->board, HISTOGRAM_frontend_loop_ns, frontend->now_ns - begun_ns);
            idle_since_ns = frontend->now_ns;
            if (n_turns % LOOP_POLL_TURNS == 0)
                loop_poll(frontend, 0);
        } else if (frontend->now_ns - idle_since_ns < spin_ns) {
            sched_yield(); /* spinning, but never in the way of whoever has work for this core */
            frontend->now_ns = clock_now_ns();
        } else {
            loop_sleep(frontend);
            idle_since_ns = clock_now_ns();
            frontend->now_ns = idle_since_ns;
        }
    }
    notify_tell(&frontend->notify, "STOPPING=1");
    stage_stop(frontend);
    leave_file(frontend->config.control.runtime_dir, "frontend.ipc");
    leave_file(frontend->config.control.runtime_dir, "frontend-events.ipc");
    leave_file(frontend->config.control.runtime_dir, "attach.sock");
    leave_within(LOOP_CLOSE_MS, frontend->exit_code);
    return frontend->exit_code;
}
