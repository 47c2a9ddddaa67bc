/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * park.h — packets that wait for their next hop (ARP, ND): private copies, bounded in number, so that nobody
 * waits behind them. Each waits at most PARK_LIFE_NS.
 */
#ifndef MPA_FRONTEND_PARK_H
#define MPA_FRONTEND_PARK_H

#include <stdint.h>

#include "base/assert.h"
#include "frontend/offload.h"

#define PARK_LIFE_NS (3ull * 1000000000ull)
#define PARK_MAX_BYTES 65536u

/* One packet, checked: its headers, then what follows them. */
struct park_entry {
    struct offload_plan plan;
    struct offload_frame frame; /* its packet has plan.header_len bytes */
    uint64_t until_ns;
    uint8_t *payload; /* in park.memory: total_len - header_len bytes */
};

struct park {
    struct park_entry *entries; /* owned; the first n_used wait, oldest first */
    uint8_t *memory;            /* owned, lazily touched */
    uint32_t n_entries, n_used;
};

int park_init(struct park *park, uint32_t n_entries) MPA_WARN_UNUSED;
void park_fini(struct park *park);

/* A place for a packet, or NULL when all are taken. The caller fills in plan, header and payload. */
struct park_entry *park_add(struct park *park, uint64_t now_ns);

/* Removes entry `idx`; the order of the others stays. */
void park_remove(struct park *park, uint32_t idx);

#endif
