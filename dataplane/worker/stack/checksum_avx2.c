/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checksum_avx2.c — 32 bytes at a time on x86-64.
 *
 * Each 64-bit lane holds two 32-bit words, low and high. Added whole, lanes overflow; masking both halves
 * apart costs four operations a vector. Instead `whole` adds the lanes modulo 2^64 and `high` adds the high
 * words alone, which cannot overflow: the sum of the low words is then whole - high * 2^32, exactly, because
 * it too is below 2^64. Three operations a vector.
 */
#include <immintrin.h>

#include "worker/stack/checksum_internal.h"

#define VECTOR_BYTES 32u
#define STEP_BYTES (4u * VECTOR_BYTES)

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

static uint16_t avx2_sum(const void *data, size_t n_bytes)
{
    const uint8_t *src = data;
    struct sums a = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    struct sums b = a;

    /* Two chains: an addition need not wait for the one before it. */
    for (; n_bytes >= STEP_BYTES; n_bytes -= STEP_BYTES, src += STEP_BYTES) {
        add(&a, load(src));
        add(&b, load(src + VECTOR_BYTES));
        add(&a, load(src + 2 * VECTOR_BYTES));
        add(&b, load(src + 3 * VECTOR_BYTES));
    }
    for (; n_bytes >= VECTOR_BYTES; n_bytes -= VECTOR_BYTES, src += VECTOR_BYTES)
        add(&a, load(src));
    return checksum_fold(checksum_scalar(total(a, b), src, n_bytes));
}

static uint16_t avx2_copy(void *restrict to, const void *restrict from, size_t n_bytes)
{
    const uint8_t *src = from;
    uint8_t *dst = to;
    struct sums a = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    struct sums b = a;

    for (; n_bytes >= STEP_BYTES; n_bytes -= STEP_BYTES, src += STEP_BYTES, dst += STEP_BYTES) {
        __m256i v0 = load(src), v1 = load(src + VECTOR_BYTES);
        __m256i v2 = load(src + 2 * VECTOR_BYTES), v3 = load(src + 3 * VECTOR_BYTES);

        store(dst, v0);
        store(dst + VECTOR_BYTES, v1);
        store(dst + 2 * VECTOR_BYTES, v2);
        store(dst + 3 * VECTOR_BYTES, v3);
        add(&a, v0);
        add(&b, v1);
        add(&a, v2);
        add(&b, v3);
    }
    for (; n_bytes >= VECTOR_BYTES; n_bytes -= VECTOR_BYTES, src += VECTOR_BYTES, dst += VECTOR_BYTES) {
        __m256i v0 = load(src);

        store(dst, v0);
        add(&a, v0);
    }
    return checksum_fold(checksum_scalar_copy(total(a, b), dst, src, n_bytes));
}

const struct checksum_variant checksum_avx2 = {"avx2", avx2_sum, avx2_copy};
