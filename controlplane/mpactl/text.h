/* SPDX-License-Identifier: BSD-3-Clause */
/* text.h — values as words for people: enums, durations, counts, sizes. */
#ifndef MPA_MPACTL_TEXT_H
#define MPA_MPACTL_TEXT_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "mpa/v1/control.pb-c.h"

#include "controlplane/mpactl/table.h"
#include "controlplane/mpactl/terminal.h"

#define TEXT_WORD_BYTES 48

/* The enum value as a lower-case word without the prefix of its type; "unknown" for a value of a newer
 * version. Returns `word`. */
const char *text_enum(const ProtobufCEnumDescriptor *descriptor, int value, char word[TEXT_WORD_BYTES]);

/* "850ms", "12.3s", "4m05s", "3h07m", "2d04h". Returns `word`. */
const char *text_duration(uint64_t ms, char word[TEXT_WORD_BYTES]);

/* What the other end has said: control characters become '?', in place or on the way out. */
void text_clean(char *text);
void text_print(const char *text, FILE *out);

/* "850us", "1.2ms", then as text_duration(). Returns `word`. */
const char *text_ns(uint64_t ns, char word[TEXT_WORD_BYTES]);

/* "512", "99999", "120 k", "1.2 M". --json has it exactly. Returns `word`. */
const char *text_count(uint64_t count, char word[TEXT_WORD_BYTES]);

/* "512 B", "1.5 KiB", "230 MiB". Returns `word`. */
const char *text_bytes(uint64_t bytes, char word[TEXT_WORD_BYTES]);

/* The counter, or how much it grew in a second when `over_ns` is not 0; "-" when it fell. Returns `word`. */
const char *text_count_over(uint64_t now, uint64_t before, uint64_t over_ns, char word[TEXT_WORD_BYTES]);

/* The colour of a state. */
enum color text_color(const char *word);

/* Value of the entry `name`, 0 if there is none. */
uint64_t text_value(Mpa__V1__Value *const *values, size_t n_values, const char *name);

#endif
