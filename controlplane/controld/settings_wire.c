/* SPDX-License-Identifier: BSD-3-Clause */
/* settings_wire.c — what mpactl asks about the configuration, and the answers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/controld/settings_internal.h"
#include "controlplane/controld/wire.h"

#define DIFFERS_BYTES 256

Mpa__V1__ConfigNeed settings_wire_need(enum config_change change)
{
    switch (change) {
    case CONFIG_CHANGE_LIVE:
        return MPA__V1__CONFIG_NEED__CONFIG_NEED_NOTHING;
    case CONFIG_CHANGE_WORKER:
        return MPA__V1__CONFIG_NEED__CONFIG_NEED_WORKERS;
    case CONFIG_CHANGE_FRONTEND:
        return MPA__V1__CONFIG_NEED__CONFIG_NEED_FRONTEND;
    case CONFIG_CHANGE_CONTROLD:
        return MPA__V1__CONFIG_NEED__CONFIG_NEED_CONTROLD;
    case CONFIG_CHANGE_ALL:
    case CONFIG_N_CHANGES:
        break;
    }
    return MPA__V1__CONFIG_NEED__CONFIG_NEED_EVERYTHING;
}

static nng_msg *refuse(uint64_t id, const char *text, const char *field)
{
    Mpa__V1__Reply reply = MPA__V1__REPLY__INIT;
    Mpa__V1__Error error = MPA__V1__ERROR__INIT;

    error.code = MPA__V1__ERROR_CODE__ERROR_CODE_INVALID;
    error.text = wire_borrow(text);
    error.field = wire_borrow(field);
    reply.id = id;
    reply.error = &error;
    return wire_pack(&reply.base);
}

/* ---- GetConfig ---- */

/* Room for one entry. */
struct entry {
    Mpa__V1__ConfigEntry message;
    char key[CONFIG_KEY_BYTES];
    char value[CONFIG_VALUE_TEXT_BYTES];
    char waiting[CONFIG_VALUE_TEXT_BYTES];
    char differs[DIFFERS_BYTES];
};

/* A value that the file does not give any more, and that is still in force, came from it all the same. */
static Mpa__V1__ConfigSource entry_source(const struct settings *settings, size_t idx, const char *value)
{
    const struct start_options *options = &settings->controld->options;

    if (settings->is_by_hand[idx])
        return MPA__V1__CONFIG_SOURCE__CONFIG_SOURCE_HAND;
    if ((options->log_level != NULL && idx == config_key_find("control.log_level")) ||
        (options->runtime_dir != NULL && idx == config_key_find("control.runtime_dir")))
        return MPA__V1__CONFIG_SOURCE__CONFIG_SOURCE_COMMAND_LINE;
    if (config_is_same(&settings->controld->config, &settings->file, idx)
            ? settings->is_given[idx]
            : strcmp(value, config_key(idx)->default_text) != 0)
        return MPA__V1__CONFIG_SOURCE__CONFIG_SOURCE_FILE;
    return MPA__V1__CONFIG_SOURCE__CONFIG_SOURCE_DEFAULT;
}

/* True when that process goes by that class. */
static bool reads(size_t process, enum config_change change)
{
    return change == CONFIG_CHANGE_ALL ||
           change == (process == 0 ? CONFIG_CHANGE_FRONTEND : CONFIG_CHANGE_WORKER);
}

bool settings_differs(const struct settings *settings, size_t process_idx, size_t key_idx)
{
    const struct controld *controld = settings->controld;

    return process_is_alive(&controld->supervisor.processes[process_idx]) &&
           reads(process_idx, config_change(key_idx)) &&
           !config_is_same(&settings->started[process_idx], &controld->config, key_idx);
}

static void entry_differs(const struct settings *settings, size_t idx, char text[DIFFERS_BYTES])
{
    char value[CONFIG_VALUE_TEXT_BYTES], name[32];
    size_t used = 0;

    for (size_t i = 0; i < SUPERVISOR_MAX_PROCESSES && used < DIFFERS_BYTES; i++) {
        if (!settings_differs(settings, i, idx))
            continue;
        config_value_format(&settings->started[i], idx, value, sizeof(value));
        used += (size_t)snprintf(text + used, DIFFERS_BYTES - used, "%s%s: %s", used == 0 ? "" : ", ",
                                 settings_process_name(i, name), value);
    }
}

static void entry_fill(const struct settings *settings, size_t idx, struct entry *entry)
{
    const struct config *in_force = &settings->controld->config;
    Mpa__V1__ConfigEntry *message = &entry->message;

    mpa__v1__config_entry__init(message);
    config_key_path(idx, entry->key);
    config_value_format(in_force, idx, entry->value, sizeof(entry->value));
    if (!config_is_same(in_force, &settings->file, idx))
        config_value_format(&settings->file, idx, entry->waiting, sizeof(entry->waiting));
    entry_differs(settings, idx, entry->differs);
    message->key = entry->key;
    message->value = entry->value;
    message->source = entry_source(settings, idx, entry->value);
    message->need = settings_wire_need(config_change(idx));
    message->waiting = entry->waiting;
    message->differs = entry->differs;
}

static nng_msg *answer_get(const struct settings *settings, uint64_t id)
{
    const char *path = settings->controld->options.config_path;
    Mpa__V1__Reply reply = MPA__V1__REPLY__INIT;
    Mpa__V1__GetConfigReply body = MPA__V1__GET_CONFIG_REPLY__INIT;
    Mpa__V1__ConfigEntry *list[CONFIG_MAX_KEYS];
    struct entry *entries = calloc(config_n_keys(), sizeof(*entries));
    nng_msg *packed;

    if (entries == NULL)
        return NULL;
    for (size_t i = 0; i < config_n_keys(); i++) {
        entry_fill(settings, i, &entries[i]);
        list[i] = &entries[i].message;
    }
    body.file = wire_borrow(path == NULL ? "" : path);
    body.loaded_ns = settings->loaded_ns;
    body.n_entries = config_n_keys();
    body.entries = list;
    reply.id = id;
    reply.body_case = MPA__V1__REPLY__BODY_GET_CONFIG;
    reply.get_config = &body;
    packed = wire_pack(&reply.base);
    free(entries);
    return packed;
}

/* ---- ReloadConfig, SetConfig ---- */

/* Both replies have the same list. */
struct change_list {
    Mpa__V1__ConfigChange messages[SETTINGS_MAX_CHANGES];
    Mpa__V1__ConfigChange *list[SETTINGS_MAX_CHANGES];
    struct settings_changes changes;
};

static void list_fill(struct change_list *list)
{
    for (size_t i = 0; i < list->changes.n; i++) {
        struct settings_change *change = &list->changes.entries[i];
        Mpa__V1__ConfigChange *message = &list->messages[i];

        mpa__v1__config_change__init(message);
        message->key = change->key;
        message->old = change->old_text;
        message->new_ = change->new_text;
        message->need = settings_wire_need(change->need);
        message->text = wire_borrow(settings_need_text(change->need));
        list->list[i] = message;
    }
}

static nng_msg *answer_reload(struct settings *settings, const Mpa__V1__Request *request,
                              struct change_list *list)
{
    Mpa__V1__Reply reply = MPA__V1__REPLY__INIT;
    Mpa__V1__ReloadConfigReply body = MPA__V1__RELOAD_CONFIG_REPLY__INIT;
    char error[SETTINGS_TEXT_BYTES];
    int status = request->reload_config->dry_run
                     ? settings_reload(settings, true, &list->changes, error)
                     : settings_reload_by(settings, "reload", &list->changes, error);

    if (status != 0)
        return refuse(request->id, error, "reload_config");
    list_fill(list);
    body.file = wire_borrow(settings->controld->options.config_path);
    body.n_changes = list->changes.n;
    body.changes = list->list;
    reply.id = request->id;
    reply.body_case = MPA__V1__REPLY__BODY_RELOAD_CONFIG;
    reply.reload_config = &body;
    return wire_pack(&reply.base);
}

/* By hand: what is the same already counts as set by hand too. */
static void set_apply(struct settings *settings, const Mpa__V1__SetConfigRequest *request,
                      const struct config *changed, struct settings_changes *changes)
{
    for (size_t i = 0; i < request->n_values; i++) {
        size_t idx = config_key_find(request->values[i]->key);

        settings->is_by_hand[idx] = true;
        if (config_is_same(&settings->controld->config, changed, idx))
            continue;
        settings_add_change(changes, idx, &settings->controld->config, changed);
        settings_apply(settings, idx, changed);
    }
}

static nng_msg *answer_set(struct settings *settings, const Mpa__V1__Request *request,
                           struct change_list *list)
{
    const Mpa__V1__SetConfigRequest *wanted = request->set_config;
    Mpa__V1__Reply reply = MPA__V1__REPLY__INIT;
    Mpa__V1__SetConfigReply body = MPA__V1__SET_CONFIG_REPLY__INIT;
    struct config changed = settings->controld->config;
    char error[SETTINGS_TEXT_BYTES];

    if (wanted->n_levels > 0)
        return refuse(request->id, "levels of single processes are set by SetLogLevel", "levels");
    for (size_t i = 0; i < wanted->n_values; i++) {
        if (config_set(&changed, wanted->values[i]->key, wanted->values[i]->value, error, sizeof(error)) != 0)
            return refuse(request->id, error, "values");
    }
    if (config_check_whole(&changed, error, sizeof(error)) != 0)
        return refuse(request->id, error, "values");
    set_apply(settings, wanted, &changed, &list->changes);
    settings_announce(settings, "by hand", &list->changes, NULL);
    list_fill(list);
    body.n_changes = list->changes.n;
    body.changes = list->list;
    reply.id = request->id;
    reply.body_case = MPA__V1__REPLY__BODY_SET_CONFIG;
    reply.set_config = &body;
    return wire_pack(&reply.base);
}

nng_msg *settings_answer(struct settings *settings, const Mpa__V1__Request *request, bool *is_mine)
{
    struct change_list *list;
    nng_msg *reply = NULL;

    *is_mine = request->body_case == MPA__V1__REQUEST__BODY_GET_CONFIG ||
               request->body_case == MPA__V1__REQUEST__BODY_RELOAD_CONFIG ||
               request->body_case == MPA__V1__REQUEST__BODY_SET_CONFIG;
    if (!*is_mine)
        return NULL;
    if (request->body_case == MPA__V1__REQUEST__BODY_GET_CONFIG)
        return answer_get(settings, request->id);
    list = calloc(1, sizeof(*list));
    if (list == NULL)
        return NULL;
    reply = request->body_case == MPA__V1__REQUEST__BODY_RELOAD_CONFIG
                ? answer_reload(settings, request, list)
                : answer_set(settings, request, list);
    free(list);
    return reply;
}

/* ---- SetLogLevel, GetLogLevel ---- */

/* Where the level of that process stands; NULL: there is no such process. */
static enum log_level *level_place(struct settings *settings, const Mpa__V1__SetLogLevelRequest *request)
{
    const struct process *processes = settings->controld->supervisor.processes;

    switch ((int)request->role) {
    case MPA__V1__ROLE__ROLE_CONTROLD:
        return &settings->own_level;
    case MPA__V1__ROLE__ROLE_FRONTEND:
        return &settings->levels[0];
    case MPA__V1__ROLE__ROLE_WORKER:
        if (request->slot < CONFIG_MAX_WORKERS && process_is_alive(&processes[1 + request->slot]))
            return &settings->levels[1 + request->slot];
        return NULL;
    default:
        return NULL;
    }
}

/* For all: as if control.log_level was set by hand, and nothing for single ones. */
static void set_level_of_all(struct settings *settings, const char *level)
{
    size_t idx = config_key_find("control.log_level");
    struct config changed = settings->controld->config;

    snprintf(changed.control.log_level, sizeof(changed.control.log_level), "%s", level);
    settings->own_level = 0;
    memset(settings->levels, 0, sizeof(settings->levels));
    settings->is_by_hand[idx] = true;
    settings_apply(settings, idx, &changed);
}

nng_msg *settings_set_log_level(struct settings *settings, const Mpa__V1__Request *request, bool *is_refused)
{
    const Mpa__V1__SetLogLevelRequest *wanted = request->set_log_level;
    enum log_level level, *place;

    *is_refused = true;
    if (wanted->level[0] != '\0') {
        if (log_level_parse(wanted->level, &level) != 0)
            return refuse(request->id, "no such level (allowed: error, warn, info, debug)", "level");
        place = level_place(settings, wanted);
        if ((unsigned)wanted->role > MPA__V1__ROLE__ROLE_WORKER)
            return refuse(request->id, "no such role (allowed: controld, frontend, worker)", "role");
        if (place == NULL && wanted->role != MPA__V1__ROLE__ROLE_UNKNOWN)
            return refuse(request->id, "no such process is running (see status)", "slot");
        if (place == NULL) {
            set_level_of_all(settings, wanted->level);
        } else {
            *place = level;
            settings_levels_changed(settings);
        }
    }
    *is_refused = false;
    return settings_pack_for_frontend(settings);
}

/* The frontend tells its levels with every SetConfig; one without values is a question. */
nng_msg *settings_ask_log_level(void)
{
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__SetConfigRequest body = MPA__V1__SET_CONFIG_REQUEST__INIT;

    request.deadline_ms = SETTINGS_ANSWER_MS;
    request.body_case = MPA__V1__REQUEST__BODY_SET_CONFIG;
    request.set_config = &body;
    return wire_pack(&request.base);
}

nng_msg *settings_log_level_reply(uint64_t id, Mpa__V1__Request__BodyCase command, nng_msg *answer)
{
    Mpa__V1__Reply *frontend =
        answer == NULL ? NULL : mpa__v1__reply__unpack(NULL, nng_msg_len(answer), nng_msg_body(answer));
    Mpa__V1__Reply reply = MPA__V1__REPLY__INIT;
    Mpa__V1__LogLevelReply body = MPA__V1__LOG_LEVEL_REPLY__INIT;
    Mpa__V1__ProcessLogLevel own = MPA__V1__PROCESS_LOG_LEVEL__INIT;
    Mpa__V1__ProcessLogLevel *list[1 + SUPERVISOR_MAX_PROCESSES] = {&own};
    nng_msg *packed;

    own.role = MPA__V1__ROLE__ROLE_CONTROLD;
    own.level = wire_borrow(log_level_name(log_level()));
    body.n_processes = 1;
    body.is_partial = frontend == NULL || frontend->body_case != MPA__V1__REPLY__BODY_SET_CONFIG;
    for (size_t i = 0; !body.is_partial && i < frontend->set_config->n_levels; i++) {
        if (body.n_processes < sizeof(list) / sizeof(list[0]))
            list[body.n_processes++] = frontend->set_config->levels[i];
    }
    body.processes = list;
    reply.id = id;
    if (command == MPA__V1__REQUEST__BODY_GET_LOG_LEVEL) {
        reply.body_case = MPA__V1__REPLY__BODY_GET_LOG_LEVEL;
        reply.get_log_level = &body;
    } else {
        reply.body_case = MPA__V1__REPLY__BODY_SET_LOG_LEVEL;
        reply.set_log_level = &body;
    }
    packed = wire_pack(&reply.base);
    if (frontend != NULL)
        mpa__v1__reply__free_unpacked(frontend, NULL);
    return packed;
}
