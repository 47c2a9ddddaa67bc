/* SPDX-License-Identifier: BSD-3-Clause */
/* settings.c — asks mpa-controld about its configuration and prints what it says. */
#include "controlplane/mpactl/settings.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controlplane/mpactl/client.h"
#include "controlplane/mpactl/json.h"
#include "controlplane/mpactl/text.h"

#define KEY_BYTES 96

/* "in the file: 64; worker 1: 32" */
static void cell_waiting(struct table *table, const Mpa__V1__ConfigEntry *entry)
{
    bool has_both = entry->waiting[0] != '\0' && entry->differs[0] != '\0';

    table_cell(table, "%s%s%s%s", entry->waiting[0] != '\0' ? "in the file: " : "", entry->waiting,
               has_both ? "; " : "", entry->differs);
}

static const char *need_word(Mpa__V1__ConfigNeed need)
{
    static const char *const words[] = {"live", "worker", "frontend", "controld", "all"};

    return (unsigned)need < sizeof(words) / sizeof(words[0]) ? words[need] : "?";
}

static int print_config(const Mpa__V1__GetConfigReply *reply)
{
    static const char *const headers[] = {"KEY", "VALUE", "SOURCE", "CHANGES", "WAITS", NULL};
    struct table *table = table_new(headers);
    time_t seconds = (time_t)(reply->loaded_ns / 1000000000u);
    char word[TEXT_WORD_BYTES], clock[32];
    struct tm moment;
    size_t n_waiting = 0;

    localtime_r(&seconds, &moment);
    strftime(clock, sizeof(clock), "%F %T", &moment);
    for (size_t i = 0; i < reply->n_entries; i++) {
        const Mpa__V1__ConfigEntry *entry = reply->entries[i];

        table_cell(table, "%s", entry->key);
        table_cell(table, "%s", entry->value);
        table_cell(table, "%s", text_enum(&mpa__v1__config_source__descriptor, (int)entry->source, word));
        table_cell(table, "%s", need_word(entry->need));
        cell_waiting(table, entry);
        n_waiting += entry->waiting[0] != '\0' || entry->differs[0] != '\0';
    }
    printf("%s%s, read %s: ", reply->file[0] == '\0' ? "no file" : "file ", reply->file, clock);
    if (n_waiting == 0)
        puts("all of it is in force\n");
    else
        printf("%zu key%s not in force, or not everywhere\n\n", n_waiting, n_waiting == 1 ? " is" : "s are");
    return table_print(table, stdout);
}

int settings_request_show(const struct mpactl *mpactl)
{
    Mpa__V1__GetConfigRequest body = MPA__V1__GET_CONFIG_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__Reply *reply;
    int exit_code;

    request.body_case = MPA__V1__REQUEST__BODY_GET_CONFIG;
    request.get_config = &body;
    exit_code = client_ask_once(mpactl, &request, &reply);
    if (exit_code != MPACTL_OK)
        return exit_code;
    exit_code = mpactl->is_json ? json_print_message(&reply->get_config->base, stdout)
                                : print_config(reply->get_config);
    mpa__v1__reply__free_unpacked(reply, NULL);
    return exit_code;
}

static int print_changes(Mpa__V1__ConfigChange **changes, size_t n, bool is_dry)
{
    static const char *const headers[] = {"KEY", "OLD", "NEW", "RESULT", NULL};
    struct table *table;

    if (n == 0) {
        puts("nothing has changed");
        return MPACTL_OK;
    }
    table = table_new(headers);
    for (size_t i = 0; i < n; i++) {
        bool is_live = changes[i]->need == MPA__V1__CONFIG_NEED__CONFIG_NEED_NOTHING;

        table_cell(table, "%s", changes[i]->key);
        table_cell(table, "%s", changes[i]->old);
        table_cell(table, "%s", changes[i]->new_);
        table_cell(table, "%s", is_dry && is_live ? "would change" : changes[i]->text);
    }
    return table_print(table, stdout);
}

int settings_request_reload(const struct mpactl *mpactl, bool is_dry)
{
    Mpa__V1__ReloadConfigRequest body = MPA__V1__RELOAD_CONFIG_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__Reply *reply;
    int exit_code;

    body.dry_run = is_dry;
    request.body_case = MPA__V1__REQUEST__BODY_RELOAD_CONFIG;
    request.reload_config = &body;
    exit_code = client_ask_once(mpactl, &request, &reply);
    if (exit_code != MPACTL_OK)
        return exit_code;
    if (mpactl->is_json)
        exit_code = json_print_message(&reply->reload_config->base, stdout);
    else
        exit_code = print_changes(reply->reload_config->changes, reply->reload_config->n_changes, is_dry);
    mpa__v1__reply__free_unpacked(reply, NULL);
    return exit_code;
}

/* ---- set ---- */

void assignments_add(struct assignments *assignments, char *text, struct argp_state *state)
{
    if (strchr(text, '=') == NULL)
        argp_error(state, "'%s': KEY=VALUE is wanted", text);
    if (assignments->n == SETTINGS_MAX_ASSIGNMENTS)
        argp_error(state, "more than %d keys", SETTINGS_MAX_ASSIGNMENTS);
    assignments->texts[assignments->n++] = text;
}

int settings_request_set(const struct mpactl *mpactl, const char *prefix, struct assignments *assignments)
{
    Mpa__V1__SetConfigRequest body = MPA__V1__SET_CONFIG_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__ConfigValue values[SETTINGS_MAX_ASSIGNMENTS];
    Mpa__V1__ConfigValue *list[SETTINGS_MAX_ASSIGNMENTS];
    char keys[SETTINGS_MAX_ASSIGNMENTS][KEY_BYTES];
    Mpa__V1__Reply *reply;
    int exit_code;

    for (size_t i = 0; i < assignments->n; i++) {
        char *equals = strchr(assignments->texts[i], '=');

        *equals = '\0';
        snprintf(keys[i], KEY_BYTES, "%s%.48s", strchr(assignments->texts[i], '.') == NULL ? prefix : "",
                 assignments->texts[i]);
        mpa__v1__config_value__init(&values[i]);
        values[i].key = keys[i];
        values[i].value = equals + 1;
        list[i] = &values[i];
    }
    body.n_values = assignments->n;
    body.values = list;
    request.body_case = MPA__V1__REQUEST__BODY_SET_CONFIG;
    request.set_config = &body;
    exit_code = client_ask_once(mpactl, &request, &reply);
    if (exit_code != MPACTL_OK)
        return exit_code;
    if (mpactl->is_json)
        exit_code = json_print_message(&reply->set_config->base, stdout);
    else
        exit_code = print_changes(reply->set_config->changes, reply->set_config->n_changes, false);
    mpa__v1__reply__free_unpacked(reply, NULL);
    return exit_code;
}
