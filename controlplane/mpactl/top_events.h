/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * top_events.h — where 'mpactl top' has its events from. What happened before it was started, and everything
 * that happens at an mpa-controld elsewhere, is asked for; what happens here comes by itself.
 */
#ifndef MPA_MPACTL_TOP_EVENTS_H
#define MPA_MPACTL_TOP_EVENTS_H

#include <nng/nng.h>

#include "base/assert.h"
#include "controlplane/mpactl/client.h"
#include "controlplane/mpactl/follow.h"
#include "controlplane/mpactl/top_model.h"

/* Zeroed is closed. */
struct top_events {
    const struct mpactl *mpactl; /* borrowed */
    nng_socket socket;           /* events as they happen; none with --remote */
    struct follow follow;
    bool is_behind; /* some are missing: they are asked for in the next round */
};

/* Listens when there is somebody, and again after he was gone. MPACTL_OK, or another exit code after one line
 * to stderr. Call top_events_close() in either case. */
int top_events_open(struct top_events *events, const struct mpactl *mpactl) MPA_WARN_UNUSED;
void top_events_close(struct top_events *events);

/* In each round, after everything else was answered: adds to the model what is new, where it has to be asked
 * for. What goes wrong is the model's note, for an mpa-controld that has no events has everything else. */
void top_events_ask(struct top_events *events, struct client *client, struct top_model *model);

/* Adds what has come by itself; waits for nothing. */
void top_events_take(struct top_events *events, struct top_model *model);

#endif
