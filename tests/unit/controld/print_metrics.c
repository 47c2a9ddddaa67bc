/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * print_metrics.c — the page /metrics of a stack with as many workers as there can be, without one: the real
 * endpoint of the frontend answers over an empty board, the real page is made of it. Made for documents and
 * checks: every metric stands in it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "controlplane/controld/metrics.h"
#include "frontend/control_internal.h"

/* The reply to a command, unpacked and the caller's. */
static Mpa__V1__Reply *answer(struct control_core *core, Mpa__V1__Request *request)
{
    uint8_t bytes[64];
    size_t n_request = mpa__v1__request__pack(request, bytes);
    const Mpa__V1__Reply *reply = control_core_answer(core, bytes, n_request, clock_now_ns());
    size_t n_packed = mpa__v1__reply__get_packed_size(reply);
    uint8_t *packed = malloc(n_packed);
    Mpa__V1__Reply *copy;

    if (packed == NULL)
        return NULL;
    mpa__v1__reply__pack(reply, packed);
    copy = mpa__v1__reply__unpack(NULL, n_packed, packed);
    free(packed);
    return copy;
}

static void print_page(const Mpa__V1__Reply *stats, const Mpa__V1__Reply *histograms)
{
    struct metrics_input input = {.version = MPA_VERSION,
                                  .nic_name = "mpa0",
                                  .nic_backend = "tap",
                                  .state = metrics_states[1],
                                  .n_workers = CONFIG_MAX_WORKERS,
                                  .frontend = {.is_up = true},
                                  .now_ns = clock_now_ns(),
                                  .stats = stats->get_stats,
                                  .histograms = histograms->get_histograms};
    size_t n_bytes = 0;
    char *page;

    for (uint32_t i = 0; i < METRICS_MAX_WORKERS; i++)
        input.workers[i] = (struct metrics_process){.is_shown = true, .is_up = true};
    page = metrics_render(&input, &n_bytes);
    fwrite(page, 1, n_bytes, stdout);
    free(page);
}

int main(void)
{
    static struct config config;
    static struct board board;
    struct control_core core;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__GetStatsRequest ask_stats = MPA__V1__GET_STATS_REQUEST__INIT;
    Mpa__V1__GetHistogramsRequest ask_histograms = MPA__V1__GET_HISTOGRAMS_REQUEST__INIT;
    Mpa__V1__Reply *stats, *histograms;

    config_defaults(&config);
    config.worker.count = CONFIG_MAX_WORKERS;
    if (board_init(&board, 64) != 0 || control_core_init(&core, &config, &board, clock_now_ns()) != 0)
        return EXIT_FAILURE;
    /* An instant that has never been leaves its metric out. */
    atomic_store(&board.loop_heartbeat_ns, 1);
    for (uint32_t i = 0; i < CONFIG_MAX_WORKERS; i++) {
        atomic_store(&board.lanes[i].gauges[GAUGE_attached_ns], 1);
        atomic_store(&board.lanes[i].gauges[GAUGE_heartbeat_ns], 1);
    }
    ask_stats.with_help = true;
    request.body_case = MPA__V1__REQUEST__BODY_GET_STATS;
    request.get_stats = &ask_stats;
    stats = answer(&core, &request);
    request.body_case = MPA__V1__REQUEST__BODY_GET_HISTOGRAMS;
    request.get_histograms = &ask_histograms;
    histograms = answer(&core, &request);
    if (stats == NULL || histograms == NULL)
        return EXIT_FAILURE;
    print_page(stats, histograms);
    mpa__v1__reply__free_unpacked(stats, NULL);
    mpa__v1__reply__free_unpacked(histograms, NULL);
    control_core_fini(&core);
    board_fini(&board);
    return EXIT_SUCCESS;
}
