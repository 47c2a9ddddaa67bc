/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gate.c — the checks in the order in which they cost: size before decoding (what is unpacked takes a
 * multiple of its bytes), role before id, so that nobody who may not change anything fills the memory of
 * changes.
 */
#include "controlplane/controld/gate.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "controlplane/controld/wire.h"

static bool is_size_good(const struct gate_input *input, struct gate_refusal *refusal)
{
    if (input->size <= WIRE_MAX_REQUEST_BYTES)
        return true;
    refusal->code = MPA__V1__ERROR_CODE__ERROR_CODE_TOO_LARGE;
    snprintf(refusal->text, sizeof(refusal->text), "the request has %zu bytes, at most %u are allowed",
             input->size, WIRE_MAX_REQUEST_BYTES);
    return false;
}

static bool is_role_good(const struct gate_input *input, Mpa__V1__Request__BodyCase command,
                         struct gate_refusal *refusal)
{
    enum access_role needed = access_needed(command);

    if (input->role >= needed)
        return true;
    if (input->role != ACCESS_NONE && command == MPA__V1__REQUEST__BODY__NOT_SET) {
        refusal->code = MPA__V1__ERROR_CODE__ERROR_CODE_UNSUPPORTED;
        snprintf(refusal->text, sizeof(refusal->text),
                 "no command in the request that version " MPA_VERSION " knows");
        return false;
    }
    refusal->code = MPA__V1__ERROR_CODE__ERROR_CODE_DENIED;
    if (input->role == ACCESS_NONE)
        snprintf(refusal->text, sizeof(refusal->text),
                 "this user has no role here: '%s' needs the role %s (see control.%s)", refusal->field,
                 access_role_name(needed), needed == ACCESS_ADMIN ? "admins" : "readers");
    else
        snprintf(refusal->text, sizeof(refusal->text), "role %s may not '%s': it needs the role %s",
                 access_role_name(input->role), refusal->field, access_role_name(needed));
    return false;
}

static bool is_replay(const struct gate *gate, const struct gate_input *input, uint64_t id)
{
    for (uint32_t i = 0; i < GATE_MAX_CHANGES; i++) {
        if (gate->changes[i].id == id && gate->changes[i].connection == input->connection &&
            input->now_ns - gate->changes[i].time_ns < GATE_REPLAY_MS * CLOCK_NS_PER_MS)
            return true;
    }
    return false;
}

/* A change is not made behind the back of a sender who has given up: it may have waited while we did
 * something slow, as systemd's start of a process is. */
static bool is_in_time(const struct gate_input *input, const Mpa__V1__Request *request,
                       struct gate_refusal *refusal)
{
    uint64_t waited_ms = (input->now_ns - input->came_ns) / CLOCK_NS_PER_MS;

    if (waited_ms < wire_deadline_ms(request))
        return true;
    refusal->code = MPA__V1__ERROR_CODE__ERROR_CODE_DEADLINE;
    refusal->field = "deadline_ms";
    snprintf(refusal->text, sizeof(refusal->text),
             "mpa-controld came to it after %llu ms only: '%s' was not carried out",
             (unsigned long long)waited_ms, access_command_name(request->body_case));
    return false;
}

/* Remembers the id of a change. */
static bool is_id_good(struct gate *gate, const struct gate_input *input, struct gate_refusal *refusal)
{
    uint32_t idx = gate->next_idx;

    if (refusal->id == 0) {
        refusal->code = MPA__V1__ERROR_CODE__ERROR_CODE_INVALID;
        refusal->field = "id";
        snprintf(refusal->text, sizeof(refusal->text),
                 "a command that changes something needs an id above 0");
        return false;
    }
    if (is_replay(gate, input, refusal->id)) {
        refusal->code = MPA__V1__ERROR_CODE__ERROR_CODE_DUPLICATE;
        refusal->field = "id";
        snprintf(refusal->text, sizeof(refusal->text),
                 "id %llu was used on this connection for a change already; it was not done again",
                 (unsigned long long)refusal->id);
        return false;
    }
    gate->changes[idx].id = refusal->id;
    gate->changes[idx].connection = input->connection;
    gate->changes[idx].time_ns = input->now_ns;
    gate->next_idx = (idx + 1) % GATE_MAX_CHANGES;
    return true;
}

/* Unknown fields of the envelope may be a command of a newer version, and the last command in the bytes is
 * the one that counts: a newer frontend would see another one than was judged here. */
static void forget_unknown(Mpa__V1__Request *request)
{
    for (unsigned i = 0; i < request->base.n_unknown_fields; i++)
        free(request->base.unknown_fields[i].data);
    free(request->base.unknown_fields);
    request->base.unknown_fields = NULL;
    request->base.n_unknown_fields = 0;
}

Mpa__V1__Request *gate_pass(struct gate *gate, const struct gate_input *input, struct gate_refusal *refusal)
{
    Mpa__V1__Request *request;
    Mpa__V1__Request__BodyCase command;

    *refusal = (struct gate_refusal){.field = "request"};
    if (!is_size_good(input, refusal))
        return NULL;
    request = mpa__v1__request__unpack(NULL, input->size, input->bytes);
    if (request == NULL) {
        refusal->code = MPA__V1__ERROR_CODE__ERROR_CODE_MALFORMED;
        snprintf(refusal->text, sizeof(refusal->text), "the bytes are no request");
        return NULL;
    }
    command = request->body_case;
    refusal->id = request->id;
    refusal->field = access_command_name(command);
    if (!is_role_good(input, command, refusal) ||
        (access_is_decided((uint32_t)command) && access_needed(command) == ACCESS_ADMIN &&
         (!is_in_time(input, request, refusal) || !is_id_good(gate, input, refusal)))) {
        mpa__v1__request__free_unpacked(request, NULL);
        return NULL;
    }
    if (input->role != ACCESS_ADMIN)
        forget_unknown(request);
    return request;
}
