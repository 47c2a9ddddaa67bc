/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mpa-worker — one lwIP behind one lane.
 *
 * TRUST
 *   runs as    any user; no capability, seccomp list in seccomp.c
 *   believes   its configuration file; the frontend's half of the lane to be written in good faith
 *   doubts     every byte of a frame beyond what the frontend checks (lwIP parses a private copy of headers);
 *              slots of another build are checked all the same
 *   can hurt   the connections it serves, and nobody else: its segments are checked by the frontend
 *   on fault   a frontend that breaks the lane: one ERROR line and exit 1
 */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "worker/worker.h"

const char *argp_program_version = "mpa-worker " MPA_VERSION;

struct arguments {
    const char *config_path;
    const char *runtime_dir;
    const char *log_level;
    long slot;
};

static const struct argp_option options[] = {
    {"config", 'c', "FILE", 0, "configuration (default: built-in values)", 0},
    {"runtime-dir", 'r', "DIR", 0, "folder of the frontend's attach socket", 0},
    {"slot", 's', "N", 0, "worker slot, 0..15", 0},
    {"log-level", 'l', "LEVEL", 0, "error, warn, info or debug", 0},
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    char *end;

    switch (key) {
    case 'c':
        arguments->config_path = value;
        return 0;
    case 'r':
        arguments->runtime_dir = value;
        return 0;
    case 'l':
        arguments->log_level = value;
        return 0;
    case 's':
        arguments->slot = strtol(value, &end, 10);
        if (*value == '\0' || *end != '\0' || arguments->slot < 0 || arguments->slot >= CONFIG_MAX_WORKERS)
            argp_error(state, "--slot %s: not a worker slot (allowed: 0..%d)", value, CONFIG_MAX_WORKERS - 1);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", value);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options, parse_option, NULL, "One worker of the stack: attaches to mpa-frontend.", NULL, NULL, NULL};

static int load(const struct arguments *arguments, struct config *config)
{
    enum log_level level = LOG_LEVEL_INFO;
    char error[1024];

    config_defaults(config);
    if (arguments->config_path != NULL &&
        config_load(arguments->config_path, config, error, sizeof(error)) < 0) {
        fprintf(stderr, "mpa-worker: %s\n", error);
        return -1;
    }
    if (arguments->runtime_dir != NULL)
        snprintf(config->control.runtime_dir, sizeof(config->control.runtime_dir), "%s",
                 arguments->runtime_dir);
    if (log_level_parse(arguments->log_level != NULL ? arguments->log_level : config->control.log_level,
                        &level) < 0) {
        fprintf(stderr, "mpa-worker: --log-level %s (allowed: error, warn, info, debug)\n",
                arguments->log_level);
        return -1;
    }
    log_init("mpa-worker", level);
    return 0;
}

int main(int argc, char **argv)
{
    static struct worker worker = {.attach_socket = -1, .wake_socket = -1, .signal_fd = -1};
    struct arguments arguments = {0};
    int exit_code = EXIT_FAILURE;

    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    worker.half.fd = worker.records.fd = worker.frontend.fd = worker.host.fd = worker.pool.fd = -1;
    if (load(&arguments, &worker.config) < 0)
        return 2;
    worker.slot = (uint32_t)arguments.slot;
    if (worker_init_privileged(&worker) == 0 && worker_confine() == 0 && worker_init_confined(&worker) == 0)
        exit_code = worker_run(&worker);
    worker_fini(&worker);
    return exit_code;
}
