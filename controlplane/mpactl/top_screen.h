/* SPDX-License-Identifier: BSD-3-Clause */
/* top_screen.h — the terminal of 'mpactl top': shows cells, gives keys, is as it was afterwards. */
#ifndef MPA_MPACTL_TOP_SCREEN_H
#define MPA_MPACTL_TOP_SCREEN_H

#include <stdbool.h>

#include "base/assert.h"
#include "controlplane/mpactl/grid.h"

/* Takes the terminal of standard input and output; `has_color`: colours may be used if it has them. Returns
 * 0, or -ENOTTY when it is of no known kind (TERM). */
int top_screen_open(bool has_color) MPA_WARN_UNUSED;

/* Gives it back; nothing to do when it was not taken. */
void top_screen_close(void);

/* Its size now. */
void top_screen_size(unsigned *n_rows, unsigned *n_columns);

void top_screen_show(const struct grid *grid);

/* The next key that was pressed, a letter, or '\t' for Tab; 0: none waits. */
int top_screen_key(void);

#endif
