/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_schema.c — libcyaml's schema, made from the table of keys, and the load through it.
 *
 * Every mapping of the schema starts at offset 0 of struct config_file, so that the offset in a rule is the
 * offset for libcyaml, for the defaults and for printing alike. libcyaml stops at its first error and tells
 * where only in log lines; from those the path of the key is taken, its line from the index.
 */
#include "base/config_internal.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <string.h>

#define SCHEMA_MAX_FIELDS 64 /* keys and sub-sections of one section, and the end */
#define SCHEMA_MAX_SECTIONS 16
#define SCHEMA_MAX_DEPTH 4

struct schema_section {
    cyaml_schema_field_t fields[SCHEMA_MAX_FIELDS];
    size_t n_fields;
};

/* Section [0] is the file itself, [i + 1] is config_sections[i]. */
struct schema {
    struct schema_section sections[SCHEMA_MAX_SECTIONS];
    cyaml_schema_value_t address;
    cyaml_schema_value_t root;
};

static const cyaml_strval_t bool_words[] = {{"false", 0}, {"true", 1}};
static const cyaml_strval_t backend_words[] = {
    {"tap", CONFIG_BACKEND_TAP}, {"packet", CONFIG_BACKEND_PACKET}, {"memory", CONFIG_BACKEND_MEMORY}};
static const cyaml_strval_t commit_words[] = {{"minimal", CONFIG_COMMIT_MINIMAL},
                                              {"full", CONFIG_COMMIT_FULL}};
static const cyaml_strval_t refuse_words[] = {{"reset", CONFIG_REFUSE_RESET},
                                              {"silent", CONFIG_REFUSE_SILENT}};
static const cyaml_strval_t manager_words[] = {{"direct", CONFIG_MANAGER_DIRECT},
                                               {"systemd", CONFIG_MANAGER_SYSTEMD},
                                               {"external", CONFIG_MANAGER_EXTERNAL}};

/* Every key is optional to libcyaml: absent ones stay zero here and get their defaults in config.c. */
static cyaml_schema_field_t *add_field(struct schema_section *section, const char *key)
{
    cyaml_schema_field_t *field = &section->fields[section->n_fields++];

    /* The last field stays zero: it marks the end. */
    mpa_assert(section->n_fields < SCHEMA_MAX_FIELDS);
    field->key = key;
    field->value.flags = CYAML_FLAG_OPTIONAL;
    return field;
}

/* Strict: without it libcyaml also takes the numbers behind the words. */
static void set_words(cyaml_schema_value_t *value, const cyaml_strval_t *words, uint32_t n_words)
{
    value->type = CYAML_ENUM;
    value->flags |= CYAML_FLAG_STRICT;
    value->enumeration.strings = words;
    value->enumeration.count = n_words;
}

/* Text inside the struct, with its NUL in `size`: nothing of the result is on the heap but the struct itself.
 */
static void set_text(cyaml_schema_value_t *value, uint32_t size)
{
    value->type = CYAML_STRING;
    value->data_size = size;
    value->string.max = size - 1;
}

/* One key of the table as libcyaml wants to see it. */
static void add_rule(struct schema *schema, struct schema_section *section, const struct config_rule *rule)
{
    cyaml_schema_field_t *field = add_field(section, rule->text.key);

    field->data_offset = rule->offset;
    field->value.data_size = rule->size;
    switch (rule->kind) {
    case CONFIG_UINT:
    case CONFIG_POWER:
        field->value.type = CYAML_UINT;
        break;
    case CONFIG_CPU:
        field->value.type = CYAML_INT;
        break;
    case CONFIG_BOOL: /* libcyaml's own bool takes every word it does not know for true */
        set_words(&field->value, bool_words, CYAML_ARRAY_LEN(bool_words));
        break;
    case CONFIG_BACKEND:
        set_words(&field->value, backend_words, CYAML_ARRAY_LEN(backend_words));
        break;
    case CONFIG_COMMIT:
        set_words(&field->value, commit_words, CYAML_ARRAY_LEN(commit_words));
        break;
    case CONFIG_MANAGER:
        set_words(&field->value, manager_words, CYAML_ARRAY_LEN(manager_words));
        break;
    case CONFIG_REFUSE:
        set_words(&field->value, refuse_words, CYAML_ARRAY_LEN(refuse_words));
        break;
    case CONFIG_ADDRESSES:
        field->value.type = CYAML_SEQUENCE;
        field->value.data_size = CONFIG_TOKEN_BYTES;
        field->value.sequence.entry = &schema->address;
        field->value.sequence.max = CONFIG_MAX_ADDRESSES;
        field->count_offset = offsetof(struct config_file, n_addresses);
        field->count_size = sizeof(((struct config_file *)NULL)->n_addresses);
        break;
    case CONFIG_NAME:
    case CONFIG_PATH:
    case CONFIG_ROOT:
    case CONFIG_LEVEL:
    case CONFIG_USER:
    case CONFIG_LISTEN:
    case CONFIG_USERS:
    case CONFIG_ROLE:
    case CONFIG_MAC:
    case CONFIG_GATEWAY:
        set_text(&field->value, rule->size);
        break;
    }
}

/* At offset 0 and as large as the whole struct; libcyaml adds only the offsets of fields to it. */
static void set_mapping(cyaml_schema_value_t *value, const struct schema_section *section)
{
    value->type = CYAML_MAPPING;
    value->data_size = sizeof(struct config_file);
    value->mapping.fields = section->fields;
}

/* The section with that name, which need not end with a NUL (a parent is the start of its child's name). */
static struct schema_section *section_named(struct schema *schema, const char *name, size_t length)
{
    if (length == 0)
        return &schema->sections[0];
    for (size_t i = 0; config_sections[i] != NULL; i++) {
        if (strlen(config_sections[i]) == length && strncmp(config_sections[i], name, length) == 0)
            return &schema->sections[i + 1];
    }
    mpa_assert_failed("a section that is not in config_sections", __FILE__, __LINE__);
}

/* Made at each load, some microseconds, instead of being written down twice. */
static void schema_build(struct schema *schema)
{
    memset(schema, 0, sizeof(*schema));
    set_text(&schema->address, CONFIG_TOKEN_BYTES);
    for (size_t i = 0; i < config_n_rules; i++) {
        const char *name = config_rules[i].text.section;
        add_rule(schema, section_named(schema, name, strlen(name)), &config_rules[i]);
    }
    for (size_t i = 0; config_sections[i] != NULL; i++) {
        const char *name = config_sections[i];
        const char *dot = strrchr(name, '.');
        struct schema_section *parent = section_named(schema, name, dot == NULL ? 0 : (size_t)(dot - name));

        set_mapping(&add_field(parent, dot == NULL ? name : dot + 1)->value, &schema->sections[i + 1]);
    }
    set_mapping(&schema->root, &schema->sections[0]);
    schema->root.flags = CYAML_FLAG_POINTER;
}

/* The way to the value libcyaml stumbled over, innermost first, as its backtrace names it. */
struct backtrace {
    char names[SCHEMA_MAX_DEPTH][CONFIG_TOKEN_BYTES];
    size_t n_names;
    unsigned entry; /* of a sequence, from 1; 0: none */
};

MPA_PRINTF(3, 0)
static void take_log_line(cyaml_log_t level, void *context, const char *format, va_list arguments)
{
    struct backtrace *backtrace = context;
    char line[256];

    (void)level;
    vsnprintf(line, sizeof(line), format, arguments);
    if (backtrace->n_names < SCHEMA_MAX_DEPTH &&
        sscanf(line, " in mapping field '%63[^']'", backtrace->names[backtrace->n_names]) == 1)
        backtrace->n_names++;
    else
        (void)sscanf(line, " in sequence entry '%u'", &backtrace->entry);
}

/* "nic" and "mtu", outermost last, to "nic.mtu". */
static void backtrace_path(const struct backtrace *backtrace, char path[CONFIG_TOKEN_BYTES])
{
    size_t used = 0;

    path[0] = '\0';
    for (size_t i = backtrace->n_names; i > 0 && used < CONFIG_TOKEN_BYTES; i--)
        used += (size_t)snprintf(path + used, CONFIG_TOKEN_BYTES - used, "%s%s", used == 0 ? "" : ".",
                                 backtrace->names[i - 1]);
}

/* What is left to libcyaml's judgement: words outside an enumeration, numbers beyond 64 bits or the field,
 * texts too long, aliases. */
static void report_cyaml(cyaml_err_t error, const struct backtrace *backtrace,
                         const struct config_index *index, struct config_report *report)
{
    char path[CONFIG_TOKEN_BYTES], entry[CONFIG_TOKEN_BYTES + 16];
    const struct config_rule *rule;
    const struct config_place *place;

    backtrace_path(backtrace, path);
    rule = config_rule_find(path);
    snprintf(entry, sizeof(entry), backtrace->entry > 0 ? "%s[%u]" : "%s", path, backtrace->entry - 1);
    place = config_index_find(index, entry);
    if (place == NULL || rule == NULL)
        config_fault(report, place == NULL ? 1 : place->line, "'%s': %s", path, cyaml_strerror(error));
    else if (error == CYAML_ERR_ALIAS)
        config_fault(report, place->line, "key '%s': aliases are not supported", path);
    else
        config_fault(report, place->line, "key '%s': '%s' is not valid (allowed: %s)", path, place->value,
                     rule->text.allowed);
}

int config_schema_load(struct config_file *file, const struct config_text *text,
                       const struct config_index *index, struct config_report *report)
{
    struct backtrace backtrace = {0};
    const cyaml_config_t options = {.log_fn = take_log_line,
                                    .log_ctx = &backtrace,
                                    .mem_fn = cyaml_mem,
                                    .log_level = CYAML_LOG_ERROR,
                                    .flags = CYAML_CFG_NO_ALIAS};
    cyaml_data_t *loaded = NULL;
    struct schema schema;
    cyaml_err_t error;

    memset(file, 0, sizeof(*file));
    if (index->n_places == 0)
        return 0; /* an empty file, which libcyaml takes only in some of its forms */
    schema_build(&schema);
    error =
        cyaml_load_data((const uint8_t *)text->bytes, text->n_bytes, &options, &schema.root, &loaded, NULL);
    if (error == CYAML_ERR_OOM)
        return -ENOMEM;
    if (error != CYAML_OK)
        report_cyaml(error, &backtrace, index, report);
    else if (loaded != NULL) /* NULL: sections without keys */
        memcpy(file, loaded, sizeof(*file));
    cyaml_free(&options, &schema.root, loaded, 0);
    return 0;
}
