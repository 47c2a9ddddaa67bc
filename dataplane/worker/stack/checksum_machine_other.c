/* SPDX-License-Identifier: BSD-3-Clause */
/* checksum_machine_other.c — a machine without a vector variant of ours. */
#include "worker/stack/checksum_internal.h"

size_t checksum_machine_variants(const struct checksum_variant *found[CHECKSUM_MAX_VARIANTS])
{
    (void)found;
    return 0;
}
