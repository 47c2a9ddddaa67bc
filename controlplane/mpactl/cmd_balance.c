/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_balance.c — mpactl balance, rebalance, explain: the balancer on or off, at once, and why. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/mpactl/client.h"
#include "controlplane/mpactl/degrade_text.h"
#include "controlplane/mpactl/json.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/query.h"
#include "controlplane/mpactl/settings.h"
#include "controlplane/mpactl/text.h"

/* ---- balance on|off|set ---- */

struct switch_options {
    const char *action;
    struct assignments assignments;
};

static error_t parse_switch(int key, char *value, struct argp_state *state)
{
    struct switch_options *options = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (options->action != NULL && strcmp(options->action, "set") == 0) {
            assignments_add(&options->assignments, value, state);
            return 0;
        }
        if (options->action != NULL)
            return ARGP_ERR_UNKNOWN;
        if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0 && strcmp(value, "set") != 0)
            argp_error(state, "'%s': on, off or set?", value);
        options->action = value;
        return 0;
    case ARGP_KEY_END:
        if (options->action == NULL)
            argp_error(state, "on, off or set?");
        if (strcmp(options->action, "set") == 0 && options->assignments.n == 0)
            argp_error(state, "set: KEY=VALUE is missing (control.balance_* of the configuration)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_balance(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        NULL, parse_switch, "on\noff\nset KEY=VALUE...",
        "on, off: lets the balancer move buckets by itself, or not. set: changes what it goes by, the keys "
        "control.balance_* of the configuration, which may be written without control.balance_ "
        "(weight_cpu=80). "
        "All until the next 'mpactl config reload' or the end of mpa-controld.\v"
        "mpactl balance off\tnothing moves by itself any more\n"};
    struct switch_options options = {0};
    Mpa__V1__SetBalanceRequest body = MPA__V1__SET_BALANCE_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__Reply *reply;
    int exit_code;

    command_parse(mpactl, &syntax, argc, argv, &options);
    if (strcmp(options.action, "set") == 0)
        return settings_request_set(mpactl, "control.balance_", &options.assignments);
    body.on = strcmp(options.action, "on") == 0;
    request.body_case = MPA__V1__REQUEST__BODY_SET_BALANCE;
    request.set_balance = &body;
    exit_code = client_ask_once(mpactl, &request, &reply);
    if (exit_code != MPACTL_OK)
        return exit_code;
    if (mpactl->is_json)
        exit_code = json_print_message(&reply->set_balance->base, stdout);
    else
        printf("balance is %s\n", reply->set_balance->on ? "on" : "off");
    mpa__v1__reply__free_unpacked(reply, NULL);
    return exit_code;
}

/* ---- rebalance ---- */

static int print_moves(const Mpa__V1__Decision *decision)
{
    static const char *const headers[] = {">BUCKET", ">FROM", ">TO", ">LOAD", NULL};
    struct table *table = table_new(headers);

    for (size_t i = 0; i < decision->n_moves; i++) {
        table_cell(table, "%u", decision->moves[i]->bucket);
        table_cell(table, "%u", decision->moves[i]->from);
        table_cell(table, "%u", decision->moves[i]->to);
        table_cell(table, "%.1f%%", (double)decision->moves[i]->load_permille / 10.0);
    }
    return table_print(table, stdout);
}

static int print_rebalance(const Mpa__V1__Decision *decision, bool is_dry)
{
    fputs(decision->n_moves == 0 ? "nothing moves: " : is_dry ? "would move: " : "moving: ", stdout);
    text_print(decision->text, stdout);
    putchar('\n');
    return is_dry && decision->n_moves > 0 ? print_moves(decision) : MPACTL_OK;
}

static error_t parse_rebalance(int key, char *value, struct argp_state *state)
{
    bool *is_dry = state->input;

    (void)value;
    if (key != 'd')
        return ARGP_ERR_UNKNOWN;
    *is_dry = true;
    return 0;
}

int command_rebalance(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"dry-run", 'd', NULL, 0, "show what would move and move nothing", 0},
        {0},
    };
    static const struct command_syntax syntax = {
        options, parse_rebalance, NULL,
        "Evens the load of the workers now, without the balancer's limits and patience. What becomes of the "
        "moves is told by 'mpactl explain' and 'mpactl events'.\v"
        "mpactl rebalance --dry-run\twhat would move?\n"};
    bool is_dry = false;
    Mpa__V1__RebalanceRequest body = MPA__V1__REBALANCE_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__Reply *reply;
    int exit_code;

    command_parse(mpactl, &syntax, argc, argv, &is_dry);
    body.dry_run = is_dry;
    request.body_case = MPA__V1__REQUEST__BODY_REBALANCE;
    request.rebalance = &body;
    exit_code = client_ask_once(mpactl, &request, &reply);
    if (exit_code != MPACTL_OK)
        return exit_code;
    if (mpactl->is_json)
        exit_code = json_print_message(&reply->rebalance->base, stdout);
    else if (reply->rebalance->decision != NULL)
        exit_code = print_rebalance(reply->rebalance->decision, is_dry);
    mpa__v1__reply__free_unpacked(reply, NULL);
    return exit_code;
}

/* ---- explain ---- */

#define CLOCK_BYTES 16

static const char *clock_text(uint64_t time_ns, char clock[CLOCK_BYTES])
{
    time_t seconds = (time_t)(time_ns / 1000000000u);
    struct tm moment;

    localtime_r(&seconds, &moment);
    strftime(clock, CLOCK_BYTES, "%H:%M:%S", &moment);
    return clock;
}

static void print_decision(const Mpa__V1__Decision *decision)
{
    char clock[CLOCK_BYTES];
    char reason[TEXT_WORD_BYTES];

    printf("%s  %s%s", clock_text(decision->time_ns, clock),
           text_enum(&mpa__v1__balance_reason__descriptor, (int)decision->reason, reason),
           decision->is_forced ? " (asked for)" : "");
    if (decision->times > 1)
        printf(", %u times", decision->times);
    if (decision->outcome[0] != '\0') {
        fputs(", ", stdout);
        text_print(decision->outcome, stdout);
    }
    fputs("\n          ", stdout);
    text_print(decision->text, stdout);
    putchar('\n');
}

static void print_scale_decision(const Mpa__V1__ScaleDecision *decision)
{
    char clock[CLOCK_BYTES];
    char reason[TEXT_WORD_BYTES];

    printf("%s  scale, %s", clock_text(decision->time_ns, clock),
           text_enum(&mpa__v1__scale_reason__descriptor, (int)decision->reason, reason));
    if (decision->wanted != decision->workers)
        printf(", %u -> %u workers", decision->workers, decision->wanted);
    if (decision->times > 1)
        printf(", %u times", decision->times);
    if (decision->outcome[0] != '\0') {
        fputs(", ", stdout);
        text_print(decision->outcome, stdout);
    }
    fputs("\n          ", stdout);
    text_print(decision->text, stdout);
    putchar('\n');
}

static void print_explain(const Mpa__V1__ExplainReply *reply)
{
    printf("balance is %s, a look every %u ms\n", reply->on ? "on" : "off", reply->interval_ms);
    printf("weights: cpu %u, rings %u, connections %u\nacts above score %u, beyond %.2f times the lightest\n",
           reply->weight_cpu, reply->weight_ring, reply->weight_connections, reply->floor_permille,
           (double)reply->factor_permille / 1000.0);
    for (size_t i = 0; i < reply->n_workers; i++)
        printf("worker %u has score %u of 1000\n", reply->workers[i]->slot,
               reply->workers[i]->score_permille);
    for (size_t i = 0; i < reply->n_decisions; i++)
        print_decision(reply->decisions[i]);
    if (reply->n_decisions == 0)
        puts("no decisions yet");
    if (reply->scale_on || reply->n_scale_decisions > 0)
        printf("the number of workers %s\n",
               reply->scale_on ? "follows the load" : "stays as it is until it is asked for");
    for (size_t i = 0; i < reply->n_scale_decisions; i++)
        print_scale_decision(reply->scale_decisions[i]);
    if (reply->n_degrade > 0)
        puts("\nwhat was given up under pressure, and taken back:");
    for (size_t i = 0; i < reply->n_degrade; i++)
        degrade_print_decision(reply->degrade[i]);
}

static int show_explain(const struct mpactl *mpactl, const struct query_answer *answer, void *context)
{
    (void)context;
    if (mpactl->is_json)
        return query_print_json(mpactl, &answer->reply->explain->base);
    print_explain(answer->reply->explain);
    return MPACTL_OK;
}

static error_t parse_explain(int key, char *value, struct argp_state *state)
{
    static const struct number_range count = {"count", 1, 1000};
    uint32_t *limit = state->input;

    if (key != 'n')
        return ARGP_ERR_UNKNOWN;
    *limit = (uint32_t)option_number(state, value, &count);
    return 0;
}

int command_explain(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"count", 'n', "N", 0, "the last N decisions only", 0},
        SYNTAX_WATCH_OPTIONS,
        {0},
    };
    static const struct command_syntax syntax = {
        options, parse_explain, NULL,
        "Tells the last decisions, first of the balancer, then about the number of workers, then the steps "
        "of degradation, newest first, and why each was made. What repeats itself is told once.\v"
        "mpactl explain --count 3\tthe last three decisions\n"};
    uint32_t limit = 0;
    Mpa__V1__ExplainRequest body = MPA__V1__EXPLAIN_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    command_parse(mpactl, &syntax, argc, argv, &limit);
    body.limit = limit;
    request.body_case = MPA__V1__REQUEST__BODY_EXPLAIN;
    request.explain = &body;
    return query_run(mpactl, &request, show_explain, NULL);
}
