/* SPDX-License-Identifier: BSD-3-Clause */
/* manual.h — the page of one command, for the terminal and as source of its manual page, from its syntax. */
#ifndef MPA_MPACTL_MANUAL_H
#define MPA_MPACTL_MANUAL_H

#include "controlplane/mpactl/mpactl.h"

/* Both are what struct mpactl has as `inspect`: they print the page of the command on standard output. */
void manual_print_text(const struct mpactl *mpactl, const char *name, const struct command_syntax *syntax);
void manual_print_scdoc(const struct mpactl *mpactl, const char *name, const struct command_syntax *syntax);

#endif
