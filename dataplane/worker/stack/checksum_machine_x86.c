/* SPDX-License-Identifier: BSD-3-Clause */
/* checksum_machine_x86.c — vector variants of x86-64: SSE2 belongs to the architecture, AVX2 is asked for. */
#include "worker/stack/checksum_internal.h"

size_t checksum_machine_variants(const struct checksum_variant *found[CHECKSUM_MAX_VARIANTS])
{
    size_t n_found = 0;

    if (__builtin_cpu_supports("avx2"))
        found[n_found++] = &checksum_avx2;
    found[n_found++] = &checksum_sse2;
    return n_found;
}
