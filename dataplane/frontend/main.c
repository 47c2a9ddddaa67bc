/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mpa-frontend — the process that owns the NIC.
 *
 * TRUST
 *   runs as    root until the NIC is open (CAP_NET_ADMIN for a TAP, CAP_NET_RAW for AF_PACKET), then
 *              without capabilities and under the seccomp list of seccomp.c
 *   believes   its configuration file, or what mpa-controld has kept of it; the control socket's file mode;
 *              what the last frontend left in the runtime folder (keys, who served, which TAP is ours)
 *   doubts     every byte from the NIC (classify.c, host_filter.c); every byte any worker writes
 *              (lib/border)
 *   can hurt   all connections of the machine's NIC, and nothing beyond it
 *   on fault   a worker that breaks its lane is quarantined and killed, others adopt its connections;
 *              malformed frames are counted by reason
 */
#include <stdlib.h>

#include "base/start.h"
#include "frontend/frontend.h"

const char *argp_program_version = "mpa-frontend " MPA_VERSION;

/* Its one child takes the options, and their place is the input. */
static error_t parse_nothing(int key, char *value, struct argp_state *state)
{
    (void)value;
    if (key != ARGP_KEY_INIT)
        return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = state->input;
    return 0;
}

static const struct argp argp = {.parser = parse_nothing,
                                 .doc = "The NIC side of the stack: one for each NIC.",
                                 .children = start_argp_children};

int main(int argc, char **argv)
{
    static struct frontend frontend = {.listen_socket = -1,
                                       .notify = {.socket = -1},
                                       .signal_fd = -1,
                                       .epoll_fd = -1,
                                       .lock_fd = -1,
                                       .handover = {.source_fd = -1},
                                       .returning = {.file_fd = -1},
                                       .suspects = {.file_fd = -1},
                                       .host_segment = {.fd = -1}};
    struct start_options options = {.may_recall = start_may_recall};
    int exit_code = EXIT_FAILURE;

    argp_err_exit_status = START_EXIT_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    frontend.pool.segment.fd = -1;
    if (start_load("mpa-frontend", &options, &frontend.config) < 0)
        return START_EXIT_USAGE;
    if (frontend_init_privileged(&frontend) == 0 && frontend_confine() == 0 &&
        frontend_init_confined(&frontend) == 0)
        exit_code = frontend_run(&frontend);
    frontend_fini(&frontend);
    return exit_code;
}
