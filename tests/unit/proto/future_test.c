/* SPDX-License-Identifier: BSD-3-Clause */
/* future_test.c — messages of a version to come (mpa/future/control.proto) meet this one, and the other way
 * round: what is known is understood, what is not does no harm. */
#include <nng/nng.h>
#include <stdlib.h>
#include <string.h>

#include "mpa/future/control.pb-c.h"
#include "mpa/v1/control.pb-c.h"

#include "controlplane/controld/gate.h"
#include "controlplane/controld/recent.h"
#include "controlplane/controld/status.h"
#include "controlplane/mpactl/event_text.h"
#include "controlplane/mpactl/json.h"
#include "frontend/control_internal.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "proto/future";

static uint8_t bytes[4096];

/* A text of ours in a message. */
#define TEXT(name, value) char name[] = value

static size_t pack_request(Mpa__Future__Request *request)
{
    Mpa__Future__Extra extra = MPA__FUTURE__EXTRA__INIT;
    Mpa__Future__Extra *list[] = {&extra, &extra};
    uint32_t numbers[] = {1, 2, 3000000};
    TEXT(name, "something new");

    extra.name = name;
    extra.number = UINT64_MAX;
    extra.list = numbers;
    extra.n_list = 3;
    request->id = 17;
    request->trace = name;
    request->extras = list;
    request->n_extras = 2;
    CU_ASSERT_FATAL(mpa__future__request__get_packed_size(request) <= sizeof(bytes));
    return mpa__future__request__pack(request, bytes);
}

static struct gate gate;

static Mpa__V1__Request *pass(enum access_role role, size_t size, struct gate_refusal *refusal)
{
    return gate_pass(&gate, &(struct gate_input){.bytes = bytes, .size = size, .role = role, .connection = 1},
                     refusal);
}

static void a_newer_request_passes_for_what_is_known_of_it(void)
{
    Mpa__Future__DrainRequest drain = MPA__FUTURE__DRAIN_REQUEST__INIT;
    Mpa__Future__Request request = MPA__FUTURE__REQUEST__INIT;
    struct gate_refusal refusal;
    Mpa__V1__Request *passed;

    drain.slot = 3;
    drain.patience_ms = 5;
    request.body_case = MPA__FUTURE__REQUEST__BODY_DRAIN;
    request.drain = &drain;
    passed = pass(ACCESS_ADMIN, pack_request(&request), &refusal);
    CU_ASSERT_PTR_NOT_NULL_FATAL(passed);
    CU_ASSERT_EQUAL(passed->id, 17);
    CU_ASSERT_EQUAL(passed->body_case, MPA__V1__REQUEST__BODY_DRAIN);
    CU_ASSERT_EQUAL(passed->drain->slot, 3);
    CU_ASSERT_EQUAL(passed->base.n_unknown_fields, 3); /* for a newer frontend, to whom it is passed on */
    mpa__v1__request__free_unpacked(passed, NULL);
}

static void the_frontend_answers_a_newer_request(void)
{
    static struct config config;
    static struct board board;
    static struct control_core core;
    Mpa__Future__GetStatusRequest get_status = MPA__FUTURE__GET_STATUS_REQUEST__INIT;
    Mpa__Future__Extra extra = MPA__FUTURE__EXTRA__INIT;
    Mpa__Future__Request request = MPA__FUTURE__REQUEST__INIT;
    const Mpa__V1__Reply *reply;
    Mpa__Future__Reply *seen;
    static uint8_t packed[1 << 16];
    size_t size;

    config_defaults(&config);
    CU_ASSERT_EQUAL_FATAL(board_init(&board, 64), 0);
    CU_ASSERT_EQUAL_FATAL(control_core_init(&core, &config, &board, 1), 0);
    get_status.detail = &extra;
    request.body_case = MPA__FUTURE__REQUEST__BODY_GET_STATUS;
    request.get_status = &get_status;
    reply = control_core_answer(&core, bytes, pack_request(&request), 2);
    CU_ASSERT_EQUAL(reply->id, 17);
    CU_ASSERT_EQUAL_FATAL(reply->body_case, MPA__V1__REPLY__BODY_GET_STATUS);
    /* And the newer sender reads the older answer: what it does not find is empty. */
    size = mpa__v1__reply__get_packed_size(reply);
    CU_ASSERT_FATAL(size <= sizeof(packed));
    mpa__v1__reply__pack(reply, packed);
    seen = mpa__future__reply__unpack(NULL, size, packed);
    CU_ASSERT_PTR_NOT_NULL_FATAL(seen);
    CU_ASSERT_EQUAL(seen->id, 17);
    CU_ASSERT_PTR_NULL(seen->extra);
    CU_ASSERT_EQUAL_FATAL(seen->body_case, MPA__FUTURE__REPLY__BODY_GET_STATUS);
    CU_ASSERT_STRING_EQUAL(seen->get_status->version, MPA_VERSION);
    CU_ASSERT_EQUAL(seen->get_status->n_extras, 0);
    mpa__future__reply__free_unpacked(seen, NULL);
    /* A command of tomorrow is refused, under its id. */
    request.body_case = MPA__FUTURE__REQUEST__BODY_TELEPORT;
    request.teleport = &extra;
    reply = control_core_answer(&core, bytes, pack_request(&request), 2);
    CU_ASSERT_EQUAL(reply->id, 17);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reply->error);
    CU_ASSERT_EQUAL(reply->error->code, MPA__V1__ERROR_CODE__ERROR_CODE_UNSUPPORTED);
    control_core_fini(&core);
    board_fini(&board);
}

/* Packs a newer reply with a status into an nng message. */
static nng_msg *newer_status(void)
{
    Mpa__Future__Extra extra = MPA__FUTURE__EXTRA__INIT;
    Mpa__Future__Extra *extras[] = {&extra};
    Mpa__Future__Process process = MPA__FUTURE__PROCESS__INIT;
    Mpa__Future__Process *processes[] = {&process};
    Mpa__Future__GetStatusReply status = MPA__FUTURE__GET_STATUS_REPLY__INIT;
    Mpa__Future__Reply reply = MPA__FUTURE__REPLY__INIT;
    nng_msg *message;
    TEXT(version, "9.0");

    process.role = (Mpa__Future__State)MPA__V1__ROLE__ROLE_WORKER;
    process.slot = 1;
    process.pid = 4711;
    process.state = MPA__FUTURE__STATE__STATE_DREAMING;
    process.lane_state = MPA__FUTURE__STATE__STATE_DREAMING;
    process.extra = &extra;
    status.version = version;
    status.state = MPA__FUTURE__STATE__STATE_DREAMING;
    status.processes = processes;
    status.n_processes = 1;
    status.extras = extras;
    status.n_extras = 1;
    reply.extra = &extra;
    reply.body_case = MPA__FUTURE__REPLY__BODY_GET_STATUS;
    reply.get_status = &status;
    CU_ASSERT_EQUAL_FATAL(nng_msg_alloc(&message, mpa__future__reply__get_packed_size(&reply)), 0);
    mpa__future__reply__pack(&reply, nng_msg_body(message));
    return message;
}

static void a_newer_frontend_is_understood(void)
{
    struct lane_report lanes[CONFIG_MAX_WORKERS];
    nng_msg *message = newer_status();
    Mpa__V1__Reply *reply = status_unpack(message);
    json_t *json;

    CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
    CU_ASSERT_EQUAL(status_lanes(reply->get_status, lanes), 1);
    CU_ASSERT_EQUAL(lanes[0].pid, 4711);
    /* A state that nobody knows is none that something follows from. */
    CU_ASSERT_EQUAL(lanes[0].life, LANE_LIFE_OTHER);
    json = json_from_message(&reply->get_status->base);
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json, "state")), 42);
    json_decref(json);
    mpa__v1__reply__free_unpacked(reply, NULL);
    nng_msg_free(message);
}

static void a_newer_error_is_an_error(void)
{
    Mpa__Future__Error error = MPA__FUTURE__ERROR__INIT;
    Mpa__Future__Reply reply = MPA__FUTURE__REPLY__INIT;
    Mpa__V1__Reply *seen;
    TEXT(text, "come back tomorrow");

    error.code = MPA__FUTURE__ERROR_CODE__ERROR_CODE_TOMORROW;
    error.text = error.advice = text;
    reply.error = &error;
    seen = mpa__v1__reply__unpack(NULL, mpa__future__reply__pack(&reply, bytes), bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(seen);
    CU_ASSERT_PTR_NOT_NULL_FATAL(seen->error);
    CU_ASSERT_EQUAL((int)seen->error->code, 77);
    CU_ASSERT_STRING_EQUAL(seen->error->text, text);
    CU_ASSERT_STRING_EQUAL(seen->error->field, "");
    mpa__v1__reply__free_unpacked(seen, NULL);
}

static void a_newer_event_is_told_kept_and_passed_on(void)
{
    static struct recent recent;
    Mpa__Future__Event event = MPA__FUTURE__EVENT__INIT;
    Mpa__Future__Field field = MPA__FUTURE__FIELD__INIT;
    Mpa__Future__Field *fields[] = {&field};
    Mpa__Future__Event *again;
    Mpa__V1__Event *seen, *kept;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    TEXT(place, "the sky");

    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    field.key = field.value = event.place = place;
    field.raw = 5;
    event.kind = MPA__FUTURE__EVENT_KIND__EVENT_KIND_ECLIPSE;
    event.role = MPA__FUTURE__STATE__STATE_DREAMING;
    event.fields = fields;
    event.n_fields = 1;
    seen = mpa__v1__event__unpack(NULL, mpa__future__event__pack(&event, bytes), bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(seen);
    event_text_print(seen, out);
    fclose(out);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "the sky"));
    free(text);
    recent_add(&recent, seen);
    kept = recent_get(&recent, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(kept);
    again = mpa__future__event__unpack(NULL, mpa__v1__event__pack(kept, bytes), bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(again);
    CU_ASSERT_EQUAL(again->kind, MPA__FUTURE__EVENT_KIND__EVENT_KIND_ECLIPSE);
    CU_ASSERT_STRING_EQUAL(again->place, place);
    CU_ASSERT_EQUAL(again->fields[0]->raw, 5);
    mpa__future__event__free_unpacked(again, NULL);
    mpa__v1__event__free_unpacked(kept, NULL);
    mpa__v1__event__free_unpacked(seen, NULL);
}

const struct unit_test unit_tests[] = {
    {"a newer request passes for what is known of it", a_newer_request_passes_for_what_is_known_of_it},
    {"the frontend answers a newer request", the_frontend_answers_a_newer_request},
    {"a newer frontend is understood", a_newer_frontend_is_understood},
    {"a newer error is an error", a_newer_error_is_an_error},
    {"a newer event is told, kept and passed on", a_newer_event_is_told_kept_and_passed_on},
    {NULL, NULL},
};
