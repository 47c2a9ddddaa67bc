/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hash.h — lookup2 over the words of a flow key, for loops that have the addresses in hand already.
 * flow_key_hash() (flow/key.h) says what is hashed; here is how, once for both.
 */
#ifndef MPA_FLOW_HASH_H
#define MPA_FLOW_HASH_H

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#include "flow/key.h"

struct flow_mix {
    uint32_t a, b, c;
};

/* Adds a block to the state and mixes it in nine steps. Reversible: no entropy of the state is lost, each
 * input bit reaches every bit of c. */
static inline struct flow_mix flow_mix_block(struct flow_mix s, uint32_t word_a, uint32_t word_b,
                                             uint32_t word_c)
{
    uint32_t a = s.a + word_a, b = s.b + word_b, c = s.c + word_c;

    a = (a - b - c) ^ (c >> 13);
    b = (b - c - a) ^ (a << 8);
    c = (c - a - b) ^ (b >> 13);
    a = (a - b - c) ^ (c >> 12);
    b = (b - c - a) ^ (a << 16);
    c = (c - a - b) ^ (b >> 5);
    a = (a - b - c) ^ (c >> 3);
    b = (b - c - a) ^ (a << 10);
    c = (c - a - b) ^ (b >> 15);
    return (struct flow_mix){a, b, c};
}

/* Addresses as numbers, so that the hash is the same on every machine. */
static inline uint32_t flow_hash_word(const uint8_t *address, unsigned word_idx)
{
    uint32_t word;

    memcpy(&word, address + 4 * word_idx, sizeof(word));
    return ntohl(word);
}

/* The last block: protocol and length, and the seed's fourth word. */
static inline uint32_t flow_hash_end(struct flow_mix s, uint8_t protocol, uint32_t len_bytes,
                                     const struct flow_seed *seed)
{
    return flow_mix_block(s, protocol, seed->words[3], len_bytes).c;
}

/* `ports` is remote port << 16 | local port; addresses in network order, 4 bytes each. */
static inline uint32_t flow_hash_ip4(const uint8_t *remote, const uint8_t *local, uint32_t ports,
                                     uint8_t protocol, const struct flow_seed *seed)
{
    struct flow_mix s = {seed->words[0], seed->words[1], seed->words[2]};

    s = flow_mix_block(s, flow_hash_word(remote, 0), flow_hash_word(local, 0), ports);
    return flow_hash_end(s, protocol, 13, seed);
}

#define FLOW_HASH_GROUP 4u

/* Four states side by side. The steps of a mix wait for each other; four of them wait together. */
struct flow_mix_group {
    uint32_t a __attribute__((vector_size(4 * FLOW_HASH_GROUP)));
    uint32_t b __attribute__((vector_size(4 * FLOW_HASH_GROUP)));
    uint32_t c __attribute__((vector_size(4 * FLOW_HASH_GROUP)));
};

/* The nine steps of flow_mix_block(), of which the words have been added already. */
static inline void flow_mix_group(struct flow_mix_group *s)
{
    s->a = (s->a - s->b - s->c) ^ (s->c >> 13);
    s->b = (s->b - s->c - s->a) ^ (s->a << 8);
    s->c = (s->c - s->a - s->b) ^ (s->b >> 13);
    s->a = (s->a - s->b - s->c) ^ (s->c >> 12);
    s->b = (s->b - s->c - s->a) ^ (s->a << 16);
    s->c = (s->c - s->a - s->b) ^ (s->b >> 5);
    s->a = (s->a - s->b - s->c) ^ (s->c >> 3);
    s->b = (s->b - s->c - s->a) ^ (s->a << 10);
    s->c = (s->c - s->a - s->b) ^ (s->b >> 15);
}

static inline uint32_t flow_hash_ports(const struct flow_key *key)
{
    return (uint32_t)ntohs(key->remote_port_be) << 16 | ntohs(key->local_port_be);
}

/* flow_key_hash() of four IPv4 keys of one protocol. */
static inline void flow_hash_ip4_group(const struct flow_key *const keys[FLOW_HASH_GROUP], uint8_t protocol,
                                       const struct flow_seed *seed, uint32_t hashes[FLOW_HASH_GROUP])
{
    struct flow_mix_group s = {
        .a = {flow_hash_word(keys[0]->remote, 0), flow_hash_word(keys[1]->remote, 0),
              flow_hash_word(keys[2]->remote, 0), flow_hash_word(keys[3]->remote, 0)},
        .b = {flow_hash_word(keys[0]->local, 0), flow_hash_word(keys[1]->local, 0),
              flow_hash_word(keys[2]->local, 0), flow_hash_word(keys[3]->local, 0)},
        .c = {flow_hash_ports(keys[0]), flow_hash_ports(keys[1]), flow_hash_ports(keys[2]),
              flow_hash_ports(keys[3])},
    };

    s.a += seed->words[0];
    s.b += seed->words[1];
    s.c += seed->words[2];
    flow_mix_group(&s);
    s.a += protocol;
    s.b += seed->words[3];
    s.c += 13;
    flow_mix_group(&s);
    memcpy(hashes, &s.c, sizeof(s.c));
}

/* flow_hash_ip4() with addresses of 16 bytes. */
static inline uint32_t flow_hash_ip6(const uint8_t *remote, const uint8_t *local, uint32_t ports,
                                     uint8_t protocol, const struct flow_seed *seed)
{
    struct flow_mix s = {seed->words[0], seed->words[1], seed->words[2]};

    s = flow_mix_block(s, flow_hash_word(remote, 0), flow_hash_word(remote, 1), flow_hash_word(remote, 2));
    s = flow_mix_block(s, flow_hash_word(remote, 3), flow_hash_word(local, 0), flow_hash_word(local, 1));
    s = flow_mix_block(s, flow_hash_word(local, 2), flow_hash_word(local, 3), ports);
    return flow_hash_end(s, protocol, 37, seed);
}

#endif
