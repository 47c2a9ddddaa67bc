/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_output.c — what lwIP sends: IP packets too long for the link are cut here (lwIP's own fragmentation is
 * off), frames go out through the caller's transmit().
 */
#include <string.h>

#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/prot/icmp6.h>

#include "frontend/fragment.h"
#include "frontend/host_internal.h"
#include "frontend/wire.h"

/* A datagram being cut: where its pieces go. */
struct cutting {
    struct netif *netif;
    const ip4_addr_t *destination4; /* or NULL */
    const ip6_addr_t *destination6;
    err_t result;
};

/* One piece, through the same neighbour tables as a whole packet. The last error stands for all. */
static void send_piece(void *context, const struct fragment *fragment)
{
    struct cutting *cutting = context;
    struct pbuf *p = pbuf_alloc(PBUF_LINK, (u16_t)(fragment->header_len + fragment->payload_len), PBUF_RAM);

    if (p == NULL) {
        cutting->result = ERR_MEM;
        return;
    }
    pbuf_take(p, fragment->header, (u16_t)fragment->header_len);
    pbuf_take_at(p, fragment->payload, (u16_t)fragment->payload_len, (u16_t)fragment->header_len);
    if (cutting->destination4 != NULL)
        cutting->result = etharp_output(cutting->netif, p, cutting->destination4);
    else
        cutting->result = ethip6_output(cutting->netif, p, cutting->destination6);
    pbuf_free(p);
}

/* lwIP's own packets have no IPv6 extension header but those of MLD, which are short. */
static err_t cut(struct cutting *cutting, const struct pbuf *p)
{
    struct host *host = cutting->netif->state;
    struct fragment_job job = {.header = host->linear, .mtu_bytes = host->addresses.mtu_bytes};
    uint32_t len = pbuf_copy_partial(p, host->linear, p->tot_len, 0);

    job.header_len = cutting->destination4 != NULL ? (host->linear[0] & 0x0fu) * 4u : WIRE_IP6_BYTES;
    if (job.header_len > len)
        return ERR_VAL;
    job.payload = host->linear + job.header_len;
    job.payload_len = len - job.header_len;
    job.identification = host->identification++;
    if (fragment_packet(&job, send_piece, cutting) < 0)
        return ERR_VAL;
    host_count(host, NIC_tx_fragmented);
    return cutting->result;
}

/*
 * The identification of a datagram that is not cut says nothing, but lwIP counts its own up for all the world
 * to see how much it sends; an echo reply carries its request's. A random one tells nothing (RFC 6864).
 */
static void hide_identification(struct pbuf *p)
{
    uint8_t *header = p->payload;

    wire_put16(header + WIRE_IP4_ID_OFF, LWIP_RAND() & 0xffffu);
    wire_ip4_set_checksum(header, (header[0] & 0x0fu) * 4u);
}

/* The MTU is the announced one: a router may have lowered it below the netif's. */
static err_t output4(struct netif *netif, struct pbuf *p, const ip4_addr_t *destination)
{
    struct host *host = netif->state;
    struct cutting cutting = {.netif = netif, .destination4 = destination, .result = ERR_OK};

    if (p->tot_len > host->addresses.mtu_bytes)
        return cut(&cutting, p);
    hide_identification(p);
    return etharp_output(netif, p, destination);
}

/* Neighbour discovery speaks to whoever is on the link, also to one whose network we do not share. */
static bool is_discovery(const struct pbuf *p)
{
    uint8_t type = pbuf_get_at(p, WIRE_IP6_BYTES);

    return pbuf_get_at(p, WIRE_IP6_NEXT_OFF) == IP6_NEXTH_ICMP6 && type >= ICMP6_TYPE_RS &&
           type <= ICMP6_TYPE_RD;
}

static err_t output6(struct netif *netif, struct pbuf *p, const ip6_addr_t *destination)
{
    struct host *host = netif->state;
    struct cutting cutting = {.netif = netif, .destination6 = destination, .result = ERR_OK};

    if (p == host->probe)
        return ERR_OK; /* it has done its work: the neighbour has answered */
    if (!is_discovery(p))
        cutting.destination6 = host_route6(host, destination);
    if (cutting.destination6 == NULL)
        return ERR_RTE;
    if (p->tot_len > host->addresses.mtu_bytes)
        return cut(&cutting, p);
    return ethip6_output(netif, p, cutting.destination6);
}

/*
 * The last step: a frame with its link header. Chains of buffers (queued behind an unresolved neighbour, or
 * made of header and payload) are copied together; most are one piece.
 */
static err_t link_output(struct netif *netif, struct pbuf *p)
{
    struct host *host = netif->state;
    uint8_t frame[WIRE_LINK_BYTES + 9000]; /* the largest MTU of the configuration */

    if (!host->is_up || p->tot_len > WIRE_LINK_BYTES + host->mtu_bytes || p->tot_len > sizeof(frame))
        return ERR_IF;
    if (p->len == p->tot_len) {
        host->callbacks.transmit(host->context, p->payload, p->len);
        return ERR_OK;
    }
    pbuf_copy_partial(p, frame, p->tot_len, 0);
    host->callbacks.transmit(host->context, frame, p->tot_len);
    return ERR_OK;
}

/* IPv4 aliases get the IPv6 output too; having no IPv6 address, they never use it. */
void host_output_attach(struct netif *netif)
{
    netif->output = output4;
    netif->output_ip6 = output6;
    netif->linkoutput = link_output;
}
