/* SPDX-License-Identifier: BSD-3-Clause */
/* mpactl.h — inside of mpactl: global options, the table of commands, how a command parses and fails. */
#ifndef MPA_MPACTL_MPACTL_H
#define MPA_MPACTL_MPACTL_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

/* What a script can tell apart. */
enum mpactl_exit {
    MPACTL_OK = 0,
    MPACTL_FAILED = 1,    /* refused, or did not work */
    MPACTL_USAGE = 2,     /* the command line is wrong */
    MPACTL_NO_DAEMON = 3, /* nobody listens in the runtime folder */
};

/* Global options. */
struct mpactl {
    const char *runtime_dir;
    /* Of another machine, instead of the folder: HOST:PORT, and PEM files; NULL: not given. */
    const char *remote, *tls_cert, *tls_key, *tls_ca;
    const char *tls_name; /* in the certificate of mpa-controld; NULL: HOST */
    bool is_json;
    uint32_t timeout_ms;
};

/* One sub-command: the table feeds dispatch, `mpactl help` and the error for a name that is unknown. */
struct command {
    const char *name;
    const char *arguments; /* for the overview, e.g. "check FILE | show [FILE]" */
    const char *help;      /* one line */
    /* argv[0] is the command. Returns an enum mpactl_exit after one line to stderr where it is not 0. */
    int (*run)(struct mpactl *mpactl, int argc, char **argv);
};

extern const struct command commands[]; /* ends with a NULL name */

/* The command of that name, or NULL. */
const struct command *command_find(const char *name);

/* The global options, for the program itself and as child of each command. */
extern const struct argp mpactl_argp_global;

/* The syntax of one command. */
struct command_syntax {
    const struct argp_option *options; /* its own; NULL: none */
    argp_parser_t parser;              /* its own; NULL: takes no arguments */
    const char *arguments;             /* as in argp's args_doc; NULL: none */
    const char *doc;
};

/* Parses argv[1..] into `input` and the global options wherever they stand; leaves with MPACTL_USAGE itself.
 */
void command_parse(struct mpactl *mpactl, const struct command_syntax *syntax, int argc, char **argv,
                   void *input);

/* "mpactl: ..." and a line end to stderr; returns `exit_code`. */
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
int command_help(struct mpactl *mpactl, int argc, char **argv);

#endif
