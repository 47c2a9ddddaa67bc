/* SPDX-License-Identifier: BSD-3-Clause */
/* seccomp.c — the system calls of a worker once it serves: waiting, waking, the clock, its end. */
#include <seccomp.h>
#include <string.h>

#include "base/confine.h"
#include "base/log.h"
#include "worker/worker.h"

static const int worker_syscalls[] = {
    SCMP_SYS(ppoll),
    SCMP_SYS(poll),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(close),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(getrandom),
    SCMP_SYS(sched_yield),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(tgkill),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(newfstatat),
    SCMP_SYS(fstat),
};

/* What the runtimes of ASan, UBSan and LeakSanitizer call besides. */
static const int worker_sanitizer_syscalls[] = {
    SCMP_SYS(sigaltstack),
    SCMP_SYS(openat),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(clone),
    SCMP_SYS(clone3),
    SCMP_SYS(wait4),
    SCMP_SYS(ptrace),
    SCMP_SYS(prctl),
    SCMP_SYS(getdents64),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(sched_yield),
    SCMP_SYS(uname),
    SCMP_SYS(prlimit64),
    SCMP_SYS(mremap),
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(lseek),
    SCMP_SYS(fcntl),
    SCMP_SYS(dup),
    SCMP_SYS(socket),
    SCMP_SYS(connect),
    SCMP_SYS(ioctl),
    SCMP_SYS(kill),
    SCMP_SYS(pipe2),
};

int worker_confine(void)
{
    const struct confinement confinement = {
        .syscalls = worker_syscalls,
        .n_syscalls = sizeof(worker_syscalls) / sizeof(worker_syscalls[0]),
        .sanitizer_syscalls = worker_sanitizer_syscalls,
        .n_sanitizer_syscalls = sizeof(worker_sanitizer_syscalls) / sizeof(worker_sanitizer_syscalls[0]),
        .is_fatal = true,
    };
    int failed = confine(&confinement);

    if (failed < 0)
        log_error("confine_failed error=\"%s\"", strerror(-failed));
    return failed;
}
