/* SPDX-License-Identifier: BSD-3-Clause */
/* attach.c — the worker's side of the handshake: makes its segments, trades descriptors, sets up the rings.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "shm/frontend_writes.h"
#include "shm/worker_writes.h"
#include "worker/worker.h"

#define ATTACH_KIB 1024u
#define ATTACH_MIB (1024u * 1024u)
#define ATTACH_PAGE_BYTES 4096u

/* A worker can hold every chunk of the pool: the return ring has a slot for each. */
static uint32_t attach_return_slots(uint32_t n_chunks)
{
    uint32_t slots = LANE_MIN_SLOTS;

    while (slots < n_chunks)
        slots *= 2;
    return slots;
}

static void attach_shape(const struct config *config, struct lane_shape *shape)
{
    *shape = (struct lane_shape){
        .ring_slots = {config->worker.ring_slots, config->worker.urgent_ring_slots},
        .return_slots = attach_return_slots(config->frontend.pool_chunks),
        .arena_bytes = {config->worker.tx_arena_kib * ATTACH_KIB,
                        config->worker.urgent_arena_kib * ATTACH_KIB},
    };
}

static int attach_new_half(struct worker *worker)
{
    struct lane_shape shape;
    struct segment_spec spec = {.name = "mpa-worker-half", .kind = SEGMENT_WORKER, .version = LANE_VERSION};
    int failed;

    attach_shape(&worker->config, &shape);
    if (!lane_shape_is_valid(&shape))
        return -EINVAL;
    lane_layout_init(&worker->layout, &shape);
    spec.size_bytes = worker->layout.worker_bytes;
    failed = segment_new(&worker->half, &spec);
    if (failed < 0)
        return failed;
    ((struct worker_half *)worker->half.base)->shape = shape;
    return segment_seal(&worker->half);
}

static int attach_new_records(struct worker *worker)
{
    size_t fifo_off = segment_align(sizeof(struct records_segment), ATTACH_PAGE_BYTES);
    size_t fifo_bytes = (size_t)worker->config.worker.fifo_memory_mib * ATTACH_MIB;
    struct segment_spec spec = {
        .name = "mpa-records",
        .kind = SEGMENT_RECORDS,
        .version = RECORDS_SEGMENT_VERSION,
        .size_bytes = fifo_off + fifo_bytes,
        .wants_huge = worker->config.worker.hugepages,
    };
    int failed = segment_new(&worker->records, &spec);

    if (failed < 0)
        return failed;
    if (spec.wants_huge && !worker->records.is_huge)
        log_warn("hugepages_missing segment=records action=normal_pages");
    struct records_segment *records = worker->records.base;
    records->fifo_off = fifo_off;
    records->fifo_bytes = fifo_bytes;
    return segment_seal(&worker->records);
}

static int attach_send_hello(struct worker *worker)
{
    struct attach_hello hello = {
        .magic = ATTACH_MAGIC,
        .kind = ATTACH_HELLO,
        .version_min = LANE_VERSION_MIN,
        .version_max = LANE_VERSION,
        .slot = worker->slot,
        .pid = (uint32_t)getpid(),
    };
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    int fds[N_ATTACH_HELLO_FDS] = {pidfd, worker->half.fd, worker->records.fd};
    int failed;

    if (pidfd < 0)
        return -errno;
    failed = fd_send(worker->attach_socket, &hello, sizeof(hello), fds, N_ATTACH_HELLO_FDS);
    fd_close(&pidfd);
    return failed;
}

/* A refusal is the frontend's own words. */
static int attach_refused(const struct attach_refused *refused)
{
    log_error("attach_refused reason=\"%.*s\"", (int)sizeof(refused->text) - 1, refused->text);
    return -ECONNREFUSED;
}

static int attach_map(struct worker *worker, int *fds)
{
    int failed = segment_attach(&worker->frontend, fds[ATTACH_FD_FRONTEND_HALF], SEGMENT_FRONTEND,
                                worker->welcome.version, worker->layout.frontend_bytes);

    fds[ATTACH_FD_FRONTEND_HALF] = -1;
    if (failed == 0) {
        failed = segment_attach(&worker->host, fds[ATTACH_FD_HOST], SEGMENT_HOST, HOST_SEGMENT_VERSION,
                                sizeof(struct host_segment));
        fds[ATTACH_FD_HOST] = -1;
    }
    if (failed == 0) {
        failed = segment_attach(&worker->pool, fds[ATTACH_FD_POOL], SEGMENT_POOL, POOL_SEGMENT_VERSION,
                                sizeof(struct pool_segment));
        fds[ATTACH_FD_POOL] = -1;
    }
    return failed;
}

static int attach_take_welcome(struct worker *worker)
{
    union {
        struct attach_welcome welcome;
        struct attach_refused refused;
    } message = {0};
    int fds[N_ATTACH_WELCOME_FDS];
    ssize_t size = fd_receive(worker->attach_socket, &message, sizeof(message), fds, N_ATTACH_WELCOME_FDS);
    int failed;

    if (size <= 0)
        return size == 0 ? -ECONNRESET : (int)size;
    if (size == sizeof(message.refused) && message.refused.kind == ATTACH_REFUSED)
        return attach_refused(&message.refused);
    if (size != sizeof(message.welcome) || message.welcome.magic != ATTACH_MAGIC ||
        message.welcome.kind != ATTACH_WELCOME || fds[ATTACH_FD_WAKE] < 0) {
        for (int i = 0; i < N_ATTACH_WELCOME_FDS; i++)
            fd_close(&fds[i]);
        return -EPROTO;
    }
    worker->welcome = message.welcome;
    failed = attach_map(worker, fds);
    worker->wake_socket = fds[ATTACH_FD_WAKE];
    fds[ATTACH_FD_WAKE] = -1;
    for (int i = 0; i < N_ATTACH_WELCOME_FDS; i++)
        fd_close(&fds[i]);
    return failed;
}

static int attach_rings(struct worker *worker)
{
    struct worker_half *half = worker->half.base;
    const struct frontend_half *frontend = worker->frontend.base;
    uint8_t *base = worker->half.base;
    const uint8_t *frontend_base = worker->frontend.base;
    int failed = rx_frames_init(&worker->frames, worker->pool.base, worker->pool.size_bytes);

    if (failed < 0)
        return failed;
    worker->staging.counters = half->counters;
    for (int p = 0; p < N_LANE_PRIORITIES; p++) {
        uint32_t n_slots = half->shape.ring_slots[p];

        ring_consumer_init(
            &worker->rx[p],
            (const struct lane_slot *)(const void *)(frontend_base + worker->layout.rx_slots_off[p]),
            &half->rx_head[p], &frontend->rx_tail[p], n_slots);
        ring_producer_init(&worker->staging.ring[p],
                           (struct lane_slot *)(void *)(base + worker->layout.tx_slots_off[p]),
                           &half->tx_tail[p], &frontend->tx_head[p], n_slots);
        failed = staging_init_arena(&worker->staging, (enum lane_priority)p,
                                    base + worker->layout.arena_off[p], half->shape.arena_bytes[p]);
        if (failed < 0)
            return failed;
    }
    ring_producer_init(&worker->frames.return_ring,
                       (struct lane_slot *)(void *)(base + worker->layout.return_slots_off),
                       &half->return_tail, &frontend->return_head, half->shape.return_slots);
    wake_init(&worker->wake, worker->wake_socket, &half->sleeping, &frontend->sleeping);
    return 0;
}

int worker_attach(struct worker *worker)
{
    char path[CONFIG_PATH_BYTES];
    int failed = attach_new_half(worker);

    if (failed == 0)
        failed = attach_new_records(worker);
    if (failed < 0) {
        log_error("segments_failed error=\"%s\"", strerror(-failed));
        return failed;
    }
    snprintf(path, sizeof(path), "%s/%s", worker->config.control.runtime_dir, ATTACH_SOCKET_NAME);
    worker->attach_socket = fd_connect_seqpacket(path);
    if (worker->attach_socket < 0) {
        log_error("attach_failed socket=%s error=\"%s\" hint=\"is mpa-frontend running?\"", path,
                  strerror(-worker->attach_socket));
        return worker->attach_socket;
    }
    failed = attach_send_hello(worker);
    if (failed == 0)
        failed = attach_take_welcome(worker);
    if (failed == 0)
        failed = attach_rings(worker);
    if (failed < 0 && failed != -ECONNREFUSED) /* a refusal has said its own line */
        log_error("attach_failed socket=%s error=\"%s\"", path, strerror(-failed));
    return failed;
}

int worker_attach_ready(struct worker *worker)
{
    struct attach_ready ready = {.magic = ATTACH_MAGIC, .kind = ATTACH_READY};

    return fd_send(worker->attach_socket, &ready, sizeof(ready), NULL, 0);
}
