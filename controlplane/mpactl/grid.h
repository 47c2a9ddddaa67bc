/* SPDX-License-Identifier: BSD-3-Clause */
/* grid.h — a page of cells that is drawn on first and shown then: on a terminal, as text, or to a test. */
#ifndef MPA_MPACTL_GRID_H
#define MPA_MPACTL_GRID_H

#include <stdint.h>
#include <stdio.h>

#include "base/assert.h"

/* How a cell looks; where there are no colours, attributes tell most of it. */
enum grid_style {
    GRID_PLAIN,
    GRID_TITLE, /* bold */
    GRID_HEAD,  /* reversed: heads of tables, the view in front */
    GRID_GOOD,  /* green */
    GRID_WARN,  /* yellow */
    GRID_BAD,   /* red, bold */
    GRID_COLD,  /* the heat of buckets: nothing goes on */
    GRID_WARM,
    GRID_HOT,
    GRID_HOTTEST,
};

struct grid_cell {
    char letter;   /* printable ASCII */
    uint8_t style; /* enum grid_style */
};

struct grid {
    unsigned n_rows, n_columns;
    struct grid_cell *cells; /* row by row; owned */
};

/* Makes or changes it to this size, all blank. Returns 0 or -ENOMEM, with nothing changed. */
int grid_resize(struct grid *grid, unsigned n_rows, unsigned n_columns) MPA_WARN_UNUSED;
void grid_free(struct grid *grid);

/* Writes at row and column; what does not fit is cut off, what is outside is not drawn, what is not printable
 * becomes '?'. Returns the column behind the text, whether it was drawn or not. */
unsigned grid_put(struct grid *grid, unsigned row, unsigned column, enum grid_style style, const char *text);

/* Draws "[####----]" of `width` columns, `permille` of it full. Returns the column behind it. */
struct grid_bar {
    unsigned row, column, width;
    uint32_t permille;
    enum grid_style style;
};
unsigned grid_put_bar(struct grid *grid, const struct grid_bar *bar);

/* The letters without styles and without blanks at the ends of lines and of the page. */
void grid_print(const struct grid *grid, FILE *out);

#endif
