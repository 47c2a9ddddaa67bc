/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checksum_neon.c — 16 bytes at a time on ARMv8: "add pairwise, widen, accumulate" takes four 32-bit words
 * into two 64-bit sums in one operation.
 */
#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

#define VECTOR uint8x16_t
#define VECTOR_BYTES 16u
#define SUMS_ZERO                                                                                            \
    {                                                                                                        \
        vdupq_n_u64(0)                                                                                       \
    }

/* Two 64-bit sums of 32-bit words: 2^32 of them before a carry is lost, more than any packet has. */
struct sums {
    uint64x2_t words;
};

static inline uint8x16_t load(const uint8_t *data)
{
    return vld1q_u8(data);
}

static inline void store(uint8_t *data, uint8x16_t vector)
{
    vst1q_u8(data, vector);
}

static inline void add(struct sums *sums, uint8x16_t vector)
{
    sums->words = vpadalq_u32(sums->words, vreinterpretq_u32_u8(vector));
}

static inline uint64_t total(struct sums a, struct sums b)
{
    return vaddvq_u64(vaddq_u64(a.words, b.words));
}

/* Down here: its loops are made of what stands above. */
#include "worker/stack/checksum_vector.h"

const struct checksum_variant checksum_neon = {"neon", checksum_vector_sum, checksum_vector_copy};
