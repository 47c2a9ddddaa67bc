/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * key.c — lookup2 over a flow key. A key is hashed as lookup2 hashes a string: blocks of three words, each
 * added to the state and mixed, then a last block with the tail. IPv4 is one block (remote, local, ports),
 * IPv6 three (36 bytes, ports last); the tail block is the protocol and the length. The seed takes the place
 * of lookup2's golden ratio and initval, its fourth word enters with the tail, so that a peer who knows the
 * function but not the seed cannot aim flows at one bucket.
 */
#include "flow/key.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "flow/hash.h"

uint32_t flow_key_hash(const struct flow_key *key, const struct flow_seed *seed)
{
    uint32_t ports = (uint32_t)ntohs(key->remote_port_be) << 16 | ntohs(key->local_port_be);

    return key->family == 4 ? flow_hash_ip4(key->remote, key->local, ports, key->protocol, seed)
                            : flow_hash_ip6(key->remote, key->local, ports, key->protocol, seed);
}

bool flow_key_equal(const struct flow_key *a, const struct flow_key *b)
{
    _Static_assert(sizeof(struct flow_key) == 40, "memcmp needs a key without padding");
    return memcmp(a, b, sizeof(*a)) == 0;
}

void flow_key_format(const struct flow_key *key, char *text, unsigned size)
{
    int family = key->family == 4 ? AF_INET : AF_INET6;
    /* IPv6 addresses stand in brackets, for their colons (RFC 5952 6). */
    const char *open = key->family == 4 ? "" : "[";
    const char *close = key->family == 4 ? "" : "]";
    char remote[INET6_ADDRSTRLEN] = "?", local[INET6_ADDRSTRLEN] = "?";
    char protocol[8];

    inet_ntop(family, key->remote, remote, sizeof(remote));
    inet_ntop(family, key->local, local, sizeof(local));
    snprintf(protocol, sizeof(protocol), "%u", key->protocol);
    snprintf(text, size, "%s %s%s%s:%u -> %s%s%s:%u",
             key->protocol == IPPROTO_TCP   ? "tcp"
             : key->protocol == IPPROTO_UDP ? "udp"
                                            : protocol,
             open, remote, close, ntohs(key->remote_port_be), open, local, close, ntohs(key->local_port_be));
}
