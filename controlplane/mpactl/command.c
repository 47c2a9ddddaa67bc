/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command.c — the table of commands, and those about the commands. Help, manual pages (controlplane/mpactl/
 * CMakeLists.txt makes them with 'man') and completion come from this table and the syntax of each.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/mpactl/manual.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/suggest.h"
#include "controlplane/mpactl/text.h"

#define MESSAGE_BYTES 1024

const struct command commands[] = {
    {"status", "", "The whole at a glance: processes, restarts, traffic", command_status},
    {"top", "[--page P] [--once]", "All of it live, over the whole terminal", command_top},
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
    {"help", "[COMMAND]", "This overview, or the page of one command", command_help},
    {"complete", "WORD...", "", command_complete},
    {"man", "COMMAND", "", command_man},
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
    char text[MESSAGE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    /* Half of it may be what the other end said, which is no reason to obey it. */
    text_clean(text);
    fprintf(stderr, "mpactl: %s\n", text);
    return (int)exit_code;
}

int command_unknown(const char *name)
{
    struct suggestion suggestion = {.word = name};

    for (const struct command *command = commands; command->name != NULL; command++) {
        if (command->help[0] != '\0')
            suggest_try(&suggestion, command->name);
    }
    if (suggestion.best != NULL)
        return mpactl_fail(MPACTL_USAGE, "%s: no such command (did you mean '%s'?)", name, suggestion.best);
    return mpactl_fail(MPACTL_USAGE, "%s: no such command (try 'mpactl help')", name);
}

/* Lets `show` have the syntax of a command; leaves as command_parse() does. */
static int inspect(struct mpactl *mpactl, const char *name,
                   void (*show)(const struct mpactl *, const char *, const struct command_syntax *))
{
    const struct command *command = command_find(name);
    char *arguments[] = {NULL, NULL};

    if (command == NULL)
        return command_unknown(name);
    arguments[0] = (char *)(uintptr_t)command->name;
    mpactl->inspect = show;
    return command->run(mpactl, 1, arguments);
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

    command_parse(mpactl, &syntax, argc, argv, &topic);
    if (topic != NULL)
        return inspect(mpactl, topic, manual_print_text);
    puts("usage: mpactl [OPTION...] COMMAND [ARGUMENT...]\n");
    for (const struct command *command = commands; command->name != NULL; command++) {
        if (command->help[0] != '\0')
            printf("  %-9s  %s\n", command->name, command->help);
    }
    puts("\nThe page of a command, with its options: mpactl help COMMAND\n"
         "Exit codes: 0 done, 1 refused or failed, 2 usage, 3 no daemon.");
    return MPACTL_OK;
}

int command_man(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        NULL, parse_topic, "[COMMAND]",
        "Prints the manual page of a command as scdoc; without one the names of all commands."};
    const char *topic = NULL;

    command_parse(mpactl, &syntax, argc, argv, &topic);
    if (topic != NULL)
        return inspect(mpactl, topic, manual_print_scdoc);
    for (const struct command *command = commands; command->name != NULL; command++) {
        if (command->help[0] != '\0')
            puts(command->name);
    }
    return MPACTL_OK;
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
