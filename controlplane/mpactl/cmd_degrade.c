/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_degrade.c — mpactl degrade: what is given up under pressure, why, and by whose word. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controlplane/mpactl/client.h"
#include "controlplane/mpactl/degrade_text.h"
#include "controlplane/mpactl/json.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/query.h"
#include "controlplane/mpactl/text.h"

/* The words of the command line, and those of the policy for what they mean. */
static const char *const step_words[] = {"none", "shed_congested", "shed_all", "short_idle", "fewer_workers"};
#define N_STEP_WORDS (sizeof(step_words) / sizeof(step_words[0]))

struct degrade_options {
    bool is_given;
    Mpa__V1__DegradeMode mode;
    Mpa__V1__DegradeStep step;
};

static bool take_word(struct degrade_options *options, const char *word)
{
    options->is_given = true;
    if (strcmp(word, "auto") == 0 || strcmp(word, "off") == 0) {
        options->mode =
            *word == 'a' ? MPA__V1__DEGRADE_MODE__DEGRADE_MODE_AUTO : MPA__V1__DEGRADE_MODE__DEGRADE_MODE_OFF;
        return true;
    }
    options->mode = MPA__V1__DEGRADE_MODE__DEGRADE_MODE_HELD;
    for (size_t i = 0; i < N_STEP_WORDS; i++) {
        if (strcmp(word, step_words[i]) != 0)
            continue;
        options->step = (Mpa__V1__DegradeStep)i;
        return true;
    }
    return false;
}

static error_t parse_degrade(int key, char *value, struct argp_state *state)
{
    struct degrade_options *options = state->input;

    if (key != ARGP_KEY_ARG || options->is_given)
        return ARGP_ERR_UNKNOWN;
    if (!take_word(options, value))
        argp_error(state, "'%s': auto, off, none, shed_congested, shed_all, short_idle or fewer_workers?",
                   value);
    return 0;
}

void degrade_print_decision(const Mpa__V1__DegradeDecision *decision)
{
    time_t seconds = (time_t)(decision->time_ns / 1000000000u);
    char clock[16], from[TEXT_WORD_BYTES], to[TEXT_WORD_BYTES];
    struct tm moment;

    localtime_r(&seconds, &moment);
    strftime(clock, sizeof(clock), "%H:%M:%S", &moment);
    printf("%s  %s -> %s\n          ", clock,
           text_enum(&mpa__v1__degrade_step__descriptor, (int)decision->from, from),
           text_enum(&mpa__v1__degrade_step__descriptor, (int)decision->to, to));
    text_print(decision->text, stdout);
    putchar('\n');
}

static void add_permille(struct table *table, uint32_t permille)
{
    table_cell(table, "%u.%u%%", permille / 10, permille % 10);
}

static int print_pressure(const Mpa__V1__GetDegradeReply *reply)
{
    static const char *const headers[] = {"WORKER", ">MEMORY", ">POOL", ">CPU", "NEW CONNECTIONS", NULL};
    bool is_all = reply->step >= MPA__V1__DEGRADE_STEP__DEGRADE_STEP_SHED_ALL;
    struct table *table = table_new(headers);

    for (size_t i = 0; i < reply->n_workers; i++) {
        const Mpa__V1__DegradeWorker *worker = reply->workers[i];

        table_cell(table, "%u", worker->slot);
        add_permille(table, worker->memory_permille);
        add_permille(table, worker->pool_permille);
        add_permille(table, worker->cpu_permille);
        table_cell(table, "%s", worker->is_shed ? "refused" : "taken");
    }
    table_cell(table, "all");
    add_permille(table, reply->memory_permille);
    add_permille(table, reply->pool_permille);
    add_permille(table, reply->cpu_permille);
    table_cell(table, "%s", is_all ? "refused" : "");
    return table_print(table, stdout);
}

static int print_degrade(const Mpa__V1__GetDegradeReply *reply)
{
    char mode[TEXT_WORD_BYTES], step[TEXT_WORD_BYTES];
    int exit_code;

    printf("degrade is %s, step %s, a look every %u ms\n",
           text_enum(&mpa__v1__degrade_mode__descriptor, (int)reply->mode, mode),
           text_enum(&mpa__v1__degrade_step__descriptor, (int)reply->step, step), reply->interval_ms);
    exit_code = print_pressure(reply);
    if (reply->machine_permille > 0)
        printf("memory of the machine: %u.%u%%\n", reply->machine_permille / 10,
               reply->machine_permille % 10);
    for (size_t i = 0; i < reply->n_decisions; i++)
        degrade_print_decision(reply->decisions[i]);
    return exit_code;
}

static int show_answer(const struct mpactl *mpactl, const struct query_answer *answer, void *context)
{
    (void)context;
    return mpactl->is_json ? query_print_json(mpactl, &answer->reply->get_degrade->base)
                           : print_degrade(answer->reply->get_degrade);
}

static int show(struct mpactl *mpactl)
{
    Mpa__V1__GetDegradeRequest body = MPA__V1__GET_DEGRADE_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    request.body_case = MPA__V1__REQUEST__BODY_GET_DEGRADE;
    request.get_degrade = &body;
    return query_run(mpactl, &request, show_answer, NULL);
}

static int set(struct mpactl *mpactl, const struct degrade_options *options)
{
    Mpa__V1__SetDegradeRequest body = MPA__V1__SET_DEGRADE_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    char mode[TEXT_WORD_BYTES], step[TEXT_WORD_BYTES];
    Mpa__V1__Reply *reply;
    int exit_code;

    body.mode = options->mode;
    body.step = options->step;
    request.body_case = MPA__V1__REQUEST__BODY_SET_DEGRADE;
    request.set_degrade = &body;
    exit_code = client_ask_once(mpactl, &request, &reply);
    if (exit_code != MPACTL_OK)
        return exit_code;
    if (mpactl->is_json)
        exit_code = json_print_message(&reply->set_degrade->base, stdout);
    else
        printf("degrade is %s, step %s\n",
               text_enum(&mpa__v1__degrade_mode__descriptor, (int)reply->set_degrade->mode, mode),
               text_enum(&mpa__v1__degrade_step__descriptor, (int)reply->set_degrade->step, step));
    mpa__v1__reply__free_unpacked(reply, NULL);
    return exit_code;
}

int command_degrade(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        syntax_options_watch, parse_degrade, "[auto|off|STEP]",
        "Shows what is given up under pressure, and why. With auto the pressure decides, with off nothing is "
        "given up, with a step that one stays, until mpa-controld ends (control.degrade is for longer). "
        "Steps, "
        "each with those before it: none; shed_congested: workers under pressure get no new connections; "
        "shed_all: no worker does; short_idle: idle connections end sooner; fewer_workers.\v"
        "mpactl degrade\twhat is given up, and why?\n"
        "mpactl degrade --watch\tthe pressure, every two seconds\n"
        "mpactl degrade shed_all\tno new connections for now\n"
        "mpactl degrade auto\tback to what the pressure says\n"};
    struct degrade_options options = {0};

    command_parse(mpactl, &syntax, argc, argv, &options);
    if (options.is_given && mpactl->watch_ms != 0)
        return mpactl_fail(MPACTL_USAGE, "degrade: --watch looks, and does not change anything");
    return options.is_given ? set(mpactl, &options) : show(mpactl);
}
