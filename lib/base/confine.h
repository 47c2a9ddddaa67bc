/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * confine.h — the second of the two start steps of every process: after x_init_privileged() it gives up what
 * it does not need, and x_init_confined() runs with what is left.
 */
#ifndef MPA_BASE_CONFINE_H
#define MPA_BASE_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

/* A call that is allowed only as long as one of its arguments has bits as they should be; several for one
 * call: any of them. */
struct confinement_argument {
    int syscall;
    unsigned argument; /* from 0 */
    uint64_t mask;     /* the bits that are looked at */
    uint64_t value;    /* and what they must be */
};

/* What a process keeps. The system calls stand beside the process, in its seccomp.c. */
struct confinement {
    const int *syscalls; /* allowed calls (SCMP_SYS numbers, negative ones of other machines skipped) */
    size_t n_syscalls;
    const struct confinement_argument *arguments; /* allowed calls beside those of the list */
    size_t n_arguments;
    const int *capabilities; /* CAP_ numbers kept; usually none */
    size_t n_capabilities;
    bool may_signal_itself; /* tgkill, to threads of its own only: what abort() and raise() end in */
    bool is_fatal;          /* a call outside the list raises SIGSYS; else it fails with EPERM */
};

/*
 * Both steps below, and between them a look at every thread: -EPERM when one of them still holds a capability
 * that is not in the list. Returns 0 or -errno; on failure the process must exit.
 */
int confine(const struct confinement *confinement) MPA_WARN_UNUSED;

/*
 * Sets no_new_privs for the process, drops capabilities (permitted, effective, inheritable, ambient,
 * bounding) of the calling thread. They are a thread's own: call this before starting threads, confine()
 * after them.
 */
int confine_capabilities(const struct confinement *confinement) MPA_WARN_UNUSED;

/* Installs the filter for all threads; needs no_new_privs, as confine_capabilities() leaves it. */
int confine_syscalls(const struct confinement *confinement) MPA_WARN_UNUSED;

#endif
