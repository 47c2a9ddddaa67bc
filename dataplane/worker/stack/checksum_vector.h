/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checksum_vector.h — the loops that all vector variants share. One file per kind of vector includes it,
 * after it has said what a vector is there:
 *
 *   VECTOR, VECTOR_BYTES    the type and its size
 *   struct sums             running sums of 32-bit words, all zero with SUMS_ZERO
 *   load(), store()         without any alignment
 *   add(sums, vector)       adds the vector's words
 *   total(a, b)             both sums as one 64-bit sum of 32-bit words
 *
 * A file a variant, each compiled for its own instruction set: hence a header of static functions, and not
 * one function with a table of operations, which would not be inlined.
 */
#ifndef MPA_WORKER_STACK_CHECKSUM_VECTOR_H
#define MPA_WORKER_STACK_CHECKSUM_VECTOR_H

#include "worker/stack/checksum_internal.h"

#define STEP_BYTES (4u * VECTOR_BYTES)

static uint16_t checksum_vector_sum(const void *data, size_t n_bytes)
{
    const uint8_t *src = data;
    struct sums a = SUMS_ZERO, b = SUMS_ZERO;

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

/* The same with a store of what was loaded: the copy costs no second pass over the source. */
static uint16_t checksum_vector_copy(void *restrict to, const void *restrict from, size_t n_bytes)
{
    const uint8_t *src = from;
    uint8_t *dst = to;
    struct sums a = SUMS_ZERO, b = SUMS_ZERO;

    for (; n_bytes >= STEP_BYTES; n_bytes -= STEP_BYTES, src += STEP_BYTES, dst += STEP_BYTES) {
        /* All loads before the first store: the compiler may not know that they never overlap. */
        VECTOR v0 = load(src), v1 = load(src + VECTOR_BYTES);
        VECTOR v2 = load(src + 2 * VECTOR_BYTES), v3 = load(src + 3 * VECTOR_BYTES);

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
        VECTOR v0 = load(src);

        store(dst, v0);
        add(&a, v0);
    }
    return checksum_fold(checksum_scalar_copy(total(a, b), dst, src, n_bytes));
}

#endif
