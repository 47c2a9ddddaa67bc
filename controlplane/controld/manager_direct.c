/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * manager_direct.c — starts through the spawner, signals and watches by pidfd: a number may be given to
 * another process, a pidfd never is. The spawner answers at once (it does nothing slow), so these calls are
 * plain round trips; a spawner that has died fails them all.
 */
#include "controlplane/controld/manager_direct.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/find.h"
#include "base/start.h"
#include "controlplane/controld/spawner.h"

/* Sends the request and waits for the answer; *fd gets the descriptor that came with it, or -1. */
static int spawner_ask(const struct manager_direct *self, const struct spawner_request *request,
                       struct spawner_reply *reply, int *fd)
{
    ssize_t size;
    int error = fd_send(self->spawner_socket, request, sizeof(*request), NULL, 0);

    *fd = -1;
    if (error != 0)
        return error;
    size = fd_receive(self->spawner_socket, reply, sizeof(*reply), fd, 1);
    if (size == (ssize_t)sizeof(*reply))
        return reply->result;
    fd_close(fd);
    return size < 0 ? (int)size : -EPIPE;
}

static int direct_start(void *self, enum manager_role role, uint32_t slot, struct manager_process *process)
{
    const struct spawner_request request = {.op = SPAWNER_START, .role = (uint32_t)role, .slot = slot};
    struct spawner_reply reply = {0};
    int pidfd;
    int error = spawner_ask(self, &request, &reply, &pidfd);

    if (error != 0)
        return error;
    if (pidfd < 0)
        return -EPROTO;
    *process = (struct manager_process){.pid = reply.pid, .pidfd = pidfd};
    return 0;
}

static int direct_signal(void *self, const struct manager_process *process, int signal_number)
{
    (void)self;
    return syscall(SYS_pidfd_send_signal, process->pidfd, signal_number, NULL, 0) < 0 ? -errno : 0;
}

void manager_direct_cause(int code, int status, struct manager_cause *cause)
{
    *cause = (struct manager_cause){.is_exit = code == CLD_EXITED,
                                    .is_clean = code == CLD_EXITED && status == 0,
                                    .is_kill = code != CLD_EXITED && status == SIGKILL};
    if (cause->is_exit)
        /* Its file has a mistake, and nothing was kept to go by: say where to look. */
        snprintf(cause->text, sizeof(cause->text), "exited with status %d%s", status,
                 status == START_EXIT_USAGE ? " (configuration or options refused, its log says which)" : "");
    else
        snprintf(cause->text, sizeof(cause->text), "killed by signal %d (%s)", status, strsignal(status));
}

static void direct_take_end(void *self, struct manager_process *process, struct manager_cause *cause)
{
    const struct spawner_request request = {.op = SPAWNER_REAP, .pid = process->pid};
    struct spawner_reply reply = {0};
    int fd;

    if (spawner_ask(self, &request, &reply, &fd) == 0) {
        manager_direct_cause(reply.code, reply.status, cause);
    } else {
        /* A child of an earlier controld: init has taken the status. */
        *cause = (struct manager_cause){.is_unknown = true};
        snprintf(cause->text, sizeof(cause->text),
                 "ended, cause unknown (started by an earlier mpa-controld)");
    }
    fd_close(&fd);
    fd_close(&process->pidfd);
    process->pid = 0;
}

/* The program that runs under `pid`, "" if unknown; comm has room for 15 characters, both names fit. */
static void program_name(pid_t pid, char name[32])
{
    char path[32];
    ssize_t size;
    int fd;

    name[0] = '\0';
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    size = read(fd, name, 31);
    fd_close(&fd);
    name[size > 0 ? size : 0] = '\0';
    name[strcspn(name, "\n")] = '\0';
}

static int direct_adopt(void *self, enum manager_role role, pid_t pid, struct manager_process *process)
{
    char name[32];
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

    (void)self;
    if (pidfd < 0)
        return -errno;
    /* After the open: the name is that of the process behind the descriptor, or it has ended meanwhile. */
    program_name(pid, name);
    if (strcmp(name, role == MANAGER_WORKER ? "mpa-worker" : "mpa-frontend") != 0) {
        fd_close(&pidfd);
        return -ESRCH;
    }
    *process = (struct manager_process){.pid = pid, .pidfd = pidfd};
    return 0;
}

static size_t direct_find(void *context, enum manager_role role, struct found_process *found, size_t max)
{
    const struct manager_direct *self = context;

    return find_processes(role == MANAGER_WORKER ? "mpa-worker" : "mpa-frontend", self->runtime_dir, found,
                          max);
}

struct manager manager_direct(struct manager_direct *self, int spawner_socket, const char *runtime_dir)
{
    static const struct manager_ops ops = {.start = direct_start,
                                           .signal = direct_signal,
                                           .take_end = direct_take_end,
                                           .adopt = direct_adopt,
                                           .find = direct_find};

    *self = (struct manager_direct){.spawner_socket = spawner_socket, .runtime_dir = runtime_dir};
    return (struct manager){.ops = &ops, .self = self, .is_owner = true};
}
