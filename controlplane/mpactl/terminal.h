/* SPDX-License-Identifier: BSD-3-Clause */
/* terminal.h — what the other end of an output can show: how wide it is, and whether it has colours. */
#ifndef MPA_MPACTL_TERMINAL_H
#define MPA_MPACTL_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* --color. */
enum color_mode {
    COLOR_AUTO, /* on a terminal that has them, unless NO_COLOR is set */
    COLOR_ALWAYS,
    COLOR_NEVER,
};

/* What a word tells at a glance. */
enum color {
    COLOR_PLAIN,
    COLOR_GOOD, /* green */
    COLOR_WARN, /* yellow */
    COLOR_BAD,  /* red */
};

/* Columns a line may have: COLUMNS of the environment, else those of the terminal; 0: as many as it takes. */
size_t terminal_columns(FILE *out);

/* True when colours are to be used on `out`. */
bool terminal_has_color(enum color_mode mode, FILE *out);

/* What makes the text behind it look so; COLOR_PLAIN: back to normal. */
const char *terminal_color(enum color color);

#endif
