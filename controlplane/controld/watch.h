/* SPDX-License-Identifier: BSD-3-Clause */
/* watch.h — asks the frontend for its status again and again and tells the supervisor. */
#ifndef MPA_CONTROLD_WATCH_H
#define MPA_CONTROLD_WATCH_H

#include "base/assert.h"
#include "controlplane/controld/controld.h"

/* Needs controld->link. 0, or an nng error with *watch NULL. */
int frontend_watch_new(struct frontend_watch **watch, struct controld *controld) MPA_WARN_UNUSED;
/* The link's socket must be closed first. */
void frontend_watch_free(struct frontend_watch *watch);

/* Asks now, unless a question is under way. */
void frontend_watch_ask(struct frontend_watch *watch);
/* Asks when the last question is old: at once while something starts, else five times a second. */
void frontend_watch_tick(struct frontend_watch *watch, uint64_t now_ns);
/* Main loop, after a wake. */
void frontend_watch_step(struct frontend_watch *watch);

#endif
