/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tally.h — what became of the connections of a long run (carry, churn): how each ended, the bytes, the
 * stalls, and which stall belongs to which fault.
 *
 * A stall is the time in which something was due to a connection and nothing came. A fault is a moment that
 * whoever runs us tells (orders.h); its stall is the longest one over all connections, as far as it lies
 * between this fault and the next.
 */
#ifndef MPA_TESTS_PEER_TALLY_H
#define MPA_TESTS_PEER_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

#define TALLY_MAX_FAULTS 16384u

struct tally {
    const struct options *options;
    uint64_t n_connections; /* opened, or tried */
    uint64_t n_completed;   /* ended as they must: all bytes, then a FIN from both sides */
    uint64_t n_resets, n_refused, n_timeouts;
    uint64_t n_early_ends; /* a FIN before the last byte */
    uint64_t n_unfinished; /* still not ended when the run had to */
    uint64_t n_errors;     /* anything else */
    uint64_t n_bad_bytes;
    uint64_t n_bytes_sent, n_bytes_received; /* received: and verified */
    uint64_t n_retransmits;                  /* of our kernel, as far as connections lived to tell */
    uint64_t longest_stall_ns, n_stalls_over_5s;
    unsigned n_faults, n_lines;
    struct {
        uint64_t time_ns, stall_ns;
    } faults[TALLY_MAX_FAULTS];
};

/* A fault happened at that time of CLOCK_MONOTONIC; more than TALLY_MAX_FAULTS are not kept. */
void tally_fault(struct tally *tally, uint64_t time_ns);

/* A connection was waited for from `from_ns` to `to_ns`. One of more than 5 s is told on standard error. */
void tally_wait(struct tally *tally, int fd, uint64_t from_ns, uint64_t to_ns);

/* A connection has failed with -errno: -EBADMSG wrong bytes (counted by the caller), -ENODATA an early FIN.
 * The first few are told on standard error with the local port and the position, to find them in a capture.
 */
void tally_failure(struct tally *tally, int fd, uint64_t position, int error);

/* Adds what TCP_INFO knows about a connection that is about to be closed. */
void tally_socket(struct tally *tally, int fd);

/* One line of JSON. */
void tally_print(const struct tally *tally);

/* True when every count that must be zero is zero and something was carried. */
bool tally_is_clean(const struct tally *tally);

#endif
