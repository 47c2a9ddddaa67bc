/* SPDX-License-Identifier: BSD-3-Clause */
/* decisions.h — the last decisions of the balancer, and how they look on the wire. */
#ifndef MPA_CONTROLD_DECISIONS_H
#define MPA_CONTROLD_DECISIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "mpa/v1/control.pb-c.h"

#include "controlplane/policy/balance.h"

#define DECISIONS_MAX 32u
#define DECISION_OUTCOME_BYTES 128

struct decision {
    struct balance_decision balance;
    uint64_t time_ns; /* CLOCK_REALTIME; of the last one, when it was repeated */
    uint32_t times;   /* on end */
    bool is_forced;
    char outcome[DECISION_OUTCOME_BYTES];
};

/* A ring of them; zeroed is empty. */
struct decisions {
    struct decision entries[DECISIONS_MAX];
    uint64_t n_made;
};

/* Keeps a decision: in a new entry, or in the newest when that did nothing for the same reason. Returns the
 * entry; true in *is_news when it is a new one. */
struct decision *decisions_add(struct decisions *decisions, const struct balance_decision *balance,
                               bool is_forced, bool *is_news);

uint32_t decisions_count(const struct decisions *decisions);
/* 0 is the newest; idx < decisions_count(). */
const struct decision *decisions_get(const struct decisions *decisions, uint32_t idx);

/* Room for a decision as a message. */
struct decision_wire {
    Mpa__V1__Decision message;
    Mpa__V1__BalanceMove moves[BALANCE_MAX_MOVES];
    Mpa__V1__BalanceMove *move_list[BALANCE_MAX_MOVES];
    char text[256];
};

/* Fills in `wire->message`, which borrows from `decision`. */
void decision_to_wire(const struct decision *decision, struct decision_wire *wire);

#endif
