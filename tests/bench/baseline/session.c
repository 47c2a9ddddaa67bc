/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session.c — see session.h. Ownership: lwIP owns the PCB until session_close() or its error callback, we own
 * the session and the queued pbufs. A callback gets the session as its argument, which session_close() takes
 * back from the PCB first, so none can come after the free.
 */
#include "session.h"

#include <errno.h>
#include <stdlib.h>

/* How often lwIP asks an idle session again, in slow ticks of 20 ms: the way on after tcp_write() found no
 * memory. One second, what the usual 2 ticks are at lwIP's usual interval. */
#define SESSION_POLL_TICKS 50

size_t session_peek(const struct session *session, const char **bytes)
{
    if (session->input_head == NULL)
        return 0;
    *bytes = (const char *)session->input_head->payload + session->input_off;
    return (size_t)(session->input_head->len - session->input_off);
}

static void session_drop_head(struct session *session)
{
    struct pbuf *head = session->input_head;

    session->input_head = head->next;
    session->input_off = 0;
    if (session->input_head == NULL)
        session->input_tail = NULL;
    head->next = NULL; /* pbuf_free() frees a chain; the rest stays */
    pbuf_free(head);
}

/* Opening the window per consumed piece is what lwIP's own raw API examples do. */
void session_consume(struct session *session, size_t n_bytes)
{
    session->input_off = (u16_t)(session->input_off + n_bytes);
    tcp_recved(session->pcb, (u16_t)n_bytes);
    while (session->input_head != NULL && session->input_off == session->input_head->len)
        session_drop_head(session);
}

size_t session_send(struct session *session, const char *bytes, size_t n_bytes)
{
    size_t room = tcp_sndbuf(session->pcb);

    if (n_bytes > room)
        n_bytes = room;
    if (n_bytes > 0xffff)
        n_bytes = 0xffff;
    if (n_bytes == 0 || tcp_write(session->pcb, bytes, (u16_t)n_bytes, TCP_WRITE_FLAG_COPY) != ERR_OK)
        return 0;
    return n_bytes;
}

static void session_free(struct session *session)
{
    while (session->input_head != NULL)
        session_drop_head(session);
    free(session);
}

void session_close(struct session *session)
{
    struct tcp_pcb *pcb = session->pcb;

    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_err(pcb, NULL);
    tcp_poll(pcb, NULL, 0);
    /* Bytes nobody consumed would make lwIP send a reset instead of a FIN. */
    while (session->input_head != NULL)
        session_consume(session, (size_t)(session->input_head->len - session->input_off));
    session_free(session);
    tcp_close(pcb);
}

/* A NULL packet is the peer's FIN. lwIP may hand over a chain; it joins the queue as it is. */
static err_t on_received(void *argument, struct tcp_pcb *pcb, struct pbuf *packet, err_t error)
{
    struct session *session = argument;

    (void)pcb;
    (void)error;
    if (packet == NULL) {
        session->is_peer_closed = true;
    } else if (session->input_tail == NULL) {
        session->input_head = packet;
    } else {
        session->input_tail->next = packet;
    }
    for (; packet != NULL; packet = packet->next)
        session->input_tail = packet;
    session->service->work(session);
    return ERR_OK;
}

static err_t on_sent(void *argument, struct tcp_pcb *pcb, u16_t n_bytes)
{
    struct session *session = argument;

    (void)pcb;
    (void)n_bytes;
    session->service->work(session);
    return ERR_OK;
}

static err_t on_poll(void *argument, struct tcp_pcb *pcb)
{
    return on_sent(argument, pcb, 0);
}

static void on_error(void *argument, err_t error)
{
    (void)error; /* lwIP has freed the PCB */
    session_free(argument);
}

static err_t on_accepted(void *argument, struct tcp_pcb *pcb, err_t error)
{
    struct session *session;

    if (error != ERR_OK || pcb == NULL)
        return ERR_VAL;
    session = calloc(1, sizeof(*session));
    if (session == NULL)
        return ERR_MEM;
    session->pcb = pcb;
    session->service = argument;
    /* With timestamps Nagle takes a full segment for a small one and holds the last of a burst. */
    tcp_nagle_disable(pcb);
    tcp_arg(pcb, session);
    tcp_recv(pcb, on_received);
    tcp_sent(pcb, on_sent);
    tcp_err(pcb, on_error);
    tcp_poll(pcb, on_poll, SESSION_POLL_TICKS);
    session->service->work(session); /* chargen speaks first */
    return ERR_OK;
}

int service_listen(const struct service *service)
{
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);

    if (pcb == NULL)
        return -ENOMEM;
    if (tcp_bind(pcb, IP_ANY_TYPE, service->port) != ERR_OK) {
        tcp_close(pcb);
        return -EADDRINUSE;
    }
    /* The listener is a smaller PCB in place of the first; its argument becomes that of on_accepted(). */
    pcb = tcp_listen(pcb);
    if (pcb == NULL)
        return -ENOMEM;
    tcp_arg(pcb, (void *)(uintptr_t)service);
    tcp_accept(pcb, on_accepted);
    return 0;
}
