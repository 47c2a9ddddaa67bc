/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool.h — the memory that lwIP draws from (MEM_CUSTOM_MALLOC, _FREE, _CALLOC): a fixed budget, mapped once.
 *
 * lwIP calls without a context and its state is global, so there is one pool a process. One thread. After
 * pool_init() no call enters the kernel but for the first touch of a page. Blocks come in classes: steps of
 * 64 bytes up to 512, then powers of two up to POOL_MAX_BLOCK_BYTES; all are aligned to 64 bytes.
 */
#ifndef MPA_WORKER_STACK_POOL_H
#define MPA_WORKER_STACK_POOL_H

#include <stddef.h>

#include "base/assert.h"

#define POOL_MAX_BLOCK_BYTES (128u << 10)

/*
 * Maps `budget_bytes` (rounded down to 64; at least 64) and about 1/64 of it for bookkeeping; nothing is
 * touched yet. 0, -EINVAL, -EALREADY (there is a pool) or -ENOMEM. pool_fini() unmaps; blocks still in use
 * die with it.
 */
int pool_init(size_t budget_bytes) MPA_WARN_UNUSED;
void pool_fini(void);

/*
 * A block of at least n_bytes, owned by the caller until pool_free(); contents are whatever was there. NULL
 * when the budget is used up or n_bytes is over POOL_MAX_BLOCK_BYTES: nothing has changed then. A
 * class that finds nothing left takes a block of a larger one.
 */
void *pool_malloc(size_t n_bytes) __attribute__((malloc, alloc_size(1)));

/* The same for n * n_bytes, zeroed; NULL too if the product overflows. */
void *pool_calloc(size_t n, size_t n_bytes) __attribute__((malloc, alloc_size(1, 2)));

/* Gives a block back; NULL is allowed. Anything that is not a block in use is our bug: it asserts. */
void pool_free(void *block);

/* Bytes of the blocks in use (class sizes, not requests), the most there ever were, and the budget. */
size_t pool_used_bytes(void);
size_t pool_peak_bytes(void);
size_t pool_budget_bytes(void);

#endif
