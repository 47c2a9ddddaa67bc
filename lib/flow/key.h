/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * key.h — what names a flow, and the seeded Jenkins hash over it. Private memory, pure functions.
 *
 * A key is written from the receiver's view: `remote` sent the frame, `local` is ours. Outgoing packets are
 * turned round before they are looked up.
 */
#ifndef MPA_FLOW_KEY_H
#define MPA_FLOW_KEY_H

#include <stdbool.h>
#include <stdint.h>

/* 40 bytes, no padding, compared with memcmp. IPv4 addresses stand in the first four bytes, the rest is 0. */
struct flow_key {
    uint8_t remote[16];
    uint8_t local[16];
    uint16_t remote_port_be;
    uint16_t local_port_be;
    uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
    uint8_t family;   /* 4 or 6 */
    uint16_t zero;
};

/* Random per boot, the same in the frontend and in every worker. */
struct flow_seed {
    uint32_t words[4];
};

/*
 * Bob Jenkins' lookup2 mix (9 steps, Dr. Dobb's 1997) over remote address, local address and
 * remote_port << 16 | local_port as the MPA document gives it, seeded against hash flooding, with the
 * protocol folded in; IPv6 addresses take one mix for each 12 bytes.
 */
uint32_t flow_key_hash(const struct flow_key *key, const struct flow_seed *seed);

bool flow_key_equal(const struct flow_key *a, const struct flow_key *b);

/* "tcp 10.0.0.1:1234 -> 10.0.0.2:80"; at least FLOW_KEY_TEXT_BYTES in `text`. */
#define FLOW_KEY_TEXT_BYTES 128
void flow_key_format(const struct flow_key *key, char *text, unsigned size);

#endif
