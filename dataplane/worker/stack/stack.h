/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stack.h — lwIP as an engine: frames of a burst go in, packets come out staged, connections are FIFOs with a
 * consumer. Stock lwIP keeps its PCBs in linear lists; here the lists are empty except for the one PCB that
 * is being worked on, and our own flow table finds it (O(1)).
 *
 * One turn, by the worker's loop: stack_input() for a burst, stack_timers(), stack_run(), then
 * stack_commit(); only after that may staged packets be published. lwIP's state is global: one stack a
 * process.
 */
#ifndef MPA_STACK_STACK_H
#define MPA_STACK_STACK_H

#include <lwip/netif.h>
#include <stdbool.h>
#include <stdint.h>

#include "border/border.h"
#include "border/records.h"
#include "flow/table.h"
#include "shm/attach.h"
#include "worker/stack/conn.h"
#include "worker/stack/fifo_memory.h"
#include "worker/stack/rx_frame.h"
#include "worker/stack/staging.h"

#define STACK_WHEEL_SLOTS 1024u /* of a slow tick (20 ms) each: 20 s a round, longer waits go round again */

/* The consumer of connections, as the process above plugs it in. */
struct stack_callbacks {
    /* Handshake done. Sets conn->service and conn->state; false: reset it. */
    bool (*opened)(void *context, struct conn *conn);
    /* Bytes readable, room in tx, peer closed, or first run: consume and produce by the stack_conn_ calls. */
    void (*ready)(void *context, struct conn *conn);
    void (*closed)(void *context, struct conn *conn);
    /* Taken over from another worker, with conn->state as that one committed it; `service_port` is what the
     * other wrote. Sets conn->service; false: reset it. Nothing is said to `closed` by the exporter. */
    bool (*adopted)(void *context, struct conn *conn, uint16_t service_port);
};

struct stack_config {
    uint32_t max_connections;
    struct flow_seed flow_seed;
    uint8_t isn_key[16];
    struct fifo_memory *fifo_memory; /* borrowed */
    struct staging *staging;         /* borrowed: where packets go */
    struct rx_frames *frames;        /* borrowed: where frames come from */
    counter *counters;               /* borrowed: N_WORKER_COUNTERS */
    struct records_segment *records; /* borrowed, laid out by stack_records_layout(): where commits go */
    bool commits_facts; /* the full discipline: facts in every commit, not only when they change */
    uint32_t slot;      /* of this worker */
    uint32_t n_buckets; /* power of two; 0: one */
    const _Atomic uint8_t
        *bucket_worker;        /* borrowed, read-only: the host segment's table; NULL: all are mine */
    _Atomic uint64_t *suspect; /* borrowed: 1 + head chunk of the frame in hand is noted here */
    bool has_gso;              /* super-segments may be sent: the frontend or the NIC cuts them */
};

struct stack {
    struct stack_config config;
    struct stack_callbacks callbacks;
    void *context;
    struct netif netif;
    struct conn *conns; /* owned, max_connections, lazily touched */
    uint32_t first_free;
    uint32_t n_unused_idx; /* conns from here on were never used */
    struct flow_table flows;
    struct flow_record *flow_records; /* borrowed: of the records segment; NULL: nothing is committed */
    uint32_t *bucket_heads;           /* owned, n_buckets: connections of each bucket */
    uint32_t bucket_mask;
    uint32_t zombie_head;         /* exported, not yet released; on the bucket links */
    struct flow_table tombstones; /* key -> place in the segment's ring */
    uint32_t n_connections, n_time_wait;
    uint32_t ready_head, dirty_head;
    uint32_t blocked_head; /* on the ready_next links, while CONN_BLOCKED */
    uint32_t wheel[STACK_WHEEL_SLOTS];
    uint8_t timer_count;  /* mirror of lwIP's tcp_timer_ctr */
    uint64_t now_ns;      /* of this turn */
    uint32_t idle_ticks;  /* idle limit in slow ticks, 0: none */
    uint32_t idle_idx;    /* whose turn it is to be looked at, modulo n_unused_idx */
    struct conn *in_hand; /* connection of the segment being processed */
    uint32_t in_hand_lastack;
};

/* Initialises lwIP and the glue. 0 or -errno. */
int stack_init(struct stack *stack, const struct stack_config *config,
               const struct stack_callbacks *callbacks, void *context) MPA_WARN_UNUSED;

/* Drops every connection without a packet, calling `closed` for those that were opened, and every listening
 * port; lwIP can be started again. Staging, frames and FIFO memory must still be there. The records stay as
 * they were committed last: what a stopped worker served can be adopted. */
void stack_fini(struct stack *stack);

/* Takes over our addresses and the link from the host segment's facts. */
void stack_set_addresses(struct stack *stack, const struct host_facts *facts);

/* A listening TCP port on every address, IPv4 and IPv6. 0 or -errno. */
int stack_listen(struct stack *stack, uint16_t port) MPA_WARN_UNUSED;

/* Begins a turn: the time that lwIP sees during it. */
static inline void stack_set_now(struct stack *stack, uint64_t now_ns)
{
    stack->now_ns = now_ns;
}

/* Processes a burst of frames in order. */
void stack_input(struct stack *stack, struct rx_frame *frames, unsigned n);

/* Runs what is due; returns the time of the next tick. */
uint64_t stack_timers(struct stack *stack, uint64_t now_ns);

/* Connections that are idle for so long are closed from now on, within some two seconds; 0: none are. At most
 * a week. */
void stack_set_idle_limit(struct stack *stack, uint32_t limit_s);

/* Lets consumers and output run until nobody is ready, then sends the ACKs that are due. */
void stack_run(struct stack *stack);

/* True while a connection waits for room in the tx rings or is ready: the loop must not sleep long. */
bool stack_has_work(const struct stack *stack);

/* Writes the records of the connections touched in this turn, and ends those that are gone. */
void stack_commit(struct stack *stack);

/* Bytes of a records segment for so many connections and FIFO bytes, and its header filled in. */
size_t stack_records_bytes(uint32_t max_connections, uint64_t fifo_bytes);
void stack_records_layout(struct records_segment *records, uint32_t max_connections, uint64_t fifo_bytes);

/*
 * Hands flows over (export.c). Between stack_run() and stack_commit(): exact records with the new owner are
 * written, chained and announced in records->exported, and the PCBs dropped without a packet; from the flip
 * of its record on a flow is the other's. Records and FIFO bytes stay until stack_release() of the same
 * number (lower numbers are released with it). Returns the number of flows.
 */
uint32_t stack_export(struct stack *stack, const struct attach_export *order);
void stack_release(struct stack *stack, uint64_t number);

struct stack_adoption {
    uint32_t n_adopted;
    uint32_t n_known; /* here already with a higher epoch, or closed: skipped */
    uint32_t n_bad;   /* could not be trusted, or found no room: their peers get a reset when they speak */
};

/*
 * Takes flows over (import.c) from another worker's records, or its own. Between turns or within one before
 * stack_run(). What is adopted is ready, committed with the next commit, and speaks in the next stack_run().
 */
void stack_adopt(struct stack *stack, const struct border_records *source, const struct attach_adopt *order,
                 struct stack_adoption *adoption);

/* Resets one flow; false: it is not here. */
bool stack_reset_flow(struct stack *stack, const struct flow_key *key);

/* The frontend is gone and its frames with it: segments held out of order are given up (the peer sends them
 * again, RFC 2018 8). Then staging and frames may be set up anew behind the stack's pointers. */
void stack_drop_held_frames(struct stack *stack);

/* For consumers, only from within `ready` or `opened`. */
struct fifo_span stack_conn_peek(struct stack *stack, struct conn *conn);
void stack_conn_consume(struct stack *stack, struct conn *conn, uint32_t n_bytes);
/* Room to write to, at least 1 and at most `want` bytes, growing the FIFO when needed; empty: wait for ready.
 */
struct fifo_span stack_conn_reserve(struct stack *stack, struct conn *conn, uint32_t want);
void stack_conn_produce(struct stack *stack, struct conn *conn, uint32_t n_bytes);
/* No more bytes will be produced: FIN after the last. */
void stack_conn_close(struct stack *stack, struct conn *conn);
void stack_conn_abort(struct stack *stack, struct conn *conn);

#endif
