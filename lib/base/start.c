/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * start.c — common options, configuration and log of all processes; stop signals and CPU of the loops.
 *
 * What is wrong with a command line or a configuration goes to standard error as one plain line: whoever
 * typed it is looking, and the log is not there yet.
 */
#include "base/start.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/log.h"

static const struct argp_option start_argp_options[] = {
    {"config", 'c', "FILE", 0, "configuration (default: built-in values)", 0},
    {"runtime-dir", 'r', "DIR", 0, "folder for sockets, locks and keys (default: of the configuration)", 0},
    {"log-level", 'l', "LEVEL", 0, "error, warn, info or debug (default: of the configuration)", 0},
    {0},
};

/* Values are borrowed from argv and looked at only when the program loads them: all options have been seen
 * then. */
static error_t start_parse(int key, char *value, struct argp_state *state)
{
    struct start_options *options = state->input;

    switch (key) {
    case 'c':
        options->config_path = value;
        return 0;
    case 'r':
        options->runtime_dir = value;
        return 0;
    case 'l':
        options->log_level = value;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", value);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp start_argp = {start_argp_options, start_parse, NULL, NULL, NULL, NULL, NULL};
const struct argp_child start_argp_children[] = {{&start_argp, 0, NULL, 0}, {0}};

bool start_may_recall(const char *runtime_dir)
{
    (void)runtime_dir;
    return true;
}

/* The configuration that was loaded last. */
static int recall(const struct start_options *options, struct config *config)
{
    char path[CONFIG_PATH_BYTES + sizeof(START_KEPT_CONFIG) + 1], ignored[256];
    const char *folder = options->runtime_dir;

    config_defaults(config);
    if (folder == NULL)
        folder = config->control.runtime_dir;
    if (!options->may_recall(folder))
        return -EPERM;
    if (snprintf(path, sizeof(path), "%s/" START_KEPT_CONFIG, folder) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    return config_load(path, config, ignored, sizeof(ignored));
}

/* 0; *error is what is wrong with the file all the same, or empty. -EINVAL: neither file will do. */
static int load(const struct start_options *options, struct config *config, char *error, size_t size)
{
    *error = '\0';
    /* Every value has a default that runs, so no file at all is a configuration too. */
    config_defaults(config);
    if (options->config_path == NULL || config_load(options->config_path, config, error, size) == 0)
        return 0;
    return options->may_recall != NULL && recall(options, config) == 0 ? 0 : -EINVAL;
}

int start_load(const char *program, const struct start_options *options, struct config *config)
{
    enum log_level level = LOG_LEVEL_INFO;
    char error[1024];
    const char *text;

    if (load(options, config, error, sizeof(error)) < 0) {
        fprintf(stderr, "%s: %s\n", program, error);
        return -EINVAL;
    }
    if (options->runtime_dir != NULL &&
        snprintf(config->control.runtime_dir, sizeof(config->control.runtime_dir), "%s",
                 options->runtime_dir) >= (int)sizeof(config->control.runtime_dir)) {
        fprintf(stderr, "%s: --runtime-dir %s: longer than %zu characters\n", program, options->runtime_dir,
                sizeof(config->control.runtime_dir) - 1);
        return -EINVAL;
    }
    /* The command line wins: it is what somebody changes for this one run. */
    text = options->log_level != NULL ? options->log_level : config->control.log_level;
    if (log_level_parse(text, &level) < 0) {
        fprintf(stderr, "%s: --log-level %s (allowed: error, warn, info, debug)\n", program, text);
        return -EINVAL;
    }
    log_init(program, level);
    if (*error != '\0')
        log_warn("config_bad error=\"%s\" result=\"begins with what was loaded last\"", error);
    return 0;
}

/* By descriptor and not by handler: a loop that waits for descriptors anyway then needs no code that may run
 * at any moment. */
int start_signals(void)
{
    sigset_t signals;
    int fd;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
        return -errno;
    fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

void start_pin(int32_t cpu)
{
    cpu_set_t cpus;

    if (cpu < 0)
        return;
    CPU_ZERO(&cpus);
    CPU_SET((size_t)cpu, &cpus);
    if (sched_setaffinity(0, sizeof(cpus), &cpus) < 0)
        log_warn("pin_failed cpu=%d error=\"%s\"", cpu, strerror(errno));
}
