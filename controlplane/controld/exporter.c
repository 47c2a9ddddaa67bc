/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exporter.c — a request for /metrics that finds no page of the last moments begins a round: GetStats, then
 * GetHistograms; then the page is written and all that wait get it. A frontend that does not answer leaves
 * its part out: the page then says mpa_frontend_up 0.
 */
#include "controlplane/controld/exporter.h"

#include <errno.h>
#include <nng/nng.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "controlplane/controld/frontend_link.h"
#include "controlplane/controld/http.h"
#include "controlplane/controld/metrics.h"
#include "controlplane/controld/wire.h"

#define ANSWER_MS 1000u

struct exporter {
    struct controld *controld;
    struct http_server *server;
    struct frontend_call call;
    bool is_collecting;
    Mpa__V1__Reply *stats, *histograms; /* of the round under way; owned */
    struct http_body *page;             /* the last one; one use is ours */
    uint64_t page_ns;                   /* its time */
    uint64_t started_unix_ms;
};

/* ---- the page ---- */

static const char *state_name(enum supervisor_state state)
{
    switch (state) {
    case SUPERVISOR_STARTING:
        return "starting";
    case SUPERVISOR_UP:
        return "running";
    case SUPERVISOR_DEGRADED:
        return "degraded";
    case SUPERVISOR_STOPPING:
        return "stopping";
    }
    return "";
}

static struct metrics_process process_of(const struct supervisor *supervisor, size_t idx)
{
    const struct process *process = &supervisor->processes[idx];

    return (struct metrics_process){
        .is_shown = supervisor_wants(supervisor, process) || process_is_alive(process) ||
                    process->state == PROCESS_RUNNING,
        .is_up = process->state == PROCESS_RUNNING,
        .restarts = process->n_restarts,
    };
}

static uint64_t clock_of(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

static void fill_input(const struct exporter *exporter, struct metrics_input *input)
{
    static const char *const backends[] = {
        [CONFIG_BACKEND_TAP] = "tap", [CONFIG_BACKEND_PACKET] = "packet", [CONFIG_BACKEND_MEMORY] = "memory"};
    const struct controld *controld = exporter->controld;
    const struct supervisor *supervisor = &controld->supervisor;

    *input = (struct metrics_input){
        .version = MPA_VERSION,
        .nic_name = controld->config.nic.name,
        .nic_backend = backends[controld->config.nic.backend],
        .state = state_name(supervisor_state(supervisor)),
        .is_updating = controld->update.phase != UPDATE_IDLE,
        .started_unix_ms = exporter->started_unix_ms,
        .cpu_ns = clock_of(CLOCK_PROCESS_CPUTIME_ID),
        .now_ns = clock_now_ns(),
        .frontend = process_of(supervisor, 0),
        .stats = exporter->stats == NULL ? NULL : exporter->stats->get_stats,
        .histograms = exporter->histograms == NULL ? NULL : exporter->histograms->get_histograms,
    };
    for (uint32_t slot = 0; slot < METRICS_MAX_WORKERS; slot++) {
        const struct process *worker = &supervisor->processes[1 + slot];

        input->workers[slot] = process_of(supervisor, 1 + slot);
        input->n_workers += supervisor_wants(supervisor, worker) && !worker->is_spare;
    }
}

/* A new page from what the round has brought; the old one stays when memory is out. */
static bool page_write(struct exporter *exporter)
{
    struct metrics_input input;
    struct http_body *body;
    char obstacle[96];
    size_t n_bytes;
    char *text;

    fill_input(exporter, &input);
    input.unready =
        readiness_obstacle(&exporter->controld->supervisor, input.now_ns, obstacle, sizeof(obstacle));
    text = metrics_render(&input, &n_bytes);
    body = text == NULL ? NULL : http_body_new(n_bytes);
    if (body != NULL) {
        memcpy(body->bytes, text, n_bytes);
        http_body_put(exporter->page);
        exporter->page = body;
        exporter->page_ns = input.now_ns;
    }
    free(text);
    return body != NULL;
}

/* ---- a round ---- */

static void round_forget(struct exporter *exporter)
{
    if (exporter->stats != NULL)
        mpa__v1__reply__free_unpacked(exporter->stats, NULL);
    if (exporter->histograms != NULL)
        mpa__v1__reply__free_unpacked(exporter->histograms, NULL);
    exporter->stats = exporter->histograms = NULL;
}

static void round_end(struct exporter *exporter)
{
    struct http_answer answer = {.status = 503};

    exporter->is_collecting = false;
    if (page_write(exporter))
        answer = (struct http_answer){.status = 200, .body = exporter->page};
    round_forget(exporter);
    http_server_answer(exporter->server, &answer);
}

/* False: memory is out. */
static bool ask_frontend(struct exporter *exporter, Mpa__V1__Request__BodyCase question)
{
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__GetStatsRequest stats = MPA__V1__GET_STATS_REQUEST__INIT;
    Mpa__V1__GetHistogramsRequest histograms = MPA__V1__GET_HISTOGRAMS_REQUEST__INIT;

    stats.with_help = true;
    request.body_case = question;
    if (question == MPA__V1__REQUEST__BODY_GET_STATS)
        request.get_stats = &stats;
    else
        request.get_histograms = &histograms;
    return frontend_call_ask(&exporter->call, &request, ANSWER_MS);
}

/* frontend_call_done_fn. An older frontend knows no histograms: the page goes without. */
static void answered(void *context, int error, nng_msg *answer)
{
    struct exporter *exporter = context;
    Mpa__V1__Reply *reply = error == 0 ? wire_unpack(answer) : NULL;

    if (reply != NULL && exporter->stats == NULL && reply->body_case == MPA__V1__REPLY__BODY_GET_STATS) {
        exporter->stats = reply;
        if (ask_frontend(exporter, MPA__V1__REQUEST__BODY_GET_HISTOGRAMS))
            return;
    } else if (reply != NULL && reply->body_case == MPA__V1__REPLY__BODY_GET_HISTOGRAMS) {
        exporter->histograms = reply;
    } else if (reply != NULL) {
        mpa__v1__reply__free_unpacked(reply, NULL);
    }
    round_end(exporter);
}

/* ---- requests ---- */

/* True: the page is there now. */
static bool ask_metrics(struct exporter *exporter, struct http_answer *answer)
{
    bool is_fresh =
        exporter->page != NULL && clock_now_ns() - exporter->page_ns < EXPORTER_KEEP_MS * CLOCK_NS_PER_MS;
    bool has_frontend = exporter->controld->supervisor.processes[0].state == PROCESS_RUNNING;

    if (exporter->is_collecting)
        return false;
    if (!is_fresh && has_frontend && ask_frontend(exporter, MPA__V1__REQUEST__BODY_GET_STATS)) {
        exporter->is_collecting = true;
        return false;
    }
    *answer = (struct http_answer){.status = 503};
    if (is_fresh || page_write(exporter)) {
        exporter->page->n_users++;
        *answer = (struct http_answer){.status = 200, .body = exporter->page};
    }
    return true;
}

static void answer_ready(const struct exporter *exporter, struct http_answer *answer)
{
    char obstacle[96], text[112];
    const char *why =
        readiness_obstacle(&exporter->controld->supervisor, clock_now_ns(), obstacle, sizeof(obstacle));

    snprintf(text, sizeof(text), "%s\n", why == NULL ? "ready" : why);
    answer->status = why == NULL ? 200 : 503;
    answer->body = http_body_text(text);
}

/* http_ask_fn. */
static bool asked(void *context, const char *path, struct http_answer *answer)
{
    struct exporter *exporter = context;

    if (strcmp(path, "/metrics") == 0)
        return ask_metrics(exporter, answer);
    if (strcmp(path, "/readyz") == 0) {
        answer_ready(exporter, answer);
        return true;
    }
    /* That this line is reached says that the loop turns. */
    answer->status = strcmp(path, "/livez") == 0 ? 200 : 404;
    answer->body =
        http_body_text(answer->status == 200 ? "alive\n" : "here are /metrics, /livez and /readyz\n");
    return true;
}

/* ---- start and end ---- */

/* The listening socket; -1: nobody wants one; else -errno after one ERROR line. */
static int open_socket(struct controld *controld)
{
    const char *place = controld->config.control.http;
    int fd = inherit_take(&controld->inherit, "http");

    if (fd >= 0 || config_listen_is_off(place))
        return fd;
    fd = http_listen(place);
    if (fd < 0)
        log_error("http_failed listen=%s error=\"%s\"", place, strerror(-fd));
    return fd == -1 ? -EACCES : fd; /* -EPERM would look like nobody's wish */
}

int exporter_new(struct exporter **exporter, struct controld *controld)
{
    struct exporter *new;
    int fd = open_socket(controld);

    *exporter = NULL;
    if (fd == -1)
        return 0;
    if (fd < 0)
        return fd == -EADDRINUSE ? NNG_EADDRINUSE : NNG_EADDRINVAL;
    new = calloc(1, sizeof(*new));
    if (new == NULL) {
        close(fd);
        return NNG_ENOMEM;
    }
    new->controld = controld;
    new->started_unix_ms = clock_of(CLOCK_REALTIME) / CLOCK_NS_PER_MS;
    if (http_server_new(&new->server, fd, asked, new) != 0 ||
        frontend_call_init(&new->call, controld->link, answered, new) != 0) {
        exporter_free(new);
        return NNG_ENOMEM;
    }
    *exporter = new;
    return 0;
}

int exporter_attach(struct exporter *exporter, struct sd_event *loop)
{
    return exporter == NULL ? 0 : http_server_attach(exporter->server, loop);
}

void exporter_close(struct exporter *exporter)
{
    if (exporter == NULL)
        return;
    http_server_free(exporter->server);
    exporter->server = NULL;
}

void exporter_free(struct exporter *exporter)
{
    if (exporter == NULL)
        return;
    exporter_close(exporter);
    frontend_call_fini(&exporter->call);
    round_forget(exporter);
    http_body_put(exporter->page);
    free(exporter);
}

void exporter_step(struct exporter *exporter)
{
    if (exporter != NULL)
        frontend_call_step(&exporter->call);
}

void exporter_tick(struct exporter *exporter, uint64_t now_ns)
{
    if (exporter != NULL)
        http_server_tick(exporter->server, now_ns);
}
