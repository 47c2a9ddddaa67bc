/* SPDX-License-Identifier: BSD-3-Clause */
/* recent_test.c — the ring of events and the snapshot made of it. */
#include "controlplane/controld/recent.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "controld/recent";

static struct recent *recent_of(unsigned n)
{
    struct recent *recent = calloc(1, sizeof(*recent));

    CU_ASSERT_PTR_NOT_NULL_FATAL(recent);
    for (unsigned i = 0; i < n; i++) {
        Mpa__V1__Event event = MPA__V1__EVENT__INIT;

        event.slot = i;
        recent_add(recent, &event);
        CU_ASSERT_EQUAL(event.sequence, i + 1);
    }
    return recent;
}

static void holds(const struct recent *recent, uint64_t sequence)
{
    Mpa__V1__Event *event = recent_get(recent, sequence);

    CU_ASSERT_PTR_NOT_NULL_FATAL(event);
    CU_ASSERT_EQUAL(event->sequence, sequence);
    CU_ASSERT_EQUAL(event->slot, sequence - 1);
    mpa__v1__event__free_unpacked(event, NULL);
}

static void what_was_missed_is_found(void)
{
    struct recent *recent = recent_of(10);

    CU_ASSERT_EQUAL(recent_first(recent, 0), 1);
    CU_ASSERT_EQUAL(recent_first(recent, 7), 8);
    for (uint64_t i = 1; i <= 10; i++)
        holds(recent, i);
    free(recent);
}

static void nothing_comes_after_the_last(void)
{
    struct recent *recent = recent_of(10);
    struct recent *empty = recent_of(0);

    CU_ASSERT_EQUAL(recent_first(recent, 10), 11);
    CU_ASSERT_EQUAL(recent_first(recent, UINT64_MAX), 11);
    CU_ASSERT_EQUAL(recent_first(empty, 0), 1);
    CU_ASSERT_EQUAL(recent_first(empty, 5), 1);
    free(recent);
    free(empty);
}

static void the_oldest_give_way(void)
{
    struct recent *recent = recent_of(3 * RECENT_MAX_EVENTS + 5);
    uint64_t first = recent_first(recent, 0);

    CU_ASSERT_EQUAL(first, 2 * RECENT_MAX_EVENTS + 6);
    for (uint64_t i = first; i <= recent->last_sequence; i++)
        holds(recent, i);
    free(recent);
}

static void an_event_too_long_is_kept_without_its_fields(void)
{
    struct recent *recent = recent_of(0);
    char key[] = "text", value[2 * RECENT_EVENT_BYTES];
    Mpa__V1__Event event = MPA__V1__EVENT__INIT;
    Mpa__V1__Field field = MPA__V1__FIELD__INIT;
    Mpa__V1__Field *list[] = {&field};
    ProtobufCMessageUnknownField unknown = {.tag = 200, .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED};
    Mpa__V1__Event *kept;

    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    field.key = key;
    field.value = value;
    event.fields = list;
    event.n_fields = 1;
    recent_add(recent, &event);
    CU_ASSERT_EQUAL(event.n_fields, 1);
    unknown.data = (uint8_t *)value;
    unknown.len = sizeof(value);
    event.base.unknown_fields = &unknown;
    event.base.n_unknown_fields = 1;
    event.kind = MPA__V1__EVENT_KIND__EVENT_KIND_READY;
    recent_add(recent, &event);
    kept = recent_get(recent, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(kept);
    CU_ASSERT_EQUAL(kept->n_fields, 0);
    mpa__v1__event__free_unpacked(kept, NULL);
    kept = recent_get(recent, 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(kept);
    CU_ASSERT_EQUAL(kept->kind, MPA__V1__EVENT_KIND__EVENT_KIND_READY);
    CU_ASSERT_EQUAL(kept->base.n_unknown_fields, 0);
    mpa__v1__event__free_unpacked(kept, NULL);
    free(recent);
}

const struct unit_test unit_tests[] = {
    {"what was missed is found", what_was_missed_is_found},
    {"nothing comes after the last", nothing_comes_after_the_last},
    {"the oldest give way", the_oldest_give_way},
    {"an event too long is kept without its fields", an_event_too_long_is_kept_without_its_fields},
    {NULL, NULL},
};
