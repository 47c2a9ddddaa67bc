/* SPDX-License-Identifier: BSD-3-Clause */
/* json.c — walks a message by its descriptor. */
#include "controlplane/mpactl/json.h"

#include <string.h>

#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/text.h"

static json_t *json_from_uint64(uint64_t value)
{
    char digits[24];

    if (value <= INT64_MAX)
        return json_integer((json_int_t)value);
    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    return json_string(digits);
}

static json_t *json_from_bytes(const ProtobufCBinaryData *bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(bytes->len * 2 + 1);
    json_t *json;

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < bytes->len; i++) {
        text[2 * i] = digits[bytes->data[i] >> 4];
        text[2 * i + 1] = digits[bytes->data[i] & 15];
    }
    json = json_stringn(text, bytes->len * 2);
    free(text);
    return json;
}

static json_t *json_from_enum(const ProtobufCEnumDescriptor *descriptor, int value)
{
    char word[TEXT_WORD_BYTES];

    if (protobuf_c_enum_descriptor_get_value(descriptor, value) == NULL)
        return json_integer(value);
    return json_string(text_enum(descriptor, value, word));
}

/* Strings of the wire need not be UTF-8; what is not becomes a null and not an error of everything. */
static json_t *json_from_string(const char *text)
{
    json_t *json = json_string(text == NULL ? "" : text);

    return json != NULL ? json : json_null();
}

/* One value of the field's type at `place`. */
static json_t *json_from_value(const ProtobufCFieldDescriptor *field, const void *place)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return json_integer(*(const int32_t *)place);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return json_integer(*(const uint32_t *)place);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return json_integer(*(const int64_t *)place);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return json_from_uint64(*(const uint64_t *)place);
    case PROTOBUF_C_TYPE_FLOAT:
        return json_real((double)*(const float *)place);
    case PROTOBUF_C_TYPE_DOUBLE:
        return json_real(*(const double *)place);
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)place);
    case PROTOBUF_C_TYPE_ENUM:
        return json_from_enum(field->descriptor, *(const int *)place);
    case PROTOBUF_C_TYPE_STRING:
        return json_from_string(*(char *const *)place);
    case PROTOBUF_C_TYPE_BYTES:
        return json_from_bytes(place);
    case PROTOBUF_C_TYPE_MESSAGE:
        return json_from_message(*(ProtobufCMessage *const *)place);
    }
    return NULL;
}

/* Bytes of one element in the array of a repeated field. */
static size_t element_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_ENUM:
        return 4;
    }
    return 0;
}

/* The pair of a name and its value, if the field is a list of such. */
static bool is_pair_list(const ProtobufCFieldDescriptor *field)
{
    const ProtobufCMessageDescriptor *element;

    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return false;
    element = field->descriptor;
    return element->n_fields == 2 && element->fields[0].type == PROTOBUF_C_TYPE_STRING &&
           element->fields[0].label != PROTOBUF_C_LABEL_REPEATED &&
           element->fields[1].label != PROTOBUF_C_LABEL_REPEATED;
}

static json_t *json_from_pairs(const ProtobufCFieldDescriptor *field, ProtobufCMessage *const *pairs,
                               size_t n)
{
    const ProtobufCMessageDescriptor *element = field->descriptor;
    json_t *object = json_object();

    for (size_t i = 0; object != NULL && i < n; i++) {
        const uint8_t *pair = (const uint8_t *)pairs[i];
        const char *name = *(char *const *)(const void *)(pair + element->fields[0].offset);
        json_t *value = json_from_value(&element->fields[1], pair + element->fields[1].offset);

        if (json_object_set_new(object, name == NULL ? "" : name, value) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *json_from_list(const ProtobufCFieldDescriptor *field, const uint8_t *elements, size_t n)
{
    json_t *array = json_array();

    for (size_t i = 0; array != NULL && i < n; i++) {
        if (json_array_append_new(array, json_from_value(field, elements + i * element_size(field))) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* True when the message has the field: an unset sub-message or another case of its oneof has not. */
static bool is_set(const ProtobufCFieldDescriptor *field, const uint8_t *message)
{
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
        *(const uint32_t *)(const void *)(message + field->quantifier_offset) != field->id)
        return false;
    return field->type != PROTOBUF_C_TYPE_MESSAGE || field->label == PROTOBUF_C_LABEL_REPEATED ||
           *(ProtobufCMessage *const *)(const void *)(message + field->offset) != NULL;
}

static json_t *json_from_field(const ProtobufCFieldDescriptor *field, const uint8_t *message)
{
    const void *place = message + field->offset;
    size_t n;

    if (field->label != PROTOBUF_C_LABEL_REPEATED)
        return json_from_value(field, place);
    n = *(const size_t *)(const void *)(message + field->quantifier_offset);
    if (is_pair_list(field))
        return json_from_pairs(field, *(ProtobufCMessage *const *const *)place, n);
    return json_from_list(field, *(const uint8_t *const *)place, n);
}

json_t *json_from_message(const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    json_t *object = json_object();

    for (unsigned i = 0; object != NULL && i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];

        if (!is_set(field, (const uint8_t *)message))
            continue;
        if (json_object_set_new(object, field->name, json_from_field(field, (const uint8_t *)message)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static int json_print(const ProtobufCMessage *message, FILE *out, size_t flags)
{
    json_t *json = json_from_message(message);
    int error = json == NULL ? -1 : json_dumpf(json, out, flags);

    json_decref(json);
    if (error != 0 || fputc('\n', out) == EOF)
        return mpactl_fail(MPACTL_FAILED, "cannot write JSON");
    return MPACTL_OK;
}

int json_print_message(const ProtobufCMessage *message, FILE *out)
{
    return json_print(message, out, JSON_INDENT(2));
}

int json_print_line(const ProtobufCMessage *message, FILE *out)
{
    return json_print(message, out, JSON_COMPACT);
}
