/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checksum_bench.c — nanoseconds a call of every checksum variant of this CPU, memcpy beside them. The least
 * of several rounds: what the code costs, not what the neighbours do. Data are hot in the cache.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "worker/stack/checksum.h"

#define MAX_BYTES 65536u
#define N_ROUNDS 15u
#define ROUND_BYTES (16u << 20)

static const size_t sizes_bytes[] = {64, 1460, MAX_BYTES};
#define N_SIZES (sizeof(sizes_bytes) / sizeof(sizes_bytes[0]))

/* Results go here, so that no call is optimised away. */
static volatile uint16_t result;

/* One candidate: exactly one of the pointers is set, or neither for memcpy. */
struct candidate {
    uint16_t (*sum)(const void *data, size_t n_bytes);
    uint16_t (*copy)(void *restrict dst, const void *restrict src, size_t n_bytes);
};

static void run_once(const struct candidate *candidate, uint8_t *dst, const uint8_t *src, size_t n_bytes)
{
    if (candidate->sum != NULL)
        result ^= candidate->sum(src, n_bytes);
    else if (candidate->copy != NULL)
        result ^= candidate->copy(dst, src, n_bytes);
    else
        memcpy(dst, src, n_bytes);
    /* The next call may not be merged with this one. */
    __asm__ volatile("" : : "r"(dst) : "memory");
}

static double least_ns(const struct candidate *candidate, uint8_t *dst, const uint8_t *src, size_t n_bytes)
{
    size_t n_calls = ROUND_BYTES / n_bytes;
    double least = 1e18;

    for (unsigned round = 0; round < N_ROUNDS; round++) {
        uint64_t start_ns = clock_now_ns();
        double each_ns;

        for (size_t call = 0; call < n_calls; call++)
            run_once(candidate, dst, src, n_bytes);
        each_ns = (double)(clock_now_ns() - start_ns) / (double)n_calls;
        if (each_ns < least)
            least = each_ns;
    }
    return least;
}

static void print_line(const char *name, const char *what, const struct candidate *candidate,
                       uint8_t *buffers)
{
    printf("%-10s %-6s", name, what);
    for (size_t i = 0; i < N_SIZES; i++)
        printf(" %10.1f", least_ns(candidate, buffers + MAX_BYTES, buffers, sizes_bytes[i]));
    printf("\n");
}

int main(void)
{
    uint8_t *buffers = malloc((size_t)2 * MAX_BYTES);

    if (buffers == NULL)
        return EXIT_FAILURE;
    for (size_t i = 0; i < (size_t)2 * MAX_BYTES; i++)
        buffers[i] = (uint8_t)(i * 131u);
    checksum_init();
    printf("%-10s %-6s %7zu B %9zu B %9zu B   (ns a call)\n", "variant", "", sizes_bytes[0], sizes_bytes[1],
           sizes_bytes[2]);
    print_line("memcpy", "", &(struct candidate){0}, buffers);
    for (size_t i = 0; checksum_variant_at(i) != NULL; i++) {
        const struct checksum_variant *variant = checksum_variant_at(i);

        print_line(variant->name, "sum", &(struct candidate){.sum = variant->sum}, buffers);
        print_line(variant->name, "copy", &(struct candidate){.copy = variant->copy}, buffers);
    }
    print_line("dispatched", "sum", &(struct candidate){.sum = checksum}, buffers);
    print_line("dispatched", "copy", &(struct candidate){.copy = checksum_copy}, buffers);
    free(buffers);
    return EXIT_SUCCESS;
}
