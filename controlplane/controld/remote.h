/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * remote.h — control from another machine: TLS over TCP, beside control.ipc, off unless control.remote says
 * where. Both sides show a certificate: a client without one that tls_ca has signed ends in the handshake,
 * before a byte of it reaches the control socket.
 */
#ifndef MPA_CONTROLD_REMOTE_H
#define MPA_CONTROLD_REMOTE_H

#include <nng/nng.h>

#include "base/assert.h"
#include "base/config.h"

/* Listens for `socket`, while files may be opened. *listener_id: of the pipes that come in there; 0: control
 * from elsewhere is off. 0, or an nng error after one ERROR line. */
int remote_listen(nng_socket socket, const struct config_control *config, int *listener_id) MPA_WARN_UNUSED;

#endif
