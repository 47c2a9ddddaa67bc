/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conn.h — one TCP connection of a worker: lwIP's PCB, the two FIFOs, and what the glue keeps beside them.
 *
 * Stream positions are 64-bit and begin at 0 after the SYN: sequence number = iss + 1 + position (tx) and
 * irs + 1 + position (rx). The FIFO cursors are the truth about a connection; lwIP's numbers follow from
 * them.
 *
 *   tx  acknowledged (tx.read) <= enqueued (tx_enqueued, given to tcp_write) <= written (tx.written)
 *   rx  consumed (rx.read) <= received in order (rx.written)
 */
#ifndef MPA_STACK_CONN_H
#define MPA_STACK_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/key.h"
#include "worker/stack/fifo.h"

struct tcp_pcb;
struct recovery;

#define CONN_NONE 0xffffffffu
#define CONN_STATE_BYTES 64u

enum conn_flag {
    CONN_DIRTY = 1u << 0,       /* touched in this turn: to be committed */
    CONN_READY = 1u << 1,       /* on the ready list: its consumer and the pump must look at it */
    CONN_PEER_CLOSED = 1u << 2, /* FIN received, all bytes before it are in rx */
    CONN_CLOSING = 1u << 3,     /* the consumer is done: FIN after what is in tx */
    CONN_FIN_QUEUED = 1u << 4,  /* lwIP has been told to close */
    CONN_HAS_SUPER = 1u << 5,   /* segments longer than the real MSS are queued or in flight */
    CONN_OPEN = 1u << 6,        /* handshake done, consumer opened */
    CONN_BLOCKED = 1u << 7,     /* output waits for room in the tx ring, or the consumer for memory */
    CONN_ABORT = 1u << 8,       /* to be reset when the stack next looks at it */
    CONN_TIME_WAIT = 1u << 9,   /* counted as such */
    CONN_FACTS = 1u << 10,      /* the facts of its record are written with the next commit in any case */
    CONN_RECORDED = 1u << 11,   /* its record is in use */
    CONN_EXPORTED = 1u << 12,   /* another worker's: PCB gone, record and FIFOs stay until the release */
    CONN_UNSAID = 1u << 13,     /* its end is no end: neither callback nor tombstone */
    CONN_TURN = 1u << 14,       /* FLOW_TURN_CURSORS of its record: which copy is in force */
};

struct conn {
    struct tcp_pcb *pcb; /* lwIP's; NULL when it is gone */
    uint32_t idx;
    uint32_t hash;
    uint32_t flags;    /* enum conn_flag */
    uint16_t real_mss; /* what a segment on the wire may carry, options included */
    uint16_t service;  /* of the consumer, see struct stack_callbacks */
    struct flow_key key;
    uint32_t iss, irs;
    struct fifo rx, tx;
    uint64_t tx_enqueued;
    uint32_t due_tick;               /* in the timer wheel: lwIP tick of the next visit */
    uint32_t wheel_next, wheel_prev; /* CONN_NONE: end; next free while unused */
    uint32_t dirty_next, ready_next;
    uint32_t bucket_next, bucket_prev; /* connections of one bucket; next zombie while CONN_EXPORTED */
    uint32_t recorded_ts;              /* pcb->ts_recent when facts were last written */
    struct recovery *recovery;         /* loss recovery state, NULL while nothing is lost */
    uint32_t progress_ms;              /* when lastack last moved, or data left after silence */
    uint32_t probed_ms;                /* progress_ms of the standstill that was already probed */
    uint32_t answered_tick; /* slow tick at which nothing was last waiting for an answer (timer.c) */
    uint32_t srtt_us;
    uint32_t n_retransmits; /* for people */
    uint32_t recorded;      /* what makes facts due when it changes, as last written (record.c) */
    _Alignas(uint64_t) uint8_t state[CONN_STATE_BYTES]; /* the consumer's */
};

#endif
