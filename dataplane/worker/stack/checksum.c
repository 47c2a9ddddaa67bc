/* SPDX-License-Identifier: BSD-3-Clause */
/* checksum.c — the portable variant and the choice between the variants. */
#include "worker/stack/checksum.h"

#include "worker/stack/checksum_internal.h"

static uint16_t portable_sum(const void *data, size_t n_bytes)
{
    return checksum_fold(checksum_scalar(0, data, n_bytes));
}

static uint16_t portable_copy(void *restrict dst, const void *restrict src, size_t n_bytes)
{
    return checksum_fold(checksum_scalar_copy(0, dst, src, n_bytes));
}

const struct checksum_variant checksum_portable = {"portable", portable_sum, portable_copy};

/* The portable one until the CPU was asked, so that no order of initialisation can be wrong. */
static const struct checksum_variant *used = &checksum_portable;

const struct checksum_variant *checksum_variant_at(size_t idx)
{
    const struct checksum_variant *found[CHECKSUM_MAX_VARIANTS];
    size_t n_found = checksum_machine_variants(found);

    if (idx < n_found)
        return found[idx];
    return idx == n_found ? &checksum_portable : NULL;
}

void checksum_init(void)
{
    used = checksum_variant_at(0);
}

const struct checksum_variant *checksum_variant_used(void)
{
    return used;
}

uint16_t checksum(const void *data, size_t n_bytes)
{
    if (n_bytes < CHECKSUM_VECTOR_BYTES)
        return portable_sum(data, n_bytes);
    return used->sum(data, n_bytes);
}

uint16_t checksum_copy(void *restrict dst, const void *restrict src, size_t n_bytes)
{
    if (n_bytes < CHECKSUM_VECTOR_BYTES)
        return portable_copy(dst, src, n_bytes);
    return used->copy(dst, src, n_bytes);
}
