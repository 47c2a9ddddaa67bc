/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * idle.c — connections on which nothing happens for too long are closed, when there is a limit.
 *
 * An idle connection is in no list of timers, so they are looked at in turn: some with each slow tick, all of
 * them once in IDLE_ROUND_TICKS. The limit may change at any moment; nothing is kept for it but the tick of
 * the last answer, which the timers keep anyway.
 *
 * Idle is: everything we sent is acknowledged, and the peer has said nothing since. Whoever waits for an
 * answer of the peer is not idle, but under the patience of timer.c. The end is a FIN, as if the service had
 * closed: a peer that is there closes too, and one that is not has FIN_WAIT_2's time.
 */
#include <lwip/tcp.h>

#include "worker/stack/stack_internal.h"

#define IDLE_TICKS_PER_S (1000u / TCP_SLOW_INTERVAL)
#define IDLE_ROUND_TICKS (2u * IDLE_TICKS_PER_S)

static bool idle_is_over(const struct stack *stack, const struct conn *conn)
{
    const struct tcp_pcb *pcb = conn->pcb;

    if (pcb == NULL || (conn->flags & (CONN_OPEN | CONN_CLOSING | CONN_ABORT)) != CONN_OPEN)
        return false;
    if (pcb->state != ESTABLISHED && pcb->state != CLOSE_WAIT)
        return false;
    return fifo_used(&conn->tx) == 0 && tcp_ticks - conn->answered_tick >= stack->idle_ticks;
}

void stack_set_idle_limit(struct stack *stack, uint32_t limit_s)
{
    /* A tick more: the one under way is not over. */
    stack->idle_ticks = limit_s == 0 ? 0 : limit_s * IDLE_TICKS_PER_S + 1;
}

void stack_idle_tick(struct stack *stack)
{
    uint32_t n = stack->n_unused_idx / IDLE_ROUND_TICKS + 1;

    if (stack->idle_ticks == 0)
        return;
    for (; n > 0 && stack->n_unused_idx > 0; n--) {
        struct conn *conn = &stack->conns[stack->idle_idx++ % stack->n_unused_idx];

        if (!idle_is_over(stack, conn))
            continue;
        counter_add(stack->config.counters, WORKER_connections_closed_idle, 1);
        conn->flags |= CONN_CLOSING;
        stack_mark_ready(stack, conn);
    }
}
