/* SPDX-License-Identifier: BSD-3-Clause */
/* wire.c — packs and unpacks messages of the control wire. */
#include "controlplane/controld/wire.h"

nng_msg *wire_pack(const ProtobufCMessage *message)
{
    nng_msg *packed;

    if (nng_msg_alloc(&packed, protobuf_c_message_get_packed_size(message)) != 0)
        return NULL;
    protobuf_c_message_pack(message, nng_msg_body(packed));
    return packed;
}

Mpa__V1__Reply *wire_unpack(nng_msg *packed)
{
    Mpa__V1__Reply *reply = mpa__v1__reply__unpack(NULL, nng_msg_len(packed), nng_msg_body(packed));

    nng_msg_free(packed);
    return reply;
}

uint32_t wire_deadline_ms(const Mpa__V1__Request *request)
{
    if (request->deadline_ms == 0)
        return WIRE_DEFAULT_DEADLINE_MS;
    return request->deadline_ms < WIRE_MAX_DEADLINE_MS ? request->deadline_ms : WIRE_MAX_DEADLINE_MS;
}

char *wire_borrow(const char *text)
{
    union {
        const char *borrowed;
        char *message;
    } pointer = {.borrowed = text};

    return pointer.message;
}

nng_msg *wire_refusal(uint64_t id, Mpa__V1__ErrorCode code, const char *field, const char *text)
{
    Mpa__V1__Reply reply = MPA__V1__REPLY__INIT;
    Mpa__V1__Error error = MPA__V1__ERROR__INIT;

    error.code = code;
    error.text = wire_borrow(text);
    error.field = wire_borrow(field);
    reply.id = id;
    reply.error = &error;
    return wire_pack(&reply.base);
}
