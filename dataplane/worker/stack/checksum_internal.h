/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checksum_internal.h — what the variants share: folding, and the bytes that do not fill a vector.
 *
 * A variant adds 32-bit words into 64-bit sums. Since 2^16 = 1 modulo 2^16 - 1, words of 16, 32 and 64 bits
 * have the same folded sum, and a 64-bit sum of 32-bit words holds 2^32 of them without a lost carry.
 */
#ifndef MPA_WORKER_STACK_CHECKSUM_INTERNAL_H
#define MPA_WORKER_STACK_CHECKSUM_INTERNAL_H

#include <string.h>

#include "worker/stack/checksum.h"

#define CHECKSUM_MAX_VARIANTS 4

extern const struct checksum_variant checksum_portable;
extern const struct checksum_variant checksum_sse2;
extern const struct checksum_variant checksum_avx2;
extern const struct checksum_variant checksum_neon;

/*
 * Fills `found` with the vector variants that this CPU can run, fastest first, and returns their number. One
 * file a machine: checksum_machine_*.c.
 */
size_t checksum_machine_variants(const struct checksum_variant *found[CHECKSUM_MAX_VARIANTS]);

/* A 64-bit sum of words to 16 bits; 0 only for 0. */
static inline uint16_t checksum_fold(uint64_t sum)
{
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = (sum & 0xffffu) + (sum >> 16);
    return (uint16_t)((sum & 0xffffu) + (sum >> 16));
}

static inline uint64_t checksum_word64(const uint8_t *data)
{
    uint64_t word;

    memcpy(&word, data, sizeof(word));
    return (word & 0xffffffffu) + (word >> 32);
}

/* Adds the last 0..7 bytes: they are laid into a zeroed word, which is right for either byte order. */
static inline uint64_t checksum_tail(uint64_t sum, const uint8_t *data, size_t n_bytes)
{
    uint32_t word32 = 0;
    uint16_t word16 = 0;

    if (n_bytes & 4) {
        memcpy(&word32, data, sizeof(word32));
        data += 4;
    }
    if (n_bytes & 2) {
        memcpy(&word16, data, sizeof(word16));
        data += 2;
        sum += word16;
    }
    word16 = 0;
    if (n_bytes & 1)
        memcpy(&word16, data, 1);
    return sum + word32 + word16;
}

/* Adds n_bytes, eight at a time: what a vector loop leaves over, or all of it. */
static inline uint64_t checksum_scalar(uint64_t sum, const uint8_t *data, size_t n_bytes)
{
    for (; n_bytes >= 8; n_bytes -= 8, data += 8)
        sum += checksum_word64(data);
    return checksum_tail(sum, data, n_bytes);
}

static inline uint64_t checksum_scalar_copy(uint64_t sum, uint8_t *restrict dst, const uint8_t *restrict src,
                                            size_t n_bytes)
{
    size_t off = 0;

    for (; n_bytes - off >= 8; off += 8) {
        sum += checksum_word64(src + off);
        memcpy(dst + off, src + off, 8);
    }
    sum = checksum_tail(sum, src + off, n_bytes - off);
    /* Constant lengths: a memcpy of 0..7 bytes would be a call. */
    if (n_bytes & 4) {
        memcpy(dst + off, src + off, 4);
        off += 4;
    }
    if (n_bytes & 2) {
        memcpy(dst + off, src + off, 2);
        off += 2;
    }
    if (n_bytes & 1)
        dst[off] = src[off];
    return sum;
}

#endif
