/* SPDX-License-Identifier: BSD-3-Clause */
/* settings_file.c — the file against what is in force, key by key. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "controlplane/controld/events.h"
#include "controlplane/controld/settings_internal.h"

#define FAULTS_BYTES 4096

uint64_t settings_wall_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* An answer is one line: the first fault whole, and how many there are besides. */
static void take_faults(const char *faults, const char *path, char *error)
{
    size_t length = strcspn(faults, "\n");
    unsigned n_more = 0;

    for (const char *byte = faults; *byte != '\0'; byte++)
        n_more += *byte == '\n';
    if (n_more == 0)
        snprintf(error, SETTINGS_TEXT_BYTES, "%.400s", faults);
    else
        snprintf(error, SETTINGS_TEXT_BYTES, "%.*s, and %u more (mpactl config check %s)",
                 (int)(length < 300 ? length : 300), faults, n_more, path);
}

/* Options of the command line win, as at the start. */
static void overlay_options(const struct settings *settings, struct config *file)
{
    const struct start_options *options = &settings->controld->options;

    if (options->log_level != NULL)
        snprintf(file->control.log_level, sizeof(file->control.log_level), "%s", options->log_level);
    if (options->runtime_dir != NULL)
        config_copy_key(file, &settings->controld->config, config_key_find("control.runtime_dir"));
}

int settings_read(struct settings *settings, struct config *file, bool *is_given, char *error)
{
    const char *path = settings->controld->options.config_path;
    struct config_source source = {.name = path, .is_given = is_given};
    char faults[FAULTS_BYTES];
    int status;

    if (path == NULL || settings->controld->reader.socket < 0) {
        snprintf(error, SETTINGS_TEXT_BYTES, "mpa-controld was started without --config: there is no file");
        return -ENOENT;
    }
    source.fd = reader_open(&settings->controld->reader);
    if (source.fd < 0) {
        snprintf(error, SETTINGS_TEXT_BYTES, "%.300s: %s", path,
                 source.fd == -EINVAL ? "not a regular file" : strerror(-source.fd));
        return source.fd;
    }
    status = config_load_fd(&source, file, faults, sizeof(faults));
    fd_close(&source.fd);
    if (status == 0)
        overlay_options(settings, file);
    else
        take_faults(faults, path, error);
    return status;
}

/* ---- changes ---- */

const char *settings_need_text(enum config_change need)
{
    switch (need) {
    case CONFIG_CHANGE_LIVE:
        return "changed";
    case CONFIG_CHANGE_WORKER:
        return "needs: mpactl update";
    case CONFIG_CHANGE_FRONTEND:
        return "needs: mpactl update --frontend";
    case CONFIG_CHANGE_CONTROLD:
        return "needs: a new start of mpa-controld (the data plane runs on)";
    case CONFIG_CHANGE_ALL:
    case CONFIG_N_CHANGES:
        break;
    }
    return "needs: mpactl stop, and a new start";
}

void settings_add_change(struct settings_changes *changes, size_t idx, const struct config *from,
                         const struct config *to)
{
    struct settings_change *change = &changes->entries[changes->n];
    char path[CONFIG_KEY_BYTES];

    mpa_assert(changes->n < SETTINGS_MAX_CHANGES);
    config_key_path(idx, path);
    snprintf(change->key, sizeof(change->key), "%s", path);
    config_value_format(from, idx, change->old_text, sizeof(change->old_text));
    config_value_format(to, idx, change->new_text, sizeof(change->new_text));
    change->need = config_change(idx);
    changes->n++;
}

static void add_level(struct settings_changes *changes, const char *process, enum log_level old,
                      const struct config *file)
{
    struct settings_change *change = &changes->entries[changes->n];

    if (old == 0)
        return;
    mpa_assert(changes->n < SETTINGS_MAX_CHANGES);
    snprintf(change->key, sizeof(change->key), "control.log_level of %s", process);
    snprintf(change->old_text, sizeof(change->old_text), "%s", log_level_name(old));
    snprintf(change->new_text, sizeof(change->new_text), "%s", file->control.log_level);
    change->need = CONFIG_CHANGE_LIVE;
    changes->n++;
}

/* What was set for single processes is what the file says for all again. True if there was any. */
static bool reload_levels(struct settings *settings, bool is_dry, const struct config *file,
                          struct settings_changes *changes)
{
    size_t n_before = changes->n;
    char name[32];

    add_level(changes, "controld", settings->own_level, file);
    for (size_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++)
        add_level(changes, settings_process_name(i, name), settings->levels[i], file);
    if (is_dry || changes->n == n_before)
        return false;
    settings->own_level = 0;
    memset(settings->levels, 0, sizeof(settings->levels));
    return true;
}

/* Live keys first come all into the list, with what they were: an applier may look at several. */
static void reload_keys(struct settings *settings, bool is_dry, const struct config *file,
                        struct settings_changes *changes)
{
    for (size_t i = 0; i < config_n_keys(); i++) {
        struct config *in_force = &settings->controld->config;

        if (!is_dry)
            settings->is_by_hand[i] = false;
        if (config_is_same(in_force, file, i))
            continue;
        settings_add_change(changes, i, in_force, file);
        if (!is_dry && config_change(i) == CONFIG_CHANGE_LIVE)
            settings_apply(settings, i, file);
    }
}

int settings_reload(struct settings *settings, bool is_dry, struct settings_changes *changes, char *error)
{
    bool is_given[CONFIG_MAX_KEYS] = {false};
    struct config file;
    int status = settings_read(settings, &file, is_given, error);

    if (status != 0)
        return status;
    changes->n = 0;
    if (reload_levels(settings, is_dry, &file, changes))
        settings_levels_changed(settings);
    reload_keys(settings, is_dry, &file, changes);
    if (is_dry)
        return 0;
    settings->file = file;
    settings->fault[0] = '\0';
    runtime_keep(settings->controld->kept_fd, &file);
    memcpy(settings->is_given, is_given, sizeof(is_given));
    settings->loaded_ns = settings_wall_ns();
    return 0;
}

void settings_announce(struct settings *settings, const char *by, const struct settings_changes *changes,
                       const char *error)
{
    struct event event = {.kind = MPA__V1__EVENT_KIND__EVENT_KIND_RELOAD,
                          .role = MPA__V1__ROLE__ROLE_CONTROLD};
    size_t n_waiting = 0;
    char text[128];

    for (size_t i = 0; error == NULL && i < changes->n; i++) {
        const struct settings_change *change = &changes->entries[i];

        n_waiting += change->need != CONFIG_CHANGE_LIVE;
        log_info("config_change key=\"%s\" old=%s new=%s result=\"%s\"", change->key, change->old_text,
                 change->new_text, settings_need_text(change->need));
    }
    if (error != NULL)
        snprintf(text, sizeof(text), "%s: refused, nothing has changed", by);
    else
        snprintf(text, sizeof(text), "%s: %zu changed, %zu wait for a new start", by, changes->n - n_waiting,
                 n_waiting);
    if (error != NULL)
        log_warn("config_refused by=\"%s\" error=\"%s\"", by, error);
    else
        log_info("config_taken by=\"%s\" changed=%zu waiting=%zu", by, changes->n - n_waiting, n_waiting);
    event.fields[event.n_fields].key = "text";
    event.fields[event.n_fields++].value = text;
    event.fields[event.n_fields].key = "error";
    event.fields[event.n_fields].value = error;
    event.n_fields += error != NULL;
    events_publish(settings->controld->events, &event);
}

/* sd_notify(3): a unit that reloads says so before, with the time, and that it is ready after. Before the
 * first READY=1 it is starting and nothing else. */
static void notify_reloading(const struct settings *settings, bool is_begin)
{
    char lines[64];

    if (!settings->controld->is_ready_told)
        return;
    snprintf(lines, sizeof(lines), "RELOADING=1\nMONOTONIC_USEC=%llu",
             (unsigned long long)(clock_now_ns() / CLOCK_NS_PER_US));
    notify_tell(&settings->controld->notify, is_begin ? lines : "READY=1");
}

int settings_reload_by(struct settings *settings, const char *by, struct settings_changes *changes,
                       char *error)
{
    int status;

    notify_reloading(settings, true);
    status = settings_reload(settings, false, changes, error);
    settings_announce(settings, by, changes, status == 0 ? NULL : error);
    notify_reloading(settings, false);
    return status;
}

void settings_hangup(struct settings *settings)
{
    struct settings_changes *changes = calloc(1, sizeof(*changes));
    char error[SETTINGS_TEXT_BYTES];

    if (changes == NULL)
        log_error("config_refused by=signal error=\"%s\"", strerror(ENOMEM));
    else if (settings_reload_by(settings, "signal", changes, error) == 0)
        log_debug("reloaded by=signal");
    free(changes);
}

/* ---- processes ---- */

/* What all that run have read is in force: keys of that class, of these processes. */
static void settle_class(struct settings *settings, enum config_change change, size_t first, size_t last)
{
    const struct process *processes = settings->controld->supervisor.processes;
    const struct config *one = NULL;

    for (size_t key = 0; key < config_n_keys(); key++) {
        bool is_same = config_change(key) == change;

        one = NULL;
        for (size_t i = first; i <= last && is_same; i++) {
            if (!process_is_alive(&processes[i]))
                continue;
            is_same = one == NULL || config_is_same(one, &settings->started[i], key);
            one = &settings->started[i];
        }
        if (is_same && one != NULL)
            config_copy_key(&settings->controld->config, one, key);
    }
}

void settings_process_started(struct settings *settings, const struct process *process)
{
    size_t idx = (size_t)(process - settings->controld->supervisor.processes);
    bool is_given[CONFIG_MAX_KEYS];
    struct config file;
    char name[32];

    settings->started[idx] = settings->file;
    if (settings->controld->options.config_path == NULL)
        return;
    settings->fault[0] = '\0';
    if (settings_read(settings, &file, is_given, settings->fault) != 0) {
        log_warn("config_bad process=\"%s\" error=\"%s\"", settings_process_name(idx, name), settings->fault);
        return; /* it says the same, and begins with settings->file: runtime_keep() */
    }
    settings->started[idx] = file;
    for (size_t i = 0; i < config_n_keys(); i++) {
        if (config_is_same(&file, &settings->file, i))
            continue;
        log_warn("config_not_reloaded process=\"%s\" hint=\"the file has changed: mpactl config reload\"",
                 settings_process_name(idx, name));
        break;
    }
    settle_class(settings, CONFIG_CHANGE_FRONTEND, 0, 0);
    settle_class(settings, CONFIG_CHANGE_WORKER, 1, SUPERVISOR_MAX_PROCESSES - 1);
}
