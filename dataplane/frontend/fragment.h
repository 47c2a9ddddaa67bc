/* SPDX-License-Identifier: BSD-3-Clause */
/* fragment.h — output fragmentation of datagrams longer than the MTU (RFC 791, RFC 8200 4.5). Pure. */
#ifndef MPA_FRONTEND_FRAGMENT_H
#define MPA_FRONTEND_FRAGMENT_H

#include <stdint.h>

#include "base/assert.h"

/* A datagram to cut: the header up to its transport payload (options or extension headers included). */
struct fragment_job {
    const uint8_t *header;
    uint32_t header_len;
    const uint8_t *payload;
    uint32_t payload_len;
    uint32_t identification; /* RFC 6864: unique for each datagram that is fragmented */
    uint16_t mtu_bytes;
};

/* One fragment: a complete IP packet in two parts, valid during the call. */
struct fragment {
    const uint8_t *header;
    uint32_t header_len;
    const uint8_t *payload;
    uint32_t payload_len;
};

typedef void fragment_emit_fn(void *context, const struct fragment *fragment);

/*
 * Cuts an IPv4 or IPv6 packet into fragments of at most mtu_bytes, in order. Returns their number, or -EINVAL
 * (header not valid), -EMSGSIZE (MTU too small, or IPv4 DF is set); nothing is emitted then.
 */
int fragment_packet(const struct fragment_job *job, fragment_emit_fn *emit, void *context) MPA_WARN_UNUSED;

#endif
