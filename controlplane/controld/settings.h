/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * settings.h — the configuration while it is in use: what is in force and where it comes from, what the file
 * says by now, and what each process has read at its start.
 *
 * controld->config is what is in force. A live key changes there at once, by a reload or by hand, and its
 * applier acts on it. Every other key changes there when the processes that read it have been started again:
 * each start reads the file. What the frontend has to know of live keys is sent again until it has taken it,
 * and to each new frontend; it tells the workers.
 */
#ifndef MPA_CONTROLD_SETTINGS_H
#define MPA_CONTROLD_SETTINGS_H

#include <nng/nng.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"
#include "base/config.h"
#include "controlplane/controld/controld.h"

#define SETTINGS_HASH_BYTES 13 /* with the end of the text */

struct settings; /* opaque: settings_internal.h */

/* Needs controld->link and controld->balancer. 0, or an nng error with *settings NULL. */
int settings_new(struct settings **settings, struct controld *controld) MPA_WARN_UNUSED;
/* The link's socket must be closed first. */
void settings_free(struct settings *settings);

/* Main loop: after a wake, and every tick. */
void settings_step(struct settings *settings);
void settings_tick(struct settings *settings, uint64_t now_ns);

/* SIGHUP: reads the file again, with a log line and an event for what came of it. */
void settings_hangup(struct settings *settings);
/* A process was started: notes what the file says now, for that is what it reads. */
void settings_process_started(struct settings *settings, const struct process *process);
/* SetBalance: as if control.balance was set by hand. */
void settings_set_balance(struct settings *settings, bool is_on);

/* The reply to GetConfig, ReloadConfig or SetConfig; NULL: out of memory, or none of these (*is_mine tells).
 */
nng_msg *settings_answer(struct settings *settings, const Mpa__V1__Request *request,
                         bool *is_mine) MPA_WARN_UNUSED;
/*
 * SetLogLevel: carries it out as far as controld can. An error reply (*is_refused), or the request for the
 * frontend, whose answer goes to settings_log_level_reply(). NULL: out of memory.
 */
nng_msg *settings_set_log_level(struct settings *settings, const Mpa__V1__Request *request,
                                bool *is_refused) MPA_WARN_UNUSED;
/* GetLogLevel: the request that makes the frontend tell its levels and changes none; its answer goes the same
 * way. NULL: out of memory. */
nng_msg *settings_ask_log_level(void) MPA_WARN_UNUSED;
/* The reply to `command`, which is one of the two. `answer`: the frontend's (borrowed), or NULL: it has not
 * answered. NULL: out of memory. */
nng_msg *settings_log_level_reply(uint64_t id, Mpa__V1__Request__BodyCase command,
                                  nng_msg *answer) MPA_WARN_UNUSED;

/* Room for what GetStatus tells of the configuration. */
struct settings_summary {
    char hash[SETTINGS_HASH_BYTES];
    Mpa__V1__ConfigNeed waits[CONFIG_N_CHANGES];
};
/* Fills in the fields config_*; `status` borrows `room` and the settings. */
void settings_fill_status(const struct settings *settings, struct settings_summary *room,
                          Mpa__V1__GetStatusReply *status);
/* 12 hex digits that are the same for the same values of all keys. */
void settings_hash(const struct config *config, char hash[SETTINGS_HASH_BYTES]);

/* True when there is an applier for that key: for the test that there is one for each live key. */
bool settings_acts_on(const char *path);

#endif
