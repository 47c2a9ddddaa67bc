/* SPDX-License-Identifier: BSD-3-Clause */
/* start.h — how every process of ours begins: the options that all have, the configuration, the log, the
 * signals that end it, its CPU. */
#ifndef MPA_BASE_START_H
#define MPA_BASE_START_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/config.h"

#define START_EXIT_USAGE 2 /* exit code for a bad command line or configuration */

/* What mpa-controld has loaded last, in the runtime folder while it has not ended in order. */
#define START_KEPT_CONFIG "config.last"

/* --config, --runtime-dir, --log-level; NULL where not given. */
struct start_options {
    const char *config_path;
    const char *runtime_dir;
    const char *log_level;
    /* By the program: where the file cannot be loaded, the one that was loaded last will do. A process of a
     * stack that runs comes back for connections that wait, and somebody is just editing the file. */
    bool (*may_recall)(const char *runtime_dir); /* asked only then; NULL: no */
};

/* argp child for the three options; its input is a struct start_options. Refuses stray arguments. */
extern const struct argp start_argp;
extern const struct argp_child start_argp_children[];

/*
 * Loads the configuration, lets the options override it, and starts the log under the name of the program. 0,
 * or -EINVAL with one line on standard error that says what and where. Where `may_recall` says so a bad file
 * is a WARN while START_KEPT_CONFIG is good, in the runtime folder of the options (else of the defaults).
 */
int start_load(const char *program, const struct start_options *options,
               struct config *config) MPA_WARN_UNUSED;

/* For `may_recall`: always. */
bool start_may_recall(const char *runtime_dir);

/*
 * Blocks SIGTERM and SIGINT in the calling thread, and so in all it starts, and makes them readable (struct
 * signalfd_siginfo). Returns a descriptor of the caller's, non-blocking, or -errno.
 */
int start_signals(void) MPA_WARN_UNUSED;

/* Keeps the calling thread on one CPU; below 0: on none in particular. A failure is a WARN: it works, slower.
 */
void start_pin(int32_t cpu);

#endif
