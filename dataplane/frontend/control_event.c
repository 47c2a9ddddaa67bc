/* SPDX-License-Identifier: BSD-3-Clause */
/* control_event.c — events of the board as messages. */
#include "frontend/control_internal.h"

#include <string.h>

#define MAX_FIELDS 8u

/* What a field of an event is made of. */
enum source {
    SOURCE_NONE, /* ends the list */
    SOURCE_B,
    SOURCE_FAULT,     /* b: enum lane_counter */
    SOURCE_ERRNO,     /* b */
    SOURCE_ADDRESSES, /* the board's */
    SOURCE_A2,
    SOURCE_FLOWS,
    SOURCE_BUCKETS,
    SOURCE_FRAMES,
    SOURCE_RESULT,
    SOURCE_NUMBER,
    SOURCE_KEY, /* left out when there is none */
};

struct field_form {
    const char *key;
    enum source source;
};

/* How an event of the board is told: its kind, whether `a` is a slot, its fields. */
struct event_form {
    Mpa__V1__EventKind kind;
    bool has_slot;
    struct field_form fields[MAX_FIELDS + 1];
};

static const struct event_form forms[] = {
    [BOARD_EVENT_ATTACHED] = {MPA__V1__EVENT_KIND__EVENT_KIND_ATTACHED, true, {{0}}},
    [BOARD_EVENT_SERVING] = {MPA__V1__EVENT_KIND__EVENT_KIND_SERVING, true, {{"buckets", SOURCE_B}}},
    [BOARD_EVENT_GONE] = {MPA__V1__EVENT_KIND__EVENT_KIND_GONE, true, {{0}}},
    [BOARD_EVENT_QUARANTINED] = {MPA__V1__EVENT_KIND__EVENT_KIND_QUARANTINED,
                                 true,
                                 {{"fault", SOURCE_FAULT}}},
    [BOARD_EVENT_CONGESTED] = {MPA__V1__EVENT_KIND__EVENT_KIND_CONGESTED, true, {{"congested", SOURCE_B}}},
    [BOARD_EVENT_ADDRESSES] = {MPA__V1__EVENT_KIND__EVENT_KIND_ADDRESSES,
                               false,
                               {{"addresses", SOURCE_ADDRESSES}}},
    [BOARD_EVENT_REFUSED] = {MPA__V1__EVENT_KIND__EVENT_KIND_REFUSED, true, {{"error", SOURCE_ERRNO}}},
    [BOARD_EVENT_HANDOVER] = {MPA__V1__EVENT_KIND__EVENT_KIND_HANDOVER,
                              true,
                              {{"to", SOURCE_A2},
                               {"duration_ns", SOURCE_B},
                               {"flows", SOURCE_FLOWS},
                               {"buckets", SOURCE_BUCKETS},
                               {"frames_held", SOURCE_FRAMES},
                               {"result", SOURCE_RESULT},
                               {"number", SOURCE_NUMBER},
                               {"flow", SOURCE_KEY}}},
    [BOARD_EVENT_DIED] = {MPA__V1__EVENT_KIND__EVENT_KIND_DIED, true, {{"signal", SOURCE_B}}},
    [BOARD_EVENT_ADOPTED] = {MPA__V1__EVENT_KIND__EVENT_KIND_ADOPTED,
                             true,
                             {{"duration_ns", SOURCE_B},
                              {"flows", SOURCE_FLOWS},
                              {"frames_held", SOURCE_FRAMES}}},
    [BOARD_EVENT_STALLED] = {MPA__V1__EVENT_KIND__EVENT_KIND_STALLED, true, {{"still_ns", SOURCE_B}}},
    [BOARD_EVENT_SUSPECT] = {MPA__V1__EVENT_KIND__EVENT_KIND_SUSPECT,
                             true,
                             {{"flow", SOURCE_KEY}, {"accused", SOURCE_B}, {"saved", SOURCE_FRAMES}}},
    [BOARD_EVENT_FLOW_RESET] = {MPA__V1__EVENT_KIND__EVENT_KIND_FLOW_RESET, true, {{"flow", SOURCE_KEY}}},
    [BOARD_EVENT_RETURNED] = {MPA__V1__EVENT_KIND__EVENT_KIND_RETURNED, true, {{"flows", SOURCE_FLOWS}}},
};

static char *addresses_text(struct control_core *core)
{
    struct host_addresses addresses;
    char *text = control_borrow("");

    board_get_addresses(core->board, &addresses);
    for (uint32_t i = 0; i < addresses.n_addresses && i < HOST_MAX_ADDRESSES && text != NULL; i++) {
        char address[64];

        config_address_format(&addresses.addresses[i], address, sizeof(address));
        text = control_text(&core->arena, "%s%s%s", text, i == 0 ? "" : " ", address);
    }
    return text;
}

static char *key_text(struct control_core *core, const struct flow_key *key)
{
    char text[FLOW_KEY_TEXT_BYTES];

    if (key->family == 0)
        return NULL;
    flow_key_format(key, text, sizeof(text));
    return control_text(&core->arena, "%s", text);
}

/* NULL: the event has no such field. */
static char *field_text(struct control_core *core, const struct board_event *event, enum source source)
{
    switch (source) {
    case SOURCE_FAULT:
        return control_borrow(event->b < N_LANE_COUNTERS ? lane_counter_texts[event->b].name : "unknown");
    case SOURCE_ERRNO:
        return control_borrow(strerror((int)event->b));
    case SOURCE_ADDRESSES:
        return addresses_text(core);
    case SOURCE_RESULT:
        return control_borrow(control_result_name(event->result));
    case SOURCE_KEY:
        return key_text(core, &event->key);
    case SOURCE_A2:
        return control_text(&core->arena, "%u", event->a2);
    case SOURCE_FLOWS:
        return control_text(&core->arena, "%u", event->n_flows);
    case SOURCE_BUCKETS:
        return control_text(&core->arena, "%u", event->n_buckets);
    case SOURCE_FRAMES:
        return control_text(&core->arena, "%u", event->n_frames);
    case SOURCE_NUMBER:
        return control_text(&core->arena, "%u", event->number);
    case SOURCE_B:
        return control_text(&core->arena, "%llu", (unsigned long long)event->b);
    case SOURCE_NONE:
        break;
    }
    return NULL;
}

/* Adds a field; silently not when there is no value or the arena is full (it never is). */
static void field_add(struct control_core *core, Mpa__V1__Event *message, const char *key, char *value)
{
    Mpa__V1__Field *field = control_alloc(&core->arena, 1, sizeof(*field));

    if (message->fields == NULL)
        message->fields = control_alloc(&core->arena, MAX_FIELDS, sizeof(*message->fields));
    if (field == NULL || value == NULL || message->fields == NULL)
        return;
    mpa__v1__field__init(field);
    field->key = control_borrow(key);
    field->value = value;
    message->fields[message->n_fields++] = field;
}

Mpa__V1__Event *control_core_event(struct control_core *core, uint64_t *next, uint64_t now_ns,
                                   uint64_t realtime_ns)
{
    struct board_event event;
    const struct event_form *form;
    uint64_t first = *next;
    uint64_t n_lost;
    Mpa__V1__Event *message;

    core->arena.used = 0;
    if (!board_event_read(core->board, next, &event, &n_lost) ||
        event.kind >= sizeof(forms) / sizeof(forms[0]))
        return NULL;
    form = &forms[event.kind];
    message = control_alloc(&core->arena, 1, sizeof(*message));
    mpa_assert(message != NULL);
    mpa__v1__event__init(message);
    if (n_lost > 0) {
        /* Said once, in the place of those that are missing; the event itself is read again. */
        *next = first + n_lost;
        message->kind = MPA__V1__EVENT_KIND__EVENT_KIND_LOST;
        message->role = MPA__V1__ROLE__ROLE_FRONTEND;
        message->time_ns = realtime_ns;
        field_add(core, message, "count", control_text(&core->arena, "%llu", (unsigned long long)n_lost));
        return message;
    }
    message->kind = form->kind;
    message->role = form->has_slot ? MPA__V1__ROLE__ROLE_WORKER : MPA__V1__ROLE__ROLE_FRONTEND;
    message->slot = form->has_slot ? event.a : 0;
    /* The board keeps monotonic time; the wire has the wall clock. */
    message->time_ns = realtime_ns - (now_ns - event.time_ns);
    for (const struct field_form *field = form->fields; field->source != SOURCE_NONE; field++)
        field_add(core, message, field->key, field_text(core, &event, field->source));
    return message;
}
