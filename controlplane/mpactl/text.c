/* SPDX-License-Identifier: BSD-3-Clause */
/* text.c — words and tables for people. */
#include "controlplane/mpactl/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/mpactl/mpactl.h"

/* Length of the prefix that "LANE_STATE_SERVING" shares with its type "LaneState"; 0 when it does not. */
static size_t prefix_length(const char *type, const char *name)
{
    size_t length = 0;

    for (const char *letter = type; *letter != '\0'; letter++) {
        if (letter != type && isupper((unsigned char)*letter)) {
            if (name[length] != '_')
                return 0;
            length++;
        }
        if (name[length] != toupper((unsigned char)*letter))
            return 0;
        length++;
    }
    return name[length] == '_' ? length + 1 : 0;
}

const char *text_enum(const ProtobufCEnumDescriptor *descriptor, int value, char word[TEXT_WORD_BYTES])
{
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(descriptor, value);
    size_t i = 0;

    if (known == NULL) {
        snprintf(word, TEXT_WORD_BYTES, "unknown");
        return word;
    }
    for (const char *letter = known->name + prefix_length(descriptor->short_name, known->name);
         *letter != '\0' && i + 1 < TEXT_WORD_BYTES; letter++)
        word[i++] = (char)tolower((unsigned char)*letter);
    word[i] = '\0';
    return word;
}

const char *text_duration(uint64_t ms, char word[TEXT_WORD_BYTES])
{
    uint64_t s = ms / 1000;

    if (ms < 1000)
        snprintf(word, TEXT_WORD_BYTES, "%" PRIu64 "ms", ms);
    else if (s < 60)
        snprintf(word, TEXT_WORD_BYTES, "%" PRIu64 ".%" PRIu64 "s", s, ms % 1000 / 100);
    else if (s < 3600)
        snprintf(word, TEXT_WORD_BYTES, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(word, TEXT_WORD_BYTES, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
    else
        snprintf(word, TEXT_WORD_BYTES, "%" PRIu64 "d%02" PRIu64 "h", s / 86400, s / 3600 % 24);
    return word;
}

const char *text_ns(uint64_t ns, char word[TEXT_WORD_BYTES])
{
    if (ns < 1000000)
        snprintf(word, TEXT_WORD_BYTES, "%" PRIu64 "us", ns / 1000);
    else if (ns < 100000000)
        snprintf(word, TEXT_WORD_BYTES, "%" PRIu64 ".%" PRIu64 "ms", ns / 1000000, ns % 1000000 / 100000);
    else
        return text_duration(ns / 1000000, word);
    return word;
}

const char *text_bytes(uint64_t bytes, char word[TEXT_WORD_BYTES])
{
    static const char units[] = "KMGTPE";
    double value = (double)bytes;
    size_t unit = 0;

    if (bytes < 1024) {
        snprintf(word, TEXT_WORD_BYTES, "%" PRIu64, bytes);
        return word;
    }
    for (value /= 1024; value >= 1024 && unit + 2 < sizeof(units); unit++)
        value /= 1024;
    snprintf(word, TEXT_WORD_BYTES, value < 10 ? "%.1f%c" : "%.0f%c", value, units[unit]);
    return word;
}

uint64_t text_value(Mpa__V1__Value *const *values, size_t n_values, const char *name)
{
    for (size_t i = 0; i < n_values; i++) {
        if (strcmp(values[i]->name, name) == 0)
            return values[i]->value;
    }
    return 0;
}

/* ---- tables ---- */

struct table {
    const char *const *headers;
    size_t n_columns;
    size_t widths[TABLE_MAX_COLUMNS];
    char **cells; /* row by row; owned, and so is each */
    size_t n_cells;
    bool has_failed; /* memory was out */
};

static bool is_right(const char *header)
{
    return header[0] == '>';
}

static const char *header_text(const char *header)
{
    return is_right(header) ? header + 1 : header;
}

struct table *table_new(const char *const *headers)
{
    struct table *table = calloc(1, sizeof(*table));

    if (table == NULL)
        return NULL;
    table->headers = headers;
    while (headers[table->n_columns] != NULL && table->n_columns < TABLE_MAX_COLUMNS) {
        table->widths[table->n_columns] = strlen(header_text(headers[table->n_columns]));
        table->n_columns++;
    }
    return table;
}

void table_free(struct table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->n_cells; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
}

static void table_append(struct table *table, char *text)
{
    char **cells = realloc(table->cells, (table->n_cells + 1) * sizeof(*cells));
    size_t column = table->n_cells % table->n_columns;

    if (cells == NULL) {
        table->has_failed = true;
        free(text);
        return;
    }
    table->cells = cells;
    table->cells[table->n_cells++] = text;
    if (strlen(text) > table->widths[column])
        table->widths[column] = strlen(text);
}

void table_cell(struct table *table, const char *format, ...)
{
    va_list arguments;
    char *text;
    int length;

    if (table == NULL || table->has_failed)
        return;
    va_start(arguments, format);
    length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        table->has_failed = true;
        return;
    }
    for (char *letter = text; *letter != '\0'; letter++) {
        if (iscntrl((unsigned char)*letter))
            *letter = '?';
    }
    table_append(table, text);
}

/* The last column is not padded when it is left-aligned: no blanks at the end of a line. */
static void cell_print(const struct table *table, size_t column, const char *text, FILE *out)
{
    int width = (int)table->widths[column];
    bool is_last = column + 1 == table->n_columns;

    if (is_right(table->headers[column]))
        fprintf(out, "%*s", width, text);
    else if (is_last)
        fputs(text, out);
    else
        fprintf(out, "%-*s", width, text);
    fputs(is_last ? "\n" : "  ", out);
}

int table_print(struct table *table, FILE *out)
{
    bool has_failed = table == NULL || table->has_failed;

    for (size_t i = 0; !has_failed && i < table->n_columns; i++)
        cell_print(table, i, header_text(table->headers[i]), out);
    for (size_t i = 0; !has_failed && i < table->n_cells; i++)
        cell_print(table, i % table->n_columns, table->cells[i], out);
    table_free(table);
    return has_failed ? mpactl_fail(MPACTL_FAILED, "out of memory") : MPACTL_OK;
}
