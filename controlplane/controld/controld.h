/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * controld.h — inside of mpa-controld: one thread with an sd-event loop; nng's threads only wake it. The
 * parts: supervisor (state machine) over a manager (spawner), update (state machine over the supervisor and
 * operations to the frontend), balancer and degrader (policies over both), endpoint (mpactl's requests),
 * settings (the configuration while it is in use), frontend link (requests to the frontend), events
 * (published news), status (the merged picture), exporter (/metrics, /livez, /readyz over HTTP).
 */
#ifndef MPA_CONTROLD_CONTROLD_H
#define MPA_CONTROLD_CONTROLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/confine.h"
#include "base/find.h"
#include "base/inherit.h"
#include "base/notify.h"
#include "base/start.h"
#include "controlplane/controld/access.h"
#include "controlplane/controld/manager_direct.h"
#include "controlplane/controld/manager_systemd.h"
#include "controlplane/controld/scaler.h"
#include "controlplane/controld/reader.h"
#include "controlplane/controld/supervisor.h"
#include "controlplane/controld/update.h"

struct balancer;
struct degrader;
struct endpoint;
struct events;
struct exporter;
struct frontend_link;
struct frontend_watch;
struct sd_event;
struct sd_event_source;
struct settings;
struct spawner_plan;

/* Processes of an earlier controld, as /proc shows them. */
struct leftovers {
    struct found_process frontends[2];
    struct found_process workers[2 * CONFIG_MAX_WORKERS];
    size_t n_frontends, n_workers;
};

/* What a controld leaves to the next, in the lock's file. */
struct runtime_memory {
    uint32_t n_workers;    /* that shall run */
    uint32_t n_full;       /* that shall run when the pressure is over; 0: as many as now */
    uint32_t n_configured; /* worker.count at that time: who has changed it since wants that */
    uint32_t drained;      /* bit mask of workers that are to be undrained */
};

struct controld {
    struct config config;         /* in force: see settings.h */
    struct start_options options; /* borrowed from the command line */
    struct reader reader;
    struct settings *settings;
    struct access access; /* who may ask what; constant from the start on */
    struct leftovers leftovers;
    int lock_fd;
    int kept_fd; /* START_KEPT_CONFIG; -1: none */
    int spawner_socket;
    int wake_fd;                  /* eventfd: nng has finished something */
    struct notify notify;         /* to the service manager, if one has started us */
    struct inherit inherit;       /* what it handed over */
    struct manager_direct direct; /* the one that the configuration names is in use */
    struct manager_systemd systemd;
    struct supervisor supervisor;
    struct update update;
    struct scaler scaler;
    struct runtime_memory memory; /* as it was written last */
    struct operation *operation;  /* of the update */
    struct frontend_link *link;
    struct frontend_watch *watch;
    struct balancer *balancer;
    struct degrader *degrader;
    struct endpoint *endpoint;
    struct events *events;
    struct exporter *exporter; /* NULL: control.http is off */
    struct sd_event *loop;
    struct sd_event_source *ends[SUPERVISOR_MAX_PROCESSES]; /* one for each process alive */
    char told_text[128];                                    /* what systemd was told last */
    bool is_ready_told;
    uint64_t started_ns;
};

/* First step: runtime folder, lock, helper, sockets, and what an earlier controld left running. 0, or -errno
 * after one ERROR line. Call controld_fini() in either case. */
int controld_init_privileged(struct controld *controld, const struct spawner_plan *plan) MPA_WARN_UNUSED;
/* Gives up what the second step does not need (seccomp.c). 0 or -errno. */
int controld_confine(void) MPA_WARN_UNUSED;
/* Capabilities only: before nng starts its threads. 0 or -errno. */
int controld_confine_capabilities(void) MPA_WARN_UNUSED;
/* Second step: the loop. 0 or -errno. */
int controld_init_confined(struct controld *controld) MPA_WARN_UNUSED;
/* Runs until everything has stopped. Returns the exit code. */
int controld_run(struct controld *controld);
void controld_fini(struct controld *controld);

/* runtime.c: the runtime folder, made 0755 where it is missing, and the lock in it. The lock's descriptor, or
 * -errno after one ERROR line (-EBUSY: another controld is running). */
int runtime_lock(const char *runtime_dir) MPA_WARN_UNUSED;

/* runtime.c: does an mpa-frontend hold its lock there? Asking takes the lock for a moment where nobody does.
 */
bool runtime_has_frontend(const char *runtime_dir);

/* runtime.c: the file for START_KEPT_CONFIG, or -1 after a WARN: a bad file stops the next process then. */
int runtime_open_kept(const char *runtime_dir) MPA_WARN_UNUSED;
/* Writes it anew; below 0: does nothing. */
void runtime_keep(int kept_fd, const struct config *config);

/* runtime.c: as many descriptors as clients may take, if the system lets us have them. */
void runtime_raise_files(void);

/* runtime.c: the memory is written over the one before. */
void runtime_remember(int lock_fd, const struct runtime_memory *memory);
/* 0; -ENOENT: there is none; -EINVAL: not one that we would have written; or another -errno. */
int runtime_recall(int lock_fd, struct runtime_memory *memory) MPA_WARN_UNUSED;

/* adopt.c: looks for them; before capabilities are given up, for it looks into other processes. */
void controld_find_leftovers(struct controld *controld);

/* adopt.c: takes over a frontend and workers that run without a controld. `is_frontend_there`: something
 * listens at its socket. */
void controld_adopt(struct controld *controld, bool is_frontend_there);

/* notify.c: tells systemd (when it started us) what changed, and that the loop turns. */
void controld_notify(struct controld *controld, uint64_t now_ns);

#endif
