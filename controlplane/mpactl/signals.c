/* SPDX-License-Identifier: BSD-3-Clause */
/* signals.c — SIGINT and SIGTERM as a readable descriptor, or as a note: a handler has nowhere else to put
 * it. */
#include "controlplane/mpactl/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

int signals_open(void)
{
    sigset_t signals;
    int fd;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    fd = signalfd(-1, &signals, SFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

bool signals_wait(int signals_fd, int wait_ms)
{
    struct pollfd place = {.fd = signals_fd, .events = POLLIN};

    return poll(&place, 1, wait_ms) > 0;
}

static volatile sig_atomic_t is_remembered;

static void remember(int number)
{
    (void)number;
    is_remembered = 1;
}

void signals_remember(void)
{
    const struct sigaction action = {.sa_handler = remember};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool signals_remembered(void)
{
    return is_remembered != 0;
}
