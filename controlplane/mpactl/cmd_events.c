/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_events.c — mpactl events: a line for each thing that happens, until Ctrl-C, --count or --seconds. An
 * mpa-controld that ends does not end it: silence would be taken for "nothing happens", so that is told on
 * standard error, and the next one is asked at once for what it has done before we were there.
 */
#include <errno.h>
#include <inttypes.h>
#include <nng/nng.h>
#include <nng/protocol/pubsub0/sub.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "mpa/v1/control.pb-c.h"

#include "controlplane/mpactl/client.h"
#include "controlplane/mpactl/event_text.h"
#include "controlplane/mpactl/follow.h"
#include "controlplane/mpactl/json.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/signals.h"

#define POLL_MS 300     /* between two questions to an mpa-controld elsewhere */
#define LOOK_MS 100     /* how late a signal or the end of --seconds is seen */
#define MISSED_MS 1000u /* for what was missed; asked again when it does not come */

struct options {
    uint64_t n_max; /* 0: no limit */
    uint64_t max_s; /* 0: no limit */
};

static const struct argp_option option_list[] = {
    {"follow", 'f', NULL, 0, "until Ctrl-C, which is what it does anyway", 0},
    {"count", 'c', "N", 0, "stop after N events", 0},
    {"seconds", 'S', "S", 0, "stop after S seconds", 0},
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    static const struct number_range count = {"count", 1, UINT64_MAX};
    static const struct number_range seconds = {"seconds", 1, 86400 * 365};
    struct options *options = state->input;

    switch (key) {
    case 'f':
        return 0;
    case 'c':
        options->n_max = option_number(state, value, &count);
        return 0;
    case 'S':
        options->max_s = option_number(state, value, &seconds);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int print_event(const struct mpactl *mpactl, const Mpa__V1__Event *event)
{
    time_t seconds = (time_t)(event->time_ns / CLOCK_NS_PER_S);
    char when[32];
    struct tm utc;

    if (mpactl->is_json)
        return json_print_line(&event->base, stdout);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &utc));
    printf("%s.%03" PRIu64 "Z ", when, (uint64_t)(event->time_ns % CLOCK_NS_PER_S / CLOCK_NS_PER_MS));
    event_text_print(event, stdout);
    putchar('\n');
    return MPACTL_OK;
}

/* What runs until the end of the command. */
struct watcher {
    const struct mpactl *mpactl;
    nng_socket socket;
    int signals_fd;
    struct follow follow;
    uint64_t n_left;          /* until --count is reached */
    atomic_bool is_connected; /* written by nng's threads: a hint, nothing is published with it */
    bool was_connected;       /* what the user was told */
    bool is_behind;           /* a new connection: what was before it is to be asked for */
};

static int tell(struct watcher *watcher, const Mpa__V1__Event *event)
{
    int exit_code = MPACTL_OK;

    if (watcher->n_left == 0)
        return MPACTL_OK;
    watcher->n_left--;
    exit_code = print_event(watcher->mpactl, event);
    if (fflush(stdout) != 0)
        return mpactl_fail(MPACTL_FAILED, "cannot write events: %s", strerror(errno));
    return exit_code;
}

/* In the place of those that nobody has any more. */
static int tell_lost(struct watcher *watcher, uint64_t n_lost, uint64_t time_ns)
{
    Mpa__V1__Event event = MPA__V1__EVENT__INIT;
    Mpa__V1__Field field = MPA__V1__FIELD__INIT;
    Mpa__V1__Field *list[] = {&field};
    char key[] = "count", count[24];

    snprintf(count, sizeof(count), "%" PRIu64, n_lost);
    field.key = key;
    field.value = count;
    event.time_ns = time_ns;
    event.kind = MPA__V1__EVENT_KIND__EVENT_KIND_LOST;
    event.role = MPA__V1__ROLE__ROLE_CONTROLD;
    event.fields = list;
    event.n_fields = 1;
    return tell(watcher, &event);
}

/* Asks for what is missing and tells it. */
static int repair(struct watcher *watcher, const struct mpactl *mpactl)
{
    Mpa__V1__GetSnapshotRequest body = MPA__V1__GET_SNAPSHOT_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    const Mpa__V1__GetSnapshotReply *snapshot;
    Mpa__V1__Reply *reply;
    int exit_code;

    body.after = watcher->follow.last;
    body.life = watcher->follow.life;
    request.body_case = MPA__V1__REQUEST__BODY_GET_SNAPSHOT;
    request.get_snapshot = &body;
    exit_code = client_ask_once(mpactl, &request, &reply);
    if (exit_code != MPACTL_OK)
        return exit_code;
    snapshot = reply->get_snapshot;
    if (snapshot->missed > 0 && watcher->follow.has_begun)
        exit_code =
            tell_lost(watcher, snapshot->missed, snapshot->n_events == 0 ? 0 : snapshot->events[0]->time_ns);
    for (size_t i = 0; i < snapshot->n_events && exit_code == MPACTL_OK && watcher->follow.has_begun; i++)
        exit_code = tell(watcher, snapshot->events[i]);
    follow_catch_up(&watcher->follow, snapshot);
    mpa__v1__reply__free_unpacked(reply, NULL);
    return exit_code;
}

static int take_event(struct watcher *watcher, const Mpa__V1__Event *event)
{
    const struct follow before = watcher->follow;
    int exit_code;

    switch (follow_see(&watcher->follow, event)) {
    case FOLLOW_OLD:
        return MPACTL_OK;
    case FOLLOW_NEXT:
        return tell(watcher, event);
    case FOLLOW_GAP:
        break;
    }
    exit_code = repair(watcher, watcher->mpactl);
    if (exit_code == MPACTL_OK)
        return MPACTL_OK;
    /* Nobody to ask: an mpa-controld that has just ended, or an older one. What is known is told. */
    exit_code = event->life == before.life
                    ? tell_lost(watcher, event->sequence - before.last - 1, event->time_ns)
                    : MPACTL_OK;
    watcher->follow = (struct follow){.life = event->life, .last = event->sequence, .has_begun = true};
    return exit_code == MPACTL_OK ? tell(watcher, event) : exit_code;
}

/* From elsewhere there are only requests: asks for what is new, every POLL_MS. */
static int poll_events(struct watcher *watcher)
{
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    const bool has_begun = watcher->follow.has_begun;
    int exit_code;

    if (has_begun)
        nanosleep(&pause, NULL);
    exit_code = repair(watcher, watcher->mpactl);
    if (exit_code == MPACTL_OK && !has_begun)
        fprintf(stderr, "listening at %s\n", watcher->mpactl->remote);
    return exit_code;
}

/* ---- the connection ---- */

static void pipe_changed(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    struct watcher *watcher = context;

    (void)pipe;
    atomic_store_explicit(&watcher->is_connected, event == NNG_PIPE_EV_ADD_POST, memory_order_relaxed);
}

/* What was told before this connection stood, or where the first one begins. Without a word: an older
 * mpa-controld has none to give, one that has just begun has it in a moment. */
static bool catch_up(struct watcher *watcher)
{
    struct mpactl patience = *watcher->mpactl;
    char error[256];

    patience.error = error;
    patience.error_size = sizeof(error);
    if (patience.timeout_ms > MISSED_MS)
        patience.timeout_ms = MISSED_MS;
    return repair(watcher, &patience) == MPACTL_OK;
}

/* Says when the connection goes and comes back. */
static void watch_connection(struct watcher *watcher)
{
    const bool is_connected = atomic_load_explicit(&watcher->is_connected, memory_order_relaxed);

    if (is_connected != watcher->was_connected) {
        fprintf(stderr,
                is_connected ? "listening again\n" : "mpa-controld is gone; waiting for the next one\n");
        watcher->was_connected = is_connected;
        watcher->is_behind = is_connected;
    }
    if (watcher->is_behind && catch_up(watcher))
        watcher->is_behind = false;
}

/* Waits LOOK_MS for an event. */
static int next_event(struct watcher *watcher)
{
    nng_msg *packed;
    Mpa__V1__Event *event;
    int error, exit_code;

    if (watcher->mpactl->remote != NULL)
        return poll_events(watcher);
    watch_connection(watcher);
    error = nng_recvmsg(watcher->socket, &packed, 0);
    if (error == NNG_ETIMEDOUT)
        return MPACTL_OK;
    if (error != 0)
        return mpactl_fail(MPACTL_FAILED, "connection lost: %s", nng_strerror(error));
    event = mpa__v1__event__unpack(NULL, nng_msg_len(packed), nng_msg_body(packed));
    nng_msg_free(packed);
    if (event == NULL)
        return mpactl_fail(MPACTL_FAILED, "an event cannot be decoded: is mpa-controld of another version?");
    exit_code = take_event(watcher, event);
    mpa__v1__event__free_unpacked(event, NULL);
    return exit_code;
}

/* In the background: one that hangs never comes to the end of nng's handshake. */
static int wait_for_connection(struct watcher *watcher)
{
    const struct mpactl *mpactl = watcher->mpactl;
    const uint64_t end_ns = clock_now_ns() + mpactl->timeout_ms * CLOCK_NS_PER_MS;

    while (!atomic_load_explicit(&watcher->is_connected, memory_order_relaxed)) {
        if (clock_now_ns() >= end_ns)
            return mpactl_fail(MPACTL_FAILED, "no answer within %u ms (see --timeout)", mpactl->timeout_ms);
        /* The signal stays pending: whoever called sees it too. */
        if (signals_wait(watcher->signals_fd, 5))
            return MPACTL_OK;
    }
    watcher->was_connected = true;
    (void)catch_up(watcher);
    /* From here on nothing is missed. */
    fprintf(stderr, "listening at %s/events.ipc\n", mpactl->runtime_dir);
    return MPACTL_OK;
}

static int events_open(struct watcher *watcher)
{
    const struct mpactl *mpactl = watcher->mpactl;
    nng_socket *socket = &watcher->socket;
    char url[256];
    int error, exit_code;

    if (mpactl->remote != NULL)
        return MPACTL_OK;
    exit_code = client_look(mpactl, "events.ipc", false);
    if (exit_code != MPACTL_OK)
        return exit_code;
    snprintf(url, sizeof(url), "ipc://%s/events.ipc", mpactl->runtime_dir);
    if ((error = nng_sub0_open(socket)) != 0 ||
        (error = nng_socket_set(*socket, NNG_OPT_SUB_SUBSCRIBE, "", 0)) != 0 ||
        (error = nng_socket_set_ms(*socket, NNG_OPT_RECVTIMEO, LOOK_MS)) != 0 ||
        (error = nng_pipe_notify(*socket, NNG_PIPE_EV_ADD_POST, pipe_changed, watcher)) != 0 ||
        (error = nng_pipe_notify(*socket, NNG_PIPE_EV_REM_POST, pipe_changed, watcher)) != 0 ||
        (error = nng_dial(*socket, url, NULL, NNG_FLAG_NONBLOCK)) != 0)
        return mpactl_fail(MPACTL_FAILED, "cannot listen for events: %s", nng_strerror(error));
    return wait_for_connection(watcher);
}

int command_events(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        option_list, parse_option, NULL,
        "Prints events as they happen; --json: one object a line. It "
        "outlives mpa-controld: the next one tells what was "
        "missed.\v"
        "mpactl events -f\tuntil Ctrl-C\n"
        "mpactl --json events --count 1\twait for the next one\n"};
    struct options options = {0};
    struct watcher watcher = {.mpactl = mpactl};
    uint64_t end_ns;
    int exit_code;

    command_parse(mpactl, &syntax, argc, argv, &options);
    watcher.signals_fd = signals_open();
    if (watcher.signals_fd < 0)
        return mpactl_fail(MPACTL_FAILED, "cannot wait for signals: %s", strerror(-watcher.signals_fd));
    end_ns = options.max_s == 0 ? UINT64_MAX : clock_now_ns() + options.max_s * CLOCK_NS_PER_S;
    watcher.n_left = options.n_max == 0 ? UINT64_MAX : options.n_max;
    exit_code = events_open(&watcher);
    while (exit_code == MPACTL_OK && watcher.n_left > 0 && clock_now_ns() < end_ns &&
           !signals_wait(watcher.signals_fd, 0))
        exit_code = next_event(&watcher);
    if (nng_socket_id(watcher.socket) > 0)
        nng_close(watcher.socket);
    fd_close(&watcher.signals_fd);
    return exit_code;
}
