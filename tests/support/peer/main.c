/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c — mpa-peer: a client (and, with `serve`, a server) on the kernel's TCP and UDP, the other end of
 * our tests and benchmarks. Every command is bounded in time, prints one JSON object, and exits non-zero with
 * one line on standard error when anything was not as it must be.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "options.h"

static const struct {
    const char *name;
    int (*run)(const struct options *options);
} commands[] = {
    {"ready", peer_ready}, {"throughput", peer_throughput}, {"requests", peer_requests},
    {"crr", peer_crr},     {"verify", peer_verify},         {"udp", peer_udp},
    {"hold", peer_hold},   {"serve", peer_serve},           {"carry", peer_carry},
    {"churn", peer_churn},
};

/* As many descriptors as we may have: `hold -n 10000` needs them. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    struct options options;

    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        if (options_parse(argc, argv, &options) < 0)
            return EXIT_FAILURE;
        signal(SIGPIPE, SIG_IGN);
        raise_file_limit();
        return commands[i].run(&options);
    }
    options_usage();
    return EXIT_FAILURE;
}
