/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * timer.c — lwIP's TCP timers over only those connections that are due.
 *
 * tcp_slowtmr() counts time for the whole stack, so it is called once a slow tick with a chain of the due
 * PCBs. A PCB is due each tick while something of it counts visits (retransmission, persist); else at the
 * tick when an absolute time-out ends, kept in a wheel of slow ticks; an idle connection is in no list at
 * all. All connections in TIME_WAIT wait equally long, so they stand in the wheel like the rest and are
 * skipped cheaply.
 *
 * How long a silent peer is waited for is decided here too. lwIP counts retransmissions (TCP_MAXRTX), and
 * stops doubling its time-out after the seventh: at ticks of 20 ms that is half a minute with a near peer and
 * more than half an hour with one whose round trip was never measured. RFC 9293 3.8.3 asks for a time (R2, at
 * least 100 s).
 */
#include <lwip/tcp.h>

#include "base/clock.h"
#include "worker/stack/stack_internal.h"

#define TIMER_SLOW_MS TCP_SLOW_INTERVAL
#define TIMER_MAX_CATCH_UP 64u /* slow ticks made up for in one turn, after a stall */
#define TIMER_PATIENCE_TICKS (15u * 60u * 1000u / TIMER_SLOW_MS) /* without an answer; what kernels do */
#define TIMER_MAX_RTO_MS (60u * 1000u)                           /* RFC 6298 2.5: no less */
#define TIMER_RESERVE_SHARE 16u /* this part of all connections is kept free of TIME_WAIT */

void stack_timer_init(struct stack *stack)
{
    for (unsigned i = 0; i < STACK_WHEEL_SLOTS; i++)
        stack->wheel[i] = CONN_NONE;
    /* One clock for all workers: a moved connection finds its ticks here. */
    tcp_ticks = (u32_t)(stack->now_ns / (TIMER_SLOW_MS * CLOCK_NS_PER_MS));
}

static bool stack_timer_is_linked(const struct stack *stack, const struct conn *conn)
{
    return conn->wheel_prev != CONN_NONE || stack->wheel[conn->due_tick % STACK_WHEEL_SLOTS] == conn->idx;
}

void stack_timer_cancel(struct stack *stack, struct conn *conn)
{
    if (!stack_timer_is_linked(stack, conn))
        return;
    if (conn->wheel_prev == CONN_NONE)
        stack->wheel[conn->due_tick % STACK_WHEEL_SLOTS] = conn->wheel_next;
    else
        stack->conns[conn->wheel_prev].wheel_next = conn->wheel_next;
    if (conn->wheel_next != CONN_NONE)
        stack->conns[conn->wheel_next].wheel_prev = conn->wheel_prev;
    conn->wheel_next = conn->wheel_prev = CONN_NONE;
}

static void stack_timer_link(struct stack *stack, struct conn *conn, uint32_t due_tick)
{
    uint32_t *head = &stack->wheel[due_tick % STACK_WHEEL_SLOTS];

    conn->due_tick = due_tick;
    conn->wheel_prev = CONN_NONE;
    conn->wheel_next = *head;
    if (*head != CONN_NONE)
        stack->conns[*head].wheel_prev = conn->idx;
    *head = conn->idx;
}

/* The tick of the next visit that lwIP needs; 0: none. */
static uint32_t stack_timer_due(const struct tcp_pcb *pcb)
{
    uint32_t wait_ms;

    if (pcb->state != TIME_WAIT &&
        (pcb->rtime >= 0 || pcb->persist_backoff > 0 || pcb->unsent != NULL || pcb->ooseq != NULL ||
         (pcb->flags & (TF_CLOSEPEND | TF_ACK_DELAY | TF_ACK_NOW)) || pcb->refused_data != NULL))
        return tcp_ticks + 1;
    switch (pcb->state) {
    case SYN_RCVD:
        wait_ms = TCP_SYN_RCVD_TIMEOUT;
        break;
    case FIN_WAIT_2:
        wait_ms = TCP_FIN_WAIT_TIMEOUT;
        break;
    case LAST_ACK:
    case TIME_WAIT:
        wait_ms = 2 * TCP_MSL;
        break;
    default:
        return 0;
    }
    return pcb->tmr + wait_ms / TIMER_SLOW_MS + 2;
}

/* Nothing was sent again, and no window asked for, since the peer's last answer. */
static bool stack_timer_is_answered(const struct tcp_pcb *pcb)
{
    return pcb->nrtx == 0 && pcb->persist_probe == 0;
}

void stack_timer_update(struct stack *stack, struct conn *conn)
{
    uint32_t due_tick = stack_timer_due(conn->pcb);

    /* Here and not at the tick alone: after a long quiet a loss may be found, and counted, before the next.
     */
    if (stack_timer_is_answered(conn->pcb))
        conn->answered_tick = tcp_ticks;
    if (conn->pcb->state == TIME_WAIT && !(conn->flags & CONN_TIME_WAIT)) {
        conn->flags |= CONN_TIME_WAIT;
        stack->n_time_wait++;
    }
    if (stack_timer_is_linked(stack, conn)) {
        if (due_tick == conn->due_tick)
            return;
        stack_timer_cancel(stack, conn);
    }
    if (due_tick == 0)
        return;
    /* Never in the past: the wheel would find it only a round later. */
    if ((int32_t)(due_tick - tcp_ticks) <= 0)
        due_tick = tcp_ticks + 1;
    stack_timer_link(stack, conn, due_tick);
}

/* Chains one connection onto lwIP's list for a timer call. */
static void stack_timer_chain(struct stack *stack, struct conn *conn)
{
    struct tcp_pcb *pcb = conn->pcb;
    struct tcp_pcb **list = pcb->state == TIME_WAIT ? &tcp_tw_pcbs : &tcp_active_pcbs;

    /* lwIP skips a PCB whose last visit bears the number of this one, modulo 256. */
    pcb->last_timer = (u8_t)(stack->timer_count + 0x80);
    pcb->next = *list;
    *list = pcb;
    stack_mark_dirty(stack, conn);
    /* While data is in flight its record is never older than a tick: windows and round-trip time. */
    if (pcb->unacked != NULL)
        conn->flags |= CONN_FACTS;
}

/* The time-out doubles with each retransmission that nobody answers (RFC 6298 5.5), up to a minute. */
static void stack_timer_back_off(struct tcp_pcb *pcb)
{
    uint32_t rto_ticks = (uint32_t)((pcb->sa >> 3) + pcb->sv) << pcb->nrtx;

    pcb->rto = (s16_t)LWIP_MIN(rto_ticks, TIMER_MAX_RTO_MS / TIMER_SLOW_MS);
}

/* Keeps lwIP's counts of retransmissions and window probes below its limit until the time is over, then puts
 * them at the limit: the tick that follows ends the connection in lwIP's own way. */
static void stack_timer_patience(struct conn *conn)
{
    struct tcp_pcb *pcb = conn->pcb;

    if (pcb->state < ESTABLISHED || pcb->state == TIME_WAIT)
        return;
    if (stack_timer_is_answered(pcb))
        return;
    if (tcp_ticks - conn->answered_tick >= TIMER_PATIENCE_TICKS) {
        pcb->nrtx = TCP_MAXRTX;
        return;
    }
    pcb->nrtx = LWIP_MIN(pcb->nrtx, TCP_MAXRTX - 1);
    pcb->persist_probe = LWIP_MIN(pcb->persist_probe, TCP_MAXRTX - 1);
    /* A fast retransmit counts as one too, but its time-out is not backed off. */
    if (pcb->flags & TF_RTO)
        stack_timer_back_off(pcb);
}

static void stack_slow_tick(struct stack *stack)
{
    uint32_t tick = tcp_ticks + 1;
    uint32_t idx = stack->wheel[tick % STACK_WHEEL_SLOTS];

    while (idx != CONN_NONE) {
        struct conn *conn = &stack->conns[idx];

        idx = conn->wheel_next;
        if (conn->due_tick != tick)
            continue;
        stack_timer_cancel(stack, conn);
        stack_timer_patience(conn);
        recovery_before_tick(stack, conn);
        /* lwIP lets a half-closed connection wait for ever; ours are closed by their consumer for good. */
        if (conn->pcb->state == FIN_WAIT_2)
            tcp_set_flags(conn->pcb, TF_RXCLOSED);
        stack_timer_chain(stack, conn);
    }
    /* The fast timer only retries a close that found no memory; ACKs leave with each turn. */
    stack->timer_count++;
    tcp_fasttmr();
    stack->timer_count++;
    tcp_slowtmr();
    stack_lists_harvest(stack);
}

/* Ends connections in TIME_WAIT, the oldest first, until `n` places are free: new connections go before. */
static void stack_time_wait_evict(struct stack *stack, uint32_t n)
{
    /* All wait equally long, so the nearest due are the oldest. */
    for (uint32_t ahead = 1; ahead <= STACK_WHEEL_SLOTS; ahead++) {
        uint32_t idx = stack->wheel[(tcp_ticks + ahead) % STACK_WHEEL_SLOTS];

        while (idx != CONN_NONE) {
            struct conn *conn = &stack->conns[idx];

            if (stack->config.max_connections - stack->n_connections >= n || stack->n_time_wait == 0)
                return;
            idx = conn->wheel_next;
            if (conn->flags & CONN_TIME_WAIT)
                stack_conn_forget(stack, conn);
        }
    }
}

uint64_t stack_timers(struct stack *stack, uint64_t now_ns)
{
    uint32_t tick_wanted = (uint32_t)(now_ns / (TIMER_SLOW_MS * CLOCK_NS_PER_MS));
    uint32_t n_reserve = stack->config.max_connections / TIMER_RESERVE_SHARE;
    uint32_t tick_before = tcp_ticks;

    stack->now_ns = now_ns;
    /* What this turn has received is answered first, or the tick would send an ACK ahead of each answer. */
    if (tick_wanted != tcp_ticks)
        stack_run(stack);
    for (unsigned i = 0; i < TIMER_MAX_CATCH_UP && (int32_t)(tick_wanted - tcp_ticks) > 0; i++)
        stack_slow_tick(stack);
    if (tick_wanted != tick_before)
        stack_idle_tick(stack);
    if (stack->config.max_connections - stack->n_connections < n_reserve)
        stack_time_wait_evict(stack, n_reserve);
    return (now_ns / (TIMER_SLOW_MS * CLOCK_NS_PER_MS) + 1) * TIMER_SLOW_MS * CLOCK_NS_PER_MS;
}
