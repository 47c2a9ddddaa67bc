/* SPDX-License-Identifier: BSD-3-Clause */
/* operation.h — commands that begin something and wait until it has ended. */
#ifndef MPA_MPACTL_OPERATION_H
#define MPA_MPACTL_OPERATION_H

#include <stdbool.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"
#include "controlplane/mpactl/mpactl.h"

/*
 * Sends the command, whose reply is an OperationReply, and waits for the end of the operation (`is_waiting`;
 * else says only that it has begun). Progress goes to a terminal, the end to standard output. Returns the
 * exit code: MPACTL_OK when everything went as asked.
 */
int operation_run(const struct mpactl *mpactl, Mpa__V1__Request *request, bool is_waiting) MPA_WARN_UNUSED;

/* A worker slot as an argument or as the value of --`option`; leaves with MPACTL_USAGE when it is no number.
 * Whether there is such a worker is for the stack to say. */
uint32_t operation_slot(struct argp_state *state, const char *option, const char *text);

/*
 * The syntax of a command with one worker slot as its argument, and of --to and --no-wait; the options stand
 * in operation_options, from which a command takes the tail it allows.
 */
struct operation_arguments {
    bool has_slot, has_to, is_no_wait;
    uint32_t slot, to;
};
error_t operation_parse(int key, char *value, struct argp_state *state);
extern const struct argp_option operation_options_to[];   /* --to, --no-wait */
extern const struct argp_option operation_options_wait[]; /* --no-wait */

#endif
