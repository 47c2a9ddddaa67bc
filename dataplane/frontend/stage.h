/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stage.h — the two stages of the frontend. By default one thread runs receive and transmit in turn; with
 * frontend.split_threads the transmit stage has a thread of its own, which can be pinned to another core.
 *
 * What both touch is under one recursive lock: lanes coming and going, the host stack, the NIC's transmit
 * side. The transmit thread holds it while it transmits; the receive path of frames for workers never takes
 * it, so the stages run beside each other where it matters. The rx pool and the bucket table are the receive
 * stage's alone: a fault that the transmit thread sees is left for the loop in lane->tx_fault.
 */
#ifndef MPA_FRONTEND_STAGE_H
#define MPA_FRONTEND_STAGE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "flow/key.h"
#include "shm/lane.h"

/* A worker's word, from the transmit stage that met it in a tx ring to the receive stage, which owns pins and
 * hand-overs. */
struct stage_note {
    enum lane_slot_kind kind; /* OPENED and CLOSED, about a flow that a pin led to it (flow/pin.h); FENCE and
                                 ADOPTED, answers to an order */
    uint8_t worker;
    uint8_t priority;    /* FENCE: of the ring */
    uint32_t n_flows;    /* ADOPTED */
    uint64_t number;     /* FENCE, ADOPTED */
    struct flow_key key; /* OPENED, CLOSED */
};

/* Power of two. One too many about a flow is lost, and its pin expires or is swept with its lane; an answer
 * to an order waits in its ring. */
#define STAGE_N_NOTES 256u

struct stage {
    struct stage_note notes[STAGE_N_NOTES];
    _Atomic uint32_t
        notes_written;           /* transmit stage; release, pairs with the acquire in stage_take_notes() */
    _Atomic uint32_t notes_read; /* receive stage; release, pairs with the acquire in stage_note_add() */
    bool is_split;
    pthread_mutex_t lock;
    pthread_t thread;
    int epoll_fd; /* of the transmit thread: wake sockets and stop_fd; -1 while not split */
    int stop_fd;
    _Atomic bool is_stopping;
};

#endif
