/* SPDX-License-Identifier: BSD-3-Clause */
/* update_internal.h — what the files of the update share. */
#ifndef MPA_CONTROLD_UPDATE_INTERNAL_H
#define MPA_CONTROLD_UPDATE_INTERNAL_H

#include "controlplane/controld/update.h"

static inline struct process *update_frontend(const struct update *update)
{
    return &update->supervisor->processes[0];
}

static inline struct process *update_worker(const struct update *update, uint32_t slot)
{
    return &update->supervisor->processes[1 + slot];
}

/* It runs, and the frontend sees it. */
static inline bool update_is_up(const struct process *worker)
{
    return worker->state == PROCESS_RUNNING && worker->is_serving;
}

/* True, and *update is that of a new one of this kind, or false with -errno in *error. */
bool update_start(struct update *update, enum update_kind kind, uint64_t now_ns, int *error);

/* The next step; its text begins with the kind. */
void update_step(struct update *update, enum update_phase phase, uint64_t now_ns, const char *format, ...)
    MPA_PRINTF(4, 5);

/* The first failure is the one that counts; from here on it undoes itself. */
void update_fail(struct update *update, uint64_t now_ns, const char *format, ...) MPA_PRINTF(3, 4);

void update_end(struct update *update, uint64_t now_ns);

/* update_scale.c: goes on in one of its phases. */
void update_scale_tick(struct update *update, uint64_t now_ns);
/* Worker `slot` is drained, or has died, and is ended. */
void update_scale_drained(struct update *update, uint64_t now_ns);
/* It cannot be drained. */
void update_scale_refused(struct update *update, const char *text, uint64_t now_ns);

#endif
