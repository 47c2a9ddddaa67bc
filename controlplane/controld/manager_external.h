/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * manager_external.h — the manager for processes that somebody else starts and ends: an orchestrator of
 * containers, an operator. It can do nothing; what runs is known from the frontend alone, so that this works
 * across containers, where process numbers mean nothing.
 *
 *   WAITING   not seen; -> RUNNING when the frontend answers, or says that the worker's lane serves
 *   RUNNING   -> WAITING when the frontend says otherwise, or has been silent for EXTERNAL_SILENT_MS
 *
 * No handle is ever alive, nothing is started, signalled or replaced.
 */
#ifndef MPA_CONTROLD_MANAGER_EXTERNAL_H
#define MPA_CONTROLD_MANAGER_EXTERNAL_H

#include "controlplane/controld/supervisor.h"

#define EXTERNAL_SILENT_MS 2000u

struct manager manager_external(void);

/* For supervisor.c: what it does under this manager instead of its own. */
void manager_external_says(struct supervisor *supervisor, const struct lane_report *lanes, size_t n_lanes,
                           uint64_t now_ns);
void manager_external_tick(struct supervisor *supervisor, uint64_t now_ns);

#endif
