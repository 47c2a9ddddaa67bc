/* SPDX-License-Identifier: BSD-3-Clause */
/* text.c — values as words for people. */
#include "controlplane/mpactl/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

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

void text_clean(char *text)
{
    for (; *text != '\0'; text++) {
        if (iscntrl((unsigned char)*text))
            *text = '?';
    }
}

void text_print(const char *text, FILE *out)
{
    for (; *text != '\0'; text++)
        fputc(iscntrl((unsigned char)*text) ? '?' : *text, out);
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

/* Three digits or four, then the prefix: "1.2 M". `step` is 1000 or 1024. */
static const char *scaled(double value, double step, const char *units, char word[TEXT_WORD_BYTES])
{
    char prefix = ' ';

    for (; value >= step && *units != '\0'; units++) {
        value /= step;
        prefix = *units;
    }
    snprintf(word, TEXT_WORD_BYTES, value < 9.95 ? "%.1f %c" : "%.0f %c", value, prefix);
    return word;
}

const char *text_count(uint64_t count, char word[TEXT_WORD_BYTES])
{
    if (count >= 100000)
        return scaled((double)count, 1000, "kMGTPE", word);
    snprintf(word, TEXT_WORD_BYTES, "%" PRIu64, count);
    return word;
}

const char *text_bytes(uint64_t bytes, char word[TEXT_WORD_BYTES])
{
    if (bytes < 1024) {
        snprintf(word, TEXT_WORD_BYTES, "%" PRIu64 " B", bytes);
        return word;
    }
    scaled((double)bytes, 1024, "KMGTPE", word);
    memcpy(word + strlen(word), "iB", sizeof("iB"));
    return word;
}

const char *text_count_over(uint64_t now, uint64_t before, uint64_t over_ns, char word[TEXT_WORD_BYTES])
{
    if (over_ns == 0)
        return text_count(now, word);
    /* Counted from zero again: whoever counts has been replaced. */
    if (now < before)
        return strcpy(word, "-");
    return text_count((uint64_t)((double)(now - before) * 1e9 / (double)over_ns + 0.5), word);
}

enum color text_color(const char *word)
{
    static const struct {
        const char *word;
        enum color color;
    } colors[] = {
        {"serving", COLOR_GOOD},    {"running", COLOR_GOOD},  {"done", COLOR_GOOD},
        {"draining", COLOR_WARN},   {"starting", COLOR_WARN}, {"attaching", COLOR_WARN},
        {"waiting", COLOR_WARN},    {"stopping", COLOR_WARN}, {"degraded", COLOR_WARN},
        {"quarantined", COLOR_BAD}, {"stopped", COLOR_BAD},   {"failed", COLOR_BAD},
        {"unknown", COLOR_BAD},
    };

    for (size_t i = 0; i < sizeof(colors) / sizeof(colors[0]); i++) {
        if (strcmp(word, colors[i].word) == 0)
            return colors[i].color;
    }
    return COLOR_PLAIN;
}

uint64_t text_value(Mpa__V1__Value *const *values, size_t n_values, const char *name)
{
    for (size_t i = 0; i < n_values; i++) {
        if (strcmp(values[i]->name, name) == 0)
            return values[i]->value;
    }
    return 0;
}
