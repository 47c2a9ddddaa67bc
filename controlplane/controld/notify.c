/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * notify.c — systemd's view of us. Does nothing when it did not start us (lib/base/notify.h).
 *
 * Ready is a controld that has taken charge: at the first start when everything is up; one that finds a stack
 * in trouble is as ready as it gets, and one that only looks on is ready at once.
 */
#include "controlplane/controld/controld.h"

#include <stdio.h>
#include <string.h>

#include "controlplane/controld/degrader.h"
#include "controlplane/policy/degrade.h"

/* "frontend, worker 1": who is to run and is not ready. */
static void missing_text(const struct supervisor *supervisor, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < SUPERVISOR_MAX_PROCESSES && used < size; i++) {
        const struct process *process = &supervisor->processes[i];
        const char *between = used == 0 ? "" : ", ";

        if (!supervisor_misses(supervisor, process))
            continue;
        if (process->role == MANAGER_FRONTEND)
            used += (size_t)snprintf(text + used, size - used, "%sfrontend", between);
        else
            used += (size_t)snprintf(text + used, size - used, "%sworker %u", between, process->slot);
    }
}

/* For `systemctl status`: what an operator would have to know first. */
static void state_text(const struct controld *controld, enum supervisor_state state, char *text, size_t size)
{
    Mpa__V1__GetStatusReply status = MPA__V1__GET_STATUS_REPLY__INIT;
    char missing[96];

    switch (state) {
    case SUPERVISOR_STARTING:
        snprintf(text, size, "STATUS=Starting frontend and workers");
        return;
    case SUPERVISOR_UP:
        degrader_fill_status(controld->degrader, &status);
        snprintf(text, size, "STATUS=All processes are ready%s%s",
                 status.degrade_step == MPA__V1__DEGRADE_STEP__DEGRADE_STEP_NONE ? "" : "; under pressure: ",
                 status.degrade_step == MPA__V1__DEGRADE_STEP__DEGRADE_STEP_NONE
                     ? ""
                     : degrade_step_name((enum degrade_step)status.degrade_step));
        return;
    case SUPERVISOR_DEGRADED:
        missing_text(&controld->supervisor, missing, sizeof(missing));
        snprintf(text, size, "STATUS=Not ready: %s", missing);
        return;
    case SUPERVISOR_STOPPING:
        snprintf(text, size, "STOPPING=1\nSTATUS=Stopping workers, then the frontend");
        return;
    }
}

void controld_notify(struct controld *controld, uint64_t now_ns)
{
    const struct supervisor *supervisor = &controld->supervisor;
    enum supervisor_state state = supervisor_state(supervisor);
    char text[sizeof(controld->told_text)];

    notify_alive(&controld->notify, now_ns);
    if (!controld->is_ready_told &&
        (state == SUPERVISOR_UP || state == SUPERVISOR_DEGRADED || supervisor->manager.is_onlooker)) {
        controld->is_ready_told = true;
        notify_tell(&controld->notify, "READY=1");
    }
    state_text(controld, state, text, sizeof(text));
    if (strcmp(text, controld->told_text) == 0)
        return;
    memcpy(controld->told_text, text, sizeof(text));
    notify_tell(&controld->notify, text);
}
