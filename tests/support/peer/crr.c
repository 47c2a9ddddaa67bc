/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crr.c — connect, request, close, as often as it goes, -n under way at a time. With http the server closes
 * first ("Connection: close"), with echo the client. A connection that fails in any way is counted, and any
 * count makes the run fail; a new one takes its place.
 */
#include "net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CRR_N_EVENTS 256
#define CRR_SCAN_MS 100
#define CRR_STATUS_BYTES 12 /* "HTTP/1.1 200" */

enum crr_state {
    CRR_FREE,       /* no connection */
    CRR_CONNECTING, /* writable: the handshake has ended */
    CRR_WAITING,    /* request sent; readable: the answer, or the server's close */
};

struct slot {
    enum crr_state state;
    int fd;
    uint64_t start_ns;
    size_t n_received;
    char status[CRR_STATUS_BYTES];
};

struct crr {
    const struct options *options;
    uint16_t port;
    bool is_http;
    int epoll_fd;
    struct slot *slots;
    uint64_t serial; /* connections started: decides the source port */
    uint64_t n_done, n_errors;
    int first_error;
    bool is_out_of_sources;
};

static const char http_request[] = "GET / HTTP/1.1\r\nHost: peer\r\nConnection: close\r\n\r\n";

/* A failure to start is the end of the run: no source left, or no descriptor. */
static void start_slot(struct crr *crr, struct slot *slot)
{
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = slot};

    *slot = (struct slot){.state = CRR_CONNECTING, .start_ns = net_now_ns()};
    slot->fd = net_connect_start(crr->options, crr->port, crr->serial++);
    if (slot->fd < 0) {
        crr->is_out_of_sources = true;
        slot->state = CRR_FREE;
        return;
    }
    epoll_ctl(crr->epoll_fd, EPOLL_CTL_ADD, slot->fd, &event);
}

/* Ends a connection, well (0) or not (-errno), and starts the next. */
static void end_slot(struct crr *crr, struct slot *slot, int error)
{
    close(slot->fd);
    if (error < 0) {
        crr->n_errors++;
        crr->first_error = crr->first_error == 0 ? error : crr->first_error;
    } else {
        crr->n_done++;
    }
    start_slot(crr, slot);
}

static void send_request(struct crr *crr, struct slot *slot)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = slot};
    const char *request = crr->is_http ? http_request : "x";
    ssize_t length = crr->is_http ? (ssize_t)sizeof(http_request) - 1 : 1;
    int error = net_connect_result(slot->fd);

    if (error == 0 && send(slot->fd, request, (size_t)length, 0) != length)
        error = -EIO;
    if (error < 0) {
        end_slot(crr, slot, error);
        return;
    }
    slot->state = CRR_WAITING;
    epoll_ctl(crr->epoll_fd, EPOLL_CTL_MOD, slot->fd, &event);
}

/* With http the answer is complete when the server closes; the status line is kept and checked. */
static void take_answer(struct crr *crr, struct slot *slot)
{
    char bytes[16384];
    ssize_t n = recv(slot->fd, bytes, sizeof(bytes), 0);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n < 0) {
        end_slot(crr, slot, -errno);
        return;
    }
    for (ssize_t i = 0; i < n && slot->n_received + (size_t)i < CRR_STATUS_BYTES; i++)
        slot->status[slot->n_received + (size_t)i] = bytes[i];
    slot->n_received += (size_t)n;
    if (!crr->is_http)
        end_slot(crr, slot, slot->n_received == 1 && slot->status[0] == 'x' ? 0 : -EBADMSG);
    else if (n == 0)
        end_slot(crr, slot, memcmp(slot->status, "HTTP/1.1 200", CRR_STATUS_BYTES) == 0 ? 0 : -EBADMSG);
}

/* Slots are few; a scan each 100 ms costs less than a timer each. */
static void expire_slots(struct crr *crr)
{
    uint64_t timeout_ns = (uint64_t)crr->options->timeout_ms * 1000000u, now_ns = net_now_ns();

    for (unsigned i = 0; i < crr->options->n_connections; i++) {
        struct slot *slot = &crr->slots[i];

        if (slot->state != CRR_FREE && now_ns - slot->start_ns > timeout_ns)
            end_slot(crr, slot, -ETIMEDOUT);
    }
}

static void run_until(struct crr *crr, uint64_t end_ns)
{
    struct epoll_event events[CRR_N_EVENTS];
    uint64_t scan_ns = net_now_ns();

    while (net_now_ns() < end_ns && !crr->is_out_of_sources) {
        int n_ready = epoll_wait(crr->epoll_fd, events, CRR_N_EVENTS, CRR_SCAN_MS);

        for (int i = 0; i < n_ready; i++) {
            struct slot *slot = events[i].data.ptr;

            if (slot->state == CRR_CONNECTING)
                send_request(crr, slot);
            else if (slot->state == CRR_WAITING)
                take_answer(crr, slot);
        }
        if (net_now_ns() - scan_ns > CRR_SCAN_MS * 1000000u) {
            expire_slots(crr);
            scan_ns = net_now_ns();
        }
    }
}

/* The figure is printed even when the run fails: how many went well is part of the diagnosis. */
static int report(const struct crr *crr, uint64_t run_ns)
{
    const struct options *options = crr->options;

    printf(
        "{\"service\":\"%s\",\"connections\":%llu,\"errors\":%llu,\"seconds\":%.3f,\"connections_s\":%.0f}\n",
        crr->is_http ? "http" : "echo", (unsigned long long)crr->n_done, (unsigned long long)crr->n_errors,
        (double)run_ns / 1e9, (double)crr->n_done * 1e9 / (double)run_ns);
    if (crr->is_out_of_sources)
        return peer_fail(options, "source ports used up after %llu connections: more --sources",
                         (unsigned long long)crr->serial);
    if (crr->n_errors > 0)
        return peer_fail(options, "%llu connections failed, the first with: %s",
                         (unsigned long long)crr->n_errors, strerror(-crr->first_error));
    return crr->n_done > 0 ? EXIT_SUCCESS : peer_fail(options, "no connection was served");
}

int peer_crr(const struct options *options)
{
    struct crr crr = {.options = options, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    uint64_t start_ns = net_now_ns(), run_ns;
    int status;

    crr.is_http = options->argument == NULL || strcmp(options->argument, "http") == 0;
    crr.port = net_port(options, crr.is_http ? PEER_PORT_HTTP : PEER_PORT_ECHO);
    crr.slots = calloc(options->n_connections, sizeof(*crr.slots));
    if (crr.slots == NULL || crr.epoll_fd < 0) {
        free(crr.slots);
        return peer_fail(options, "%s", strerror(errno));
    }
    for (unsigned i = 0; i < options->n_connections; i++)
        start_slot(&crr, &crr.slots[i]);
    run_until(&crr, start_ns + (uint64_t)options->run_ms * 1000000u);
    run_ns = net_now_ns() - start_ns;
    for (unsigned i = 0; i < options->n_connections; i++) {
        if (crr.slots[i].state != CRR_FREE)
            close(crr.slots[i].fd);
    }
    status = report(&crr, run_ns);
    close(crr.epoll_fd);
    free(crr.slots);
    return status;
}
