/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frontend_link.h — requests to the frontend, several in flight. The socket connects by itself whenever a
 * frontend listens; a call without one ends with its time-out.
 */
#ifndef MPA_CONTROLD_FRONTEND_LINK_H
#define MPA_CONTROLD_FRONTEND_LINK_H

#include <nng/nng.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"

struct frontend_link {
    nng_socket socket;
    int wake_fd; /* borrowed: written when a call has something to do */
};

/* Opens the socket; connects now if a frontend listens (*is_connected), else later. 0 or an nng error. */
int frontend_link_init(struct frontend_link *link, const char *runtime_dir, int wake_fd,
                       bool *is_connected) MPA_WARN_UNUSED;
void frontend_link_fini(struct frontend_link *link);

/* The end of a call: 0 and the reply (the callee's from now on), or an nng error and NULL. */
typedef void frontend_call_done_fn(void *context, int error, nng_msg *reply);

enum frontend_call_state { FRONTEND_CALL_IDLE, FRONTEND_CALL_SENDING, FRONTEND_CALL_RECEIVING };

/* One place for one call at a time; reused. */
struct frontend_call {
    struct frontend_link *link;
    nng_ctx ctx;
    nng_aio *aio;
    enum frontend_call_state state;
    Mpa__V1__Request__BodyCase question; /* of the last frontend_call_ask() or _look() */
    atomic_bool is_done; /* nng's thread sets it, ours clears it; publishes the aio's result */
    uint64_t deadline_ns;
    frontend_call_done_fn *done;
    void *context; /* of done */
};

int frontend_call_init(struct frontend_call *call, struct frontend_link *link, frontend_call_done_fn *done,
                       void *context) MPA_WARN_UNUSED;
/* The link's socket must be closed first (frontend_link_fini): `done` is not called any more. */
void frontend_call_fini(struct frontend_call *call);

/* Sends `request` (taken); `done` is called from frontend_call_step() later, in any case. Only while IDLE. */
void frontend_call_start(struct frontend_call *call, nng_msg *request, uint32_t timeout_ms);

/* The same with a request that is packed here; it gets the time-out as its deadline. False, and nothing was
 * begun: out of memory. */
bool frontend_call_ask(struct frontend_call *call, Mpa__V1__Request *request,
                       uint32_t timeout_ms) MPA_WARN_UNUSED;

/* The same for what the rounds of the policies look at: GetWorkers, GetLanes, GetNic, GetBuckets. */
bool frontend_call_look(struct frontend_call *call, Mpa__V1__Request__BodyCase question,
                        uint32_t timeout_ms) MPA_WARN_UNUSED;

/* True when the frontend has refused, or answers something else than the question. */
bool frontend_call_is_refused(const struct frontend_call *call, const Mpa__V1__Reply *reply);

/* Main loop, after a wake: does the next step if there is one. */
void frontend_call_step(struct frontend_call *call);

#endif
