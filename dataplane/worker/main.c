/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mpa-worker — one lwIP behind one lane.
 *
 * TRUST
 *   runs as    any user; no capability, seccomp list in seccomp.c
 *   believes   its configuration file, or what mpa-controld has kept of it; the frontend, which flows to
 *              export, adopt or reset and from whom
 *   doubts     every byte of a frame beyond what the frontend checks (lwIP parses a private copy of
 *              headers); slots and orders of another build, all the same; every byte of another worker's
 *              records: those that it adopts may be of one that had turned hostile (border/records.c,
 *              rebuild.c, services)
 *   can hurt   the connections it serves; what others read or adopt of its segments is checked. What it
 *              can do to other workers' connections all the same: docs/architecture.md, "If it turns
 *              hostile"
 *   on fault   a frontend that is gone or breaks the lane: keeps its connections and looks for the next
 *              one, exit 1 when none comes; a fault of its own: says which signal it was and dies of it
 */
#include <stdlib.h>

#include "base/fault_point.h"
#include "base/start.h"
#include "worker/worker.h"

const char *argp_program_version = "mpa-worker " MPA_VERSION;

struct arguments {
    struct start_options start;
    long slot;
};

static const struct argp_option options[] = {
    {"slot", 's', "N", 0, "worker slot, 0..15 (default: 0)", 0},
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    char *end;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->start;
        return 0;
    case 's':
        arguments->slot = strtol(value, &end, 10);
        if (*value == '\0' || *end != '\0' || arguments->slot < 0 || arguments->slot >= CONFIG_MAX_WORKERS)
            argp_error(state, "--slot %s: not a worker slot (allowed: 0..%d)", value, CONFIG_MAX_WORKERS - 1);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {.options = options,
                                 .parser = parse_option,
                                 .doc = "One worker of the stack: attaches to mpa-frontend.",
                                 .children = start_argp_children};

int main(int argc, char **argv)
{
    static struct worker worker;
    struct arguments arguments = {.start = {.may_recall = start_may_recall}};
    int exit_code = EXIT_FAILURE;

    argp_err_exit_status = START_EXIT_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    worker_prepare(&worker);
    if (start_load("mpa-worker", &arguments.start, &worker.config) < 0)
        return START_EXIT_USAGE;
    worker.slot = (uint32_t)arguments.slot;
    if (MPA_FAULT_POINTS && fault_point_init(worker.slot) < 0)
        return START_EXIT_USAGE;
    if (worker_init_privileged(&worker) == 0 && worker_confine() == 0 && worker_init_confined(&worker) == 0)
        exit_code = worker_run(&worker);
    worker_fini(&worker);
    return exit_code;
}
