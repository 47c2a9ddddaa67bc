/* SPDX-License-Identifier: BSD-3-Clause */
/* settings.h — what commands about the running configuration share. All return an exit code. */
#ifndef MPA_MPACTL_SETTINGS_H
#define MPA_MPACTL_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "controlplane/mpactl/mpactl.h"

#define SETTINGS_MAX_ASSIGNMENTS 32

/* Arguments of the form KEY=VALUE as they stand in argv, cut in two when they are sent. */
struct assignments {
    char *texts[SETTINGS_MAX_ASSIGNMENTS];
    size_t n;
};

/* argp: takes one more; ends the program with usage when it has no '=' or there are too many. */
void assignments_add(struct assignments *assignments, char *text, struct argp_state *state);

/* What is in force, as a table. */
int settings_request_show(const struct mpactl *mpactl);
/* Has the file read again; `is_dry`: has looked what that would change. */
int settings_request_reload(const struct mpactl *mpactl, bool is_dry);
/* Sets keys; `prefix` goes before those without a dot ("control.balance_"). */
int settings_request_set(const struct mpactl *mpactl, const char *prefix, struct assignments *assignments);

#endif
