/* SPDX-License-Identifier: BSD-3-Clause */
/* reassembly_internal.h — a fragment as its headers describe it: what the parser gives to the table. */
#ifndef MPA_FRONTEND_REASSEMBLY_INTERNAL_H
#define MPA_FRONTEND_REASSEMBLY_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"

/* RFC 791 and RFC 8200: fragments with the same name belong together. Compared with memcmp, no padding. */
struct reassembly_name {
    uint8_t source[16];
    uint8_t destination[16];
    uint32_t identification;
    uint8_t family;
    uint8_t protocol; /* IPv4 only: an IPv6 datagram is named without it */
    uint16_t zero;
};

/* A checked view of one fragment; all pointers into the packet. */
struct reassembly_view {
    struct reassembly_name name;
    const uint8_t *header;
    uint32_t header_len; /* to the fragment's payload; IPv6: with the fragment header, its last 8 bytes */
    uint32_t next_off;   /* IPv6: of the byte that names the fragment header */
    uint32_t transport;  /* protocol of the fragmentable part's first header */
    const uint8_t *payload;
    uint32_t payload_len;
    uint32_t off_bytes; /* of the payload in the datagram */
    bool has_more;
};

/* 0, or the (non-zero) enum nic_counter that names why the packet cannot be a fragment worth keeping. */
unsigned reassembly_parse(const uint8_t *packet, uint32_t len_bytes,
                          struct reassembly_view *view) MPA_WARN_UNUSED;

#endif
