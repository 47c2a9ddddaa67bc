/* SPDX-License-Identifier: BSD-3-Clause */
/* flow_text.c — flows and buckets as people write them. */
#include "controlplane/mpactl/flow_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXT_BYTES 160

/* A number up to `max` at *text, which moves behind it. */
static bool number_parse(const char **text, uint32_t max, uint32_t *number)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(*text, &end, 10);
    if (errno != 0 || **text < '0' || **text > '9' || value > max)
        return false;
    *text = end;
    *number = (uint32_t)value;
    return true;
}

/* "ADDRESS:PORT" or "[ADDRESS]:PORT". */
static bool endpoint_parse(const char *word, char address[FLOW_TEXT_ADDRESS_BYTES], uint32_t *port)
{
    const char *colon = strrchr(word, ':');
    size_t length;

    if (colon == NULL || colon == word)
        return false;
    length = (size_t)(colon - word);
    if (word[0] == '[') {
        if (length < 3 || word[length - 1] != ']')
            return false;
        word++;
        length -= 2;
    }
    if (length >= FLOW_TEXT_ADDRESS_BYTES)
        return false;
    memcpy(address, word, length);
    address[length] = '\0';
    colon++;
    return number_parse(&colon, UINT16_MAX, port) && *colon == '\0';
}

bool flow_text_parse(const char *text, struct flow_text *places, Mpa__V1__FlowKey *key)
{
    char copy[MAX_TEXT_BYTES];
    char *words[5];
    char *rest = NULL;
    size_t n = 0;
    size_t first;

    mpa__v1__flow_key__init(key);
    *places = (struct flow_text){0};
    if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
        return false;
    for (char *word = strtok_r(copy, " \t", &rest); word != NULL; word = strtok_r(NULL, " \t", &rest)) {
        if (strcmp(word, "->") == 0)
            continue;
        if (n == 3)
            return false;
        words[n++] = word;
    }
    if (n < 2)
        return false;
    first = n - 2;
    snprintf(places->protocol, sizeof(places->protocol), "%s", first == 1 ? words[0] : "tcp");
    key->protocol = places->protocol;
    key->remote_address = places->remote;
    key->local_address = places->local;
    return endpoint_parse(words[first], places->remote, &key->remote_port) &&
           endpoint_parse(words[first + 1], places->local, &key->local_port);
}

void flow_text_format(const Mpa__V1__FlowKey *key, char *text, size_t size)
{
    /* IPv6 addresses stand in brackets, for their colons (RFC 5952 6). */
    bool is_v6 = strchr(key->remote_address, ':') != NULL;

    snprintf(text, size, is_v6 ? "[%s]:%u -> [%s]:%u" : "%s:%u -> %s:%u", key->remote_address,
             key->remote_port, key->local_address, key->local_port);
}

size_t bucket_text_parse(const char *text, Mpa__V1__BucketRange *ranges, size_t max)
{
    size_t n = 0;

    for (;;) {
        Mpa__V1__BucketRange *range = &ranges[n];

        if (n == max)
            return 0;
        mpa__v1__bucket_range__init(range);
        if (!number_parse(&text, UINT32_MAX, &range->first))
            return 0;
        range->last = range->first;
        if (*text == '-') {
            text++;
            if (!number_parse(&text, UINT32_MAX, &range->last))
                return 0;
        }
        n++;
        if (*text == '\0')
            return n;
        if (*text++ != ',')
            return 0;
    }
}
