/* SPDX-License-Identifier: BSD-3-Clause */
/* stack_conn.c — birth and death of connections, their lists, and what consumers do with their FIFOs. */
#include <lwip/tcp.h>
#include <string.h>

#include "worker/stack/pool.h"
#include "worker/stack/stack_internal.h"

void stack_mark_dirty(struct stack *stack, struct conn *conn)
{
    if (conn->flags & CONN_DIRTY)
        return;
    conn->flags |= CONN_DIRTY;
    conn->dirty_next = stack->dirty_head;
    stack->dirty_head = conn->idx;
}

void stack_mark_ready(struct stack *stack, struct conn *conn)
{
    if (conn->flags & (CONN_READY | CONN_BLOCKED))
        return;
    conn->flags |= CONN_READY;
    conn->ready_next = stack->ready_head;
    stack->ready_head = conn->idx;
}

static struct conn *stack_conn_take(struct stack *stack)
{
    struct conn *conn;
    uint32_t idx = stack->first_free;

    if (idx != CONN_NONE) {
        conn = &stack->conns[idx];
        stack->first_free = conn->wheel_next;
    } else if (stack->n_unused_idx < stack->config.max_connections) {
        idx = stack->n_unused_idx++;
        conn = &stack->conns[idx];
    } else {
        return NULL;
    }
    memset(conn, 0, sizeof(*conn));
    conn->idx = idx;
    conn->wheel_next = conn->wheel_prev = CONN_NONE;
    return conn;
}

static void stack_conn_put(struct stack *stack, struct conn *conn)
{
    conn->wheel_next = stack->first_free;
    stack->first_free = conn->idx;
}

static void stack_conn_key(const struct tcp_pcb *pcb, struct flow_key *key)
{
    *key = (struct flow_key){.protocol = IP_PROTO_TCP, .family = IP_IS_V6(&pcb->remote_ip) ? 6 : 4};
    if (key->family == 6) {
        memcpy(key->remote, ip_2_ip6(&pcb->remote_ip)->addr, 16);
        memcpy(key->local, ip_2_ip6(&pcb->local_ip)->addr, 16);
    } else {
        memcpy(key->remote, &ip_2_ip4(&pcb->remote_ip)->addr, 4);
        memcpy(key->local, &ip_2_ip4(&pcb->local_ip)->addr, 4);
    }
    key->remote_port_be = lwip_htons(pcb->remote_port);
    key->local_port_be = lwip_htons(pcb->local_port);
}

static err_t stack_on_received(void *argument, struct tcp_pcb *pcb, struct pbuf *data, err_t error)
{
    struct conn *conn = stack_conn_of(pcb);
    struct stack *stack = argument;

    (void)error;
    stack_mark_ready(stack, conn);
    if (data == NULL) {
        conn->flags |= CONN_PEER_CLOSED;
        return ERR_OK;
    }
    counter_add(stack->config.counters, WORKER_rx_bytes, data->tot_len);
    for (const struct pbuf *part = data; part != NULL; part = part->next) {
        /* Room was made before lwIP saw the segment; without it the stream would have a hole. */
        if (fifo_write(&conn->rx, stack->config.fifo_memory, part->payload, part->len) < 0)
            conn->flags |= CONN_ABORT;
    }
    pbuf_free(data);
    return ERR_OK;
}

static err_t stack_on_acknowledged(void *argument, struct tcp_pcb *pcb, u16_t len)
{
    struct conn *conn = stack_conn_of(pcb);
    struct stack *stack = argument;

    fifo_consume(&conn->tx, stack->config.fifo_memory, len);
    stack_mark_ready(stack, conn);
    return ERR_OK;
}

static void stack_on_error(void *argument, err_t error)
{
    struct stack *stack = argument;

    if (error != ERR_CLSD)
        counter_add(stack->config.counters, WORKER_connections_reset, 1);
}

static void stack_bucket_link(struct stack *stack, struct conn *conn)
{
    uint32_t *head = &stack->bucket_heads[conn->hash & stack->bucket_mask];

    conn->bucket_prev = CONN_NONE;
    conn->bucket_next = *head;
    if (*head != CONN_NONE)
        stack->conns[*head].bucket_prev = conn->idx;
    *head = conn->idx;
}

static void stack_bucket_unlink(struct stack *stack, const struct conn *conn)
{
    if (conn->bucket_prev == CONN_NONE)
        stack->bucket_heads[conn->hash & stack->bucket_mask] = conn->bucket_next;
    else
        stack->conns[conn->bucket_prev].bucket_next = conn->bucket_next;
    if (conn->bucket_next != CONN_NONE)
        stack->conns[conn->bucket_next].bucket_prev = conn->bucket_prev;
}

struct conn *stack_conn_attach(struct stack *stack, struct tcp_pcb *pcb, const struct flow_key *key)
{
    struct conn *conn = stack_conn_take(stack);

    if (conn == NULL) {
        counter_add(stack->config.counters, WORKER_rx_drop_connections, 1);
        return NULL;
    }
    conn->key = *key;
    conn->hash = flow_key_hash(&conn->key, &stack->config.flow_seed);
    if (flow_table_insert(&stack->flows, conn->hash, conn->idx) < 0) {
        stack_conn_put(stack, conn);
        return NULL;
    }
    conn->pcb = pcb;
    stack_bucket_link(stack, conn);
    stack->n_connections++;
    stack_conn_callbacks(stack, pcb);
    tcp_ext_arg_set(pcb, 0, conn);
    tcp_arg(pcb, stack);
    tcp_recv(pcb, stack_on_received);
    tcp_sent(pcb, stack_on_acknowledged);
    tcp_err(pcb, stack_on_error);
    tcp_nagle_disable(pcb);
    stack_mark_dirty(stack, conn);
    return conn;
}

struct conn *stack_conn_new(struct stack *stack, struct tcp_pcb *pcb)
{
    struct conn *conn;
    struct flow_key key;

    stack_conn_key(pcb, &key);
    conn = stack_conn_attach(stack, pcb, &key);
    if (conn == NULL)
        return NULL;
    pcb->mss = LWIP_MAX(pcb->mss, STACK_MIN_MSS);
    conn->real_mss = pcb->mss;
    conn->iss = pcb->lastack;
    conn->irs = pcb->rcv_nxt - 1;
    /* Epochs of a 4-tuple grow, over its reincarnations too. */
    stack_record_begin(stack, conn, tcp_ticks, stack->now_ns);
    return conn;
}

/* lwIP has freed the PCB. The 4-tuple is free at once; the object goes with the commit. */
void stack_conn_gone(struct stack *stack, struct conn *conn)
{
    stack_timer_cancel(stack, conn);
    flow_table_remove(&stack->flows, conn->hash, conn->idx);
    stack_bucket_unlink(stack, conn);
    conn->pcb = NULL;
    stack->n_connections--;
    if (conn->flags & CONN_TIME_WAIT)
        stack->n_time_wait--;
    if (!(conn->flags & CONN_UNSAID))
        counter_add(stack->config.counters, WORKER_connections_closed, 1);
    stack_mark_dirty(stack, conn);
}

void stack_conn_forget(struct stack *stack, struct conn *conn)
{
    struct tcp_pcb *pcb = conn->pcb;

    (void)stack;
    tcp_err(pcb, NULL);
    tcp_clear_flags(pcb, TF_ACK_DELAY | TF_ACK_NOW);
    stack_lists_put(conn);
    tcp_abandon(pcb, 0);
}

static void stack_conn_release(struct stack *stack, struct conn *conn)
{
    if ((conn->flags & (CONN_OPEN | CONN_UNSAID)) == CONN_OPEN)
        stack->callbacks.closed(stack->context, conn);
    recovery_fini(conn);
    fifo_fini(&conn->rx, stack->config.fifo_memory);
    fifo_fini(&conn->tx, stack->config.fifo_memory);
    stack_conn_put(stack, conn);
}

static void stack_commit_one(struct stack *stack, struct conn *conn)
{
    conn->flags &= ~(uint32_t)CONN_DIRTY;
    if (conn->pcb != NULL) {
        /* Room that was made for a segment which lwIP then did not want. */
        fifo_trim(&conn->rx, stack->config.fifo_memory);
        stack_record_commit(stack, conn);
        return;
    }
    if (conn->flags & CONN_EXPORTED)
        return; /* until stack_release() */
    stack_record_end(stack, conn);
    /* Still on another list: it comes back here when that list was walked. */
    if (!(conn->flags & (CONN_READY | CONN_BLOCKED)))
        stack_conn_release(stack, conn);
}

void stack_commit(struct stack *stack)
{
    uint32_t idx = stack->dirty_head;

    stack->dirty_head = CONN_NONE;
    while (idx != CONN_NONE) {
        struct conn *conn = &stack->conns[idx];

        idx = conn->dirty_next;
        stack_commit_one(stack, conn);
    }
    /* Only now may the blocks that this turn freed be used again: until the commit a record could name them.
     */
    fifo_memory_release(stack->config.fifo_memory);
}

struct fifo_span stack_conn_peek(struct stack *stack, struct conn *conn)
{
    return fifo_peek(&conn->rx, stack->config.fifo_memory);
}

void stack_conn_consume(struct stack *stack, struct conn *conn, uint32_t n_bytes)
{
    fifo_consume(&conn->rx, stack->config.fifo_memory, n_bytes);
    if (conn->pcb == NULL || conn->pcb->state >= CLOSE_WAIT)
        return; /* a window update would only provoke a closed peer */
    while (n_bytes > 0) {
        u16_t part = (u16_t)LWIP_MIN(n_bytes, 0xffffu);

        tcp_recved(conn->pcb, part);
        n_bytes -= part;
    }
}

struct fifo_span stack_conn_reserve(struct stack *stack, struct conn *conn, uint32_t want)
{
    struct fifo_span span = {0};
    bool has_moved = false;

    if (conn->pcb == NULL || (conn->flags & CONN_CLOSING))
        return span;
    span = fifo_reserve(&conn->tx, stack->config.fifo_memory, want, &has_moved);
    if (has_moved)
        stack_requeue(stack, conn);
    /* Without memory and without anything in flight no ACK would ever bring it back here. */
    if (span.len == 0 && fifo_used(&conn->tx) == 0)
        stack_block(stack, conn);
    return span;
}

void stack_conn_produce(struct stack *stack, struct conn *conn, uint32_t n_bytes)
{
    (void)stack;
    fifo_produce(&conn->tx, n_bytes);
}

void stack_conn_close(struct stack *stack, struct conn *conn)
{
    (void)stack;
    conn->flags |= CONN_CLOSING;
}

void stack_conn_abort(struct stack *stack, struct conn *conn)
{
    conn->flags |= CONN_ABORT;
    stack_mark_ready(stack, conn);
}
