/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_validate.c — what a schema has no words for. First each value of the file by itself, then, on the
 * whole configuration with its defaults, the keys against each other. Everything found is reported.
 */
#include "base/config_internal.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static bool is_power_of_two(int64_t value)
{
    return value > 0 && (value & (value - 1)) == 0;
}

/* Printable ASCII: paths stand in logs, and YAML folds some bytes of others when it reads them back. */
static bool is_absolute_path(const char *path)
{
    const char *byte = path;

    while (*byte >= ' ' && *byte <= '~')
        byte++;
    return path[0] == '/' && *byte == '\0';
}

/* As the kernel sees it (dev_valid_name), and printable, for it stands in logs and commands. */
static bool is_interface_name(const char *name)
{
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (; *name != '\0'; name++) {
        if (!isgraph((unsigned char)*name) || *name == '/' || *name == ':')
            return false;
    }
    return true;
}

/* The logger has the list of levels; asking it keeps the two equal. */
static bool is_log_level(const char *text)
{
    enum log_level level;

    return log_level_parse(text, &level) == 0;
}

/* A multicast source address is dropped by every switch, and zero is what an unset one looks like. */
static bool is_unicast_mac(const uint8_t mac[6])
{
    static const uint8_t zero[6];

    return (mac[0] & 1) == 0 && memcmp(mac, zero, sizeof(zero)) != 0;
}

/* An address a host may have: no loopback, multicast, broadcast or "this network". */
static bool is_unicast(const struct config_address *address)
{
    static const uint8_t zero[16], loopback[16] = {[15] = 1};

    if (address->family == 4)
        return address->bytes[0] != 0 && address->bytes[0] != 127 && address->bytes[0] < 224;
    return address->bytes[0] != 0xff && memcmp(address->bytes, zero, 16) != 0 &&
           memcmp(address->bytes, loopback, 16) != 0;
}

/* True when the host part of an IPv4 address is all zeros or all ones (the network, its broadcast). */
static bool is_network_or_broadcast(const struct config_address *address)
{
    const uint8_t *b = address->bytes;
    const uint32_t value = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    uint32_t host_mask;

    if (address->family != 4 || address->prefix_bits >= 31)
        return false;
    host_mask = UINT32_MAX >> address->prefix_bits;
    return (value & host_mask) == 0 || (value & host_mask) == host_mask;
}

/* A prefix length of 0 would put the whole world on the link, and one that was forgotten, read as that of a
 * single host, nobody: no neighbour would get an answer, and nothing would say why. */
static bool address_take(const char *text, struct config_address *address)
{
    return strchr(text, '/') != NULL && config_address_parse(text, address) == 0 &&
           address->prefix_bits > 0 && is_unicast(address) && !is_network_or_broadcast(address);
}

/* "none" and the empty text are family 0; a prefix length would say nothing and is refused. */
static bool gateway_take(const char *text, uint8_t family, struct config_address *gateway)
{
    if (text[0] == '\0' || strcmp(text, "none") == 0) {
        *gateway = (struct config_address){0};
        return true;
    }
    return strchr(text, '/') == NULL && config_address_parse(text, gateway) == 0 &&
           gateway->family == family && is_unicast(gateway);
}

/* Reports by itself, for each entry has its own line. */
static bool addresses_take(struct config_file *file, const struct config_index *index,
                           struct config_report *report)
{
    struct config_host *host = &file->config.host;
    const struct config_place *place;
    char path[CONFIG_TOKEN_BYTES];

    host->n_addresses = file->n_addresses;
    for (uint32_t i = 0; i < file->n_addresses; i++) {
        snprintf(path, sizeof(path), "host.addresses[%u]", i);
        place = config_index_find(index, path);
        if (place != NULL && !address_take(file->addresses[i], &host->addresses[i]))
            config_fault(report, place->line,
                         "key 'host.addresses': '%s' is not valid (allowed: a unicast address with prefix "
                         "length, like 10.77.0.2/24 or fd77::2/64)",
                         file->addresses[i]);
    }
    return true; /* said above, at the line of each entry */
}

/* A name as useradd(8) takes it, or digits, or nothing. Whether there is such a user shows at start. */
static bool is_user(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

    return strspn(text, letters) == strlen(text) && text[0] != '-' && text[0] != '.';
}

/* A place, or off; for which files of before have nothing: there is one word for it from here on. */
static bool listen_take(char *text, size_t size)
{
    struct config_listen listen;

    if (text[0] == '\0')
        snprintf(text, size, "off");
    return config_listen_is_off(text) || config_listen_parse(text, &listen) == 0;
}

/* Users and %groups with blanks between. */
static bool is_user_list(const char *list)
{
    char text[CONFIG_USERS_BYTES];
    char *rest = text;
    const char *word;

    snprintf(text, sizeof(text), "%s", list);
    while ((word = strtok_r(rest, " ", &rest)) != NULL) {
        if (word[0] == '%')
            word++;
        if (word[0] == '\0' || !is_user(word))
            return false;
    }
    return true;
}

/* True when the value is allowed. Takes those that are text in the file into file->config. */
static bool value_take(struct config_file *file, const struct config_rule *rule,
                       const struct config_index *index, struct config_report *report)
{
    const char *text = (const char *)file + rule->offset;
    struct config *config = &file->config;
    int64_t number;

    switch (rule->kind) {
    case CONFIG_UINT:
    case CONFIG_POWER:
    case CONFIG_CPU:
        number = config_number(rule, config);
        return number >= rule->min && number <= rule->max &&
               (rule->kind != CONFIG_POWER || is_power_of_two(number));
    case CONFIG_BOOL:
    case CONFIG_BACKEND:
    case CONFIG_COMMIT:
    case CONFIG_MANAGER:
    case CONFIG_REFUSE:
        return true; /* libcyaml takes only the words of the schema */
    case CONFIG_NAME:
        return is_interface_name(text);
    case CONFIG_PATH:
        return is_absolute_path(text);
    case CONFIG_ROOT:
        return text[0] == '\0' || is_absolute_path(text);
    case CONFIG_LEVEL:
        return is_log_level(text);
    case CONFIG_USER:
        return is_user(text);
    case CONFIG_LISTEN:
        return listen_take((char *)file + rule->offset, rule->size);
    case CONFIG_USERS:
        return is_user_list(text);
    case CONFIG_ROLE:
        return strcmp(text, "read") == 0 || strcmp(text, "admin") == 0;
    case CONFIG_MAC:
        return config_mac_parse(text, config->nic.mac) == 0 && is_unicast_mac(config->nic.mac);
    case CONFIG_ADDRESSES:
        return addresses_take(file, index, report);
    case CONFIG_GATEWAY:
        if (text == file->gateway4)
            return gateway_take(text, 4, &config->host.gateway4);
        return gateway_take(text, 6, &config->host.gateway6);
    }
    return false;
}

/* Only what stands in the file: the defaults are right by test. */
void config_validate_values(struct config_file *file, const struct config_index *index,
                            struct config_report *report)
{
    char path[CONFIG_TOKEN_BYTES];

    for (size_t i = 0; i < config_n_rules; i++) {
        const struct config_rule *rule = &config_rules[i];
        const struct config_place *place;

        config_path(rule->text.section, rule->text.key, path);
        place = config_index_find(index, path);
        if (place != NULL && !value_take(file, rule, index, report))
            config_fault(report, place->line, "key '%s': '%s' is not valid (allowed: %s)", path, place->value,
                         rule->text.allowed);
    }
}
