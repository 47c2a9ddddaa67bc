/* SPDX-License-Identifier: BSD-3-Clause */
/* reader.c — one byte asks, an errno and a descriptor answer, until the socket closes. */
#include "controlplane/controld/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/fd.h"

#define READER_SOCKET 3 /* the first descriptor after the standard streams */
#define READER_WAIT_S 2 /* a file system that hangs must not take controld with it for longer */

struct reader_question {
    uint64_t number; /* an answer that comes too late is known by it */
};

struct reader_answer {
    uint64_t number;
    int64_t result; /* 0 or -errno */
};

/* Whoever may read the file at the start may read it later: root reads files of others too. */
static const int reader_capabilities[] = {CAP_DAC_READ_SEARCH};

static const int reader_syscalls[] = {
    SCMP_SYS(recvmsg), SCMP_SYS(sendmsg),    SCMP_SYS(openat),       SCMP_SYS(open),
    SCMP_SYS(fstat),   SCMP_SYS(newfstatat), SCMP_SYS(close),        SCMP_SYS(write),
    SCMP_SYS(brk),     SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
};

static const struct confinement reader_confinement = {
    .syscalls = reader_syscalls,
    .n_syscalls = sizeof(reader_syscalls) / sizeof(reader_syscalls[0]),
    .capabilities = reader_capabilities,
    .n_capabilities = sizeof(reader_capabilities) / sizeof(reader_capabilities[0]),
    .is_fatal = true,
};

/* ---- the helper ---- */

/* A pipe or a device could block whoever reads, or give something else each time. */
static int open_regular(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat info;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        return fd;
    close(fd);
    return -EINVAL;
}

/* False when controld has gone. */
static bool serve_one(const char *path, int socket)
{
    struct reader_question question;
    struct reader_answer answer = {0};
    ssize_t size = fd_receive(socket, &question, sizeof(question), NULL, 0);
    int fd, sent;

    if (size != (ssize_t)sizeof(question))
        return size == -EINTR;
    fd = open_regular(path);
    answer.number = question.number;
    answer.result = fd < 0 ? fd : 0;
    sent = fd_send(socket, &answer, sizeof(answer), &fd, fd >= 0 ? 1 : 0);
    fd_close(&fd);
    return sent == 0;
}

static _Noreturn void reader_run(const char *path, int socket)
{
    if (socket != READER_SOCKET && dup3(socket, READER_SOCKET, O_CLOEXEC) < 0)
        _exit(1);
    close_range(READER_SOCKET + 1, UINT_MAX, 0);
    /* A session of its own: what the terminal says is for controld. */
    setsid();
    prctl(PR_SET_NAME, "mpa-reader");
    if (confine(&reader_confinement) != 0)
        _exit(1);
    while (serve_one(path, READER_SOCKET)) {
    }
    _exit(0);
}

/* ---- in controld ---- */

int reader_init(struct reader *reader, const char *path)
{
    const struct timeval wait = {.tv_sec = READER_WAIT_S};
    int ends[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    pid = setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ? -1 : fork();
    if (pid == 0) {
        close(ends[0]);
        reader_run(path, ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        int error = -errno;

        close(ends[0]);
        return error;
    }
    reader->socket = ends[0];
    return 0;
}

void reader_fini(struct reader *reader)
{
    fd_close(&reader->socket);
}

int reader_open(struct reader *reader)
{
    struct reader_question question = {++reader->last_number};
    struct reader_answer answer;
    int fd = -1;
    int error = fd_send(reader->socket, &question, sizeof(question), NULL, 0);

    if (error != 0)
        return error;
    do {
        ssize_t size;

        fd_close(&fd);
        size = fd_receive(reader->socket, &answer, sizeof(answer), &fd, 1);
        if (size != (ssize_t)sizeof(answer)) {
            fd_close(&fd);
            return size < 0 ? (int)size : -EPIPE;
        }
    } while (answer.number != question.number);
    if (answer.result == 0 && fd < 0)
        return -EPIPE;
    return answer.result == 0 ? fd : (int)answer.result;
}
