/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * spawner.h — the helper process that starts programs for controld.
 *
 * controld confines itself: no capabilities, a list of system calls. A child would inherit all of that, and
 * the frontend needs more (it opens the NIC). So a helper is forked first, while the process has one thread:
 * it keeps what controld gives up, does nothing but start the two programs whose paths and arguments it was
 * born with, and ends when controld does. nng's threads never see a fork.
 */
#ifndef MPA_CONTROLD_SPAWNER_H
#define MPA_CONTROLD_SPAWNER_H

#include <limits.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/config.h"
#include "controlplane/controld/manager.h"

/* What the helper may start, fixed at its birth. */
struct spawner_plan {
    char frontend_path[PATH_MAX];
    char worker_path[PATH_MAX];
    char config_path[PATH_MAX]; /* empty: built-in values, no --config */
    char runtime_dir[CONFIG_PATH_BYTES];
    char log_level[8]; /* empty: no --log-level */
};

/*
 * Finds the two programs: in `bin_dir` itself (an installation) or at their places below it (a build tree);
 * `bin_dir` NULL: beside this program, then in the build tree it stands in. 0 or -ENOENT with one line in
 * `error` that names what is missing.
 */
int spawner_plan_programs(struct spawner_plan *plan, const char *bin_dir, char *error,
                          size_t error_size) MPA_WARN_UNUSED;

/* Forks the helper; the process must have one thread. Returns our end of the socket to it or -errno. The
 * helper ends when that end is closed; what it started runs on. */
int spawner_new(const struct spawner_plan *plan) MPA_WARN_UNUSED;

/* ---- messages between manager_direct.c and the helper ---- */

enum spawner_op {
    SPAWNER_START, /* role, slot; the answer carries the pidfd */
    SPAWNER_REAP,  /* pid */
};

struct spawner_request {
    uint32_t op;
    uint32_t role;
    uint32_t slot;
    int32_t pid;
};

struct spawner_reply {
    int32_t result; /* 0 or -errno */
    int32_t pid;
    int32_t code;   /* REAP: CLD_EXITED, CLD_KILLED or CLD_DUMPED */
    int32_t status; /* REAP: exit status or signal */
};

#endif
