/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_stats.c — mpactl stats. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/query.h"
#include "controlplane/mpactl/text.h"

struct options {
    const char *scope; /* NULL: all */
    bool is_nonzero;
    bool with_help;
};

static const struct argp_option option_list[] = {
    {"nonzero", 'z', NULL, 0, "only what is not zero", 0},
    {"scope", 's', "SCOPE", 0, "only this scope: frontend, nic, lane0, worker0, ...", 0},
    {"explain", 'e', NULL, 0, "say what each one counts", 0},
    SYNTAX_WATCH_OPTIONS,
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

static bool has_scope(const Mpa__V1__GetStatsReply *reply, const char *scope)
{
    for (size_t i = 0; i < reply->n_stats; i++) {
        if (strcmp(reply->stats[i]->scope, scope) == 0)
            return true;
    }
    return false;
}

/* How fast a counter grows: looked for where it stood last time, for lists of one version are alike. */
static void add_rate(struct table *table, const Mpa__V1__Stat *stat, const struct query_answer *answer,
                     size_t place)
{
    const Mpa__V1__GetStatsReply *before = answer->before->get_stats;
    char word[TEXT_WORD_BYTES];
    size_t i = place;

    if (i >= before->n_stats || strcmp(before->stats[i]->name, stat->name) != 0 ||
        strcmp(before->stats[i]->scope, stat->scope) != 0) {
        for (i = 0; i < before->n_stats; i++) {
            if (strcmp(before->stats[i]->name, stat->name) == 0 &&
                strcmp(before->stats[i]->scope, stat->scope) == 0)
                break;
        }
    }
    if (stat->is_gauge || i == before->n_stats)
        table_cell(table, "%s", "");
    else
        table_cell(table, "%s", text_count_over(stat->value, before->stats[i]->value, answer->over_ns, word));
}

static int print_stats(const struct mpactl *mpactl, const struct options *options,
                       const struct query_answer *answer)
{
    /* The rate, then the meaning, come only when there is one. */
    static const char *const all[] = {"SCOPE", "NAME", ">VALUE", ">A SECOND", "~MEANING", NULL};
    const char *headers[6] = {0};
    const Mpa__V1__GetStatsReply *reply = answer->reply->get_stats;
    struct table *table;
    size_t n = 3;

    memcpy(headers, all, n * sizeof(headers[0]));
    if (answer->over_ns != 0)
        headers[n++] = all[3];
    if (options->with_help)
        headers[n++] = all[4];
    table = table_new(headers);
    for (size_t i = 0; i < reply->n_stats; i++) {
        const Mpa__V1__Stat *stat = reply->stats[i];

        if (!is_wanted(options, stat))
            continue;
        table_cell(table, "%s", stat->scope);
        table_cell(table, "%s", stat->name);
        table_cell(table, "%" PRIu64, stat->value);
        if (answer->over_ns != 0)
            add_rate(table, stat, answer, i);
        if (options->with_help)
            table_cell(table, "%s", stat->help);
    }
    return table_show(mpactl, table);
}

/* What is wanted, as a message of its own that borrows everything. */
static int print_json(const struct mpactl *mpactl, const struct options *options,
                      const Mpa__V1__GetStatsReply *reply)
{
    Mpa__V1__GetStatsReply wanted = MPA__V1__GET_STATS_REPLY__INIT;
    int exit_code;

    wanted.stats = calloc(reply->n_stats + 1, sizeof(*wanted.stats));
    if (wanted.stats == NULL)
        return mpactl_fail(MPACTL_FAILED, "out of memory");
    for (size_t i = 0; i < reply->n_stats; i++) {
        if (is_wanted(options, reply->stats[i]))
            wanted.stats[wanted.n_stats++] = reply->stats[i];
    }
    exit_code = query_print_json(mpactl, &wanted.base);
    free(wanted.stats);
    return exit_code;
}

static int show_stats(const struct mpactl *mpactl, const struct query_answer *answer, void *context)
{
    const struct options *options = context;
    const Mpa__V1__GetStatsReply *reply = answer->reply->get_stats;

    if (options->scope != NULL && !has_scope(reply, options->scope))
        return mpactl_fail(MPACTL_FAILED, "--scope %s: no such scope (frontend, nic, laneN or workerN)",
                           options->scope);
    return mpactl->is_json ? print_json(mpactl, options, reply) : print_stats(mpactl, options, answer);
}

int command_stats(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        option_list, parse_option, NULL,
        "Shows every counter and gauge of the system; with --watch also how much each counter grows in a "
        "second.\v"
        "mpactl stats --nonzero\twhat has happened at all\n"
        "mpactl stats --scope worker0 --explain\twith the meaning of each\n"};
    struct options options = {0};
    Mpa__V1__GetStatsRequest body = MPA__V1__GET_STATS_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    command_parse(mpactl, &syntax, argc, argv, &options);
    body.with_help = options.with_help || mpactl->is_json;
    request.body_case = MPA__V1__REQUEST__BODY_GET_STATS;
    request.get_stats = &body;
    return query_run(mpactl, &request, show_stats, &options);
}
