/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * manager_systemd.c — sd-bus calls to org.freedesktop.systemd1.Manager.
 *
 * A call waits for systemd's answer, as a call of manager_direct.c waits for the helper's: systemd answers at
 * once that a job is queued, and forks a moment later. What follows (is it ready, has it died) is not waited
 * for: the frontend tells the one, the pidfd the other. The bound of a call is far below our own watchdog.
 *
 * A pid from the bus may be another's by the time a pidfd is made of it, so the bus is asked again: as long
 * as systemd names the same main process it has not reaped it, and the number is not given away.
 */
#include "controlplane/controld/manager_systemd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/find.h"
#include "base/log.h"
#include "controlplane/controld/manager_direct.h"

#define BUS_NAME "org.freedesktop.systemd1"
#define BUS_PATH "/org/freedesktop/systemd1"
#define BUS_MANAGER "org.freedesktop.systemd1.Manager"
#define BUS_SERVICE "org.freedesktop.systemd1.Service"
#define CALL_MS 4000u /* polkit may have to be started first */
#define FORK_MS                                                                                              \
    2000u           /* from the job to the process; what systemd starts again by itself is waited for too    \
                     */
#define END_MS 500u /* from a process's end to systemd's knowing of it */

void manager_systemd_unit(enum manager_role role, uint32_t slot, char unit[MANAGER_SYSTEMD_UNIT_BYTES])
{
    if (role == MANAGER_FRONTEND)
        snprintf(unit, MANAGER_SYSTEMD_UNIT_BYTES, "mpa-frontend.service");
    else
        snprintf(unit, MANAGER_SYSTEMD_UNIT_BYTES, "mpa-worker@%u.service", slot);
}

static uint32_t place_of(enum manager_role role, uint32_t slot)
{
    return role == MANAGER_FRONTEND ? 0 : 1 + slot;
}

static void place_unit(uint32_t place, char unit[MANAGER_SYSTEMD_UNIT_BYTES])
{
    manager_systemd_unit(place == 0 ? MANAGER_FRONTEND : MANAGER_WORKER, place == 0 ? 0 : place - 1, unit);
}

/* ---- calls ---- */

/* Says what systemd had against it, and passes the error on. */
static int call_failed(const char *method, const char *unit, const sd_bus_error *error, int status)
{
    log_warn("unit_call_failed method=%s unit=%s error=\"%s\"%s", method, unit,
             error->message != NULL ? error->message : strerror(-status),
             sd_bus_error_has_name(error, "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired") ||
                     sd_bus_error_has_name(error, "org.freedesktop.DBus.Error.AccessDenied")
                 ? " hint=\"is the polkit rule mpa.rules installed?\""
                 : "");
    return status;
}

/* StartUnit, StopUnit. 0 when the job is queued, or -errno. */
static int unit_job(struct manager_systemd *self, const char *method, const char *unit)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    int status = sd_bus_call_method(self->bus, BUS_NAME, BUS_PATH, BUS_MANAGER, method, &error, NULL, "ss",
                                    unit, "replace");

    if (status < 0)
        call_failed(method, unit, &error, status);
    sd_bus_error_free(&error);
    return status < 0 ? status : 0;
}

static int unit_kill(struct manager_systemd *self, const char *unit, int signal_number)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    int status = sd_bus_call_method(self->bus, BUS_NAME, BUS_PATH, BUS_MANAGER, "KillUnit", &error, NULL,
                                    "ssi", unit, "all", (int32_t)signal_number);

    if (status < 0 && !sd_bus_error_has_name(&error, "org.freedesktop.systemd1.NoSuchUnit"))
        call_failed("KillUnit", unit, &error, status);
    else if (status < 0)
        status = -ESRCH;
    sd_bus_error_free(&error);
    return status < 0 ? status : 0;
}

/* A property of the service; asking loads the unit, so there is always one. False when systemd does not
 * answer. */
static bool unit_number(struct manager_systemd *self, uint32_t place, const char *property, char type,
                        void *value)
{
    return sd_bus_get_property_trivial(self->bus, BUS_NAME, self->paths[place], BUS_SERVICE, property, NULL,
                                       type, value) >= 0;
}

/* Its main process, 0 when there is none. */
static pid_t unit_pid(struct manager_systemd *self, uint32_t place)
{
    uint32_t pid = 0;

    return unit_number(self, place, "MainPID", 'u', &pid) ? (pid_t)pid : 0;
}

/* Waits for the next thing the bus has to say, until `end_ns`; false when that is over. */
static bool bus_wait(struct manager_systemd *self, uint64_t end_ns)
{
    uint64_t now_ns = clock_now_ns();
    struct pollfd bus = {.fd = sd_bus_get_fd(self->bus), .events = POLLIN};

    int status;

    if (now_ns >= end_ns || bus.fd < 0)
        return false;
    status = sd_bus_process(self->bus, NULL);
    if (status == 0)
        (void)poll(&bus, 1, (int)((end_ns - now_ns) / CLOCK_NS_PER_MS) + 1);
    return status >= 0;
}

/* ---- the manager ---- */

/* A pidfd of the main process, checked. 0 or -errno (-ESRCH: there is none now). */
static int unit_open(struct manager_systemd *self, uint32_t place, struct manager_process *process)
{
    pid_t pid = unit_pid(self, place);
    int pidfd = pid == 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);

    if (pid == 0 || pidfd < 0)
        return -ESRCH;
    if (unit_pid(self, place) != pid) {
        fd_close(&pidfd);
        return -ESRCH;
    }
    self->pids[place] = pid;
    *process = (struct manager_process){.pid = pid, .pidfd = pidfd};
    return 0;
}

static int systemd_start(void *context, enum manager_role role, uint32_t slot,
                         struct manager_process *process)
{
    struct manager_systemd *self = context;
    uint32_t place = place_of(role, slot);
    uint64_t end_ns = clock_now_ns() + FORK_MS * CLOCK_NS_PER_MS;
    char unit[MANAGER_SYSTEMD_UNIT_BYTES];
    int status;

    manager_systemd_unit(role, slot, unit);
    self->failed_jobs &= ~(1u << place);
    status = unit_job(self, "StartUnit", unit);
    if (status < 0)
        return status;
    while ((status = unit_open(self, place, process)) == -ESRCH) {
        /* It may have come and gone before we could look. */
        if ((self->failed_jobs >> place & 1) != 0)
            return -ECHILD;
        if (!bus_wait(self, end_ns))
            return -ETIMEDOUT;
    }
    return status;
}

/* The place of a process of ours; MANAGER_SYSTEMD_UNITS: it is none. */
static uint32_t place_of_pid(const struct manager_systemd *self, pid_t pid)
{
    uint32_t place = 0;

    while (place < MANAGER_SYSTEMD_UNITS && (pid == 0 || self->pids[place] != pid))
        place++;
    return place;
}

/* SIGTERM is a stop that systemd knows of, so that it takes no end for a failure. Any other is sent to all
 * processes of the unit: we may not signal another user's. */
static int systemd_signal(void *context, const struct manager_process *process, int signal_number)
{
    struct manager_systemd *self = context;
    uint32_t place = place_of_pid(self, process->pid);
    char unit[MANAGER_SYSTEMD_UNIT_BYTES];

    if (place == MANAGER_SYSTEMD_UNITS)
        return -ESRCH;
    place_unit(place, unit);
    return signal_number == SIGTERM ? unit_job(self, "StopUnit", unit) : unit_kill(self, unit, signal_number);
}

/* How the process ended, once systemd has reaped it: units that end well are forgotten with all they know. */
static void unit_cause(struct manager_systemd *self, uint32_t place, pid_t pid, struct manager_cause *cause)
{
    uint64_t end_ns = clock_now_ns() + END_MS * CLOCK_NS_PER_MS;
    uint32_t last_pid = 0;
    int32_t code = 0, status = 0;

    while (unit_pid(self, place) == pid && bus_wait(self, end_ns)) {
    }
    if (unit_number(self, place, "ExecMainPID", 'u', &last_pid) && (pid_t)last_pid == pid &&
        unit_number(self, place, "ExecMainCode", 'i', &code) &&
        unit_number(self, place, "ExecMainStatus", 'i', &status) && code != 0) {
        manager_direct_cause(code, status, cause);
        return;
    }
    *cause = (struct manager_cause){
        .is_exit = last_pid == 0, .is_clean = last_pid == 0, .is_unknown = last_pid != 0};
    snprintf(cause->text, sizeof(cause->text),
             last_pid == 0 ? "exited with status 0" : "ended, cause unknown (started again already)");
}

static void systemd_take_end(void *context, struct manager_process *process, struct manager_cause *cause)
{
    struct manager_systemd *self = context;
    uint32_t place = place_of_pid(self, process->pid);

    if (place < MANAGER_SYSTEMD_UNITS) {
        unit_cause(self, place, process->pid, cause);
        self->pids[place] = 0;
    } else {
        *cause = (struct manager_cause){.is_unknown = true, .text = "ended, cause unknown"};
    }
    fd_close(&process->pidfd);
    process->pid = 0;
}

static int systemd_adopt(void *context, enum manager_role role, pid_t pid, struct manager_process *process)
{
    struct manager_systemd *self = context;
    uint32_t first = role == MANAGER_FRONTEND ? 0 : 1;
    uint32_t end = role == MANAGER_FRONTEND ? 1 : MANAGER_SYSTEMD_UNITS;

    for (uint32_t place = first; place < end; place++) {
        if (unit_pid(self, place) == pid)
            return unit_open(self, place, process);
    }
    return -ESRCH;
}

static size_t systemd_find(void *context, enum manager_role role, struct found_process *found, size_t max)
{
    struct manager_systemd *self = context;
    uint32_t first = role == MANAGER_FRONTEND ? 0 : 1;
    uint32_t end = role == MANAGER_FRONTEND ? 1 : MANAGER_SYSTEMD_UNITS;
    size_t n = 0;

    for (uint32_t place = first; place < end && n < max; place++) {
        pid_t pid = unit_pid(self, place);

        if (pid != 0)
            found[n++] = (struct found_process){.pid = pid, .slot = place - first};
    }
    return n;
}

/* Stopped by order: what else belongs to the stack, the attach socket above all, goes too. We are part of it,
 * and on our way out. */
static void systemd_all_ended(void *context)
{
    (void)unit_job(context, "StopUnit", "mpa.target");
}

/* ---- what the bus tells ---- */

/* JobRemoved: (number, path, unit, result). */
static int on_job_removed(sd_bus_message *message, void *context, sd_bus_error *error)
{
    struct manager_systemd *self = context;
    const char *path, *unit, *result;
    char ours[MANAGER_SYSTEMD_UNIT_BYTES];
    uint32_t number;

    (void)error;
    if (sd_bus_message_read(message, "uoss", &number, &path, &unit, &result) < 0)
        return 0;
    for (uint32_t place = 0; place < MANAGER_SYSTEMD_UNITS; place++) {
        place_unit(place, ours);
        if (strcmp(unit, ours) != 0 || strcmp(result, "done") == 0 || strcmp(result, "canceled") == 0)
            continue;
        log_info("unit_job_failed unit=%s result=%s", unit, result);
        self->failed_jobs |= 1u << place;
    }
    return 0;
}

/* PropertiesChanged of one of our units: whoever waits in bus_wait() looks again. */
static int on_changed(sd_bus_message *message, void *context, sd_bus_error *error)
{
    (void)message;
    (void)context;
    (void)error;
    return 0;
}

/* Signals come once somebody has subscribed; jobs of all units, properties of ours only. */
static int bus_listen(struct manager_systemd *self)
{
    int status = sd_bus_match_signal(self->bus, NULL, BUS_NAME, BUS_PATH, BUS_MANAGER, "JobRemoved",
                                     on_job_removed, self);

    for (uint32_t place = 0; place < MANAGER_SYSTEMD_UNITS && status >= 0; place++) {
        char unit[MANAGER_SYSTEMD_UNIT_BYTES];

        place_unit(place, unit);
        status = sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &self->paths[place]);
        if (status >= 0)
            status =
                sd_bus_match_signal(self->bus, NULL, BUS_NAME, self->paths[place],
                                    "org.freedesktop.DBus.Properties", "PropertiesChanged", on_changed, self);
    }
    if (status >= 0)
        status = sd_bus_call_method(self->bus, BUS_NAME, BUS_PATH, BUS_MANAGER, "Subscribe", NULL, NULL, "");
    return status < 0 ? status : 0;
}

int manager_systemd_init(struct manager_systemd *self, struct manager *manager)
{
    static const struct manager_ops ops = {.start = systemd_start,
                                           .signal = systemd_signal,
                                           .take_end = systemd_take_end,
                                           .adopt = systemd_adopt,
                                           .find = systemd_find,
                                           .all_ended = systemd_all_ended};
    int status = sd_bus_open_system(&self->bus);

    if (status >= 0)
        status = sd_bus_set_method_call_timeout(self->bus, CALL_MS * 1000);
    if (status >= 0)
        status = bus_listen(self);
    if (status < 0) {
        log_error("bus_failed error=\"%s\" hint=\"control.manager systemd needs the system bus\"",
                  strerror(-status));
        return status;
    }
    *manager = (struct manager){.ops = &ops, .self = self};
    return 0;
}

int manager_systemd_attach(struct manager_systemd *self, struct sd_event *loop)
{
    int status = sd_bus_attach_event(self->bus, loop, SD_EVENT_PRIORITY_NORMAL);

    if (status >= 0)
        status = sd_bus_set_exit_on_disconnect(self->bus, 1);
    return status < 0 ? status : 0;
}

void manager_systemd_fini(struct manager_systemd *self)
{
    for (uint32_t place = 0; place < MANAGER_SYSTEMD_UNITS; place++) {
        free(self->paths[place]);
        self->paths[place] = NULL;
    }
    self->bus = sd_bus_flush_close_unref(self->bus);
}
