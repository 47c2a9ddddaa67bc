/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_change.c — when a new value of a key comes into force, and how one key goes from one configuration
 * to another.
 *
 * A key belongs to the process that reads it, and so to its section; the table names those that do not. What
 * is live must be acted on at run time: a unit test holds the table against the appliers of mpa-controld
 * (controlplane/controld/settings.c).
 */
#include "base/config_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* A section's keys, but for those that stand below. */
static const struct {
    const char *section;
    enum config_change change;
} section_changes[] = {
    {"nic", CONFIG_CHANGE_FRONTEND},
    {"host", CONFIG_CHANGE_FRONTEND},
    {"frontend", CONFIG_CHANGE_FRONTEND},
    {"worker", CONFIG_CHANGE_WORKER},
    {"services", CONFIG_CHANGE_WORKER},
    {"services.echo", CONFIG_CHANGE_WORKER},
    {"services.discard", CONFIG_CHANGE_WORKER},
    {"services.chargen", CONFIG_CHANGE_WORKER},
    {"services.http", CONFIG_CHANGE_WORKER},
    {"control", CONFIG_CHANGE_CONTROLD},
};

static const struct {
    const char *path;
    enum config_change change;
} key_changes[] = {
    {"frontend.n_buckets", CONFIG_CHANGE_ALL},   /* workers hash by it, and cannot return to another number */
    {"frontend.pool_chunks", CONFIG_CHANGE_ALL}, /* the return rings of workers are made for it */
    {"worker.count", CONFIG_CHANGE_LIVE},
    {"worker.min", CONFIG_CHANGE_LIVE},
    {"worker.max", CONFIG_CHANGE_LIVE},
    {"worker.orphan_s", CONFIG_CHANGE_LIVE},
    {"control.manager", CONFIG_CHANGE_ALL},
    {"control.runtime_dir", CONFIG_CHANGE_ALL},
    {"control.restart_delay_ms", CONFIG_CHANGE_LIVE},
    {"control.heartbeat_ms", CONFIG_CHANGE_LIVE},
    {"control.balance", CONFIG_CHANGE_LIVE},
    {"control.balance_ms", CONFIG_CHANGE_LIVE},
    {"control.balance_weight_cpu", CONFIG_CHANGE_LIVE},
    {"control.balance_weight_ring", CONFIG_CHANGE_LIVE},
    {"control.balance_weight_connections", CONFIG_CHANGE_LIVE},
    {"control.balance_floor_permille", CONFIG_CHANGE_LIVE},
    {"control.balance_factor_permille", CONFIG_CHANGE_LIVE},
    {"worker.idle_s", CONFIG_CHANGE_LIVE},
    {"control.degrade", CONFIG_CHANGE_LIVE},
    {"control.degrade_machine", CONFIG_CHANGE_LIVE},
    {"control.degrade_ms", CONFIG_CHANGE_LIVE},
    {"control.degrade_congested_permille", CONFIG_CHANGE_LIVE},
    {"control.degrade_all_permille", CONFIG_CHANGE_LIVE},
    {"control.degrade_idle_permille", CONFIG_CHANGE_LIVE},
    {"control.degrade_workers_permille", CONFIG_CHANGE_LIVE},
    {"control.degrade_relief_permille", CONFIG_CHANGE_LIVE},
    {"control.degrade_idle_s", CONFIG_CHANGE_LIVE},
    {"control.refuse", CONFIG_CHANGE_LIVE},
    {"control.scale", CONFIG_CHANGE_LIVE},
    {"control.scale_up_permille", CONFIG_CHANGE_LIVE},
    {"control.scale_up_looks", CONFIG_CHANGE_LIVE},
    {"control.scale_down_permille", CONFIG_CHANGE_LIVE},
    {"control.scale_down_looks", CONFIG_CHANGE_LIVE},
    {"control.scale_pause_looks", CONFIG_CHANGE_LIVE},
    {"control.log_level", CONFIG_CHANGE_LIVE},
};

/* CONFIG_N_CHANGES for a key of a section that nobody has thought of: a unit test finds it. */
enum config_change config_change(size_t idx)
{
    const char *section = config_rules[idx].text.section;
    char path[CONFIG_TOKEN_BYTES];

    mpa_assert(idx < config_n_rules);
    config_path(section, config_rules[idx].text.key, path);
    for (size_t i = 0; i < sizeof(key_changes) / sizeof(key_changes[0]); i++) {
        if (strcmp(key_changes[i].path, path) == 0)
            return key_changes[i].change;
    }
    for (size_t i = 0; i < sizeof(section_changes) / sizeof(section_changes[0]); i++) {
        if (strcmp(section_changes[i].section, section) == 0)
            return section_changes[i].change;
    }
    return CONFIG_N_CHANGES;
}

size_t config_n_named_changes(void)
{
    return sizeof(key_changes) / sizeof(key_changes[0]);
}

const char *config_named_change(size_t idx)
{
    return key_changes[idx].path;
}

const char *config_change_name(enum config_change change)
{
    switch (change) {
    case CONFIG_CHANGE_LIVE:
        return "live";
    case CONFIG_CHANGE_WORKER:
        return "worker";
    case CONFIG_CHANGE_FRONTEND:
        return "frontend";
    case CONFIG_CHANGE_CONTROLD:
        return "controld";
    case CONFIG_CHANGE_ALL:
        return "all";
    case CONFIG_N_CHANGES:
        break;
    }
    return "?";
}

void config_key_path(size_t idx, char path[CONFIG_KEY_BYTES])
{
    mpa_assert(idx < config_n_rules);
    config_path(config_rules[idx].text.section, config_rules[idx].text.key, path);
}

size_t config_key_find(const char *path)
{
    const struct config_rule *rule = config_rule_find(path);

    return rule == NULL ? config_n_rules : (size_t)(rule - config_rules);
}

/* By their text: padding and unused places of lists do not count. */
bool config_is_same(const struct config *config, const struct config *other, size_t idx)
{
    char text[CONFIG_VALUE_TEXT_BYTES], other_text[CONFIG_VALUE_TEXT_BYTES];

    config_value_format(config, idx, text, sizeof(text));
    config_value_format(other, idx, other_text, sizeof(other_text));
    return strcmp(text, other_text) == 0;
}

void config_copy_key(struct config *to, const struct config *from, size_t idx)
{
    const struct config_rule *rule = &config_rules[idx];

    mpa_assert(idx < config_n_rules);
    if (rule->offset < sizeof(*to)) {
        memcpy((char *)to + rule->offset, (const char *)from + rule->offset, rule->size);
    } else if (rule->kind == CONFIG_MAC) {
        memcpy(to->nic.mac, from->nic.mac, sizeof(to->nic.mac));
    } else if (rule->kind == CONFIG_ADDRESSES) {
        to->host.n_addresses = from->host.n_addresses;
        memcpy(to->host.addresses, from->host.addresses, sizeof(to->host.addresses));
    } else if (rule->offset == offsetof(struct config_file, gateway4)) {
        to->host.gateway4 = from->host.gateway4;
    } else {
        to->host.gateway6 = from->host.gateway6;
    }
}

/* The kinds that live keys have. False: not allowed. */
static bool value_parse(const struct config_rule *rule, const char *value, struct config *config)
{
    char *place = (char *)config + rule->offset;
    enum log_level level;
    uint32_t wide;
    long long number;
    char *end;

    if (rule->kind == CONFIG_BOOL) {
        *(bool *)place = strcmp(value, "true") == 0;
        return *(bool *)place || strcmp(value, "false") == 0;
    }
    if (rule->kind == CONFIG_LEVEL) {
        snprintf(place, rule->size, "%s", value);
        return log_level_parse(value, &level) == 0;
    }
    if (rule->kind == CONFIG_REFUSE) {
        config->control.refuse = strcmp(value, "silent") == 0 ? CONFIG_REFUSE_SILENT : CONFIG_REFUSE_RESET;
        return strcmp(value, "silent") == 0 || strcmp(value, "reset") == 0;
    }
    errno = 0;
    number = strtoll(value, &end, 10);
    if (rule->kind != CONFIG_UINT || rule->size != sizeof(wide) || value[0] < '0' || value[0] > '9' ||
        *end != '\0' || errno != 0 || number < rule->min || number > rule->max)
        return false;
    wide = (uint32_t)number;
    memcpy(place, &wide, sizeof(wide));
    return true;
}

/* What was asked for may come from anywhere: it must not drive a terminal. Returns `status`. */
static int set_refused(char *error, int status)
{
    for (; *error != '\0'; error++) {
        if ((unsigned char)*error < ' ' || *error == 0x7f)
            *error = '?';
    }
    return status;
}

int config_set(struct config *config, const char *path, const char *value, char *error, size_t error_size)
{
    struct config changed = *config;
    size_t idx = config_key_find(path);

    if (idx == config_n_rules || config_change(idx) != CONFIG_CHANGE_LIVE) {
        snprintf(error, error_size,
                 idx == config_n_rules ? "there is no key '%.60s'"
                                       : "key '%.60s' cannot be set while it is in use",
                 path);
        return set_refused(error, -ENOENT);
    }
    if (!value_parse(&config_rules[idx], value, &changed)) {
        snprintf(error, error_size, "key '%s': '%.40s' is not valid (allowed: %s)", path, value,
                 config_rules[idx].text.allowed);
        return set_refused(error, -EINVAL);
    }
    *config = changed;
    return 0;
}

int config_check_whole(const struct config *config, char *error, size_t error_size)
{
    static const struct config_index nothing; /* no key stands in a file */
    struct config_report report = {.name = "", .text = error, .size = error_size};

    config_validate_whole(config, &nothing, &report);
    if (report.n_faults == 0)
        return 0;
    /* The first, without the place in a file that it did not come from: ":1: ". */
    memmove(error, error + strlen(":1: "), strlen(error + strlen(":1: ")) + 1);
    *strchrnul(error, '\n') = '\0';
    return -EINVAL;
}
