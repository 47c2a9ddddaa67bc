/* SPDX-License-Identifier: BSD-3-Clause */
/* control_key.c — flow keys as messages, both ways. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "frontend/control_internal.h"

static char *address_text(struct control_arena *arena, const struct flow_key *key, const uint8_t *address)
{
    char *text = control_alloc(arena, INET6_ADDRSTRLEN, 1);

    /* Straight into the message: a list of ten thousand flows has twenty thousand of these. */
    if (text != NULL)
        inet_ntop(key->family == 4 ? AF_INET : AF_INET6, address, text, INET6_ADDRSTRLEN);
    return text;
}

Mpa__V1__FlowKey *control_flow_message(struct control_arena *arena, const struct flow_key *key)
{
    Mpa__V1__FlowKey *message = control_alloc(arena, 1, sizeof(*message));

    if (message == NULL)
        return NULL;
    mpa__v1__flow_key__init(message);
    message->protocol = control_borrow(key->protocol == IPPROTO_TCP ? "tcp" : "udp");
    message->remote_address = address_text(arena, key, key->remote);
    message->remote_port = ntohs(key->remote_port_be);
    message->local_address = address_text(arena, key, key->local);
    message->local_port = ntohs(key->local_port_be);
    return message->remote_address == NULL || message->local_address == NULL ? NULL : message;
}

/* The family of the address, 0 if it is none. */
static uint8_t address_parse(const char *text, uint8_t address[16])
{
    if (inet_pton(AF_INET, text, address) == 1)
        return 4;
    return inet_pton(AF_INET6, text, address) == 1 ? 6 : 0;
}

bool control_flow_key(struct control_call *call, const Mpa__V1__FlowKey *message, struct flow_key *key)
{
    const char *bad = NULL;
    uint8_t local_family;

    *key = (struct flow_key){.protocol = IPPROTO_TCP};
    key->family = address_parse(message->remote_address, key->remote);
    local_family = address_parse(message->local_address, key->local);
    if (message->protocol[0] != '\0' && strcmp(message->protocol, "tcp") != 0)
        bad = "protocol";
    else if (key->family == 0)
        bad = "remote_address";
    else if (local_family != key->family)
        bad = "local_address";
    else if (message->remote_port == 0 || message->remote_port > UINT16_MAX)
        bad = "remote_port";
    else if (message->local_port == 0 || message->local_port > UINT16_MAX)
        bad = "local_port";
    if (bad != NULL) {
        control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, bad,
                       "that is no flow: tcp, two addresses of one family and two ports from 1 to 65535");
        return false;
    }
    key->remote_port_be = htons((uint16_t)message->remote_port);
    key->local_port_be = htons((uint16_t)message->local_port);
    return true;
}
