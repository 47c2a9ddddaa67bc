/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * spawner.c — the helper: one request, one answer, until its socket closes. It holds no state: its children
 * are the kernel's list. The order of life: controld dies -> the socket ends -> the helper ends -> the data
 * plane runs on, to be found again by the next controld through the frontend.
 */
#include "controlplane/controld/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

#define HELPER_SOCKET 3 /* the first descriptor after the standard streams */

extern char **environ;

/* ---- finding the programs, in controld ---- */

/* True when `path` became the path of the executable DIR/below/name. */
static bool program_at(char path[PATH_MAX], const char *dir, const char *below, const char *name)
{
    int length = snprintf(path, PATH_MAX, "%s/%s%s", dir, below, name);

    return length > 0 && length < PATH_MAX && access(path, X_OK) == 0;
}

static bool program_find(char path[PATH_MAX], const char *dir, const char *below, const char *name)
{
    return program_at(path, dir, "", name) || program_at(path, dir, below, name);
}

int spawner_plan_programs(struct spawner_plan *plan, const char *bin_dir, char *error, size_t error_size)
{
    static const char frontend_below[] = "dataplane/frontend/";
    static const char worker_below[] = "dataplane/worker/";
    char self[PATH_MAX] = "";
    char tree[PATH_MAX + 8];
    const char *missing;

    if (bin_dir == NULL) {
        if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
            return -errno;
        bin_dir = dirname(self);
    }
    snprintf(tree, sizeof(tree), "%s/../..", bin_dir);
    if (!program_find(plan->frontend_path, bin_dir, frontend_below, "mpa-frontend") &&
        !program_at(plan->frontend_path, tree, frontend_below, "mpa-frontend"))
        missing = "mpa-frontend";
    else if (!program_find(plan->worker_path, bin_dir, worker_below, "mpa-worker") &&
             !program_at(plan->worker_path, tree, worker_below, "mpa-worker"))
        missing = "mpa-worker";
    else
        return 0;
    snprintf(error, error_size, "%s/%s: no such program (name its folder with --bin-dir)", bin_dir, missing);
    return -ENOENT;
}

/* ---- the helper ---- */

/* Starts a program with default signals: controld blocks and handles some. Returns the pid or -errno. */
static pid_t program_spawn(const char *path, char *const arguments[])
{
    posix_spawnattr_t attributes;
    sigset_t signals;
    pid_t pid = 0;
    int error;

    error = posix_spawnattr_init(&attributes);
    if (error != 0)
        return -error;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    error = posix_spawn(&pid, path, NULL, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    return error == 0 ? pid : -error;
}

static pid_t plan_spawn(struct spawner_plan *plan, const struct spawner_request *request)
{
    bool is_worker = request->role == MANAGER_WORKER;
    char slot[12];
    char option_config[] = "--config";
    char option_runtime_dir[] = "--runtime-dir";
    char option_log_level[] = "--log-level";
    char option_slot[] = "--slot";
    char *path = is_worker ? plan->worker_path : plan->frontend_path;
    char *arguments[10];
    size_t n = 0;

    snprintf(slot, sizeof(slot), "%u", request->slot);
    arguments[n++] = path;
    if (plan->config_path[0] != '\0') {
        arguments[n++] = option_config;
        arguments[n++] = plan->config_path;
    }
    arguments[n++] = option_runtime_dir;
    arguments[n++] = plan->runtime_dir;
    if (plan->log_level[0] != '\0') {
        arguments[n++] = option_log_level;
        arguments[n++] = plan->log_level;
    }
    if (is_worker) {
        arguments[n++] = option_slot;
        arguments[n++] = slot;
    }
    arguments[n] = NULL;
    return program_spawn(path, arguments);
}

/* Fills in the reply; returns the pidfd to send with it, or -1. */
static int answer_start(struct spawner_plan *plan, const struct spawner_request *request,
                        struct spawner_reply *reply)
{
    pid_t pid = plan_spawn(plan, request);
    int pidfd;

    if (pid < 0) {
        reply->result = pid;
        return -1;
    }
    /* Our child, not waited for yet: the number cannot be another's. */
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        reply->result = -errno;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return -1;
    }
    reply->pid = pid;
    return pidfd;
}

static void answer_reap(const struct spawner_request *request, struct spawner_reply *reply)
{
    siginfo_t info = {0};

    if (waitid(P_PID, (id_t)request->pid, &info, WEXITED | WNOHANG) < 0)
        reply->result = -errno;
    else if (info.si_pid == 0)
        reply->result = -EAGAIN;
    reply->pid = request->pid;
    reply->code = info.si_code;
    reply->status = info.si_status;
}

/* One request; false when controld has gone. */
static bool spawner_serve_one(struct spawner_plan *plan, int socket)
{
    struct spawner_request request;
    struct spawner_reply reply = {0};
    ssize_t size = fd_receive(socket, &request, sizeof(request), NULL, 0);
    int pidfd = -1;
    int sent;

    if (size <= 0)
        return size == -EINTR;
    if (size != sizeof(request))
        reply.result = -EPROTO;
    else if (request.op == SPAWNER_START)
        pidfd = answer_start(plan, &request, &reply);
    else if (request.op == SPAWNER_REAP && request.pid > 0)
        answer_reap(&request, &reply);
    else
        reply.result = -EINVAL;
    sent = fd_send(socket, &reply, sizeof(reply), &pidfd, pidfd >= 0 ? 1 : 0);
    fd_close(&pidfd);
    return sent == 0;
}

static _Noreturn void spawner_run(const struct spawner_plan *plan, int socket)
{
    static struct spawner_plan own;

    own = *plan;
    /* Of what controld had open, standard streams and our socket are enough; the lock above all is not ours.
     */
    if (socket != HELPER_SOCKET && dup3(socket, HELPER_SOCKET, O_CLOEXEC) < 0)
        _exit(1);
    close_range(HELPER_SOCKET + 1, UINT_MAX, 0);
    /* A session of its own: Ctrl-C in the terminal is for controld, which stops everything in order. */
    setsid();
    prctl(PR_SET_NAME, "mpa-spawner");
    while (spawner_serve_one(&own, HELPER_SOCKET)) {
    }
    _exit(0);
}

int spawner_new(const struct spawner_plan *plan)
{
    int ends[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        spawner_run(plan, ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        int error = -errno;

        close(ends[0]);
        return error;
    }
    return ends[0];
}
