/* SPDX-License-Identifier: BSD-3-Clause */
/* backoff.c — restart delays: quick after a single death, slow for what dies again and again. */
#include "controlplane/policy/backoff.h"

uint32_t backoff_delay_ms(uint32_t base_ms, uint32_t n_failures)
{
    uint64_t delay_ms = base_ms;
    uint64_t max_ms = base_ms > BACKOFF_MAX_MS ? base_ms : BACKOFF_MAX_MS;

    if (n_failures == 0)
        return 0;
    for (uint32_t i = 1; i < n_failures && delay_ms < max_ms; i++)
        delay_ms *= 2;
    return (uint32_t)(delay_ms < max_ms ? delay_ms : max_ms);
}

uint32_t backoff_count(uint32_t n_failures, uint64_t ran_ms)
{
    if (ran_ms >= BACKOFF_HEALTHY_MS || n_failures == UINT32_MAX)
        return 1;
    return n_failures + 1;
}
