/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reader.h — the helper process that opens the configuration file for controld.
 *
 * controld may open no file any more when it is asked to read its configuration again, and the file may be
 * another one by then: editors replace files. So a helper is forked first, with one path and nothing else to
 * do; it gives up all rights but to open and read, and ends when controld does.
 */
#ifndef MPA_CONTROLD_READER_H
#define MPA_CONTROLD_READER_H

#include <stdint.h>

#include "base/assert.h"

struct reader {
    int socket; /* to the helper; -1: there is none */
    uint64_t last_number;
};

/* Forks the helper for the file at `path` (borrowed for the call); the process must have one thread. 0 or
 * -errno. */
int reader_init(struct reader *reader, const char *path) MPA_WARN_UNUSED;
/* Ends the helper. */
void reader_fini(struct reader *reader);

/* The file as it is now, open for reading: a descriptor of the caller's, or -errno (-EINVAL: not a regular
 * file; -EPIPE, -EAGAIN: the helper has gone or hangs). */
int reader_open(struct reader *reader) MPA_WARN_UNUSED;

#endif
