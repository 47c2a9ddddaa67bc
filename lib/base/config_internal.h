/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_internal.h — how a file becomes a struct config, in four stations:
 *
 *   config_index.c     libyaml: is it YAML, are all keys known and of the right shape; where does each stand
 *   config_schema.c    libcyaml: text to typed values (it stops at its first error)
 *   config_validate.c  ranges, addresses, contradictions: all that libcyaml has no words for
 *   config.c           copies only what stood in the file over the defaults
 *
 * config_keys.c holds the table that all of them read. Each station reports everything it finds, at the line
 * where the user wrote it, and the next one runs only if nothing was found.
 */
#ifndef MPA_BASE_CONFIG_INTERNAL_H
#define MPA_BASE_CONFIG_INTERNAL_H

#include <stdarg.h>

#include "base/config.h"

#define CONFIG_TOKEN_BYTES 64 /* a path like "services.discard.enabled", or the start of a value */
#define CONFIG_MAX_PLACES 128 /* all keys, sections and addresses; see config_index_add() */

/* What libcyaml fills: the configuration, and as text what it has no type for. `config` comes first, so that
 * the offset of a field is the same in both structs. */
struct config_file {
    struct config config;
    char mac[CONFIG_TOKEN_BYTES];
    char addresses[CONFIG_MAX_ADDRESSES][CONFIG_TOKEN_BYTES];
    uint32_t n_addresses;
    char gateway4[CONFIG_TOKEN_BYTES];
    char gateway6[CONFIG_TOKEN_BYTES];
};

enum config_kind {
    CONFIG_UINT,
    CONFIG_POWER, /* an unsigned power of two */
    CONFIG_CPU,   /* signed, -1 for none */
    CONFIG_BOOL,
    CONFIG_BACKEND,
    CONFIG_COMMIT,
    CONFIG_MANAGER,
    CONFIG_REFUSE,
    CONFIG_NAME,   /* network interface */
    CONFIG_PATH,   /* absolute */
    CONFIG_ROOT,   /* absolute or empty */
    CONFIG_LEVEL,  /* log level */
    CONFIG_USER,   /* user name or number, or empty */
    CONFIG_LISTEN, /* ADDRESS:PORT, or off */
    CONFIG_USERS,  /* several, and %groups */
    CONFIG_ROLE,   /* read or admin */
    CONFIG_MAC,
    CONFIG_ADDRESSES,
    CONFIG_GATEWAY,
};

struct config_rule {
    struct config_key text;
    enum config_kind kind;
    uint32_t offset; /* in struct config_file; MAC, ADDRESSES, GATEWAY: of the text */
    uint32_t size;
    int64_t min, max; /* of numbers */
};

extern const struct config_rule config_rules[];
extern const size_t config_n_rules;
/* "nic", ..., "services", "services.echo", ...; NULL-terminated, parents first. */
extern const char *const config_sections[];

/* "SECTION.KEY", or the key alone in section "". */
void config_path(const char *section, const char *key, char path[CONFIG_TOKEN_BYTES]);
/* The rule of a path like "nic.mtu", or NULL. */
const struct config_rule *config_rule_find(const char *path);
/* The number at a numeric rule's place in `config`. */
int64_t config_number(const struct config_rule *rule, const struct config *config);

/* Keys whose class does not follow from their section: for the test that each of them exists. */
size_t config_n_named_changes(void);
const char *config_named_change(size_t idx);

/* Where the messages go: lines "FILE:LINE: text" in the caller's buffer, cut off when it is full. */
struct config_report {
    const char *name;
    char *text;
    size_t size;
    size_t used;
    unsigned n_faults;
};

void config_fault(struct config_report *report, unsigned line, const char *format, ...) MPA_PRINTF(3, 4);

struct config_place {
    char path[CONFIG_TOKEN_BYTES];
    char value[CONFIG_TOKEN_BYTES]; /* of a scalar, its first bytes */
    unsigned line;
};

/* Which keys stand in the file, and where. */
struct config_index {
    struct config_place places[CONFIG_MAX_PLACES];
    size_t n_places;
};

/* Returns 0 with all faults reported, or -errno when it could not look. */
int config_index_build(struct config_index *index, const struct config_text *text,
                       struct config_report *report) MPA_WARN_UNUSED;
/* The place of a key, section or "host.addresses[2]"; NULL when the file does not have it. */
const struct config_place *config_index_find(const struct config_index *index, const char *path);

/* Fills *file with what stands in `text`, all else zero. Returns as config_index_build(). */
int config_schema_load(struct config_file *file, const struct config_text *text,
                       const struct config_index *index, struct config_report *report) MPA_WARN_UNUSED;

/* Checks the values that stand in the file; those that have their own text form are put into file->config. */
void config_validate_values(struct config_file *file, const struct config_index *index,
                            struct config_report *report);
/* Checks that the keys of the whole configuration, defaults included, do not contradict each other. */
void config_validate_whole(const struct config *config, const struct config_index *index,
                           struct config_report *report);

/* "02:00:5e:00:00:01" to bytes. 0 or -EINVAL. */
int config_mac_parse(const char *text, uint8_t mac[6]) MPA_WARN_UNUSED;

#endif
