/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session.c — services on connections: the service table's view of a connection (struct service_io) over the
 * engine's FIFOs, and UDP echo, which has no connection.
 */
#include <arpa/inet.h>
#include <lwip/udp.h>
#include <string.h>

#include "base/log.h"
#include "shm/frontend_writes.h"
#include "shm/worker_writes.h"
#include "worker/worker.h"

/* What a service sees as its context. */
struct session {
    struct worker *worker;
    struct conn *conn;
};

static struct fifo_span session_peek(void *context)
{
    struct session *session = context;

    return stack_conn_peek(&session->worker->stack, session->conn);
}

static void session_consume(void *context, uint32_t n_bytes)
{
    struct session *session = context;

    stack_conn_consume(&session->worker->stack, session->conn, n_bytes);
}

static struct fifo_span session_reserve(void *context, uint32_t want)
{
    struct session *session = context;

    return stack_conn_reserve(&session->worker->stack, session->conn, want);
}

static void session_produce(void *context, uint32_t n_bytes)
{
    struct session *session = context;

    stack_conn_produce(&session->worker->stack, session->conn, n_bytes);
}

static bool session_is_at_end(void *context)
{
    const struct session *session = context;

    return (session->conn->flags & CONN_PEER_CLOSED) != 0 && fifo_used(&session->conn->rx) == 0;
}

static void session_close(void *context)
{
    struct session *session = context;

    stack_conn_close(&session->worker->stack, session->conn);
}

static void session_abort(void *context)
{
    struct session *session = context;

    stack_conn_abort(&session->worker->stack, session->conn);
}

static const struct service_ops session_ops = {
    .peek = session_peek,
    .consume = session_consume,
    .reserve = session_reserve,
    .produce = session_produce,
    .is_at_end = session_is_at_end,
    .close = session_close,
    .abort = session_abort,
};

/* Its bucket is another worker's: a pin led the flow here, and the frontend wants to hear of it. */
static bool session_is_pinned(const struct worker *worker, const struct conn *conn)
{
    const struct host_segment *host = worker->host.base;
    uint32_t bucket = conn->hash & (host->n_buckets - 1);

    return atomic_load_explicit(&host->bucket_worker[bucket], memory_order_relaxed) != worker->slot;
}

static void session_note(struct worker *worker, const struct conn *conn, enum lane_slot_kind kind)
{
    if (session_is_pinned(worker, conn) && staging_put_note(&worker->staging, kind, &conn->key) < 0)
        log_debug("note_lost kind=%d", (int)kind);
}

static bool session_opened(void *context, struct conn *conn)
{
    struct worker *worker = context;
    const struct service *service =
        service_table_find(worker->services, ntohs(conn->key.local_port_be), &conn->service);

    if (service == NULL)
        return false;
    service_open(service, conn->state);
    session_note(worker, conn, LANE_SLOT_OPENED);
    return true;
}

/* From another worker, whose table may have other indexes; the state goes on as it is, if it can be one. */
static bool session_adopted(void *context, struct conn *conn, uint16_t service_port)
{
    struct worker *worker = context;
    const struct service *service = service_table_find(worker->services, service_port, &conn->service);

    if (service == NULL || !service_can_resume(service, conn->state))
        return false;
    session_note(worker, conn, LANE_SLOT_OPENED);
    return true;
}

static void session_ready(void *context, struct conn *conn)
{
    struct worker *worker = context;
    struct session session = {worker, conn};
    struct service_io io = {.ops = &session_ops, .context = &session, .state = conn->state};

    service_run(service_table_get(worker->services, conn->service), &io);
}

static void session_closed(void *context, struct conn *conn)
{
    session_note(context, conn, LANE_SLOT_CLOSED);
}

const struct stack_callbacks worker_session_callbacks = {
    .opened = session_opened,
    .ready = session_ready,
    .closed = session_closed,
    .adopted = session_adopted,
};

static void session_udp_echo(void *argument, struct udp_pcb *pcb, struct pbuf *datagram,
                             const ip_addr_t *address, u16_t port)
{
    struct worker *worker = argument;
    counter *counters = ((struct worker_half *)worker->half.base)->counters;
    struct pbuf *reply = pbuf_clone(PBUF_TRANSPORT, PBUF_RAM, datagram);

    counter_add(counters, WORKER_udp_datagrams_in, 1);
    pbuf_free(datagram);
    if (reply == NULL)
        return;
    /* From the address that was asked, not from the netif's first. */
    if (udp_sendto_if_src(pcb, reply, address, port, &worker->stack.netif, ip_current_dest_addr()) == ERR_OK)
        counter_add(counters, WORKER_udp_datagrams_out, 1);
    pbuf_free(reply);
}

static int session_udp_init(struct worker *worker)
{
    struct udp_pcb *pcb;

    if (!worker->config.services.echo.enabled)
        return 0;
    pcb = udp_new_ip_type(IPADDR_TYPE_ANY);
    if (pcb == NULL || udp_bind(pcb, IP_ANY_TYPE, worker->config.services.echo.port) != ERR_OK)
        return -1;
    udp_recv(pcb, session_udp_echo, worker);
    return 0;
}

int worker_sessions_init(struct worker *worker)
{
    for (uint16_t i = 0; i < service_table_count(worker->services); i++) {
        uint16_t port = service_table_port(worker->services, i);
        int failed = stack_listen(&worker->stack, port);

        if (failed < 0) {
            log_error("listen_failed port=%u error=\"%s\"", port, strerror(-failed));
            return failed;
        }
    }
    return session_udp_init(worker);
}
