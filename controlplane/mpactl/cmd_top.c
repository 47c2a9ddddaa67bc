/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_top.c — mpactl top: asks every few seconds, has events come or asks for them, draws. Only what a page
 * shows is asked for: ten thousand flows are a page of their own. A daemon that is gone is told in the head,
 * and looked for in every round. Where there is no terminal it shows one page as text and ends.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "controlplane/mpactl/client.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/signals.h"
#include "controlplane/mpactl/top_events.h"
#include "controlplane/mpactl/top_model.h"
#include "controlplane/mpactl/top_screen.h"
#include "controlplane/mpactl/top_view.h"

#define DEFAULT_INTERVAL_MS 2000u
#define MIN_INTERVAL_MS 250u
#define MAX_INTERVAL_MS 60000u
#define MAX_WAIT_MS 1000u /* for a daemon that hangs: keys wait as long */
#define LOOK_MS 200u      /* how late an event or a new size of the terminal is seen */
#define ONCE_MS 1000u     /* between the two samples of --once */
#define ONCE_ROWS 60u
#define ONCE_COLUMNS 100u
#define MAX_FLOWS 10000u

struct options {
    bool is_once;
    uint32_t interval_ms;
    enum top_page page;
};

struct top {
    struct mpactl *mpactl;
    struct top_view view;
    struct top_model model;
    struct grid grid;
    struct top_events events;
    int signals_fd;
    uint64_t next_ns; /* when to ask again */
    char error[200];  /* of the connection */
    bool is_over;
};

/* ---- syntax ---- */

static const char *const page_names[TOP_N_PAGES] = {"workers", "buckets", "flows", "events"};

static const struct argp_option option_list[] = {
    {"interval", 'i', "S", 0, "look every S seconds (default: 2)", 0},
    {"once", '1', NULL, 0, "show one page as text and end; so it is without a terminal", 0},
    {"page", 'p', "workers|buckets|flows|events", 0, "begin with this page (default: workers)", 0},
    {0},
};

static enum top_page page_parse(const char *text, struct argp_state *state)
{
    for (unsigned i = 0; i < TOP_N_PAGES; i++) {
        if (strcmp(text, page_names[i]) == 0)
            return (enum top_page)i;
    }
    argp_error(state, "--page %s: no such page (allowed: workers, buckets, flows, events)", text);
    return TOP_PAGE_WORKERS;
}

static uint32_t interval_parse(const char *text, struct argp_state *state)
{
    char *end;
    double ms = strtod(text, &end) * 1000;

    if (end == text || *end != '\0' || !(ms >= MIN_INTERVAL_MS && ms <= MAX_INTERVAL_MS))
        argp_error(state, "--interval %s: not a number of seconds (allowed: 0.25 to 60)", text);
    return (uint32_t)ms;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct options *options = state->input;

    switch (key) {
    case 'i':
        options->interval_ms = interval_parse(value, state);
        return 0;
    case '1':
        options->is_once = true;
        return 0;
    case 'p':
        options->page = page_parse(value, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- samples ---- */

static int ask_status(struct client *client, Mpa__V1__Reply **reply)
{
    Mpa__V1__GetStatusRequest body = MPA__V1__GET_STATUS_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    request.body_case = MPA__V1__REQUEST__BODY_GET_STATUS;
    request.get_status = &body;
    return client_ask(client, &request, reply);
}

static int ask_workers(struct client *client, Mpa__V1__Reply **reply)
{
    Mpa__V1__GetWorkersRequest body = MPA__V1__GET_WORKERS_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    request.body_case = MPA__V1__REQUEST__BODY_GET_WORKERS;
    request.get_workers = &body;
    return client_ask(client, &request, reply);
}

static int ask_lanes(struct client *client, Mpa__V1__Reply **reply)
{
    Mpa__V1__GetLanesRequest body = MPA__V1__GET_LANES_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    request.body_case = MPA__V1__REQUEST__BODY_GET_LANES;
    request.get_lanes = &body;
    return client_ask(client, &request, reply);
}

static int ask_buckets(struct client *client, Mpa__V1__Reply **reply)
{
    Mpa__V1__GetBucketsRequest body = MPA__V1__GET_BUCKETS_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    request.body_case = MPA__V1__REQUEST__BODY_GET_BUCKETS;
    request.get_buckets = &body;
    return client_ask(client, &request, reply);
}

static int ask_all(struct client *client, enum top_page page, struct top_sample *sample)
{
    static const Mpa__V1__GetFlowsRequest every = MPA__V1__GET_FLOWS_REQUEST__INIT;
    int exit_code = ask_status(client, &sample->status);

    if (exit_code == MPACTL_OK)
        exit_code = ask_workers(client, &sample->workers);
    if (exit_code == MPACTL_OK)
        exit_code = ask_lanes(client, &sample->lanes);
    if (exit_code == MPACTL_OK && page == TOP_PAGE_BUCKETS)
        exit_code = ask_buckets(client, &sample->buckets);
    if (exit_code == MPACTL_OK && (page == TOP_PAGE_WORKERS || page == TOP_PAGE_FLOWS))
        exit_code = flow_list_ask(&sample->flows, client, &every, MAX_FLOWS);
    return exit_code;
}

/* One round; what goes wrong stands in top->error. */
static int sample_take(struct top *top)
{
    struct top_sample sample = {.time_ns = clock_now_ns()};
    struct client client;
    int exit_code = client_open(&client, top->mpactl, "control.ipc", false);

    if (exit_code == MPACTL_OK)
        exit_code = ask_all(&client, top->view.page, &sample);
    if (exit_code == MPACTL_OK)
        top_events_ask(&top->events, &client, &top->model);
    client_close(&client);
    if (exit_code == MPACTL_OK && top_model_update(&top->model, &sample) != 0)
        exit_code = mpactl_fail(MPACTL_FAILED, "out of memory");
    else if (exit_code != MPACTL_OK)
        top_model_lost(&top->model, top->error);
    top_sample_free(&sample);
    return exit_code;
}

/* ---- the screen ---- */

/* Rates need two samples with the same content. */
static void page_set(struct top *top, enum top_page page)
{
    top->view.page = page;
    top->view.has_help = false;
    top->next_ns = 0;
}

static void interval_set(struct top *top, uint32_t interval_ms)
{
    if (interval_ms >= MIN_INTERVAL_MS && interval_ms <= MAX_INTERVAL_MS)
        top->view.interval_ms = interval_ms;
    top->next_ns = clock_now_ns() + top->view.interval_ms * CLOCK_NS_PER_MS;
}

static void key_take(struct top *top, int key)
{
    switch (key) {
    case 'q':
        top->is_over = true;
        return;
    case '1':
    case '2':
    case '3':
    case '4':
        page_set(top, (enum top_page)(key - '1'));
        return;
    case '\t':
        page_set(top, (enum top_page)((top->view.page + 1) % TOP_N_PAGES));
        return;
    case 'p':
    case ' ':
        top->view.is_paused = !top->view.is_paused;
        return;
    case 's':
        top_model_sort(&top->model, (enum top_sort)((top->model.sort + 1) % TOP_N_SORTS));
        return;
    case '?':
    case 'h':
        top->view.has_help = !top->view.has_help;
        return;
    case '+':
        interval_set(top, top->view.interval_ms / 2);
        return;
    case '-':
        interval_set(top, top->view.interval_ms * 2);
        return;
    default:
        return;
    }
}

static int draw(struct top *top, unsigned n_rows, unsigned n_columns)
{
    time_t now = time(NULL);
    struct tm moment;

    if (grid_resize(&top->grid, n_rows, n_columns) != 0)
        return mpactl_fail(MPACTL_FAILED, "out of memory");
    strftime(top->view.clock, sizeof(top->view.clock), "%H:%M:%S", localtime_r(&now, &moment));
    top_view_draw(&top->view, &top->model, &top->grid);
    return MPACTL_OK;
}

/* Waits for a key, a signal, or the time to look at something else. */
static void wait_for_something(struct top *top)
{
    struct pollfd places[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                              {.fd = top->signals_fd, .events = POLLIN}};
    int key;

    poll(places, 2, (int)LOOK_MS);
    /* A terminal that was closed will never have a key. */
    if (places[1].revents != 0 || (places[0].revents & (POLLHUP | POLLERR)) != 0)
        top->is_over = true;
    while ((key = top_screen_key()) != 0)
        key_take(top, key);
}

static int run(struct top *top)
{
    int exit_code = MPACTL_OK;

    while (!top->is_over && exit_code == MPACTL_OK) {
        unsigned n_rows;
        unsigned n_columns;

        if (!top->view.is_paused && clock_now_ns() >= top->next_ns) {
            (void)sample_take(top);
            top->next_ns = clock_now_ns() + top->view.interval_ms * CLOCK_NS_PER_MS;
        }
        if (!top->view.is_paused)
            top_events_take(&top->events, &top->model);
        top_screen_size(&n_rows, &n_columns);
        exit_code = draw(top, n_rows, n_columns);
        if (exit_code == MPACTL_OK) {
            top_screen_show(&top->grid);
            wait_for_something(top);
        }
    }
    return exit_code;
}

/* One page as text. */
static int once(struct top *top)
{
    size_t n_columns = terminal_columns(stdout);
    uint32_t wait_ms = top->view.interval_ms < ONCE_MS ? top->view.interval_ms : ONCE_MS;
    int exit_code = sample_take(top);

    top->view.is_plain = true;
    if (exit_code == MPACTL_OK && !signals_wait(top->signals_fd, (int)wait_ms))
        exit_code = sample_take(top);
    if (exit_code != MPACTL_OK)
        return mpactl_fail((enum mpactl_exit)exit_code, "%s", top->error);
    top_events_take(&top->events, &top->model);
    exit_code = draw(top, ONCE_ROWS, n_columns == 0 ? ONCE_COLUMNS : (unsigned)n_columns);
    if (exit_code == MPACTL_OK)
        grid_print(&top->grid, stdout);
    return exit_code;
}

static int top_run(struct top *top, bool is_once)
{
    int exit_code = top_events_open(&top->events, top->mpactl);

    if (exit_code != MPACTL_OK)
        return exit_code;
    top->mpactl->error = top->error;
    top->mpactl->error_size = sizeof(top->error);
    if (is_once)
        return once(top);
    if (top_screen_open(terminal_has_color(top->mpactl->color, stdout)) != 0)
        return mpactl_fail(MPACTL_FAILED, "top: the terminal is of no known kind (see TERM); try --once");
    exit_code = run(top);
    top_screen_close();
    return exit_code;
}

int command_top(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        option_list, parse_option, NULL,
        "Shows workers with their load, rings and connections, buckets as a map of heat, flows by rate, and "
        "events, the last ones and those that come, over the whole terminal. Keys: 1 to 4 or Tab for the "
        "pages, s to sort flows, p to "
        "pause, + "
        "and - for the interval, ? for help, q to quit.\v"
        "mpactl top\tuntil q\n"
        "mpactl top --page buckets --once\tthe map of heat as text\n"};
    static struct top top;
    struct options options = {.interval_ms = DEFAULT_INTERVAL_MS};
    int exit_code;

    command_parse(mpactl, &syntax, argc, argv, &options);
    if (mpactl->is_json)
        return mpactl_fail(MPACTL_USAGE,
                           "top is for people; for programs: --json --watch with status, workers, "
                           "lanes, buckets or flows");
    if (mpactl->timeout_ms > MAX_WAIT_MS)
        mpactl->timeout_ms = MAX_WAIT_MS;
    top = (struct top){.mpactl = mpactl};
    top.view = (struct top_view){.page = options.page, .interval_ms = options.interval_ms};
    top.signals_fd = signals_open();
    if (top.signals_fd < 0)
        return mpactl_fail(MPACTL_FAILED, "cannot wait for signals: %s", strerror(-top.signals_fd));
    exit_code = top_run(&top, options.is_once || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO));
    top_events_close(&top.events);
    top_model_free(&top.model);
    grid_free(&top.grid);
    fd_close(&top.signals_fd);
    return exit_code;
}
