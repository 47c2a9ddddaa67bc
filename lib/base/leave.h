/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * leave.h — the end of a process whose work is done does not wait for a library for ever. nng 1.5.2 may
 * never come back from nng_close() when a connection ends while it is being closed.
 */
#ifndef MPA_BASE_LEAVE_H
#define MPA_BASE_LEAVE_H

#include <stdint.h>

#define LEAVE_MAX_FILES 4u

/* A file of `folder` that goes with the process, should it have to leave so. A longer path than a socket may
 * have, and more than LEAVE_MAX_FILES, are bugs. */
void leave_file(const char *folder, const char *name);

/* From now on the process ends with `exit_code` after so many milliseconds, wherever it is then: one line to
 * standard error, the files, _exit(). The confined need setitimer, rt_sigaction, rt_sigprocmask and unlink.
 */
void leave_within(uint32_t ms, int exit_code);

#endif
