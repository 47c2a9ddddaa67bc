/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frontend.c — the two start steps of the frontend and its end.
 *
 * The order of the first step is that of the rights it takes and of who may see it half done: the lock before
 * anything that a second instance would also touch; the tables before the sockets that need them; the NIC
 * while we may still open it; the attach socket once a worker that comes can be served; capabilities away
 * before the control thread is there, for a thread keeps its own. Nothing is received before the second step.
 *
 * Whatever fails is said once, here or below, with the name of the step; the caller only ends.
 */
#include "frontend/frontend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/start.h"
#include "shm/frontend_writes.h"

#define FRONTEND_PINS 4096u
#define NIC_FD_NAME "nic" /* in the service manager's store */

/* Passes the result on. */
static int frontend_failed(const char *what, int failed)
{
    if (failed < 0)
        log_error("%s_failed error=\"%s\"", what, strerror(-failed));
    return failed;
}

/* One frontend for each runtime folder. The lock ends with the process however that dies; the file stays, for
 * a new one could be locked beside one that is still open. */
static int frontend_lock(struct frontend *frontend)
{
    const char *folder = frontend->config.control.runtime_dir;
    char path[CONFIG_PATH_BYTES];

    if (mkdir(folder, 0755) < 0 && errno != EEXIST) {
        log_error("runtime_dir_failed dir=%s error=\"%s\"", folder, strerror(errno));
        return -errno;
    }
    snprintf(path, sizeof(path), "%s/frontend.lock", folder);
    frontend->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (frontend->lock_fd < 0) {
        log_error("lock_failed file=%s error=\"%s\"", path, strerror(errno));
        return -errno;
    }
    if (flock(frontend->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    log_error("already_running runtime_dir=%s hint=\"another mpa-frontend holds %s\"", folder, path);
    return -EBUSY;
}

/* What the loop waits for. Signals are blocked before any thread is started: all of them inherit it. */
static int frontend_events(struct frontend *frontend)
{
    frontend->signal_fd = start_signals();
    if (frontend->signal_fd < 0)
        return frontend->signal_fd;
    frontend->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return frontend->epoll_fd < 0 ? -errno : 0;
}

/* What the NIC turned out to be goes to the board at once: the control thread may be asked before a frame has
 * come. */
static int frontend_open_nic(struct frontend *frontend)
{
    char error[256];
    int failed = nic_open_kept(&frontend->nic, &frontend->config.nic,
                               inherit_take(&frontend->inherit, NIC_FD_NAME), error, sizeof(error));

    if (failed < 0) {
        log_error("nic_failed nic=%s error=\"%s\"", frontend->config.nic.name, error);
        return failed;
    }
    memcpy(frontend->board.nic_info.mac, frontend->nic.mac, 6);
    frontend->board.nic_info.mtu_bytes = frontend->nic.mtu_bytes;
    frontend->board.nic_info.caps = frontend->nic.caps;
    keep_begin(frontend);
    /* With a service manager the interface does not even lose its carrier when we die. */
    if (frontend->nic.ops->keep != NULL && frontend->nic.fd >= 0 &&
        notify_store(&frontend->notify, NIC_FD_NAME, frontend->nic.fd) == 0)
        log_debug("nic_stored nic=%s", frontend->config.nic.name);
    return 0;
}

/* What all workers may read: addresses and the bucket table. Sealed before the first of them maps it, so that
 * nobody but this mapping can ever write there. */
static int frontend_host_segment(struct frontend *frontend)
{
    uint32_t n_buckets = frontend->config.frontend.n_buckets;
    struct segment_spec spec = {
        .name = "mpa-host",
        .kind = SEGMENT_HOST,
        .version = HOST_SEGMENT_VERSION,
        .size_bytes = sizeof(struct host_segment) + n_buckets,
    };
    int failed = segment_new(&frontend->host_segment, &spec);

    if (failed < 0)
        return failed;
    struct host_segment *host = frontend->host_segment.base;
    host->n_buckets = n_buckets;
    for (uint32_t i = 0; i < n_buckets; i++) {
        atomic_store_explicit(&host->bucket_worker[i], BUCKET_NO_WORKER, memory_order_relaxed);
        atomic_store_explicit(&frontend->board.bucket_worker[i], BUCKET_NO_WORKER, memory_order_relaxed);
    }
    return segment_seal(&frontend->host_segment);
}

/* Frames that wait must not take the pool from those that are served. */
static uint32_t frontend_max_held(const struct config_frontend *config)
{
    uint32_t n_max = config->pool_chunks / 2;

    return config->held_frames < n_max ? config->held_frames : n_max;
}

/* All memory of the data loop, so that it never asks for any. */
static int frontend_tables(struct frontend *frontend)
{
    const struct config_frontend *config = &frontend->config.frontend;
    int failed = frontend_failed("board", board_init(&frontend->board, config->n_buckets));

    if (failed == 0)
        failed = frontend_failed("buckets", bucket_table_init(&frontend->buckets, config->n_buckets));
    if (failed == 0)
        failed = frontend_failed("orders", orders_init(&frontend->orders, config->n_buckets));
    if (failed == 0)
        failed = frontend_failed("pins", pin_table_init(&frontend->pins, FRONTEND_PINS));
    if (failed == 0)
        failed = frontend_failed("park", park_init(&frontend->park, config->park_frames));
    if (failed == 0)
        failed = frontend_failed("held", held_init(&frontend->held, frontend_max_held(config)));
    estates_init(&frontend->estates);
    frontend->next_number = clock_now_ns();
    if (failed == 0)
        failed = frontend_failed("pool", frame_pool_init(&frontend->pool, config->pool_chunks,
                                                         config->pool_large_chunks, config->hugepages));
    /* Hugepages are the machine's, and few: to go without costs speed, to refuse would cost the service. */
    if (failed == 0 && config->hugepages && !frontend->pool.segment.is_huge)
        log_warn("hugepages_missing segment=pool action=normal_pages");
    if (failed == 0)
        failed = frontend_failed("host_segment", frontend_host_segment(frontend));
    return failed;
}

int frontend_init_privileged(struct frontend *frontend)
{
    char error[256];
    int failed;

    inherit_open(&frontend->inherit);
    notify_open(&frontend->notify);
    failed = frontend_lock(frontend);
    /* Short sleeps are asked for in microseconds; the default slack of 50 would be most of them. */
    prctl(PR_SET_TIMERSLACK, 1000);
    if (failed == 0)
        failed = frontend_failed("events", frontend_events(frontend));
    if (failed == 0)
        failed = frontend_tables(frontend);
    if (failed == 0)
        failed = keys_load(frontend);
    if (failed == 0)
        failed = returning_init(frontend);
    if (failed == 0)
        suspects_init(&frontend->suspects, frontend->config.control.runtime_dir);
    if (failed == 0)
        failed = frontend_open_nic(frontend);
    if (failed == 0)
        failed = broker_init(frontend);
    inherit_close(&frontend->inherit);
    /* Capabilities are a thread's own, so they go before the control thread comes. */
    if (failed == 0)
        failed = frontend_drop_capabilities();
    if (failed < 0)
        return failed;
    frontend->control = control_start(&frontend->config, &frontend->board, error, sizeof(error));
    if (frontend->control == NULL) {
        log_error("control_failed error=\"%s\"", error);
        return -EIO;
    }
    /* Last: the control thread keeps its choice of CPUs. */
    start_pin(frontend->config.frontend.rx_cpu);
    return 0;
}

static void frontend_on_transmit(void *context, const uint8_t *frame, uint32_t len_bytes)
{
    frontend_transmit_host(context, frame, len_bytes);
}

static void frontend_on_reassembled(void *context, const uint8_t *packet, uint32_t len_bytes)
{
    frontend_receive_datagram(context, packet, len_bytes);
}

/* A lease or a router has come or gone: what is checked on the way out changes before the workers hear of it.
 */
static void frontend_on_changed(void *context, const struct host_addresses *addresses)
{
    struct frontend *frontend = context;

    frontend->addresses = *addresses;
    broker_publish_host(frontend);
}

static const struct host_callbacks frontend_host_callbacks = {frontend_on_transmit, frontend_on_reassembled,
                                                              frontend_on_changed};

int frontend_init_confined(struct frontend *frontend)
{
    frontend->now_ns = clock_now_ns();
    frontend->host = host_new(&frontend->config, frontend->nic.mac, &frontend_host_callbacks, frontend);
    if (frontend->host == NULL)
        return frontend_failed("host_stack", -errno);
    host_set_counters(frontend->host, frontend->board.nic);
    returning_restore(frontend);
    /* Static IPv4 addresses are there at once; no change will tell of them. */
    frontend->addresses = *host_addresses(frontend->host);
    broker_publish_host(frontend);
    frontend_receive_init(frontend);
    log_info("serving nic=%s backend=%s mtu=%u offload=%s", frontend->config.nic.name,
             frontend->nic.ops->name, frontend->nic.mtu_bytes, frontend->nic.caps != 0 ? "yes" : "no");
    return 0;
}

/* Takes what any failed start leaves behind. The control thread ends first: it reads the board. Lanes give
 * their chunks back to the pool, so they go before it. */
void frontend_fini(struct frontend *frontend)
{
    keep_end(frontend); /* first: closing the control sockets may be cut short */
    if (frontend->control != NULL)
        control_stop(frontend->control);
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        if (frontend->lanes[i].state != BOARD_LANE_EMPTY)
            lane_detach(&frontend->lanes[i], &frontend->pool);
    }
    host_free(frontend->host);
    if (frontend->nic.ops != NULL)
        nic_close(&frontend->nic);
    returning_fini(frontend);
    suspects_fini(&frontend->suspects);
    estates_fini(&frontend->estates);
    fd_close(&frontend->handover.source_fd);
    held_fini(&frontend->held);
    park_fini(&frontend->park);
    pin_table_fini(&frontend->pins);
    orders_fini(&frontend->orders);
    bucket_table_fini(&frontend->buckets);
    frame_pool_fini(&frontend->pool);
    segment_fini(&frontend->host_segment);
    board_fini(&frontend->board);
    broker_fini(frontend);
    fd_close(&frontend->epoll_fd);
    fd_close(&frontend->signal_fd);
    fd_close(&frontend->lock_fd);
    notify_close(&frontend->notify);
}
