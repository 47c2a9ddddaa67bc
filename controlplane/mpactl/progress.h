/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * progress.h — how far something that takes long has come, on standard error: on a terminal one line with a
 * bar that is written over itself, elsewhere a line for every step; nothing with --json, and nothing for what
 * ends at once.
 */
#ifndef MPA_MPACTL_PROGRESS_H
#define MPA_MPACTL_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/mpactl/mpactl.h"

#define PROGRESS_TEXT_BYTES 160

struct progress {
    bool is_quiet, is_terminal, has_line;
    uint64_t begin_ns;
    char text[PROGRESS_TEXT_BYTES]; /* shown last */
    uint32_t n_done;
};

void progress_begin(struct progress *progress, const struct mpactl *mpactl);

/* `n_total` 0: nobody knows how much there is. Control characters of `text` are not shown. */
void progress_show(struct progress *progress, const char *text, uint32_t n_done, uint32_t n_total);

/* Takes the bar away. */
void progress_end(struct progress *progress);

/* The line of a terminal with so many columns, without its end. Pure. */
struct progress_state {
    const char *text;
    uint32_t n_done, n_total;
    uint64_t elapsed_ms;
};
void progress_format(const struct progress_state *state, size_t n_columns, char *line, size_t size);

#endif
