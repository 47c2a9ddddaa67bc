/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_log.c — mpactl log level: how much each process logs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/mpactl/client.h"
#include "controlplane/mpactl/json.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/text.h"

struct options {
    bool has_action;
    const char *level; /* NULL: only tell */
    Mpa__V1__Role role;
    uint32_t slot;
};

/* "frontend", "controld", "worker:3". */
static void parse_process(struct options *options, const char *text, struct argp_state *state)
{
    static const char worker[] = "worker:";
    static const struct number_range slot = {"process worker", 0, 15};

    if (strcmp(text, "controld") == 0) {
        options->role = MPA__V1__ROLE__ROLE_CONTROLD;
    } else if (strcmp(text, "frontend") == 0) {
        options->role = MPA__V1__ROLE__ROLE_FRONTEND;
    } else if (strncmp(text, worker, strlen(worker)) == 0) {
        options->role = MPA__V1__ROLE__ROLE_WORKER;
        options->slot = (uint32_t)option_number(state, text + strlen(worker), &slot);
    } else {
        argp_error(state, "--process %s: no such process (allowed: controld, frontend, worker:N)", text);
    }
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct options *options = state->input;

    switch (key) {
    case 'p':
        parse_process(options, value, state);
        return 0;
    case ARGP_KEY_ARG:
        if (!options->has_action && strcmp(value, "level") != 0)
            argp_error(state, "'%s': no such action (allowed: level)", value);
        if (options->has_action && options->level != NULL)
            return ARGP_ERR_UNKNOWN;
        if (options->has_action)
            options->level = value;
        options->has_action = true;
        return 0;
    case ARGP_KEY_END:
        if (!options->has_action)
            argp_error(state, "an action is missing (allowed: level)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int print_levels(const Mpa__V1__LogLevelReply *reply, const struct options *options)
{
    static const char *const headers[] = {"PROCESS", "LEVEL", NULL};
    struct table *table = table_new(headers);
    char word[TEXT_WORD_BYTES];

    for (size_t i = 0; i < reply->n_processes; i++) {
        const Mpa__V1__ProcessLogLevel *process = reply->processes[i];

        if (options->role != MPA__V1__ROLE__ROLE_UNKNOWN &&
            (process->role != options->role || process->slot != options->slot))
            continue;
        text_enum(&mpa__v1__role__descriptor, (int)process->role, word);
        if (process->role == MPA__V1__ROLE__ROLE_WORKER)
            table_cell(table, "%s:%u", word, process->slot);
        else
            table_cell(table, "%s", word);
        table_cell(table, "%s", process->level);
    }
    if (reply->is_partial)
        fputs("mpactl: mpa-frontend does not answer; it and the workers get their levels when it does\n",
              stderr);
    return table_print(table, stdout);
}

/* Looks, or changes: the second takes another role. */
static int ask(const struct mpactl *mpactl, const struct options *options, Mpa__V1__Reply **reply)
{
    Mpa__V1__GetLogLevelRequest look = MPA__V1__GET_LOG_LEVEL_REQUEST__INIT;
    Mpa__V1__SetLogLevelRequest change = MPA__V1__SET_LOG_LEVEL_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    if (options->level == NULL) {
        request.body_case = MPA__V1__REQUEST__BODY_GET_LOG_LEVEL;
        request.get_log_level = &look;
    } else {
        change.level = (char *)(uintptr_t)options->level;
        change.role = options->role;
        change.slot = options->slot;
        request.body_case = MPA__V1__REQUEST__BODY_SET_LOG_LEVEL;
        request.set_log_level = &change;
    }
    return client_ask_once(mpactl, &request, reply);
}

int command_log(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct argp_option own[] = {
        {"process", 'p', "PROCESS", 0, "controld, frontend or worker:N only", 0},
        {0},
    };
    static const struct command_syntax syntax = {
        own, parse_option, "level [error|warn|info|debug]",
        "Shows how much is logged, or changes it until the next 'mpactl config reload' or the end of "
        "mpa-controld (control.log_level is for longer).\v"
        "mpactl log level debug --process worker:1\tone worker says everything\n"};
    struct options options = {0};
    const Mpa__V1__LogLevelReply *levels;
    Mpa__V1__Reply *reply;
    int exit_code;

    command_parse(mpactl, &syntax, argc, argv, &options);
    exit_code = ask(mpactl, &options, &reply);
    if (exit_code != MPACTL_OK)
        return exit_code;
    levels = options.level == NULL ? reply->get_log_level : reply->set_log_level;
    exit_code = mpactl->is_json ? json_print_message(&levels->base, stdout) : print_levels(levels, &options);
    mpa__v1__reply__free_unpacked(reply, NULL);
    return exit_code;
}
