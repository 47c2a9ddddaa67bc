/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * metrics.h — the page /metrics: Prometheus' text format (version 0.0.4). A pure function of what is known at
 * one moment; exporter.c knows it.
 *
 * Labels are bounded: worker (a slot), reason, state, le; and what is constant: version, nic, backend.
 * Nothing that a peer on the network can choose, no process number.
 */
#ifndef MPA_CONTROLD_METRICS_H
#define MPA_CONTROLD_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"

#define METRICS_MAX_BYTES (1u << 20)
#define METRICS_MAX_WORKERS 16u

struct metrics_process {
    bool is_shown; /* wanted or there */
    bool is_up;    /* runs and is ready */
    uint32_t restarts;
};

/* Everything is borrowed for the call. */
struct metrics_input {
    const char *version;
    const char *nic_name, *nic_backend;
    const char *state;   /* one of metrics_states */
    const char *unready; /* why not ready; NULL: ready */
    bool is_updating;
    uint32_t n_workers; /* configured */
    struct metrics_process frontend, workers[METRICS_MAX_WORKERS];
    uint64_t started_unix_ms; /* controld */
    uint64_t cpu_ns;          /* of controld, since its start */
    uint64_t now_ns;          /* monotonic */
    /* What the frontend has just said; NULL: it did not. */
    const Mpa__V1__GetStatsReply *stats; /* with help */
    const Mpa__V1__GetHistogramsReply *histograms;
};

extern const char *const metrics_states[]; /* NULL-terminated */

/* The page, *n_bytes long, not terminated, to be freed by the caller; NULL: memory is out, or it would be
 * longer than METRICS_MAX_BYTES. */
char *metrics_render(const struct metrics_input *input, size_t *n_bytes) MPA_WARN_UNUSED;

#endif
