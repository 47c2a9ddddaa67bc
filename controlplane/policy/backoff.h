/* SPDX-License-Identifier: BSD-3-Clause */
/* backoff.h — how long to wait before a process that died is started again. Pure. */
#ifndef MPA_POLICY_BACKOFF_H
#define MPA_POLICY_BACKOFF_H

#include <stdint.h>

#define BACKOFF_MAX_MS 30000u
#define BACKOFF_HEALTHY_MS 10000u /* a process that ran so long did not fail at its start */

/*
 * Delay before the next start: `base_ms` after the first failure in a row, doubled with each further one, at
 * most BACKOFF_MAX_MS (or base_ms where that is longer). `n_failures` counts from 1; 0 gives 0.
 */
uint32_t backoff_delay_ms(uint32_t base_ms, uint32_t n_failures);

/* Failures in a row after one more end: 1 when the process ran long enough to be called healthy. */
uint32_t backoff_count(uint32_t n_failures, uint64_t ran_ms);

#endif
