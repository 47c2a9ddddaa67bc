/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http.c — connections of the HTTP server, each a small state machine on a non-blocking socket. A client that
 * sends nothing, sends too much or reads nothing costs one place until its time is over, and nothing else.
 */
#include "controlplane/controld/http.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/fd.h"
#include "controlplane/controld/http_request.h"

#define BACKLOG 32
#define MAX_ACCEPTS 16        /* of one turn of the loop */
#define MAX_SEND_BYTES 65536u /* of one turn and client: a reader as fast as we write would hold the loop */
#define LINGER_MS 1000u
#define HEAD_BYTES 256u

enum client_state {
    CLIENT_NONE,      /* the place is free; -> READING */
    CLIENT_READING,   /* the request is not all here; -> WAITING, SENDING */
    CLIENT_WAITING,   /* the answer is being made; -> SENDING */
    CLIENT_SENDING,   /* -> LINGERING */
    CLIENT_LINGERING, /* all sent and said so; waits for the client's end, for a close with bytes unread would
                         be a reset that may overtake the answer (RFC 9112 9.6) */
};

struct http_client {
    struct http_server *server;
    enum client_state state;
    int fd;
    sd_event_source *source;
    uint64_t since_ns; /* of the connection: the oldest gives way */
    uint64_t end_ns;   /* of this state */
    char request[HTTP_MAX_REQUEST_BYTES];
    size_t n_request;
    bool is_head; /* it wants the headers alone */
    char head[HEAD_BYTES];
    size_t n_head;
    struct http_body *body; /* one use of it is ours */
    size_t n_sent;          /* of head and body together */
};

struct http_server {
    int socket;
    sd_event_source *source;
    struct sd_event *loop; /* borrowed */
    http_ask_fn *ask;
    void *context; /* of ask */
    struct http_client clients[HTTP_MAX_CLIENTS];
};

/* ---- bodies ---- */

struct http_body *http_body_new(size_t n_bytes)
{
    struct http_body *body = malloc(sizeof(*body) + n_bytes);

    if (body == NULL)
        return NULL;
    body->n_users = 1;
    body->n_bytes = n_bytes;
    return body;
}

struct http_body *http_body_text(const char *text)
{
    struct http_body *body = http_body_new(strlen(text));

    if (body != NULL)
        memcpy(body->bytes, text, body->n_bytes);
    return body;
}

void http_body_put(struct http_body *body)
{
    if (body != NULL && --body->n_users == 0)
        free(body);
}

/* ---- a client ---- */

static void client_close(struct http_client *client)
{
    client->source = sd_event_source_disable_unref(client->source);
    fd_close(&client->fd);
    http_body_put(client->body);
    client->body = NULL;
    client->state = CLIENT_NONE;
}

static void client_enter(struct http_client *client, enum client_state state, uint64_t limit_ms)
{
    static const uint32_t events[] = {[CLIENT_READING] = EPOLLIN,
                                      [CLIENT_WAITING] = 0, /* a reset is told all the same */
                                      [CLIENT_SENDING] = EPOLLOUT,
                                      [CLIENT_LINGERING] = EPOLLIN};

    client->state = state;
    client->end_ns = clock_now_ns() + limit_ms * CLOCK_NS_PER_MS;
    if (sd_event_source_set_io_events(client->source, events[state]) < 0)
        client_close(client);
}

static const char *status_text(unsigned status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    default:
        return "Internal Server Error";
    }
}

/* Goes on with the answer as far as the socket takes it. */
static void client_send(struct http_client *client)
{
    size_t n_body = client->body == NULL || client->is_head ? 0 : client->body->n_bytes;
    size_t off = client->n_sent > client->n_head ? client->n_sent - client->n_head : 0;
    size_t head_off = client->n_sent < client->n_head ? client->n_sent : client->n_head;
    struct iovec parts[2] = {
        {.iov_base = client->head + head_off, .iov_len = client->n_head - head_off},
        {.iov_base = n_body == 0 ? NULL : client->body->bytes + off,
         .iov_len = n_body - off < MAX_SEND_BYTES ? n_body - off : MAX_SEND_BYTES},
    };
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n = sendmsg(client->fd, &message, MSG_NOSIGNAL);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        client_close(client);
        return;
    }
    client->n_sent += (size_t)n;
    if (client->n_sent < client->n_head + n_body)
        return;
    shutdown(client->fd, SHUT_WR);
    client_enter(client, CLIENT_LINGERING, LINGER_MS);
}

static void client_answer(struct http_client *client, const struct http_answer *answer)
{
    struct http_body *body = answer->body;
    char text[64];

    if (body == NULL) {
        snprintf(text, sizeof(text), "%u %s\n", answer->status, status_text(answer->status));
        body = http_body_text(text);
    } else {
        body->n_users++;
    }
    client->body = body;
    client->n_sent = 0;
    client->n_head =
        (size_t)snprintf(client->head, sizeof(client->head),
                         "HTTP/1.1 %u %s\r\nContent-Type: text/plain; version=0.0.4; "
                         "charset=utf-8\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
                         "%sConnection: close\r\n\r\n",
                         answer->status, status_text(answer->status), body == NULL ? 0 : body->n_bytes,
                         answer->status == 405 ? "Allow: GET, HEAD\r\n" : "");
    mpa_assert(client->n_head < sizeof(client->head));
    client_enter(client, CLIENT_SENDING, HTTP_ANSWER_MS);
    if (client->state == CLIENT_SENDING)
        client_send(client);
}

/* The request is whole: who has what it asks for? */
static void client_ask(struct http_client *client, const struct http_request *request)
{
    struct http_answer answer = {.status = 405};

    client->is_head = request->is_head;
    client_enter(client, CLIENT_WAITING, HTTP_ANSWER_MS);
    if (client->state != CLIENT_WAITING)
        return;
    if (!request->is_get || client->server->ask(client->server->context, request->path, &answer)) {
        client_answer(client, &answer);
        http_body_put(answer.body);
    }
}

static void client_read(struct http_client *client)
{
    struct http_request request;
    ssize_t n =
        recv(client->fd, client->request + client->n_request, sizeof(client->request) - client->n_request, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        client_close(client);
        return;
    }
    client->n_request += (size_t)n;
    switch (http_request_parse(client->request, client->n_request, &request)) {
    case HTTP_PARSE_OK:
        client_ask(client, &request);
        return;
    case HTTP_PARSE_BAD:
        client_answer(client, &(struct http_answer){.status = 400});
        return;
    case HTTP_PARSE_MORE:
        if (client->n_request == sizeof(client->request))
            client_answer(client, &(struct http_answer){.status = 431});
        return;
    }
}

/* Throws away what still comes; its end is the end. */
static void client_linger(struct http_client *client)
{
    ssize_t n = recv(client->fd, client->request, sizeof(client->request), 0);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        client_close(client);
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *context)
{
    struct http_client *client = context;

    (void)source;
    (void)fd;
    switch (client->state) {
    case CLIENT_READING:
        client_read(client);
        return 0;
    case CLIENT_SENDING:
        client_send(client);
        return 0;
    case CLIENT_LINGERING:
        client_linger(client);
        return 0;
    case CLIENT_WAITING:
        if ((revents & (EPOLLHUP | EPOLLERR)) != 0)
            client_close(client);
        return 0;
    case CLIENT_NONE:
        return 0;
    }
    return 0;
}

/* ---- the server ---- */

/* A free place, or that of the client that has been here longest: a client in good faith takes milliseconds.
 */
static struct http_client *client_place(struct http_server *server)
{
    struct http_client *oldest = &server->clients[0];

    for (size_t i = 0; i < HTTP_MAX_CLIENTS; i++) {
        struct http_client *client = &server->clients[i];

        if (client->state == CLIENT_NONE)
            return client;
        if (client->since_ns < oldest->since_ns)
            oldest = client;
    }
    client_close(oldest);
    return oldest;
}

static void client_open(struct http_server *server, int fd)
{
    struct http_client *client = client_place(server);

    *client = (struct http_client){.server = server, .fd = fd, .since_ns = clock_now_ns()};
    if (sd_event_add_io(server->loop, &client->source, fd, EPOLLIN, on_client, client) < 0 ||
        sd_event_source_set_priority(client->source, SD_EVENT_PRIORITY_IDLE) < 0) {
        client_close(client);
        return;
    }
    client_enter(client, CLIENT_READING, HTTP_REQUEST_MS);
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *context)
{
    struct http_server *server = context;

    (void)revents;
    for (unsigned i = 0; i < MAX_ACCEPTS; i++) {
        int client_fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (client_fd >= 0) {
            client_open(server, client_fd);
            continue;
        }
        /* Without a descriptor left the connection stays in the queue: not to turn in circles over it, the
         * next tick looks again. */
        if (errno == EMFILE || errno == ENFILE)
            return sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
    }
    return 0;
}

int http_listen(const char *text)
{
    struct sockaddr_in6 ip6 = {.sin6_family = AF_INET6};
    struct sockaddr_in ip4 = {.sin_family = AF_INET};
    struct config_listen place;
    const int one = 1;
    int fd, error;

    if (config_listen_parse(text, &place) != 0)
        return -EINVAL;
    fd =
        socket(place.address.family == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    ip4.sin_port = ip6.sin6_port = htons(place.port);
    memcpy(&ip4.sin_addr, place.address.bytes, sizeof(ip4.sin_addr));
    memcpy(&ip6.sin6_addr, place.address.bytes, sizeof(ip6.sin6_addr));
    /* A successor may listen while connections of ours linger. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if ((place.address.family == 4 ? bind(fd, (struct sockaddr *)&ip4, sizeof(ip4))
                                   : bind(fd, (struct sockaddr *)&ip6, sizeof(ip6))) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    error = -errno;
    close(fd);
    return error;
}

int http_server_new(struct http_server **server, int fd, http_ask_fn *ask, void *context)
{
    struct http_server *new = calloc(1, sizeof(*new));

    *server = NULL;
    if (new == NULL || fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
        free(new);
        close(fd);
        return -ENOMEM;
    }
    new->socket = fd;
    new->ask = ask;
    new->context = context;
    for (size_t i = 0; i < HTTP_MAX_CLIENTS; i++)
        new->clients[i].fd = -1;
    *server = new;
    return 0;
}

int http_server_attach(struct http_server *server, struct sd_event *loop)
{
    int error;

    server->loop = loop;
    if ((error = sd_event_add_io(loop, &server->source, server->socket, EPOLLIN, on_connection, server)) < 0)
        return error;
    return sd_event_source_set_priority(server->source, SD_EVENT_PRIORITY_IDLE);
}

void http_server_free(struct http_server *server)
{
    if (server == NULL)
        return;
    for (size_t i = 0; i < HTTP_MAX_CLIENTS; i++)
        client_close(&server->clients[i]);
    sd_event_source_disable_unref(server->source);
    fd_close(&server->socket);
    free(server);
}

void http_server_answer(struct http_server *server, const struct http_answer *answer)
{
    for (size_t i = 0; i < HTTP_MAX_CLIENTS; i++) {
        if (server->clients[i].state == CLIENT_WAITING)
            client_answer(&server->clients[i], answer);
    }
}

void http_server_tick(struct http_server *server, uint64_t now_ns)
{
    (void)sd_event_source_set_enabled(server->source, SD_EVENT_ON);
    for (size_t i = 0; i < HTTP_MAX_CLIENTS; i++) {
        struct http_client *client = &server->clients[i];

        if (client->state != CLIENT_NONE && now_ns >= client->end_ns)
            client_close(client);
    }
}
