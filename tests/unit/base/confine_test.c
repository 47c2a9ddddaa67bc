/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * confine_test.c — a confined process can do what its list has and nothing else. Each test confines a child,
 * which ends with 0 when it saw what it should; no root needed, for everybody may give up rights.
 */
#include "base/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/support/unit.h"

static const int few_calls[] = {
    SCMP_SYS(exit_group), SCMP_SYS(exit),        SCMP_SYS(futex), SCMP_SYS(munmap),
    SCMP_SYS(madvise),    SCMP_SYS(sched_yield), -10001};

static struct confinement confinement_of(bool is_fatal)
{
    return (struct confinement){
        .syscalls = few_calls, .n_syscalls = sizeof(few_calls) / sizeof(few_calls[0]), .is_fatal = is_fatal};
}

/* Runs `child` in a process of its own, which leaves no core; returns how it ended, as waitpid() says it. */
static int run_child(int (*child)(void))
{
    const struct rlimit no_core = {0, 0};
    int status = -1;
    const pid_t pid = fork();

    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        _exit(child());
    }
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
    return status;
}

static int call_outside_the_list(void)
{
    const struct confinement confinement = confinement_of(false);

    if (confine(&confinement) != 0)
        return 1;
    return syscall(SYS_getpgid, 0) == -1 && errno == EPERM ? 0 : 2;
}

static void a_call_outside_the_list_fails(void)
{
    CU_ASSERT_EQUAL(run_child(call_outside_the_list), 0);
}

static int call_outside_the_fatal_list(void)
{
    const struct confinement confinement = confinement_of(true);

    if (confine(&confinement) != 0)
        return 1;
    syscall(SYS_getpgid, 0);
    return 2;
}

static void a_call_outside_a_fatal_list_ends_the_process(void)
{
    const int status = run_child(call_outside_the_fatal_list);

    CU_ASSERT_TRUE(WIFSIGNALED(status));
    CU_ASSERT_EQUAL(WTERMSIG(status), SIGSYS);
}

/* getpriority() with 1 or 2 for its first argument, dup3() with an even third one. */
static int calls_by_argument(void)
{
    static const struct confinement_argument arguments[] = {{SCMP_SYS(getpriority), 0, 0xffffffffu, 1},
                                                            {SCMP_SYS(getpriority), 0, 0xffffffffu, 2},
                                                            {SCMP_SYS(dup3), 2, 1, 0}};
    struct confinement confinement = confinement_of(false);

    confinement.arguments = arguments;
    confinement.n_arguments = sizeof(arguments) / sizeof(arguments[0]);
    if (confine(&confinement) != 0)
        return 1;
    if (syscall(SYS_getpriority, 1, 0) < 0 || syscall(SYS_getpriority, 2, 0) < 0)
        return 2;
    errno = 0;
    if (syscall(SYS_getpriority, 0, 0) != -1 || errno != EPERM)
        return 3;
    if (syscall(SYS_dup3, -1, -1, 6) != -1 || errno == EPERM)
        return 4;
    return syscall(SYS_dup3, -1, -1, 7) == -1 && errno == EPERM ? 0 : 5;
}

static void an_argument_decides(void)
{
    CU_ASSERT_EQUAL(run_child(calls_by_argument), 0);
}

static struct confinement confinement_with_signals(void)
{
    struct confinement confinement = confinement_of(false);

    confinement.may_signal_itself = true;
    return confinement;
}

static int signal_self_and_parent(void)
{
    const struct confinement confinement = confinement_with_signals();
    const pid_t self = getpid(), parent = getppid();

    if (confine(&confinement) != 0)
        return 1;
    if (syscall(SYS_tgkill, self, self, 0) != 0)
        return 2;
    /* The sanitizers' own list has the call without a condition. */
    if (MPA_SANITIZER)
        return 0;
    return syscall(SYS_tgkill, parent, parent, 0) == -1 && errno == EPERM ? 0 : 3;
}

static void signals_go_to_itself_and_nobody_else(void)
{
    CU_ASSERT_EQUAL(run_child(signal_self_and_parent), 0);
}

/* The calls that abort() makes besides; a fatal list, as the data plane has it. */
static int abort_confined(void)
{
    static const int calls[] = {SCMP_SYS(exit_group), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction),
                                SCMP_SYS(gettid), SCMP_SYS(getpid)};
    const struct confinement confinement = {.syscalls = calls,
                                            .n_syscalls = sizeof(calls) / sizeof(calls[0]),
                                            .may_signal_itself = true,
                                            .is_fatal = true};

    if (confine(&confinement) != 0)
        return 1;
    abort();
}

static void a_confined_process_can_still_abort(void)
{
    const int status = run_child(abort_confined);

    CU_ASSERT_TRUE(WIFSIGNALED(status));
    CU_ASSERT_EQUAL(WTERMSIG(status), SIGABRT);
}

static pthread_barrier_t barrier;
static int thread_errno;

static void *try_in_thread(void *unused)
{
    (void)unused;
    pthread_barrier_wait(&barrier); /* started */
    pthread_barrier_wait(&barrier); /* confined */
    thread_errno = syscall(SYS_getpgid, 0) == -1 ? errno : 0;
    return NULL;
}

/* The thread starts between the two steps, as the helper threads of a process do. */
static int confine_with_thread(void)
{
    const struct confinement confinement = confinement_of(false);
    pthread_t thread;

    if (confine_capabilities(&confinement) != 0 || pthread_barrier_init(&barrier, NULL, 2) != 0 ||
        pthread_create(&thread, NULL, try_in_thread, NULL) != 0)
        return 1;
    pthread_barrier_wait(&barrier);
    if (confine(&confinement) != 0)
        return 2;
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    return thread_errno == EPERM ? 0 : 3;
}

static void the_filter_reaches_every_thread(void)
{
    CU_ASSERT_EQUAL(run_child(confine_with_thread), 0);
}

static int give_up_capabilities(void)
{
    const struct confinement confinement = confinement_of(false);
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

    if (confine_capabilities(&confinement) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 1;
    if (syscall(SYS_capget, &header, sets) != 0)
        return 2;
    for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        if ((sets[i].permitted | sets[i].effective | sets[i].inheritable) != 0)
            return 3;
    }
    return 0;
}

static void no_capability_is_left(void)
{
    CU_ASSERT_EQUAL(run_child(give_up_capabilities), 0);
}

/* Only root has capabilities to leave behind in a thread; for others there is nothing to find. */
static int confine_with_early_thread(void)
{
    const struct confinement confinement = confinement_of(false);
    pthread_t thread;

    log_set_level((enum log_level)0); /* the error it logs is what we want */
    if (pthread_barrier_init(&barrier, NULL, 2) != 0 ||
        pthread_create(&thread, NULL, try_in_thread, NULL) != 0)
        return 1;
    pthread_barrier_wait(&barrier);
    return confine(&confinement) == (geteuid() == 0 ? -EPERM : 0) ? 0 : 2;
}

static void a_thread_with_capabilities_is_found(void)
{
    CU_ASSERT_EQUAL(run_child(confine_with_early_thread), 0);
}

const char unit_suite_name[] = "confine";
const struct unit_test unit_tests[] = {
    {"a call outside the list fails", a_call_outside_the_list_fails},
    {"a call outside a fatal list ends the process by SIGSYS", a_call_outside_a_fatal_list_ends_the_process},
    {"a call may be allowed by its argument", an_argument_decides},
    {"signals go to itself and to nobody else", signals_go_to_itself_and_nobody_else},
    {"a confined process can still abort", a_confined_process_can_still_abort},
    {"the filter reaches every thread", the_filter_reaches_every_thread},
    {"no capability is left, and no new privileges", no_capability_is_left},
    {"a thread that kept its capabilities is found", a_thread_with_capabilities_is_found},
    {NULL, NULL}};
