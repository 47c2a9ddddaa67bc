/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * export.c — giving flows away. A flow's record becomes exact and another worker's in one commit, then its
 * PCB goes without a packet. What is left is a zombie: a record and FIFO bytes that the new owner reads, kept
 * until the frontend says that it has them (stack_release).
 */
#include <lwip/tcp.h>
#include <string.h>

#include "base/fault_point.h"
#include "worker/stack/stack_internal.h"

/* One flow; true if it was exported. */
static bool export_one(struct stack *stack, struct conn *conn, const struct record_export *export)
{
    if (conn->flags & CONN_ABORT) {
        tcp_abort(conn->pcb); /* it was only waiting to be reset */
        return false;
    }
    stack_record_export(stack, conn, export);
    fault_point(FAULT_export_flipped);
    recovery_fini(conn);
    conn->flags |= CONN_UNSAID;
    stack_conn_forget(stack, conn);
    conn->flags |= CONN_EXPORTED;
    conn->bucket_next = stack->zombie_head;
    stack->zombie_head = conn->idx;
    return true;
}

/* The chain is written from its end: each record names the one exported before it. */
static uint32_t export_bucket(struct stack *stack, uint32_t bucket, struct record_export *export)
{
    uint32_t idx = stack->bucket_heads[bucket & stack->bucket_mask], n = 0;

    while (idx != CONN_NONE) {
        struct conn *conn = &stack->conns[idx];

        idx = conn->bucket_next;
        if (!export_one(stack, conn, export))
            continue;
        export->next = conn->idx;
        n++;
    }
    return n;
}

static uint32_t export_flow(struct stack *stack, const uint8_t *key_bytes, struct record_export *export)
{
    struct flow_key key;
    uint32_t idx;

    memcpy(&key, key_bytes, sizeof(key));
    idx = flow_table_find(&stack->flows, flow_key_hash(&key, &stack->config.flow_seed), &key);
    if (idx == FLOW_TABLE_NONE || !export_one(stack, &stack->conns[idx], export))
        return 0;
    export->next = idx;
    return 1;
}

uint32_t stack_export(struct stack *stack, const struct attach_export *order)
{
    struct record_export export = {.number = order->number, .to = order->to, .next = FLOW_RECORD_NONE};
    uint32_t n_buckets = LWIP_MIN(order->n_buckets, ATTACH_MAX_BUCKETS), n = 0;
    struct flow_export *exported;

    if (stack->flow_records == NULL)
        return 0;
    if (order->what == ATTACH_EXPORT_FLOW)
        n = export_flow(stack, order->key, &export);
    else if (order->what == ATTACH_EXPORT_BUCKETS)
        for (uint32_t i = 0; i < n_buckets; i++)
            n += export_bucket(stack, order->buckets[i], &export);
    else if (order->what == ATTACH_EXPORT_ALL)
        for (uint32_t bucket = 0; bucket <= stack->bucket_mask; bucket++)
            n += export_bucket(stack, bucket, &export);
    exported = &stack->config.records->exported;
    exported->first = export.next;
    exported->n_flows = n;
    /* Pairs with border_take_export(). */
    atomic_store_explicit(&exported->number, order->number, memory_order_release);
    counter_add(stack->config.counters, WORKER_flows_exported, n);
    return n;
}

static uint64_t zombie_number(const struct stack *stack, uint32_t idx)
{
    const struct flow_record *record = &stack->flow_records[idx];
    uint64_t turn = atomic_load_explicit(&record->turn, memory_order_relaxed);

    return record->facts[(turn & FLOW_TURN_FACTS) != 0].export_number;
}

void stack_release(struct stack *stack, uint64_t number)
{
    uint32_t idx = stack->zombie_head, *link = &stack->zombie_head;

    while (idx != CONN_NONE) {
        struct conn *conn = &stack->conns[idx];

        idx = conn->bucket_next;
        if (zombie_number(stack, conn->idx) > number) {
            link = &conn->bucket_next;
            continue;
        }
        *link = conn->bucket_next;
        /* The next commit ends the record and frees the place. */
        conn->flags &= ~(uint32_t)CONN_EXPORTED;
        stack_mark_dirty(stack, conn);
    }
}
