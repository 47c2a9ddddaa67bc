/* SPDX-License-Identifier: BSD-3-Clause */
/* stack_internal.h — what the files of the engine share. */
#ifndef MPA_STACK_STACK_INTERNAL_H
#define MPA_STACK_STACK_INTERNAL_H

#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>

#include "lwip_hooks.h"
#include "worker/stack/stack.h"

#define STACK_FIFO_MAX_BYTES FIFO_MAX_BYTES
/* No segment is cut smaller, whatever a peer asks for: lwIP's arithmetic goes below zero at 12, the length of
 * the timestamp option. */
#define STACK_MIN_MSS 64u

_Static_assert(FIFO_MAX_BYTES == TCP_WND && FIFO_MAX_BYTES == TCP_SND_BUF, "a FIFO holds a whole window");

static inline struct conn *stack_conn_of(const struct tcp_pcb *pcb)
{
    return pcb->ext_args[0].data;
}

/* lifecycle: stack_conn.c */
struct conn *stack_conn_new(struct stack *stack, struct tcp_pcb *pcb);
/* A connection object for a PCB with this key, in the flow table and with all callbacks; NULL: no place. */
struct conn *stack_conn_attach(struct stack *stack, struct tcp_pcb *pcb, const struct flow_key *key);
void stack_conn_gone(struct stack *stack, struct conn *conn);
/* Drops a connection without a packet, as if it had never been. */
void stack_conn_forget(struct stack *stack, struct conn *conn);
void stack_mark_dirty(struct stack *stack, struct conn *conn);
void stack_mark_ready(struct stack *stack, struct conn *conn);
void stack_conn_callbacks(struct stack *stack, struct tcp_pcb *pcb);

/* lwIP's lists: empty but for what is in hand. input.c */
void stack_lists_put(struct conn *conn);
void stack_lists_harvest(struct stack *stack);

/* timers: timer.c */
void stack_timer_init(struct stack *stack);
void stack_timer_update(struct stack *stack, struct conn *conn);
void stack_timer_cancel(struct stack *stack, struct conn *conn);

/* idle connections: idle.c; with each slow tick */
void stack_idle_tick(struct stack *stack);

/* output: output.c */
/* lwIP sums the packets that it alone makes; everything else is summed while staged. */
#define STACK_CHECKSUMS (NETIF_CHECKSUM_GEN_UDP | NETIF_CHECKSUM_GEN_ICMP | NETIF_CHECKSUM_GEN_ICMP6)
void stack_netif_init(struct stack *stack);
void stack_pump(struct stack *stack, struct conn *conn);
/* Cuts both send queues again, from the FIFO and to real segments: on loss, or when the FIFO has moved. */
void stack_requeue(struct stack *stack, struct conn *conn);
/* What stands in the send queues of a PCB: FIFO bytes from `position` on. */
struct send_queues {
    uint64_t position;
    uint32_t n_sent, n_unsent;
    bool has_fin, is_fin_sent;
};
/* Fills empty queues from the FIFO; pcb->lastack, mss, snd_wnd_max and the option flags are set. False: no
 * memory. */
bool stack_fill_queues(struct stack *stack, struct conn *conn, const struct send_queues *queues);
/* Output must wait for room or memory: the connection is looked at again in a later turn. */
void stack_block(struct stack *stack, struct conn *conn);
/* tcp_output() as if the congestion window were not there: what may be sent was decided by the caller. */
void stack_output_unbounded(struct conn *conn);
/* Payload bytes of a full segment on the wire. */
uint32_t stack_segment_payload(const struct conn *conn);

/* loss recovery: recovery.c */
bool recovery_segment_in(struct stack *stack, struct conn *conn, const struct tcp_hdr *header,
                         uint16_t payload_len);
void recovery_after_input(struct stack *stack, struct conn *conn);
void recovery_before_tick(struct stack *stack, struct conn *conn);
void recovery_fini(struct conn *conn);
/* Bytes in flight that the peer has reported as received. */
uint32_t recovery_sacked(const struct conn *conn);

/* records: record.c. All do nothing without a records segment. */
int stack_records_init(struct stack *stack) MPA_WARN_UNUSED;
void stack_records_fini(struct stack *stack);
/* What stays the same for the life of a connection; before its first commit. */
void stack_record_begin(struct stack *stack, struct conn *conn, uint32_t epoch, uint64_t opened_ns);
void stack_record_commit(struct stack *stack, struct conn *conn);

/* Fetch what the next commit of a connection will write: first the line that is also the page's first touch,
 * then, with the connection at hand, the copy of the cursors that is not in force. */
static inline void stack_record_prefetch_turn(const struct stack *stack, uint32_t idx)
{
    if (stack->flow_records != NULL)
        __builtin_prefetch(&stack->flow_records[idx].turn, 1);
}

static inline void stack_record_prefetch(const struct stack *stack, const struct conn *conn)
{
    const char *cursors;

    if (stack->flow_records == NULL)
        return;
    cursors = (const char *)&stack->flow_records[conn->idx].cursors[(conn->flags & CONN_TURN) == 0];
    __builtin_prefetch(cursors, 1);
    __builtin_prefetch(cursors + SEGMENT_LINE_BYTES, 1);
}

/* The connection is gone: nobody adopts it any more once this has returned. */
void stack_record_end(struct stack *stack, struct conn *conn);
/* The record as another worker's: exact facts, committed at once. */
struct record_export {
    uint64_t number;
    uint32_t to;
    uint32_t next; /* record of the same export, FLOW_RECORD_NONE: none */
};
void stack_record_export(struct stack *stack, struct conn *conn, const struct record_export *export);

/* closed 4-tuples: tombstone.c */
int stack_tombstones_init(struct stack *stack) MPA_WARN_UNUSED;
void stack_tombstone_add(struct stack *stack, const struct flow_tombstone *tombstone);
/* True if the 4-tuple was closed lately, and after `opened_ns` (0: whenever). */
bool stack_tombstone_has(const struct stack *stack, const struct flow_key *key, uint32_t hash,
                         uint64_t opened_ns);

/* import: rebuild.c. One flow made anew: ready, its service told. False: no memory, no place, or nobody
 * listens on its port any more; nothing of it is left then. */
bool stack_rebuild(struct stack *stack, const struct border_records *source, const struct border_flow *flow,
                   bool is_exact);

/* stack.c: the one stack of the process, for lwIP's callbacks without a context. */
struct stack *stack_the(void);

/* isn.c */
void stack_isn_init(const uint8_t key[16]);

/* icmp.c: an ICMP error about a flow of ours. */
void stack_icmp_error(struct stack *stack, struct rx_frame *frame);

#endif
