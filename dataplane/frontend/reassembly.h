/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reassembly.h — puts fragments of IPv4 and IPv6 datagrams together (RFC 791, RFC 815, RFC 8200 4.5), within
 * a fixed memory, one share for each source. Everything comes from the wire and is distrusted:
 *
 *   tiny         a first fragment without its whole transport header, or one that reaches into it (RFC 1858,
 *                RFC 7112)                                                       -> that fragment is dropped
 *   lies         past 65535, an end that contradicts, a length that is no multiple of 8 -> as an overlap
 *   overlap      IPv6: the whole datagram dies and its name stays dead until it expires (RFC 5722);
 *                IPv4: the overlapping fragment is dropped, what was there first stays
 *   duplicates   the same bytes at the same place again: dropped, the datagram lives (RFC 8200)
 *   share        a source holds source_fragments already                      -> that fragment is dropped
 *   full         all places are taken                                         -> that fragment is dropped
 *   endless      a datagram lives a fixed time from its first fragment on, however many follow
 *
 * Private memory, one thread, no I/O; time is given with each call.
 */
#ifndef MPA_FRONTEND_REASSEMBLY_H
#define MPA_FRONTEND_REASSEMBLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "shm/counters.h"

#define REASSEMBLY_IP4_LIFE_NS (30ull * 1000000000ull)
#define REASSEMBLY_IP6_LIFE_NS (60ull * 1000000000ull)
#define REASSEMBLY_MAX_HEADER_BYTES 256u /* IP header with extension and fragment headers */

struct reassembly_limits {
    uint32_t n_fragments;        /* held for all sources */
    uint32_t n_source_fragments; /* held for one source; a datagram killed by an overlap counts as one */
    uint32_t fragment_bytes;     /* longest payload of one fragment: the MTU */
};

enum reassembly_result {
    REASSEMBLY_HELD,     /* kept, the datagram is not whole yet */
    REASSEMBLY_COMPLETE, /* `packet` is written */
    REASSEMBLY_DROPPED,  /* `drop` names the counter */
};

/* What became of a fragment. */
struct reassembly_outcome {
    enum reassembly_result result;
    enum nic_counter drop;
    uint8_t *packet; /* a whole IP packet as if never cut; borrowed until the next call, may be changed */
    uint32_t len_bytes;
};

struct reassembly; /* opaque */

/* Allocates all it will ever use. NULL with errno set (EINVAL: a limit is 0). */
struct reassembly *reassembly_new(const struct reassembly_limits *limits);
void reassembly_free(struct reassembly *reassembly);

/* True when an IP packet (version 4 or 6, len_bytes readable) is a fragment, an atomic one (RFC 6946)
 * included. */
bool reassembly_is_fragment(const uint8_t *packet, uint32_t len_bytes);

/*
 * Takes one fragment: an IP packet, exactly as long as its header says or longer (padding is ignored). The
 * bytes are copied where they are kept.
 */
void reassembly_add(struct reassembly *reassembly, const uint8_t *packet, uint32_t len_bytes, uint64_t now_ns,
                    struct reassembly_outcome *outcome);

/*
 * A datagram that expired with its first fragment here: that fragment's headers and payload, for the ICMP
 * error that is owed to the sender. Borrowed for the call.
 */
typedef void reassembly_expired_fn(void *context, const uint8_t *header, uint32_t header_len,
                                   const uint8_t *payload, uint32_t payload_len);

/* Gives up what is due; about once a second. `expired` may be NULL. */
void reassembly_expire(struct reassembly *reassembly, uint64_t now_ns, reassembly_expired_fn *expired,
                       void *context);

/* Fragments held now. */
uint32_t reassembly_n_held(const struct reassembly *reassembly);

#endif
