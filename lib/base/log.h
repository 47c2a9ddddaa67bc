/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.h — one line an event: `event key=value ...` to standard error, with a journal priority prefix
 * (<3> and so on) when standard error is the journal, else a time stamp and the process name.
 *
 * ERROR a human must act, WARN degraded and heals itself, INFO life cycle, DEBUG off by default.
 * Nothing per packet: log_held() reports the first, then at most one a second with the number held back.
 */
#ifndef MPA_BASE_LOG_H
#define MPA_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/*
 * Where standard error is the journal and its socket is there, a line goes to it as fields: MESSAGE,
 * PRIORITY, SYSLOG_IDENTIFIER, MPA_EVENT for the first word, and MPA_KEY for each key=value, so that
 * `journalctl MPA_EVENT=process_ended MPA_SLOT=3` finds it.
 */

/* Sets the name that stands in front of each line; `name` is borrowed for the life of the process. */
void log_init(const char *name, enum log_level level);
void log_set_level(enum log_level level);
/* The journal's socket, instead of the usual one. Without it lines go to standard error. */
void log_use_journal(const char *socket_path);
enum log_level log_level(void);
/* The same while we run, and one line at INFO that tells, where the old or the new level lets it through. */
void log_change_level(enum log_level level);

/* "error", "warn", "info", "debug"; "?" for a number that is no level. */
const char *log_level_name(enum log_level level);
/* Parses "error", "warn", "info", "debug". Returns 0, or -EINVAL with *level untouched. */
int log_level_parse(const char *text, enum log_level *level) MPA_WARN_UNUSED;

void log_error(const char *format, ...) MPA_PRINTF(1, 2);
void log_warn(const char *format, ...) MPA_PRINTF(1, 2);
void log_info(const char *format, ...) MPA_PRINTF(1, 2);
void log_debug(const char *format, ...) MPA_PRINTF(1, 2);

/* State of one rate-limited message: zero-initialised, owned by the place that logs. */
struct log_gate {
    uint64_t next_ns; /* not before this time (clock_now_ns) */
    uint64_t n_held;  /* messages held back since the last one */
};

/* True when the message may be logged now; *n_held then gets the number held back since the last. */
bool log_gate_open(struct log_gate *gate, uint64_t now_ns, uint64_t *n_held);

#endif
