/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * settings_summary.c — which configuration is in force, in one line: a hash of all keys with their values,
 * and what is missing before the file is in force. It is made anew for each GetStatus: a hundred short texts.
 */
#include <sodium/crypto_generichash.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/controld/settings_internal.h"
#include "controlplane/controld/wire.h"

#define HASHED_BYTES 16u /* the shortest that BLAKE2b should be asked for; fewer are shown */

void settings_hash(const struct config *config, char hash[SETTINGS_HASH_BYTES])
{
    crypto_generichash_state state;
    unsigned char bytes[HASHED_BYTES];
    char path[CONFIG_KEY_BYTES], value[CONFIG_VALUE_TEXT_BYTES];

    /* None of the three can fail with lengths that are constant and good. */
    (void)crypto_generichash_init(&state, NULL, 0, sizeof(bytes));
    for (size_t i = 0; i < config_n_keys(); i++) {
        config_key_path(i, path);
        config_value_format(config, i, value, sizeof(value));
        /* With their ends, so that no two lists run together to the same bytes. */
        (void)crypto_generichash_update(&state, (const unsigned char *)path, strlen(path) + 1);
        (void)crypto_generichash_update(&state, (const unsigned char *)value, strlen(value) + 1);
    }
    (void)crypto_generichash_final(&state, bytes, sizeof(bytes));
    for (size_t i = 0; i < (SETTINGS_HASH_BYTES - 1) / 2; i++)
        snprintf(hash + 2 * i, 3, "%02x", bytes[i]);
}

/* What the file says is not in force, or not in every process that goes by it. */
static bool is_waiting(const struct settings *settings, size_t key_idx)
{
    if (!config_is_same(&settings->controld->config, &settings->file, key_idx))
        return true;
    for (size_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++) {
        if (settings_differs(settings, i, key_idx))
            return true;
    }
    return false;
}

void settings_fill_status(const struct settings *settings, struct settings_summary *room,
                          Mpa__V1__GetStatusReply *status)
{
    const char *path = settings->controld->options.config_path;
    bool is_needed[CONFIG_N_CHANGES] = {false};

    settings_hash(&settings->controld->config, room->hash);
    for (size_t i = 0; i < config_n_keys(); i++)
        is_needed[config_change(i)] |= is_waiting(settings, i);
    for (enum config_change change = CONFIG_CHANGE_LIVE; change < CONFIG_N_CHANGES; change++) {
        if (is_needed[change])
            room->waits[status->n_config_waits++] = settings_wire_need(change);
    }
    status->config_hash = room->hash;
    status->config_file = wire_borrow(path == NULL ? "" : path);
    status->config_waits = room->waits;
    status->config_error = wire_borrow(settings->fault);
}
