/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch_screen.h — a round of --watch on a terminal. What is higher than the terminal would scroll its own
 * head away, so a round is written to memory first, and what fits is shown in one piece.
 */
#ifndef MPA_MPACTL_WATCH_SCREEN_H
#define MPA_MPACTL_WATCH_SCREEN_H

#include <stdbool.h>
#include <stdio.h>

#include "controlplane/mpactl/mpactl.h"

struct watch_screen {
    FILE *terminal; /* borrowed: what stdout was; NULL: no terminal, or --json, whose lines may scroll */
    char *text;     /* owned: the round so far */
    size_t size;
    enum color_mode color; /* as it was asked for */
    bool is_width_ours;    /* COLUMNS was not set */
};

/* From here to watch_screen_end() stdout is memory, where it is a terminal. Tables go by its width and
 * colours all the same. */
void watch_screen_begin(struct watch_screen *screen, struct mpactl *mpactl);

/* Shows it. stdout is what it was. */
void watch_screen_end(struct watch_screen *screen, struct mpactl *mpactl);

/* The lines of `text` that fit into so many rows with the last one free, then how many more there are. 0
 * rows: as many as there are. */
void watch_screen_print(const char *text, unsigned n_rows, FILE *out);

#endif
