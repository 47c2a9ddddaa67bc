/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cc.h — what every lwIP of this project takes from its surroundings: byte order, randomness, diagnostics and
 * assertions. Shared by all builds, so nothing of one process stands here; each process defines sys_now().
 */
#ifndef MPA_LWIP_ARCH_CC_H
#define MPA_LWIP_ARCH_CC_H

/* Also gives lwIP its BYTE_ORDER. */
#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/assert.h"
#include "base/log.h"

/* The C library's errno numbers are used, not lwIP's own list of them. */
#define LWIP_ERRNO_STDINCLUDE 1
#define LWIP_TIMEVAL_PRIVATE 0

/* lwIP says such things only about our own use of it; they are for us, not for an operator. */
#define LWIP_PLATFORM_DIAG(message)                                                                          \
    do {                                                                                                     \
        log_debug message;                                                                                   \
    } while (0)

/* Same end as mpa_assert(): logged with its place, then abort. */
#define LWIP_PLATFORM_ASSERT(message) mpa_assert_failed(message, __FILE__, __LINE__)

/*
 * Identifiers and back-off delays. The kernel's generator cannot fail once it is seeded, which a process that
 * has got as far as opening a network interface may take for granted: a failure is a broken machine.
 */
static inline uint32_t lwip_port_random(void)
{
    uint32_t value;

    mpa_assert(getrandom(&value, sizeof(value), 0) == (ssize_t)sizeof(value));
    return value;
}
#define LWIP_RAND() lwip_port_random()

#endif
