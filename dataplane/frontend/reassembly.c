/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reassembly.c — the table of datagrams in pieces.
 *
 * Why not lwIP's own: stock 2.2.1 has one budget for all senders, evicts other senders' datagrams under
 * pressure, dereferences NULL when its fragment memory runs out, and hands a reassembled IPv6 datagram with
 * extension headers to no raw PCB. Guarding it from outside needs every offset and length a second time, so
 * the guard might as well keep the bytes.
 *
 * Datagrams hang in chains by a keyed hash of their source, so finding a datagram and adding up what its
 * source holds are the same walk. Fragments hang at their datagram in the order of their offsets and never
 * overlap; so a datagram is whole when its end is known and its bytes add up to it. No list is longer than
 * the share of one source, but for hash collisions, which the random key keeps from being made on purpose.
 */
#include "frontend/reassembly.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "frontend/reassembly_internal.h"
#include "frontend/wire.h"

#define N_CHAINS 512u /* power of two */
#define NONE 0xffffffffu
#define UNKNOWN_END 0xffffffffu
#define OUT_BYTES (WIRE_IP6_BYTES + 65536u)

/* One fragment held; its bytes stand at its index in `bytes`. */
struct held {
    uint32_t next; /* at the datagram in order, or in the free list */
    uint32_t off_bytes;
    uint32_t len_bytes;
};

/* A datagram in pieces. Dead: killed by an overlap, holds no fragments, refuses all that carry its name. */
struct datagram {
    struct reassembly_name name;
    uint64_t expires_ns;
    uint32_t next;  /* in its chain, or in the free list */
    uint32_t first; /* fragment */
    uint32_t n_fragments;
    uint32_t n_bytes;
    uint32_t end_bytes;  /* length of the fragmentable part, UNKNOWN_END until its last fragment came */
    uint32_t header_len; /* 0 until the fragment at offset 0 came: its header is the datagram's */
    uint32_t next_off;
    bool is_dead;
    uint8_t header[REASSEMBLY_MAX_HEADER_BYTES];
};

struct reassembly {
    struct reassembly_limits limits;
    uint64_t key;               /* random: makes chains unguessable */
    struct held *fragments;     /* owned, limits.n_fragments */
    uint8_t *bytes;             /* owned, limits.n_fragments * limits.fragment_bytes */
    struct datagram *datagrams; /* owned, limits.n_fragments: each holds a fragment or is dead and charged */
    uint8_t *out;               /* owned, OUT_BYTES: the datagram handed out last */
    uint32_t free_fragment;
    uint32_t free_datagram;
    uint32_t n_held;
    uint32_t chains[N_CHAINS];
};

/* Places are of one size: a fragment's bytes are found by its index, nothing is split or merged. */
static uint8_t *held_bytes(const struct reassembly *r, uint32_t idx)
{
    return r->bytes + (size_t)idx * r->limits.fragment_bytes;
}

/* By source alone: all that a source holds must be in one chain. Two multiplications, keyed. */
static uint32_t *chain_of(struct reassembly *r, const struct reassembly_name *name)
{
    uint64_t hash = r->key;
    uint64_t word;

    for (unsigned i = 0; i < sizeof(name->source); i += 8) {
        memcpy(&word, name->source + i, 8);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
        hash ^= hash >> 29;
    }
    return &r->chains[(hash >> 32) & (N_CHAINS - 1)];
}

static void init_free_lists(struct reassembly *r)
{
    uint32_t n = r->limits.n_fragments;

    for (uint32_t i = 0; i < n; i++) {
        r->fragments[i].next = i + 1 < n ? i + 1 : NONE;
        r->datagrams[i].next = i + 1 < n ? i + 1 : NONE;
    }
    memset(r->chains, 0xff, sizeof(r->chains)); /* NONE */
}

struct reassembly *reassembly_new(const struct reassembly_limits *limits)
{
    struct reassembly *r;

    if (limits->n_fragments == 0 || limits->n_source_fragments == 0 || limits->fragment_bytes == 0) {
        errno = EINVAL;
        return NULL;
    }
    r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->limits = *limits;
    r->fragments = calloc(limits->n_fragments, sizeof(*r->fragments));
    r->bytes = calloc(limits->n_fragments, limits->fragment_bytes);
    r->datagrams = calloc(limits->n_fragments, sizeof(*r->datagrams));
    r->out = malloc(OUT_BYTES);
    if (r->fragments == NULL || r->bytes == NULL || r->datagrams == NULL || r->out == NULL ||
        getrandom(&r->key, sizeof(r->key), 0) != (ssize_t)sizeof(r->key)) {
        reassembly_free(r);
        errno = ENOMEM;
        return NULL;
    }
    init_free_lists(r);
    return r;
}

void reassembly_free(struct reassembly *r)
{
    if (r == NULL)
        return;
    free(r->fragments);
    free(r->bytes);
    free(r->datagrams);
    free(r->out);
    free(r);
}

/* Gives the fragments back; the datagram itself stays, to be released or to be dead. */
static void release_fragments(struct reassembly *r, struct datagram *datagram)
{
    while (datagram->first != NONE) {
        uint32_t idx = datagram->first;

        datagram->first = r->fragments[idx].next;
        r->fragments[idx].next = r->free_fragment;
        r->free_fragment = idx;
        r->n_held--;
    }
    datagram->n_fragments = 0;
    datagram->n_bytes = 0;
}

/* Unlinks the datagram that *link names and gives all of it back. */
static void release_datagram(struct reassembly *r, uint32_t *link)
{
    uint32_t idx = *link;
    struct datagram *datagram = &r->datagrams[idx];

    release_fragments(r, datagram);
    *link = datagram->next;
    datagram->next = r->free_datagram;
    r->free_datagram = idx;
}

/*
 * Walks the chain of the name's source. Returns the link that names the datagram, or NULL when there is none;
 * *n_source gets what the source holds.
 */
static uint32_t *find(struct reassembly *r, const struct reassembly_name *name, uint32_t *n_source)
{
    uint32_t *found = NULL;

    *n_source = 0;
    for (uint32_t *link = chain_of(r, name); *link != NONE; link = &r->datagrams[*link].next) {
        const struct datagram *datagram = &r->datagrams[*link];

        if (memcmp(datagram->name.source, name->source, sizeof(name->source)) != 0)
            continue;
        *n_source += datagram->is_dead ? 1 : datagram->n_fragments;
        if (memcmp(&datagram->name, name, sizeof(*name)) == 0)
            found = link;
    }
    return found;
}

/* A new datagram at the head of its chain; NULL when none is free. */
static uint32_t *begin(struct reassembly *r, const struct reassembly_name *name, uint64_t now_ns)
{
    uint32_t *chain = chain_of(r, name);
    uint32_t idx = r->free_datagram;
    struct datagram *datagram;

    if (idx == NONE)
        return NULL;
    datagram = &r->datagrams[idx];
    r->free_datagram = datagram->next;
    datagram->name = *name;
    datagram->expires_ns = now_ns + (name->family == 4 ? REASSEMBLY_IP4_LIFE_NS : REASSEMBLY_IP6_LIFE_NS);
    datagram->next = *chain;
    datagram->first = NONE;
    datagram->n_fragments = 0;
    datagram->n_bytes = 0;
    datagram->end_bytes = UNKNOWN_END;
    datagram->header_len = 0;
    datagram->next_off = 0;
    datagram->is_dead = false;
    *chain = idx;
    return chain;
}

/* Duplicate: the same bytes at the same place. Overlap: anything that contradicts what is held. */
enum fit { FIT_NEW, FIT_DUPLICATE, FIT_OVERLAP };

/* Whether a fragment agrees with those held; *place gets the link to insert it at. */
static enum fit fit(struct reassembly *r, struct datagram *datagram, const struct reassembly_view *view,
                    uint32_t **place)
{
    uint32_t end = view->off_bytes + view->payload_len;
    uint32_t *link = &datagram->first;

    if (datagram->end_bytes != UNKNOWN_END && end > datagram->end_bytes)
        return FIT_OVERLAP;
    if (!view->has_more && datagram->end_bytes != UNKNOWN_END && end != datagram->end_bytes)
        return FIT_OVERLAP;
    for (; *link != NONE; link = &r->fragments[*link].next) {
        const struct held *held = &r->fragments[*link];

        if (held->off_bytes == view->off_bytes && held->len_bytes == view->payload_len &&
            memcmp(held_bytes(r, *link), view->payload, view->payload_len) == 0)
            return FIT_DUPLICATE;
        if (held->off_bytes >= end) {
            if (!view->has_more)
                return FIT_OVERLAP; /* says it is the last, but bytes behind it are here */
            break;
        }
        if (held->off_bytes + held->len_bytes > view->off_bytes)
            return FIT_OVERLAP;
    }
    *place = link;
    return FIT_NEW;
}

/* Keeps a fragment; the caller knows that one is free. */
static void keep(struct reassembly *r, struct datagram *datagram, const struct reassembly_view *view,
                 uint32_t *place)
{
    uint32_t idx = r->free_fragment;
    struct held *held = &r->fragments[idx];

    r->free_fragment = held->next;
    held->next = *place;
    held->off_bytes = view->off_bytes;
    held->len_bytes = view->payload_len;
    *place = idx;
    memcpy(held_bytes(r, idx), view->payload, view->payload_len);
    r->n_held++;
    datagram->n_fragments++;
    datagram->n_bytes += view->payload_len;
    if (!view->has_more)
        datagram->end_bytes = view->off_bytes + view->payload_len;
    if (view->off_bytes == 0) {
        memcpy(datagram->header, view->header, view->header_len);
        datagram->header_len = view->header_len;
        datagram->next_off = view->next_off;
    }
}

/* Writes the header of a whole datagram of payload_len bytes to `out`; returns its length. */
static uint32_t write_header(uint8_t *out, const struct reassembly_view *first, uint32_t payload_len)
{
    uint32_t len = first->header_len;

    if (first->name.family == 4) {
        memcpy(out, first->header, len);
        wire_put16(out + WIRE_IP4_LENGTH_OFF, len + payload_len);
        wire_put16(out + WIRE_IP4_FRAGMENT_OFF,
                   wire_get16(out + WIRE_IP4_FRAGMENT_OFF) & ~(WIRE_IP4_MF | WIRE_IP4_OFFSET_MASK));
        wire_ip4_set_checksum(out, len);
        return len;
    }
    len -= WIRE_IP6_FRAGMENT_BYTES;
    memcpy(out, first->header, len);
    out[first->next_off] = first->header[len];
    wire_put16(out + WIRE_IP6_LENGTH_OFF, len - WIRE_IP6_BYTES + payload_len);
    return len;
}

/* Puts the datagram at *link together and gives its places back. */
static void finish(struct reassembly *r, uint32_t *link, struct reassembly_outcome *outcome)
{
    const struct datagram *datagram = &r->datagrams[*link];
    struct reassembly_view first = {.name = datagram->name,
                                    .header = datagram->header,
                                    .header_len = datagram->header_len,
                                    .next_off = datagram->next_off};
    uint32_t header_len = write_header(r->out, &first, datagram->end_bytes);

    for (uint32_t idx = datagram->first; idx != NONE; idx = r->fragments[idx].next) {
        const struct held *held = &r->fragments[idx];

        memcpy(r->out + header_len + held->off_bytes, held_bytes(r, idx), held->len_bytes);
    }
    outcome->packet = r->out;
    outcome->len_bytes = header_len + datagram->end_bytes;
    release_datagram(r, link);
}

/* The fragments never overlap, so when their bytes add up to the end none is missing. */
static bool is_whole(const struct datagram *datagram)
{
    return datagram->end_bytes == datagram->n_bytes && datagram->header_len != 0;
}

/*
 * The first fragment's header may be longer than that of the fragment which was checked against 64 KiB, so
 * the whole datagram is checked once more.
 */
static bool is_too_long(const struct datagram *datagram)
{
    uint32_t counted = datagram->name.family == 4
                           ? datagram->header_len
                           : datagram->header_len - WIRE_IP6_BYTES - WIRE_IP6_FRAGMENT_BYTES;

    return counted + datagram->end_bytes > 65535u;
}

/* `drop` is an enum nic_counter as the parser gives it. */
static enum reassembly_result refuse(struct reassembly_outcome *outcome, unsigned drop)
{
    outcome->drop = (enum nic_counter)drop;
    return REASSEMBLY_DROPPED;
}

/* RFC 6946: an atomic fragment is a whole datagram, whatever else carries its name. */
static enum reassembly_result take_atomic(struct reassembly *r, const struct reassembly_view *view,
                                          struct reassembly_outcome *outcome)
{
    uint32_t header_len = write_header(r->out, view, view->payload_len);

    memcpy(r->out + header_len, view->payload, view->payload_len);
    outcome->packet = r->out;
    outcome->len_bytes = header_len + view->payload_len;
    return REASSEMBLY_COMPLETE;
}

/*
 * A fragment that contradicts what is held. IPv4 keeps what came first: killing the datagram would let
 * anybody who can guess 16 bits of identification kill it, and fragments that repeat a part are legal in RFC
 * 791.
 */
static enum reassembly_result punish(struct reassembly *r, struct datagram *datagram,
                                     struct reassembly_outcome *outcome)
{
    if (datagram->name.family == 6) {
        release_fragments(r, datagram);
        datagram->is_dead = true;
    }
    return refuse(outcome, NIC_rx_drop_fragment_overlap);
}

/* The caller has made sure of a free fragment. *link names a datagram that is alive. */
static enum reassembly_result add_to(struct reassembly *r, uint32_t *link, const struct reassembly_view *view,
                                     struct reassembly_outcome *outcome)
{
    struct datagram *datagram = &r->datagrams[*link];
    uint32_t *place;

    switch (fit(r, datagram, view, &place)) {
    case FIT_DUPLICATE:
        return refuse(outcome, NIC_rx_drop_fragment_overlap);
    case FIT_OVERLAP:
        return punish(r, datagram, outcome);
    case FIT_NEW:
        break;
    }
    keep(r, datagram, view, place);
    if (!is_whole(datagram))
        return REASSEMBLY_HELD;
    if (is_too_long(datagram)) {
        release_datagram(r, link);
        return refuse(outcome, NIC_rx_drop_fragment_overlap);
    }
    finish(r, link, outcome);
    return REASSEMBLY_COMPLETE;
}

/*
 * The order of the checks: an expired name is free for a new datagram even between two sweeps; a dead one
 * refuses before it costs; then the source's share, then the whole.
 */
static enum reassembly_result add(struct reassembly *r, const struct reassembly_view *view, uint64_t now_ns,
                                  struct reassembly_outcome *outcome)
{
    uint32_t n_source;
    uint32_t *link = find(r, &view->name, &n_source);

    if (link != NULL && r->datagrams[*link].expires_ns <= now_ns) {
        release_datagram(r, link);
        link = find(r, &view->name, &n_source);
    }
    if (link != NULL && r->datagrams[*link].is_dead)
        return refuse(outcome, NIC_rx_drop_fragment_overlap);
    if (n_source >= r->limits.n_source_fragments)
        return refuse(outcome, NIC_rx_drop_fragment_source);
    if (r->free_fragment == NONE)
        return refuse(outcome, NIC_rx_drop_fragment_full);
    if (link == NULL)
        link = begin(r, &view->name, now_ns);
    if (link == NULL)
        return refuse(outcome, NIC_rx_drop_fragment_full);
    return add_to(r, link, view, outcome);
}

void reassembly_add(struct reassembly *r, const uint8_t *packet, uint32_t len_bytes, uint64_t now_ns,
                    struct reassembly_outcome *outcome)
{
    struct reassembly_view view;
    unsigned drop = reassembly_parse(packet, len_bytes, &view);

    if (drop == 0 && view.payload_len > r->limits.fragment_bytes)
        drop = NIC_rx_drop_fragment_full;
    if (drop != 0)
        outcome->result = refuse(outcome, drop);
    else if (view.off_bytes == 0 && !view.has_more)
        outcome->result = take_atomic(r, &view, outcome);
    else
        outcome->result = add(r, &view, now_ns, outcome);
}

void reassembly_expire(struct reassembly *r, uint64_t now_ns, reassembly_expired_fn *expired, void *context)
{
    for (unsigned i = 0; i < N_CHAINS; i++) {
        uint32_t *link = &r->chains[i];

        while (*link != NONE) {
            const struct datagram *datagram = &r->datagrams[*link];

            if (datagram->expires_ns > now_ns) {
                link = &r->datagrams[*link].next;
                continue;
            }
            /* A header means that offset 0 is here; fragments are in order, so it is the first. */
            if (!datagram->is_dead && datagram->header_len != 0 && expired != NULL)
                expired(context, datagram->header, datagram->header_len, held_bytes(r, datagram->first),
                        r->fragments[datagram->first].len_bytes);
            release_datagram(r, link);
        }
    }
}

uint32_t reassembly_n_held(const struct reassembly *r)
{
    return r->n_held;
}
