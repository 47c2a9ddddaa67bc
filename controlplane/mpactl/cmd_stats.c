/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_stats.c — mpactl stats. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/mpactl/client.h"
#include "controlplane/mpactl/json.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/text.h"

struct options {
    const char *scope; /* NULL: all */
    bool is_nonzero;
    bool with_help;
};

static const struct argp_option option_list[] = {
    {"nonzero", 'z', NULL, 0, "only what is not zero", 0},
    {"scope", 's', "S", 0, "only this scope: frontend, nic, lane0, worker0, ...", 0},
    {"explain", 'e', NULL, 0, "say what each one counts", 0},
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct options *options = state->input;

    switch (key) {
    case 'z':
        options->is_nonzero = true;
        return 0;
    case 's':
        options->scope = value;
        return 0;
    case 'e':
        options->with_help = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool is_wanted(const struct options *options, const Mpa__V1__Stat *stat)
{
    return (options->scope == NULL || strcmp(options->scope, stat->scope) == 0) &&
           (!options->is_nonzero || stat->value != 0);
}

/* Moves what is wanted to the front, the rest behind it, so that the message still owns and frees all. */
static size_t select_stats(const struct options *options, Mpa__V1__GetStatsReply *reply)
{
    size_t n = 0;

    for (size_t i = 0; i < reply->n_stats; i++) {
        Mpa__V1__Stat *stat = reply->stats[i];

        if (!is_wanted(options, stat))
            continue;
        reply->stats[i] = reply->stats[n];
        reply->stats[n++] = stat;
    }
    return n;
}

static bool has_scope(const Mpa__V1__GetStatsReply *reply, const char *scope)
{
    for (size_t i = 0; i < reply->n_stats; i++) {
        if (strcmp(reply->stats[i]->scope, scope) == 0)
            return true;
    }
    return false;
}

static int print_stats(const struct options *options, const Mpa__V1__GetStatsReply *reply)
{
    static const char *const headers[] = {"SCOPE", "NAME", ">VALUE", NULL};
    static const char *const headers_explained[] = {"SCOPE", "NAME", ">VALUE", "MEANING", NULL};
    struct table *table = table_new(options->with_help ? headers_explained : headers);

    for (size_t i = 0; i < reply->n_stats; i++) {
        const Mpa__V1__Stat *stat = reply->stats[i];

        table_cell(table, "%s", stat->scope);
        table_cell(table, "%s", stat->name);
        table_cell(table, "%" PRIu64, stat->value);
        if (options->with_help)
            table_cell(table, "%s", stat->help);
    }
    return table_print(table, stdout);
}

static int show_stats(const struct mpactl *mpactl, const struct options *options,
                      Mpa__V1__GetStatsReply *reply)
{
    size_t n_all = reply->n_stats;
    int exit_code;

    if (options->scope != NULL && !has_scope(reply, options->scope))
        return mpactl_fail(MPACTL_FAILED, "--scope %s: no such scope (frontend, nic, laneN or workerN)",
                           options->scope);
    reply->n_stats = select_stats(options, reply);
    exit_code = mpactl->is_json ? json_print_message(&reply->base, stdout) : print_stats(options, reply);
    reply->n_stats = n_all;
    return exit_code;
}

int command_stats(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {option_list, parse_option, NULL,
                                                 "Shows every counter and gauge of the system."};
    struct options options = {0};
    Mpa__V1__GetStatsRequest body = MPA__V1__GET_STATS_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__Reply *reply;
    int exit_code;

    command_parse(mpactl, &syntax, argc, argv, &options);
    body.with_help = options.with_help || mpactl->is_json;
    request.body_case = MPA__V1__REQUEST__BODY_GET_STATS;
    request.get_stats = &body;
    exit_code = client_ask_once(mpactl, &request, &reply);
    if (exit_code != MPACTL_OK)
        return exit_code;
    exit_code = show_stats(mpactl, &options, reply->get_stats);
    mpa__v1__reply__free_unpacked(reply, NULL);
    return exit_code;
}
