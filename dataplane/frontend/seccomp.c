/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * seccomp.c — the system calls of a frontend once its NIC is open; nng's threads are under the same list.
 *
 * It is longer than a worker's because workers and clients come and go: sockets are accepted, segments made
 * and mapped, and nng starts and ends threads. What is not here matters more: no open, no connect, no execve,
 * no ptrace, so whoever takes it over has the NIC and the lanes, and nothing else of the machine.
 */
#include <seccomp.h>
#include <string.h>

#include "base/confine.h"
#include "base/log.h"
#include "frontend/frontend.h"

static const int frontend_syscalls[] = {
    /* the data loop: NIC, lanes, waiting */
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(getrandom),
    /* attaching workers */
    SCMP_SYS(accept4),
    SCMP_SYS(accept),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(socketpair),
    SCMP_SYS(memfd_create),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fcntl),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(close),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(pwrite64),
    /* nng's threads and the control thread */
    SCMP_SYS(futex),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(pipe2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(geteuid),
    SCMP_SYS(ioctl),
    SCMP_SYS(clone3),
    SCMP_SYS(clone),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(unlink),
    SCMP_SYS(prctl),
    /* the end; what abort() sends is allowed to itself only (may_signal_itself) */
    SCMP_SYS(getpid),
    SCMP_SYS(geteuid), /* who asks, against who we are */
    SCMP_SYS(gettid),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(setitimer),
    SCMP_SYS(setpriority),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(sysinfo),
};

static const struct confinement frontend_confinement = {
    .syscalls = frontend_syscalls,
    .n_syscalls = sizeof(frontend_syscalls) / sizeof(frontend_syscalls[0]),
    .may_signal_itself = true,
    .is_fatal = true,
};

/* To go on without it would be to say in main.c's TRUST block what is not so. */
static int frontend_confined(int failed)
{
    if (failed < 0)
        log_error("confine_failed error=\"%s\"", strerror(-failed));
    return failed;
}

int frontend_drop_capabilities(void)
{
    return frontend_confined(confine_capabilities(&frontend_confinement));
}

int frontend_confine(void)
{
    return frontend_confined(confine(&frontend_confinement));
}
