/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.h — flow table: flow key -> 32-bit value, open addressing with linear probing and backward-shift
 * removal, fixed capacity. The hash is the caller's (flow_key_hash), keyed. Private memory, one thread.
 *
 * Used with prefetch over a burst: flow_table_prefetch() for all hashes, then flow_table_find() for each.
 */
#ifndef MPA_FLOW_TABLE_H
#define MPA_FLOW_TABLE_H

#include <stdint.h>

#include "base/assert.h"
#include "flow/key.h"

#define FLOW_TABLE_NONE 0xffffffffu

struct flow_table_place {
    uint32_t hash;
    uint32_t value; /* FLOW_TABLE_NONE: free */
};

/* The keys stand with the caller's objects: `key_of(context, value)` gives the key of a value. */
typedef const struct flow_key *flow_table_key_fn(const void *context, uint32_t value);

struct flow_table {
    struct flow_table_place *places; /* owned */
    uint32_t mask;                   /* number of places - 1, a power of two at least twice the capacity */
    uint32_t n_used;
    uint32_t capacity;
    flow_table_key_fn *key_of;
    const void *context; /* borrowed */
};

/* 0, -EINVAL or -ENOMEM. */
int flow_table_init(struct flow_table *table, uint32_t capacity, flow_table_key_fn *key_of,
                    const void *context) MPA_WARN_UNUSED;
void flow_table_fini(struct flow_table *table);

static inline void flow_table_prefetch(const struct flow_table *table, uint32_t hash)
{
    __builtin_prefetch(&table->places[hash & table->mask]);
}

/* First value in the hash's run whose 32-bit hash fits, FLOW_TABLE_NONE if none: a guess to prefetch with. */
uint32_t flow_table_guess(const struct flow_table *table, uint32_t hash);

/* The value of `key`, or FLOW_TABLE_NONE. */
uint32_t flow_table_find(const struct flow_table *table, uint32_t hash, const struct flow_key *key);

/* 0, -EEXIST, or -ENOSPC (capacity reached). */
int flow_table_insert(struct flow_table *table, uint32_t hash, uint32_t value) MPA_WARN_UNUSED;

/* 0 or -ENOENT. */
int flow_table_remove(struct flow_table *table, uint32_t hash, uint32_t value);

#endif
