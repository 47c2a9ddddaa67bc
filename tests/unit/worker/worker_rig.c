/* SPDX-License-Identifier: BSD-3-Clause */
/* worker_rig.c — see worker_rig.h. Segments and sockets are real ones; only the process boundary is missing.
 */
#include "tests/unit/worker/worker_rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "shm/frontend_writes.h"
#include "shm/worker_writes.h"
#include "tests/support/unit.h"
#include "worker/stack/pool.h"

#define RIG_TICK_NS (20 * CLOCK_NS_PER_MS)

static void rig_path(const struct worker_rig *rig, char path[CONFIG_PATH_BYTES])
{
    snprintf(path, CONFIG_PATH_BYTES, "%s/%s", rig->dir, ATTACH_SOCKET_NAME);
}

static void rig_config(struct worker_rig *rig)
{
    struct config *config = &rig->worker.config;

    config_defaults(config);
    snprintf(config->control.runtime_dir, sizeof(config->control.runtime_dir), "%s", rig->dir);
    config->frontend.pool_chunks = 512;
    config->worker.ring_slots = LANE_MIN_SLOTS;
    config->worker.urgent_ring_slots = LANE_MIN_SLOTS;
    config->worker.tx_arena_kib = config->worker.urgent_arena_kib = 256;
    config->worker.fifo_memory_mib = 4;
    config->worker.max_connections = 64;
}

static void rig_host(struct worker_rig_frontend *frontend)
{
    const struct segment_spec spec = {.name = "mpa-test-host",
                                      .kind = SEGMENT_HOST,
                                      .version = HOST_SEGMENT_VERSION,
                                      .size_bytes = sizeof(struct host_segment) + WORKER_RIG_BUCKETS};
    struct host_segment *host;

    CU_ASSERT_EQUAL_FATAL(segment_new(&frontend->host, &spec), 0);
    host = frontend->host.base;
    host->n_buckets = WORKER_RIG_BUCKETS;
    host->copies[0] = (struct host_facts){.n_addresses = 1, .mtu_bytes = 1500};
    CU_ASSERT_EQUAL_FATAL(config_address_parse("10.77.0.2/24", &host->copies[0].addresses[0]), 0);
    CU_ASSERT_EQUAL_FATAL(segment_seal(&frontend->host), 0);
}

void worker_rig_frontend_listen(struct worker_rig *rig)
{
    struct worker_rig_frontend *frontend = &rig->frontend;
    char path[CONFIG_PATH_BYTES];

    *frontend = (struct worker_rig_frontend){.socket = -1,
                                             .wake_socket = -1,
                                             .worker_half = {.fd = -1},
                                             .records = {.fd = -1},
                                             .half = {.fd = -1},
                                             .host = {.fd = -1}};
    rig_path(rig, path);
    frontend->listener = fd_listen_seqpacket(path, 0600);
    CU_ASSERT_FATAL(frontend->listener >= 0);
    CU_ASSERT_EQUAL_FATAL(frame_pool_init(&frontend->pool, 512, 16, false), 0);
    rig_host(frontend);
}

void worker_rig_frontend_end(struct worker_rig *rig)
{
    struct worker_rig_frontend *frontend = &rig->frontend;

    fd_close(&frontend->listener);
    fd_close(&frontend->socket);
    fd_close(&frontend->wake_socket);
    segment_fini(&frontend->worker_half);
    segment_fini(&frontend->records);
    segment_fini(&frontend->half);
    segment_fini(&frontend->host);
    frame_pool_fini(&frontend->pool);
}

void worker_rig_take_hello(struct worker_rig *rig)
{
    struct worker_rig_frontend *frontend = &rig->frontend;
    int fds[N_ATTACH_HELLO_FDS];

    frontend->socket = accept4(frontend->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    CU_ASSERT_FATAL(frontend->socket >= 0);
    CU_ASSERT_EQUAL_FATAL(
        fd_receive(frontend->socket, &frontend->hello, sizeof(frontend->hello), fds, N_ATTACH_HELLO_FDS),
        sizeof(frontend->hello));
    CU_ASSERT_EQUAL_FATAL(segment_attach(&frontend->worker_half, fds[ATTACH_FD_WORKER_HALF], SEGMENT_WORKER,
                                         LANE_VERSION, sizeof(struct worker_half)),
                          0);
    CU_ASSERT_EQUAL_FATAL(segment_attach(&frontend->records, fds[ATTACH_FD_RECORDS], SEGMENT_RECORDS,
                                         RECORDS_SEGMENT_VERSION, sizeof(struct records_segment)),
                          0);
    fd_close(&fds[ATTACH_FD_PIDFD]);
}

static void rig_rings(struct worker_rig_frontend *frontend, const struct lane_layout *layout)
{
    struct frontend_half *own = frontend->half.base;
    const struct worker_half *peer = frontend->worker_half.base;
    uint8_t *own_base = frontend->half.base;
    const uint8_t *peer_base = frontend->worker_half.base;

    for (int p = 0; p < N_LANE_PRIORITIES; p++) {
        ring_producer_init(&frontend->rx[p], (struct lane_slot *)(void *)(own_base + layout->rx_slots_off[p]),
                           &own->rx_tail[p], &peer->rx_head[p], peer->shape.ring_slots[p]);
        ring_consumer_init(&frontend->tx[p],
                           (const struct lane_slot *)(const void *)(peer_base + layout->tx_slots_off[p]),
                           &own->tx_head[p], &peer->tx_tail[p], peer->shape.ring_slots[p]);
    }
}

void worker_rig_welcome(struct worker_rig *rig)
{
    struct worker_rig_frontend *frontend = &rig->frontend;
    const struct worker_half *peer = frontend->worker_half.base;
    struct attach_welcome welcome = {.magic = ATTACH_MAGIC,
                                     .kind = ATTACH_WELCOME,
                                     .version = LANE_VERSION,
                                     .flow_seed = {frontend->flow_seed}};
    struct segment_spec spec = {.name = "mpa-test-half", .kind = SEGMENT_FRONTEND, .version = LANE_VERSION};
    struct lane_layout layout;
    int pair[2];

    lane_layout_init(&layout, &peer->shape);
    spec.size_bytes = layout.frontend_bytes;
    CU_ASSERT_EQUAL_FATAL(segment_new(&frontend->half, &spec), 0);
    CU_ASSERT_EQUAL_FATAL(segment_seal(&frontend->half), 0);
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    frontend->wake_socket = pair[0];
    rig_rings(frontend, &layout);
    const int fds[N_ATTACH_WELCOME_FDS] = {frontend->half.fd, frontend->host.fd, frontend->pool.segment.fd,
                                           pair[1]};
    CU_ASSERT_EQUAL_FATAL(fd_send(frontend->socket, &welcome, sizeof(welcome), fds, N_ATTACH_WELCOME_FDS), 0);
    close(pair[1]);
}

void worker_rig_refuse(struct worker_rig *rig, int error, const char *text)
{
    struct attach_refused refused = {.magic = ATTACH_MAGIC, .kind = ATTACH_REFUSED, .error = error};

    snprintf(refused.text, sizeof(refused.text), "%s", text);
    CU_ASSERT_EQUAL_FATAL(fd_send(rig->frontend.socket, &refused, sizeof(refused), NULL, 0), 0);
    fd_close(&rig->frontend.socket);
    segment_fini(&rig->frontend.worker_half);
    segment_fini(&rig->frontend.records);
}

bool worker_rig_is_ready(struct worker_rig *rig)
{
    struct attach_ready ready = {0};
    int fds[1];

    return fd_receive(rig->frontend.socket, &ready, sizeof(ready), fds, 0) == (ssize_t)sizeof(ready) &&
           ready.kind == ATTACH_READY;
}

static void rig_memory(struct worker *worker)
{
    const struct records_segment *records = worker->records.base;

    CU_ASSERT_EQUAL_FATAL(pool_init(8u << 20), 0);
    CU_ASSERT_EQUAL_FATAL(fifo_memory_init(&worker->fifo_memory,
                                           (uint8_t *)worker->records.base + records->fifo_off,
                                           records->fifo_bytes),
                          0);
    fifo_memory_hold(&worker->fifo_memory);
    worker->services = service_table_new(&worker->config.services);
    CU_ASSERT_PTR_NOT_NULL_FATAL(worker->services);
}

/* The steps of worker_attach(), between which the frontend answers. */
void worker_rig_start(struct worker_rig *rig)
{
    struct worker *worker = &rig->worker;
    struct attach_refused refused;
    char path[CONFIG_PATH_BYTES];

    worker_prepare(worker);
    snprintf(rig->dir, sizeof(rig->dir), "/tmp/mpa-worker-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(rig->dir));
    rig_config(rig);
    rig_path(rig, path);
    worker->slot = WORKER_RIG_SLOT;
    worker->pidfd = eventfd(0, EFD_CLOEXEC); /* the frontend is a test and watches nobody */
    worker_rig_frontend_listen(rig);
    CU_ASSERT_EQUAL_FATAL(worker_new_half(worker, &worker->half), 0);
    CU_ASSERT_EQUAL_FATAL(worker_new_records(worker), 0);
    worker->attach_socket = fd_connect_seqpacket_now(path);
    CU_ASSERT_EQUAL_FATAL(worker_send_hello(worker, 0), 0);
    worker_rig_take_hello(rig);
    worker_rig_welcome(rig);
    CU_ASSERT_EQUAL_FATAL(worker_take_welcome(worker, &refused), 0);
    rig_memory(worker);
    CU_ASSERT_EQUAL_FATAL(worker_stack_init(worker), 0);
    CU_ASSERT_EQUAL_FATAL(worker_attach_ready(worker), 0);
    CU_ASSERT_FATAL(worker_rig_is_ready(rig));
    rig->now_ns = worker->stack.now_ns;
}

void worker_rig_end(struct worker_rig *rig)
{
    char path[CONFIG_PATH_BYTES];

    stack_fini(&rig->worker.stack);
    fifo_memory_fini(&rig->worker.fifo_memory);
    worker_fini(&rig->worker);
    pool_fini();
    worker_rig_frontend_end(rig);
    rig_path(rig, path);
    unlink(path);
    CU_ASSERT_EQUAL(rmdir(rig->dir), 0);
}

void worker_rig_send(struct worker_rig *rig, const void *message, size_t size, int fd)
{
    CU_ASSERT_EQUAL_FATAL(fd_send(rig->frontend.socket, message, size, &fd, fd >= 0), 0);
}

void worker_rig_slot(struct worker_rig *rig, enum lane_priority priority, enum lane_slot_kind kind,
                     uint64_t number)
{
    struct ring_producer *ring = &rig->frontend.rx[priority];

    CU_ASSERT_EQUAL_FATAL(ring_producer_refresh(ring), RING_OK);
    CU_ASSERT_FATAL(ring_producer_room(ring) > 0);
    ring_producer_stage(ring, lane_word((uint32_t)kind, 0, 0), number);
    ring_producer_publish(ring);
}

void worker_rig_turn(struct worker_rig *rig)
{
    uint64_t next_ns;

    rig->now_ns += RIG_TICK_NS;
    worker_turn(&rig->worker, rig->now_ns, &next_ns);
}

struct ring_slot_value worker_rig_take(struct worker_rig *rig, enum lane_priority priority)
{
    struct ring_consumer *ring = &rig->frontend.tx[priority];
    struct ring_slot_value value = {{0}};

    CU_ASSERT_EQUAL_FATAL(ring_consumer_refresh(ring), RING_OK);
    if (ring_consumer_ready(ring) == 0)
        return value;
    value = ring_consumer_peek(ring, 0);
    ring_consumer_take(ring, 1);
    ring_consumer_free(ring);
    return value;
}
