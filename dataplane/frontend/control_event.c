/* SPDX-License-Identifier: BSD-3-Clause */
/* control_event.c — events of the board as messages. */
#include "frontend/control_internal.h"

#include <string.h>

/* How an event of the board is told: its kind, whether `a` is a slot, the name of the field that `b` is. */
struct event_form {
    Mpa__V1__EventKind kind;
    bool has_slot;
    const char *field; /* NULL: none */
};

static bool event_form(uint32_t kind, struct event_form *form)
{
    static const struct event_form forms[] = {
        [BOARD_EVENT_ATTACHED] = {MPA__V1__EVENT_KIND__EVENT_KIND_ATTACHED, true, NULL},
        [BOARD_EVENT_SERVING] = {MPA__V1__EVENT_KIND__EVENT_KIND_SERVING, true, "buckets"},
        [BOARD_EVENT_GONE] = {MPA__V1__EVENT_KIND__EVENT_KIND_GONE, true, NULL},
        [BOARD_EVENT_QUARANTINED] = {MPA__V1__EVENT_KIND__EVENT_KIND_QUARANTINED, true, "fault"},
        [BOARD_EVENT_CONGESTED] = {MPA__V1__EVENT_KIND__EVENT_KIND_CONGESTED, true, "congested"},
        [BOARD_EVENT_ADDRESSES] = {MPA__V1__EVENT_KIND__EVENT_KIND_ADDRESSES, false, "addresses"},
        [BOARD_EVENT_REFUSED] = {MPA__V1__EVENT_KIND__EVENT_KIND_REFUSED, true, "error"},
    };

    if (kind >= sizeof(forms) / sizeof(forms[0]))
        return false;
    *form = forms[kind];
    return true;
}

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

static char *field_text(struct control_core *core, const struct board_event *event)
{
    switch (event->kind) {
    case BOARD_EVENT_QUARANTINED:
        return control_borrow(event->b < N_LANE_COUNTERS ? lane_counter_texts[event->b].name : "unknown");
    case BOARD_EVENT_ADDRESSES:
        return addresses_text(core);
    case BOARD_EVENT_REFUSED:
        return control_borrow(strerror((int)event->b));
    default:
        return control_text(&core->arena, "%llu", (unsigned long long)event->b);
    }
}

/* Adds the one field a frontend event has; silently without it when the arena is full (it never is). */
static void field_add(struct control_core *core, Mpa__V1__Event *message, const char *key, char *value)
{
    Mpa__V1__Field *field = control_alloc(&core->arena, 1, sizeof(*field));

    message->fields = control_alloc(&core->arena, 1, sizeof(*message->fields));
    if (field == NULL || value == NULL || message->fields == NULL)
        return;
    mpa__v1__field__init(field);
    field->key = control_borrow(key);
    field->value = value;
    message->fields[0] = field;
    message->n_fields = 1;
}

Mpa__V1__Event *control_core_event(struct control_core *core, uint64_t *next, uint64_t now_ns,
                                   uint64_t realtime_ns)
{
    struct board_event event;
    struct event_form form;
    uint64_t first = *next;
    uint64_t n_lost;
    Mpa__V1__Event *message;

    core->arena.used = 0;
    if (!board_event_read(core->board, next, &event, &n_lost) || !event_form(event.kind, &form))
        return NULL;
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
    message->kind = form.kind;
    message->role = form.has_slot ? MPA__V1__ROLE__ROLE_WORKER : MPA__V1__ROLE__ROLE_FRONTEND;
    message->slot = form.has_slot ? event.a : 0;
    /* The board keeps monotonic time; the wire has the wall clock. */
    message->time_ns = realtime_ns - (now_ns - event.time_ns);
    if (form.field != NULL)
        field_add(core, message, form.field, field_text(core, &event));
    return message;
}
