/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flow_record.h — what outlives a worker: its records segment. One flow record for each place of its
 * connection table, a ring of tombstones, and the FIFO memory. Written by one worker, read by whoever adopts
 * its flows (only when the writer is dead or has exported the flow) and by the frontend at any time.
 *
 * A record has two copies of each part and one word that says which of them are in force. The writer fills
 * the copies that are not, then flips the word with one release store: that store is the commit. Facts are
 * rewritten only when they change, cursors in every turn that touched the connection.
 *
 *   rcv_nxt = irs + 1 + rx_written (+ 1 behind the FIN)      snd_una >= iss + 1 + tx_read
 *   everything that may have left: below iss + 1 + tx_enqueued (+ 1 behind the FIN)
 *
 * Growth: parts are only appended to; an older version's part is shorter and what it lacks reads as zero. A
 * reader takes the sizes from the segment, within the bounds below.
 */
#ifndef MPA_SHM_FLOW_RECORD_H
#define MPA_SHM_FLOW_RECORD_H

#include <stdatomic.h>
#include <stdint.h>

#include "shm/segment.h"

#define RECORDS_SEGMENT_VERSION 2u     /* written; 1 had no flow records and never left the house */
#define RECORDS_SEGMENT_VERSION_MIN 2u /* oldest that can be adopted */

#define FLOW_RECORD_KEY_BYTES 40u /* struct flow_key */
#define FLOW_RECORD_STATE_BYTES 64u
#define FLOW_RECORD_NONE 0xffffffffu
#define FLOW_RECORD_MAX_HELD 8u /* ranges received out of order; what does not fit is sent again */

/* What changes with the stream; 128 bytes. */
struct flow_cursors {
    uint64_t rx_written, rx_read;
    uint64_t tx_written, tx_enqueued, tx_read;
    uint32_t rx_page_idx,
        rx_capacity_bytes; /* where the bytes are: pages of the FIFO memory; 0 bytes: none */
    uint32_t tx_page_idx, tx_capacity_bytes;
    uint32_t flags;                         /* enum flow_cursor_flag */
    uint32_t committed_ms;                  /* low half of the monotonic clock */
    uint8_t state[FLOW_RECORD_STATE_BYTES]; /* the service's */
};

enum flow_cursor_flag {
    FLOW_PEER_CLOSED = 1u << 0, /* FIN received: rcv_nxt is one higher */
    FLOW_CLOSING = 1u << 1,     /* the consumer is done: FIN behind tx_written */
    FLOW_FIN_QUEUED = 1u << 2,  /* it may have left: everything is below ... + 1 */
    FLOW_OPEN = 1u << 3,        /* handshake done, consumer opened */
};

/* A range of the stream behind rx_written whose bytes already stand in the rx FIFO. */
struct flow_held {
    uint32_t off_bytes; /* behind rx_written */
    uint32_t len_bytes;
};

/* What cannot be recomputed. Sequence numbers and windows in host order, names those of lwIP's tcp_pcb. */
struct flow_facts {
    uint8_t key[FLOW_RECORD_KEY_BYTES];
    uint32_t hash;
    /* who owns it: the highest epoch is valid */
    uint32_t epoch;
    uint32_t owner;         /* worker slot: the writer's own, or whom it was exported to */
    uint32_t export_next;   /* next record of the same export, FLOW_RECORD_NONE: last */
    uint64_t export_number; /* hand-over it was exported by; 0: not exported */
    /* constant after the handshake */
    uint32_t iss, irs;
    uint16_t mss;          /* on the wire, options included */
    uint16_t service_port; /* finds the service at the adopter */
    uint8_t snd_scale, rcv_scale;
    uint8_t ttl, tos;
    uint8_t so_options, prio;
    /* changes now and then: each change is committed */
    uint8_t tcp_state; /* enum tcp_state of lwIP */
    uint8_t is_exact; /* 1: all that follows is as of the export; 0: as of the last time facts were written */
    uint16_t tcp_flags; /* TF_TIMESTAMP, TF_WND_SCALE, TF_SACK, TF_NODELAY, TF_FIN, TF_RXCLOSED, and the ACK
                           flags if exact */
    int16_t rtime;
    uint32_t ts_recent, ts_lastacksent;
    uint32_t tick;       /* tcp_ticks when this was written */
    uint32_t timer_tick; /* pcb->tmr */
    /* as of the writing; exact or soft */
    uint32_t lastack, snd_nxt, sent_edge;
    uint32_t snd_wnd, snd_wnd_max, snd_wl1, snd_wl2;
    uint32_t cwnd, ssthresh, bytes_acked;
    uint32_t rcv_ann_wnd, rcv_ann_right_edge;
    uint32_t rttest, rtseq;
    uint32_t srtt_us;
    int16_t sa, sv, rto;
    uint8_t nrtx, dupacks;
    uint8_t persist_cnt, persist_backoff, persist_probe, keep_cnt_sent;
    uint32_t keep_idle_ms, keep_intvl_ms, keep_cnt;
    uint32_t n_held; /* exact only */
    struct flow_held held[FLOW_RECORD_MAX_HELD];
    uint32_t held_has_fin; /* the last range ends with the peer's FIN */
    /* for people */
    uint32_t n_retransmits;
    uint64_t opened_ns; /* monotonic */
};

/* Bits of flow_record.turn; the rest counts turns, for readers of a living writer. */
#define FLOW_TURN_CURSORS 1u /* which copy of the cursors is in force */
#define FLOW_TURN_FACTS 2u   /* which copy of the facts */
#define FLOW_TURN_IN_USE 4u
#define FLOW_TURN_STEP 8u

struct flow_record {
    _Alignas(
        SEGMENT_LINE_BYTES) _Atomic uint64_t turn; /* writer · adopters, frontend · publishes the copies */
    uint8_t reserved[56];
    struct flow_cursors cursors[2];
    struct flow_facts facts[2];
};

/* A closed 4-tuple: for some seconds a late segment of it gets no reset. The ring is written round and round.
 */
struct flow_tombstone {
    uint8_t key[FLOW_RECORD_KEY_BYTES];
    uint32_t hash;
    uint32_t closed_ms; /* low half of the monotonic clock */
};

#define FLOW_TOMBSTONE_LIFE_MS 5000u

/* What an exporter answers a fence with; one export at a time. */
struct flow_export {
    _Atomic uint64_t number; /* writer · adopter · release, publishes the chain */
    uint32_t first;          /* record index, FLOW_RECORD_NONE: nothing to export */
    uint32_t n_flows;
};

struct records_segment {
    struct segment_header header;
    uint32_t record_bytes, cursors_bytes, facts_bytes; /* sizes of the writer's structs */
    uint32_t n_records;                                /* places; record i is connection i */
    uint32_t n_tombstones;                             /* power of two */
    uint32_t page_bytes;                               /* unit of page_idx */
    uint64_t records_off, tombstones_off, fifo_off;    /* page aligned */
    uint64_t fifo_bytes;
    _Alignas(SEGMENT_LINE_BYTES) _Atomic uint32_t n_used; /* records from here on were never used */
    _Atomic uint32_t tombstones_written;                  /* free-running count */
    struct flow_export exported;
};

#endif
