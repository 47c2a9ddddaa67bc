/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * histogram.h — how often a value lay between which bounds. The data loop adds, the control thread reads at
 * any time; as with counters, each number is whole and no order is promised between them.
 *
 * To add costs some compares, for small values come first, and two counters: about 2 ns.
 */
#ifndef MPA_FRONTEND_HISTOGRAM_H
#define MPA_FRONTEND_HISTOGRAM_H

#include <stdint.h>

#include "shm/counters.h"

#define HISTOGRAM_MAX_BOUNDS 10u

/* What a histogram is about; static. */
struct histogram_form {
    const char *name; /* ends in the unit of the values */
    const char *help;
    uint32_t n_bounds;
    uint64_t bounds[HISTOGRAM_MAX_BOUNDS]; /* upper ones, rising */
};

struct histogram {
    counter
        counts[HISTOGRAM_MAX_BOUNDS + 1]; /* value <= bounds[i] and in none before; [n_bounds]: the rest */
    counter sum;                          /* of all values */
};

/* Of the whole frontend. X(name) */
#define FRONTEND_HISTOGRAMS(X)                                                                               \
    X(frontend_loop_ns)                                                                                      \
    X(handover_stall_ns)                                                                                     \
    X(adoption_ns)

/* Of each lane. X(name) */
#define LANE_HISTOGRAMS(X)                                                                                   \
    X(rx_ring_depth_slots)                                                                                   \
    X(tx_ring_depth_slots)

#define HISTOGRAM_ENUM(name) HISTOGRAM_##name,
enum frontend_histogram { FRONTEND_HISTOGRAMS(HISTOGRAM_ENUM) N_FRONTEND_HISTOGRAMS };
enum lane_histogram { LANE_HISTOGRAMS(HISTOGRAM_ENUM) N_LANE_HISTOGRAMS };

extern const struct histogram_form frontend_histogram_forms[N_FRONTEND_HISTOGRAMS];
extern const struct histogram_form lane_histogram_forms[N_LANE_HISTOGRAMS];

/* Loop: counts `value`. */
static inline void histogram_add(struct histogram *histogram, const struct histogram_form *form,
                                 uint64_t value)
{
    uint32_t i = 0;

    while (i < form->n_bounds && value > form->bounds[i])
        i++;
    counter_add(histogram->counts, i, 1);
    counter_add(&histogram->sum, 0, value);
}

#endif
