/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * settings_internal.h — inside of settings: settings.c applies and sends, settings_file.c compares with the
 * file, settings_wire.c answers.
 */
#ifndef MPA_CONTROLD_SETTINGS_INTERNAL_H
#define MPA_CONTROLD_SETTINGS_INTERNAL_H

#include "base/log.h"
#include "controlplane/controld/frontend_link.h"
#include "controlplane/controld/settings.h"

#define SETTINGS_TEXT_BYTES 512
#define SETTINGS_ANSWER_MS 1000u /* that the frontend has for an answer */

/* Keys that the frontend is told of. */
enum settings_told { TOLD_LOG_LEVEL, TOLD_HEARTBEAT, TOLD_ORPHAN, TOLD_IDLE, N_TOLD };

struct settings {
    struct controld *controld;
    struct config file;              /* as it was read last, the options of the command line over it */
    char fault[SETTINGS_TEXT_BYTES]; /* why it could not be read when somebody had to since; empty: nobody had
                                        to */
    bool is_given[CONFIG_MAX_KEYS];
    bool is_by_hand[CONFIG_MAX_KEYS];
    uint64_t loaded_ns;                              /* CLOCK_REALTIME */
    struct config started[SUPERVISOR_MAX_PROCESSES]; /* what each process has read */
    /* Of single processes, by hand; 0: as control.log_level says. */
    enum log_level own_level;
    enum log_level levels[SUPERVISOR_MAX_PROCESSES];
    bool is_count_due; /* worker.count has changed, and nothing could begin yet */
    /* What was changed since our start, and so has to reach the frontend. */
    bool is_told[N_TOLD];
    bool is_due;          /* it has not taken all of it yet */
    uint64_t next_try_ns; /* not before */
    pid_t told_pid;       /* the frontend that has */
    struct frontend_call call;
    pid_t asked_pid; /* while the call is under way */
};

/* One key with a new value; texts as they would stand in the file. */
struct settings_change {
    char key[CONFIG_KEY_BYTES + 32];
    char old_text[CONFIG_VALUE_TEXT_BYTES];
    char new_text[CONFIG_VALUE_TEXT_BYTES];
    enum config_change need;
};

/* More than there are keys and processes. */
#define SETTINGS_MAX_CHANGES (CONFIG_MAX_KEYS + 1 + SUPERVISOR_MAX_PROCESSES)
struct settings_changes {
    struct settings_change entries[SETTINGS_MAX_CHANGES];
    size_t n;
};

/* settings.c. A key in force changes: copies it from `from` and acts on it. Only live keys. */
void settings_apply(struct settings *settings, size_t idx, const struct config *from);
/* A level has changed: acts on our own, and has the frontend told of the others. */
void settings_levels_changed(struct settings *settings);
/* The request that tells the frontend everything it has to know; NULL: out of memory. */
nng_msg *settings_pack_for_frontend(const struct settings *settings) MPA_WARN_UNUSED;
/* "frontend", "worker 3": a place in settings->levels and settings->started. */
const char *settings_process_name(size_t idx, char text[32]);

/* settings_wire.c. True when that process runs, goes by that key and has read another value than is in force.
 */
bool settings_differs(const struct settings *settings, size_t process_idx, size_t key_idx);
/* How the wire calls it. */
Mpa__V1__ConfigNeed settings_wire_need(enum config_change change);

/* settings_file.c. The file as it is now, options of the command line over it, and which keys stand in it
 * (CONFIG_MAX_KEYS). 0, or -errno with one line in `error` (SETTINGS_TEXT_BYTES) and nothing else written. */
int settings_read(struct settings *settings, struct config *file, bool *is_given,
                  char *error) MPA_WARN_UNUSED;
/* Takes the file as a whole or not at all; the changes, which with `is_dry` are only looked
 * for. 0, or -errno with one line in `error`. */
int settings_reload(struct settings *settings, bool is_dry, struct settings_changes *changes,
                    char *error) MPA_WARN_UNUSED;
/* The same for good, and told by notice, log line and event. */
int settings_reload_by(struct settings *settings, const char *by, struct settings_changes *changes,
                       char *error) MPA_WARN_UNUSED;
/* Adds a key whose value differs between the two. */
void settings_add_change(struct settings_changes *changes, size_t idx, const struct config *from,
                         const struct config *to);
/* The log's and the listeners' line for changes by whomever; `error` NULL: it went well. */
void settings_announce(struct settings *settings, const char *by, const struct settings_changes *changes,
                       const char *error);
/* CLOCK_REALTIME. */
uint64_t settings_wall_ns(void);
/* What is missing: "changed", "needs: mpactl update". */
const char *settings_need_text(enum config_change need);

#endif
