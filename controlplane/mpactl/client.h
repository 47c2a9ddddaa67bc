/* SPDX-License-Identifier: BSD-3-Clause */
/* client.h — one connection to mpa-controld (or, for 'stop' without one, to the frontend). */
#ifndef MPA_MPACTL_CLIENT_H
#define MPA_MPACTL_CLIENT_H

#include <nng/nng.h>
#include <semaphore.h>
#include <stdbool.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"
#include "controlplane/mpactl/mpactl.h"

struct client {
    const struct mpactl *mpactl; /* borrowed */
    const char *name;            /* of the socket; borrowed */
    nng_socket socket;
    sem_t connected; /* posted when the connection stands */
    uint64_t last_id;
};

/* Is there anybody behind the socket `name` of the runtime folder? Asks the kernel alone, so that a process
 * that hangs is there. MPACTL_OK; or another exit code after one line to stderr, which `is_quiet` spares an
 * absence. */
int client_look(const struct mpactl *mpactl, const char *name, bool is_quiet) MPA_WARN_UNUSED;

/*
 * Connects to the socket `name` in the runtime folder, or to the mpa-controld of --remote. MPACTL_OK; or
 * another exit code, after one line to stderr unless `is_quiet`. Call client_close() in either case.
 */
int client_open(struct client *client, const struct mpactl *mpactl, const char *name,
                bool is_quiet) MPA_WARN_UNUSED;
void client_close(struct client *client);

/*
 * Sends the command and waits. MPACTL_OK and the reply, which has the body of the same name (free it with
 * mpa__v1__reply__free_unpacked); or another exit code after one line to stderr. id and deadline are filled
 * in.
 */
int client_ask(struct client *client, Mpa__V1__Request *request, Mpa__V1__Reply **reply) MPA_WARN_UNUSED;

/* The three of them for a command that asks mpa-controld once. */
int client_ask_once(const struct mpactl *mpactl, Mpa__V1__Request *request,
                    Mpa__V1__Reply **reply) MPA_WARN_UNUSED;

#endif
