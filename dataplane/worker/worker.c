/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.c — the two start steps of a worker and its end.
 *
 * Whatever opens, maps or reads a file comes before confine(): descriptors and memory of the lane, the
 * budgets, the pages of the http service. Whatever the network could make go wrong comes after it: lwIP, its
 * listeners, the first frame. A worker that fails on the way has said READY to nobody, so no bucket is its
 * own and no connection is lost.
 */
#include "worker/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/start.h"
#include "shm/frontend_writes.h"
#include "shm/worker_writes.h"
#include "worker/stack/pool.h"

#define WORKER_MIB (1024u * 1024u)
#define WORKER_MAX_ORPHAN_S 3600u /* of worker.orphan_s and worker.idle_s in config_keys.c */
#define WORKER_MAX_IDLE_S 604800u

/* Called for each ADDRESSES slot, and once at the start, since what changed before has left no slot for us.
 */
void worker_take_addresses(struct worker *worker)
{
    const struct host_segment *host = worker->host.base;
    struct host_facts facts;
    uint32_t seq;

    /* The writer leaves the copy that `seq` names alone until two changes later. */
    do {
        seq = atomic_load_explicit(&host->seq, memory_order_acquire) & ~1u;
        memcpy(&facts, &host->copies[seq / 2 % 2], sizeof(facts));
        atomic_thread_fence(memory_order_acquire);
        /* Read again: two changes while we copied would have torn it. */
    } while ((atomic_load_explicit(&host->seq, memory_order_relaxed) & ~1u) != seq);
    /* Before the addresses: a connection that opens on a new one takes what the NIC can do from here. */
    worker->staging.has_offload_csum = (facts.caps & HOST_CAP_CSUM) != 0;
    worker->stack.config.has_gso = (facts.caps & HOST_CAP_GSO) != 0;
    stack_set_addresses(&worker->stack, &facts);
}

/* Nothing is taken that the configuration would not allow: the file says what a key may be, here it is the
 * same. */
void worker_take_settings(struct worker *worker)
{
    const struct frontend_half *half = worker->frontend.base;
    uint32_t level = atomic_load_explicit(&half->log_level, memory_order_relaxed);
    uint32_t orphan = atomic_load_explicit(&half->orphan_s_plus_1, memory_order_relaxed);
    uint32_t idle = atomic_load_explicit(&half->idle_s_plus_1, memory_order_relaxed);
    bool is_level = log_level_name((enum log_level)level)[0] != '?';

    if (is_level && (enum log_level)level != log_level())
        log_change_level((enum log_level)level);
    if (orphan > 0 && orphan - 1 <= WORKER_MAX_ORPHAN_S)
        worker->config.worker.orphan_s = orphan - 1;
    if (idle > 0 && idle - 1 <= WORKER_MAX_IDLE_S)
        worker->config.worker.idle_s = idle - 1;
}

void worker_prepare(struct worker *worker)
{
    *worker = (struct worker){.notify = {.socket = -1},
                              .attach_socket = -1,
                              .wake_socket = -1,
                              .signal_fd = -1,
                              .pidfd = -1,
                              .half = {.fd = -1},
                              .records = {.fd = -1},
                              .frontend = {.fd = -1},
                              .host = {.fd = -1},
                              .pool = {.fd = -1}};
    orders_init(&worker->orders);
}

/* One CPU after the other from the first, by slot; none in particular by default. */
static void worker_pin(const struct worker *worker)
{
    int32_t first_cpu = worker->config.worker.first_cpu;

    start_pin(first_cpu < 0 ? first_cpu : first_cpu + (int32_t)worker->slot);
}

/*
 * Both budgets whole, at the start: a machine without that much memory says so now and not under load. lwIP's
 * is private; the FIFOs stand in the records segment, which the frontend holds too.
 */
static int worker_memory(struct worker *worker)
{
    struct records_segment *records = worker->records.base;
    int failed = pool_init((size_t)worker->config.worker.stack_memory_mib * WORKER_MIB);

    if (failed == 0)
        failed = fifo_memory_init(&worker->fifo_memory, (uint8_t *)worker->records.base + records->fifo_off,
                                  records->fifo_bytes);
    if (failed == 0)
        fifo_memory_hold(&worker->fifo_memory);
    if (failed < 0)
        log_error("memory_failed error=\"%s\"", strerror(-failed));
    return failed;
}

int worker_init_privileged(struct worker *worker)
{
    int failed;

    notify_open(&worker->notify);
    worker->signal_fd = start_signals();
    if (worker->signal_fd < 0) {
        log_error("signals_failed error=\"%s\"", strerror(-worker->signal_fd));
        return worker->signal_fd;
    }
    /* Short sleeps are asked for in microseconds. */
    prctl(PR_SET_TIMERSLACK, 1000);
    worker_pin(worker);
    failed = worker_fault_init();
    if (failed < 0)
        log_error("fault_handler_failed error=\"%s\"", strerror(-failed));
    if (failed == 0)
        failed = worker_attach(worker);
    if (failed == 0)
        failed = worker_memory(worker);
    if (failed < 0)
        return failed;
    /* Reads the folder of pages: opening files is over after confine(). */
    worker->services = service_table_new(&worker->config.services);
    if (worker->services == NULL) {
        log_error("services_failed error=\"%s\"", strerror(errno));
        return -errno;
    }
    return 0;
}

int worker_stack_init(struct worker *worker)
{
    struct worker_half *half = worker->half.base;
    const struct host_segment *host = worker->host.base;
    struct stack_config stack_config = {
        .max_connections = worker->config.worker.max_connections,
        .fifo_memory = &worker->fifo_memory,
        .staging = &worker->staging,
        .frames = &worker->frames,
        .counters = half->counters,
        .records = worker->records.base,
        .commits_facts = worker->config.worker.commit == CONFIG_COMMIT_FULL,
        .slot = worker->slot,
        .n_buckets = host->n_buckets,
        .bucket_worker = host->bucket_worker,
        .suspect = &half->suspect,
    };
    int failed;

    /* The same for all workers: a flow hashes alike in each, and its sequence numbers go on in another. */
    memcpy(stack_config.flow_seed.words, worker->welcome.flow_seed, sizeof(stack_config.flow_seed.words));
    memcpy(stack_config.isn_key, worker->welcome.isn_key, sizeof(stack_config.isn_key));
    failed = stack_init(&worker->stack, &stack_config, &worker_session_callbacks, worker);
    if (failed < 0) {
        log_error("stack_failed error=\"%s\"", strerror(-failed));
        return failed;
    }
    worker_take_addresses(worker);
    return worker_sessions_init(worker);
}

int worker_init_confined(struct worker *worker)
{
    int failed = worker_stack_init(worker);

    /* Last: from READY on the frontend sends frames, and every listener must be there. */
    if (failed == 0)
        failed = worker_attach_ready(worker);
    if (failed < 0)
        return failed;
    log_info("serving slot=%u", worker->slot);
    notify_tell(&worker->notify, "READY=1\nSTATUS=Serving");
    return 0;
}

/* Takes what any failed start leaves behind. Not the attach socket, which ends with the process: the frontend
 * kills whoever hangs up and is still there, for others are to adopt from records that stand still, and an
 * end in order would look like a death. */
void worker_fini(struct worker *worker)
{
    worker->attach_socket = -1;
    service_table_free(worker->services);
    orders_fini(&worker->orders);
    worker_fault_set_half(NULL);
    segment_fini(&worker->half);
    segment_fini(&worker->records);
    segment_fini(&worker->host);
    worker_detach(worker);
    fd_close(&worker->signal_fd);
    fd_close(&worker->pidfd);
    notify_close(&worker->notify);
}
