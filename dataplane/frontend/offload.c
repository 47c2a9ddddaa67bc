/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * offload.c — checks what a worker sends, and speaks virtio_net_hdr for it.
 *
 * A worker is confined but not trusted: the copy of its header is read here as a stranger's. What passes can
 * neither lie about its sender nor about its length, and asks the NIC for nothing that a kernel would refuse.
 * Fields that hurt only the flow itself (TTL, window, the IPv4 header checksum) are left as they are.
 */
#include "frontend/offload.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "frontend/checksum.h"
#include "frontend/nic/nic.h"
#include "frontend/offload_internal.h"
#include "frontend/offload_plain.h"

#define UDP_BYTES 8u
#define ICMP_BYTES 8u

_Static_assert(NIC_LINK_BYTES + OFFLOAD_MAX_PACKET_BYTES <= NIC_MAX_FRAME_BYTES,
               "what is checked can be sent");

/* IPv4: header and lengths into the plan. */
static bool read_ip4(const struct offload_request *request, struct offload_plan *plan)
{
    const uint8_t *ip = request->header;

    /* No options: no worker needs one, and a source route would let it use others' addresses. */
    if (ip[0] != 0x45 || offload_u16(ip + 2) != request->total_len)
        return false;
    if ((offload_u16(ip + 6) & OFFLOAD_IP4_MORE_OR_OFFSET) != 0)
        return false;
    plan->key = (struct flow_key){.family = 4, .protocol = ip[9]};
    memcpy(plan->key.local, ip + 12, 4);
    memcpy(plan->key.remote, ip + 16, 4);
    plan->dscp = ip[1] >> 2;
    plan->transport_off = OFFLOAD_IP4_BYTES;
    return true;
}

/* IPv6: no extension headers, of which no worker sends any: the transport header follows at once. */
static bool read_ip6(const struct offload_request *request, struct offload_plan *plan)
{
    const uint8_t *ip = request->header;

    if (request->header_len < OFFLOAD_IP6_BYTES ||
        offload_u16(ip + 4) != request->total_len - OFFLOAD_IP6_BYTES)
        return false;
    plan->key = (struct flow_key){.family = 6, .protocol = ip[6]};
    memcpy(plan->key.local, ip + 8, 16);
    memcpy(plan->key.remote, ip + 24, 16);
    plan->dscp = (uint8_t)((ip[0] & 0xf) << 2 | ip[1] >> 6);
    plan->transport_off = OFFLOAD_IP6_BYTES;
    return true;
}

/* Unspecified, loopback or ours: nothing that goes out of a NIC. */
static bool is_impossible_destination(const struct host_addresses *ours, const struct flow_key *key)
{
    static const uint8_t zero[15];

    if (key->family == 4 && (key->remote[0] == 0 || key->remote[0] == 127))
        return true;
    if (key->family == 6 && memcmp(key->remote, zero, sizeof(zero)) == 0 && key->remote[15] <= 1)
        return true;
    return offload_is_ours(ours, key->family, key->remote);
}

/* ND, redirects and router advertisements would let a worker take over its neighbours' traffic. */
static bool is_worker_icmp(uint8_t family, uint8_t type)
{
    if (family == 4) /* echo reply, unreachable, echo, time exceeded, parameter problem */
        return type == 0 || type == 3 || type == 8 || type == 11 || type == 12;
    return (type >= 1 && type <= 4) || type == 128 || type == 129;
}

/* The transport header: inside the copy, valid, and one that a worker may send. */
static bool read_transport(const struct offload_request *request, struct offload_plan *plan)
{
    const uint8_t *transport = request->header + plan->transport_off;
    uint32_t n_copied = request->header_len - plan->transport_off;
    uint32_t n_bytes;

    switch (plan->key.protocol) {
    case IPPROTO_TCP:
        /* 60 bytes at most, so the copy of 256 has them all unless the packet ends before. */
        n_bytes = n_copied >= OFFLOAD_TCP_MIN_BYTES ? (uint32_t)(transport[12] >> 4) * 4 : 0;
        if (n_bytes < OFFLOAD_TCP_MIN_BYTES || n_bytes > n_copied)
            return false;
        break;
    case IPPROTO_UDP:
        n_bytes = UDP_BYTES;
        if (n_copied < n_bytes || offload_u16(transport + 4) != request->total_len - plan->transport_off)
            return false;
        break;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        n_bytes = ICMP_BYTES;
        if (n_copied < n_bytes || (plan->key.family == 4) != (plan->key.protocol == IPPROTO_ICMP) ||
            !is_worker_icmp(plan->key.family, transport[0]) || request->needs_csum)
            return false;
        break;
    default:
        return false;
    }
    if (plan->key.protocol == IPPROTO_TCP || plan->key.protocol == IPPROTO_UDP) {
        memcpy(&plan->key.local_port_be, transport, 2);
        memcpy(&plan->key.remote_port_be, transport + 2, 2);
    }
    plan->header_len = (uint16_t)(plan->transport_off + n_bytes);
    return true;
}

/* What the NIC is asked to cut: a TCP stream of data segments, each within the MTU. */
static bool read_gso(const struct offload_request *request, uint32_t mtu_bytes, struct offload_plan *plan)
{
    uint8_t flags;

    if (request->gso_size == 0)
        return true;
    if (plan->key.protocol != IPPROTO_TCP || !request->needs_csum ||
        (uint32_t)plan->header_len + request->gso_size > mtu_bytes)
        return false;
    flags = request->header[plan->transport_off + OFFLOAD_TCP_FLAGS_OFF];
    if ((flags & (OFFLOAD_TCP_SYN | OFFLOAD_TCP_RST)) != 0)
        return false;
    /* One segment's worth is an ordinary packet, and kernels refuse to cut it. */
    if (request->total_len - plan->header_len > request->gso_size)
        plan->gso_size = request->gso_size;
    return true;
}

enum offload_outcome offload_check_tx_step_by_step(const struct host_addresses *ours, uint32_t mtu_bytes,
                                                   const struct offload_request *request,
                                                   struct offload_plan *plan)
{
    struct offload_plan draft = {.total_len = request->total_len, .needs_csum = request->needs_csum};
    bool is_read = false;

    if (request->header_len < OFFLOAD_IP4_BYTES || request->header_len > OFFLOAD_MAX_COPY_BYTES ||
        request->header_len > request->total_len || request->total_len > OFFLOAD_MAX_PACKET_BYTES)
        return OFFLOAD_BAD_HEADER;
    if (request->header[0] >> 4 == 4)
        is_read = read_ip4(request, &draft);
    else if (request->header[0] >> 4 == 6)
        is_read = read_ip6(request, &draft);
    if (!is_read)
        return OFFLOAD_BAD_HEADER;
    if (!offload_is_ours(ours, draft.key.family, draft.key.local))
        return OFFLOAD_BAD_SOURCE;
    if (is_impossible_destination(ours, &draft.key) || !read_transport(request, &draft) ||
        !read_gso(request, mtu_bytes, &draft))
        return OFFLOAD_BAD_HEADER;
    draft.needs_fragments = draft.gso_size == 0 && draft.total_len > mtu_bytes;
    *plan = draft;
    return OFFLOAD_OK;
}

enum offload_outcome offload_check_tx(const struct host_addresses *ours, uint32_t mtu_bytes,
                                      const struct offload_request *request, struct offload_plan *plan)
{
    return offload_check_tx_inline(ours, mtu_bytes, request, plan);
}

void offload_write_vnet(const struct offload_plan *plan, uint8_t *header, struct nic_vnet *vnet)
{
    offload_write_vnet_inline(plan, header, vnet);
}

void offload_finish_csum(uint8_t *frame, uint32_t len_bytes, const struct nic_vnet *vnet)
{
    uint8_t *field = frame + vnet->csum_start + vnet->csum_offset;
    uint16_t csum =
        (uint16_t)~checksum_fold(checksum_add(0, frame + vnet->csum_start, len_bytes - vnet->csum_start));

    /* 0 would mean "no checksum" in UDP; in TCP 0xffff is as good. */
    if (csum == 0)
        csum = 0xffff;
    memcpy(field, &csum, sizeof(csum));
}
