/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * top_events.c — events as lines of the model. The listener is there before the first question, so that
 * nothing falls between the two: what both bring is told apart by its number.
 */
#include "controlplane/mpactl/top_events.h"

#include <inttypes.h>
#include <nng/protocol/pubsub0/sub.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "controlplane/mpactl/event_text.h"
#include "controlplane/mpactl/mpactl.h"

int top_events_open(struct top_events *events, const struct mpactl *mpactl)
{
    char url[256];
    int error;

    *events = (struct top_events){.mpactl = mpactl, .socket = NNG_SOCKET_INITIALIZER};
    if (mpactl->remote != NULL)
        return MPACTL_OK;
    snprintf(url, sizeof(url), "ipc://%s/events.ipc", mpactl->runtime_dir);
    if ((error = nng_sub0_open(&events->socket)) != 0 ||
        (error = nng_socket_set(events->socket, NNG_OPT_SUB_SUBSCRIBE, "", 0)) != 0 ||
        (error = nng_dial(events->socket, url, NULL, NNG_FLAG_NONBLOCK)) != 0)
        return mpactl_fail(MPACTL_FAILED, "cannot listen for events: %s", nng_strerror(error));
    return MPACTL_OK;
}

void top_events_close(struct top_events *events)
{
    if (nng_socket_id(events->socket) > 0)
        nng_close(events->socket);
}

static void add_line(struct top_model *model, const Mpa__V1__Event *event)
{
    time_t seconds = (time_t)(event->time_ns / CLOCK_NS_PER_S);
    char line[TOP_EVENT_BYTES] = "";
    struct tm moment;
    FILE *out = fmemopen(line, sizeof(line), "w");

    if (out == NULL)
        return;
    localtime_r(&seconds, &moment);
    fprintf(out, "%02d:%02d:%02d ", moment.tm_hour, moment.tm_min, moment.tm_sec);
    event_text_print(event, out);
    fclose(out);
    line[sizeof(line) - 1] = '\0';
    top_model_add_event(model, line);
}

/* What was lost before we have begun is nobody's loss. */
static void take_snapshot(struct top_events *events, const Mpa__V1__GetSnapshotReply *snapshot,
                          struct top_model *model)
{
    char line[TOP_EVENT_BYTES];

    if (events->follow.has_begun && snapshot->missed > 0) {
        snprintf(line, sizeof(line), "%" PRIu64 " events are lost: more than mpa-controld keeps",
                 snapshot->missed);
        top_model_add_event(model, line);
    }
    for (size_t i = 0; i < snapshot->n_events; i++)
        add_line(model, snapshot->events[i]);
    follow_catch_up(&events->follow, snapshot);
    events->is_behind = false;
}

void top_events_ask(struct top_events *events, struct client *client, struct top_model *model)
{
    Mpa__V1__GetSnapshotRequest body = MPA__V1__GET_SNAPSHOT_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__Reply *reply;

    const bool is_needed = events->mpactl->remote != NULL || events->is_behind;

    if (!is_needed && events->follow.has_begun)
        return;
    body.after = events->follow.last;
    body.life = events->follow.life;
    request.body_case = MPA__V1__REQUEST__BODY_GET_SNAPSHOT;
    request.get_snapshot = &body;
    if (client_ask(client, &request, &reply) != MPACTL_OK) {
        /* History alone is missed by nobody: what comes by itself comes all the same. */
        if (is_needed)
            top_model_note_events(model, events->mpactl->error);
        return;
    }
    top_model_note_events(model, "");
    take_snapshot(events, reply->get_snapshot, model);
    mpa__v1__reply__free_unpacked(reply, NULL);
}

static void take_event(struct top_events *events, const Mpa__V1__Event *event, struct top_model *model)
{
    switch (follow_see(&events->follow, event)) {
    case FOLLOW_OLD:
        return;
    case FOLLOW_GAP:
        events->is_behind = true; /* this one comes with those before it */
        return;
    case FOLLOW_NEXT:
        add_line(model, event);
        return;
    }
}

void top_events_take(struct top_events *events, struct top_model *model)
{
    nng_msg *packed;

    while (nng_socket_id(events->socket) > 0 &&
           nng_recvmsg(events->socket, &packed, NNG_FLAG_NONBLOCK) == 0) {
        Mpa__V1__Event *event = mpa__v1__event__unpack(NULL, nng_msg_len(packed), nng_msg_body(packed));

        nng_msg_free(packed);
        if (event == NULL)
            continue;
        take_event(events, event, model);
        mpa__v1__event__free_unpacked(event, NULL);
    }
}
