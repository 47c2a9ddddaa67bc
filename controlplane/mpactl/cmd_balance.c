/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_balance.c — mpactl balance, rebalance, explain: the balancer on or off, at once, and why. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/mpactl/client.h"
#include "controlplane/mpactl/json.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/text.h"

/* ---- balance on|off ---- */

struct switch_options {
    bool is_given, is_on;
};

static error_t parse_switch(int key, char *value, struct argp_state *state)
{
    struct switch_options *options = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (options->is_given)
            return ARGP_ERR_UNKNOWN;
        if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
            argp_error(state, "'%s': on or off?", value);
        options->is_given = true;
        options->is_on = strcmp(value, "on") == 0;
        return 0;
    case ARGP_KEY_END:
        if (!options->is_given)
            argp_error(state, "on or off?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_balance(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        NULL, parse_switch, "on|off",
        "Lets the balancer move buckets by itself, or not, until mpa-controld ends (control.balance is for "
        "longer).\v"
        "mpactl balance off\tnothing moves by itself any more\n"};
    struct switch_options options = {0};
    Mpa__V1__SetBalanceRequest body = MPA__V1__SET_BALANCE_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__Reply *reply;
    int exit_code;

    command_parse(mpactl, &syntax, argc, argv, &options);
    body.on = options.is_on;
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
    if (decision->n_moves == 0) {
        printf("nothing moves: %s\n", decision->text);
        return MPACTL_OK;
    }
    printf("%s: %s\n", is_dry ? "would move" : "moving", decision->text);
    return is_dry ? print_moves(decision) : MPACTL_OK;
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

/* The outcome comes from the stack: no control characters. */
static void print_clean(const char *text)
{
    for (; *text != '\0'; text++)
        putchar((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
}

static void print_decision(const Mpa__V1__Decision *decision)
{
    time_t seconds = (time_t)(decision->time_ns / 1000000000u);
    struct tm moment;
    char clock[16];
    char reason[TEXT_WORD_BYTES];

    localtime_r(&seconds, &moment);
    strftime(clock, sizeof(clock), "%H:%M:%S", &moment);
    printf("%s  %s%s", clock, text_enum(&mpa__v1__balance_reason__descriptor, (int)decision->reason, reason),
           decision->is_forced ? " (asked for)" : "");
    if (decision->times > 1)
        printf(", %u times", decision->times);
    if (decision->outcome[0] != '\0') {
        fputs(", ", stdout);
        print_clean(decision->outcome);
    }
    fputs("\n          ", stdout);
    print_clean(decision->text);
    putchar('\n');
}

static void print_explain(const Mpa__V1__ExplainReply *reply)
{
    printf("balance is %s, a look every %u ms\n", reply->on ? "on" : "off", reply->interval_ms);
    for (size_t i = 0; i < reply->n_workers; i++)
        printf("worker %u has score %u of 1000\n", reply->workers[i]->slot,
               reply->workers[i]->score_permille);
    for (size_t i = 0; i < reply->n_decisions; i++)
        print_decision(reply->decisions[i]);
    if (reply->n_decisions == 0)
        puts("no decisions yet");
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
        {0},
    };
    static const struct command_syntax syntax = {
        options, parse_explain, NULL,
        "Tells the balancer's last decisions, newest first, and why each was made. What repeats itself is "
        "told once.\v"
        "mpactl explain --count 3\tthe last three decisions\n"};
    uint32_t limit = 0;
    Mpa__V1__ExplainRequest body = MPA__V1__EXPLAIN_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__Reply *reply;
    int exit_code;

    command_parse(mpactl, &syntax, argc, argv, &limit);
    body.limit = limit;
    request.body_case = MPA__V1__REQUEST__BODY_EXPLAIN;
    request.explain = &body;
    exit_code = client_ask_once(mpactl, &request, &reply);
    if (exit_code != MPACTL_OK)
        return exit_code;
    if (mpactl->is_json)
        exit_code = json_print_message(&reply->explain->base, stdout);
    else
        print_explain(reply->explain);
    mpa__v1__reply__free_unpacked(reply, NULL);
    return exit_code;
}
