/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.h — tables for people. On a terminal a line never wraps: columns that matter less are left out, then
 * long texts are cut, which a '~' at their end shows.
 */
#ifndef MPA_MPACTL_TABLE_H
#define MPA_MPACTL_TABLE_H

#include <stdio.h>

#include "base/assert.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/terminal.h"

#define TABLE_MAX_COLUMNS 16

struct table; /* opaque */

/*
 * Columns end with a NULL. Marks in front of a header, in any order:
 *   >  right-aligned
 *   -  may be left out where there is no room; the more of them, the earlier
 *   ~  its texts may be cut
 * NULL: memory is out.
 */
struct table *table_new(const char *const *headers) MPA_WARN_UNUSED;
void table_free(struct table *table);

/* The next cell, row by row. Control characters become '?': names may come from a peer. Memory that is out is
 * remembered and told when the table is printed. */
void table_cell(struct table *table, const char *format, ...) MPA_PRINTF(2, 3);

/* The colour of the last cell. */
void table_color(struct table *table, enum color color);

/* Writes header and rows, two spaces between columns, and frees the table. Returns an exit code. */
int table_print(struct table *table, FILE *out);

/* The same on standard output, with colours as --color has it. */
int table_show(const struct mpactl *mpactl, struct table *table);

/* The same with everything given: 0 columns are no limit. */
int table_print_fit(struct table *table, FILE *out, size_t n_columns, bool has_color);

#endif
