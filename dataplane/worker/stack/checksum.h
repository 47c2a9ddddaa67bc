/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checksum.h — the Internet checksum (RFC 1071), alone and fused with a copy.
 *
 * Values are what lwIP calls "host order": the bytes are added as 16-bit words as they lie in memory, folded
 * to 16 bits, not inverted. checksum() may stand in for lwip_standard_chksum (LWIP_CHKSUM), checksum_copy()
 * for lwip_chksum_copy (LWIP_CHKSUM_COPY). An odd last byte counts as if a zero byte followed it. The sum of
 * bytes that are not all zero is never 0, so equal data have equal sums in every variant.
 *
 * lwIP calls without a context, so the choice of variant is one pointer of the process: written by
 * checksum_init() before any thread is started, only read afterwards.
 */
#ifndef MPA_WORKER_STACK_CHECKSUM_H
#define MPA_WORKER_STACK_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Below this the set-up of vector code costs more than it saves; measured with tests/bench/checksum_bench. */
#define CHECKSUM_VECTOR_BYTES 64u

/* One way to compute the two functions; any alignment, any length up to 2^31 bytes. */
struct checksum_variant {
    const char *name;
    uint16_t (*sum)(const void *data, size_t n_bytes);
    uint16_t (*copy)(void *restrict dst, const void *restrict src, size_t n_bytes);
};

/* Chooses the fastest variant of this CPU. Before the call the portable one is used. */
void checksum_init(void);

/* The variants this CPU can run, fastest first, portable last; NULL past it. For tests and benchmarks. */
const struct checksum_variant *checksum_variant_at(size_t idx);

/* The variant in use. */
const struct checksum_variant *checksum_variant_used(void);

/* The sum of n_bytes at `data`. */
uint16_t checksum(const void *data, size_t n_bytes);

/* Copies n_bytes from `src` to `dst` (they do not overlap) and returns their sum, in one pass. */
uint16_t checksum_copy(void *restrict dst, const void *restrict src, size_t n_bytes);

/*
 * The sum of data in pieces: adds `part`, the sum of a piece that begins at an even or odd offset of the
 * whole. A byte that changes its place within a word changes the place of every byte behind it, which for a
 * one's complement sum is a swap (RFC 1071, 2B).
 */
static inline uint16_t checksum_join(uint16_t sum, uint16_t part, bool is_at_odd_offset)
{
    uint32_t total = sum;

    total += is_at_odd_offset ? __builtin_bswap16(part) : part;
    return (uint16_t)((total & 0xffffu) + (total >> 16));
}

#endif
