/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * top_model.h — what 'mpactl top' knows: two samples of the stack, the rates between them, and the last
 * events. No terminal and no socket here.
 */
#ifndef MPA_MPACTL_TOP_MODEL_H
#define MPA_MPACTL_TOP_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"
#include "controlplane/mpactl/flow_list.h"
#include "controlplane/mpactl/text.h"

#define TOP_MAX_WORKERS 32u
#define TOP_MAX_EVENTS 200u
#define TOP_EVENT_BYTES 200u

/* The answers of one round; a NULL: none came. All owned. */
struct top_sample {
    Mpa__V1__Reply *status, *workers, *lanes, *buckets;
    struct flow_list flows;
    uint64_t time_ns; /* CLOCK_MONOTONIC; 0: no sample */
};
void top_sample_free(struct top_sample *sample);

/* Rates are of a second; 0 until there are two samples. */
struct top_worker {
    uint32_t slot, pid;
    char state[TEXT_WORD_BYTES];
    uint32_t buckets, busy_permille;
    uint64_t connections, memory_bytes;
    uint64_t rx_rate, tx_rate;   /* frames */
    uint64_t accepted_rate;      /* connections */
    uint64_t rx_depth, rx_slots; /* of its receive ring */
    uint64_t drop_rate, faults;
};

struct top_bucket {
    uint32_t worker; /* 255: none */
    uint64_t rate;   /* frames */
};

enum top_sort {
    TOP_SORT_RATE, /* both directions */
    TOP_SORT_RX,
    TOP_SORT_TX,
    TOP_SORT_QUEUE, /* bytes that wait */
    TOP_SORT_RTT,
    TOP_SORT_AGE, /* youngest first */
    TOP_N_SORTS,
};

struct top_model {
    bool is_up;      /* the last round was answered */
    bool has_rates;  /* there are two samples */
    char error[200]; /* why it was not */
    struct top_sample now, before;
    struct top_worker workers[TOP_MAX_WORKERS];
    size_t n_workers;
    struct top_bucket *buckets; /* owned */
    size_t n_buckets;
    uint64_t hottest_rate; /* of any bucket */
    enum top_sort sort;
    /* A ring of lines, the newest at (n_events - 1) % TOP_MAX_EVENTS. */
    char events[TOP_MAX_EVENTS][TOP_EVENT_BYTES];
    uint64_t n_events;
    char events_note[TOP_EVENT_BYTES]; /* why there are none; empty: there could be some */
};

/* Takes the sample; the one before last is freed. Returns 0 or -ENOMEM. */
int top_model_update(struct top_model *model, struct top_sample *sample) MPA_WARN_UNUSED;

/* Nobody answered; what was known before stays, and is shown as old. */
void top_model_lost(struct top_model *model, const char *error);

/* Sorts the flows of the last sample. */
void top_model_sort(struct top_model *model, enum top_sort sort);

void top_model_add_event(struct top_model *model, const char *line);

/* In the place of events: why there are none. Empty: nothing is wrong with them (any more). */
void top_model_note_events(struct top_model *model, const char *note);

/* The `age`-th newest line, 0 the newest; NULL: there is none. */
const char *top_model_event(const struct top_model *model, size_t age);

void top_model_free(struct top_model *model);

#endif
