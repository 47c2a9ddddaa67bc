/* SPDX-License-Identifier: BSD-3-Clause */
/* services.c — echo, discard and chargen (RFC 862, 863, 864), one work function each. */
#include "services.h"

#include <errno.h>

#include <lwip/udp.h>

#define ECHO_PORT 7
#define DISCARD_PORT 9
#define CHARGEN_PORT 19

/* RFC 864's pattern repeats after 95 lines of 72 characters and CR LF. */
#define CHARGEN_LINE_BYTES 74
#define CHARGEN_PERIOD_BYTES (95 * CHARGEN_LINE_BYTES)
#define CHARGEN_CHUNK_BYTES 16384

static char chargen_pattern[CHARGEN_PERIOD_BYTES + CHARGEN_CHUNK_BYTES];

/* What does not fit stays in the input queue, unacknowledged to lwIP, so the window closes on the sender. */
static void echo_work(struct session *session)
{
    const char *bytes;
    size_t n_waiting, n_sent;

    while ((n_waiting = session_peek(session, &bytes)) > 0) {
        n_sent = session_send(session, bytes, n_waiting);
        if (n_sent == 0)
            break;
        session_consume(session, n_sent);
    }
    if (session->is_peer_closed && n_waiting == 0)
        session_close(session);
    else
        tcp_output(session->pcb);
}

/* As fast as it comes: the window never closes. */
static void discard_work(struct session *session)
{
    const char *bytes;
    size_t n_waiting;

    while ((n_waiting = session_peek(session, &bytes)) > 0)
        session_consume(session, n_waiting);
    if (session->is_peer_closed)
        session_close(session);
}

/* Fills the send buffer each time a part of it has been acknowledged. */
static void chargen_work(struct session *session)
{
    const char *bytes;
    size_t n_waiting, n_sent;

    while ((n_waiting = session_peek(session, &bytes)) > 0)
        session_consume(session, n_waiting); /* what the client says does not matter */
    if (session->is_peer_closed) {
        session_close(session);
        return;
    }
    do {
        n_sent = session_send(session, chargen_pattern + session->stream_off, CHARGEN_CHUNK_BYTES);
        session->stream_off = (session->stream_off + n_sent) % CHARGEN_PERIOD_BYTES;
    } while (n_sent > 0);
    tcp_output(session->pcb);
}

/* One period and a chunk more, so that a chunk from any position stands in one piece. */
static void chargen_fill(void)
{
    for (size_t i = 0; i < sizeof(chargen_pattern); i++) {
        size_t line = i % CHARGEN_PERIOD_BYTES / CHARGEN_LINE_BYTES, column = i % CHARGEN_LINE_BYTES;

        if (column < 72)
            chargen_pattern[i] = (char)(' ' + (line + column) % 95);
        else
            chargen_pattern[i] = column == 72 ? '\r' : '\n';
    }
}

/* The pbuf goes back as it came: lwIP finds room for its headers where the old ones were. */
static void on_datagram(void *argument, struct udp_pcb *pcb, struct pbuf *packet, const ip_addr_t *address,
                        u16_t port)
{
    (void)argument;
    udp_sendto(pcb, packet, address, port);
    pbuf_free(packet);
}

static int udp_echo_start(void)
{
    struct udp_pcb *pcb = udp_new_ip_type(IPADDR_TYPE_ANY);

    if (pcb == NULL)
        return -ENOMEM;
    if (udp_bind(pcb, IP_ANY_TYPE, ECHO_PORT) != ERR_OK)
        return -EADDRINUSE;
    udp_recv(pcb, on_datagram, NULL);
    return 0;
}

int services_start(void)
{
    static const struct service services[] = {
        {"echo", ECHO_PORT, echo_work},
        {"discard", DISCARD_PORT, discard_work},
        {"chargen", CHARGEN_PORT, chargen_work},
    };

    chargen_fill();
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        int error = service_listen(&services[i]);

        if (error < 0)
            return error;
    }
    return udp_echo_start();
}
