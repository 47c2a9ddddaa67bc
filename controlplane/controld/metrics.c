/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * metrics.c — writes the page. All samples of a family must stand together, whereas the frontend lists them
 * by worker: so they are sorted first, by family and then as they came.
 */
#include "controlplane/controld/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "controlplane/controld/metric_name.h"

#define FIRST_BYTES (64u << 10)
#define NUMBER_BYTES 40u

const char *const metrics_states[] = {"starting", "running", "degraded", "stopping", NULL};

/* ---- the page as it grows ---- */

struct page {
    char *bytes;
    size_t used, size;
    bool has_failed; /* memory or the limit: nothing is added any more */
};

static void page_make_room(struct page *page, size_t n)
{
    size_t size = page->size == 0 ? FIRST_BYTES : page->size;
    char *bytes;

    while (size - page->used < n && size < METRICS_MAX_BYTES)
        size *= 2;
    if (size - page->used < n || page->has_failed) {
        page->has_failed = true;
        return;
    }
    if (size == page->size)
        return;
    bytes = realloc(page->bytes, size);
    page->has_failed = bytes == NULL;
    if (bytes == NULL)
        return;
    page->bytes = bytes;
    page->size = size;
}

MPA_PRINTF(2, 3) static void page_add(struct page *page, const char *format, ...)
{
    va_list arguments;
    char line[512]; /* longest: a family with its help */
    int n;

    va_start(arguments, format);
    n = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n >= sizeof(line)) {
        page->has_failed = true;
        return;
    }
    page_make_room(page, (size_t)n);
    if (page->has_failed)
        return;
    memcpy(page->bytes + page->used, line, (size_t)n);
    page->used += (size_t)n;
}

/* HELP and TYPE. What is no plain text in `help` is left out: a line feed would end the line. */
static void page_family(struct page *page, const char *family, const char *type, const char *help)
{
    char plain[256];
    size_t n = 0;

    for (; *help != '\0' && n < sizeof(plain) - 1; help++) {
        if (*help >= ' ' && *help <= '~' && *help != '\\')
            plain[n++] = *help;
    }
    plain[n] = '\0';
    page_add(page, "# HELP %s %s\n# TYPE %s %s\n", family, plain, family, type);
}

/* A label's value in quotes; what would need an escape is left out. */
static const char *label_text(const char *value, char text[64])
{
    size_t n = 0;

    for (; *value != '\0' && n < 63; value++) {
        if (*value >= ' ' && *value <= '~' && *value != '"' && *value != '\\')
            text[n++] = *value;
    }
    text[n] = '\0';
    return text;
}

/* Exact: what a counter has counted is not rounded. Trailing zeros are no harm, an exponent would be none. */
static const char *number_text(uint64_t value, enum metric_unit unit, char text[NUMBER_BYTES])
{
    static const uint64_t powers[] = {
        [METRIC_ONE] = 1, [METRIC_MILLI] = 1000, [METRIC_MICRO] = 1000000, [METRIC_NANO] = 1000000000};
    uint64_t power;

    if (unit == METRIC_ONE) {
        snprintf(text, NUMBER_BYTES, "%" PRIu64, value);
        return text;
    }
    power = powers[unit];
    snprintf(text, NUMBER_BYTES, "%" PRIu64 ".%0*" PRIu64, value / power, (int)unit, value % power);
    return text;
}

/* ---- our own ---- */

static void page_value(struct page *page, const char *family, const char *help, uint64_t value)
{
    page_family(page, family, "gauge", help);
    page_add(page, "%s %" PRIu64 "\n", family, value);
}

static void add_state(struct page *page, const struct metrics_input *input)
{
    page_family(page, "mpa_state", "gauge", "1 for the state that the whole is in, 0 for the others");
    for (size_t i = 0; metrics_states[i] != NULL; i++)
        page_add(page, "mpa_state{state=\"%s\"} %d\n", metrics_states[i],
                 strcmp(metrics_states[i], input->state) == 0);
}

static void add_workers(struct page *page, const struct metrics_input *input)
{
    page_value(page, "mpa_workers_configured", "Workers that are meant to run", input->n_workers);
    page_family(page, "mpa_worker_up", "gauge", "1 while the worker runs and is ready");
    for (uint32_t i = 0; i < METRICS_MAX_WORKERS; i++) {
        if (input->workers[i].is_shown)
            page_add(page, "mpa_worker_up{worker=\"%" PRIu32 "\"} %d\n", i, input->workers[i].is_up);
    }
    page_family(page, "mpa_worker_restarts_total", "counter",
                "Starts of the worker after its first, since mpa-controld was started");
    for (uint32_t i = 0; i < METRICS_MAX_WORKERS; i++) {
        if (input->workers[i].is_shown)
            page_add(page, "mpa_worker_restarts_total{worker=\"%" PRIu32 "\"} %" PRIu32 "\n", i,
                     input->workers[i].restarts);
    }
}

static void add_own(struct page *page, const struct metrics_input *input)
{
    char number[NUMBER_BYTES], version[64], nic[64], backend[64];

    page_family(page, "mpa_build_info", "gauge", "Always 1; the version of mpa-controld");
    page_add(page, "mpa_build_info{version=\"%s\"} 1\n", label_text(input->version, version));
    page_family(page, "mpa_nic_info", "gauge", "Always 1; the interface");
    page_add(page, "mpa_nic_info{nic=\"%s\",backend=\"%s\"} 1\n", label_text(input->nic_name, nic),
             label_text(input->nic_backend, backend));
    page_family(page, "mpa_controld_start_time_seconds", "gauge", "Unix time of the start of mpa-controld");
    page_add(page, "mpa_controld_start_time_seconds %s\n",
             number_text(input->started_unix_ms, METRIC_MILLI, number));
    page_family(page, "mpa_controld_cpu_seconds_total", "counter", "CPU that mpa-controld has used");
    page_add(page, "mpa_controld_cpu_seconds_total %s\n", number_text(input->cpu_ns, METRIC_NANO, number));
    add_state(page, input);
    page_value(page, "mpa_ready", "1 while /readyz answers 200", input->unready == NULL);
    page_value(page, "mpa_update_is_running", "1 while an update replaces processes", input->is_updating);
    page_value(page, "mpa_frontend_up", "1 while the frontend runs and has answered for this page",
               input->frontend.is_up && input->stats != NULL);
    page_family(page, "mpa_frontend_restarts_total", "counter",
                "Starts of the frontend after its first, since mpa-controld was started");
    page_add(page, "mpa_frontend_restarts_total %" PRIu32 "\n", input->frontend.restarts);
    add_workers(page, input);
}

/* ---- the frontend's ---- */

struct sample {
    struct metric_name name;
    const Mpa__V1__Stat *stat;           /* one of these */
    const Mpa__V1__Histogram *histogram; /* two is set */
    size_t number;                       /* in the order of the list */
};

static int compare_samples(const void *left, const void *right)
{
    const struct sample *a = left, *b = right;
    int order = strcmp(a->name.family, b->name.family);

    return order != 0 ? order : (a->number > b->number) - (a->number < b->number);
}

/* "{worker="1",reason="runt"" without the closing brace, "" when there is no label. */
static const char *labels_text(const struct metric_name *name, char text[160])
{
    size_t n = 0;

    text[0] = '\0';
    if (name->worker != METRIC_NO_WORKER)
        n = (size_t)snprintf(text, 160, "{worker=\"%" PRIu32 "\"", name->worker);
    if (name->reason[0] != '\0')
        snprintf(text + n, 160 - n, "%sreason=\"%s\"", n == 0 ? "{" : ",", name->reason);
    return text;
}

static void add_stat(struct page *page, const struct sample *sample, uint64_t now_ns)
{
    enum metric_unit unit = sample->name.unit;
    uint64_t value = sample->stat->value;
    char labels[160], number[NUMBER_BYTES];

    if (unit == METRIC_INSTANT_NS) {
        /* Not attached, nothing heard of yet: it has no age. */
        if (value == 0)
            return;
        value = now_ns > value ? now_ns - value : 0;
        unit = METRIC_NANO;
    }
    labels_text(&sample->name, labels);
    page_add(page, "%s%s%s %s\n", sample->name.family, labels, labels[0] == '\0' ? "" : "}",
             number_text(value, unit, number));
}

/* Buckets of the wire are apart, those of the page contain the ones before. */
static void add_histogram(struct page *page, const struct sample *sample)
{
    const Mpa__V1__Histogram *histogram = sample->histogram;
    const char *family = sample->name.family;
    char labels[160], number[NUMBER_BYTES];
    uint64_t n = 0;

    labels_text(&sample->name, labels);
    for (size_t i = 0; i < histogram->n_bounds; i++) {
        n += histogram->counts[i];
        page_add(page, "%s_bucket%s%sle=\"%s\"} %" PRIu64 "\n", family, labels, labels[0] == '\0' ? "{" : ",",
                 number_text(histogram->bounds[i], sample->name.unit, number), n);
    }
    n += histogram->counts[histogram->n_bounds];
    page_add(page, "%s_bucket%s%sle=\"+Inf\"} %" PRIu64 "\n", family, labels, labels[0] == '\0' ? "{" : ",",
             n);
    page_add(page, "%s_sum%s%s %s\n", family, labels, labels[0] == '\0' ? "" : "}",
             number_text(histogram->sum, sample->name.unit, number));
    page_add(page, "%s_count%s%s %" PRIu64 "\n", family, labels, labels[0] == '\0' ? "" : "}", n);
}

static const char *type_of(const struct sample *sample)
{
    if (sample->histogram != NULL)
        return "histogram";
    return sample->name.is_counter ? "counter" : "gauge";
}

static const char *help_of(const struct sample *sample)
{
    if (sample->name.help != NULL)
        return sample->name.help;
    return sample->stat != NULL ? sample->stat->help : sample->histogram->help;
}

/* What the frontend has told as samples, those that are none left out; their number. */
static size_t take_samples(const struct metrics_input *input, struct sample *samples)
{
    size_t n = 0;

    for (size_t i = 0; i < input->stats->n_stats; i++) {
        const Mpa__V1__Stat *stat = input->stats->stats[i];

        samples[n] = (struct sample){.stat = stat, .number = n};
        n += metric_name_of(stat->scope, stat->name, stat->is_gauge, &samples[n].name);
    }
    for (size_t i = 0; input->histograms != NULL && i < input->histograms->n_histograms; i++) {
        const Mpa__V1__Histogram *histogram = input->histograms->histograms[i];

        samples[n] = (struct sample){.histogram = histogram, .number = n};
        if (histogram->n_counts == histogram->n_bounds + 1)
            n += metric_histogram_of(histogram->scope, histogram->name, &samples[n].name);
    }
    return n;
}

static void add_frontend(struct page *page, const struct metrics_input *input)
{
    size_t n_histograms = input->histograms == NULL ? 0 : input->histograms->n_histograms;
    struct sample *samples = calloc(input->stats->n_stats + n_histograms + 1, sizeof(*samples));
    const char *family = "";
    size_t n;

    if (samples == NULL) {
        page->has_failed = true;
        return;
    }
    n = take_samples(input, samples);
    qsort(samples, n, sizeof(samples[0]), compare_samples);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(family, samples[i].name.family) != 0)
            page_family(page, samples[i].name.family, type_of(&samples[i]), help_of(&samples[i]));
        family = samples[i].name.family;
        if (samples[i].histogram != NULL)
            add_histogram(page, &samples[i]);
        else
            add_stat(page, &samples[i], input->now_ns);
    }
    free(samples);
}

char *metrics_render(const struct metrics_input *input, size_t *n_bytes)
{
    struct page page = {0};

    add_own(&page, input);
    if (input->stats != NULL)
        add_frontend(&page, input);
    if (page.has_failed) {
        free(page.bytes);
        return NULL;
    }
    *n_bytes = page.used;
    return page.bytes;
}
