/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_answers.c — fuzz target: any bytes as what mpactl is told: a reply and an event, shown as JSON, as
 * a line of text, and on every page of 'mpactl top'. The text has no control characters.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "controlplane/mpactl/event_text.h"
#include "controlplane/mpactl/follow.h"
#include "controlplane/mpactl/json.h"
#include "controlplane/mpactl/top_view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void show_event(const Mpa__V1__Event *event)
{
    static struct follow follow;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        abort();
    event_text_print(event, out);
    fclose(out);
    for (size_t i = 0; i < size; i++) {
        if (iscntrl((unsigned char)text[i]))
            abort();
    }
    free(text);
    follow_see(&follow, event);
}

static void show_json(const ProtobufCMessage *message)
{
    json_t *json = json_from_message(message);

    if (json != NULL)
        json_decref(json);
}

/* Takes the reply: a sample beside the one of the input before, so that there are rates. */
static void show_top(Mpa__V1__Reply *reply)
{
    static struct top_model model;
    static struct grid grid;
    static uint64_t time_ns;
    struct top_sample sample = {.time_ns = time_ns += 1000000000u};

    if (reply->body_case == MPA__V1__REPLY__BODY_GET_STATUS)
        sample.status = reply;
    else if (reply->body_case == MPA__V1__REPLY__BODY_GET_WORKERS)
        sample.workers = reply;
    else if (reply->body_case == MPA__V1__REPLY__BODY_GET_LANES)
        sample.lanes = reply;
    else if (reply->body_case == MPA__V1__REPLY__BODY_GET_BUCKETS)
        sample.buckets = reply;
    else if (reply->body_case != MPA__V1__REPLY__BODY_GET_FLOWS)
        mpa__v1__reply__free_unpacked(reply, NULL);
    else if (flow_list_add(&sample.flows, reply) != 0)
        abort();
    if (top_model_update(&model, &sample) != 0)
        abort();
    for (unsigned page = 0; page < TOP_N_PAGES; page++) {
        const struct top_view view = {.page = (enum top_page)page, .interval_ms = 2000};

        top_model_sort(&model, (enum top_sort)(time_ns / 1000000000u % TOP_N_SORTS));
        if (grid_resize(&grid, 24, 80) != 0)
            abort();
        top_view_draw(&view, &model, &grid);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Mpa__V1__Reply *reply = mpa__v1__reply__unpack(NULL, size, data);
    Mpa__V1__Event *event = mpa__v1__event__unpack(NULL, size, data);

    if (reply != NULL) {
        show_json(&reply->base);
        show_top(reply);
    }
    if (event != NULL) {
        show_event(event);
        show_json(&event->base);
        mpa__v1__event__free_unpacked(event, NULL);
    }
    return 0;
}
