/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mpactl — the command line of a stack.
 *
 * TRUST
 *   runs as    whoever runs it; what that user may, mpa-controld decides (control.admins, control.readers)
 *   believes   nothing it has to: it prints what it is told
 *   doubts     replies: size and decoding are checked; tables print no control characters
 *   can hurt   what its user may: 'stop' stops the stack, 'capture' reads its traffic
 *   on fault   one line and an exit code
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "controlplane/mpactl/mpactl.h"
#include "hangup/hangup.h"

#define DEFAULT_TIMEOUT_MS 5000u
#define MPACTL_NICE 10 /* a tenth of the weight of who is served */

/* In front of the command only; the other programs have the same two. */
static const struct argp_option options_front[] = {{"version", 'V', NULL, 0, "print the version", 0}, {0}};

struct arguments {
    struct mpactl mpactl;
    int first; /* where the command stands in argv */
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;

    (void)value;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->mpactl;
        return 0;
    case ARGP_KEY_ARG:
        /* The rest belongs to the command. */
        arguments->first = state->next - 1;
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        exit(mpactl_fail(MPACTL_USAGE, "a command is missing (try 'mpactl help')"));
    case 'V':
        puts("mpactl " MPA_VERSION);
        exit(fflush(stdout) == 0 ? MPACTL_OK : MPACTL_FAILED);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The options in front of the command. */
static void look_ahead(int argc, char **argv)
{
    static const struct command_syntax front = {.options = options_front};

    for (int i = 1; i < argc && argv[i][0] == '-'; i++) {
        syntax_check_option(&front, "mpactl", argv[i]);
        i += syntax_takes_next(argv[i]) ? 1 : 0;
    }
}

int main(int argc, char **argv)
{
    static const struct argp_child children[] = {{&mpactl_argp_global, 0, NULL, 0}, {NULL, 0, NULL, 0}};
    static const struct argp argp = {
        options_front,
        parse_option,
        "COMMAND [ARGUMENT...]",
        "Shows and controls a running stack. 'mpactl help' lists the commands.\v"
        "Exit codes: 0 done, 1 refused or failed, 2 usage, 3 no daemon in the runtime folder.\n"
        "JSON: the fields of the reply as in proto/mpa/v1/control.proto; docs/json.md has them all.",
        children,
        NULL,
        NULL};
    struct arguments arguments = {.mpactl = {.runtime_dir = "/run/mpa", .timeout_ms = DEFAULT_TIMEOUT_MS}};
    const struct command *command;
    int exit_code;

    hangup_guard();
    /* On a machine that is full, who asks gives way to who is served; nng's threads are begun later, and
     * inherit it. */
    (void)setpriority(PRIO_PROCESS, 0, MPACTL_NICE);
    argp_err_exit_status = MPACTL_USAGE;
    look_ahead(argc, argv);
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &arguments);
    command = command_find(argv[arguments.first]);
    if (command == NULL)
        return command_unknown(argv[arguments.first]);
    exit_code = command->run(&arguments.mpactl, argc - arguments.first, argv + arguments.first);
    /* A full disk or a closed pipe is a failure too. */
    if (fflush(stdout) != 0 && exit_code == MPACTL_OK)
        return mpactl_fail(MPACTL_FAILED, "cannot write to standard output");
    return exit_code;
}
