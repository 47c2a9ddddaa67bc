/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_scale.c — mpactl scale, restart: processes that come and go under open connections. */
#include <stdlib.h>
#include <string.h>

#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/operation.h"

struct arguments {
    const char *what; /* NULL: not given */
    bool is_no_wait;
};

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;

    switch (key) {
    case 'n':
        arguments->is_no_wait = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->what != NULL)
            return ARGP_ERR_UNKNOWN;
        arguments->what = value;
        return 0;
    case ARGP_KEY_END:
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_scale(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;

    /* Which numbers are allowed is for the stack to say. */
    if (key == ARGP_KEY_ARG &&
        (*value < '0' || *value > '9' || strlen(value) > 9 || strspn(value, "0123456789") != strlen(value)))
        argp_error(state, "'%s': not a number of workers", value);
    if (key == ARGP_KEY_END && arguments->what == NULL)
        argp_error(state, "how many workers?");
    return parse(key, value, state);
}

int command_scale(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        operation_options_wait, parse_scale, "N",
        "Starts workers, or drains and ends the last ones, until there are N. Connections stay open. It "
        "lasts "
        "until everything is stopped; worker.count is how many are started then. Where control.scale is on, "
        "the load may change the number again.\v"
        "mpactl scale 4\tfour workers, as fast as they come\n"};
    struct arguments arguments = {0};
    Mpa__V1__ScaleRequest body = MPA__V1__SCALE_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    command_parse(mpactl, &syntax, argc, argv, &arguments);
    body.workers = (uint32_t)strtoul(arguments.what, NULL, 10);
    request.body_case = MPA__V1__REQUEST__BODY_SCALE;
    request.scale = &body;
    return operation_run(mpactl, &request, !arguments.is_no_wait);
}

static error_t parse_restart(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;

    if (key == ARGP_KEY_ARG && strcmp(value, "frontend") != 0 && strcmp(value, "all") != 0)
        (void)operation_slot(state, "", value);
    if (key == ARGP_KEY_END && arguments->what == NULL)
        argp_error(state, "restart what? (a worker's number, frontend or all)");
    return parse(key, value, state);
}

int command_restart(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        operation_options_wait, parse_restart, "WORKER|frontend|all",
        "Restarts a worker: what it has goes to the others, it is ended, started again and given its share. "
        "Or the frontend: the workers keep the connections meanwhile. Or all: every worker, one after the "
        "other, then the frontend. Connections stay open.\v"
        "mpactl restart 1\tone worker\n"
        "mpactl restart all\teverything but mpa-controld\n"};
    struct arguments arguments = {0};
    Mpa__V1__RestartRequest body = MPA__V1__RESTART_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    command_parse(mpactl, &syntax, argc, argv, &arguments);
    if (strcmp(arguments.what, "frontend") == 0) {
        body.what = MPA__V1__RESTART_WHAT__RESTART_WHAT_FRONTEND;
    } else if (strcmp(arguments.what, "all") == 0) {
        body.what = MPA__V1__RESTART_WHAT__RESTART_WHAT_ALL;
    } else {
        body.what = MPA__V1__RESTART_WHAT__RESTART_WHAT_WORKER;
        body.slot = (uint32_t)strtoul(arguments.what, NULL, 10);
    }
    request.body_case = MPA__V1__REQUEST__BODY_RESTART;
    request.restart = &body;
    return operation_run(mpactl, &request, !arguments.is_no_wait);
}
