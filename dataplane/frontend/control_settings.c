/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_settings.c — what an operator changes while we run: SetConfig of controld. Our own log level is one
 * atomic word; what the loop goes by, or passes on to workers, goes over the board. All values are looked at
 * before the first is taken.
 */
#include <errno.h>
#include <string.h>

#include "frontend/control_internal.h"

/* The keys that are ours to change. */
static bool settings_has(const char *key)
{
    return strcmp(key, "control.log_level") == 0 || strcmp(key, "control.heartbeat_ms") == 0 ||
           strcmp(key, "worker.orphan_s") == 0 || strcmp(key, "worker.idle_s") == 0;
}

/* False after a refusal. What passes is in *changed. */
static bool settings_check_values(struct control_call *call, struct config *changed)
{
    const Mpa__V1__SetConfigRequest *request = call->request->set_config;
    char error[256];

    for (size_t i = 0; i < request->n_values; i++) {
        const Mpa__V1__ConfigValue *value = request->values[i];

        if (!settings_has(value->key)) {
            control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, "values",
                           "the frontend cannot change that key while it runs");
            return false;
        }
        if (config_set(changed, value->key, value->value, error, sizeof(error)) != 0) {
            control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, "values", "%s", error);
            return false;
        }
    }
    return true;
}

/* False: no such process or level. Empty: as all. */
static bool settings_take_level(struct control_levels *levels, const Mpa__V1__ProcessLogLevel *process)
{
    enum log_level *place = &levels->frontend;
    enum log_level level = 0;

    if (process->role == MPA__V1__ROLE__ROLE_WORKER && process->slot < CONFIG_MAX_WORKERS)
        place = &levels->workers[process->slot];
    else if (process->role != MPA__V1__ROLE__ROLE_FRONTEND)
        return false;
    if (process->level[0] != '\0' && log_level_parse(process->level, &level) != 0)
        return false;
    *place = level;
    return true;
}

/* False after a refusal. A level for all takes back what was set for single processes before. */
static bool settings_check_levels(struct control_call *call, struct control_levels *levels)
{
    const Mpa__V1__SetConfigRequest *request = call->request->set_config;

    for (size_t i = 0; i < request->n_values; i++) {
        if (strcmp(request->values[i]->key, "control.log_level") != 0)
            continue;
        *levels = (struct control_levels){0};
        /* Cannot fail: config_set() has let it pass. */
        if (log_level_parse(request->values[i]->value, &levels->all) < 0)
            levels->all = log_level();
    }
    for (size_t i = 0; i < request->n_levels; i++) {
        if (!settings_take_level(levels, request->levels[i])) {
            control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, "levels",
                           "no such process, or no such level (allowed: error, warn, info, debug)");
            return false;
        }
    }
    return true;
}

/* A worker that nobody has said anything about keeps what its own start said. */
static void settings_apply_levels(struct control_call *call, const struct control_levels *levels,
                                  bool is_for_all)
{
    struct control_core *core = call->core;
    enum log_level own = levels->frontend != 0 ? levels->frontend : levels->all;

    if (own != log_level())
        log_change_level(own);
    for (unsigned i = 0; i < CONFIG_MAX_WORKERS; i++) {
        enum log_level level = levels->workers[i];

        if (level == 0 && (is_for_all || core->levels.workers[i] != 0))
            level = levels->all;
        if (level != 0)
            atomic_store_explicit(&core->board->lanes[i].log_level, (uint32_t)level, memory_order_relaxed);
    }
    core->levels = *levels;
}

/* For workers that are there, and those that come. */
static void settings_apply_value(struct board *board, const char *key, const struct config *changed)
{
    if (strcmp(key, "control.heartbeat_ms") == 0)
        atomic_store_explicit(&board->heartbeat_ms, changed->control.heartbeat_ms, memory_order_relaxed);
    for (unsigned slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        struct board_lane *lane = &board->lanes[slot];

        if (strcmp(key, "worker.orphan_s") == 0)
            atomic_store_explicit(&lane->orphan_s_plus_1, changed->worker.orphan_s + 1, memory_order_relaxed);
        if (strcmp(key, "worker.idle_s") == 0)
            atomic_store_explicit(&lane->idle_s_plus_1, changed->worker.idle_s + 1, memory_order_relaxed);
    }
}

static Mpa__V1__ProcessLogLevel *settings_level_message(struct control_call *call, Mpa__V1__Role role,
                                                        uint32_t slot, enum log_level level)
{
    Mpa__V1__ProcessLogLevel *message = control_alloc(&call->core->arena, 1, sizeof(*message));

    if (message == NULL)
        return NULL;
    mpa__v1__process_log_level__init(message);
    message->role = role;
    message->slot = slot;
    message->level = control_borrow(log_level_name(level));
    return message;
}

/* Us, and the workers that are attached. */
static int settings_reply(struct control_call *call)
{
    struct control_core *core = call->core;
    Mpa__V1__SetConfigReply *body = control_alloc(&core->arena, 1, sizeof(*body));

    if (body == NULL)
        return -ENOMEM;
    mpa__v1__set_config_reply__init(body);
    body->levels = control_alloc(&core->arena, 1 + CONFIG_MAX_WORKERS, sizeof(*body->levels));
    if (body->levels == NULL)
        return -ENOMEM;
    body->levels[body->n_levels++] =
        settings_level_message(call, MPA__V1__ROLE__ROLE_FRONTEND, 0, log_level());
    for (uint32_t i = 0; i < CONFIG_MAX_WORKERS; i++) {
        const struct board_lane *lane = &core->board->lanes[i];
        uint32_t level = atomic_load_explicit(&lane->log_level, memory_order_relaxed);

        if (atomic_load_explicit(&lane->state, memory_order_relaxed) != BOARD_LANE_EMPTY)
            body->levels[body->n_levels++] = settings_level_message(
                call, MPA__V1__ROLE__ROLE_WORKER, i, level != 0 ? (enum log_level)level : core->levels.all);
    }
    for (size_t i = 0; i < body->n_levels; i++) {
        if (body->levels[i] == NULL)
            return -ENOMEM;
    }
    call->reply->body_case = MPA__V1__REPLY__BODY_SET_CONFIG;
    call->reply->set_config = body;
    return 0;
}

int control_set_config(struct control_call *call)
{
    struct config changed = *call->core->config;
    struct control_levels levels = call->core->levels;
    bool is_for_all = false;

    for (size_t i = 0; i < call->request->set_config->n_values; i++)
        is_for_all |= strcmp(call->request->set_config->values[i]->key, "control.log_level") == 0;
    if (!settings_check_values(call, &changed) || !settings_check_levels(call, &levels))
        return 0;
    settings_apply_levels(call, &levels, is_for_all);
    for (size_t i = 0; i < call->request->set_config->n_values; i++)
        settings_apply_value(call->core->board, call->request->set_config->values[i]->key, &changed);
    return settings_reply(call);
}
