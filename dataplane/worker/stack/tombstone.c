/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tombstone.c — 4-tuples that were closed lately. lwIP answers a late segment of a closed connection with a
 * reset; after a crash, when input is replayed and much is sent again, that would be the rule. The ring
 * stands in the records segment, where adopters find it; the look-up table over it is private.
 */
#include <string.h>

#include "base/clock.h"
#include "worker/stack/stack_internal.h"

_Static_assert(offsetof(struct flow_tombstone, key) % _Alignof(struct flow_key) == 0, "a key in place");

static struct flow_tombstone *tombstone_at(const struct stack *stack, uint32_t place)
{
    struct records_segment *records = stack->config.records;

    return (struct flow_tombstone *)(void *)((uint8_t *)records + records->tombstones_off) + place;
}

static const struct flow_key *tombstone_key_of(const void *context, uint32_t value)
{
    return (const struct flow_key *)(const void *)tombstone_at(context, value)->key;
}

int stack_tombstones_init(struct stack *stack)
{
    return flow_table_init(&stack->tombstones, stack->config.records->n_tombstones, tombstone_key_of, stack);
}

void stack_tombstone_add(struct stack *stack, const struct flow_tombstone *tombstone)
{
    struct records_segment *records = stack->config.records;
    const struct flow_key *key = (const struct flow_key *)(const void *)tombstone->key;
    uint32_t n_written, place, older;

    if (stack->flow_records == NULL)
        return;
    n_written = atomic_load_explicit(&records->tombstones_written, memory_order_relaxed);
    place = n_written & (records->n_tombstones - 1);
    /* What stood in this place, and an older stone of the same 4-tuple. */
    if (n_written >= records->n_tombstones)
        flow_table_remove(&stack->tombstones, tombstone_at(stack, place)->hash, place);
    older = flow_table_find(&stack->tombstones, tombstone->hash, key);
    if (older != FLOW_TABLE_NONE)
        flow_table_remove(&stack->tombstones, tombstone->hash, older);
    *tombstone_at(stack, place) = *tombstone;
    /* There is a place in the table for each in the ring. */
    if (flow_table_insert(&stack->tombstones, tombstone->hash, place) < 0)
        return;
    atomic_store_explicit(&records->tombstones_written, n_written + 1, memory_order_release);
}

bool stack_tombstone_has(const struct stack *stack, const struct flow_key *key, uint32_t hash,
                         uint64_t opened_ns)
{
    uint32_t place =
        stack->flow_records == NULL ? FLOW_TABLE_NONE : flow_table_find(&stack->tombstones, hash, key);
    uint32_t closed_ms;

    if (place == FLOW_TABLE_NONE)
        return false;
    closed_ms = tombstone_at(stack, place)->closed_ms;
    if ((uint32_t)(stack->now_ns / CLOCK_NS_PER_MS) - closed_ms >= FLOW_TOMBSTONE_LIFE_MS)
        return false;
    return opened_ns == 0 || (int32_t)(closed_ms - (uint32_t)(opened_ns / CLOCK_NS_PER_MS)) >= 0;
}
