/* SPDX-License-Identifier: BSD-3-Clause */
/* text.h — values as words for people: enums, durations, sizes, and tables of them. */
#ifndef MPA_MPACTL_TEXT_H
#define MPA_MPACTL_TEXT_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"

#define TEXT_WORD_BYTES 48

/* The enum value as a lower-case word without the prefix of its type; "unknown" for a value of a newer
 * version. Returns `word`. */
const char *text_enum(const ProtobufCEnumDescriptor *descriptor, int value, char word[TEXT_WORD_BYTES]);

/* "850ms", "12.3s", "4m05s", "3h07m", "2d04h". Returns `word`. */
const char *text_duration(uint64_t ms, char word[TEXT_WORD_BYTES]);

/* "850us", "1.2ms", then as text_duration(). Returns `word`. */
const char *text_ns(uint64_t ns, char word[TEXT_WORD_BYTES]);

/* "512", "1.5K", "230M" (powers of 1024). Returns `word`. */
const char *text_bytes(uint64_t bytes, char word[TEXT_WORD_BYTES]);

/* Value of the entry `name`, 0 if there is none. */
uint64_t text_value(Mpa__V1__Value *const *values, size_t n_values, const char *name);

/* ---- tables ---- */

#define TABLE_MAX_COLUMNS 10

struct table; /* opaque */

/* Columns end with a NULL; a header with '>' in front is right-aligned. NULL: memory is out. */
struct table *table_new(const char *const *headers) MPA_WARN_UNUSED;
void table_free(struct table *table);

/* The next cell, row by row. Control characters become '?': names may come from a peer. Memory that is out is
 * remembered and told by table_print(). */
void table_cell(struct table *table, const char *format, ...) MPA_PRINTF(2, 3);

/* Writes header and rows, two spaces between columns, and frees the table. Returns an exit code. */
int table_print(struct table *table, FILE *out);

#endif
