/* SPDX-License-Identifier: BSD-3-Clause */
/* log_fields.h — a log line as fields of the journal's native protocol. */
#ifndef MPA_BASE_LOG_FIELDS_H
#define MPA_BASE_LOG_FIELDS_H

#include <stddef.h>

#include "base/log.h"

/* As many bytes hold the fields of any line: each of its bytes at most three times, and the names. */
#define LOG_FIELDS_BYTES 8192

/*
 * Writes the datagram for one line, "event key=value key="some words"", without its line end and without
 * control bytes. Returns its length. A key that is no name for a field of the journal, or that finds no room,
 * is left to the message, which has all of the line.
 */
size_t log_fields_format(char bytes[LOG_FIELDS_BYTES], const char *name, enum log_level level,
                         const char *line);

#endif
