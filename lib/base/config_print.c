/* SPDX-License-Identifier: BSD-3-Clause */
/* config_print.c — a configuration as text: one value, the commented file, the reference table. */
#include "base/config_internal.h"

#include <string.h>

static const char *const backend_names[] = {
    [CONFIG_BACKEND_TAP] = "tap", [CONFIG_BACKEND_PACKET] = "packet", [CONFIG_BACKEND_MEMORY] = "memory"};
static const char *const commit_names[] = {
    [CONFIG_COMMIT_MINIMAL] = "minimal", [CONFIG_COMMIT_FULL] = "full"};
static const char *const refuse_names[] = {
    [CONFIG_REFUSE_RESET] = "reset", [CONFIG_REFUSE_SILENT] = "silent"};
static const char *const manager_names[] = {[CONFIG_MANAGER_DIRECT] = "direct",
                                            [CONFIG_MANAGER_SYSTEMD] = "systemd",
                                            [CONFIG_MANAGER_EXTERNAL] = "external"};

/* Quoted: YAML 1.1 readers take some digits with colons for a number to the base of 60. */
static void format_mac(const uint8_t mac[6], char *text, size_t size)
{
    snprintf(text, size, "\"%02x:%02x:%02x:%02x:%02x:%02x\"", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

/* A list in flow style. Quoted, since "::" means something to YAML inside brackets. */
static void format_addresses(const struct config_host *host, char *text, size_t size)
{
    char address[CONFIG_ADDRESS_TEXT_BYTES];
    size_t used = 1;

    mpa_assert(size >= CONFIG_VALUE_TEXT_BYTES);
    snprintf(text, size, "[");
    for (uint32_t i = 0; i < host->n_addresses; i++) {
        config_address_format(&host->addresses[i], address, sizeof(address));
        used += (size_t)snprintf(text + used, size - used, "%s\"%s\"", i == 0 ? "" : ", ", address);
    }
    snprintf(text + used, size - used, "]");
}

/* A gateway is written without the prefix length, which says nothing about it. */
static void format_gateway(const struct config_address *gateway, char *text, size_t size)
{
    config_address_format(gateway, text, size);
    *strchrnul(text, '/') = '\0';
}

/* A path may hold bytes that mean something to YAML; inside double quotes only two of them do. */
static void format_quoted(const char *value, char *text, size_t size)
{
    size_t used = 0;

    mpa_assert(size >= CONFIG_VALUE_TEXT_BYTES);
    text[used++] = '"';
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\')
            text[used++] = '\\';
        text[used++] = *value;
    }
    text[used++] = '"';
    text[used] = '\0';
}

/* Plain where nothing in it can mean anything to YAML; that is nearly always. */
static void format_path(const char *value, char *text, size_t size)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";

    if (value[0] != '\0' && strspn(value, plain) == strlen(value))
        snprintf(text, size, "%s", value);
    else
        format_quoted(value, text, size);
}

/* The text is one that config_load() takes for the same value; a fuzz target holds that. */
void config_value_format(const struct config *config, size_t idx, char *text, size_t size)
{
    const struct config_rule *rule = &config_rules[idx];
    const char *place = (const char *)config + rule->offset;

    mpa_assert(idx < config_n_rules);
    switch (rule->kind) {
    case CONFIG_UINT:
    case CONFIG_POWER:
    case CONFIG_CPU:
        snprintf(text, size, "%lld", (long long)config_number(rule, config));
        break;
    case CONFIG_BOOL:
        snprintf(text, size, "%s", config_number(rule, config) != 0 ? "true" : "false");
        break;
    case CONFIG_BACKEND:
        snprintf(text, size, "%s", backend_names[config->nic.backend]);
        break;
    case CONFIG_COMMIT:
        snprintf(text, size, "%s", commit_names[config->worker.commit]);
        break;
    case CONFIG_MANAGER:
        snprintf(text, size, "%s", manager_names[config->control.manager]);
        break;
    case CONFIG_REFUSE:
        snprintf(text, size, "%s", refuse_names[config->control.refuse]);
        break;
    case CONFIG_NAME:
    case CONFIG_PATH:
    case CONFIG_ROOT:
    case CONFIG_LEVEL:
    case CONFIG_USER:
    case CONFIG_LISTEN:
    case CONFIG_USERS:
    case CONFIG_ROLE:
        format_path(place, text, size);
        break;
    case CONFIG_MAC:
        format_mac(config->nic.mac, text, size);
        break;
    case CONFIG_ADDRESSES:
        format_addresses(&config->host, text, size);
        break;
    case CONFIG_GATEWAY:
        format_gateway(rule->offset == offsetof(struct config_file, gateway4) ? &config->host.gateway4
                                                                              : &config->host.gateway6,
                       text, size);
        break;
    }
}

/* "services.echo" is written as "echo:" one step to the right. Returns the indentation of its keys. */
static int print_section(const char *section, FILE *out)
{
    const char *dot = strchr(section, '.');

    if (dot == NULL) {
        fprintf(out, "\n%s:\n", section);
        return 2;
    }
    fprintf(out, "  %s:\n", dot + 1);
    return 4;
}

/* Help above each key, what is allowed behind it, so that the file can be filled in without the manual. */
void config_print_yaml(const struct config *config, FILE *out)
{
    char value[CONFIG_VALUE_TEXT_BYTES];
    const char *section = "";
    int indent = 0;

    fprintf(out, "# Configuration of LwIP MPA. Every key may be left out; what it may be stands behind it.\n"
                 "# Check a file with `mpactl config check FILE`.\n");
    for (size_t i = 0; i < config_n_rules; i++) {
        const struct config_key *key = &config_rules[i].text;

        if (strcmp(key->section, section) != 0)
            indent = print_section(key->section, out);
        section = key->section;
        config_value_format(config, i, value, sizeof(value));
        fprintf(out, "%*s# %s\n", indent, "", key->help);
        fprintf(out, "%*s%s: %s # %s\n", indent, "", key->key, value, key->allowed);
    }
}

/* A bar inside a cell would end it. */
static void print_cell(const char *text, FILE *out)
{
    for (; *text != '\0'; text++)
        fprintf(out, *text == '|' ? "\\|" : "%c", *text);
}

void config_print_markdown(FILE *out)
{
    const char *section = "";

    fprintf(
        out,
        "# Configuration\n\n"
        "One YAML file for all processes; every key may be left out, an empty file is valid. The defaults\n"
        "run as they are: `deploy/mpa.yaml` has them all. `mpactl config check FILE` names mistakes\n"
        "with their lines. This page and that file are printed from the table in "
        "`lib/base/config_keys.c`.\n\n"
        "*changes* says when a new value in the file comes into force:\n\n"
        "- live: at once, by `mpactl config reload` or SIGHUP to mpa-controld\n"
        "- worker: when the workers are replaced, `mpactl update`\n"
        "- frontend: when the frontend is replaced, `mpactl update --frontend`\n"
        "- controld: when mpa-controld is started again; the data plane runs on meanwhile\n"
        "- all: when everything was stopped and is started again\n\n"
        "Every process reads the file at its start. One that is started again between an edit and the "
        "reload\n"
        "has the new values before the others: `mpactl config show` tells.\n");
    for (size_t i = 0; i < config_n_rules; i++) {
        const struct config_key *key = &config_rules[i].text;

        if (strcmp(key->section, section) != 0)
            fprintf(out,
                    "\n## %s\n\n| key | default | allowed | changes | meaning |\n|---|---|---|---|---|\n",
                    key->section);
        section = key->section;
        fprintf(out, "| `%s` | `%s` | ", key->key, key->default_text);
        print_cell(key->allowed, out);
        fprintf(out, " | %s | %s |\n", config_change_name(config_change(i)), key->help);
    }
}
