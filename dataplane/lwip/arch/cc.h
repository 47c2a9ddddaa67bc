/* SPDX-License-Identifier: BSD-3-Clause */
/* cc.h — the compiler and platform side of every lwIP build of the project. */
#ifndef MPA_LWIP_ARCH_CC_H
#define MPA_LWIP_ARCH_CC_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/types.h>

_Noreturn void mpa_assert_failed(const char *expression, const char *file, int line);

#define LWIP_PLATFORM_DIAG(message) ((void)0)
#define LWIP_PLATFORM_ASSERT(message) mpa_assert_failed(message, __FILE__, __LINE__)

static inline uint32_t lwip_arch_random(void)
{
    uint32_t value = 0;

    if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != (ssize_t)sizeof(value))
        value = 0;
    return value;
}

#define LWIP_RAND() lwip_arch_random()
#define LWIP_NO_CTYPE_H 0

#endif
