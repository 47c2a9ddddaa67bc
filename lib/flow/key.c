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

struct mix_state {
    uint32_t a, b, c;
};

/* The nine steps. Reversible: no entropy of the state is lost, each input bit reaches every bit of c. */
static inline void mix(struct mix_state *s)
{
    uint32_t a = s->a, b = s->b, c = s->c;

    a = (a - b - c) ^ (c >> 13);
    b = (b - c - a) ^ (a << 8);
    c = (c - a - b) ^ (b >> 13);
    a = (a - b - c) ^ (c >> 12);
    b = (b - c - a) ^ (a << 16);
    c = (c - a - b) ^ (b >> 5);
    a = (a - b - c) ^ (c >> 3);
    b = (b - c - a) ^ (a << 10);
    c = (c - a - b) ^ (b >> 15);
    *s = (struct mix_state){a, b, c};
}

static inline void mix_block(struct mix_state *s, uint32_t a, uint32_t b, uint32_t c)
{
    s->a += a;
    s->b += b;
    s->c += c;
    mix(s);
}

/* Addresses as numbers, so that the hash is the same on every machine. */
static inline uint32_t word_at(const uint8_t *address, unsigned word_idx)
{
    uint32_t word;

    memcpy(&word, address + 4 * word_idx, sizeof(word));
    return ntohl(word);
}

uint32_t flow_key_hash(const struct flow_key *key, const struct flow_seed *seed)
{
    uint32_t ports = (uint32_t)ntohs(key->remote_port_be) << 16 | ntohs(key->local_port_be);
    struct mix_state s = {seed->words[0], seed->words[1], seed->words[2]};
    uint32_t len_bytes = 13;

    if (key->family == 4) {
        mix_block(&s, word_at(key->remote, 0), word_at(key->local, 0), ports);
    } else {
        mix_block(&s, word_at(key->remote, 0), word_at(key->remote, 1), word_at(key->remote, 2));
        mix_block(&s, word_at(key->remote, 3), word_at(key->local, 0), word_at(key->local, 1));
        mix_block(&s, word_at(key->local, 2), word_at(key->local, 3), ports);
        len_bytes = 37;
    }
    mix_block(&s, key->protocol, seed->words[3], len_bytes);
    return s.c;
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
