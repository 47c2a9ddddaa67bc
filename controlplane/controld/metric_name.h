/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * metric_name.h — from a counter as the frontend names it to a metric as Prometheus wants it: prefix mpa_,
 * base units at the end of the name, _total for what only grows, the reason of a drop or a fault as a label.
 * A pure function of the names, so that a counter that is added shows up by itself.
 */
#ifndef MPA_CONTROLD_METRIC_NAME_H
#define MPA_CONTROLD_METRIC_NAME_H

#include <stdbool.h>
#include <stdint.h>

#define METRIC_NAME_BYTES 96u
#define METRIC_NO_WORKER UINT32_MAX
#define METRIC_MAX_WORKERS 16u

/* What a number has to be divided by to be in base units, as a power of ten; or an instant. */
enum metric_unit {
    METRIC_ONE = 0,
    METRIC_MILLI = 3,
    METRIC_MICRO = 6,
    METRIC_NANO = 9,
    METRIC_INSTANT_NS, /* monotonic time: becomes the seconds since; 0: there is none */
};

struct metric_name {
    char family[METRIC_NAME_BYTES];
    char reason[METRIC_NAME_BYTES]; /* empty: no such label */
    uint32_t worker;                /* slot, or METRIC_NO_WORKER */
    bool is_counter;
    enum metric_unit unit;
    const char *help; /* of the family where the one of the counter does not fit it; else NULL */
};

/* Counter or gauge `name` of `scope` ("", "nic", "lane3", ...), written to *metric. False: it is no metric: a
 * process number, a part of a histogram, or no name of ours. */
bool metric_name_of(const char *scope, const char *name, bool is_gauge, struct metric_name *metric);

/* The same for a histogram: the family in base units, never with _total. */
bool metric_histogram_of(const char *scope, const char *name, struct metric_name *metric);

#endif
