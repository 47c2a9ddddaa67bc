/* SPDX-License-Identifier: BSD-3-Clause */
/* log_fields.c — "event key=value" to "MPA_EVENT=event\nMPA_KEY=value\n" (systemd: JOURNAL_NATIVE_PROTOCOL).
 */
#include "base/log_fields.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LOG_FIELD_NAME_BYTES 64 /* the journal takes no longer name */

struct fields {
    char *bytes;
    size_t used;
};

/* Adds text, all of it or nothing. */
static bool fields_add(struct fields *fields, const char *text, size_t n_bytes)
{
    if (n_bytes > LOG_FIELDS_BYTES - fields->used)
        return false;
    memcpy(fields->bytes + fields->used, text, n_bytes);
    fields->used += n_bytes;
    return true;
}

/* A whole field; what does not fit is as if it had not been tried. */
static void fields_put(struct fields *fields, const char *name, const char *value, size_t n_bytes)
{
    size_t before = fields->used;

    if (!fields_add(fields, name, strlen(name)) || !fields_add(fields, "=", 1) ||
        !fields_add(fields, value, n_bytes) || !fields_add(fields, "\n", 1))
        fields->used = before;
}

/* "restart_ms" to "MPA_RESTART_MS"; false when the journal would refuse it. */
static bool field_name(const char *key, size_t length, char name[LOG_FIELD_NAME_BYTES])
{
    static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    size_t used = strlen("MPA_");

    if (length == 0 || length + used >= LOG_FIELD_NAME_BYTES || strspn(key, lower) < length)
        return false;
    memcpy(name, "MPA_", used);
    for (size_t i = 0; i < length; i++)
        name[used++] = (char)(key[i] >= 'a' && key[i] <= 'z' ? key[i] - 'a' + 'A' : key[i]);
    name[used] = '\0';
    return true;
}

/* One word of the line, from `word`: returns where the next begins. A value in quotes may have blanks. */
static const char *fields_word(struct fields *fields, const char *word)
{
    size_t key_length = strcspn(word, " =");
    const char *value = word + key_length;
    char name[LOG_FIELD_NAME_BYTES];
    size_t length;

    if (*value != '=')
        return value + strspn(value, " ");
    value++;
    if (*value == '"') {
        value++;
        length = strcspn(value, "\"");
    } else {
        length = strcspn(value, " ");
    }
    if (field_name(word, key_length, name))
        fields_put(fields, name, value, length);
    value += length;
    return value + strspn(value, "\" ");
}

size_t log_fields_format(char bytes[LOG_FIELDS_BYTES], const char *name, enum log_level level,
                         const char *line)
{
    struct fields fields = {.bytes = bytes};
    char priority[4];
    size_t event_length = strcspn(line, " ");

    snprintf(priority, sizeof(priority), "%d", (int)level & 7);
    fields_put(&fields, "PRIORITY", priority, strlen(priority));
    fields_put(&fields, "SYSLOG_IDENTIFIER", name, strlen(name));
    fields_put(&fields, "MESSAGE", line, strlen(line));
    fields_put(&fields, "MPA_EVENT", line, event_length);
    line += event_length;
    line += strspn(line, " ");
    while (*line != '\0')
        line = fields_word(&fields, line);
    return fields.used;
}
