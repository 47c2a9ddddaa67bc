/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mpa-frontend — the process that owns the NIC.
 *
 * TRUST
 *   runs as    root until the NIC is open (CAP_NET_ADMIN for a TAP, CAP_NET_RAW for AF_PACKET), then without
 *              capabilities and under the seccomp list of seccomp.c
 *   believes   its configuration file; the control socket's file mode
 *   doubts     every byte from the NIC (classify.c, host_filter.c); every byte any worker writes (lib/border)
 *   can hurt   all connections of the machine's NIC, and nothing beyond it
 *   on fault   a worker that breaks its lane is quarantined; malformed frames are counted by reason
 */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "frontend/frontend.h"

const char *argp_program_version = "mpa-frontend " MPA_VERSION;

struct arguments {
    const char *config_path;
    const char *runtime_dir;
    const char *log_level;
};

static const struct argp_option options[] = {
    {"config", 'c', "FILE", 0, "configuration (default: built-in values)", 0},
    {"runtime-dir", 'r', "DIR", 0, "folder for sockets and keys", 0},
    {"log-level", 'l', "LEVEL", 0, "error, warn, info or debug", 0},
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;

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
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", value);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {options, parse_option, NULL, "The NIC side of the stack: one for each NIC.",
                                 NULL,    NULL,         NULL};

static int load(const struct arguments *arguments, struct config *config)
{
    enum log_level level = LOG_LEVEL_INFO;
    char error[1024];

    config_defaults(config);
    if (arguments->config_path != NULL &&
        config_load(arguments->config_path, config, error, sizeof(error)) < 0) {
        fprintf(stderr, "mpa-frontend: %s\n", error);
        return -1;
    }
    if (arguments->runtime_dir != NULL)
        snprintf(config->control.runtime_dir, sizeof(config->control.runtime_dir), "%s",
                 arguments->runtime_dir);
    if (log_level_parse(arguments->log_level != NULL ? arguments->log_level : config->control.log_level,
                        &level) < 0) {
        fprintf(stderr, "mpa-frontend: --log-level %s (allowed: error, warn, info, debug)\n",
                arguments->log_level);
        return -1;
    }
    log_init("mpa-frontend", level);
    return 0;
}

int main(int argc, char **argv)
{
    static struct frontend frontend = {
        .listen_socket = -1, .signal_fd = -1, .epoll_fd = -1, .lock_fd = -1, .host_segment = {.fd = -1}};
    struct arguments arguments = {0};
    int exit_code = EXIT_FAILURE;

    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    frontend.pool.segment.fd = -1;
    if (load(&arguments, &frontend.config) < 0)
        return 2;
    if (frontend_init_privileged(&frontend) == 0 && frontend_confine() == 0 &&
        frontend_init_confined(&frontend) == 0)
        exit_code = frontend_run(&frontend);
    frontend_fini(&frontend);
    return exit_code;
}
