/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * notify.c — systemd's view of us. Does nothing when it did not start us (lib/base/notify.h).
 *
 * Ready is a controld that has taken charge: at the first start when everything is up; one that finds a stack
 * in trouble is as ready as it gets, and one that only looks on is ready at once.
 */
#include "controlplane/controld/controld.h"

static const char *state_text(enum supervisor_state state)
{
    switch (state) {
    case SUPERVISOR_STARTING:
        return "STATUS=Starting frontend and workers";
    case SUPERVISOR_UP:
        return "STATUS=All processes are ready";
    case SUPERVISOR_DEGRADED:
        return "STATUS=A process has died and is being started again";
    case SUPERVISOR_STOPPING:
        return "STOPPING=1\nSTATUS=Stopping workers, then the frontend";
    }
    return "";
}

void controld_notify(struct controld *controld, uint64_t now_ns)
{
    const struct supervisor *supervisor = &controld->supervisor;
    enum supervisor_state state = supervisor_state(supervisor);

    notify_alive(&controld->notify, now_ns);
    if (!controld->is_ready_told &&
        (state == SUPERVISOR_UP || state == SUPERVISOR_DEGRADED || supervisor->manager.is_onlooker)) {
        controld->is_ready_told = true;
        notify_tell(&controld->notify, "READY=1");
    }
    if (state == controld->told_state)
        return;
    controld->told_state = state;
    notify_tell(&controld->notify, state_text(state));
}
