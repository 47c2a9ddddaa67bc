/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * classify.c — the link layer: whose frame it is, and what it carries. The order of the checks is the order
 * in which a frame may be believed: its length, then the MAC addresses, then what the ethertype says. Nothing
 * here looks at the MTU: a neighbour's longer frame is as good as any that passes the checks of lengths
 * above.
 */
#include "frontend/classify.h"

#include "frontend/classify_internal.h"

enum ethertype {
    ETHERTYPE_IP4 = 0x0800,
    ETHERTYPE_ARP = 0x0806,
    ETHERTYPE_VLAN = 0x8100,
    ETHERTYPE_IP6 = 0x86dd,
    ETHERTYPE_PROVIDER_VLAN = 0x88a8,
    ETHERTYPE_OLD_PROVIDER_VLAN = 0x9100,
};

#define ARP_BYTES 28u

/* Only its length: what an ARP packet claims is the host stack's to judge. */
static void classify_arp(struct classify_job *job)
{
    uint32_t len_bytes = CLASSIFY_LINK_BYTES + ARP_BYTES;

    if (job->frame->len_bytes < len_bytes || job->frame->head_len < len_bytes) {
        classify_drop(job, NIC_rx_drop_runt);
        return;
    }
    job->verdict->frame_len = len_bytes;
    classify_to_host(job);
}

static void classify_payload(struct classify_job *job)
{
    switch (classify_u16(job->frame->head + 12)) {
    case ETHERTYPE_IP4:
        classify_ip4(job);
        return;
    case ETHERTYPE_IP6:
        classify_ip6(job);
        return;
    case ETHERTYPE_ARP:
        classify_arp(job);
        return;
    case ETHERTYPE_VLAN:
    case ETHERTYPE_PROVIDER_VLAN:
    case ETHERTYPE_OLD_PROVIDER_VLAN:
        classify_drop(job, NIC_rx_drop_vlan);
        return;
    default: /* values up to 1500 are lengths: LLC */
        classify_drop(job, NIC_rx_drop_ethertype);
    }
}

void classify_step_by_step(const struct classify_context *context, const struct classify_frame *frame,
                           struct classify_verdict *verdict)
{
    struct classify_job job = {.context = context, .frame = frame, .verdict = verdict};
    const uint8_t *destination = frame->head, *source = frame->head + 6;

    /* Also for a drop: whoever captures it gets offsets inside the frame. */
    *verdict = (struct classify_verdict){
        .frame_len = frame->len_bytes, .ip_off = CLASSIFY_LINK_BYTES, .transport_off = CLASSIFY_LINK_BYTES};
    if (frame->len_bytes < CLASSIFY_LINK_BYTES || frame->head_len < CLASSIFY_LINK_BYTES) {
        classify_drop(&job, NIC_rx_drop_runt);
        return;
    }
    /* Both MAC addresses are there. A promiscuous NIC hands over the neighbours' frames too. */
    job.is_link_unicast = memcmp(destination, context->mac, 6) == 0;
    if (!job.is_link_unicast && (destination[0] & 1) == 0)
        classify_drop(&job, NIC_rx_drop_not_ours);
    else if ((source[0] & 1) != 0 || memcmp(source, context->mac, 6) == 0)
        classify_drop(&job,
                      NIC_rx_drop_spoofed); /* a group cannot send, and our own frames do not come back */
    else
        classify_payload(&job);
}
