/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * offload_segment.c — segmentation and transport checksums in software, as a NIC with TSO does them. Each
 * segment gets a fresh copy of the header, changed in length, identification, sequence number, flags and
 * checksums; the payload is only pointed at.
 */
#include <arpa/inet.h>
#include <string.h>

#include "frontend/checksum.h"
#include "frontend/offload_internal.h"

/* One packet being cut. */
struct cutter {
    const struct offload_packet *packet;
    uint8_t header[OFFLOAD_MAX_COPY_BYTES]; /* of the segment in hand */
    uint32_t payload_len;                   /* of the whole packet */
};

static void put_u16(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

/* IP length, and for IPv4 the identification and the header checksum. */
static void patch_ip(struct cutter *cutter, uint32_t segment_idx, uint32_t total_len)
{
    const struct offload_plan *plan = cutter->packet->plan;
    uint8_t *ip = cutter->header;
    uint16_t csum;

    if (plan->key.family == 6) {
        put_u16(ip + 4, total_len - 40);
        return;
    }
    put_u16(ip + 2, total_len);
    /* As kernels count it; with DF set nobody needs it (RFC 6864). */
    put_u16(ip + 4, offload_u16(ip + 4) + segment_idx);
    put_u16(ip + 10, 0);
    csum = (uint16_t)~checksum_fold(checksum_add(0, ip, plan->transport_off));
    memcpy(ip + 10, &csum, sizeof(csum));
}

/* FIN and PSH belong to the last byte, CWR to the first segment (RFC 3168 6.1.2); the rest is repeated. */
static void patch_tcp(struct cutter *cutter, uint32_t payload_off, uint32_t payload_len)
{
    uint8_t *tcp = cutter->header + cutter->packet->plan->transport_off;
    uint32_t seq_be;

    memcpy(&seq_be, tcp + OFFLOAD_TCP_SEQ_OFF, sizeof(seq_be));
    seq_be = htonl(ntohl(seq_be) + payload_off);
    memcpy(tcp + OFFLOAD_TCP_SEQ_OFF, &seq_be, sizeof(seq_be));
    if (payload_off > 0)
        tcp[OFFLOAD_TCP_FLAGS_OFF] &= (uint8_t)~OFFLOAD_TCP_CWR;
    if (payload_off + payload_len < cutter->payload_len)
        tcp[OFFLOAD_TCP_FLAGS_OFF] &= (uint8_t) ~(OFFLOAD_TCP_FIN | OFFLOAD_TCP_PSH);
}

static void fill_checksum(struct cutter *cutter, const struct offload_segment *segment)
{
    const struct offload_plan *plan = cutter->packet->plan;
    uint8_t *transport = cutter->header + plan->transport_off;
    uint32_t header_len = plan->header_len - (uint32_t)plan->transport_off;
    uint64_t sum = offload_pseudo_sum(&plan->key, header_len + segment->payload_len);
    uint16_t csum = 0;

    memcpy(transport + offload_csum_off(plan->key.protocol), &csum, sizeof(csum));
    /* Transport headers have even lengths: the payload may follow in the same sum. */
    sum = checksum_add(sum, transport, header_len);
    sum = checksum_add(sum, segment->payload, segment->payload_len);
    csum = (uint16_t)~checksum_fold(sum);
    if (csum == 0 && plan->key.protocol == IPPROTO_UDP)
        csum = 0xffff; /* 0 means none (RFC 768) */
    memcpy(transport + offload_csum_off(plan->key.protocol), &csum, sizeof(csum));
}

/* Makes the segment with the payload from payload_off on. */
static struct offload_segment cut(struct cutter *cutter, uint32_t segment_idx, uint32_t payload_off)
{
    const struct offload_plan *plan = cutter->packet->plan;
    uint32_t payload_len = cutter->payload_len - payload_off;
    struct offload_segment segment = {.header = cutter->header,
                                      .header_len = plan->header_len,
                                      .payload = cutter->packet->payload + payload_off};

    memcpy(cutter->header, cutter->packet->header, plan->header_len);
    /* A packet that is not cut keeps its header, and with it the worker's own IPv4 checksum. */
    if (plan->gso_size != 0) {
        payload_len = payload_len < plan->gso_size ? payload_len : plan->gso_size;
        patch_ip(cutter, segment_idx, plan->header_len + payload_len);
        patch_tcp(cutter, payload_off, payload_len);
    }
    segment.payload_len = payload_len;
    if (plan->needs_csum)
        fill_checksum(cutter, &segment);
    return segment;
}

unsigned offload_segment(const struct offload_packet *packet, offload_emit_fn *emit, void *context)
{
    struct cutter cutter = {.packet = packet,
                            .payload_len = packet->plan->total_len - packet->plan->header_len};
    uint32_t payload_off = 0;
    unsigned n_segments = 0;

    /* At least once: a packet without payload is a packet. */
    do {
        struct offload_segment segment = cut(&cutter, n_segments, payload_off);

        emit(context, &segment);
        payload_off += segment.payload_len;
        n_segments++;
    } while (payload_off < cutter.payload_len);
    return n_segments;
}
