/* SPDX-License-Identifier: BSD-3-Clause */
/* hold.c — the commands that only open connections: wait for a server, keep idle ones. */
#include "net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define READY_RETRY_NS 20000000

/* A refused or unanswered attempt is tried again until --timeout: the stack may still be starting. */
int peer_ready(const struct options *options)
{
    uint64_t deadline_ns = net_now_ns() + (uint64_t)options->timeout_ms * 1000000u;
    struct options attempt = *options;
    int fd;

    attempt.timeout_ms = 200; /* a SYN sent before the interface was up must not cost a kernel retry of 1 s */
    do {
        fd = net_connect(&attempt, net_port(options, PEER_PORT_ECHO));
        if (fd >= 0) {
            close(fd);
            return EXIT_SUCCESS;
        }
        nanosleep(&(struct timespec){.tv_nsec = READY_RETRY_NS}, NULL);
    } while (net_left_ms(deadline_ns) > 0);
    return peer_fail(options, "no server within %u ms: %s", options->timeout_ms, strerror(-fd));
}

int peer_hold(const struct options *options)
{
    int *fds = calloc(options->n_connections, sizeof(*fds));
    int error = -ENOMEM;
    char byte;

    if (fds != NULL)
        error = net_connect_many(options, net_port(options, PEER_PORT_ECHO), fds, options->n_connections);
    if (error < 0) {
        free(fds);
        return peer_fail(options, "%s", strerror(-error));
    }
    printf("{\"held\":%u}\n", options->n_connections);
    fflush(stdout);
    /* Ends early when whoever started us closes our standard input. */
    alarm(options->run_ms / 1000 + 1);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    net_close_many(fds, options->n_connections);
    free(fds);
    return EXIT_SUCCESS;
}
