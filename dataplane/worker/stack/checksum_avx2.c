/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checksum_avx2.c — 32 bytes at a time on x86-64. How the sums of low and of high words are kept apart stands
 * in checksum_sse2.c. This file alone is compiled for AVX2: nothing of it may run before the CPU was asked.
 */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define VECTOR __m256i
#define VECTOR_BYTES 32u
#define SUMS_ZERO                                                                                            \
    {                                                                                                        \
        _mm256_setzero_si256(), _mm256_setzero_si256()                                                       \
    }

/* In each 64-bit lane; see checksum_sse2.c. */
struct sums {
    __m256i whole;
    __m256i high;
};

static inline __m256i load(const uint8_t *data)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)data);
}

static inline void store(uint8_t *data, __m256i vector)
{
    _mm256_storeu_si256((__m256i *)(void *)data, vector);
}

static inline void add(struct sums *sums, __m256i vector)
{
    sums->whole = _mm256_add_epi64(sums->whole, vector);
    sums->high = _mm256_add_epi64(sums->high, _mm256_srli_epi64(vector, 32));
}

/* Both chains of sums to one 64-bit sum of 32-bit words. */
static inline uint64_t total(struct sums a, struct sums b)
{
    __m256i whole = _mm256_add_epi64(a.whole, b.whole);
    __m256i high = _mm256_add_epi64(a.high, b.high);
    __m256i low = _mm256_sub_epi64(whole, _mm256_slli_epi64(high, 32));
    uint64_t lanes[VECTOR_BYTES / 8];
    uint64_t sum = 0;

    _mm256_storeu_si256((__m256i *)(void *)lanes, _mm256_add_epi64(low, high));
    for (size_t i = 0; i < VECTOR_BYTES / 8; i++)
        sum += lanes[i];
    return sum;
}

/* Down here: its loops are made of what stands above. */
#include "worker/stack/checksum_vector.h"

const struct checksum_variant checksum_avx2 = {"avx2", checksum_vector_sum, checksum_vector_copy};
