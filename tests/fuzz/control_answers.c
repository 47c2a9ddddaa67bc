/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_answers.c — fuzz target: any bytes as what mpactl is told: a reply and an event, shown as JSON and
 * as a line of text. The text has no control characters.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "controlplane/mpactl/event_text.h"
#include "controlplane/mpactl/follow.h"
#include "controlplane/mpactl/json.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Mpa__V1__Reply *reply = mpa__v1__reply__unpack(NULL, size, data);
    Mpa__V1__Event *event = mpa__v1__event__unpack(NULL, size, data);

    if (reply != NULL) {
        show_json(&reply->base);
        mpa__v1__reply__free_unpacked(reply, NULL);
    }
    if (event != NULL) {
        show_event(event);
        show_json(&event->base);
        mpa__v1__event__free_unpacked(event, NULL);
    }
    return 0;
}
