/* SPDX-License-Identifier: BSD-3-Clause */
/* mpactl.h — inside of mpactl: global options, the table of commands, how a command parses and fails. */
#ifndef MPA_MPACTL_MPACTL_H
#define MPA_MPACTL_MPACTL_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "controlplane/mpactl/terminal.h"

/* What a script can tell apart. */
enum mpactl_exit {
    MPACTL_OK = 0,
    MPACTL_FAILED = 1,    /* refused, or did not work */
    MPACTL_USAGE = 2,     /* the command line is wrong */
    MPACTL_NO_DAEMON = 3, /* nobody listens in the runtime folder */
};

struct command_syntax;

/* Global options. */
struct mpactl {
    const char *runtime_dir;
    /* Of another machine, instead of the folder: HOST:PORT, and PEM files; NULL: not given. */
    const char *remote, *tls_cert, *tls_key, *tls_ca;
    const char *tls_name; /* in the certificate of mpa-controld; NULL: HOST */
    bool is_json;
    uint32_t timeout_ms;
    enum color_mode color;
    uint32_t watch_ms;   /* --watch: pause between rounds; 0: once */
    uint64_t max_rounds; /* --rounds; 0: no limit */
    /* Set: command_parse() shows it the syntax of the command and leaves, nothing is carried out. */
    void (*inspect)(const struct mpactl *mpactl, const char *name, const struct command_syntax *syntax);
    /* Set: messages about the connection go here and not to standard error. */
    char *error;
    size_t error_size;
    const void *inspect_context; /* for `inspect` alone */
};

/* One sub-command: the table feeds dispatch, `mpactl help` and the error for a name that is unknown. */
struct command {
    const char *name;
    const char *arguments; /* for the overview, e.g. "check FILE | show [FILE]" */
    const char *help;      /* one line; "": for machines, not listed */
    /* argv[0] is the command. Returns an enum mpactl_exit after one line to stderr where it is not 0. */
    int (*run)(struct mpactl *mpactl, int argc, char **argv);
};

extern const struct command commands[]; /* ends with a NULL name */

/* The command of that name, or NULL. */
const struct command *command_find(const char *name);

/* Says that there is no such command, and which may be meant; returns MPACTL_USAGE. */
int command_unknown(const char *name);

/* The global options, for the program itself and as child of each command. */
extern const struct argp mpactl_argp_global;
extern const struct argp_option syntax_options_global[];

/* A command whose options have these (both, last) takes --watch, see query.h; its parser never sees them. */
#define SYNTAX_KEY_WATCH 0x101
#define SYNTAX_KEY_ROUNDS 0x102
#define SYNTAX_WATCH_OPTIONS                                                                                 \
    {"watch", SYNTAX_KEY_WATCH, "S", OPTION_ARG_OPTIONAL, "again every S seconds (default: 2) until Ctrl-C", \
     0},                                                                                                     \
    {                                                                                                        \
        "rounds", SYNTAX_KEY_ROUNDS, "N", 0, "with --watch: stop after N rounds", 0                          \
    }
extern const struct argp_option syntax_options_watch[]; /* only them */

/* The syntax of one command. */
struct command_syntax {
    const struct argp_option *options; /* its own; NULL: none */
    argp_parser_t parser;              /* its own; NULL: takes no arguments */
    const char *arguments;             /* as in argp's args_doc; NULL: none */
    /* Behind a '\v' examples, lines "command TAB what for". */
    const char *doc;
};

/* Parses argv[1..] into `input` and the global options wherever they stand; leaves with MPACTL_USAGE itself.
 */
void command_parse(struct mpactl *mpactl, const struct command_syntax *syntax, int argc, char **argv,
                   void *input);

/* Leaves with MPACTL_USAGE when `argument` looks like a long option and is none; says which is meant. */
void syntax_check_option(const struct command_syntax *syntax, const char *program, const char *argument);

/* True when this global option has its value in the next word. */
bool syntax_takes_next(const char *argument);

/* "mpactl: ..." and a line end to stderr, without control characters; returns `exit_code`. */
int mpactl_fail(enum mpactl_exit exit_code, const char *format, ...) MPA_PRINTF(2, 3);

/* A whole number between the bounds for option --`option`; leaves with MPACTL_USAGE and one line otherwise.
 */
struct number_range {
    const char *option;
    uint64_t min;
    uint64_t max;
};
uint64_t option_number(struct argp_state *state, const char *text, const struct number_range *range);

int command_status(struct mpactl *mpactl, int argc, char **argv);
int command_workers(struct mpactl *mpactl, int argc, char **argv);
int command_buckets(struct mpactl *mpactl, int argc, char **argv);
int command_lanes(struct mpactl *mpactl, int argc, char **argv);
int command_nic(struct mpactl *mpactl, int argc, char **argv);
int command_stats(struct mpactl *mpactl, int argc, char **argv);
int command_capture(struct mpactl *mpactl, int argc, char **argv);
int command_events(struct mpactl *mpactl, int argc, char **argv);
int command_flows(struct mpactl *mpactl, int argc, char **argv);
int command_migrate(struct mpactl *mpactl, int argc, char **argv);
int command_drain(struct mpactl *mpactl, int argc, char **argv);
int command_undrain(struct mpactl *mpactl, int argc, char **argv);
int command_kill(struct mpactl *mpactl, int argc, char **argv);
int command_update(struct mpactl *mpactl, int argc, char **argv);
int command_balance(struct mpactl *mpactl, int argc, char **argv);
int command_rebalance(struct mpactl *mpactl, int argc, char **argv);
int command_explain(struct mpactl *mpactl, int argc, char **argv);
int command_scale(struct mpactl *mpactl, int argc, char **argv);
int command_restart(struct mpactl *mpactl, int argc, char **argv);
int command_degrade(struct mpactl *mpactl, int argc, char **argv);
int command_stop(struct mpactl *mpactl, int argc, char **argv);
int command_config(struct mpactl *mpactl, int argc, char **argv);
int command_log(struct mpactl *mpactl, int argc, char **argv);
int command_version(struct mpactl *mpactl, int argc, char **argv);
int command_top(struct mpactl *mpactl, int argc, char **argv);
int command_complete(struct mpactl *mpactl, int argc, char **argv);
int command_man(struct mpactl *mpactl, int argc, char **argv);
int command_help(struct mpactl *mpactl, int argc, char **argv);

#endif
