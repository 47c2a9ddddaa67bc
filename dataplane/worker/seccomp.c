/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * seccomp.c — the system calls of a worker once it serves. It speaks with the world through shared memory, so
 * the list is that of a process that waits, wakes, looks at the clock, maps what another worker or the next
 * frontend hands it, comes back to that frontend, and ends. It opens no file and starts no program; nothing
 * becomes executable, no socket but a Unix one is made, no signal reaches another process. A call outside the
 * list is a worker that somebody else runs: SIGSYS.
 */
#include <fcntl.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/confine.h"
#include "base/log.h"
#include "worker/worker.h"

#define WORKER_INT_BITS 0xffffffffull /* an int argument: what stands above it is nobody's */

static const int worker_syscalls[] = {
    /* the loop: wake and attach sockets, the signal descriptor, the log */
    SCMP_SYS(ppoll),
    SCMP_SYS(poll),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(close),
    /* the clock, where the vDSO has none; chance */
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(getrandom),
    SCMP_SYS(sched_yield),
    /* the C library's memory and locks: no loop asks for any, starting the stack and adopting do */
    SCMP_SYS(munmap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    /* signals and the end; what abort() sends is allowed to itself only (may_signal_itself) */
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    /* the C library looks at a stream before it first writes there */
    SCMP_SYS(newfstatat),
    SCMP_SYS(fstat),
    /* return.c: the half of a new lane, and the way to whoever listens there now */
    SCMP_SYS(connect),
    SCMP_SYS(memfd_create),
    SCMP_SYS(ftruncate),
};

int worker_confine(void)
{
    const struct confinement_argument arguments[] = {
        {SCMP_SYS(mmap), 2, PROT_EXEC, 0},
        {SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
        {SCMP_SYS(socket), 0, WORKER_INT_BITS, AF_UNIX},
        {SCMP_SYS(fcntl), 1, WORKER_INT_BITS, F_GET_SEALS},
        {SCMP_SYS(fcntl), 1, WORKER_INT_BITS, F_ADD_SEALS},
    };
    const struct confinement confinement = {
        .syscalls = worker_syscalls,
        .n_syscalls = sizeof(worker_syscalls) / sizeof(worker_syscalls[0]),
        .arguments = arguments,
        .n_arguments = sizeof(arguments) / sizeof(arguments[0]),
        .may_signal_itself = true,
        .is_fatal = true,
    };
    int failed = confine(&confinement);

    if (failed < 0)
        log_error("confine_failed error=\"%s\"", strerror(-failed));
    return failed;
}
