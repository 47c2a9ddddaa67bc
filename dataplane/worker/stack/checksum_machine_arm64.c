/* SPDX-License-Identifier: BSD-3-Clause */
/* checksum_machine_arm64.c — vector variants of ARMv8: NEON belongs to the architecture. */
#include "worker/stack/checksum_internal.h"

size_t checksum_machine_variants(const struct checksum_variant *found[CHECKSUM_MAX_VARIANTS])
{
    found[0] = &checksum_neon;
    return 1;
}
