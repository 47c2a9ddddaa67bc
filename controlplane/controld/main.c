/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mpa-controld — starts, watches and stops the processes of one stack, and answers for them.
 *
 * TRUST
 *   runs as    the user of its processes (root where the NIC asks for it); after its start only CAP_KILL and
 *              the system calls of seccomp.c. Its helper (spawner.c) keeps what it gave up and starts the two
 *              programs it was born with, nothing else; under systemd there is no such helper, and it may do
 *              what systemd/mpa.rules allows. Another helper (reader.c) opens its configuration file, nothing
 *              else
 *   believes   its configuration; the frontend, about which of our workers are ready or quarantined
 *   doubts     every byte on the control socket: size, decoding, role, command, id (gate.c); a process number
 *              that is reported is used only when it is a child's, or runs one of our programs
 *   can hurt   its processes: it may signal them and start more of the same
 *   on fault   a bad request gets an error reply; a quarantined worker is killed and started again
 */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/start.h"
#include "controlplane/controld/controld.h"
#include "controlplane/controld/spawner.h"

const char *argp_program_version = "mpa-controld " MPA_VERSION;

struct arguments {
    struct start_options start;
    const char *bin_dir;
};

static const struct argp_option options[] = {
    {"bin-dir", 'b', "DIR", 0,
     "folder of mpa-frontend and mpa-worker, or a build tree (default: beside this program)", 0},
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->start;
        return 0;
    case 'b':
        arguments->bin_dir = value;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options,
    parse_option,
    NULL,
    "Starts mpa-frontend and the workers, keeps them running and answers mpactl.\v"
    "Exit codes: 0 stopped as asked, 1 could not start or run, 2 usage or configuration.",
    start_argp_children,
    NULL,
    NULL};

/* Copies an argument that must fit. */
static int take_text(char *to, size_t size, const char *option, const char *text)
{
    if (snprintf(to, size, "%s", text) < (int)size)
        return 0;
    fprintf(stderr, "mpa-controld: %s %s: longer than %zu characters\n", option, text, size - 1);
    return -EINVAL;
}

/* What the helper may start, with the arguments that both programs get. */
static int make_plan(const struct arguments *arguments, const struct config *config,
                     struct spawner_plan *plan)
{
    char error[PATH_MAX + 128];

    *plan = (struct spawner_plan){0};
    snprintf(plan->runtime_dir, sizeof(plan->runtime_dir), "%s", config->control.runtime_dir);
    if ((arguments->start.config_path != NULL && take_text(plan->config_path, sizeof(plan->config_path),
                                                           "--config", arguments->start.config_path) != 0) ||
        (arguments->start.log_level != NULL &&
         take_text(plan->log_level, sizeof(plan->log_level), "--log-level", arguments->start.log_level) != 0))
        return -EINVAL;
    if (spawner_plan_programs(plan, arguments->bin_dir, error, sizeof(error)) != 0) {
        fprintf(stderr, "mpa-controld: %s\n", error);
        return -ENOENT;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct controld controld = {.notify = {.socket = -1},
                                       .lock_fd = -1,
                                       .kept_fd = -1,
                                       .spawner_socket = -1,
                                       .wake_fd = -1,
                                       .reader = {.socket = -1}};
    static struct spawner_plan plan;
    struct arguments arguments = {0};
    int exit_code = EXIT_FAILURE;

    argp_err_exit_status = START_EXIT_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    /* Who starts a stack is told what is wrong with his file; one that runs needs its control plane. */
    arguments.start.may_recall = runtime_has_frontend;
    if (start_load("mpa-controld", &arguments.start, &controld.config) != 0)
        return START_EXIT_USAGE;
    controld.options = arguments.start;
    if (controld.config.control.manager == CONFIG_MANAGER_DIRECT &&
        make_plan(&arguments, &controld.config, &plan) != 0)
        return EXIT_FAILURE;
    if (controld_init_privileged(&controld, &plan) == 0 && controld_confine() == 0 &&
        controld_init_confined(&controld) == 0)
        exit_code = controld_run(&controld);
    controld_fini(&controld);
    return exit_code;
}
