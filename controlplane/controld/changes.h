/* SPDX-License-Identifier: BSD-3-Clause */
/* changes.h — the commands that make processes come and go: Update, Restart, Scale, and how they stand. */
#ifndef MPA_CONTROLD_CHANGES_H
#define MPA_CONTROLD_CHANGES_H

#include <nng/nng.h>
#include <stdbool.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"
#include "controlplane/controld/controld.h"

/* True when the request is one of them, or asks for one of their operations. */
bool changes_know(const struct controld *controld, const Mpa__V1__Request *request);
/* The reply to such a request; NULL: out of memory. */
nng_msg *changes_answer(struct controld *controld, const Mpa__V1__Request *request) MPA_WARN_UNUSED;

/* Begins to scale because somebody has asked. 0 or -errno, as update_scale(). */
int changes_scale(struct controld *controld, uint32_t n_workers) MPA_WARN_UNUSED;

/* Why nothing of the kind may begin now; NULL: it may. */
const char *changes_obstacle(const struct controld *controld);

/* At start: scaler and update of controld, with us as their hands. */
void changes_init(struct controld *controld);

struct measures;
struct balance;
/* After each round of the balancer: the same measures, for the number of workers. */
void changes_round(struct controld *controld, const struct measures *measures, const struct balance *policy);

/* Room for the scaler's decisions as messages; they borrow from controld. */
struct changes_wire {
    Mpa__V1__ScaleDecision messages[SCALER_MAX_ENTRIES];
    Mpa__V1__ScaleDecision *list[SCALER_MAX_ENTRIES];
};
/* The last `limit` decisions about the number of workers (0: all); their number, newest first. */
size_t changes_explain(const struct controld *controld, struct changes_wire *wire, uint32_t limit);

#endif
