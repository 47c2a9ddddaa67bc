/* SPDX-License-Identifier: BSD-3-Clause */
/* top_test.c — promises of 'mpactl top' without a terminal: rates of two samples, and pages of any size. */
#include "controlplane/mpactl/top_view.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "mpactl/top";

#define N_BUCKETS 64u
#define N_FLOWS 3u

/* ---- samples ---- */

static Mpa__V1__Reply *reply_new(Mpa__V1__Reply__BodyCase body_case)
{
    Mpa__V1__Reply *reply = malloc(sizeof(*reply));

    CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
    mpa__v1__reply__init(reply);
    reply->body_case = body_case;
    return reply;
}

static Mpa__V1__Value *value_new(const char *name, uint64_t number)
{
    Mpa__V1__Value *value = malloc(sizeof(*value));

    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    mpa__v1__value__init(value);
    value->name = strdup(name);
    value->value = number;
    return value;
}

/* Two workers; worker 1 has got `n` frames. */
static Mpa__V1__Reply *workers_new(uint64_t n)
{
    Mpa__V1__Reply *reply = reply_new(MPA__V1__REPLY__BODY_GET_WORKERS);
    Mpa__V1__GetWorkersReply *workers = malloc(sizeof(*workers));

    mpa__v1__get_workers_reply__init(workers);
    reply->get_workers = workers;
    workers->n_workers = 2;
    workers->workers = calloc(2, sizeof(workers->workers[0]));
    for (uint32_t i = 0; i < 2; i++) {
        Mpa__V1__Worker *worker = malloc(sizeof(*worker));

        mpa__v1__worker__init(worker);
        worker->slot = i;
        worker->pid = 100 + i;
        worker->state = MPA__V1__LANE_STATE__LANE_STATE_SERVING;
        worker->busy_permille = i * 500;
        worker->connections = 7;
        worker->n_counters = 1;
        worker->counters = malloc(sizeof(worker->counters[0]));
        worker->counters[0] = value_new("rx_frames", i * n);
        workers->workers[i] = worker;
    }
    return reply;
}

/* Even buckets are worker 0's; all the `n` frames went to bucket 3. */
static Mpa__V1__Reply *buckets_new(uint64_t n)
{
    Mpa__V1__Reply *reply = reply_new(MPA__V1__REPLY__BODY_GET_BUCKETS);
    Mpa__V1__GetBucketsReply *buckets = malloc(sizeof(*buckets));

    mpa__v1__get_buckets_reply__init(buckets);
    reply->get_buckets = buckets;
    buckets->n_buckets = N_BUCKETS;
    buckets->n_workers = buckets->n_frames = N_BUCKETS;
    buckets->workers = calloc(N_BUCKETS, sizeof(buckets->workers[0]));
    buckets->frames = calloc(N_BUCKETS, sizeof(buckets->frames[0]));
    for (uint32_t i = 0; i < N_BUCKETS; i++)
        buckets->workers[i] = i % 2;
    buckets->frames[3] = n;
    return reply;
}

/* Flow i has received i * n bytes. */
static Mpa__V1__Reply *flows_new(uint64_t n)
{
    Mpa__V1__Reply *reply = reply_new(MPA__V1__REPLY__BODY_GET_FLOWS);
    Mpa__V1__GetFlowsReply *flows = malloc(sizeof(*flows));

    mpa__v1__get_flows_reply__init(flows);
    reply->get_flows = flows;
    flows->n_flows = N_FLOWS;
    flows->flows = calloc(N_FLOWS, sizeof(flows->flows[0]));
    for (uint32_t i = 0; i < N_FLOWS; i++) {
        Mpa__V1__Flow *flow = malloc(sizeof(*flow));
        Mpa__V1__FlowKey *key = malloc(sizeof(*key));

        mpa__v1__flow__init(flow);
        mpa__v1__flow_key__init(key);
        key->remote_address = strdup("10.0.0.1");
        key->local_address = strdup("10.0.0.2");
        key->remote_port = 1000 + i;
        key->local_port = 80;
        flow->key = key;
        flow->state = MPA__V1__FLOW_STATE__FLOW_STATE_ESTABLISHED;
        flow->rx_bytes = i * n;
        flow->age_ms = i * 1000;
        flows->flows[i] = flow;
    }
    return reply;
}

static void sample(struct top_model *model, uint64_t n, uint64_t time_ns)
{
    struct top_sample now = {.workers = workers_new(n), .buckets = buckets_new(n), .time_ns = time_ns};

    CU_ASSERT_EQUAL(flow_list_add(&now.flows, flows_new(n)), 0);
    now.flows.time_ns = time_ns;
    CU_ASSERT_EQUAL_FATAL(top_model_update(model, &now), 0);
}

/* Two seconds between two samples; 2000 frames or bytes more. */
static struct top_model *model_new(void)
{
    struct top_model *model = calloc(1, sizeof(*model));

    CU_ASSERT_PTR_NOT_NULL_FATAL(model);
    sample(model, 1000, 1000000000);
    sample(model, 3000, 3000000000);
    return model;
}

static void model_free(struct top_model *model)
{
    top_model_free(model);
    free(model);
}

/* ---- the model ---- */

static void test_rates(void)
{
    struct top_model *model = model_new();

    CU_ASSERT_EQUAL(model->n_workers, 2);
    CU_ASSERT_EQUAL(model->workers[0].rx_rate, 0);
    CU_ASSERT_EQUAL(model->workers[1].rx_rate, 1000);
    CU_ASSERT_EQUAL(model->buckets[3].rate, 1000);
    CU_ASSERT_EQUAL(model->hottest_rate, 1000);
    /* The busiest flow first. */
    CU_ASSERT_EQUAL(model->now.flows.entries[0].flow->key->remote_port, 1002);
    CU_ASSERT_EQUAL(model->now.flows.entries[0].rx_rate, 2000);
    model_free(model);
}

static void test_a_counter_that_begins_again(void)
{
    struct top_model *model = model_new();

    sample(model, 10, 5000000000);
    CU_ASSERT_EQUAL(model->workers[1].rx_rate, 0);
    CU_ASSERT_EQUAL(model->hottest_rate, 0);
    CU_ASSERT_EQUAL(model->now.flows.entries[0].rx_rate, 0);
    model_free(model);
}

static void test_sorts(void)
{
    struct top_model *model = model_new();

    top_model_sort(model, TOP_SORT_AGE);
    CU_ASSERT_EQUAL(model->now.flows.entries[0].flow->key->remote_port, 1000);
    model_free(model);
}

static void test_events(void)
{
    struct top_model *model = calloc(1, sizeof(*model));
    char line[32];

    CU_ASSERT_PTR_NULL(top_model_event(model, 0));
    for (unsigned i = 0; i < TOP_MAX_EVENTS + 5; i++) {
        snprintf(line, sizeof(line), "event %u", i);
        top_model_add_event(model, line);
    }
    CU_ASSERT_STRING_EQUAL(top_model_event(model, 0), "event 204");
    CU_ASSERT_STRING_EQUAL(top_model_event(model, TOP_MAX_EVENTS - 1), "event 5");
    CU_ASSERT_PTR_NULL(top_model_event(model, TOP_MAX_EVENTS));
    free(model);
}

/* ---- the view ---- */

/* A page as text; the caller's. */
static char *draw(const struct top_model *model, const struct top_view *view, unsigned n_rows,
                  unsigned n_columns)
{
    struct grid grid = {0};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    CU_ASSERT_EQUAL_FATAL(grid_resize(&grid, n_rows, n_columns), 0);
    top_view_draw(view, model, &grid);
    grid_print(&grid, out);
    fclose(out);
    grid_free(&grid);
    return text;
}

static void check_has(const struct top_model *model, enum top_page page, const char *wanted)
{
    char *text = draw(model, &(struct top_view){.page = page, .clock = "12:00:00"}, 24, 80);

    CU_ASSERT_PTR_NOT_NULL(strstr(text, wanted));
    free(text);
}

static void test_pages(void)
{
    struct top_model *model = model_new();

    top_model_add_event(model, "12:00:01 gone worker 1");
    check_has(model, TOP_PAGE_WORKERS, " 1 serving     [#####-----]  50%");
    check_has(model, TOP_PAGE_WORKERS, "10.0.0.1:1002 -> 10.0.0.2:80");
    check_has(model, TOP_PAGE_WORKERS, "12:00:01 gone worker 1");
    check_has(model, TOP_PAGE_WORKERS, "14 conn");
    check_has(model, TOP_PAGE_BUCKETS, "share of frames:  0: 0%  1: 100%");
    check_has(model, TOP_PAGE_BUCKETS, "    0 0101");
    check_has(model, TOP_PAGE_FLOWS, "(3, by rate)");
    check_has(model, TOP_PAGE_EVENTS, "gone worker 1");
    model_free(model);
}

static void test_no_events(void)
{
    struct top_model *model = model_new();

    check_has(model, TOP_PAGE_EVENTS, "none yet");
    top_model_note_events(model, "refused: no such command");
    check_has(model, TOP_PAGE_EVENTS, "not to be had: refused: no such command");
    check_has(model, TOP_PAGE_WORKERS, "not to be had: refused: no such command");
    top_model_add_event(model, "12:00:01 gone worker 1");
    check_has(model, TOP_PAGE_EVENTS, "not to be had: refused");
    check_has(model, TOP_PAGE_EVENTS, "gone worker 1");
    top_model_note_events(model, "");
    model_free(model);
}

static void test_heat(void)
{
    struct top_model *model = model_new();
    struct grid grid = {0};

    CU_ASSERT_EQUAL_FATAL(grid_resize(&grid, 24, 80), 0);
    top_view_draw(&(struct top_view){.page = TOP_PAGE_BUCKETS}, model, &grid);
    CU_ASSERT_EQUAL(grid.cells[4 * 80 + 6 + 3].style, GRID_HOTTEST);
    CU_ASSERT_EQUAL(grid.cells[4 * 80 + 6 + 4].style, GRID_COLD);
    grid_free(&grid);
    model_free(model);
}

static void test_lost(void)
{
    struct top_model *model = model_new();

    top_model_lost(model, "nobody answers");
    check_has(model, TOP_PAGE_WORKERS, "no daemon: nobody answers");
    /* What was known is still there. */
    check_has(model, TOP_PAGE_WORKERS, " 1 serving");
    model_free(model);
}

static void test_any_size(void)
{
    struct top_model *model = model_new();
    struct top_model *nothing = calloc(1, sizeof(*nothing));

    for (unsigned page = 0; page < TOP_N_PAGES; page++) {
        for (unsigned n_rows = 0; n_rows < 30; n_rows += 3) {
            for (unsigned n_columns = 0; n_columns < 150; n_columns += 7) {
                struct top_view view = {.page = (enum top_page)page, .has_help = n_columns % 2 == 1};

                free(draw(model, &view, n_rows, n_columns));
                free(draw(nothing, &view, n_rows, n_columns));
            }
        }
    }
    free(nothing);
    model_free(model);
}

const struct unit_test unit_tests[] = {
    {"rates are of a second", test_rates},
    {"a counter that begins again has no rate", test_a_counter_that_begins_again},
    {"flows are sorted as asked", test_sorts},
    {"the last events are kept, newest first", test_events},
    {"every page shows what it is for", test_pages},
    {"a page without events says why", test_no_events},
    {"the hottest bucket looks so", test_heat},
    {"without a daemon the last state stays, and that is said", test_lost},
    {"every page is drawn at any size, also when nothing is known", test_any_size},
    {NULL, NULL},
};
