/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * events.c — publishes events. What the frontend publishes gets our sequence number and goes out again as it
 * is, fields of newer versions included (protobuf-c keeps them). A gap in the frontend's numbers is told as
 * an event of its own.
 */
#include "controlplane/controld/events.h"

#include <nng/nng.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "controlplane/controld/wire.h"

#define MAX_LISTENERS 64u /* each may have a backlog */
#define BACKLOG 128       /* events held for one slow listener, then it loses some */

struct events {
    const struct access *access;
    atomic_uint n_listeners; /* threads of nng count; nothing is published by it */
    nng_socket out;
    nng_socket in;
    nng_aio *aio;        /* receives from the frontend */
    atomic_bool is_done; /* nng's thread sets it, ours clears it; publishes the aio's result */
    int wake_fd;
    struct recent recent;       /* the last ones that we sent; its last number is the sequence */
    uint64_t life;              /* tells our numbers from those of the controld before */
    uint64_t frontend_sequence; /* last one that we got; 0: none of this frontend's life */
    struct events_fault fault;  /* not taken yet */
};

static uint64_t realtime_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Runs in a thread of nng. */
static void event_arrived(void *argument)
{
    struct events *events = argument;
    const uint64_t one = 1;

    atomic_store_explicit(&events->is_done, true, memory_order_release);
    (void)!write(events->wake_fd, &one, sizeof(one));
}

/* Runs in a thread of nng, before a listener is let in and after it has gone. */
static void listener_judge(nng_pipe pipe, nng_pipe_ev event, void *argument)
{
    struct events *events = argument;
    uint64_t uid, gid;

    if (event == NNG_PIPE_EV_REM_POST) {
        atomic_fetch_sub_explicit(&events->n_listeners, 1, memory_order_relaxed);
        return;
    }
    if (atomic_fetch_add_explicit(&events->n_listeners, 1, memory_order_relaxed) >= MAX_LISTENERS ||
        nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &uid) != 0 ||
        nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_GID, &gid) != 0 ||
        access_of_peer(events->access, uid, gid) < ACCESS_READ)
        nng_pipe_close(pipe);
}

static int events_listen(struct events *events, const char *runtime_dir)
{
    const int mode = access_has_guests(events->access) ? 0666 : 0600;
    char url[CONFIG_PATH_BYTES + 16];
    nng_listener listener;
    int error;

    snprintf(url, sizeof(url), "ipc://%s/events.ipc", runtime_dir);
    if ((error = nng_pub0_open(&events->out)) != 0 ||
        (error = nng_socket_set_int(events->out, NNG_OPT_SENDBUF, BACKLOG)) != 0 ||
        (error = nng_pipe_notify(events->out, NNG_PIPE_EV_ADD_PRE, listener_judge, events)) != 0 ||
        (error = nng_pipe_notify(events->out, NNG_PIPE_EV_REM_POST, listener_judge, events)) != 0 ||
        (error = nng_listener_create(&listener, events->out, url)) != 0 ||
        (error = nng_listener_set_int(listener, NNG_OPT_IPC_PERMISSIONS, mode)) != 0)
        return error;
    return nng_listener_start(listener, 0);
}

static int events_subscribe(struct events *events, const char *runtime_dir)
{
    char url[CONFIG_PATH_BYTES + 16];
    int error;

    snprintf(url, sizeof(url), "ipc://%s/frontend-events.ipc", runtime_dir);
    if ((error = nng_sub0_open(&events->in)) != 0 ||
        (error = nng_socket_set(events->in, NNG_OPT_SUB_SUBSCRIBE, "", 0)) != 0 ||
        (error = nng_socket_set_size(events->in, NNG_OPT_RECVMAXSZ, WIRE_MAX_MESSAGE_BYTES)) != 0 ||
        (error = nng_socket_set_int(events->in, NNG_OPT_RECVBUF, BACKLOG)) != 0 ||
        (error = nng_socket_set_ms(events->in, NNG_OPT_RECONNMINT, 20)) != 0 ||
        (error = nng_socket_set_ms(events->in, NNG_OPT_RECONNMAXT, 100)) != 0 ||
        (error = nng_aio_alloc(&events->aio, event_arrived, events)) != 0)
        return error;
    return nng_dial(events->in, url, NULL, NNG_FLAG_NONBLOCK);
}

int events_new(struct events **events, const char *runtime_dir, const struct access *access, int wake_fd)
{
    struct events *new = calloc(1, sizeof(*new));
    int error;

    *events = NULL;
    if (new == NULL)
        return NNG_ENOMEM;
    new->wake_fd = wake_fd;
    new->access = access;
    new->life = realtime_ns();
    error = events_listen(new, runtime_dir);
    if (error == 0)
        error = events_subscribe(new, runtime_dir);
    if (error != 0) {
        events_free(new);
        return error;
    }
    nng_recv_aio(new->in, new->aio);
    *events = new;
    return 0;
}

void events_free(struct events *events)
{
    if (events == NULL)
        return;
    if (nng_socket_id(events->in) > 0)
        nng_close(events->in);
    if (nng_socket_id(events->out) > 0)
        nng_close(events->out);
    if (events->aio != NULL) {
        nng_aio_stop(events->aio);
        /* One that arrived and was not looked at. */
        if (atomic_load_explicit(&events->is_done, memory_order_acquire) && nng_aio_result(events->aio) == 0)
            nng_msg_free(nng_aio_get_msg(events->aio));
        nng_aio_free(events->aio);
    }
    free(events);
}

static void event_send(struct events *events, Mpa__V1__Event *message)
{
    nng_msg *packed;

    message->life = events->life;
    recent_add(&events->recent, message);
    packed = wire_pack(&message->base);
    if (packed != NULL && nng_sendmsg(events->out, packed, NNG_FLAG_NONBLOCK) != 0)
        nng_msg_free(packed);
}

const struct recent *events_recent(const struct events *events, uint64_t *life)
{
    *life = events->life;
    return &events->recent;
}

void events_publish(struct events *events, const struct event *event)
{
    Mpa__V1__Event message = MPA__V1__EVENT__INIT;
    Mpa__V1__Field fields[EVENT_MAX_FIELDS];
    Mpa__V1__Field *list[EVENT_MAX_FIELDS];

    if (events == NULL)
        return;
    message.time_ns = realtime_ns();
    message.kind = event->kind;
    message.role = event->role;
    message.slot = event->slot;
    for (size_t i = 0; i < event->n_fields; i++) {
        mpa__v1__field__init(&fields[i]);
        fields[i].key = wire_borrow(event->fields[i].key);
        fields[i].value = wire_borrow(event->fields[i].value);
        list[i] = &fields[i];
    }
    message.fields = list;
    message.n_fields = event->n_fields;
    event_send(events, &message);
}

/* A frontend that was started anew counts from 1 again; anything else that is not the next is a gap. */
static void note_gap(struct events *events, uint64_t sequence)
{
    uint64_t n_lost = sequence > events->frontend_sequence ? sequence - events->frontend_sequence - 1 : 0;
    char count[24];

    if (n_lost > 0 && events->frontend_sequence != 0) {
        snprintf(count, sizeof(count), "%llu", (unsigned long long)n_lost);
        events_publish(events, &(struct event){.kind = MPA__V1__EVENT_KIND__EVENT_KIND_LOST,
                                               .role = MPA__V1__ROLE__ROLE_FRONTEND,
                                               .n_fields = 1,
                                               .fields = {{"count", count}}});
    }
    events->frontend_sequence = sequence;
}

/* The value of a field; "" when there is none. */
static const char *field_of(const Mpa__V1__Event *message, const char *key)
{
    for (size_t i = 0; i < message->n_fields; i++) {
        if (strcmp(message->fields[i]->key, key) == 0)
            return message->fields[i]->value;
    }
    return "";
}

static void fault_read(const Mpa__V1__Event *message, struct events_fault *fault)
{
    if (message->kind == MPA__V1__EVENT_KIND__EVENT_KIND_STALLED)
        *fault = (struct events_fault){.slot = message->slot,
                                       .still_ns = strtoull(field_of(message, "still_ns"), NULL, 10)};
    if (message->kind != MPA__V1__EVENT_KIND__EVENT_KIND_QUARANTINED)
        return;
    *fault = (struct events_fault){.slot = message->slot};
    snprintf(fault->fault, sizeof(fault->fault), "%s", field_of(message, "fault"));
}

/* protobuf-c takes a field of number 0, in a long form, and packs it so that nobody can read it again. */
static bool has_field_zero(const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->n_unknown_fields; i++) {
        if (message->unknown_fields[i].tag == 0)
            return true;
    }
    return false;
}

static bool can_be_packed(const Mpa__V1__Event *message)
{
    for (size_t i = 0; i < message->n_fields; i++) {
        if (has_field_zero(&message->fields[i]->base))
            return false;
    }
    return !has_field_zero(&message->base);
}

static bool is_fault(const struct events_fault *fault)
{
    return fault->still_ns > 0 || fault->fault[0] != '\0';
}

Mpa__V1__Event *events_read(const uint8_t *bytes, size_t size, struct events_news *news)
{
    Mpa__V1__Event *message = mpa__v1__event__unpack(NULL, size, bytes);

    if (message != NULL && !can_be_packed(message)) {
        mpa__v1__event__free_unpacked(message, NULL);
        message = NULL;
    }
    if (message == NULL)
        return NULL;
    *news =
        (struct events_news){.is_lane_change = message->kind == MPA__V1__EVENT_KIND__EVENT_KIND_SERVING ||
                                               message->kind == MPA__V1__EVENT_KIND__EVENT_KIND_QUARANTINED ||
                                               message->kind == MPA__V1__EVENT_KIND__EVENT_KIND_GONE};
    fault_read(message, &news->fault);
    return message;
}

bool events_take_fault(struct events *events, struct events_fault *fault)
{
    *fault = events->fault;
    events->fault = (struct events_fault){0};
    return is_fault(fault);
}

static bool pass_on(struct events *events, nng_msg *packed)
{
    struct events_news news;
    Mpa__V1__Event *message = events_read(nng_msg_body(packed), nng_msg_len(packed), &news);

    if (message == NULL)
        return false;
    note_gap(events, message->sequence);
    if (is_fault(&news.fault))
        events->fault = news.fault;
    event_send(events, message);
    mpa__v1__event__free_unpacked(message, NULL);
    return news.is_lane_change;
}

bool events_step(struct events *events)
{
    bool is_lane_change = false;
    int error;

    if (!atomic_exchange_explicit(&events->is_done, false, memory_order_acquire))
        return false;
    error = nng_aio_result(events->aio);
    if (error == NNG_ECLOSED || error == NNG_ECANCELED)
        return false;
    if (error == 0) {
        nng_msg *packed = nng_aio_get_msg(events->aio);

        is_lane_change = pass_on(events, packed);
        nng_msg_free(packed);
    }
    nng_recv_aio(events->in, events->aio);
    return is_lane_change;
}
