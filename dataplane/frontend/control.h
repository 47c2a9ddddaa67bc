/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.h — control endpoint: the thread of the frontend that speaks protobuf over nng (REQ/REP on
 * ipc://RUNTIME/frontend.ipc, events PUB on ipc://RUNTIME/frontend-events.ipc). It touches nothing but the
 * board. nng starts its own threads: control_start() runs before confine().
 */
#ifndef MPA_FRONTEND_CONTROL_H
#define MPA_FRONTEND_CONTROL_H

#include "base/assert.h"
#include "base/config.h"
#include "frontend/board.h"

struct control; /* opaque */

/* Opens the sockets and starts the thread. NULL on failure with one line in `error`. `board` is borrowed
 * until control_stop(). */
struct control *control_start(const struct config *config, struct board *board, char *error,
                              size_t error_size);
void control_stop(struct control *control);

#endif
