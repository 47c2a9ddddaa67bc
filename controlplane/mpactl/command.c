/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command.c — the table of commands and their common syntax: global options may stand before or behind the
 * command, so every command's argp has them as a child.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/mpactl/mpactl.h"

const struct command commands[] = {
    {"status", "", "The whole at a glance: processes, restarts, traffic", command_status},
    {"workers", "", "Workers from inside: connections, memory, load", command_workers},
    {"buckets", "", "The bucket table: who serves which, and how busy they are", command_buckets},
    {"lanes", "", "Rings between frontend and workers: depth, drops, faults", command_lanes},
    {"flows", "[--worker W] [--state S] [--limit N]", "Every connection: state, queues, rtt, age",
     command_flows},
    {"nic", "", "The interface: addresses, offloads, traffic, drops", command_nic},
    {"stats", "[--nonzero] [--scope S]", "Every counter and gauge", command_stats},
    {"capture", "[--lane N|all] [--filter BPF] [--write FILE|-] ...", "Frames as pcap", command_capture},
    {"events", "[-f] [--count N] [--seconds S]", "What happens, as it happens", command_events},
    {"migrate", "bucket N[-M],.. | flow FLOW --to W", "Move buckets or a flow to another worker",
     command_migrate},
    {"drain", "W [--to W2]", "Move everything away from a worker", command_drain},
    {"undrain", "W", "Let a drained worker have its share again", command_undrain},
    {"kill", "W", "Kill a worker, to see its connections live on", command_kill},
    {"rebalance", "[--dry-run]", "Even the load of the workers now", command_rebalance},
    {"balance", "on|off|set KEY=VALUE..", "Let the balancer move buckets by itself, or not; its weights",
     command_balance},
    {"scale", "N", "Another number of workers", command_scale},
    {"restart", "W|frontend|all", "Restart processes one after the other", command_restart},
    {"explain", "[--count N]", "Why load was moved, workers came or went, or something was given up",
     command_explain},
    {"degrade", "[auto|off|STEP]", "What is given up under pressure, and why", command_degrade},
    {"update", "[--frontend]", "Replace workers or frontend by the programs on disk", command_update},
    {"stop", "", "Stop everything; waits until it is gone", command_stop},
    {"config", "check FILE | show [FILE] | defaults | reload [--dry-run] | set KEY=VALUE..",
     "The configuration: check a file, show what is in force, reload", command_config},
    {"log", "level [LEVEL] [--process P]", "How much each process logs", command_log},
    {"version", "", "Version of mpactl", command_version},
    {"help", "[COMMAND]", "This overview, or the options of one command", command_help},
    {NULL, NULL, NULL, NULL},
};

const struct command *command_find(const char *name)
{
    for (const struct command *command = commands; command->name != NULL; command++) {
        if (strcmp(command->name, name) == 0)
            return command;
    }
    return NULL;
}

int mpactl_fail(enum mpactl_exit exit_code, const char *format, ...)
{
    va_list arguments;

    fputs("mpactl: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return (int)exit_code;
}

uint64_t option_number(struct argp_state *state, const char *text, const struct number_range *range)
{
    char *end;
    unsigned long long number;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || number < range->min ||
        number > range->max)
        argp_error(state, "--%s %s: not a number (allowed: %llu to %llu)", range->option, text,
                   (unsigned long long)range->min, (unsigned long long)range->max);
    return number;
}

/* Options without a letter. */
enum { OPTION_TLS_CERT = 0x1000, OPTION_TLS_KEY, OPTION_TLS_CA, OPTION_TLS_NAME };

static const struct argp_option options_global[] = {
    {"runtime-dir", 'r', "DIR", 0, "folder of the sockets (default: /run/mpa)", -2},
    {"remote", 'R', "HOST:PORT", 0, "an mpa-controld elsewhere, by TLS; needs the three files", -2},
    {"tls-cert", OPTION_TLS_CERT, "FILE", 0, "our certificate (PEM)", -2},
    {"tls-key", OPTION_TLS_KEY, "FILE", 0, "its key (PEM)", -2},
    {"tls-ca", OPTION_TLS_CA, "FILE", 0, "who signed the certificate of mpa-controld (PEM)", -2},
    {"tls-name", OPTION_TLS_NAME, "NAME", 0, "the name in that certificate (default: HOST)", -2},
    {"json", 'j', NULL, 0, "output for programs", -2},
    {"timeout", 't', "MS", 0, "wait so long for an answer (default: 5000)", -2},
    {0},
};

static error_t parse_global(int key, char *value, struct argp_state *state)
{
    static const struct number_range timeout_ms = {"timeout", 1, 60000};
    struct mpactl *mpactl = state->input;

    switch (key) {
    case 'r':
        mpactl->runtime_dir = value;
        return 0;
    case 'R':
        mpactl->remote = value;
        return 0;
    case OPTION_TLS_CERT:
        mpactl->tls_cert = value;
        return 0;
    case OPTION_TLS_KEY:
        mpactl->tls_key = value;
        return 0;
    case OPTION_TLS_CA:
        mpactl->tls_ca = value;
        return 0;
    case OPTION_TLS_NAME:
        mpactl->tls_name = value;
        return 0;
    case 'j':
        mpactl->is_json = true;
        return 0;
    case 't':
        mpactl->timeout_ms = (uint32_t)option_number(state, value, &timeout_ms);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp mpactl_argp_global = {options_global, parse_global, NULL, NULL, NULL, NULL, NULL};

/* Input of a command's parser together with what it is wrapped in. */
struct parse_input {
    struct mpactl *mpactl;
    const struct command_syntax *syntax;
    void *input;
};

static error_t parse_command(int key, char *value, struct argp_state *state)
{
    struct parse_input *wrapped = state->input;
    error_t error = ARGP_ERR_UNKNOWN;

    if (key == ARGP_KEY_INIT)
        state->child_inputs[0] = wrapped->mpactl;
    if (wrapped->syntax->parser != NULL) {
        state->input = wrapped->input;
        error = wrapped->syntax->parser(key, value, state);
        state->input = wrapped;
    }
    if (error == ARGP_ERR_UNKNOWN && key == ARGP_KEY_ARG)
        argp_error(state, "unexpected argument '%s'", value);
    return error;
}

void command_parse(struct mpactl *mpactl, const struct command_syntax *syntax, int argc, char **argv,
                   void *input)
{
    const struct argp_child children[] = {{&mpactl_argp_global, 0, "Global options:", -2},
                                          {NULL, 0, NULL, 0}};
    const struct argp argp = {
        syntax->options, parse_command, syntax->arguments, syntax->doc, children, NULL, NULL};
    struct parse_input wrapped = {.mpactl = mpactl, .syntax = syntax, .input = input};
    char name[64];
    char *first = argv[0];

    snprintf(name, sizeof(name), "mpactl %s", argv[0]);
    argv[0] = name;
    argp_parse(&argp, argc, argv, 0, NULL, &wrapped);
    argv[0] = first;
}

static error_t parse_topic(int key, char *value, struct argp_state *state)
{
    const char **topic = state->input;

    if (key != ARGP_KEY_ARG || *topic != NULL)
        return ARGP_ERR_UNKNOWN;
    *topic = value;
    return 0;
}

int command_help(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {NULL, parse_topic, "[COMMAND]",
                                                 "Explains mpactl or one command."};
    const char *topic = NULL;
    const struct command *command;
    char option_help[] = "--help";
    char *arguments[] = {NULL, option_help, NULL};

    command_parse(mpactl, &syntax, argc, argv, &topic);
    if (topic == NULL) {
        puts("usage: mpactl [--runtime-dir DIR] [--json] [--timeout MS] COMMAND\n");
        for (command = commands; command->name != NULL; command++)
            printf("  %-9s  %s\n", command->name, command->help);
        puts("\nThe options of a command: mpactl COMMAND --help\n"
             "Exit codes: 0 done, 1 refused or failed, 2 usage, 3 no daemon.");
        return MPACTL_OK;
    }
    command = command_find(topic);
    if (command == NULL)
        return mpactl_fail(MPACTL_USAGE, "help %s: no such command (try 'mpactl help')", topic);
    arguments[0] = (char *)(uintptr_t)command->name;
    return command->run(mpactl, 2, arguments);
}

int command_version(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {NULL, NULL, NULL, "Prints the version of mpactl."};

    command_parse(mpactl, &syntax, argc, argv, NULL);
    if (mpactl->is_json)
        puts("{\"version\": \"" MPA_VERSION "\"}");
    else
        puts("mpactl " MPA_VERSION);
    return MPACTL_OK;
}
