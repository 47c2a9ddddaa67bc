/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bucket.h — bucket table: hash -> bucket -> worker slot. Adding a worker moves only the buckets given to it.
 * Owned by one thread; readers elsewhere get a copy.
 */
#ifndef MPA_FLOW_BUCKET_H
#define MPA_FLOW_BUCKET_H

#include <stdint.h>

#include "base/assert.h"

#define BUCKET_NO_WORKER 0xffu
#define BUCKET_HELD 0xfeu   /* on its way from one worker to another: its frames wait */
#define BUCKET_ORPHAN 0xfdu /* its worker is gone: its frames wait for whoever adopts its flows */

struct bucket_table {
    uint32_t n_buckets; /* power of two */
    uint8_t *worker;    /* owned: n_buckets worker slots, or one of the above */
};

/* All buckets without a worker. 0, -EINVAL (not a power of two) or -ENOMEM. */
int bucket_table_init(struct bucket_table *table, uint32_t n_buckets) MPA_WARN_UNUSED;
void bucket_table_fini(struct bucket_table *table);

static inline uint32_t bucket_of(const struct bucket_table *table, uint32_t hash)
{
    return hash & (table->n_buckets - 1);
}

/*
 * Spreads the buckets over the workers in `alive` (bit i = slot i) with the fewest moves: each gets
 * n_buckets / n, rounded up or down; buckets of workers not alive are given away first. `alive` 0: no
 * bucket has a worker. Calls `moved` (may be NULL) for each bucket that changes. Returns the number moved.
 */
typedef void bucket_moved_fn(void *context, uint32_t bucket, uint8_t from, uint8_t to);
uint32_t bucket_table_spread(struct bucket_table *table, uint32_t alive, bucket_moved_fn *moved,
                             void *context);

/*
 * Gives every bucket that is nobody's (no worker, or orphan) to whoever of `alive` (not 0) has fewest; the
 * others stay where they are. The table itself is not changed: `given` is called for each with its new
 * worker. Returns how many.
 */
uint32_t bucket_table_give(const struct bucket_table *table, uint32_t alive, bucket_moved_fn *given,
                           void *context);

#endif
