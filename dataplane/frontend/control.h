/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.h — control endpoint: the thread of the frontend that speaks protobuf over nng (REQ/REP on
 * ipc://RUNTIME/frontend.ipc, events PUB on ipc://RUNTIME/frontend-events.ipc). It touches nothing but the
 * board. nng starts its own threads, so control_start() runs after confine_capabilities() (which reaches only
 * the calling thread and those it starts later) and before confine(). It also gives malloc one heap for all
 * threads.
 */
#ifndef MPA_FRONTEND_CONTROL_H
#define MPA_FRONTEND_CONTROL_H

#include "base/assert.h"
#include "base/config.h"
#include "frontend/board.h"

struct control; /* opaque */

/* Opens the sockets (mode 0600) and starts the thread; the runtime folder must exist. NULL on failure with
 * one line in `error`. `config` is copied; `board` is borrowed until control_stop(), its nic_info must be
 * set. */
struct control *control_start(const struct config *config, struct board *board, char *error,
                              size_t error_size);
/* Ends the thread and closes the sockets. NULL is allowed. */
void control_stop(struct control *control);

#endif
