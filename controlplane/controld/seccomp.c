/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * seccomp.c — what controld keeps: the calls of its loop and of nng's threads, and the right to signal its
 * processes. No execve, no fork, no ptrace: programs are started by the helper (spawner.h).
 *
 * Its processes are signalled by pidfd, which cannot meet another that has the number by now: so CAP_KILL
 * stays, for they may run as other users, but neither kill() nor tgkill() to anybody else does.
 */
#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <string.h>

#include "base/log.h"
#include "controlplane/controld/controld.h"

static const int controld_capabilities[] = {CAP_KILL};

static const int controld_syscalls[] = {
    /* the loop: sd-event, pidfds, the helper's socket, the notify socket */
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(signalfd4),
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(fcntl),
    SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(pidfd_open), /* manager_systemd.c: systemd tells numbers */
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(getrandom),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(lseek),
    SCMP_SYS(ftruncate), /* runtime_keep() */
    /* nng: its sockets come and go with clients and with the frontend */
    SCMP_SYS(socket),
    SCMP_SYS(connect),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(shutdown),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(recvfrom),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(eventfd2),
    SCMP_SYS(pipe2),
    SCMP_SYS(ioctl),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(futex),
    /* memory and threads */
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(mremap),
    SCMP_SYS(brk),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sysinfo),
    SCMP_SYS(prctl),
    /* signals and the end */
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(setitimer),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

static const struct confinement controld_confinement = {
    .syscalls = controld_syscalls,
    .n_syscalls = sizeof(controld_syscalls) / sizeof(controld_syscalls[0]),
    .capabilities = controld_capabilities,
    .n_capabilities = sizeof(controld_capabilities) / sizeof(controld_capabilities[0]),
    .may_signal_itself = true,
    .is_fatal = true,
};

int controld_confine_capabilities(void)
{
    int error = confine_capabilities(&controld_confinement);

    if (error != 0)
        log_error("confine_failed step=capabilities error=\"%s\"", strerror(-error));
    return error;
}

int controld_confine(void)
{
    int error = confine(&controld_confinement);

    if (error != 0)
        log_error("confine_failed error=\"%s\"", strerror(-error));
    return error;
}
