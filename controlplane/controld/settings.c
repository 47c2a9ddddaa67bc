/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * settings.c — acts on live keys, and keeps the frontend informed.
 *
 * The frontend is told only of what was changed since our start: a frontend that somebody has started with an
 * option of its own keeps it until then. It is told everything each time, so a message that is lost, or a
 * frontend that dies in between, costs a second and no thought.
 */
#include "controlplane/controld/settings_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "controlplane/controld/balancer.h"
#include "controlplane/controld/changes.h"
#include "controlplane/controld/degrader.h"
#include "controlplane/controld/wire.h"

#define RETRY_NS CLOCK_NS_PER_S

/* ---- appliers ---- */

static void apply_log_level(struct settings *settings)
{
    settings_levels_changed(settings);
}

static void tell_frontend(struct settings *settings, enum settings_told what)
{
    settings->is_told[what] = true;
    settings->is_due = true;
    settings->next_try_ns = 0;
}

static void apply_heartbeat(struct settings *settings)
{
    tell_frontend(settings, TOLD_HEARTBEAT);
}

static void apply_orphan(struct settings *settings)
{
    tell_frontend(settings, TOLD_ORPHAN);
}

static void apply_idle(struct settings *settings)
{
    tell_frontend(settings, TOLD_IDLE);
}

static void apply_degrade(struct settings *settings)
{
    degrader_configure(settings->controld->degrader);
}

static void apply_degrade_switch(struct settings *settings)
{
    degrader_switch(settings->controld->degrader, settings->controld->config.control.degrade);
}

static void apply_balance(struct settings *settings)
{
    balancer_configure(settings->controld->balancer);
}

static void apply_scale(struct settings *settings)
{
    scaler_configure(&settings->controld->scaler, &settings->controld->config);
}

/* Carried out by settings_tick(): an update may be under way. */
static void apply_count(struct settings *settings)
{
    settings->is_count_due = !settings->controld->supervisor.manager.is_onlooker;
}

/* Whoever goes by it looks into controld->config each time. */
static void apply_by_use(struct settings *settings)
{
    (void)settings;
}

static const struct applier {
    const char *path;
    void (*apply)(struct settings *settings);
} appliers[] = {
    {"control.log_level", apply_log_level},
    {"control.heartbeat_ms", apply_heartbeat},
    {"worker.orphan_s", apply_orphan},
    {"control.restart_delay_ms", apply_by_use},
    {"worker.idle_s", apply_idle},
    {"worker.count", apply_count},
    {"worker.min", apply_scale},
    {"worker.max", apply_scale},
    {"control.scale", apply_scale},
    {"control.scale_up_permille", apply_scale},
    {"control.scale_up_looks", apply_scale},
    {"control.scale_down_permille", apply_scale},
    {"control.scale_down_looks", apply_scale},
    {"control.scale_pause_looks", apply_scale},
    {"control.degrade", apply_degrade_switch},
    {"control.degrade_machine", apply_by_use},
    {"control.degrade_ms", apply_by_use},
    {"control.degrade_congested_permille", apply_degrade},
    {"control.degrade_all_permille", apply_degrade},
    {"control.degrade_idle_permille", apply_degrade},
    {"control.degrade_workers_permille", apply_degrade},
    {"control.degrade_relief_permille", apply_degrade},
    {"control.degrade_idle_s", apply_by_use},
    {"control.refuse", apply_by_use},
    {"control.balance", apply_balance},
    {"control.balance_ms", apply_balance},
    {"control.balance_weight_cpu", apply_balance},
    {"control.balance_weight_ring", apply_balance},
    {"control.balance_weight_connections", apply_balance},
    {"control.balance_floor_permille", apply_balance},
    {"control.balance_factor_permille", apply_balance},
};

static const struct applier *applier_find(const char *path)
{
    for (size_t i = 0; i < sizeof(appliers) / sizeof(appliers[0]); i++) {
        if (strcmp(appliers[i].path, path) == 0)
            return &appliers[i];
    }
    return NULL;
}

bool settings_acts_on(const char *path)
{
    return applier_find(path) != NULL;
}

void settings_apply(struct settings *settings, size_t idx, const struct config *from)
{
    char path[CONFIG_KEY_BYTES];
    const struct applier *applier;

    config_key_path(idx, path);
    applier = applier_find(path);
    mpa_assert(applier != NULL); /* a unit test has one for each live key */
    config_copy_key(&settings->controld->config, from, idx);
    applier->apply(settings);
}

void settings_set_balance(struct settings *settings, bool is_on)
{
    struct config changed = settings->controld->config;
    size_t idx = config_key_find("control.balance");

    changed.control.balance = is_on;
    settings->is_by_hand[idx] |= !config_is_same(&settings->controld->config, &changed, idx);
    settings_apply(settings, idx, &changed);
}

void settings_levels_changed(struct settings *settings)
{
    enum log_level level = settings->own_level;

    if (level == 0 && log_level_parse(settings->controld->config.control.log_level, &level) != 0)
        return; /* the configuration holds no other words */
    if (level != log_level())
        log_change_level(level);
    tell_frontend(settings, TOLD_LOG_LEVEL);
}

/* ---- the frontend ---- */

const char *settings_process_name(size_t idx, char text[32])
{
    if (idx == 0)
        return "frontend";
    snprintf(text, 32, "worker %zu", idx - 1);
    return text;
}

nng_msg *settings_pack_for_frontend(const struct settings *settings)
{
    static const char *const keys[N_TOLD] = {[TOLD_LOG_LEVEL] = "control.log_level",
                                             [TOLD_HEARTBEAT] = "control.heartbeat_ms",
                                             [TOLD_ORPHAN] = "worker.orphan_s",
                                             [TOLD_IDLE] = "worker.idle_s"};
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__SetConfigRequest body = MPA__V1__SET_CONFIG_REQUEST__INIT;
    Mpa__V1__ConfigValue values[N_TOLD];
    Mpa__V1__ConfigValue *value_list[N_TOLD];
    Mpa__V1__ProcessLogLevel levels[SUPERVISOR_MAX_PROCESSES];
    Mpa__V1__ProcessLogLevel *level_list[SUPERVISOR_MAX_PROCESSES];
    char texts[N_TOLD][CONFIG_VALUE_TEXT_BYTES];

    for (size_t i = 0; i < N_TOLD; i++) {
        Mpa__V1__ConfigValue *value = &values[body.n_values];

        if (!settings->is_told[i])
            continue;
        config_value_format(&settings->controld->config, config_key_find(keys[i]), texts[i],
                            sizeof(texts[i]));
        mpa__v1__config_value__init(value);
        value->key = wire_borrow(keys[i]);
        value->value = texts[i];
        value_list[body.n_values++] = value;
    }
    for (size_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++) {
        Mpa__V1__ProcessLogLevel *level = &levels[body.n_levels];

        if (settings->levels[i] == 0)
            continue;
        mpa__v1__process_log_level__init(level);
        level->role = i == 0 ? MPA__V1__ROLE__ROLE_FRONTEND : MPA__V1__ROLE__ROLE_WORKER;
        level->slot = i == 0 ? 0 : (uint32_t)i - 1;
        level->level = wire_borrow(log_level_name(settings->levels[i]));
        level_list[body.n_levels++] = level;
    }
    body.values = value_list;
    body.levels = level_list;
    request.deadline_ms = SETTINGS_ANSWER_MS;
    request.body_case = MPA__V1__REQUEST__BODY_SET_CONFIG;
    request.set_config = &body;
    return wire_pack(&request.base);
}

/* A refusal will be one again: it waits for the next change, or the next frontend. */
static void take_answer(struct settings *settings, const Mpa__V1__Reply *reply)
{
    if (reply->error != NULL)
        log_warn("settings_refused process=mpa-frontend error=\"%s\"", reply->error->text);
    settings->told_pid = settings->asked_pid;
}

/* frontend_call_done_fn. */
static void answered(void *context, int error, nng_msg *answer)
{
    struct settings *settings = context;
    Mpa__V1__Reply *reply;

    if (error != 0) {
        settings->is_due = true;
        settings->next_try_ns = clock_now_ns() + RETRY_NS;
        return;
    }
    reply = wire_unpack(answer);
    if (reply == NULL)
        return;
    take_answer(settings, reply);
    mpa__v1__reply__free_unpacked(reply, NULL);
}

/* One change at a time: this one waits for its turn, and for the frontend. */
static void scale_to_count(struct settings *settings)
{
    struct controld *controld = settings->controld;

    if (settings->is_count_due && changes_obstacle(controld) == NULL &&
        changes_scale(controld, controld->config.worker.count) == 0)
        settings->is_count_due = false;
}

void settings_tick(struct settings *settings, uint64_t now_ns)
{
    const struct process *frontend = &settings->controld->supervisor.processes[0];
    bool is_new = settings->told_pid != frontend->handle.pid;
    bool is_needed = false;
    nng_msg *packed;

    scale_to_count(settings);
    for (size_t i = 0; i < N_TOLD; i++)
        is_needed |= settings->is_told[i];
    if (!is_needed || (!settings->is_due && !is_new) || now_ns < settings->next_try_ns ||
        frontend->state != PROCESS_RUNNING || settings->call.state != FRONTEND_CALL_IDLE)
        return;
    packed = settings_pack_for_frontend(settings);
    if (packed == NULL)
        return;
    settings->is_due = false; /* what changes while it is under way is told again */
    settings->asked_pid = frontend->handle.pid;
    frontend_call_start(&settings->call, packed, SETTINGS_ANSWER_MS);
}

void settings_step(struct settings *settings)
{
    frontend_call_step(&settings->call);
}

/* ---- start and end ---- */

int settings_new(struct settings **settings, struct controld *controld)
{
    struct settings *new = calloc(1, sizeof(*new));
    const struct start_options *options = &controld->options;
    int failed = NNG_ENOMEM;

    *settings = NULL;
    if (new != NULL) {
        new->controld = controld;
        if (options->log_level != NULL)
            snprintf(controld->config.control.log_level, sizeof(controld->config.control.log_level), "%s",
                     options->log_level);
        new->file = controld->config;
        new->loaded_ns = settings_wall_ns();
        /* Which keys stand in the file: a second look, for the sources. What has changed since the first one
         * a moment ago shows as what waits. */
        if (options->config_path != NULL && settings_read(new, &new->file, new->is_given, new->fault) != 0)
            log_warn("config_not_read error=\"%s\"", new->fault);
        runtime_keep(controld->kept_fd, &new->file);
        for (size_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++)
            new->started[i] = controld->config;
        failed = frontend_call_init(&new->call, controld->link, answered, new);
    }
    if (failed == 0)
        *settings = new;
    else
        settings_free(new);
    return failed;
}

void settings_free(struct settings *settings)
{
    if (settings == NULL)
        return;
    frontend_call_fini(&settings->call);
    free(settings);
}
