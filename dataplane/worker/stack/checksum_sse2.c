/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checksum_sse2.c — 16 bytes at a time on x86-64.
 *
 * Each 64-bit lane holds two 32-bit words, low and high. Added whole, lanes overflow; masking both halves
 * apart costs four operations a vector. Instead `whole` adds the lanes modulo 2^64 and `high` adds the high
 * words alone, which cannot overflow: the sum of the low words is then whole - high * 2^32, exactly, because
 * it too is below 2^64. Three operations a vector.
 */
#include <emmintrin.h>
#include <stddef.h>
#include <stdint.h>

#define VECTOR __m128i
#define VECTOR_BYTES 16u
#define SUMS_ZERO                                                                                            \
    {                                                                                                        \
        _mm_setzero_si128(), _mm_setzero_si128()                                                             \
    }

struct sums {
    __m128i whole;
    __m128i high;
};

static inline __m128i load(const uint8_t *data)
{
    return _mm_loadu_si128((const __m128i *)(const void *)data);
}

static inline void store(uint8_t *data, __m128i vector)
{
    _mm_storeu_si128((__m128i *)(void *)data, vector);
}

static inline void add(struct sums *sums, __m128i vector)
{
    sums->whole = _mm_add_epi64(sums->whole, vector);
    sums->high = _mm_add_epi64(sums->high, _mm_srli_epi64(vector, 32));
}

/* Both chains of sums to one 64-bit sum of 32-bit words. */
static inline uint64_t total(struct sums a, struct sums b)
{
    __m128i whole = _mm_add_epi64(a.whole, b.whole);
    __m128i high = _mm_add_epi64(a.high, b.high);
    __m128i low = _mm_sub_epi64(whole, _mm_slli_epi64(high, 32));
    uint64_t lanes[VECTOR_BYTES / 8];
    uint64_t sum = 0;

    _mm_storeu_si128((__m128i *)(void *)lanes, _mm_add_epi64(low, high));
    for (size_t i = 0; i < VECTOR_BYTES / 8; i++)
        sum += lanes[i];
    return sum;
}

/* Down here: its loops are made of what stands above. */
#include "worker/stack/checksum_vector.h"

const struct checksum_variant checksum_sse2 = {"sse2", checksum_vector_sum, checksum_vector_copy};
