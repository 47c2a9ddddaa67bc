/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * manager.h — who starts and ends the processes of the data plane. One interface, a file per manager: direct
 * (our own children), systemd (units, over its bus), external (somebody else does it, we look on).
 */
#ifndef MPA_CONTROLD_MANAGER_H
#define MPA_CONTROLD_MANAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/assert.h"

enum manager_role { MANAGER_FRONTEND, MANAGER_WORKER };

#define MANAGER_CAUSE_BYTES 96

/* A running process. The descriptor becomes readable when it ends. */
struct manager_process {
    pid_t pid;
    int pidfd; /* owned by the holder; -1: none */
};

/* Why a process ended. */
struct manager_cause {
    char text[MANAGER_CAUSE_BYTES]; /* "exited with status 1", "killed by signal 9 (Killed)", ... */
    bool is_clean;                  /* exit status 0 */
    bool is_exit;                   /* ended by itself and not by a signal */
    bool is_kill;                   /* by SIGKILL: who did it may say why later */
    bool is_unknown;                /* nobody has told; it may have been a kill */
};

struct found_process;

struct manager {
    const struct manager_ops *ops; /* NULL for an onlooker */
    void *self;
    bool is_owner;    /* told to end, we end the processes first; else they outlive us in any case */
    bool is_onlooker; /* nothing can be started, ended or replaced: manager_external.h */
};

struct manager_ops {
    /* Starts the process of `role` (`slot`: of a worker). 0 with *process filled in, or -errno. */
    int (*start)(void *self, enum manager_role role, uint32_t slot, struct manager_process *process);
    /* Sends it a signal. 0 or -errno (-ESRCH: it has ended). */
    int (*signal)(void *self, const struct manager_process *process, int signal_number);
    /* Takes the cause of a process that has ended, closes its descriptor and forgets it. */
    void (*take_end)(void *self, struct manager_process *process, struct manager_cause *cause);
    /* A process that was started by an earlier controld: 0 with *process filled in; -errno when it is none of
     * ours (the name of the program decides) or has ended. */
    int (*adopt)(void *self, enum manager_role role, pid_t pid, struct manager_process *process);
    /* Processes of that role that run now; in the privileged start step. Returns how many of `max`. */
    size_t (*find)(void *self, enum manager_role role, struct found_process *found, size_t max);
    /* Everything has ended because it was asked to; NULL: nothing is left to do. */
    void (*all_ended)(void *self);
};

#endif
