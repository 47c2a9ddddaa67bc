/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * json.h — any message of the wire as JSON, derived from its descriptor, so that JSON and wire never differ:
 *   field names as in the .proto file, in its order; every field is there, also with its default value, but
 * an unset sub-message or oneof is left out enum: its name as a lower-case word without the prefix of its
 * type (LANE_STATE_SERVING: "serving"); a value this version does not know: its number integers as numbers,
 * above 2^63-1 as strings; bytes as hexadecimal digits a repeated message of two fields of which the first is
 * a string (Value, Field): one object, the first field being the name of the member
 */
#ifndef MPA_MPACTL_JSON_H
#define MPA_MPACTL_JSON_H

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>
#include <stdio.h>

#include "base/assert.h"

/* A new reference, or NULL when memory is out. */
json_t *json_from_message(const ProtobufCMessage *message) MPA_WARN_UNUSED;

/* Writes the message, indented, with a line end. Returns an exit code. */
int json_print_message(const ProtobufCMessage *message, FILE *out);
/* Writes it on one line. */
int json_print_line(const ProtobufCMessage *message, FILE *out);

#endif
