/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * churn.c — short connections until told to stop (orders.h), -n of them at a time, each some 30 ms long and
 * every byte checked. They come in turns of two kinds:
 *
 *   client first   echo: half of --bytes, a pause, the other half, then our FIN, the rest of the echo, theirs
 *   server first   http: half of a request, a pause, the rest; the page, which ends with the server's FIN
 *
 * Each must complete: a connection that is reset, cut short or given up by our kernel is counted. The page
 * (http_root's index.html) must be the pattern of --seed.
 */
#include "net.h"
#include "orders.h"
#include "pattern.h"
#include "tally.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHURN_N_EVENTS 256
#define CHURN_LIFE_NS 30000000u
#define CHURN_TICK_MS 2
#define CHURN_HEAD_BYTES 2048u
#define CHURN_N_SERIALS 50000u /* of one source address: net_connect_start() */

enum churn_step {
    CHURN_FREE,
    CHURN_CONNECTING,
    CHURN_PAUSE,  /* the first half is sent */
    CHURN_FINISH, /* all is sent; echo: and our FIN */
};

struct slot {
    int fd;
    enum churn_step step;
    bool is_http;
    uint64_t seed; /* of an echo */
    uint64_t start_ns, waiting_ns;
    uint64_t n_sent, n_received; /* http: received of the page, behind the head */
    uint64_t page_bytes;         /* http: Content-Length, once the head is complete */
    unsigned n_head;             /* http: bytes of the head so far */
    bool has_head;
    char head[CHURN_HEAD_BYTES];
};

struct churn {
    const struct options *options;
    int epoll_fd;
    struct slot *slots;
    unsigned n_busy;
    uint64_t serial;
    uint64_t stop_ns;
    struct orders orders;
    struct tally tally;
};

static const char http_request[] = "GET / HTTP/1.1\r\nHost: peer\r\nConnection: close\r\n\r\n";

/* Serials go round: by then TIME_WAIT of the first ones is over at both ends. */
static void slot_start(struct churn *churn, struct slot *slot)
{
    uint64_t n_serials = (uint64_t)churn->options->n_sources * CHURN_N_SERIALS;
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = slot};

    slot->is_http = churn->serial % 2 == 1;
    slot->fd = net_connect_start(churn->options, slot->is_http ? PEER_PORT_HTTP : PEER_PORT_ECHO,
                                 churn->serial % n_serials);
    slot->seed = churn->options->seed + ++churn->serial;
    if (slot->fd < 0)
        return; /* the port is in use yet: the next turn takes the next one */
    slot->step = CHURN_CONNECTING;
    slot->start_ns = slot->waiting_ns = net_now_ns();
    slot->n_sent = slot->n_received = slot->page_bytes = 0;
    slot->n_head = 0;
    slot->has_head = false;
    epoll_ctl(churn->epoll_fd, EPOLL_CTL_ADD, slot->fd, &event);
    churn->n_busy++;
    churn->tally.n_connections++;
}

static void slot_end(struct churn *churn, struct slot *slot, int error)
{
    tally_wait(&churn->tally, slot->fd, slot->waiting_ns, net_now_ns());
    tally_socket(&churn->tally, slot->fd);
    if (error < 0)
        tally_failure(&churn->tally, slot->fd, slot->n_received, error);
    else
        churn->tally.n_completed++;
    close(slot->fd);
    slot->step = CHURN_FREE;
    churn->n_busy--;
}

/* Sends up to position `end` in one go: it is far less than a socket buffer. */
static int slot_send(struct churn *churn, struct slot *slot, uint64_t end)
{
    uint8_t bytes[8192];
    size_t n = (size_t)(end - slot->n_sent);

    if (slot->is_http)
        memcpy(bytes, http_request + slot->n_sent, n);
    else
        pattern_fill(slot->seed, slot->n_sent, bytes, n);
    if (send(slot->fd, bytes, n, 0) != (ssize_t)n)
        return errno != 0 && errno != EAGAIN ? -errno : -EIO;
    slot->n_sent = end;
    churn->tally.n_bytes_sent += n;
    return 0;
}

static uint64_t bytes_to_send(const struct churn *churn, const struct slot *slot)
{
    return slot->is_http ? sizeof(http_request) - 1 : churn->options->n_bytes;
}

static int slot_connected(struct churn *churn, struct slot *slot)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = slot};
    int error = net_connect_result(slot->fd);

    if (error < 0)
        return error;
    epoll_ctl(churn->epoll_fd, EPOLL_CTL_MOD, slot->fd, &event);
    slot->step = CHURN_PAUSE;
    return slot_send(churn, slot, bytes_to_send(churn, slot) / 2);
}

static int slot_finish(struct churn *churn, struct slot *slot)
{
    int error = slot_send(churn, slot, bytes_to_send(churn, slot));

    slot->step = CHURN_FINISH;
    if (error == 0 && !slot->is_http && shutdown(slot->fd, SHUT_WR) < 0)
        error = -errno;
    return error;
}

static int check_bytes(struct churn *churn, struct slot *slot, const uint8_t *bytes, size_t n)
{
    uint64_t seed = slot->is_http ? churn->options->seed : slot->seed;
    uint64_t end = slot->is_http ? slot->page_bytes : slot->n_sent;
    size_t n_good = pattern_check(seed, slot->n_received, bytes, n);

    if (slot->n_received + n > end && n_good > end - slot->n_received)
        n_good = (size_t)(end - slot->n_received);
    slot->n_received += n_good;
    churn->tally.n_bytes_received += n_good;
    churn->tally.n_bad_bytes += n - n_good;
    return n_good == n ? 0 : -EBADMSG;
}

/* Collects the head; what stands behind it is the page. */
static int take_head(struct churn *churn, struct slot *slot, const uint8_t *bytes, size_t n)
{
    size_t n_copied = sizeof(slot->head) - 1 - slot->n_head;
    char *end, *length;
    size_t n_behind;

    n_copied = n < n_copied ? n : n_copied;
    memcpy(slot->head + slot->n_head, bytes, n_copied);
    slot->n_head += (unsigned)n_copied;
    slot->head[slot->n_head] = '\0';
    end = strstr(slot->head, "\r\n\r\n");
    if (end == NULL)
        return slot->n_head < sizeof(slot->head) - 1 ? 0 : -EPROTO;
    length = strcasestr(slot->head, "\r\nContent-Length:");
    if (strncmp(slot->head, "HTTP/1.1 200", 12) != 0 || length == NULL || length > end)
        return -EPROTO;
    slot->has_head = true;
    slot->page_bytes = strtoull(length + 17, NULL, 10);
    n_behind = (size_t)(slot->head + slot->n_head - (end + 4)) + (n - n_copied);
    return check_bytes(churn, slot, bytes + (n - n_behind), n_behind);
}

static int slot_end_of_stream(const struct slot *slot)
{
    bool is_whole = slot->is_http ? slot->has_head && slot->n_received == slot->page_bytes
                                  : slot->step == CHURN_FINISH && slot->n_received == slot->n_sent;

    return is_whole ? 1 : -ENODATA;
}

/* 0, -errno, or 1 when the connection has ended well. */
static int slot_receive(struct churn *churn, struct slot *slot)
{
    uint8_t bytes[65536];
    ssize_t n = recv(slot->fd, bytes, sizeof(bytes), 0);
    uint64_t now_ns = net_now_ns();

    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;
    if (n == 0)
        return slot_end_of_stream(slot);
    tally_wait(&churn->tally, slot->fd, slot->waiting_ns, now_ns);
    slot->waiting_ns = now_ns;
    if (slot->is_http && !slot->has_head)
        return take_head(churn, slot, bytes, (size_t)n);
    return check_bytes(churn, slot, bytes, (size_t)n);
}

static void slot_event(struct churn *churn, struct slot *slot)
{
    int result = slot->step == CHURN_CONNECTING ? slot_connected(churn, slot) : slot_receive(churn, slot);

    if (result != 0)
        slot_end(churn, slot, result < 0 ? result : 0);
}

/* Starts what is free, goes on with what has paused. */
static void tick(struct churn *churn, uint64_t now_ns)
{
    for (unsigned i = 0; i < churn->options->n_connections; i++) {
        struct slot *slot = &churn->slots[i];
        int error = 0;

        if (slot->step == CHURN_FREE && churn->stop_ns == 0)
            slot_start(churn, slot);
        else if (slot->step == CHURN_PAUSE && now_ns >= slot->start_ns + CHURN_LIFE_NS)
            error = slot_finish(churn, slot);
        if (error < 0)
            slot_end(churn, slot, error);
    }
}

static void take_orders(struct churn *churn)
{
    for (;;) {
        uint64_t number = 0;

        switch (orders_next(&churn->orders, &number)) {
        case ORDER_FAULT:
            tally_fault(&churn->tally, number);
            break;
        case ORDER_STAT:
            tally_print(&churn->tally);
            break;
        case ORDER_STOP:
            churn->stop_ns = net_now_ns();
            return;
        case ORDER_PROBE:
            break;
        case ORDER_NONE:
            return;
        }
    }
}

static void run(struct churn *churn)
{
    uint64_t end_ns = net_now_ns() + (uint64_t)churn->options->run_ms * 1000000u;
    uint64_t timeout_ns = (uint64_t)churn->options->timeout_ms * 1000000u;
    struct epoll_event events[CHURN_N_EVENTS];

    for (;;) {
        uint64_t now_ns = net_now_ns();
        int n_ready;

        if (churn->stop_ns == 0)
            take_orders(churn);
        if (churn->stop_ns == 0 && now_ns >= end_ns)
            churn->stop_ns = now_ns;
        tick(churn, now_ns);
        if (churn->stop_ns != 0 && (churn->n_busy == 0 || now_ns > churn->stop_ns + timeout_ns))
            break;
        n_ready = epoll_wait(churn->epoll_fd, events, CHURN_N_EVENTS, CHURN_TICK_MS);
        for (int i = 0; i < n_ready; i++)
            slot_event(churn, events[i].data.ptr);
    }
    for (unsigned i = 0; i < churn->options->n_connections; i++) {
        if (churn->slots[i].step != CHURN_FREE)
            slot_end(churn, &churn->slots[i], -EINPROGRESS);
    }
}

int peer_churn(const struct options *options)
{
    static struct churn churn; /* the tally is large */
    int error = orders_init(&churn.orders);

    if (options->n_bytes < 2 || options->n_bytes > 8192)
        return peer_fail(options, "--bytes must be 2 to 8192");
    churn.options = churn.tally.options = options;
    churn.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    churn.slots = calloc(options->n_connections, sizeof(*churn.slots));
    if (error < 0 || churn.epoll_fd < 0 || churn.slots == NULL)
        return peer_fail(options, "no memory or descriptor");
    printf("{\"open\":0}\n");
    fflush(stdout);
    run(&churn);
    tally_print(&churn.tally);
    close(churn.epoll_fd);
    free(churn.slots);
    return tally_is_clean(&churn.tally) ? EXIT_SUCCESS : EXIT_FAILURE;
}
