/* SPDX-License-Identifier: BSD-3-Clause */
/* signals.h — the end of a command that runs, or waits, until it is told to stop. */
#ifndef MPA_MPACTL_SIGNALS_H
#define MPA_MPACTL_SIGNALS_H

#include <stdbool.h>

#include "base/assert.h"

/* Routes SIGINT and SIGTERM into a descriptor and ignores SIGPIPE. Before nng starts threads. Returns the
 * descriptor or -errno. */
int signals_open(void) MPA_WARN_UNUSED;

/* Waits so long at most; true when one of the signals has come. */
bool signals_wait(int signals_fd, int wait_ms);

/* For a command that waits but has nothing to read: from now on SIGINT and SIGTERM end no process, they are
 * remembered. May be called when nng has threads. */
void signals_remember(void);
bool signals_remembered(void);

#endif
