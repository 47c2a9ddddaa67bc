/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checksum.h — the Internet checksum (RFC 1071) for headers and for what no NIC sums for us. Sums are taken
 * over native words: byte order does not matter as long as the folded result is stored as native 16 bits.
 */
#ifndef MPA_FRONTEND_CHECKSUM_H
#define MPA_FRONTEND_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Adds n_bytes (at most 2^30) to a sum not folded yet. An odd n_bytes counts a zero byte more: only the last
 * call for a sum may have one.
 */
uint64_t checksum_add(uint64_t sum, const void *bytes, size_t n_bytes);

/* Folds to 16 bits, not inverted. 0xffff over data that contains its own checksum: it is right. */
static inline uint16_t checksum_fold(uint64_t sum)
{
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

#endif
