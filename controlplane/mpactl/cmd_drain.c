/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_drain.c — mpactl drain, undrain, kill: what is done to one worker. */
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/operation.h"

int command_drain(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        operation_options_to, operation_parse, "WORKER",
        "Moves everything that a worker has to the others, or to one of them, and gives it nothing new until "
        "'mpactl undrain'. Connections stay open.\v"
        "mpactl drain 2\tspread it over the others\n"
        "mpactl drain 2 --to 3\tall to worker 3\n"};
    struct operation_arguments arguments = {0};
    Mpa__V1__DrainRequest body = MPA__V1__DRAIN_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    command_parse(mpactl, &syntax, argc, argv, &arguments);
    body.slot = arguments.slot;
    body.has_to = arguments.has_to;
    body.to = arguments.to;
    request.body_case = MPA__V1__REQUEST__BODY_DRAIN;
    request.drain = &body;
    return operation_run(mpactl, &request, !arguments.is_no_wait);
}

int command_undrain(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        operation_options_wait, operation_parse, "WORKER",
        "Lets a drained worker have buckets again; it gets its share of them.\v"
        "mpactl undrain 2\tback into service\n"};
    struct operation_arguments arguments = {0};
    Mpa__V1__UndrainRequest body = MPA__V1__UNDRAIN_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    command_parse(mpactl, &syntax, argc, argv, &arguments);
    body.slot = arguments.slot;
    request.body_case = MPA__V1__REQUEST__BODY_UNDRAIN;
    request.undrain = &body;
    return operation_run(mpactl, &request, !arguments.is_no_wait);
}

int command_kill(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        operation_options_wait, operation_parse, "WORKER",
        "Kills a worker without warning (SIGKILL), to see that its "
        "connections live on. It is started again.\v"
        "mpactl kill 1; mpactl status\tnothing happens to connections\n"};
    struct operation_arguments arguments = {0};
    Mpa__V1__KillRequest body = MPA__V1__KILL_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    command_parse(mpactl, &syntax, argc, argv, &arguments);
    body.slot = arguments.slot;
    request.body_case = MPA__V1__REQUEST__BODY_KILL;
    request.kill = &body;
    return operation_run(mpactl, &request, !arguments.is_no_wait);
}
