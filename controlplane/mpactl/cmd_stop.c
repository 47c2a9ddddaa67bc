/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_stop.c — mpactl stop: asks, then waits until the process is gone, so that "done" means nothing is left.
 * A data plane that outlived its controld is stopped too: workers by signal, then the frontend, which is all
 * that controld would do. So are workers that outlived both and wait for a new frontend.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/find.h"
#include "controlplane/mpactl/client.h"
#include "controlplane/mpactl/mpactl.h"

#define MAX_ORPHANS 32
#define STOP_MS 10000 /* controld kills what does not end by itself after 3 s, twice: workers, frontend */

/* Waits for the end of the process behind `pidfd` (closed here). */
static int wait_for_end(int pidfd, uint32_t pid, int wait_ms)
{
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    int n;

    do {
        n = poll(&end, 1, wait_ms);
    } while (n < 0 && errno == EINTR);
    fd_close(&pidfd);
    return n > 0 ? MPACTL_OK
                 : mpactl_fail(MPACTL_FAILED, "process %u has not ended after %d ms", pid, wait_ms);
}

/* A descriptor of the process, taken before it is asked to end. */
static int process_open(uint32_t pid)
{
    return (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
}

/* The stop command itself; *pid gets the process number of who answers. */
static int ask_stop(struct client *client, uint32_t *pid)
{
    Mpa__V1__StopRequest body = MPA__V1__STOP_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__Reply *reply;
    int exit_code;

    request.body_case = MPA__V1__REQUEST__BODY_STOP;
    request.stop = &body;
    exit_code = client_ask(client, &request, &reply);
    if (exit_code != MPACTL_OK)
        return exit_code;
    *pid = reply->stop->pid;
    mpa__v1__reply__free_unpacked(reply, NULL);
    return MPACTL_OK;
}

static int stop_and_wait(struct client *client)
{
    uint32_t pid;
    int pidfd;
    int exit_code = ask_stop(client, &pid);

    if (exit_code != MPACTL_OK)
        return exit_code;
    /* The number is of another machine. */
    if (client->mpactl->remote != NULL)
        return MPACTL_OK;
    pidfd = process_open(pid);
    /* Gone already: that is what was asked for. */
    return pidfd < 0 ? MPACTL_OK : wait_for_end(pidfd, pid, STOP_MS);
}

static int stop_process(uint32_t pid)
{
    int pidfd = process_open(pid);

    if (pidfd < 0)
        return MPACTL_OK;
    if (syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) < 0 && errno != ESRCH) {
        fd_close(&pidfd);
        return mpactl_fail(MPACTL_FAILED, "cannot signal process %u: %s", pid, strerror(errno));
    }
    return wait_for_end(pidfd, pid, STOP_MS);
}

/* Workers that nobody answers for. MPACTL_NO_DAEMON: there are none. */
static int stop_orphans(const char *runtime_dir)
{
    struct found_process found[MAX_ORPHANS];
    size_t n = find_processes("mpa-worker", runtime_dir, found, MAX_ORPHANS);
    int exit_code = n == 0 ? MPACTL_NO_DAEMON : MPACTL_OK;

    for (size_t i = 0; i < n && exit_code == MPACTL_OK; i++)
        exit_code = stop_process((uint32_t)found[i].pid);
    return exit_code;
}

/* Without controld: the frontend knows the workers. */
static int stop_data_plane(struct client *client)
{
    Mpa__V1__GetStatusRequest body = MPA__V1__GET_STATUS_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__Reply *reply;
    int exit_code;

    request.body_case = MPA__V1__REQUEST__BODY_GET_STATUS;
    request.get_status = &body;
    exit_code = client_ask(client, &request, &reply);
    if (exit_code != MPACTL_OK)
        return exit_code;
    for (size_t i = 0; i < reply->get_status->n_processes && exit_code == MPACTL_OK; i++) {
        const Mpa__V1__Process *process = reply->get_status->processes[i];

        if (process->role == MPA__V1__ROLE__ROLE_WORKER && process->pid != 0)
            exit_code = stop_process(process->pid);
    }
    mpa__v1__reply__free_unpacked(reply, NULL);
    return exit_code == MPACTL_OK ? stop_and_wait(client) : exit_code;
}

int command_stop(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        NULL, NULL, NULL,
        "Stops workers, frontend and controld, in this order, and waits until they are gone.\v"
        "mpactl stop\tthe end of every connection\n"};
    struct client client;
    int exit_code;

    command_parse(mpactl, &syntax, argc, argv, NULL);
    exit_code = client_open(&client, mpactl, "control.ipc", true);
    if (exit_code == MPACTL_OK) {
        exit_code = stop_and_wait(&client);
    } else if (exit_code == MPACTL_NO_DAEMON && mpactl->remote == NULL) {
        client_close(&client);
        exit_code = client_open(&client, mpactl, "frontend.ipc", true);
        if (exit_code == MPACTL_OK)
            exit_code = stop_data_plane(&client);
        else
            exit_code = stop_orphans(mpactl->runtime_dir);
        if (exit_code == MPACTL_NO_DAEMON)
            mpactl_fail(MPACTL_NO_DAEMON, "%s: nothing runs there", mpactl->runtime_dir);
    }
    client_close(&client);
    if (exit_code == MPACTL_OK)
        puts(mpactl->is_json ? "{\"stopped\": true}" : mpactl->remote != NULL ? "stopping" : "stopped");
    return exit_code;
}
