/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * farewell.c — how lanes end. A worker that served leaves in two steps. Detached: nothing goes to it or is
 * taken from it any more, its buckets wait. Dead: its unread frames are taken back, its records become an
 * estate, its place is free. Between the two it is killed, for nobody may adopt from records that are still
 * written; death is seen by the pidfd, not guessed.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "frontend/frontend.h"

#define FAREWELL_READY_NS (10 * CLOCK_NS_PER_S)  /* from hello to ready */
#define FAREWELL_DEATH_NS (3 * CLOCK_NS_PER_S)   /* who cannot be killed in so long is given up */
#define FAREWELL_LOOK_NS (200 * CLOCK_NS_PER_MS) /* a longer gap is our own sleep, not the worker's */

static int farewell_wake_epoll(const struct frontend *frontend)
{
    return frontend->stage.is_split ? frontend->stage.epoll_fd : frontend->epoll_fd;
}

static void farewell_unwatch(int epoll_fd, int fd)
{
    if (fd >= 0)
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* Nothing goes to it or comes from it any more. */
static void farewell_detach(struct frontend *frontend, struct lane *lane)
{
    farewell_unwatch(frontend->epoll_fd, lane->attach_socket);
    farewell_unwatch(farewell_wake_epoll(frontend), lane->wake_socket);
    frontend->lane_mask &= ~(1u << lane->slot);
    frontend->draining_mask &= ~(1u << lane->slot);
    frontend->dying_mask |= 1u << lane->slot;
    lane->state = BOARD_LANE_QUARANTINED;
    lane->detached_ns = frontend->now_ns;
    handover_lane_gone(frontend, lane->slot);
    estates_lane_gone(frontend, lane->slot);
    hold_lane_gone(frontend, lane->slot);
    returning_lane_gone(frontend, lane->slot);
}

/* The place is free for another worker. */
static void farewell_empty(struct frontend *frontend, struct lane *lane)
{
    log_info("worker_gone slot=%u pid=%u", lane->slot, lane->pid);
    farewell_unwatch(frontend->epoll_fd, lane->attach_socket);
    farewell_unwatch(frontend->epoll_fd, lane->pidfd);
    frontend->dying_mask &= ~(1u << lane->slot);
    lane_detach(lane, &frontend->pool);
    lane->state = BOARD_LANE_EMPTY;
    lane->pid = 0;
    frontend_report_lane(frontend, lane, 0);
    board_event_add(&frontend->board, frontend->now_ns, BOARD_EVENT_GONE, lane->slot, 0);
}

/* Of a worker that is detached: what it did not read waits, what it committed is adopted. */
static void farewell_bury(struct frontend *frontend, struct lane *lane)
{
    struct border_last_words words;
    uint32_t n_frames;
    struct held_frame accused;

    if (lane->is_unsettled)
        lane->exports_done = returning_exports_done(frontend, lane);
    border_worker_last_words(lane->worker_half.base, &words);
    /* Whoever was just killed accuses nobody. */
    if (words.signal == 0 && !lane->has_stalled)
        words.head_idx = LANE_NO_CHUNK;
    n_frames = hold_unread(frontend, lane, words.head_idx, &accused);
    if (accused.head_idx != LANE_NO_CHUNK)
        suspects_accuse(frontend, lane, &accused);
    estates_add_dead(frontend, lane, n_frames);
    counter_add(frontend->board.nic, NIC_workers_died, 1);
    board_event_add(&frontend->board, frontend->now_ns, BOARD_EVENT_DIED, lane->slot, words.signal);
    farewell_empty(frontend, lane);
}

/* What it has published is sent before others speak for its flows. Its bit goes first: a fault in the last
 * words is no fault any more. */
static void farewell_last_words(struct frontend *frontend, struct lane *lane)
{
    frontend->lane_mask &= ~(1u << lane->slot);
    frontend_transmit_last(frontend, lane);
    stage_take_notes(frontend);
}

static void farewell_died(struct frontend *frontend, struct lane *lane)
{
    switch (lane->state) {
    case BOARD_LANE_EMPTY:
        return;
    case BOARD_LANE_ATTACHING:
        farewell_empty(frontend, lane);
        return;
    case BOARD_LANE_SERVING:
        farewell_last_words(frontend, lane);
        farewell_detach(frontend, lane);
        break;
    case BOARD_LANE_QUARANTINED:
        break;
    }
    farewell_bury(frontend, lane);
    frontend_move(frontend);
}

void broker_process_ended(struct frontend *frontend, struct lane *lane)
{
    /* An event of the slot's last worker, taken in one go with the hello of the next, is not about that one.
     */
    if (lane->state != BOARD_LANE_ATTACHING)
        farewell_died(frontend, lane);
}

bool broker_kill(struct lane *lane)
{
    if (lane->peer_pid == 0) {
        errno = EPERM;
        return false;
    }
    return syscall(SYS_pidfd_send_signal, lane->pidfd, SIGKILL, NULL, 0) == 0;
}

/* The death of one that does not serve yet is waited for too. */
static void farewell_watch(struct frontend *frontend, const struct lane *lane)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 2 * FRONTEND_MAX_LANES + lane->slot};

    if (epoll_ctl(frontend->epoll_fd, EPOLL_CTL_ADD, lane->pidfd, &event) < 0)
        log_debug("watch_failed slot=%u", lane->slot);
}

void broker_hung_up(struct frontend *frontend, struct lane *lane)
{
    /* Who has only just come has nothing, unless it comes back. */
    if (lane->state != BOARD_LANE_SERVING && !lane->has_returned) {
        farewell_died(frontend, lane);
        return;
    }
    if (lane->state == BOARD_LANE_SERVING)
        farewell_last_words(frontend, lane);
    else
        farewell_watch(frontend, lane);
    farewell_detach(frontend, lane);
    /* Most often it is dead already, and its pidfd says so in a moment. What cannot be killed at all is taken
     * for dead, as it was not this worker's pidfd. */
    if (!broker_kill(lane) && errno != EPERM) {
        farewell_bury(frontend, lane);
        frontend_move(frontend);
    }
}

void broker_quarantine(struct frontend *frontend, struct lane *lane, enum lane_counter fault)
{
    if (lane->state != BOARD_LANE_SERVING)
        return;
    stage_lock(frontend);
    lane_count(lane, fault, 1);
    log_error("worker_quarantined slot=%u pid=%u fault=%s", lane->slot, lane->pid,
              lane_counter_texts[fault].name);
    /* Who only stands still has said nothing wrong before. */
    if (fault == LANE_fault_stalled)
        farewell_last_words(frontend, lane);
    farewell_detach(frontend, lane);
    atomic_store_explicit(&lane->board->fault, (uint32_t)fault, memory_order_relaxed);
    board_event_add(&frontend->board, frontend->now_ns, BOARD_EVENT_QUARANTINED, lane->slot, (uint64_t)fault);
    if (!broker_kill(lane))
        log_warn("kill_failed slot=%u pid=%u error=\"%s\"", lane->slot, lane->pid, strerror(errno));
    stage_unlock(frontend);
}

bool broker_is_dying(const struct frontend *frontend)
{
    return frontend->dying_mask != 0;
}

void broker_expire(struct frontend *frontend)
{
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        struct lane *lane = &frontend->lanes[i];
        bool is_late =
            lane->state == BOARD_LANE_ATTACHING && frontend->now_ns >= lane->attached_ns + FAREWELL_READY_NS;
        bool is_undead =
            (frontend->dying_mask >> i & 1) != 0 && frontend->now_ns >= lane->detached_ns + FAREWELL_DEATH_NS;

        if (!is_late && !is_undead)
            continue;
        log_warn("%s slot=%u pid=%u", is_late ? "attach_expired" : "worker_given_up", lane->slot, lane->pid);
        stage_lock(frontend);
        if (is_late)
            broker_hung_up(frontend, lane);
        else
            farewell_died(frontend, lane);
        stage_unlock(frontend);
    }
}

/* True while work waits that the worker does nothing about. */
static bool farewell_stands_still(struct lane *lane)
{
    uint64_t heartbeat = border_worker_gauge(lane->worker_half.base, WORKER_GAUGE_heartbeat_ns);
    uint32_t depth = 0;

    for (unsigned p = 0; p < N_LANE_PRIORITIES; p++) {
        uint32_t head = lane->rx[p].head;

        if (ring_producer_refresh(&lane->rx[p]) != RING_OK || lane->rx[p].head != head)
            return false; /* an index out of range is found by whoever stages next */
        depth += ring_producer_depth(&lane->rx[p]);
    }
    if (depth == 0 || heartbeat != lane->last_heartbeat) {
        lane->last_heartbeat = heartbeat;
        return false;
    }
    return true;
}

/* What an operator has set, or the configuration. */
static uint64_t farewell_patience_ns(const struct frontend *frontend)
{
    uint32_t set_ms = atomic_load_explicit(&frontend->board.heartbeat_ms, memory_order_relaxed);

    return (set_ms != 0 ? set_ms : frontend->config.control.heartbeat_ms) * CLOCK_NS_PER_MS;
}

/* Accounts for the time since the last look. True when its patience is over. */
static bool farewell_has_stalled(struct frontend *frontend, struct lane *lane)
{
    uint64_t gap_ns = frontend->now_ns - lane->seen_ns;

    lane->seen_ns = frontend->now_ns;
    if (!farewell_stands_still(lane)) {
        lane->is_still = false;
        lane->still_ns = 0;
        return false;
    }
    /* Work that was not there at the last look may have come just now. */
    if (lane->is_still)
        lane->still_ns += gap_ns < FAREWELL_LOOK_NS ? gap_ns : FAREWELL_LOOK_NS;
    lane->is_still = true;
    return lane->still_ns >= farewell_patience_ns(frontend);
}

void broker_watch_stalls(struct frontend *frontend)
{
    frontend->has_work_out = false;
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        struct lane *lane = &frontend->lanes[i];

        if (!(frontend->lane_mask >> i & 1))
            continue;
        if (!farewell_has_stalled(frontend, lane)) {
            frontend->has_work_out |= lane->is_still;
            continue;
        }
        board_event_add(&frontend->board, frontend->now_ns, BOARD_EVENT_STALLED, lane->slot, lane->still_ns);
        lane->has_stalled = true;
        broker_quarantine(frontend, lane, LANE_fault_stalled);
    }
}
