/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * confine.h — the second of the two start steps of every process: after x_init_privileged() it gives up what
 * it does not need, and x_init_confined() runs with what is left.
 */
#ifndef MPA_BASE_CONFINE_H
#define MPA_BASE_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/assert.h"

/* What a process keeps. The system calls stand beside the process, in its seccomp.c. */
struct confinement {
    const int *syscalls;        /* allowed calls (SCMP_SYS numbers, negative ones of other machines skipped) */
    size_t n_syscalls;
    const int *sanitizer_syscalls; /* added only in a sanitizer build (MPA_SANITIZER) */
    size_t n_sanitizer_syscalls;
    const int *capabilities;    /* CAP_ numbers kept; usually none */
    size_t n_capabilities;
    bool is_fatal;              /* a call outside the list kills the process; else it fails with EPERM */
};

/*
 * Drops capabilities and their bounding set, sets no_new_privs, installs the filter for all threads.
 * Returns 0 or -errno; on failure the process must exit.
 */
int confine(const struct confinement *confinement) MPA_WARN_UNUSED;

#endif
