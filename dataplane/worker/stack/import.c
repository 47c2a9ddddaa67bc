/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * import.c — which flows of another worker's records are taken over. What is here already, or was closed here
 * since, is left alone: whoever has a flow now knows better than a record. What cannot be trusted is left
 * too: its peer gets a reset when it speaks.
 */
#include <string.h>

#include "base/clock.h"
#include "base/fault_point.h"
#include "worker/stack/stack_internal.h"

#define IMPORT_LIVE_TOMBSTONES 1024u /* the newest of a living worker's that are looked at */

/* One order while it is carried out. */
struct import {
    struct stack *stack;
    const struct border_records *source;
    const struct attach_adopt *order;
    struct stack_adoption *adoption;
};

static bool import_is_mine(const struct import *import, uint32_t hash)
{
    const struct stack_config *config = &import->stack->config;

    if (!import->order->is_shared || config->bucket_worker == NULL)
        return true;
    return atomic_load_explicit(&config->bucket_worker[hash & import->stack->bucket_mask],
                                memory_order_relaxed) == config->slot;
}

static void import_bad(const struct import *import)
{
    import->adoption->n_bad++;
    counter_add(import->stack->config.counters, WORKER_flows_import_bad, 1);
}

static void import_flow(const struct import *import, const struct border_flow *flow)
{
    struct stack *stack = import->stack;
    counter *counters = stack->config.counters;
    struct flow_key key;
    uint32_t hash;

    memcpy(&key, flow->facts.key, sizeof(key));
    hash = flow_key_hash(&key, &stack->config.flow_seed);
    if (!import_is_mine(import, hash))
        return;
    if (flow_table_find(&stack->flows, hash, &key) != FLOW_TABLE_NONE ||
        stack_tombstone_has(stack, &key, hash, flow->facts.opened_ns)) {
        import->adoption->n_known++;
        counter_add(counters, WORKER_flows_import_known, 1);
        return;
    }
    if (stack_rebuild(stack, import->source, flow, import->order->what == ATTACH_ADOPT_EXPORTED)) {
        import->adoption->n_adopted++;
        counter_add(counters, WORKER_flows_imported, 1);
        fault_point(FAULT_adopt_flow);
    } else {
        import->adoption->n_bad++;
        counter_add(counters, WORKER_flows_import_memory, 1);
    }
}

/* The chain that the exporter left; it may be longer than true, or a circle. */
static void import_exported(const struct import *import)
{
    struct border_flow flow;
    uint32_t idx, n_flows;

    if (border_take_export(import->source, import->order->exported, &idx, &n_flows) != BORDER_OK)
        return;
    for (uint32_t i = 0; i < n_flows && i < import->source->n_records; i++) {
        enum border_result result = BORDER_EMPTY;

        if (idx < import->source->n_records)
            result = border_take_flow(import->source, idx, &flow);
        if (result == BORDER_EMPTY) {
            import_bad(import);
            return;
        }
        idx = flow.facts.export_next;
        if (result == BORDER_OK && flow.facts.export_number == import->order->exported && flow.facts.is_exact)
            import_flow(import, &flow);
        else
            import_bad(import);
    }
}

static void import_dead(const struct import *import)
{
    uint32_t n_used = border_records_n_used(import->source);
    struct border_flow flow;

    for (uint32_t idx = 0; idx < n_used; idx++) {
        switch (border_take_flow(import->source, idx, &flow)) {
        case BORDER_EMPTY:
            break;
        case BORDER_PEER_FAULT:
            import_bad(import);
            break;
        case BORDER_OK:
            /* Handed over and confirmed: another's. */
            if (flow.facts.export_number == 0 || flow.facts.export_number > import->order->exports_done)
                import_flow(import, &flow);
            break;
        }
    }
}

/* After the flows: a stone in the same segment is older than a flow that is in use there. */
static void import_tombstones(const struct import *import)
{
    struct stack *stack = import->stack;
    uint32_t now_ms = (uint32_t)(stack->now_ns / CLOCK_NS_PER_MS);
    uint32_t max = import->order->what == ATTACH_ADOPT_DEAD ? UINT32_MAX : IMPORT_LIVE_TOMBSTONES;
    struct flow_tombstone tombstone;

    for (uint32_t age = 0; age < max; age++) {
        enum border_result result = border_take_tombstone(import->source, age, &tombstone);
        struct flow_key key;

        if (result == BORDER_EMPTY || now_ms - tombstone.closed_ms >= FLOW_TOMBSTONE_LIFE_MS)
            return;
        if (result != BORDER_OK)
            continue;
        memcpy(&key, tombstone.key, sizeof(key));
        tombstone.hash = flow_key_hash(&key, &stack->config.flow_seed);
        if (import_is_mine(import, tombstone.hash))
            stack_tombstone_add(stack, &tombstone);
    }
}

void stack_adopt(struct stack *stack, const struct border_records *source, const struct attach_adopt *order,
                 struct stack_adoption *adoption)
{
    struct import import = {stack, source, order, adoption};

    *adoption = (struct stack_adoption){0};
    if (order->what == ATTACH_ADOPT_EXPORTED)
        import_exported(&import);
    else if (order->what == ATTACH_ADOPT_DEAD)
        import_dead(&import);
    import_tombstones(&import);
}
