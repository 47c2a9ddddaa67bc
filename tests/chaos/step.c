/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * step.c — mpa-step PID START LAST TRIES STEPS: kills a process after a certain instruction of its commit.
 *
 * It lets the process run to address START, single-steps it for STEPS instructions, and kills it there, with
 * SIGKILL, before the next one. The window ends with the return from the function at LAST; one that was
 * shorter does not count and the next is stepped, up to TRIES of them; behind the last the process is killed
 * all the same. One line of JSON: {"steps":N,"window":false}, or {"steps":N,"window":true} with the length of
 * the longest window when none had so many instructions.
 *
 * START and LAST are addresses in the running process, hexadecimal. x86-64 only: a breakpoint is one byte.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)

#define STEP_TIMEOUT_S 20u
#define STEP_MAX 1000000ul
#define STEP_INT3 0xccul

struct tracee {
    pid_t pid;
    uintptr_t start, last;
    long start_word; /* what stands at `start` */
};

static int fail(const struct tracee *tracee, const char *what)
{
    fprintf(stderr, "mpa-step: %s: %s\n", what, strerror(errno));
    kill(tracee->pid, SIGKILL);
    return EXIT_FAILURE;
}

/* Waits for the next stop of the process; other signals than SIGTRAP are handed on. 0 or -1. */
static int wait_trap(const struct tracee *tracee, enum __ptrace_request how)
{
    long signal_number = 0;

    for (;;) {
        int status;

        if (ptrace(how, tracee->pid, NULL, signal_number) < 0 || waitpid(tracee->pid, &status, __WALL) < 0)
            return -1;
        if (!WIFSTOPPED(status)) {
            errno = ESRCH;
            return -1;
        }
        if (WSTOPSIG(status) == SIGTRAP)
            return 0;
        signal_number = WSTOPSIG(status);
    }
}

static int get_registers(const struct tracee *tracee, struct user_regs_struct *registers)
{
    return ptrace(PTRACE_GETREGS, tracee->pid, NULL, registers) < 0 ? -1 : 0;
}

static int put_word(const struct tracee *tracee, uintptr_t address, long word)
{
    return ptrace(PTRACE_POKETEXT, tracee->pid, address, word) < 0 ? -1 : 0;
}

static int set_breakpoint(const struct tracee *tracee)
{
    unsigned long word = ((unsigned long)tracee->start_word & ~0xfful) | STEP_INT3;

    return put_word(tracee, tracee->start, (long)word);
}

/* Runs to the breakpoint and stands before its instruction, which is whole again. */
static int run_to_start(const struct tracee *tracee)
{
    struct user_regs_struct registers;

    if (set_breakpoint(tracee) < 0 || wait_trap(tracee, PTRACE_CONT) < 0 ||
        get_registers(tracee, &registers) < 0)
        return -1;
    registers.rip = tracee->start;
    return ptrace(PTRACE_SETREGS, tracee->pid, NULL, &registers) < 0
               ? -1
               : put_word(tracee, tracee->start, tracee->start_word);
}

static int attach(struct tracee *tracee)
{
    int status;

    if (ptrace(PTRACE_ATTACH, tracee->pid, NULL, NULL) < 0 || waitpid(tracee->pid, &status, __WALL) < 0)
        return -1;
    errno = 0;
    tracee->start_word = ptrace(PTRACE_PEEKTEXT, tracee->pid, tracee->start, NULL);
    return errno != 0 ? -1 : 0;
}

/* Steps until so many instructions are done or the function at `last` has returned. Returns how many, or -1.
 */
static long step(const struct tracee *tracee, unsigned long n_max, bool *is_whole)
{
    uintptr_t return_address = 0;
    unsigned long return_stack = 0;

    *is_whole = false;
    for (unsigned long n = 0; n < n_max; n++) {
        struct user_regs_struct registers;

        if (get_registers(tracee, &registers) < 0)
            return -1;
        if (registers.rip == tracee->last) {
            errno = 0;
            return_address = (uintptr_t)ptrace(PTRACE_PEEKDATA, tracee->pid, registers.rsp, NULL);
            return_stack = registers.rsp;
        }
        if (return_address != 0 && registers.rip == return_address && registers.rsp > return_stack) {
            *is_whole = true;
            return (long)n;
        }
        if (wait_trap(tracee, PTRACE_SINGLESTEP) < 0)
            return -1;
    }
    return (long)n_max;
}

int main(int argc, char **argv)
{
    struct tracee tracee;
    unsigned long n_tries, n_max;
    long n_longest = 0;
    bool is_whole = true;

    if (argc != 6) {
        fputs("usage: mpa-step PID START LAST TRIES STEPS\n", stderr);
        return EXIT_FAILURE;
    }
    tracee = (struct tracee){.pid = (pid_t)strtol(argv[1], NULL, 10),
                             .start = strtoull(argv[2], NULL, 16),
                             .last = strtoull(argv[3], NULL, 16)};
    n_tries = strtoul(argv[4], NULL, 10);
    n_max = strtoul(argv[5], NULL, 10);
    n_max = n_max < STEP_MAX ? n_max : STEP_MAX;
    alarm(STEP_TIMEOUT_S); /* our end is the end of the trace, and lets the process go */
    if (attach(&tracee) < 0)
        return fail(&tracee, "attach");
    for (unsigned long i = 0; i < n_tries && is_whole; i++) {
        long n_steps;

        if (run_to_start(&tracee) < 0)
            return fail(&tracee, "run to the breakpoint");
        n_steps = step(&tracee, n_max, &is_whole);
        if (n_steps < 0)
            return fail(&tracee, "single step");
        n_longest = !is_whole || n_steps > n_longest ? n_steps : n_longest;
    }
    kill(tracee.pid, SIGKILL);
    printf("{\"steps\":%ld,\"window\":%s}\n", n_longest, is_whole ? "true" : "false");
    return EXIT_SUCCESS;
}

#else

int main(void)
{
    fputs("mpa-step: only on x86-64\n", stderr);
    return EXIT_FAILURE;
}

#endif
