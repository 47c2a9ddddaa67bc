/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pattern.h — bytes that depend on their position in the stream and on a seed, so that one lost, doubled,
 * moved or foreign byte is seen, at its exact place.
 */
#ifndef MPA_TESTS_PEER_PATTERN_H
#define MPA_TESTS_PEER_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/* Writes bytes [position, position + n_bytes) of the stream `seed`. */
void pattern_fill(uint64_t seed, uint64_t position, uint8_t *bytes, size_t n_bytes);

/* The offset of the first byte that differs from the stream, or n_bytes when none does. */
size_t pattern_check(uint64_t seed, uint64_t position, const uint8_t *bytes, size_t n_bytes);

#endif
