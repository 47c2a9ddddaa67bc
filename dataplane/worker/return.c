/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * return.c — a worker outlives its frontend. When the frontend is gone the worker keeps its stack, its
 * records and their FIFOs, and the last host segment (whose bucket is whose); everything else of the lane
 * goes: frames held out of order, rings, the pool. Staging is closed, which lwIP takes for congestion, so
 * timers run, nothing is sent and nothing is lost that TCP would not send again.
 *
 *   ORPHAN    connects every 20 ms
 *   GREETING  HELLO with ATTACH_RETURNS was said: a new half of a lane, the same records. WELCOME leads to
 *             ATTACHED; REFUSED or the socket's end back to ORPHAN (the slot may still be taken by our past),
 *             but for ESTALE: others serve our connections, and we must not
 *
 * worker.orphan_s bounds the whole. Nothing here blocks: the loop goes on between the steps.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault_point.h"
#include "base/fd.h"
#include "base/log.h"
#include "shm/frontend_writes.h"
#include "shm/worker_writes.h"
#include "worker/worker.h"

#define RETURN_TRY_NS (20 * CLOCK_NS_PER_MS)

static void return_give_up(struct worker *worker, const char *why)
{
    log_error("lane_lost why=%s", why);
    worker->is_stopping = true;
    worker->exit_code = 1;
}

/* Counters go on where they were: they are this process's, and the next frontend knows nothing of them. */
static void return_carry_half(const struct segment *from, const struct segment *to)
{
    struct worker_half *old = from->base, *half = to->base;

    for (unsigned i = 0; i < N_WORKER_COUNTERS; i++)
        atomic_store_explicit(&half->counters[i], counter_get(old->counters, i), memory_order_relaxed);
    for (unsigned i = 0; i < N_WORKER_GAUGES; i++)
        atomic_store_explicit(&half->gauges[i], atomic_load_explicit(&old->gauges[i], memory_order_relaxed),
                              memory_order_relaxed);
}

/* The stack, staging and the fault handler write into the half. */
static void return_use_half(struct worker *worker, struct segment *half)
{
    struct worker_half *base = half->base;

    return_carry_half(&worker->half, half);
    worker->staging.counters = base->counters;
    worker->stack.config.counters = base->counters;
    worker->stack.config.suspect = &base->suspect;
    worker_fault_set_half(base);
    segment_fini(&worker->half);
    worker->half = *half;
}

void worker_orphan(struct worker *worker, uint64_t now_ns)
{
    struct segment half = {.fd = -1};
    int failed = worker->config.worker.orphan_s == 0 ? -ENOTCONN : worker_new_half(worker, &half);

    if (failed < 0) {
        return_give_up(worker, worker->lost_why);
        return;
    }
    log_warn("frontend_lost why=%s action=\"keeps connections\" seconds=%u connections=%u", worker->lost_why,
             worker->config.worker.orphan_s, worker->stack.n_connections);
    /* Before the pool goes: these are the last references to its frames. */
    stack_drop_held_frames(&worker->stack);
    worker_detach(worker);
    orders_fini(&worker->orders);
    return_use_half(worker, &half);
    notify_tell(&worker->notify, "STATUS=Waiting for the next frontend");
    worker->lost_why = NULL;
    worker->lost_ns = now_ns;
    worker->next_try_ns = now_ns;
    worker->was_congested = false;
    worker->link = WORKER_ORPHAN;
    fault_point(FAULT_return_orphan);
}

/* Back to trying. */
static void return_disconnect(struct worker *worker)
{
    fd_close(&worker->attach_socket);
    worker->link = WORKER_ORPHAN;
}

/* The path is looked up anew each time: the next frontend makes a new socket file. */
static void return_connect(struct worker *worker, uint64_t now_ns)
{
    char path[CONFIG_PATH_BYTES];

    if (now_ns < worker->next_try_ns)
        return;
    worker->next_try_ns = now_ns + RETURN_TRY_NS;
    snprintf(path, sizeof(path), "%s/%s", worker->config.control.runtime_dir, ATTACH_SOCKET_NAME);
    worker->attach_socket = fd_connect_seqpacket_now(path);
    if (worker->attach_socket < 0)
        return; /* nobody listens there yet */
    worker->link = WORKER_GREETING;
    if (worker_send_hello(worker, ATTACH_RETURNS) < 0)
        return_disconnect(worker);
    else
        fault_point(FAULT_return_hello);
}

/* Not the last word: a frontend that is busy with our past, or with another worker that claims the slot, may
 * take us a moment later. Told once a second. */
static void return_refused(struct worker *worker, const struct attach_refused *refused, uint64_t now_ns)
{
    uint64_t n_held;

    if (log_gate_open(&worker->refused_gate, now_ns, &n_held))
        log_warn("return_refused reason=\"%.*s\" held=%llu", (int)sizeof(refused->text) - 1, refused->text,
                 (unsigned long long)n_held);
    return_disconnect(worker);
}

/*
 * The lane is there again: what the last frontend had told is taken from this one, addresses above all, for
 * the first thing that happens now is that every connection that waited for room wants to send. READY comes
 * last: with it the frontend begins.
 */
static void return_attached(struct worker *worker, uint64_t now_ns)
{
    const struct host_segment *host = worker->host.base;

    fault_point(FAULT_return_mapped);
    worker->stack.config.bucket_worker = host->bucket_worker;
    worker_take_addresses(worker);
    if (worker_attach_ready(worker) < 0) {
        worker->lost_why = "frontend_gone";
        worker->link = WORKER_ATTACHED; /* and lost again, before the next turn */
        return;
    }
    worker->link = WORKER_ATTACHED;
    notify_tell(&worker->notify, "STATUS=Serving");
    log_info("returned slot=%u connections=%u ms=%llu", worker->slot, worker->stack.n_connections,
             (unsigned long long)((now_ns - worker->lost_ns) / CLOCK_NS_PER_MS));
    fault_point(FAULT_return_ready);
}

static void return_welcome(struct worker *worker, uint64_t now_ns)
{
    struct attach_refused refused = {0};
    int failed = worker_take_welcome(worker, &refused);

    if (failed == 0) {
        return_attached(worker, now_ns);
    } else if (failed == -ESTALE) {
        return_give_up(worker, "other_flow_seed_or_buckets");
    } else if (failed == -ECONNREFUSED && refused.error == -ESTALE) {
        return_give_up(worker, "connections_taken_over");
    } else if (failed == -ECONNREFUSED) {
        return_refused(worker, &refused, now_ns);
    } else if (failed != -EAGAIN) {
        log_debug("return_failed error=\"%s\"", strerror(-failed));
        return_disconnect(worker);
    }
}

/* The time counts from the loss, over all attempts: a frontend that dies again and again while it starts must
 * not keep a worker, and its peers, waiting for ever. */
void worker_return_step(struct worker *worker, uint64_t now_ns)
{
    if (now_ns - worker->lost_ns >= worker->config.worker.orphan_s * CLOCK_NS_PER_S) {
        return_give_up(worker, "no_frontend");
        return;
    }
    if (worker->link == WORKER_ORPHAN)
        return_connect(worker, now_ns);
    if (worker->link == WORKER_GREETING)
        return_welcome(worker, now_ns);
}
