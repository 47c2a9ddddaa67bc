/* SPDX-License-Identifier: BSD-3-Clause */
/* fault_test.c — a worker that faults says of what it dies, and dies of it. */
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "shm/worker_writes.h"
#include "tests/support/unit.h"
#include "worker/worker.h"

/* Shared with the child, as it is with the frontend. */
static struct worker_half *half;

struct ending {
    int signal_number; /* 0: it ended by itself */
    uint64_t said;     /* worker_half.fault_signal */
};

static struct ending run_child(void (*deed)(int), int argument)
{
    const struct rlimit no_core = {0, 0};
    struct ending ending = {0};
    int status = -1;
    pid_t pid;

    half = mmap(NULL, sizeof(*half), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_NOT_EQUAL_FATAL(half, MAP_FAILED);
    pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        log_set_level((enum log_level)0);
        if (worker_fault_init() < 0)
            _exit(1);
        worker_fault_set_half(half);
        deed(argument);
        _exit(0);
    }
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
    ending.signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    ending.said = atomic_load(&half->fault_signal);
    munmap(half, sizeof(*half));
    return ending;
}

static void raise_it(int signal_number)
{
    raise(signal_number);
}

static void each_fault_is_said_and_ends_the_process(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct ending ending = run_child(raise_it, faults[i]);

        CU_ASSERT_EQUAL(ending.signal_number, faults[i]);
        CU_ASSERT_EQUAL(ending.said, (uint64_t)faults[i]);
    }
}

static void a_kill_from_outside_says_nothing(void)
{
    static const int kills[] = {SIGKILL, SIGTERM, SIGINT};

    for (size_t i = 0; i < sizeof(kills) / sizeof(kills[0]); i++) {
        struct ending ending = run_child(raise_it, kills[i]);

        CU_ASSERT_EQUAL(ending.signal_number, kills[i]);
        CU_ASSERT_EQUAL(ending.said, 0);
    }
}

static void touch_forbidden_page(int unused)
{
    volatile char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)unused;
    *page = 1;
}

static void a_bad_access_is_said(void)
{
    struct ending ending = run_child(touch_forbidden_page, 0);

    CU_ASSERT_EQUAL(ending.signal_number, SIGSEGV);
    CU_ASSERT_EQUAL(ending.said, SIGSEGV);
}

static void fail_assertion(int unused)
{
    (void)unused;
    mpa_assert(half == NULL);
}

static void a_failed_assertion_is_said(void)
{
    struct ending ending = run_child(fail_assertion, 0);

    CU_ASSERT_EQUAL(ending.signal_number, SIGABRT);
    CU_ASSERT_EQUAL(ending.said, SIGABRT);
}

static void call_confined(int number)
{
    if (worker_confine() < 0)
        _exit(1);
    syscall(number, 0, 0, 0);
}

static void a_forbidden_call_is_said(void)
{
    struct ending ending = run_child(call_confined, SYS_getpgid);

    CU_ASSERT_EQUAL(ending.signal_number, SIGSYS);
    CU_ASSERT_EQUAL(ending.said, SIGSYS);
}

/* A confined worker's own faults are said too: the handler stays within the list. */
static void fault_confined(int signal_number)
{
    if (worker_confine() < 0)
        _exit(1);
    if (signal_number == SIGABRT)
        abort();
    touch_forbidden_page(0);
}

static void a_confined_fault_is_said(void)
{
    CU_ASSERT_EQUAL(run_child(fault_confined, SIGABRT).said, SIGABRT);
    CU_ASSERT_EQUAL(run_child(fault_confined, SIGSEGV).said, SIGSEGV);
}

static void open_other_socket(int unused)
{
    (void)unused;
    if (worker_confine() < 0)
        _exit(1);
    close(socket(AF_UNIX, SOCK_SEQPACKET, 0));
    close(socket(AF_INET, SOCK_STREAM, 0));
}

static void map_executable(int unused)
{
    (void)unused;
    if (worker_confine() < 0)
        _exit(1);
    mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void signal_other(int unused)
{
    (void)unused;
    if (worker_confine() < 0)
        _exit(1);
    syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static void arguments_are_looked_at(void)
{
    if (MPA_SANITIZER)
        return; /* its runtime's calls are allowed whole */
    CU_ASSERT_EQUAL(run_child(open_other_socket, 0).signal_number, SIGSYS);
    CU_ASSERT_EQUAL(run_child(map_executable, 0).signal_number, SIGSYS);
    CU_ASSERT_EQUAL(run_child(signal_other, 0).signal_number, SIGSYS);
}

const char unit_suite_name[] = "worker faults";
const struct unit_test unit_tests[] = {
    {"each fault is said and ends the process by its signal", each_fault_is_said_and_ends_the_process},
    {"a kill from outside says nothing", a_kill_from_outside_says_nothing},
    {"a bad access is said", a_bad_access_is_said},
    {"a failed assertion is said", a_failed_assertion_is_said},
    {"a system call outside the list is said", a_forbidden_call_is_said},
    {"a confined worker still says of what it dies", a_confined_fault_is_said},
    {"no other socket, nothing executable, no signal to others", arguments_are_looked_at},
    {NULL, NULL}};
