/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_index.c — the places of a configuration file: one walk over libyaml's document, which knows the line
 * of every node. It finds what can be said before values are converted: syntax, unknown and repeated keys,
 * shapes, words where a number should stand.
 *
 * Only known keys are indexed and each once, so the index has a fixed size whatever the file holds.
 */
#include "base/config_internal.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

struct walk {
    yaml_document_t *document;
    struct config_index *index;
    struct config_report *report;
};

/* libyaml counts from 0, people and editors from 1. */
static unsigned line_of(const yaml_mark_t *mark)
{
    return (unsigned)mark->line + 1;
}

/* The start of a scalar as text. What is longer than the buffer is no key of ours, and enough of a value. */
static void copy_scalar(const yaml_node_t *node, char text[CONFIG_TOKEN_BYTES])
{
    snprintf(text, CONFIG_TOKEN_BYTES, "%s", (const char *)node->data.scalar.value);
}

/* Cannot overflow: paths are known, each comes once, and addresses are counted before. */
static void index_add(struct walk *walk, const char *path, const yaml_node_t *node, unsigned line)
{
    struct config_place *place = &walk->index->places[walk->index->n_places];

    mpa_assert(walk->index->n_places < CONFIG_MAX_PLACES);
    walk->index->n_places++;
    *place = (struct config_place){.line = line};
    snprintf(place->path, sizeof(place->path), "%s", path);
    if (node->type == YAML_SCALAR_NODE)
        copy_scalar(node, place->value);
}

const struct config_place *config_index_find(const struct config_index *index, const char *path)
{
    for (size_t i = 0; i < index->n_places; i++) {
        if (strcmp(index->places[i].path, path) == 0)
            return &index->places[i];
    }
    return NULL;
}

static bool is_section(const char *path)
{
    for (size_t i = 0; config_sections[i] != NULL; i++) {
        if (strcmp(config_sections[i], path) == 0)
            return true;
    }
    return false;
}

/* The last part of `path` when it lies directly in `section`, else NULL. */
static const char *child_of(const char *section, const char *path)
{
    const size_t length = strlen(section);

    if (length > 0 && (strncmp(path, section, length) != 0 || path[length] != '.'))
        return NULL;
    path += length > 0 ? length + 1 : 0;
    return strchr(path, '.') == NULL ? path : NULL;
}

/* "a, b, c": what may stand in a section. */
static void list_allowed(const char *section, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < config_n_rules && used < size; i++) {
        if (strcmp(config_rules[i].text.section, section) == 0)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used == 0 ? "" : ", ",
                                     config_rules[i].text.key);
    }
    for (size_t i = 0; config_sections[i] != NULL && used < size; i++) {
        const char *child = child_of(section, config_sections[i]);
        if (child != NULL)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used == 0 ? "" : ", ", child);
    }
}

/* Listing what this section knows answers the usual mistake, a key one level too high or misspelt. */
static void report_unknown(struct walk *walk, const char *section, const char *path, unsigned line)
{
    char allowed[512];

    list_allowed(section, allowed, sizeof(allowed));
    config_fault(walk->report, line, "key '%s': unknown (allowed: %s)", path, allowed);
}

/* Each entry gets a place of its own, since each may be wrong at a line of its own. */
static void walk_addresses(struct walk *walk, const char *path, const yaml_node_t *node)
{
    const yaml_node_item_t *items = node->data.sequence.items.start;
    const size_t n_items = (size_t)(node->data.sequence.items.top - items);
    char entry[CONFIG_TOKEN_BYTES];

    for (size_t i = 0; i < n_items; i++) {
        const yaml_node_t *item = yaml_document_get_node(walk->document, items[i]);
        const unsigned line = line_of(&item->start_mark);

        if (i == CONFIG_MAX_ADDRESSES) {
            config_fault(walk->report, line, "key '%s': too many (allowed: up to %d)", path,
                         CONFIG_MAX_ADDRESSES);
            return;
        }
        if (item->type != YAML_SCALAR_NODE) {
            config_fault(walk->report, line, "key '%s': an entry is not an address", path);
            continue;
        }
        snprintf(entry, sizeof(entry), "%.40s[%zu]", path, i);
        index_add(walk, entry, item, line);
    }
}

/* libcyaml would read "1500.5" and "1500abc" as 1500, "010" as 8: a number here is decimal digits. */
static bool is_decimal(const char *text)
{
    const char *digits = text[0] == '-' ? text + 1 : text;
    const size_t n_digits = strspn(digits, "0123456789");

    return n_digits > 0 && digits[n_digits] == '\0' && (digits[0] != '0' || n_digits == 1);
}

static void walk_number(struct walk *walk, const struct config_rule *rule, const char *path,
                        const yaml_node_t *node)
{
    char value[CONFIG_TOKEN_BYTES];

    copy_scalar(node, value);
    if (!is_decimal(value))
        config_fault(walk->report, line_of(&node->start_mark), "key '%s': '%s' is not a number (allowed: %s)",
                     path, value, rule->text.allowed);
}

/* A known key: is its value of the shape that libcyaml will ask for? Told here, all such mistakes come at
 * once and with the right words. */
static void walk_value(struct walk *walk, const struct config_rule *rule, const char *path,
                       const yaml_node_t *node)
{
    const unsigned line = line_of(&node->start_mark);
    const bool is_list = rule->kind == CONFIG_ADDRESSES;
    const bool is_number =
        rule->kind == CONFIG_UINT || rule->kind == CONFIG_POWER || rule->kind == CONFIG_CPU;

    if (is_list && node->type != YAML_SEQUENCE_NODE)
        config_fault(walk->report, line, "key '%s': wants a list like [a, b] (allowed: %s)", path,
                     rule->text.allowed);
    else if (!is_list && node->type != YAML_SCALAR_NODE)
        config_fault(walk->report, line, "key '%s': wants a single value (allowed: %s)", path,
                     rule->text.allowed);
    else if (is_list)
        walk_addresses(walk, path, node);
    else if (is_number)
        walk_number(walk, rule, path, node);
}

static void walk_mapping(struct walk *walk, const char *section, const yaml_node_t *node);

/* "nic:" with all its keys commented out is a null value to YAML. It is refused, since libcyaml takes no null
 * for a mapping, but with words that say what to do. */
static void walk_section(struct walk *walk, const char *path, const yaml_node_t *node)
{
    char allowed[512];

    if (node->type == YAML_MAPPING_NODE) {
        walk_mapping(walk, path, node);
        return;
    }
    list_allowed(path, allowed, sizeof(allowed));
    config_fault(walk->report, line_of(&node->start_mark), "section '%s': has no keys (allowed: %s)", path,
                 allowed);
}

/* One "key: value" of a section. */
static void walk_pair(struct walk *walk, const char *section, const yaml_node_pair_t *pair)
{
    const yaml_node_t *key = yaml_document_get_node(walk->document, pair->key);
    const yaml_node_t *value = yaml_document_get_node(walk->document, pair->value);
    const unsigned line = line_of(&key->start_mark);
    const struct config_rule *rule;
    const struct config_place *earlier;
    char name[CONFIG_TOKEN_BYTES] = "";
    char path[CONFIG_TOKEN_BYTES];

    if (key->type == YAML_SCALAR_NODE)
        copy_scalar(key, name);
    config_path(section, name, path);
    rule = config_rule_find(path);
    earlier = config_index_find(walk->index, path);
    /* A dot in a name would reach into another section: "nic.mtu: 1500" is not how it is written. */
    if (strchr(name, '.') != NULL || (rule == NULL && !is_section(path))) {
        report_unknown(walk, section, path, line);
        return;
    }
    if (earlier != NULL) {
        config_fault(walk->report, line, "key '%s': given twice (first at line %u)", path, earlier->line);
        return;
    }
    index_add(walk, path, value, line);
    if (rule != NULL)
        walk_value(walk, rule, path, value);
    else
        walk_section(walk, path, value);
}

/* Recursion ends with the known sections, two deep, however deep the file is. */
static void walk_mapping(struct walk *walk, const char *section, const yaml_node_t *node)
{
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
         pair++)
        walk_pair(walk, section, pair);
}

/* The line where libyaml gave up; for something left open, also where that began, which is where to look. */
static void report_syntax(const yaml_parser_t *parser, const struct config_text *text,
                          struct config_report *report)
{
    unsigned line = line_of(&parser->problem_mark);

    if (parser->error == YAML_READER_ERROR) {
        /* Bytes that are no text have an offset instead of a mark. */
        line = 1;
        for (size_t i = 0; i < parser->problem_offset && i < text->n_bytes; i++)
            line += text->bytes[i] == '\n';
    }
    if (parser->context != NULL)
        config_fault(report, line, "not valid YAML: %s (%s that begins at line %u)", parser->problem,
                     parser->context, line_of(&parser->context_mark));
    else
        config_fault(report, line, "not valid YAML: %s", parser->problem);
}

/* Loads one document. Returns false when it is not YAML; an empty one has no root. */
static bool load_document(yaml_parser_t *parser, yaml_document_t *document, const struct config_text *text,
                          struct config_report *report)
{
    if (yaml_parser_load(parser, document) != 0)
        return true;
    report_syntax(parser, text, report);
    return false;
}

/* A second document would be read by nobody. */
static void refuse_second(yaml_parser_t *parser, const struct config_text *text, struct config_report *report)
{
    yaml_document_t document;
    const yaml_node_t *root;

    if (!load_document(parser, &document, text, report))
        return;
    root = yaml_document_get_root_node(&document);
    if (root != NULL)
        config_fault(report, line_of(&root->start_mark), "a second document (allowed: one)");
    yaml_document_delete(&document);
}

/* A file of comments only has no root, a lone "---" an empty scalar: both are an empty configuration. */
static void walk_document(yaml_parser_t *parser, struct walk *walk, const struct config_text *text)
{
    yaml_document_t document;
    const yaml_node_t *root;
    char allowed[512];

    if (!load_document(parser, &document, text, walk->report))
        return;
    walk->document = &document;
    root = yaml_document_get_root_node(&document);
    if (root != NULL && root->type == YAML_MAPPING_NODE) {
        walk_mapping(walk, "", root);
    } else if (root != NULL && (root->type != YAML_SCALAR_NODE || root->data.scalar.length > 0)) {
        list_allowed("", allowed, sizeof(allowed));
        config_fault(walk->report, line_of(&root->start_mark), "not a list of sections (allowed: %s)",
                     allowed);
    }
    yaml_document_delete(&document);
    if (root != NULL)
        refuse_second(parser, text, walk->report);
}

int config_index_build(struct config_index *index, const struct config_text *text,
                       struct config_report *report)
{
    struct walk walk = {.index = index, .report = report};
    yaml_parser_t parser;

    index->n_places = 0;
    if (yaml_parser_initialize(&parser) == 0)
        return -ENOMEM;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text->bytes, text->n_bytes);
    walk_document(&parser, &walk, text);
    yaml_parser_delete(&parser);
    return 0;
}
