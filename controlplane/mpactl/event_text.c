/* SPDX-License-Identifier: BSD-3-Clause */
/* event_text.c — events as lines for people. */
#include "controlplane/mpactl/event_text.h"

#include <stdlib.h>
#include <string.h>

#include "controlplane/mpactl/text.h"

/* The value of a field, "" if the event has none of that name. */
static const char *field(const Mpa__V1__Event *event, const char *key)
{
    for (size_t i = 0; i < event->n_fields; i++) {
        if (strcmp(event->fields[i]->key, key) == 0)
            return event->fields[i]->value;
    }
    return "";
}

/* `before`, then the number in field `key`, then `after` with an s when it is not one. */
static void print_count(const Mpa__V1__Event *event, const char *key, const char *after, FILE *out)
{
    unsigned long n = strtoul(field(event, key), NULL, 10);

    fprintf(out, "%lu %s%s", n, after, n == 1 ? "" : "s");
}

static const char *duration(const Mpa__V1__Event *event, char word[TEXT_WORD_BYTES])
{
    return text_ns(strtoull(field(event, "duration_ns"), NULL, 10), word);
}

static void print_handover(const Mpa__V1__Event *event, FILE *out)
{
    const char *result = field(event, "result");
    const char *flow = field(event, "flow");
    char word[TEXT_WORD_BYTES];

    fprintf(out, "worker %u -> worker ", event->slot);
    text_print(field(event, "to"), out);
    fputs(": ", out);
    if (*flow != '\0') {
        fputs("flow ", out);
        text_print(flow, out);
    } else {
        print_count(event, "flows", "flow", out);
        fputs(" in ", out);
        print_count(event, "buckets", "bucket", out);
    }
    fprintf(out, ", %s, ", duration(event, word));
    print_count(event, "frames_held", "frame", out);
    fputs(" held", out);
    if (strcmp(result, "done") != 0) {
        fputs(", ", out);
        text_print(result, out);
    }
}

static void print_adopted(const Mpa__V1__Event *event, FILE *out)
{
    char word[TEXT_WORD_BYTES];

    fprintf(out, "worker %u: ", event->slot);
    print_count(event, "flows", "flow", out);
    fprintf(out, ", %s after its death, ", duration(event, word));
    print_count(event, "frames_held", "frame", out);
    fputs(" held", out);
}

static void print_fields(const Mpa__V1__Event *event, FILE *out)
{
    char word[TEXT_WORD_BYTES];

    fputs(text_enum(&mpa__v1__role__descriptor, (int)event->role, word), out);
    if (event->role == MPA__V1__ROLE__ROLE_WORKER)
        fprintf(out, " slot=%u", event->slot);
    for (size_t i = 0; i < event->n_fields; i++) {
        /* A worker that has said nothing of a signal: "ended" tells how it was. */
        if (event->kind == MPA__V1__EVENT_KIND__EVENT_KIND_DIED && strcmp(event->fields[i]->value, "0") == 0)
            continue;
        fputc(' ', out);
        text_print(event->fields[i]->key, out);
        fputs("=\"", out);
        text_print(event->fields[i]->value, out);
        fputc('"', out);
    }
}

void event_text_print(const Mpa__V1__Event *event, FILE *out)
{
    char word[TEXT_WORD_BYTES];

    fprintf(out, "%s ", text_enum(&mpa__v1__event_kind__descriptor, (int)event->kind, word));
    if (event->kind == MPA__V1__EVENT_KIND__EVENT_KIND_HANDOVER)
        print_handover(event, out);
    else if (event->kind == MPA__V1__EVENT_KIND__EVENT_KIND_ADOPTED)
        print_adopted(event, out);
    else
        print_fields(event, out);
}
