/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * query.h — a question that is asked once or, with --watch, again and again. On a terminal each round is
 * drawn over the one before; elsewhere the rounds follow each other, with --json one document a line. A
 * daemon that goes away is said so and waited for; only in the first round its absence is the end.
 */
#ifndef MPA_MPACTL_QUERY_H
#define MPA_MPACTL_QUERY_H

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"
#include "controlplane/mpactl/client.h"
#include "controlplane/mpactl/mpactl.h"

/* What a round has to show. */
struct query_answer {
    const Mpa__V1__Reply *reply;
    const Mpa__V1__Reply *before; /* of the round before; NULL: there is none, or it was of no use */
    uint64_t over_ns;             /* between the two; 0: there is none */
};

/* Shows an answer on standard output; returns an exit code. */
typedef int (*query_show)(const struct mpactl *mpactl, const struct query_answer *answer, void *context);

/* Asks mpa-controld, once or as --watch says, and shows what it answers. Returns an exit code. */
int query_run(struct mpactl *mpactl, Mpa__V1__Request *request, query_show show,
              void *context) MPA_WARN_UNUSED;

/* The same for a question of more than one request: `round` asks and shows by itself. */
typedef int (*query_round)(struct client *client, void *context);
int query_repeat(struct mpactl *mpactl, query_round round, void *context) MPA_WARN_UNUSED;

/* A message on standard output, on one line if there will be more. Returns an exit code. */
int query_print_json(const struct mpactl *mpactl, const ProtobufCMessage *message);

#endif
