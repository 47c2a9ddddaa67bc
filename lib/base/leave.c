/* SPDX-License-Identifier: BSD-3-Clause */
/* leave.c — a timer's signal, and a handler that calls what signal-safety(7) allows. */
#include "base/leave.h"

#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/assert.h"

#define LEAVE_PATH_BYTES 128u
#define MS_PER_S 1000u
#define US_PER_MS 1000u

static char leave_files[LEAVE_MAX_FILES][LEAVE_PATH_BYTES];
static unsigned leave_n_files;
static int leave_exit_code;

void leave_file(const char *folder, const char *name)
{
    int length;

    mpa_assert(leave_n_files < LEAVE_MAX_FILES);
    length = snprintf(leave_files[leave_n_files], LEAVE_PATH_BYTES, "%s/%s", folder, name);
    mpa_assert(length > 0 && length < (int)LEAVE_PATH_BYTES);
    leave_n_files++;
}

static void leave_now(int signal_number)
{
    static const char line[] = "warn: close_hangs action=leaves\n";

    (void)signal_number;
    (void)!write(STDERR_FILENO, line, sizeof(line) - 1);
    for (unsigned i = 0; i < leave_n_files; i++)
        unlink(leave_files[i]);
    _exit(leave_exit_code);
}

void leave_within(uint32_t ms, int exit_code)
{
    const struct sigaction action = {.sa_handler = leave_now};
    const struct itimerval timer = {.it_value = {ms / MS_PER_S, (suseconds_t)(ms % MS_PER_S * US_PER_MS)}};
    sigset_t signals;

    leave_exit_code = exit_code;
    sigemptyset(&signals);
    sigaddset(&signals, SIGALRM);
    if (sigaction(SIGALRM, &action, NULL) == 0 && sigprocmask(SIG_UNBLOCK, &signals, NULL) == 0)
        (void)setitimer(ITIMER_REAL, &timer, NULL);
}
