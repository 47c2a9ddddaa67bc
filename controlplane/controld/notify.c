/* SPDX-License-Identifier: BSD-3-Clause */
/* notify.c — systemd's view of us. Does nothing when it did not start us (no NOTIFY_SOCKET). */
#include <systemd/sd-daemon.h>

#include "controlplane/controld/controld.h"

void controld_notify(struct controld *controld)
{
    enum supervisor_state state = supervisor_state(&controld->supervisor);

    if (state == controld->told_state)
        return;
    controld->told_state = state;
    switch (state) {
    case SUPERVISOR_STARTING:
        sd_notify(0, "STATUS=Starting frontend and workers");
        return;
    case SUPERVISOR_UP:
        sd_notify(0, "READY=1\nSTATUS=All processes are ready");
        return;
    case SUPERVISOR_DEGRADED:
        sd_notify(0, "STATUS=A process has died and is being started again");
        return;
    case SUPERVISOR_STOPPING:
        sd_notify(0, "STOPPING=1\nSTATUS=Stopping workers, then the frontend");
        return;
    }
}
