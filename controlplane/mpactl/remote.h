/* SPDX-License-Identifier: BSD-3-Clause */
/* remote.h — the way to an mpa-controld on another machine. */
#ifndef MPA_MPACTL_REMOTE_H
#define MPA_MPACTL_REMOTE_H

#include <nng/nng.h>

#include "base/assert.h"
#include "controlplane/mpactl/mpactl.h"

/* Connects `socket` to mpactl->remote by TLS. MPACTL_OK, or another exit code after one line to stderr. */
int remote_dial(nng_socket socket, const struct mpactl *mpactl) MPA_WARN_UNUSED;

#endif
