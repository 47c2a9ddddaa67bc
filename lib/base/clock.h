/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clock.h — the one clock of all processes: CLOCK_MONOTONIC, so that TCP timestamps and ticks of a
 * connection keep running when it changes its worker.
 */
#ifndef MPA_BASE_CLOCK_H
#define MPA_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_NS_PER_US 1000ull
#define CLOCK_NS_PER_MS 1000000ull
#define CLOCK_NS_PER_S 1000000000ull

/* Nanoseconds since boot (not counting suspend). Never goes back; the same in every process of a host. */
static inline uint64_t clock_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

#endif
