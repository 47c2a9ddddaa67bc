/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attach.c — the worker's side of the handshake: makes its segments, trades descriptors, sets up the rings.
 * The first attach waits for each answer; a return (return.c) takes the same steps one at a time.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
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
#define N_ATTACH_WELCOME_SEGMENTS ATTACH_FD_WAKE /* the descriptors before it */

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

/* Zero but for its shape: all rings begin empty. The seal comes behind our own mapping, the last writable
 * one.
 */
int worker_new_half(const struct worker *worker, struct segment *half)
{
    struct lane_shape shape;
    struct lane_layout layout;
    struct segment_spec spec = {.name = "mpa-worker-half", .kind = SEGMENT_WORKER, .version = LANE_VERSION};
    int failed;

    attach_shape(&worker->config, &shape);
    if (!lane_shape_is_valid(&shape))
        return -EINVAL;
    lane_layout_init(&layout, &shape);
    spec.size_bytes = layout.worker_bytes;
    failed = segment_new(half, &spec);
    if (failed < 0)
        return failed;
    ((struct worker_half *)half->base)->shape = shape;
    failed = segment_seal(half);
    if (failed < 0)
        segment_fini(half);
    return failed;
}

/* No dump takes it along: it would be written for seconds while the others wait to hear of the death, and the
 * payload of strangers has no place in it. Without effect the dump is larger, no more. */
static void attach_keep_from_dumps(const struct segment *segment)
{
    if (madvise(segment->base, segment->size_bytes, MADV_DONTDUMP) < 0)
        log_debug("dontdump_failed error=\"%s\"", strerror(errno));
}

/* As large as it will ever be: sealed memory cannot grow. Pages that are not used cost nothing. */
int worker_new_records(struct worker *worker)
{
    const struct config_worker *config = &worker->config.worker;
    size_t fifo_bytes = (size_t)config->fifo_memory_mib * ATTACH_MIB;
    struct segment_spec spec = {
        .name = "mpa-records",
        .kind = SEGMENT_RECORDS,
        .version = RECORDS_SEGMENT_VERSION,
        .size_bytes = stack_records_bytes(config->max_connections, fifo_bytes),
        .wants_huge = config->hugepages,
    };
    int failed = segment_new(&worker->records, &spec);

    if (failed < 0)
        return failed;
    if (spec.wants_huge && !worker->records.is_huge)
        log_warn("hugepages_missing segment=records action=normal_pages");
    attach_keep_from_dumps(&worker->records);
    stack_records_layout(worker->records.base, config->max_connections, fifo_bytes);
    return segment_seal(&worker->records);
}

/* The frontend dups what it keeps: the descriptors stay ours. */
int worker_send_hello(struct worker *worker, uint32_t flags)
{
    struct attach_hello hello = {
        .magic = ATTACH_MAGIC,
        .kind = ATTACH_HELLO,
        .version_min = LANE_VERSION_MIN,
        .version_max = LANE_VERSION,
        .slot = worker->slot,
        .pid = (uint32_t)getpid(),
        .flags = flags,
    };
    const int fds[N_ATTACH_HELLO_FDS] = {worker->pidfd, worker->half.fd, worker->records.fd};

    return fd_send(worker->attach_socket, &hello, sizeof(hello), fds, N_ATTACH_HELLO_FDS);
}

/* What the frontend wrote into the host segment for as long as it lives; `before`: what the last one had. */
static int attach_check_host(const struct segment *segment, const struct host_segment *before)
{
    const struct host_segment *host = segment->base;

    if (host->n_buckets == 0 || (host->n_buckets & (host->n_buckets - 1)) != 0 ||
        host->n_buckets > segment->size_bytes - offsetof(struct host_segment, bucket_worker))
        return -EINVAL;
    return before != NULL && before->n_buckets != host->n_buckets ? -ESTALE : 0;
}

/* What a welcome brings; takes over the descriptors, on failure nothing is left of it. */
static int attach_map(struct segment segments[N_ATTACH_WELCOME_SEGMENTS], int fds[N_ATTACH_WELCOME_FDS],
                      const struct worker *worker, uint32_t lane_version)
{
    const struct {
        enum segment_kind kind;
        uint32_t version;
        size_t min_bytes;
    } wanted[N_ATTACH_WELCOME_SEGMENTS] = {
        [ATTACH_FD_FRONTEND_HALF] = {SEGMENT_FRONTEND, lane_version, worker->layout.frontend_bytes},
        [ATTACH_FD_HOST] = {SEGMENT_HOST, HOST_SEGMENT_VERSION, sizeof(struct host_segment)},
        [ATTACH_FD_POOL] = {SEGMENT_POOL, POOL_SEGMENT_VERSION, sizeof(struct pool_segment)},
    };
    int failed = 0;

    for (int i = 0; i < N_ATTACH_WELCOME_SEGMENTS; i++)
        segments[i] = (struct segment){.fd = -1};
    for (int i = 0; i < N_ATTACH_WELCOME_SEGMENTS && failed == 0; i++) {
        failed = segment_attach(&segments[i], fds[i], wanted[i].kind, wanted[i].version, wanted[i].min_bytes);
        fds[i] = -1;
    }
    if (failed == 0)
        failed = attach_check_host(&segments[ATTACH_FD_HOST], worker->host.base);
    for (int i = 0; i < N_ATTACH_WELCOME_SEGMENTS && failed < 0; i++)
        segment_fini(&segments[i]);
    return failed;
}

/* The last frontend's host segment was kept until here: the stack reads whose bucket is whose at any time. */
static void attach_use(struct worker *worker, const struct segment segments[N_ATTACH_WELCOME_SEGMENTS])
{
    segment_fini(&worker->host);
    worker->frontend = segments[ATTACH_FD_FRONTEND_HALF];
    worker->host = segments[ATTACH_FD_HOST];
    worker->pool = segments[ATTACH_FD_POOL];
    attach_keep_from_dumps(&worker->pool);
}

/*
 * Both ends of every ring begin at zero, ours in the new half, the frontend's in its own. Staging is set up
 * whole or, without memory, stays closed.
 */
static int attach_rings(struct worker *worker)
{
    struct worker_half *half = worker->half.base;
    const struct frontend_half *frontend = worker->frontend.base;
    uint8_t *base = worker->half.base;
    const uint8_t *frontend_base = worker->frontend.base;
    int failed = rx_frames_init(&worker->frames, worker->pool.base, worker->pool.size_bytes);

    worker->staging = (struct staging){.counters = half->counters, .is_closed = failed < 0};
    for (int p = 0; p < N_LANE_PRIORITIES && failed == 0; p++) {
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
    }
    ring_producer_init(&worker->frames.return_ring,
                       (struct lane_slot *)(void *)(base + worker->layout.return_slots_off),
                       &half->return_tail, &frontend->return_head, half->shape.return_slots);
    wake_init(&worker->wake, worker->wake_socket, &half->sleeping, &frontend->sleeping);
    return failed;
}

/* The message itself, with its descriptors in `fds`. */
static int attach_receive(struct worker *worker, struct attach_welcome *welcome, int *fds,
                          struct attach_refused *refused)
{
    union {
        struct attach_welcome welcome;
        struct attach_refused refused;
    } message = {0};
    ssize_t size = fd_receive(worker->attach_socket, &message, sizeof(message), fds, N_ATTACH_WELCOME_FDS);

    if (size <= 0)
        return size == 0 ? -ECONNRESET : (int)size;
    if (size == sizeof(message.refused) && message.refused.magic == ATTACH_MAGIC &&
        message.refused.kind == ATTACH_REFUSED) {
        *refused = message.refused;
        return -ECONNREFUSED;
    }
    if (size != sizeof(message.welcome) || message.welcome.magic != ATTACH_MAGIC ||
        message.welcome.kind != ATTACH_WELCOME || fds[ATTACH_FD_WAKE] < 0)
        return -EPROTO;
    *welcome = message.welcome;
    return 0;
}

int worker_take_welcome(struct worker *worker, struct attach_refused *refused)
{
    const struct worker_half *half = worker->half.base;
    struct segment segments[N_ATTACH_WELCOME_SEGMENTS];
    struct attach_welcome welcome = {0};
    int fds[N_ATTACH_WELCOME_FDS] = {-1, -1, -1, -1};
    int failed = attach_receive(worker, &welcome, fds, refused);

    lane_layout_init(&worker->layout, &half->shape);
    /* Only on a return is there a seed to compare with. */
    if (failed == 0 && worker->welcome.magic == ATTACH_MAGIC &&
        memcmp(worker->welcome.flow_seed, welcome.flow_seed, sizeof(welcome.flow_seed)) != 0)
        failed = -ESTALE;
    if (failed == 0)
        failed = attach_map(segments, fds, worker, welcome.version);
    if (failed == 0) {
        attach_use(worker, segments);
        worker->welcome = welcome;
        worker->wake_socket = fds[ATTACH_FD_WAKE];
        fds[ATTACH_FD_WAKE] = -1;
        failed = attach_rings(worker);
        if (failed < 0)
            worker_detach(worker);
    }
    for (int i = 0; i < N_ATTACH_WELCOME_FDS; i++)
        fd_close(&fds[i]);
    return failed;
}

/* The attach socket last: its end tells the frontend that nothing of the lane is in use any more. */
void worker_detach(struct worker *worker)
{
    staging_close(&worker->staging);
    rx_frames_fini(&worker->frames);
    segment_fini(&worker->frontend);
    segment_fini(&worker->pool);
    fd_close(&worker->wake_socket);
    fd_close(&worker->attach_socket);
}

/* From the hello to rings that work. */
static int attach_greet(struct worker *worker, const char *path)
{
    struct attach_refused refused = {0};
    int failed = worker_send_hello(worker, 0);

    if (failed == 0)
        failed = worker_take_welcome(worker, &refused);
    if (failed == 0)
        failed = fd_set_nonblock(worker->attach_socket);
    if (failed == -ECONNREFUSED)
        log_error("attach_refused reason=\"%.*s\"", (int)sizeof(refused.text) - 1, refused.text);
    else if (failed < 0)
        log_error("attach_failed socket=%s error=\"%s\"", path, strerror(-failed));
    return failed;
}

int worker_attach(struct worker *worker)
{
    char path[CONFIG_PATH_BYTES];
    int failed = worker_new_half(worker, &worker->half);

    if (failed == 0)
        failed = worker_new_records(worker);
    if (failed < 0) {
        log_error("segments_failed error=\"%s\"", strerror(-failed));
        return failed;
    }
    worker_fault_set_half(worker->half.base);
    worker->pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (worker->pidfd < 0) {
        failed = -errno;
        log_error("pidfd_failed error=\"%s\"", strerror(-failed));
        return failed;
    }
    snprintf(path, sizeof(path), "%s/%s", worker->config.control.runtime_dir, ATTACH_SOCKET_NAME);
    worker->attach_socket = fd_connect_seqpacket(path);
    if (worker->attach_socket < 0) {
        log_error("attach_failed socket=%s error=\"%s\" hint=\"is mpa-frontend running?\"", path,
                  strerror(-worker->attach_socket));
        return worker->attach_socket;
    }
    return attach_greet(worker, path);
}

int worker_attach_ready(struct worker *worker)
{
    struct attach_ready ready = {.magic = ATTACH_MAGIC, .kind = ATTACH_READY};

    return fd_send(worker->attach_socket, &ready, sizeof(ready), NULL, 0);
}
