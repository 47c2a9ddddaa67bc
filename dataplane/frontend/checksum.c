/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checksum.c — 32-bit words into a 64-bit sum: carries need no care until the fold, and two chains keep a
 * portable loop near the speed of its loads.
 */
#include "frontend/checksum.h"

#include <string.h>

static inline uint32_t word_at(const uint8_t *bytes)
{
    uint32_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

uint64_t checksum_add(uint64_t sum, const void *bytes, size_t n_bytes)
{
    const uint8_t *at = bytes;
    uint64_t even = 0, odd = 0;
    uint32_t rest = 0;

    for (; n_bytes >= 16; n_bytes -= 16, at += 16) {
        even += (uint64_t)word_at(at) + word_at(at + 8);
        odd += (uint64_t)word_at(at + 4) + word_at(at + 12);
    }
    for (; n_bytes >= 4; n_bytes -= 4, at += 4)
        even += word_at(at);
    if (n_bytes > 0)
        memcpy(&rest, at, n_bytes);
    return sum + even + odd + rest;
}
