/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * manager_systemd.h — the manager whose processes are units of systemd: mpa-frontend.service and
 * mpa-worker@N.service, started and ended over the system bus. Works without privilege where a polkit rule
 * allows it (systemd/mpa.rules).
 *
 * Who decides what: systemd starts controld and the frontend again, for nobody stands in for them, and they
 * come back with what its store keeps. Workers have Restart=no: whether, when and with which back-off one
 * comes back is the supervisor's. A start of what systemd is starting already joins that start.
 */
#ifndef MPA_CONTROLD_MANAGER_SYSTEMD_H
#define MPA_CONTROLD_MANAGER_SYSTEMD_H

#include "base/config.h"
#include "controlplane/controld/manager.h"

#define MANAGER_SYSTEMD_UNITS (1 + CONFIG_MAX_WORKERS) /* the frontend stands first */
#define MANAGER_SYSTEMD_UNIT_BYTES 32

struct sd_bus;
struct sd_event;

struct manager_systemd {
    struct sd_bus *bus;
    pid_t pids[MANAGER_SYSTEMD_UNITS];  /* of what was started or adopted; 0: nothing */
    char *paths[MANAGER_SYSTEMD_UNITS]; /* of the units on the bus */
    uint32_t failed_jobs;               /* bit i: a job of unit i has failed since it was cleared */
};

/* Connects, in the privileged start step; 0 and *manager over *self, or -errno. Call manager_systemd_fini()
 * in either case; *self is to be zero before. */
int manager_systemd_init(struct manager_systemd *self, struct manager *manager) MPA_WARN_UNUSED;
/* What the bus sends is read by the loop from now on; a lost bus ends the loop with its error. 0 or -errno.
 */
int manager_systemd_attach(struct manager_systemd *self, struct sd_event *loop) MPA_WARN_UNUSED;
void manager_systemd_fini(struct manager_systemd *self);

/* "mpa-frontend.service", "mpa-worker@3.service". */
void manager_systemd_unit(enum manager_role role, uint32_t slot, char unit[MANAGER_SYSTEMD_UNIT_BYTES]);

#endif
