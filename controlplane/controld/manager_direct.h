/* SPDX-License-Identifier: BSD-3-Clause */
/* manager_direct.h — the manager whose processes are children of ours, by way of the spawner. */
#ifndef MPA_CONTROLD_MANAGER_DIRECT_H
#define MPA_CONTROLD_MANAGER_DIRECT_H

#include "controlplane/controld/manager.h"

/* The manager over `spawner_socket` (from spawner_new()), which `*self` keeps and the caller closes; its
 * processes are those of `runtime_dir` (borrowed). */
struct manager_direct {
    int spawner_socket;
    const char *runtime_dir;
};

struct manager manager_direct(struct manager_direct *self, int spawner_socket, const char *runtime_dir);

/* The cause in words: `code` and `status` as waitid() gives them. */
void manager_direct_cause(int code, int status, struct manager_cause *cause);

#endif
