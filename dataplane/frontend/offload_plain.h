/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * offload_plain.h — what the transmit loop does with each packet, to be compiled into it. First the short cut
 * of offload_check_tx(): TCP that is not to be cut, which is nearly everything. It says yes or "look again"
 * and makes no other difference: whatever is unusual goes step by step, which also knows the reason of a
 * drop.
 */
#ifndef MPA_FRONTEND_OFFLOAD_PLAIN_H
#define MPA_FRONTEND_OFFLOAD_PLAIN_H

#include "frontend/checksum.h"
#include "frontend/offload_internal.h"

/* TCP at transport_off, its header inside the copy. */
static inline bool offload_is_plain_tcp(const struct offload_request *request, uint32_t transport_off)
{
    uint32_t n_bytes;

    if (request->header_len < transport_off + OFFLOAD_TCP_MIN_BYTES)
        return false;
    n_bytes = (uint32_t)(request->header[transport_off + OFFLOAD_TCP_OFFSET_OFF] >> 4) * 4;
    return n_bytes >= OFFLOAD_TCP_MIN_BYTES && n_bytes <= request->header_len - transport_off;
}

/* All of the plan but for the addresses; each field for itself, as nothing was zeroed before. */
static inline void offload_write_plain_plan(const struct offload_request *request, uint32_t mtu_bytes,
                                            uint32_t transport_off, struct offload_plan *plan)
{
    const uint8_t *ip = request->header, *tcp = ip + transport_off;

    memcpy(&plan->key.local_port_be, tcp, 2);
    memcpy(&plan->key.remote_port_be, tcp + 2, 2);
    plan->key.protocol = IPPROTO_TCP;
    plan->key.family = ip[0] >> 4;
    plan->key.zero = 0;
    plan->total_len = request->total_len;
    plan->transport_off = (uint16_t)transport_off;
    plan->header_len = (uint16_t)(transport_off + (uint32_t)(tcp[OFFLOAD_TCP_OFFSET_OFF] >> 4) * 4);
    plan->gso_size = 0;
    plan->dscp = transport_off == OFFLOAD_IP4_BYTES ? ip[1] >> 2 : (uint8_t)((ip[0] & 0xf) << 2 | ip[1] >> 6);
    plan->needs_csum = request->needs_csum;
    plan->needs_fragments = request->total_len > mtu_bytes;
}

static inline bool offload_check_plain_ip4(const struct host_addresses *ours, uint32_t mtu_bytes,
                                           const struct offload_request *request, struct offload_plan *plan)
{
    const uint8_t *ip = request->header;
    bool is_from_us = false, is_to_us = false;
    uint32_t local, remote;

    if (ip[9] != IPPROTO_TCP || !offload_is_plain_tcp(request, OFFLOAD_IP4_BYTES) ||
        offload_u16(ip + 2) != request->total_len ||
        (offload_u16(ip + 6) & OFFLOAD_IP4_MORE_OR_OFFSET) != 0 || ip[16] == 0 || ip[16] == 127)
        return false;
    memcpy(&local, ip + 12, 4);
    memcpy(&remote, ip + 16, 4);
    for (uint32_t i = 0; i < ours->n_addresses; i++) {
        uint32_t own;

        memcpy(&own, ours->addresses[i].bytes, 4);
        is_from_us |= ours->addresses[i].family == 4 && own == local;
        is_to_us |= ours->addresses[i].family == 4 && own == remote;
    }
    if (!is_from_us || is_to_us)
        return false;
    /* In one piece with the zeros behind them, as they are soon read again. */
    memcpy(plan->key.local, (const uint32_t[4]){local}, sizeof(plan->key.local));
    memcpy(plan->key.remote, (const uint32_t[4]){remote}, sizeof(plan->key.remote));
    offload_write_plain_plan(request, mtu_bytes, OFFLOAD_IP4_BYTES, plan);
    return true;
}

static inline bool offload_check_plain_ip6(const struct host_addresses *ours, uint32_t mtu_bytes,
                                           const struct offload_request *request, struct offload_plan *plan)
{
    const uint8_t *ip = request->header;

    /* A low address may be the unspecified one or the loopback: not looked at here. */
    if (ip[6] != IPPROTO_TCP || !offload_is_plain_tcp(request, OFFLOAD_IP6_BYTES) ||
        offload_u16(ip + 4) != request->total_len - OFFLOAD_IP6_BYTES || ip[24] == 0)
        return false;
    if (!offload_is_ours(ours, 6, ip + 8) || offload_is_ours(ours, 6, ip + 24))
        return false;
    memcpy(plan->key.local, ip + 8, 16);
    memcpy(plan->key.remote, ip + 24, 16);
    offload_write_plain_plan(request, mtu_bytes, OFFLOAD_IP6_BYTES, plan);
    return true;
}

static inline enum offload_outcome offload_check_tx_inline(const struct host_addresses *ours,
                                                           uint32_t mtu_bytes,
                                                           const struct offload_request *request,
                                                           struct offload_plan *plan)
{
    bool is_copied =
        request->header_len >= OFFLOAD_IP4_BYTES && request->header_len <= OFFLOAD_MAX_COPY_BYTES &&
        request->header_len <= request->total_len && request->total_len <= OFFLOAD_MAX_PACKET_BYTES;
    struct offload_request again;

    if (is_copied && request->gso_size == 0) {
        if (request->header[0] == 0x45 && offload_check_plain_ip4(ours, mtu_bytes, request, plan))
            return OFFLOAD_OK;
        if (request->header[0] >> 4 == 6 && offload_check_plain_ip6(ours, mtu_bytes, request, plan))
            return OFFLOAD_OK;
    }
    /* Through a copy: the request of the short cut can then stay in registers. */
    again = *request;
    return offload_check_tx_step_by_step(ours, mtu_bytes, &again, plan);
}

/* offload_write_vnet(), for the transmit loop. */
static inline void offload_write_vnet_inline(const struct offload_plan *plan, uint8_t *header,
                                             struct nic_vnet *vnet)
{
    uint16_t csum_off = offload_csum_off(plan->key.protocol);
    uint16_t sum;

    /* A zeroed header means: send it as it is. */
    if (!plan->needs_csum) {
        *vnet = (struct nic_vnet){0};
        return;
    }
    sum = checksum_fold(offload_pseudo_sum(&plan->key, plan->total_len - plan->transport_off));
    memcpy(header + plan->transport_off + csum_off, &sum, sizeof(sum));
    *vnet = (struct nic_vnet){.flags = VNET_NEEDS_CSUM,
                              .csum_start = (uint16_t)(NIC_LINK_BYTES + plan->transport_off),
                              .csum_offset = csum_off};
    if (plan->gso_size == 0)
        return;
    vnet->gso_type = plan->key.family == 4 ? VNET_GSO_TCPV4 : VNET_GSO_TCPV6;
    if ((header[plan->transport_off + OFFLOAD_TCP_FLAGS_OFF] & OFFLOAD_TCP_CWR) != 0)
        vnet->gso_type |= VNET_GSO_ECN;
    vnet->gso_size = plan->gso_size;
    vnet->hdr_len = (uint16_t)(NIC_LINK_BYTES + plan->header_len);
}

#endif
