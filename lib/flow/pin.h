/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pin.h — exception table: single flows pinned to a worker other than their bucket's. Bounded. A pin made by
 * a SYN expires unless the worker confirms the connection, and ends when the worker reports the close.
 */
#ifndef MPA_FLOW_PIN_H
#define MPA_FLOW_PIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "flow/bucket.h"
#include "flow/key.h"
#include "flow/table.h"

#define PIN_SYN_LIFE_NS (10ull * 1000000000ull)
/* How far behind its SYN a segment of a connection that is not confirmed yet may begin: some times what a
 * peer may send before the worker has a say (65,535 bytes; no window is scaled in a SYN). */
#define PIN_SYN_WINDOW (256u << 10)

struct pin {
    struct flow_key key;
    uint32_t hash;
    uint32_t next_free;
    uint64_t expires_ns; /* 0: confirmed, does not expire */
    uint8_t worker;
    bool has_isn; /* made by a SYN with sequence number `isn` */
    uint32_t isn;
};

struct pin_table {
    struct flow_table by_key;
    struct pin *pins; /* owned, capacity entries */
    uint32_t first_free;
    uint32_t sweep_idx;
};

int pin_table_init(struct pin_table *table, uint32_t capacity) MPA_WARN_UNUSED;
void pin_table_fini(struct pin_table *table);

/* pin_table_find() where there are pins. */
uint8_t pin_table_search(const struct pin_table *table, uint32_t hash, const struct flow_key *key);

/* The pinned worker, or BUCKET_NO_WORKER. Nearly always there is no pin at all: that costs one compare. */
static inline uint8_t pin_table_find(const struct pin_table *table, uint32_t hash, const struct flow_key *key)
{
    return table->by_key.n_used == 0 ? (uint8_t)BUCKET_NO_WORKER : pin_table_search(table, hash, key);
}

/* Pins or re-pins; `now_ns` + PIN_SYN_LIFE_NS is its end until confirmed. 0 or -ENOSPC. */
int pin_table_add(struct pin_table *table, uint32_t hash, const struct flow_key *key, uint8_t worker,
                  uint64_t now_ns) MPA_WARN_UNUSED;

/*
 * Pins a flow that a SYN with sequence number `isn` is about to open. Whoever forges a SYN of a connection
 * that is established elsewhere must not lead it here: until it is confirmed pin_table_route() follows the
 * pin only for segments that fit the SYN. 0 or -ENOSPC.
 */
struct pin_syn {
    uint32_t isn;
    uint8_t worker;
};
int pin_table_add_syn(struct pin_table *table, uint32_t hash, const struct flow_key *key,
                      const struct pin_syn *syn, uint64_t now_ns) MPA_WARN_UNUSED;
/* pin_table_search() for a TCP segment that is no SYN and begins at `seq`. */
uint8_t pin_table_route(const struct pin_table *table, uint32_t hash, const struct flow_key *key,
                        uint32_t seq);

bool pin_table_confirm(struct pin_table *table, uint32_t hash, const struct flow_key *key);
bool pin_table_remove(struct pin_table *table, uint32_t hash, const struct flow_key *key);

/* A pin that does not expire: of a flow that is established. `worker` may be BUCKET_HELD or
 * BUCKET_ORPHAN meanwhile. 0 or -ENOSPC. */
int pin_table_point(struct pin_table *table, uint32_t hash, const struct flow_key *key,
                    uint8_t worker) MPA_WARN_UNUSED;

/* Points every pin to `from` at `to`. Returns how many. */
uint32_t pin_table_repoint(struct pin_table *table, uint8_t from, uint8_t to);

/* Drops every pin of which `is_over` says so. Returns how many. */
typedef bool pin_is_over_fn(const void *context, const struct pin *pin);
uint32_t pin_table_remove_where(struct pin_table *table, pin_is_over_fn *is_over, const void *context);

/* Looks at up to `n` entries and drops the expired; call it regularly. Returns how many it dropped. */
uint32_t pin_table_sweep(struct pin_table *table, uint64_t now_ns, uint32_t n);

#endif
