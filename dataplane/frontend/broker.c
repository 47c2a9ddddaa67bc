/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * broker.c — how lanes come: hello, welcome, ready; and what all workers are told. A worker that misbehaves
 * on the socket is refused; one that misbehaves on the lane is quarantined (farewell.c).
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "frontend/frontend.h"
#include "shm/frontend_writes.h"

/* What epoll hands back: the lane and which of its descriptors. loop.c tells them apart by range. */
static int broker_watch(int epoll_fd, int fd, uint64_t tag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag};

    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* Whoever transmits sleeps for the workers' wakes. */
static int broker_wake_epoll(const struct frontend *frontend)
{
    return frontend->stage.is_split ? frontend->stage.epoll_fd : frontend->epoll_fd;
}

/* Whose processes may be workers: names are looked up while files can be opened. 0 or -errno. */
static int broker_users(struct frontend *frontend)
{
    const char *name = frontend->config.frontend.worker_user;
    const struct passwd *user;
    char *end;

    frontend->own_uid = frontend->worker_uid = geteuid();
    if (name[0] == '\0')
        return 0;
    user = getpwnam(name);
    if (user != NULL) {
        frontend->worker_uid = user->pw_uid;
        return 0;
    }
    frontend->worker_uid = (uid_t)strtoul(name, &end, 10);
    if (*end == '\0')
        return 0;
    log_error("worker_user_unknown user=%s hint=\"frontend.worker_user\"", name);
    return -ENOENT;
}

/* The socket that the service manager holds for us, or one of our own. 0 or -errno. */
static int broker_listen(struct frontend *frontend, const char *path)
{
    int failed;

    frontend->listen_socket = inherit_take(&frontend->inherit, "attach");
    if (frontend->listen_socket < 0) {
        frontend->listen_socket = fd_listen_seqpacket(path, 0660);
        return frontend->listen_socket < 0 ? frontend->listen_socket : 0;
    }
    failed = fd_check_listener(frontend->listen_socket, path);
    frontend->is_listen_inherited = failed == 0;
    if (failed < 0)
        fd_close(&frontend->listen_socket);
    return failed;
}

int broker_init(struct frontend *frontend)
{
    char path[CONFIG_PATH_BYTES];
    int failed = broker_users(frontend);

    if (failed < 0)
        return failed;
    snprintf(path, sizeof(path), "%s/%s", frontend->config.control.runtime_dir, ATTACH_SOCKET_NAME);
    failed = broker_listen(frontend, path);
    if (failed < 0) {
        log_error("attach_socket_failed socket=%s error=\"%s\"", path, strerror(-failed));
        return failed;
    }
    for (unsigned i = 0; i < FRONTEND_MAX_GREETING; i++)
        frontend->greeting[i] = -1;
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++)
        lane_init(&frontend->lanes[i], (uint8_t)i, &frontend->board.lanes[i]);
    return 0;
}

void broker_fini(struct frontend *frontend)
{
    char path[CONFIG_PATH_BYTES];

    if (frontend->listen_socket < 0)
        return;
    snprintf(path, sizeof(path), "%s/%s", frontend->config.control.runtime_dir, ATTACH_SOCKET_NAME);
    if (!frontend->is_listen_inherited && unlink(path) < 0)
        log_warn("attach_socket_left socket=%s error=\"%s\"", path, strerror(errno));
    fd_close(&frontend->listen_socket);
    for (unsigned i = 0; i < FRONTEND_MAX_GREETING; i++)
        fd_close(&frontend->greeting[i]);
}

static uint32_t broker_count_buckets(const struct frontend *frontend, uint8_t worker)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < frontend->buckets.n_buckets; i++)
        n += frontend->buckets.worker[i] == worker;
    return n;
}

void broker_publish_host(struct frontend *frontend)
{
    struct host_segment *host = frontend->host_segment.base;
    uint32_t seq = atomic_load_explicit(&host->seq, memory_order_relaxed);
    struct host_facts *facts = &host->copies[(seq / 2 + 1) % 2];

    *facts = (struct host_facts){
        .n_addresses = frontend->addresses.n_addresses,
        .mtu_bytes = frontend->addresses.mtu_bytes,
        .caps = HOST_CAP_CSUM, /* the NIC or transmit.c completes them */
    };
    if ((frontend->nic.caps & (NIC_CAP_TSO4 | NIC_CAP_TSO6)) == (NIC_CAP_TSO4 | NIC_CAP_TSO6))
        facts->caps |= HOST_CAP_GSO;
    memcpy(facts->addresses, frontend->addresses.addresses, sizeof(facts->addresses));
    /* Release: pairs with the acquire in worker_take_addresses(). */
    atomic_store_explicit(&host->seq, seq + 2, memory_order_release);
    board_set_addresses(&frontend->board, &frontend->addresses);
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        struct lane *lane = &frontend->lanes[i];

        if (!(frontend->lane_mask >> i & 1) || ring_producer_room(&lane->rx[LANE_NORMAL]) == 0)
            continue;
        ring_producer_stage(&lane->rx[LANE_NORMAL], lane_word(LANE_SLOT_ADDRESSES, 0, 0), 0);
        lane_publish(lane);
    }
    board_event_add(&frontend->board, frontend->now_ns, BOARD_EVENT_ADDRESSES, 0, 0);
}

static void broker_refuse(struct frontend *frontend, int socket, uint32_t slot, int error, const char *text)
{
    struct attach_refused refused = {.magic = ATTACH_MAGIC, .kind = ATTACH_REFUSED, .error = error};

    snprintf(refused.text, sizeof(refused.text), "%s", text);
    if (fd_send(socket, &refused, sizeof(refused), NULL, 0) < 0)
        log_debug("refusal_not_sent");
    close(socket);
    log_warn("attach_refused slot=%u reason=\"%s\"", slot, text);
    board_event_add(&frontend->board, frontend->now_ns, BOARD_EVENT_REFUSED, slot, (uint64_t)-error);
}

/* NULL when the hello is fine, else why not. */
static const char *broker_check_hello(const struct frontend *frontend, const struct attach_hello *hello,
                                      ssize_t size)
{
    if (size != (ssize_t)sizeof(*hello) || hello->magic != ATTACH_MAGIC || hello->kind != ATTACH_HELLO)
        return "not a hello";
    if (lane_version_choose(hello->version_min, hello->version_max) == 0)
        return "no common lane version";
    if (hello->slot >= FRONTEND_MAX_LANES)
        return "no such worker slot";
    if (frontend->lanes[hello->slot].state != BOARD_LANE_EMPTY)
        return "the worker slot is taken";
    return NULL;
}

static int broker_welcome(struct frontend *frontend, struct lane *lane, int socket)
{
    struct attach_welcome welcome = {.magic = ATTACH_MAGIC, .kind = ATTACH_WELCOME, .version = lane->version};
    int pair[2];
    int fds[N_ATTACH_WELCOME_FDS];
    int failed;

    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -errno;
    lane_start(lane, pair[0]);
    memcpy(welcome.flow_seed, frontend->seed.words, sizeof(welcome.flow_seed));
    memcpy(welcome.isn_key, frontend->isn_key, sizeof(welcome.isn_key));
    fds[ATTACH_FD_FRONTEND_HALF] = lane->own_half.fd;
    fds[ATTACH_FD_HOST] = frontend->host_segment.fd;
    fds[ATTACH_FD_POOL] = frontend->pool.segment.fd;
    fds[ATTACH_FD_WAKE] = pair[1];
    failed = fd_send(socket, &welcome, sizeof(welcome), fds, N_ATTACH_WELCOME_FDS);
    close(pair[1]);
    return failed;
}

/* A pidfd of our own making is what may be killed: the one it sent could be anybody's. */
static void broker_take_pid(struct lane *lane, pid_t pid)
{
    int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

    if (pidfd < 0)
        return;
    fd_close(&lane->pidfd);
    lane->pidfd = pidfd;
    lane->peer_pid = (uint32_t)pid;
    atomic_store_explicit(&lane->board->peer_pid, lane->peer_pid, memory_order_relaxed);
}

/* A worker that was taken over would attach again, for the flows that a new one gets from all others. */
static bool broker_has_lane(const struct frontend *frontend, pid_t pid)
{
    for (unsigned i = 0; i < FRONTEND_MAX_LANES && pid > 0; i++) {
        if (frontend->lanes[i].state != BOARD_LANE_EMPTY && frontend->lanes[i].peer_pid == (uint32_t)pid)
            return true;
    }
    return false;
}

static void broker_hello(struct frontend *frontend, int socket)
{
    struct attach_hello hello = {0};
    struct ucred peer = {0};
    socklen_t peer_size = sizeof(peer);
    int fds[N_ATTACH_HELLO_FDS];
    ssize_t size = fd_receive(socket, &hello, sizeof(hello), fds, N_ATTACH_HELLO_FDS);
    const char *objection = size < 0 ? "not a hello" : broker_check_hello(frontend, &hello, size);
    struct lane *lane;
    int refusal = -EINVAL;
    int failed;

    if (objection == NULL && (hello.flags & ATTACH_RETURNS) != 0 &&
        returning_is_settled(frontend, (uint8_t)hello.slot)) {
        objection = "others have its connections";
        refusal = -ESTALE;
    }
    if (objection == NULL && getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) < 0)
        objection = "no peer credentials";
    /* Across containers the pid is 0; the uid is what says who it is. */
    if (objection == NULL && peer.uid != 0 && peer.uid != frontend->own_uid &&
        peer.uid != frontend->worker_uid)
        objection = "its user may not be a worker";
    if (objection == NULL && broker_has_lane(frontend, peer.pid))
        objection = "the process has a lane already";
    if (objection != NULL) {
        for (unsigned i = 0; size >= 0 && i < N_ATTACH_HELLO_FDS; i++)
            fd_close(&fds[i]);
        broker_refuse(frontend, socket, hello.slot, refusal, objection);
        return;
    }
    lane = &frontend->lanes[hello.slot];
    failed = lane_attach(lane, &hello, fds);
    lane->has_returned = lane->is_unsettled = (hello.flags & ATTACH_RETURNS) != 0;
    if (failed == 0)
        failed = broker_welcome(frontend, lane, socket);
    /* It has died since: its records are here, and its death is seen like any other. */
    if (failed == -EPIPE && lane->has_returned)
        failed = 0;
    if (failed == 0)
        failed = broker_watch(frontend->epoll_fd, socket, lane->slot);
    if (failed < 0) {
        lane_detach(lane, &frontend->pool);
        lane->state = BOARD_LANE_EMPTY;
        broker_refuse(frontend, socket, hello.slot, failed, "its segments or descriptors are not valid");
        return;
    }
    lane->attach_socket = socket;
    lane->uid = peer.uid;
    broker_take_pid(lane, peer.pid);
    returning_hello(frontend, lane->slot, lane->has_returned);
    board_event_add(&frontend->board, frontend->now_ns, BOARD_EVENT_ATTACHED, lane->slot, 0);
}

void broker_greeting_event(struct frontend *frontend, unsigned idx)
{
    int socket = frontend->greeting[idx];

    if (socket < 0)
        return;
    frontend->greeting[idx] = -1;
    epoll_ctl(frontend->epoll_fd, EPOLL_CTL_DEL, socket, NULL);
    broker_hello(frontend, socket);
}

/* Nobody is waited for: who says nothing gives way to the next that comes. */
void broker_accept(struct frontend *frontend)
{
    int socket = accept4(frontend->listen_socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    unsigned idx = frontend->next_greeting;

    if (socket < 0)
        return;
    frontend->next_greeting = (idx + 1) % FRONTEND_MAX_GREETING;
    fd_close(&frontend->greeting[idx]);
    if (broker_watch(frontend->epoll_fd, socket, FRONTEND_TAG_GREETING + idx) < 0) {
        close(socket);
        return;
    }
    frontend->greeting[idx] = socket;
}

static void broker_serving(struct frontend *frontend, struct lane *lane)
{
    lane->state = BOARD_LANE_SERVING;
    returning_settle(frontend, lane->slot);
    lane->seen_ns = frontend->now_ns;
    frontend->lane_mask |= 1u << lane->slot;
    atomic_store_explicit(&lane->tx_fault, 0, memory_order_relaxed);
    if (broker_watch(broker_wake_epoll(frontend), lane->wake_socket, FRONTEND_MAX_LANES + lane->slot) < 0 ||
        broker_watch(frontend->epoll_fd, lane->pidfd, 2 * FRONTEND_MAX_LANES + lane->slot) < 0)
        log_warn("watch_failed slot=%u", lane->slot);
    /* Orphaned buckets, if there are any, now have a worker; a share of the others comes by hand-over. */
    if (lane->has_returned)
        returning_serves(frontend, lane);
    else
        orders_fill(frontend, lane->slot);
    frontend_move(frontend);
    log_info("worker_serving slot=%u pid=%u buckets=%u", lane->slot, lane->pid,
             broker_count_buckets(frontend, lane->slot));
    frontend_report_lane(frontend, lane, broker_count_buckets(frontend, lane->slot));
    board_event_add(&frontend->board, frontend->now_ns, BOARD_EVENT_SERVING, lane->slot,
                    broker_count_buckets(frontend, lane->slot));
}

void broker_lane_event(struct frontend *frontend, struct lane *lane)
{
    struct attach_ready ready = {0};
    int fds[1];
    ssize_t size;

    if (lane->attach_socket < 0)
        return;
    size = fd_receive(lane->attach_socket, &ready, sizeof(ready), fds, 0);
    if (size == -EAGAIN)
        return;
    if (lane->state == BOARD_LANE_ATTACHING && size == (ssize_t)sizeof(ready) &&
        ready.magic == ATTACH_MAGIC && ready.kind == ATTACH_READY)
        broker_serving(frontend, lane);
    else
        broker_hung_up(frontend, lane); /* its end, or words that a worker does not say */
}
