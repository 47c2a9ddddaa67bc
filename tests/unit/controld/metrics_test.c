/* SPDX-License-Identifier: BSD-3-Clause */
/* metrics_test.c — promises of the names of metrics and of the page. */
#include "controlplane/controld/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "controlplane/controld/metric_name.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "controld/metrics";

static void check_name(const char *scope, const char *name, bool is_gauge, const char *family)
{
    struct metric_name metric;

    CU_ASSERT_TRUE_FATAL(metric_name_of(scope, name, is_gauge, &metric));
    CU_ASSERT_STRING_EQUAL(metric.family, family);
}

static void test_units_and_totals(void)
{
    check_name("nic", "rx_bytes", false, "mpa_nic_rx_bytes_total");
    check_name("lane3", "busy_permille", true, "mpa_lane_busy_ratio");
    check_name("lane3", "wait_ns", true, "mpa_lane_wait_seconds");
    check_name("worker15", "wait_us", false, "mpa_worker_wait_seconds_total");
    check_name("frontend", "short_idle_s", true, "mpa_frontend_short_idle_seconds");
    check_name("frontend", "loop_turns", true, "mpa_frontend_loop_turns_total");
    check_name("lane0", "heartbeat_ns", true, "mpa_lane_heartbeat_age_seconds");
    check_name("lane0", "lane_version", true, "mpa_lane_version");
}

static void test_reasons_are_labels(void)
{
    struct metric_name metric;

    CU_ASSERT_TRUE_FATAL(metric_name_of("worker2", "rx_drop_slot", false, &metric));
    CU_ASSERT_STRING_EQUAL(metric.family, "mpa_worker_rx_drops_total");
    CU_ASSERT_STRING_EQUAL(metric.reason, "slot");
    CU_ASSERT_EQUAL(metric.worker, 2);
    CU_ASSERT_TRUE_FATAL(metric_name_of("lane1", "fault_index", false, &metric));
    CU_ASSERT_STRING_EQUAL(metric.family, "mpa_lane_faults_total");
    CU_ASSERT_STRING_EQUAL(metric.reason, "index");
}

static void test_what_is_no_metric(void)
{
    static const char *const bad[][2] = {
        {"lane0", "pid"}, {"lane0", "uid"},          {"lane16", "buckets"}, {"lane100", "x"},
        {"Lane0", "x"},   {"lane 0", "x"},           {"nic", ""},           {"nic", "a b"},
        {"nic", "a\"b"},  {"worker0", "turns_30us"}, {"nic\n", "x"},        {"nic", "x\n"}};
    struct metric_name metric;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_FALSE(metric_name_of(bad[i][0], bad[i][1], true, &metric));
    CU_ASSERT_FALSE(metric_name_of("nic",
                                   "a_name_that_is_so_very_long_that_no_array_of_ours_would_ever_hold_it_"
                                   "with_its_prefix_and_its_ending_too",
                                   true, &metric));
}

static void test_a_histogram_has_no_total(void)
{
    struct metric_name metric;

    CU_ASSERT_TRUE_FATAL(metric_histogram_of("", "handover_stall_ns", &metric));
    CU_ASSERT_STRING_EQUAL(metric.family, "mpa_handover_stall_seconds");
    CU_ASSERT_EQUAL(metric.worker, METRIC_NO_WORKER);
    CU_ASSERT_EQUAL(metric.unit, METRIC_NANO);
}

/* ---- the page ---- */

static char *text_of(const char *text)
{
    union {
        const char *constant;
        char *message;
    } pointer = {.constant = text};

    return pointer.message;
}

static void stat_init(Mpa__V1__Stat *stat, const char *scope, const char *name, uint64_t value)
{
    mpa__v1__stat__init(stat);
    stat->scope = text_of(scope);
    stat->name = text_of(name);
    stat->help = text_of("What\nit \\is");
    stat->value = value;
}

/* The page as a string, to be freed. */
static char *render(const struct metrics_input *input)
{
    size_t n_bytes = 0;
    char *page = metrics_render(input, &n_bytes);
    char *text;

    CU_ASSERT_PTR_NOT_NULL_FATAL(page);
    text = calloc(1, n_bytes + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memcpy(text, page, n_bytes);
    free(page);
    return text;
}

static const struct metrics_input nothing = {
    .version = "1\"2", .nic_name = "mpa0", .nic_backend = "tap", .state = "running", .unready = "why"};

static void test_families_stand_together(void)
{
    Mpa__V1__Stat stats[5];
    Mpa__V1__Stat *list[5];
    Mpa__V1__GetStatsReply reply = MPA__V1__GET_STATS_REPLY__INIT;
    struct metrics_input input = nothing;
    char *page;

    stat_init(&stats[0], "lane0", "rx_frames", 5);
    stat_init(&stats[1], "lane0", "rx_drop_quota", 7);
    stat_init(&stats[2], "lane1", "rx_frames", UINT64_MAX);
    stat_init(&stats[3], "lane1", "heartbeat_ns", 500000000);
    stat_init(&stats[4], "lane0", "heartbeat_ns", 0);
    stats[3].is_gauge = stats[4].is_gauge = true;
    for (size_t i = 0; i < 5; i++)
        list[i] = &stats[i];
    reply.stats = list;
    reply.n_stats = 5;
    input.stats = &reply;
    input.now_ns = 1750000000;
    page = render(&input);
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "# HELP mpa_lane_rx_frames_total Whatit is\n"
                                        "# TYPE mpa_lane_rx_frames_total counter\n"
                                        "mpa_lane_rx_frames_total{worker=\"0\"} 5\n"
                                        "mpa_lane_rx_frames_total{worker=\"1\"} 18446744073709551615\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "mpa_lane_rx_drops_total{worker=\"0\",reason=\"quota\"} 7\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "\nmpa_lane_heartbeat_age_seconds{worker=\"1\"} 1.250000000\n"));
    CU_ASSERT_PTR_NULL(strstr(page, "mpa_lane_heartbeat_age_seconds{worker=\"0\"}"));
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "mpa_build_info{version=\"12\"} 1\n"));
    free(page);
}

static void test_buckets_add_up(void)
{
    uint64_t bounds[] = {30000, 1000000}, counts[] = {3, 2, 1};
    Mpa__V1__Histogram histogram = MPA__V1__HISTOGRAM__INIT;
    Mpa__V1__Histogram *list[] = {&histogram};
    Mpa__V1__GetHistogramsReply reply = MPA__V1__GET_HISTOGRAMS_REPLY__INIT;
    Mpa__V1__GetStatsReply none = MPA__V1__GET_STATS_REPLY__INIT;
    struct metrics_input input = nothing;
    char *page;

    histogram.scope = text_of("worker3");
    histogram.name = text_of("loop_ns");
    histogram.help = text_of("Turns");
    histogram.bounds = bounds;
    histogram.counts = counts;
    histogram.n_bounds = 2;
    histogram.n_counts = 3;
    histogram.sum = 12345678901;
    reply.histograms = list;
    reply.n_histograms = 1;
    input.stats = &none;
    input.histograms = &reply;
    page = render(&input);
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "# TYPE mpa_worker_loop_seconds histogram\n"
                                        "mpa_worker_loop_seconds_bucket{worker=\"3\",le=\"0.000030000\"} 3\n"
                                        "mpa_worker_loop_seconds_bucket{worker=\"3\",le=\"0.001000000\"} 5\n"
                                        "mpa_worker_loop_seconds_bucket{worker=\"3\",le=\"+Inf\"} 6\n"
                                        "mpa_worker_loop_seconds_sum{worker=\"3\"} 12.345678901\n"
                                        "mpa_worker_loop_seconds_count{worker=\"3\"} 6\n"));
    free(page);
    histogram.n_counts = 2; /* does not fit its bounds: left out, not read beyond */
    page = render(&input);
    CU_ASSERT_PTR_NULL(strstr(page, "mpa_worker_loop_seconds"));
    free(page);
}

static void test_a_silent_frontend_leaves_its_part_out(void)
{
    struct metrics_input input = nothing;
    char *page;

    input.frontend = (struct metrics_process){.is_up = true, .restarts = 2};
    input.workers[4] = (struct metrics_process){.is_shown = true, .is_up = true, .restarts = 9};
    page = render(&input);
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "\nmpa_frontend_up 0\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "\nmpa_frontend_restarts_total 2\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "\nmpa_worker_restarts_total{worker=\"4\"} 9\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "\nmpa_ready 0\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "\nmpa_state{state=\"running\"} 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "\nmpa_state{state=\"degraded\"} 0\n"));
    CU_ASSERT_PTR_NULL(strstr(page, "mpa_nic_rx"));
    free(page);
}

static void test_a_page_has_an_end(void)
{
    enum { N = 40000 };
    Mpa__V1__Stat *stats = calloc(N, sizeof(*stats));
    Mpa__V1__Stat **list = calloc(N, sizeof(*list));
    Mpa__V1__GetStatsReply reply = MPA__V1__GET_STATS_REPLY__INIT;
    struct metrics_input input = nothing;
    size_t n_bytes;

    CU_ASSERT_TRUE_FATAL(stats != NULL && list != NULL);
    for (size_t i = 0; i < N; i++) {
        stat_init(&stats[i], "lane0", "rx_frames", i);
        list[i] = &stats[i];
    }
    reply.stats = list;
    reply.n_stats = N;
    input.stats = &reply;
    CU_ASSERT_PTR_NULL(metrics_render(&input, &n_bytes));
    free(list);
    free(stats);
}

const struct unit_test unit_tests[] = {
    {"units become base units, what only grows a total", test_units_and_totals},
    {"the reason of a drop or fault is a label", test_reasons_are_labels},
    {"process numbers, parts of histograms and odd names are no metrics", test_what_is_no_metric},
    {"a histogram has its unit and no total", test_a_histogram_has_no_total},
    {"samples of a family stand together, values are exact", test_families_stand_together},
    {"a bucket of the page holds those below it", test_buckets_add_up},
    {"a frontend that did not answer leaves its part out", test_a_silent_frontend_leaves_its_part_out},
    {"a page longer than its limit is none", test_a_page_has_an_end},
    {NULL, NULL}};
