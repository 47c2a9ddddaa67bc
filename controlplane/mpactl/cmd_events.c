/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_events.c — mpactl events: a line for each thing that happens, until Ctrl-C, --count or --seconds. */
#include <errno.h>
#include <inttypes.h>
#include <nng/nng.h>
#include <nng/protocol/pubsub0/sub.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "mpa/v1/control.pb-c.h"

#include "controlplane/mpactl/event_text.h"
#include "controlplane/mpactl/json.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/signals.h"

#define LOOK_MS 100 /* how late a signal or the end of --seconds is seen */

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

/* Waits for one event and prints it; *n counts. */
static int next_event(const struct mpactl *mpactl, nng_socket socket, uint64_t *n)
{
    nng_msg *packed;
    Mpa__V1__Event *event;
    int error = nng_recvmsg(socket, &packed, 0);
    int exit_code;

    if (error == NNG_ETIMEDOUT)
        return MPACTL_OK;
    if (error != 0)
        return mpactl_fail(MPACTL_FAILED, "connection lost: %s", nng_strerror(error));
    event = mpa__v1__event__unpack(NULL, nng_msg_len(packed), nng_msg_body(packed));
    nng_msg_free(packed);
    if (event == NULL)
        return mpactl_fail(MPACTL_FAILED, "an event cannot be decoded: is mpa-controld of another version?");
    exit_code = print_event(mpactl, event);
    mpa__v1__event__free_unpacked(event, NULL);
    *n += 1;
    if (fflush(stdout) != 0)
        return mpactl_fail(MPACTL_FAILED, "cannot write events: %s", strerror(errno));
    return exit_code;
}

static int events_open(const struct mpactl *mpactl, nng_socket *socket)
{
    char url[256];
    int error;

    snprintf(url, sizeof(url), "ipc://%s/events.ipc", mpactl->runtime_dir);
    if ((error = nng_sub0_open(socket)) != 0 ||
        (error = nng_socket_set(*socket, NNG_OPT_SUB_SUBSCRIBE, "", 0)) != 0 ||
        (error = nng_socket_set_ms(*socket, NNG_OPT_RECVTIMEO, LOOK_MS)) != 0)
        return mpactl_fail(MPACTL_FAILED, "cannot open a socket: %s", nng_strerror(error));
    error = nng_dial(*socket, url, NULL, 0);
    if (error == 0) {
        /* From here on nothing is missed. */
        fprintf(stderr, "listening at %s/events.ipc\n", mpactl->runtime_dir);
        return MPACTL_OK;
    }
    return mpactl_fail(MPACTL_NO_DAEMON, "%s/events.ipc: no mpa-controld there (%s); is it running?",
                       mpactl->runtime_dir, nng_strerror(error));
}

int command_events(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {option_list, parse_option, NULL,
                                                 "Prints events as they happen; --json: one object a line.\v"
                                                 "mpactl events -f\tuntil Ctrl-C\n"
                                                 "mpactl --json events --count 1\twait for the next one\n"};
    struct options options = {0};
    nng_socket socket = NNG_SOCKET_INITIALIZER;
    uint64_t n = 0;
    uint64_t end_ns;
    int signals_fd;
    int exit_code;

    command_parse(mpactl, &syntax, argc, argv, &options);
    signals_fd = signals_open();
    if (signals_fd < 0)
        return mpactl_fail(MPACTL_FAILED, "cannot wait for signals: %s", strerror(-signals_fd));
    end_ns = options.max_s == 0 ? UINT64_MAX : clock_now_ns() + options.max_s * CLOCK_NS_PER_S;
    exit_code = events_open(mpactl, &socket);
    while (exit_code == MPACTL_OK && (options.n_max == 0 || n < options.n_max) && clock_now_ns() < end_ns &&
           !signals_wait(signals_fd, 0))
        exit_code = next_event(mpactl, socket, &n);
    if (nng_socket_id(socket) > 0)
        nng_close(socket);
    fd_close(&signals_fd);
    return exit_code;
}
