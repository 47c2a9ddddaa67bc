/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * confine.c — no_new_privs, then capabilities, then the system call filter: each step needs what the next one
 * takes away.
 *
 * no_new_privs and the filter reach every thread of the process. Capabilities belong to a thread and the
 * kernel lets nobody change those of another, so threads that are to be confined start after
 * confine_capabilities(); confine() looks at all threads and refuses to call a process confined that is not.
 */
#include "base/confine.h"

#include <cap-ng.h>
#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

/* The list as a mask of CAP_ numbers, as the kernel keeps them. */
static uint64_t kept_mask(const struct confinement *confinement)
{
    uint64_t mask = 0;

    for (size_t i = 0; i < confinement->n_capabilities; i++)
        mask |= UINT64_C(1) << confinement->capabilities[i];
    return mask;
}

static uint64_t thread_capabilities(pid_t thread);

/* What was never held is not asked for: the same list then serves root and an ordinary user. Who holds
 * nothing is done with no_new_privs: it may have been started without the right to the calls that follow. */
int confine_capabilities(const struct confinement *confinement)
{
    capng_select_t sets = CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT;
    uint64_t had = 0;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    if (thread_capabilities(0) == 0)
        return 0;
    if (capng_get_caps_process() < 0)
        return -EPERM;
    /* The bounding set takes CAP_SETPCAP to shrink; whoever has not got it cannot gain by the set either,
     * for no_new_privs is on. */
    if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
        sets |= CAPNG_SELECT_BOUNDS;
    for (size_t i = 0; i < confinement->n_capabilities; i++) {
        if (capng_have_capability(CAPNG_PERMITTED, (unsigned)confinement->capabilities[i]))
            had |= UINT64_C(1) << confinement->capabilities[i];
    }
    capng_clear(CAPNG_SELECT_ALL);
    for (size_t i = 0; i < confinement->n_capabilities; i++) {
        /* A list says what may be kept: a user without privilege has nothing to keep. */
        if ((had >> confinement->capabilities[i] & 1) != 0 &&
            capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
                         (unsigned)confinement->capabilities[i]) < 0)
            return -EINVAL;
    }
    if (capng_apply(sets) < 0) {
        log_error("confine_failed step=capabilities");
        return -EPERM;
    }
    return 0;
}

/* What a thread may use or take back, as a mask of CAP_ numbers; 0 when the thread has ended meanwhile. */
static uint64_t thread_capabilities(pid_t thread)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = thread};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {0};

    if (syscall(SYS_capget, &header, sets) < 0)
        return 0;
    return (uint64_t)sets[0].permitted | (uint64_t)sets[1].permitted << 32;
}

/* A thread with more rights shares our memory: whoever takes over one of us has them too. Threads that end
 * while we look have nothing left to give up. */
static int check_threads(uint64_t kept)
{
    DIR *tasks = opendir("/proc/self/task");
    int status = 0;

    if (tasks == NULL)
        return -errno;
    for (struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks)) {
        const pid_t thread = (pid_t)strtol(task->d_name, NULL, 10);
        if (thread > 0 && (thread_capabilities(thread) & ~kept) != 0) {
            log_error("confine_failed step=threads thread=%d reason=\"started before confine_capabilities\"",
                      (int)thread);
            status = -EPERM;
        }
    }
    closedir(tasks);
    return status;
}

/*
 * The sanitizer variant of every list: what the runtimes of ASan, UBSan, LeakSanitizer and TSan call besides,
 * above all at the end, when the leak checker stops all threads from a helper of its own. Only in a sanitizer
 * build.
 */
static const int sanitizer_syscalls[] = {
    SCMP_SYS(access),
    SCMP_SYS(arch_prctl),
    SCMP_SYS(brk),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clone),
    SCMP_SYS(clone3),
    SCMP_SYS(close),
    SCMP_SYS(connect),
    SCMP_SYS(dup),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(fcntl),
    SCMP_SYS(fstat),
    SCMP_SYS(futex),
    SCMP_SYS(getdents),
    SCMP_SYS(getdents64),
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    SCMP_SYS(getrusage),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(ioctl),
    SCMP_SYS(kill),
    SCMP_SYS(lseek),
    SCMP_SYS(madvise),
    SCMP_SYS(mmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(mremap),
    SCMP_SYS(munmap),
    SCMP_SYS(newfstatat),
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(pipe2),
    SCMP_SYS(prctl),
    SCMP_SYS(prlimit64),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(ptrace),
    SCMP_SYS(read),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(rseq),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_yield),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(socket),
    SCMP_SYS(sysinfo),
    SCMP_SYS(tgkill),
    SCMP_SYS(tkill),
    SCMP_SYS(uname),
    SCMP_SYS(wait4),
    SCMP_SYS(write),
};

/* Calls of the list, whatever their arguments. */
static int allow(scmp_filter_ctx filter, const int *syscalls, size_t n_syscalls)
{
    for (size_t i = 0; i < n_syscalls; i++) {
        int status;

        if (syscalls[i] < 0)
            continue; /* libseccomp's numbers for calls this machine does not have */
        status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, syscalls[i], 0);
        if (status < 0)
            return status;
    }
    return 0;
}

/* A sanitizer's runtime calls the same with arguments of its own: there the list below allows them whole. */
static int allow_arguments(scmp_filter_ctx filter, const struct confinement *confinement)
{
    for (size_t i = 0; i < confinement->n_arguments; i++) {
        const struct confinement_argument *rule = &confinement->arguments[i];
        const struct scmp_arg_cmp compare = {
            .arg = rule->argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = rule->mask, .datum_b = rule->value};
        int status;

        if (rule->syscall < 0)
            continue;
        status = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rule->syscall, 1, &compare);
        if (status < 0)
            return status;
    }
    return 0;
}

/*
 * To a process of the same user tgkill() is a weapon, and without it an assertion that fails would look like
 * a forbidden call (SIGSYS) instead of what it is (SIGABRT). The number is fixed here, so whoever confines
 * itself must not fork afterwards.
 */
static int allow_own_signals(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp is_own = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)getpid()};

    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &is_own);
}

/* The binary tree (optimisation 2) matters: the data plane makes a call per burst and the list is long. */
static int fill_and_load(scmp_filter_ctx filter, const struct confinement *confinement)
{
    int status = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

    if (status == 0)
        status = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (status == 0)
        status = allow(filter, confinement->syscalls, confinement->n_syscalls);
    if (status == 0)
        status = allow_arguments(filter, confinement);
    if (status == 0 && confinement->may_signal_itself)
        status = allow_own_signals(filter);
    if (status == 0 && MPA_SANITIZER)
        status =
            allow(filter, sanitizer_syscalls, sizeof(sanitizer_syscalls) / sizeof(sanitizer_syscalls[0]));
    return status == 0 ? seccomp_load(filter) : status;
}

/* On failure nothing is installed, and the caller ends: half confined is not a state to run in. */
int confine_syscalls(const struct confinement *confinement)
{
    /* A trap, not a kill: the SIGSYS ends the process just as surely, but a fault handler may first note
     * which frame was in hand. */
    const uint32_t outside = confinement->is_fatal ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(EPERM);
    scmp_filter_ctx filter = seccomp_init(outside);
    int status;

    if (filter == NULL)
        return -ENOMEM;
    status = fill_and_load(filter, confinement);
    seccomp_release(filter);
    if (status < 0)
        log_error("confine_failed step=syscalls error=%d", -status);
    return status;
}

/* Calling the first step again is harmless: there is nothing left to drop. */
int confine(const struct confinement *confinement)
{
    int status = confine_capabilities(confinement);

    if (status == 0)
        status = check_threads(kept_mask(confinement));
    return status == 0 ? confine_syscalls(confinement) : status;
}
