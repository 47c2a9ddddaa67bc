/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fault.c — the last words of a worker that dies of a fault of its own: the signal, written into its half of
 * the lane. With the note which frame was in hand (worker_half.suspect) this is what accuses a frame; a
 * worker that is killed from outside by SIGKILL says nothing and accuses nobody.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/worker_writes.h"
#include "worker/worker.h"

/* Enough for the frame of any CPU's registers (AVX-512, AMX) and a handler that calls nothing deep. */
#define FAULT_STACK_BYTES (64u << 10)

/* A signal handler gets no context. Written by the worker's one thread, read by the handler on it. */
static _Atomic(struct worker_half *) fault_half;

/* SIGSYS: a system call outside of seccomp.c. */
static const int fault_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};

static void fault_handler(int signal_number)
{
    struct worker_half *half = atomic_load_explicit(&fault_half, memory_order_relaxed);

    if (half != NULL)
        atomic_store_explicit(&half->fault_signal, (uint64_t)signal_number, memory_order_release);
    /* SA_RESETHAND has brought the default action back and SA_NODEFER lets the signal through, so it ends the
     * process right here, whether the fault would come again by itself or not. */
    syscall(SYS_tgkill, getpid(), gettid(), signal_number);
}

void worker_fault_set_half(struct worker_half *half)
{
    atomic_store_explicit(&fault_half, half, memory_order_relaxed);
}

/* A stack of its own: an overflow of the ordinary one is a fault too. The sanitizers' runtime brings one and
 * wants it back at the end. */
static int fault_stack(void)
{
    static uint8_t bytes[FAULT_STACK_BYTES];
    stack_t own = {.ss_sp = bytes, .ss_size = sizeof(bytes)}, there;

    if (sigaltstack(NULL, &there) < 0)
        return -errno;
    if ((there.ss_flags & SS_DISABLE) == 0)
        return 0;
    return sigaltstack(&own, NULL) < 0 ? -errno : 0;
}

int worker_fault_init(void)
{
    struct sigaction action = {.sa_handler = fault_handler,
                               .sa_flags = (int)(SA_ONSTACK | SA_NODEFER | SA_RESETHAND)};
    int failed = fault_stack();

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; failed == 0 && i < sizeof(fault_signals) / sizeof(fault_signals[0]); i++)
        failed = sigaction(fault_signals[i], &action, NULL) < 0 ? -errno : 0;
    return failed;
}
