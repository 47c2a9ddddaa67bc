/* SPDX-License-Identifier: BSD-3-Clause */
/* gate_test.c — what every request passes, from its bytes. */
#include "controlplane/controld/gate.h"

#include <stdlib.h>
#include <string.h>

#include "controlplane/controld/wire.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "controld/gate";

#define SECOND_NS 1000000000ull

static struct gate gate;
static struct gate_refusal refusal;
static uint64_t came_ns; /* 0: when it is looked at */

/* Asks with a request of two fields: id and command (no body). */
static Mpa__V1__Request *ask(enum access_role role, uint32_t connection, uint64_t id,
                             Mpa__V1__Request__BodyCase command, uint64_t now_ns)
{
    uint8_t bytes[64];
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    size_t size;

    request.id = id;
    size = mpa__v1__request__pack(&request, bytes);
    bytes[size++] = (uint8_t)(((unsigned)command << 3 & 0x7f) | 2 | 0x80);
    bytes[size++] = (uint8_t)((unsigned)command >> 4);
    bytes[size++] = 0;
    return gate_pass(&gate,
                     &(struct gate_input){.bytes = bytes,
                                          .size = size,
                                          .role = role,
                                          .connection = connection,
                                          .came_ns = came_ns == 0 ? now_ns : came_ns,
                                          .now_ns = now_ns},
                     &refusal);
}

static void passes(Mpa__V1__Request *request)
{
    CU_ASSERT_PTR_NOT_NULL(request);
    if (request != NULL)
        mpa__v1__request__free_unpacked(request, NULL);
}

static void is_refused(Mpa__V1__Request *request, Mpa__V1__ErrorCode code, const char *field)
{
    CU_ASSERT_PTR_NULL(request);
    CU_ASSERT_EQUAL(refusal.code, code);
    CU_ASSERT_STRING_EQUAL(refusal.field, field);
    CU_ASSERT_TRUE(strlen(refusal.text) > 0);
    if (request != NULL)
        mpa__v1__request__free_unpacked(request, NULL);
}

static void a_reader_may_look_and_change_nothing(void)
{
    passes(ask(ACCESS_READ, 1, 1, MPA__V1__REQUEST__BODY_GET_STATUS, 0));
    is_refused(ask(ACCESS_READ, 1, 1, MPA__V1__REQUEST__BODY_STOP, 0), MPA__V1__ERROR_CODE__ERROR_CODE_DENIED,
               "stop");
    CU_ASSERT_STRING_EQUAL(refusal.text, "role read may not 'stop': it needs the role admin");
    CU_ASSERT_EQUAL(refusal.id, 1);
}

static void without_a_role_nothing_passes(void)
{
    is_refused(ask(ACCESS_NONE, 1, 1, MPA__V1__REQUEST__BODY_GET_STATUS, 0),
               MPA__V1__ERROR_CODE__ERROR_CODE_DENIED, "get_status");
    CU_ASSERT_PTR_NOT_NULL(strstr(refusal.text, "control.readers"));
    is_refused(ask(ACCESS_NONE, 1, 1, MPA__V1__REQUEST__BODY_DRAIN, 0),
               MPA__V1__ERROR_CODE__ERROR_CODE_DENIED, "drain");
    CU_ASSERT_PTR_NOT_NULL(strstr(refusal.text, "control.admins"));
}

static void a_change_is_done_once(void)
{
    memset(&gate, 0, sizeof(gate));
    passes(ask(ACCESS_ADMIN, 7, 5, MPA__V1__REQUEST__BODY_DRAIN, SECOND_NS));
    is_refused(ask(ACCESS_ADMIN, 7, 5, MPA__V1__REQUEST__BODY_DRAIN, 2 * SECOND_NS),
               MPA__V1__ERROR_CODE__ERROR_CODE_DUPLICATE, "id");
    is_refused(ask(ACCESS_ADMIN, 7, 5, MPA__V1__REQUEST__BODY_STOP, 60 * SECOND_NS),
               MPA__V1__ERROR_CODE__ERROR_CODE_DUPLICATE, "id");
    passes(ask(ACCESS_ADMIN, 8, 5, MPA__V1__REQUEST__BODY_DRAIN, 2 * SECOND_NS));
    passes(ask(ACCESS_ADMIN, 7, 6, MPA__V1__REQUEST__BODY_DRAIN, 2 * SECOND_NS));
    passes(ask(ACCESS_ADMIN, 7, 5, MPA__V1__REQUEST__BODY_DRAIN, 61 * SECOND_NS));
}

static void looks_may_be_repeated(void)
{
    for (unsigned i = 0; i < 3; i++)
        passes(ask(ACCESS_ADMIN, 7, 9, MPA__V1__REQUEST__BODY_GET_STATUS, SECOND_NS));
    passes(ask(ACCESS_READ, 7, 0, MPA__V1__REQUEST__BODY_GET_STATUS, SECOND_NS));
}

static void a_change_without_an_id_is_refused(void)
{
    is_refused(ask(ACCESS_ADMIN, 1, 0, MPA__V1__REQUEST__BODY_STOP, 0),
               MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, "id");
}

static void whoever_is_refused_leaves_no_id(void)
{
    memset(&gate, 0, sizeof(gate));
    is_refused(ask(ACCESS_READ, 3, 5, MPA__V1__REQUEST__BODY_STOP, SECOND_NS),
               MPA__V1__ERROR_CODE__ERROR_CODE_DENIED, "stop");
    CU_ASSERT_EQUAL(gate.next_idx, 0);
}

static void bytes_that_are_no_request_are_refused(void)
{
    static uint8_t large[WIRE_MAX_REQUEST_BYTES + 1];
    static const uint8_t garbage[] = {0xff, 0xff, 0xff, 0x00, 0x07};
    struct gate_input input = {.bytes = garbage, .size = sizeof(garbage), .role = ACCESS_ADMIN};

    is_refused(gate_pass(&gate, &input, &refusal), MPA__V1__ERROR_CODE__ERROR_CODE_MALFORMED, "request");
    input = (struct gate_input){.bytes = large, .size = sizeof(large), .role = ACCESS_ADMIN};
    is_refused(gate_pass(&gate, &input, &refusal), MPA__V1__ERROR_CODE__ERROR_CODE_TOO_LARGE, "request");
}

/* get_workers, then a command 200 that only a newer frontend knows: for that one it would be the command. */
static const uint8_t smuggled[] = {0x08, 0x05, 0x5a, 0x00, 0xc2, 0x0c, 0x00};

static void nobody_smuggles_a_newer_command_past_his_role(void)
{
    struct gate_input input = {.bytes = smuggled, .size = sizeof(smuggled), .role = ACCESS_READ};
    Mpa__V1__Request *request = gate_pass(&gate, &input, &refusal);
    uint8_t packed[sizeof(smuggled)];

    CU_ASSERT_PTR_NOT_NULL_FATAL(request);
    CU_ASSERT_EQUAL(request->body_case, MPA__V1__REQUEST__BODY_GET_WORKERS);
    CU_ASSERT_EQUAL(mpa__v1__request__get_packed_size(request), 4);
    CU_ASSERT_EQUAL(mpa__v1__request__pack(request, packed), 4);
    CU_ASSERT_EQUAL(memcmp(packed, smuggled, 4), 0);
    mpa__v1__request__free_unpacked(request, NULL);
}

static void an_unknown_command_is_for_admins_to_pass_on(void)
{
    static const uint8_t newer[] = {0x08, 0x05, 0xc2, 0x0c, 0x00};
    struct gate_input input = {.bytes = newer, .size = sizeof(newer), .role = ACCESS_ADMIN};

    passes(gate_pass(&gate, &input, &refusal));
    input.role = ACCESS_READ;
    is_refused(gate_pass(&gate, &input, &refusal), MPA__V1__ERROR_CODE__ERROR_CODE_UNSUPPORTED, "request");
    CU_ASSERT_EQUAL(refusal.id, 5);
}

static void test_change_that_came_too_late_is_not_made(void)
{
    memset(&gate, 0, sizeof(gate));
    came_ns = 100 * SECOND_NS;
    passes(ask(ACCESS_ADMIN, 1, 5, MPA__V1__REQUEST__BODY_DRAIN, 105 * SECOND_NS - 1));
    is_refused(ask(ACCESS_ADMIN, 1, 6, MPA__V1__REQUEST__BODY_DRAIN, 105 * SECOND_NS),
               MPA__V1__ERROR_CODE__ERROR_CODE_DEADLINE, "deadline_ms");
    /* To look does no harm; and what was not made may be tried again under its id. */
    passes(ask(ACCESS_ADMIN, 1, 6, MPA__V1__REQUEST__BODY_GET_STATUS, 105 * SECOND_NS));
    came_ns = 0;
    passes(ask(ACCESS_ADMIN, 1, 6, MPA__V1__REQUEST__BODY_DRAIN, 105 * SECOND_NS));
}

const struct unit_test unit_tests[] = {
    {"a reader may look and change nothing", a_reader_may_look_and_change_nothing},
    {"without a role nothing passes", without_a_role_nothing_passes},
    {"a change is done once", a_change_is_done_once},
    {"looks may be repeated", looks_may_be_repeated},
    {"a change without an id is refused", a_change_without_an_id_is_refused},
    {"whoever is refused leaves no id", whoever_is_refused_leaves_no_id},
    {"bytes that are no request are refused", bytes_that_are_no_request_are_refused},
    {"nobody smuggles a newer command past his role", nobody_smuggles_a_newer_command_past_his_role},
    {"an unknown command is for admins to pass on", an_unknown_command_is_for_admins_to_pass_on},
    {"a change whose sender has given up is not made", test_change_that_came_too_late_is_not_made},
    {NULL, NULL},
};
