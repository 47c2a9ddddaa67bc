/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_update.c — mpactl update: new programs under open connections. */
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/operation.h"

struct options {
    bool is_frontend;
    bool is_no_wait;
};

static const struct argp_option option_list[] = {
    {"frontend", 'f', NULL, 0, "replace the frontend; the workers keep the connections meanwhile", 0},
    {"no-wait", 'n', NULL, 0, "do not wait for the end", 0},
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct options *options = state->input;

    (void)value;
    switch (key) {
    case 'f':
        options->is_frontend = true;
        return 0;
    case 'n':
        options->is_no_wait = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_update(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        option_list, parse_option, NULL,
        "Replaces every worker by the program that is on disk now, one after the other, with a spare worker "
        "in between; connections stay open. With --frontend: replaces the frontend.\v"
        "mpactl update && mpactl update --frontend\teverything but mpa-controld\n"};
    struct options options = {0};
    Mpa__V1__UpdateRequest body = MPA__V1__UPDATE_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    command_parse(mpactl, &syntax, argc, argv, &options);
    body.frontend = options.is_frontend;
    request.body_case = MPA__V1__REQUEST__BODY_UPDATE;
    request.update = &body;
    return operation_run(mpactl, &request, !options.is_no_wait);
}
