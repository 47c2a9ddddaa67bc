/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serve.c — echo (TCP, UDP), discard, chargen and http over the kernel's TCP: the third side of a comparison,
 * and the known-good end that the peer itself is tested against. One thread.
 */
#include "net.h"
#include "serve.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVE_N_EVENTS 256
#define SERVE_BULK_BYTES (128 * 1024)
#define SERVE_BULK_TURNS 16 /* chunks a stream may move before the others have their turn */
#define SERVE_BACKLOG 4096

static bool echo_work(struct client *client);
static bool discard_work(struct client *client);
static bool chargen_work(struct client *client);

/* Bulk services are level-triggered, since they leave their turn with work waiting; discard never waits for
 * room, for which "writable" would be true for ever. */
static const struct {
    uint16_t port;
    serve_work_fn work;
    uint32_t events;
} services[] = {
    {PEER_PORT_ECHO, echo_work, EPOLLIN | EPOLLOUT | EPOLLET},
    {PEER_PORT_DISCARD, discard_work, EPOLLIN},
    {PEER_PORT_CHARGEN, chargen_work, EPOLLIN | EPOLLOUT},
    {PEER_PORT_HTTP, serve_http_work, EPOLLIN | EPOLLOUT | EPOLLET},
};
#define SERVE_N_SERVICES (sizeof(services) / sizeof(services[0]))

bool client_fill(struct client *client)
{
    ssize_t n = recv(client->fd, client->buffer, sizeof(client->buffer), MSG_DONTWAIT);

    if (n < 0 && errno != EAGAIN)
        return false;
    client->has_peer_closed = n == 0;
    client->buffer_off = 0;
    client->n_buffered = n > 0 ? (size_t)n : 0;
    return true;
}

bool client_write(const struct client *client, const char *bytes, size_t n_bytes, size_t *n_written)
{
    ssize_t n = send(client->fd, bytes, n_bytes, MSG_DONTWAIT);

    if (n < 0 && errno != EAGAIN)
        return false;
    *n_written = n > 0 ? (size_t)n : 0;
    return true;
}

/* Reads only into an empty buffer: a client that does not read its echo is not read from either. */
static bool echo_work(struct client *client)
{
    size_t n_written;

    for (;;) {
        if (client->n_buffered == 0 && !client_fill(client))
            return false;
        if (client->n_buffered == 0)
            return !client->has_peer_closed;
        if (!client_write(client, client->buffer + client->buffer_off, client->n_buffered, &n_written))
            return false;
        client->buffer_off += n_written;
        client->n_buffered -= n_written;
        if (n_written == 0)
            return true;
    }
}

static char bulk[SERVE_BULK_BYTES];

static bool discard_work(struct client *client)
{
    ssize_t n = 1;

    for (int i = 0; i < SERVE_BULK_TURNS && n > 0; i++)
        n = recv(client->fd, bulk, sizeof(bulk), MSG_DONTWAIT);
    return n > 0 || (n < 0 && errno == EAGAIN);
}

/* The content is of no matter to anybody here; what the client sends is read away. */
static bool chargen_work(struct client *client)
{
    size_t n_written = 1;
    bool is_open = client_fill(client) && !client->has_peer_closed;

    for (int i = 0; i < SERVE_BULK_TURNS && is_open && n_written > 0; i++)
        is_open = client_write(client, bulk, sizeof(bulk), &n_written);
    return is_open;
}

/* One socket for both families. */
static int open_socket(int type, uint16_t port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, zero = 0, error;

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
    if (bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0 &&
        (type == SOCK_DGRAM || listen(fd, SERVE_BACKLOG) == 0))
        return fd;
    error = -errno;
    close(fd);
    return error;
}

static void accept_all(int epoll_fd, const struct client *listener)
{
    int fd;

    while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct client *client = malloc(sizeof(*client));
        struct epoll_event event = {.events = services[listener->listener_idx].events, .data.ptr = client};

        if (client == NULL) {
            close(fd);
            return;
        }
        memset(client, 0, offsetof(struct client, buffer));
        client->fd = fd;
        client->work = services[listener->listener_idx].work;
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

static void answer_datagrams(int fd)
{
    struct sockaddr_in6 from;
    socklen_t from_bytes = sizeof(from);
    ssize_t n;

    while ((n = recvfrom(fd, bulk, sizeof(bulk), 0, (struct sockaddr *)&from, &from_bytes)) >= 0) {
        sendto(fd, bulk, (size_t)n, 0, (struct sockaddr *)&from, from_bytes);
        from_bytes = sizeof(from);
    }
}

/* A NULL work function marks the listeners; the UDP socket has no service index. */
static void serve_event(int epoll_fd, struct client *client)
{
    if (client->work != NULL) {
        if (client->work(client))
            return;
        close(client->fd);
        free(client);
    } else if (client->listener_idx < 0) {
        answer_datagrams(client->fd);
    } else {
        accept_all(epoll_fd, client);
    }
}

/* Accepted sockets inherit the congestion control. */
static int set_congestion(int fd, const char *name)
{
    return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) < 0 ? -errno : 0;
}

static int add_listener(int epoll_fd, struct client *listener, int type, int service_idx)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = listener};
    int fd = open_socket(type, service_idx < 0 ? PEER_PORT_ECHO : services[service_idx].port);

    if (fd < 0)
        return fd;
    listener->fd = fd;
    listener->listener_idx = service_idx;
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int peer_serve(const struct options *options)
{
    static struct client listeners[SERVE_N_SERVICES + 1];
    struct epoll_event events[SERVE_N_EVENTS];
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC), error = epoll_fd < 0 ? -errno : 0;

    for (size_t i = 0; i < SERVE_N_SERVICES && error == 0; i++)
        error = add_listener(epoll_fd, &listeners[i], SOCK_STREAM, (int)i);
    for (size_t i = 0; i < SERVE_N_SERVICES && error == 0 && options->congestion != NULL; i++)
        error = set_congestion(listeners[i].fd, options->congestion);
    if (error == 0)
        error = add_listener(epoll_fd, &listeners[SERVE_N_SERVICES], SOCK_DGRAM, -1);
    if (error == 0)
        error = serve_http_init(options);
    if (error < 0)
        return peer_fail(options, "%s", strerror(-error));
    memset(bulk, 'x', sizeof(bulk));
    printf("{\"serving\":[7,9,19,80]}\n");
    fflush(stdout);
    for (;;) {
        int n_ready = epoll_wait(epoll_fd, events, SERVE_N_EVENTS, -1);

        for (int i = 0; i < n_ready; i++)
            serve_event(epoll_fd, events[i].data.ptr);
    }
}
