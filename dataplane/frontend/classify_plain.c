/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * classify_plain.c — the short cut for what nearly every frame is: TCP of a flow, whole, unfragmented,
 * without IPv4 options or IPv6 extension headers, to the MAC and to an address of ours, from nobody
 * impossible.
 *
 * It makes every check that the steps of classify_step_by_step() make, on less of a path, and its only answer
 * is "yes, and this is the verdict". Whatever it does not like goes step by step: there it passes after all
 * (options, say), or gets its reason. So a drop is never decided here, and nothing passes that would not pass
 * there; tests hold the two against each other.
 */
#include <arpa/inet.h>

#include "flow/hash.h"
#include "frontend/checksum.h"
#include "frontend/classify_internal.h"

#define IP4_BYTES 20u
#define IP6_BYTES 40u
#define TCP_BYTES 20u
#define TCP_TIMESTAMPS_BYTES 12u
#define TCP_FLAG_SYN 0x02u
#define TCP_FLAG_ACK 0x10u
#define LINK_BYTES CLASSIFY_LINK_BYTES

static inline uint32_t word_at(const uint8_t *bytes)
{
    uint32_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

static inline uint64_t mac_at(const uint8_t *bytes)
{
    uint16_t low;

    memcpy(&low, bytes + 4, sizeof(low));
    return word_at(bytes) | (uint64_t)low << 32;
}

static inline bool is_same_address6(const uint8_t *a, const uint8_t *b)
{
    uint64_t a_words[2], b_words[2];

    memcpy(a_words, a, sizeof(a_words));
    memcpy(b_words, b, sizeof(b_words));
    return ((a_words[0] ^ b_words[0]) | (a_words[1] ^ b_words[1])) == 0;
}

/* To us alone, from somebody else. */
static inline bool has_plain_link(const uint8_t *frame, const uint8_t *mac)
{
    uint64_t own = mac_at(mac);

    return mac_at(frame) == own && (frame[6] & 1) == 0 && mac_at(frame + 6) != own;
}

/* The header at `tcp`, of which `n_readable` bytes are there: without options, or with timestamps alone. */
static inline bool is_plain_tcp(const uint8_t *tcp, uint32_t n_readable)
{
    uint32_t n_bytes, kinds;

    if (n_readable < TCP_BYTES)
        return false;
    n_bytes = (uint32_t)(tcp[12] >> 4) * 4;
    if (n_bytes == TCP_BYTES)
        return true;
    if (n_bytes != TCP_BYTES + TCP_TIMESTAMPS_BYTES || n_bytes > n_readable)
        return false;
    kinds = ntohl(word_at(tcp + TCP_BYTES));
    return kinds == 0x0101080au; /* NOP, NOP, timestamps of ten bytes: they fill it */
}

/* All of the verdict but for addresses and hash; each field for itself, as nothing was zeroed before. */
static inline void set_verdict(struct classify_verdict *verdict, const uint8_t *ip, uint32_t transport_off,
                               uint32_t end_off)
{
    const uint8_t *tcp = ip + transport_off - LINK_BYTES;

    verdict->to = CLASSIFY_WORKER;
    verdict->drop = (enum nic_counter)0; /* as the other path leaves it */
    memcpy(&verdict->key.remote_port_be, tcp, 2);
    memcpy(&verdict->key.local_port_be, tcp + 2, 2);
    verdict->key.protocol = CLASSIFY_TCP;
    verdict->key.family = ip[0] >> 4;
    verdict->key.zero = 0;
    verdict->frame_len = end_off;
    verdict->ip_off = LINK_BYTES;
    verdict->transport_off = (uint16_t)transport_off;
    verdict->dscp = ip[0] >> 4 == 4 ? ip[1] >> 2 : (uint8_t)((ip[0] & 0xf) << 2 | ip[1] >> 6);
    verdict->is_syn = (tcp[13] & (TCP_FLAG_SYN | TCP_FLAG_ACK)) == TCP_FLAG_SYN;
}

/* One walk over our addresses for both: the destination is ours; the source is neither, nor a broadcast. */
static inline bool has_plain_addresses4(const struct host_addresses *ours, uint32_t source_be,
                                        uint32_t destination_be)
{
    uint8_t first = (uint8_t)(ntohl(source_be) >> 24);
    bool is_to_us = false, is_impossible = first == 0 || first == 127 || first >= 224;

    for (uint32_t i = 0; i < ours->n_addresses; i++) {
        const struct config_address *own = &ours->addresses[i];
        uint32_t own_be = word_at(own->bytes), host_bits;

        if (own->family != 4)
            continue;
        /* /31 and /32 have no broadcast address (RFC 3021). */
        host_bits = own->prefix_bits < 31 ? 0xffffffffu >> own->prefix_bits : 0;
        is_to_us |= own_be == destination_be;
        is_impossible |= own_be == source_be || (host_bits != 0 && source_be == (own_be | htonl(host_bits)));
    }
    return is_to_us && !is_impossible;
}

static inline bool classify_plain_ip4(const struct classify_context *context,
                                      const struct classify_frame *frame, struct classify_verdict *verdict)
{
    const uint8_t *ip = frame->head + LINK_BYTES, *tcp = ip + IP4_BYTES;
    uint32_t end_off = LINK_BYTES + classify_u16(ip + 2);
    uint32_t readable_end = end_off < frame->head_len ? end_off : frame->head_len;
    uint64_t sum =
        (uint64_t)word_at(ip) + word_at(ip + 4) + word_at(ip + 8) + word_at(ip + 12) + word_at(ip + 16);

    /* A reserved flag and DF may be set: neither makes it a fragment. */
    if (ip[0] != 0x45 || ip[9] != CLASSIFY_TCP || (classify_u16(ip + 6) & 0x3fffu) != 0 ||
        end_off > frame->len_bytes || readable_end < LINK_BYTES + IP4_BYTES || checksum_fold(sum) != 0xffff ||
        !has_plain_addresses4(context->addresses, word_at(ip + 12), word_at(ip + 16)) ||
        !is_plain_tcp(tcp, readable_end - LINK_BYTES - IP4_BYTES))
        return false;
    memcpy(verdict->key.remote, (const uint32_t[4]){word_at(ip + 12)}, sizeof(verdict->key.remote));
    memcpy(verdict->key.local, (const uint32_t[4]){word_at(ip + 16)}, sizeof(verdict->key.local));
    set_verdict(verdict, ip, LINK_BYTES + IP4_BYTES, end_off);
    return true;
}

/* The destination is ours, the source is not, and is no group. Low addresses go step by step. */
static inline bool has_plain_addresses6(const struct host_addresses *ours, const uint8_t *source,
                                        const uint8_t *destination)
{
    bool is_to_us = false, is_impossible = source[0] == 0 || source[0] == 0xff || destination[0] == 0xff;

    for (uint32_t i = 0; i < ours->n_addresses; i++) {
        if (ours->addresses[i].family != 6)
            continue;
        is_to_us |= is_same_address6(ours->addresses[i].bytes, destination);
        is_impossible |= is_same_address6(ours->addresses[i].bytes, source);
    }
    return is_to_us && !is_impossible;
}

static inline bool classify_plain_ip6(const struct classify_context *context,
                                      const struct classify_frame *frame, struct classify_verdict *verdict)
{
    const uint8_t *ip = frame->head + LINK_BYTES, *tcp = ip + IP6_BYTES;
    uint32_t end_off = LINK_BYTES + IP6_BYTES + classify_u16(ip + 4);
    uint32_t readable_end = end_off < frame->head_len ? end_off : frame->head_len;

    /* Longer than lwIP's lengths can say is for the other path to refuse. */
    if (ip[0] >> 4 != 6 || ip[6] != CLASSIFY_TCP || end_off > frame->len_bytes ||
        end_off > LINK_BYTES + 65535u || readable_end < LINK_BYTES + IP6_BYTES ||
        !has_plain_addresses6(context->addresses, ip + 8, ip + 24) ||
        !is_plain_tcp(tcp, readable_end - LINK_BYTES - IP6_BYTES))
        return false;
    memcpy(verdict->key.remote, ip + 8, 16);
    memcpy(verdict->key.local, ip + 24, 16);
    set_verdict(verdict, ip, LINK_BYTES + IP6_BYTES, end_off);
    return true;
}

/* True: the verdict is there, but for the hash. */
static inline bool classify_plain(const struct classify_context *context, const struct classify_frame *frame,
                                  struct classify_verdict *verdict)
{
    uint32_t ethertype;

    if (frame->head_len < LINK_BYTES + IP4_BYTES + TCP_BYTES || !has_plain_link(frame->head, context->mac))
        return false;
    ethertype = classify_u16(frame->head + 12);
    if (ethertype == 0x0800)
        return classify_plain_ip4(context, frame, verdict);
    return ethertype == 0x86dd && frame->head_len >= LINK_BYTES + IP6_BYTES + TCP_BYTES &&
           classify_plain_ip6(context, frame, verdict);
}

/* Sets the hashes of n verdicts on plain TCP over IPv4; only a whole group goes side by side. */
static inline void hash_group(const struct classify_context *context,
                              struct classify_verdict *verdicts[FLOW_HASH_GROUP], unsigned n)
{
    const struct flow_key *keys[FLOW_HASH_GROUP];
    uint32_t hashes[FLOW_HASH_GROUP];

    if (n < FLOW_HASH_GROUP) {
        for (unsigned i = 0; i < n; i++)
            verdicts[i]->hash = flow_key_hash(&verdicts[i]->key, context->seed);
        return;
    }
    for (unsigned i = 0; i < FLOW_HASH_GROUP; i++)
        keys[i] = &verdicts[i]->key;
    flow_hash_ip4_group(keys, CLASSIFY_TCP, context->seed, hashes);
    for (unsigned i = 0; i < FLOW_HASH_GROUP; i++)
        verdicts[i]->hash = hashes[i];
}

void classify_burst(const struct classify_context *context, const struct classify_frame *frames,
                    struct classify_verdict *verdicts, unsigned n)
{
    struct classify_verdict *waiting[FLOW_HASH_GROUP];
    unsigned n_waiting = 0;

    for (unsigned i = 0; i < n; i++) {
        if (__builtin_expect(!classify_plain(context, &frames[i], &verdicts[i]), 0)) {
            classify_step_by_step(context, &frames[i], &verdicts[i]);
            continue;
        }
        if (verdicts[i].key.family == 6) {
            verdicts[i].hash = flow_key_hash(&verdicts[i].key, context->seed);
            continue;
        }
        waiting[n_waiting++] = &verdicts[i];
        if (n_waiting == FLOW_HASH_GROUP) {
            hash_group(context, waiting, n_waiting);
            n_waiting = 0;
        }
    }
    hash_group(context, waiting, n_waiting);
}

void classify_frame(const struct classify_context *context, const struct classify_frame *frame,
                    struct classify_verdict *verdict)
{
    classify_burst(context, frame, verdict, 1);
}
