/* SPDX-License-Identifier: BSD-3-Clause */
/* cc.h — what stock lwIP asks of its platform, for the baseline: a random source, nothing else. */
#ifndef MPA_BASELINE_ARCH_CC_H
#define MPA_BASELINE_ARCH_CC_H

#include <stdlib.h>

/* lwIP draws ports and IPv6 identifiers from it; the baseline has nothing to protect. */
#define LWIP_RAND() ((u32_t)random())

#endif
