/* SPDX-License-Identifier: BSD-3-Clause */
/* metric_name.c — the rules, and the few names that follow none. */
#include "controlplane/controld/metric_name.h"

#include <stdio.h>
#include <string.h>

/* Unit at the end of a counter's name: what becomes of it. */
static const struct {
    const char *ending;
    const char *base; /* in its place */
    enum metric_unit unit;
} units[] = {
    {"_ns", "_seconds", METRIC_NANO},      {"_us", "_seconds", METRIC_MICRO},
    {"_ms", "_seconds", METRIC_MILLI},     {"_s", "_seconds", METRIC_ONE},
    {"_permille", "_ratio", METRIC_MILLI},
};

/* Counters that differ by their reason alone are one family. */
static const struct {
    const char *beginning;
    const char *family;
    const char *help;
} reasons[] = {
    {"rx_drop_", "rx_drops", "Frames and segments dropped on their way in, by reason"},
    {"tx_drop_", "tx_drops", "Packets dropped on their way out, by reason"},
    {"fault_", "faults", "Quarantines of the worker, by what it did"},
};

/* Names that say less than a rule needs, or that nobody should draw a graph of. */
static const struct {
    const char *name;
    const char *becomes; /* NULL: no metric */
    enum metric_unit unit;
    bool is_counter;
    const char *help;
} others[] = {
    {"pid", NULL, METRIC_ONE, false, NULL},
    {"uid", NULL, METRIC_ONE, false, NULL},
    {"turns_busy_ns", NULL, METRIC_ONE, false, NULL}, /* these are in the histogram of the loop */
    {"turns_30us", NULL, METRIC_ONE, false, NULL},
    {"turns_100us", NULL, METRIC_ONE, false, NULL},
    {"turns_300us", NULL, METRIC_ONE, false, NULL},
    {"turns_1ms", NULL, METRIC_ONE, false, NULL},
    {"turns_10ms", NULL, METRIC_ONE, false, NULL},
    {"turns_100ms", NULL, METRIC_ONE, false, NULL},
    {"lane_version", "version", METRIC_ONE, false, NULL},
    {"loop_turns", "loop_turns", METRIC_ONE, true, NULL},
    {"attached_ns", "attached_age_seconds", METRIC_INSTANT_NS, false, "Time since the worker attached"},
    {"heartbeat_ns", "heartbeat_age_seconds", METRIC_INSTANT_NS, false,
     "Time since the last turn of the worker's loop"},
    {"loop_heartbeat_ns", "loop_heartbeat_age_seconds", METRIC_INSTANT_NS, false,
     "Time since the last turn of the frontend's loop; up to 0.1 s is its rhythm"},
};

static bool is_word(const char *text)
{
    return text[0] != '\0' && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text);
}

/* "mpa_lane_" and 3 from "lane3". False: no scope of ours. */
static bool take_scope(const char *scope, struct metric_name *metric)
{
    size_t n_letters = strspn(scope, "abcdefghijklmnopqrstuvwxyz_");
    size_t n_digits = strspn(scope + n_letters, "0123456789");

    if (scope[n_letters + n_digits] != '\0' || n_letters > 24 || n_digits > 2)
        return false;
    metric->worker = METRIC_NO_WORKER;
    if (n_digits > 0) {
        metric->worker = (uint32_t)(scope[n_letters] - '0');
        if (n_digits == 2)
            metric->worker = metric->worker * 10 + (uint32_t)(scope[n_letters + 1] - '0');
        if (metric->worker >= METRIC_MAX_WORKERS)
            return false;
    }
    snprintf(metric->family, sizeof(metric->family), "mpa_%.*s%s", (int)n_letters, scope,
             n_letters > 0 ? "_" : "");
    return true;
}

/* Adds `length` bytes of `text`; false: too long. */
static bool append(struct metric_name *metric, const char *text, size_t length)
{
    size_t used = strlen(metric->family);

    if (length >= sizeof(metric->family) - used)
        return false;
    memcpy(metric->family + used, text, length);
    metric->family[used + length] = '\0';
    return true;
}

/* The name with its unit turned into the base unit. */
static bool append_in_base_unit(struct metric_name *metric, const char *name)
{
    size_t length = strlen(name);

    metric->unit = METRIC_ONE;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t ending = strlen(units[i].ending);

        if (length <= ending || strcmp(name + length - ending, units[i].ending) != 0)
            continue;
        metric->unit = units[i].unit;
        return append(metric, name, length - ending) && append(metric, units[i].base, strlen(units[i].base));
    }
    return append(metric, name, length);
}

/* The name without its reason, if it has one. */
static const char *take_reason(struct metric_name *metric, const char *name)
{
    metric->reason[0] = '\0';
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        size_t length = strlen(reasons[i].beginning);

        if (strncmp(name, reasons[i].beginning, length) != 0 || name[length] == '\0')
            continue;
        snprintf(metric->reason, sizeof(metric->reason), "%s", name + length);
        metric->help = reasons[i].help;
        return reasons[i].family;
    }
    return name;
}

bool metric_name_of(const char *scope, const char *name, bool is_gauge, struct metric_name *metric)
{
    metric->help = NULL;
    metric->reason[0] = '\0';
    metric->is_counter = !is_gauge;
    if (!is_word(name) || !take_scope(scope, metric))
        return false;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(name, others[i].name) != 0)
            continue;
        if (others[i].becomes == NULL)
            return false;
        metric->unit = others[i].unit;
        metric->is_counter = others[i].is_counter;
        metric->help = others[i].help;
        return append(metric, others[i].becomes, strlen(others[i].becomes)) &&
               (!metric->is_counter || append(metric, "_total", 6));
    }
    if (metric->is_counter)
        name = take_reason(metric, name);
    return append_in_base_unit(metric, name) && (!metric->is_counter || append(metric, "_total", 6));
}

bool metric_histogram_of(const char *scope, const char *name, struct metric_name *metric)
{
    metric->help = NULL;
    metric->reason[0] = '\0';
    metric->is_counter = false;
    return is_word(name) && take_scope(scope, metric) && append_in_base_unit(metric, name);
}
