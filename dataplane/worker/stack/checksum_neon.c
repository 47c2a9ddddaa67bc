/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checksum_neon.c — 16 bytes at a time on ARMv8: "add pairwise, widen, accumulate" takes four 32-bit words
 * into two 64-bit sums in one operation.
 */
#include <arm_neon.h>

#include "worker/stack/checksum_internal.h"

#define VECTOR_BYTES 16u
#define STEP_BYTES (4u * VECTOR_BYTES)

static inline uint64x2_t add(uint64x2_t sum, uint8x16_t vector)
{
    return vpadalq_u32(sum, vreinterpretq_u32_u8(vector));
}

static uint16_t neon_sum(const void *data, size_t n_bytes)
{
    const uint8_t *src = data;
    uint64x2_t a = vdupq_n_u64(0), b = vdupq_n_u64(0);

    /* Two chains: an addition need not wait for the one before it. */
    for (; n_bytes >= STEP_BYTES; n_bytes -= STEP_BYTES, src += STEP_BYTES) {
        a = add(a, vld1q_u8(src));
        b = add(b, vld1q_u8(src + VECTOR_BYTES));
        a = add(a, vld1q_u8(src + 2 * VECTOR_BYTES));
        b = add(b, vld1q_u8(src + 3 * VECTOR_BYTES));
    }
    for (; n_bytes >= VECTOR_BYTES; n_bytes -= VECTOR_BYTES, src += VECTOR_BYTES)
        a = add(a, vld1q_u8(src));
    return checksum_fold(checksum_scalar(vaddvq_u64(vaddq_u64(a, b)), src, n_bytes));
}

static uint16_t neon_copy(void *restrict to, const void *restrict from, size_t n_bytes)
{
    const uint8_t *src = from;
    uint8_t *dst = to;
    uint64x2_t a = vdupq_n_u64(0), b = vdupq_n_u64(0);

    for (; n_bytes >= STEP_BYTES; n_bytes -= STEP_BYTES, src += STEP_BYTES, dst += STEP_BYTES) {
        uint8x16_t v0 = vld1q_u8(src), v1 = vld1q_u8(src + VECTOR_BYTES);
        uint8x16_t v2 = vld1q_u8(src + 2 * VECTOR_BYTES), v3 = vld1q_u8(src + 3 * VECTOR_BYTES);

        vst1q_u8(dst, v0);
        vst1q_u8(dst + VECTOR_BYTES, v1);
        vst1q_u8(dst + 2 * VECTOR_BYTES, v2);
        vst1q_u8(dst + 3 * VECTOR_BYTES, v3);
        a = add(add(a, v0), v2);
        b = add(add(b, v1), v3);
    }
    for (; n_bytes >= VECTOR_BYTES; n_bytes -= VECTOR_BYTES, src += VECTOR_BYTES, dst += VECTOR_BYTES) {
        uint8x16_t v0 = vld1q_u8(src);

        vst1q_u8(dst, v0);
        a = add(a, v0);
    }
    return checksum_fold(checksum_scalar_copy(vaddvq_u64(vaddq_u64(a, b)), dst, src, n_bytes));
}

const struct checksum_variant checksum_neon = {"neon", neon_sum, neon_copy};
