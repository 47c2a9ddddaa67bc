/* SPDX-License-Identifier: BSD-3-Clause */
/* stage.c — the transmit thread, its lock and its sleep. */
#include <errno.h>
#include <string.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "frontend/frontend.h"

#define STAGE_MAX_EVENTS 16
#define STAGE_SLEEP_MS 100
#define STAGE_STOP_TAG UINT64_MAX

void stage_lock(struct frontend *frontend)
{
    if (frontend->stage.is_split)
        pthread_mutex_lock(&frontend->stage.lock);
}

void stage_unlock(struct frontend *frontend)
{
    if (frontend->stage.is_split)
        pthread_mutex_unlock(&frontend->stage.lock);
}

void stage_fault(struct frontend *frontend, struct lane *lane, enum lane_counter fault)
{
    atomic_store_explicit(&lane->tx_fault, 1 + (uint32_t)fault, memory_order_relaxed);
    if (!frontend->stage.is_split)
        stage_take_faults(frontend);
}

void stage_take_faults(struct frontend *frontend)
{
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        struct lane *lane = &frontend->lanes[i];
        uint32_t fault = atomic_load_explicit(&lane->tx_fault, memory_order_relaxed);

        if (fault != 0 && (frontend->lane_mask >> i & 1))
            broker_quarantine(frontend, lane, (enum lane_counter)(fault - 1));
    }
}

bool stage_note_add(struct frontend *frontend, const struct stage_note *note)
{
    struct stage *stage = &frontend->stage;
    uint32_t written = atomic_load_explicit(&stage->notes_written, memory_order_relaxed);

    if (written - atomic_load_explicit(&stage->notes_read, memory_order_acquire) == STAGE_N_NOTES)
        return false;
    stage->notes[written % STAGE_N_NOTES] = *note;
    atomic_store_explicit(&stage->notes_written, written + 1, memory_order_release);
    return true;
}

/* Only the worker that a pin names has a say about it. */
static void stage_take_pin(struct frontend *frontend, const struct stage_note *note)
{
    uint32_t hash = flow_key_hash(&note->key, &frontend->seed);

    if (pin_table_find(&frontend->pins, hash, &note->key) != note->worker)
        return;
    if (note->kind == LANE_SLOT_OPENED)
        pin_table_confirm(&frontend->pins, hash, &note->key);
    else
        pin_table_remove(&frontend->pins, hash, &note->key);
}

void stage_take_notes(struct frontend *frontend)
{
    struct stage *stage = &frontend->stage;
    uint32_t written = atomic_load_explicit(&stage->notes_written, memory_order_acquire);
    uint32_t next = atomic_load_explicit(&stage->notes_read, memory_order_relaxed);

    for (; next != written; next++) {
        const struct stage_note *note = &stage->notes[next % STAGE_N_NOTES];

        if (note->kind == LANE_SLOT_FENCE) {
            handover_fenced(frontend, note->worker, note->priority, note->number);
        } else if (note->kind == LANE_SLOT_ADOPTED) {
            handover_adopted(frontend, note->worker, note->number, note->n_flows);
            estates_adopted(frontend, note->worker, note->number, note->n_flows);
        } else {
            stage_take_pin(frontend, note);
        }
    }
    atomic_store_explicit(&stage->notes_read, next, memory_order_release);
}

static bool stage_has_input(struct frontend *frontend)
{
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        struct lane *lane = &frontend->lanes[i];

        if (!stage_serves(frontend, lane))
            continue;
        for (int p = 0; p < N_LANE_PRIORITIES; p++) {
            if (ring_consumer_refresh(&lane->tx[p]) != RING_OK || ring_consumer_ready(&lane->tx[p]) > 0)
                return true; /* a fault is dealt with by the next round */
        }
    }
    return false;
}

void stage_sleep(struct frontend *frontend, uint32_t (*wait)(struct frontend *frontend))
{
    uint32_t lanes, woken = 0;
    bool has_input;

    stage_lock(frontend);
    lanes = frontend->lane_mask;
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        if (lanes >> i & 1)
            wake_announce(&frontend->lanes[i].tx_wake);
    }
    has_input = stage_has_input(frontend);
    stage_unlock(frontend);
    if (!has_input)
        woken = wait(frontend);
    stage_lock(frontend);
    /* A lane that went meanwhile has no wake object any more; one that came has announced nothing. */
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        if (((lanes & frontend->lane_mask) >> i & 1) && (frontend->lanes[i].tx_wake.own_count & 1))
            wake_cancel(&frontend->lanes[i].tx_wake, (woken >> i & 1) != 0);
    }
    stage_unlock(frontend);
}

/* The transmit thread's wait: wake sockets of all lanes, or the end. */
static uint32_t stage_wait(struct frontend *frontend)
{
    struct epoll_event events[STAGE_MAX_EVENTS];
    int wait_ms = frontend->is_nic_busy ? 1 : STAGE_SLEEP_MS;
    int n = epoll_wait(frontend->stage.epoll_fd, events, STAGE_MAX_EVENTS, wait_ms);
    uint32_t woken = 0;

    for (int i = 0; i < n; i++) {
        if (events[i].data.u64 != STAGE_STOP_TAG)
            woken |= 1u << events[i].data.u64 % FRONTEND_MAX_LANES;
    }
    return woken;
}

static void *stage_run(void *argument)
{
    struct frontend *frontend = argument;

    while (!atomic_load_explicit(&frontend->stage.is_stopping, memory_order_acquire)) {
        bool did_work;

        stage_lock(frontend);
        did_work = frontend_transmit(frontend);
        stage_unlock(frontend);
        if (!did_work)
            stage_sleep(frontend, stage_wait);
    }
    return NULL;
}

static int stage_init_lock(struct stage *stage)
{
    pthread_mutexattr_t attributes;
    int failed = pthread_mutexattr_init(&attributes);

    if (failed == 0)
        failed = pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    if (failed == 0)
        failed = pthread_mutex_init(&stage->lock, &attributes);
    return -failed;
}

static void stage_pin(pthread_t thread, int32_t cpu)
{
    cpu_set_t cpus;

    if (cpu < 0)
        return;
    CPU_ZERO(&cpus);
    CPU_SET((size_t)cpu, &cpus);
    if (pthread_setaffinity_np(thread, sizeof(cpus), &cpus) != 0)
        log_warn("pin_failed cpu=%d", cpu);
}

int stage_start(struct frontend *frontend)
{
    struct stage *stage = &frontend->stage;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = STAGE_STOP_TAG};
    int failed;

    stage->epoll_fd = stage->stop_fd = -1;
    if (!frontend->config.frontend.split_threads)
        return 0;
    failed = stage_init_lock(stage);
    stage->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    stage->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (failed == 0 && (stage->epoll_fd < 0 || stage->stop_fd < 0 ||
                        epoll_ctl(stage->epoll_fd, EPOLL_CTL_ADD, stage->stop_fd, &event) < 0))
        failed = -errno;
    if (failed == 0) {
        stage->is_split = true;
        failed = -pthread_create(&stage->thread, NULL, stage_run, frontend);
    }
    if (failed < 0) {
        stage->is_split = false;
        log_error("stage_failed error=\"%s\"", strerror(-failed));
        return failed;
    }
    stage_pin(stage->thread, frontend->config.frontend.tx_cpu);
    return 0;
}

void stage_stop(struct frontend *frontend)
{
    struct stage *stage = &frontend->stage;
    uint64_t one = 1;

    if (stage->is_split) {
        atomic_store_explicit(&stage->is_stopping, true, memory_order_release);
        if (write(stage->stop_fd, &one, sizeof(one)) < 0)
            log_debug("stage_stop_not_signalled");
        pthread_join(stage->thread, NULL);
        stage->is_split = false;
        pthread_mutex_destroy(&stage->lock);
    }
    fd_close(&stage->epoll_fd);
    fd_close(&stage->stop_fd);
}
