/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scaler.h — brings the policy of scale to the stack: takes the measures of each round of the balancer, has
 * the policy decide, begins the change (update.h carries it out), keeps the last decisions for those who ask
 * why. No I/O: what it wants goes out through callbacks.
 */
#ifndef MPA_CONTROLD_SCALER_H
#define MPA_CONTROLD_SCALER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "controlplane/policy/scale.h"

#define SCALER_MAX_ENTRIES 32u
#define SCALER_ASKED SCALE_N_REASONS /* reason of an entry: an operator has asked */

/* A decision. */
struct scaler_entry {
    uint64_t time_ns; /* CLOCK_REALTIME; of the last one, when it was repeated */
    uint32_t times;   /* on end */
    uint32_t reason;  /* enum scale_reason or SCALER_ASKED */
    uint32_t n_before, n_wanted;
    uint32_t mean_permille; /* 0 when an operator has asked */
    char text[256];
    char outcome[128]; /* "pending", "done" or why not; empty: there is nothing to do */
};

struct scaler_ops {
    /* Begins to scale. 0 or -errno. */
    int (*scale)(void *self, uint32_t n_workers, uint64_t now_ns);
    /* One more decision that changes something, or wants to. */
    void (*tell)(void *self, const struct scaler_entry *entry);
};

struct scaler {
    const struct scaler_ops *ops;
    void *self; /* of ops */
    bool is_on; /* decides by itself */
    struct scale policy;
    struct scaler_entry entries[SCALER_MAX_ENTRIES]; /* a ring */
    uint64_t n_made;
    uint64_t pending; /* n_made of the entry whose change is under way; 0: none */
};

void scaler_init(struct scaler *scaler, const struct config *config, const struct scaler_ops *ops,
                 void *self);
/* Another configuration: limits and patience are its, what was counted begins anew. */
void scaler_configure(struct scaler *scaler, const struct config *config);

/* One round, with the workers as scale_round() takes them. Not while something is changed. */
void scaler_round(struct scaler *scaler, const struct scale_worker workers[SCALE_MAX_WORKERS],
                  uint64_t now_ns);

/* An operator has asked, and the change has begun. */
void scaler_asked(struct scaler *scaler, uint32_t n_before, uint32_t n_wanted);
/* The change has ended: `error` says why it failed, NULL: it did not. */
void scaler_ended(struct scaler *scaler, const char *error);

uint32_t scaler_count(const struct scaler *scaler);
/* 0 is the newest; idx < scaler_count(). */
const struct scaler_entry *scaler_get(const struct scaler *scaler, uint32_t idx);

#endif
