/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * staging.c — arena bookkeeping, and copying a packet out of lwIP with its checksum in one pass.
 *
 * The copy is made when lwIP sends, not when the NIC does: the FIFO bytes that a segment refers to may be
 * acknowledged and overwritten while the packet still waits, and the frontend must never read memory that
 * lwIP reuses. Since the bytes pass through the processor once anyway, their checksum costs next to nothing
 * there.
 *
 * Positions in an arena are counted from its beginning of time, so "full" and "empty" need no flag;
 * slot_end[] remembers for each ring slot how far the arena was used then, so freeing slots frees bytes.
 *
 *   freed <= tail <= freed + size
 *
 * The frontend's index is a peer's: an impossible one ends the lane (is_faulted), never the process in here.
 */
#include "worker/stack/staging.h"

#include <errno.h>
#include <lwip/pbuf.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "flow/dscp.h"
#include "worker/stack/checksum.h"

#define IP4_HEADER_BYTES 20u
#define IP6_HEADER_BYTES 40u
#define TCP_CHECKSUM_OFF 16u

int staging_init_arena(struct staging *staging, enum lane_priority priority, uint8_t *bytes, uint32_t size)
{
    struct staging_arena *arena = &staging->arena[priority];

    *arena = (struct staging_arena){.bytes = bytes, .size = size};
    arena->slot_end = calloc(staging->ring[priority].n_slots, sizeof(*arena->slot_end));
    return arena->slot_end == NULL ? -ENOMEM : 0;
}

void staging_fini(struct staging *staging)
{
    for (int p = 0; p < N_LANE_PRIORITIES; p++) {
        free(staging->arena[p].slot_end);
        staging->arena[p].slot_end = NULL;
    }
}

void staging_close(struct staging *staging)
{
    staging_fini(staging);
    staging->n_late = 0; /* the next frontend learns who is there from the records */
    staging->is_closed = true;
    staging->is_faulted = false;
}

/* An arena that is empty begins again at its start, whose lines are still in the cache. Only with no slot
 * left: a fence that is still to be freed names the old tail. */
static void staging_rewind(struct staging_arena *arena)
{
    uint64_t used_off = arena->tail % arena->size;

    if (used_off != 0)
        arena->freed = arena->tail += arena->size - used_off;
}

static void staging_refresh_one(struct staging *staging, int priority)
{
    struct ring_producer *ring = &staging->ring[priority];
    struct staging_arena *arena = &staging->arena[priority];
    bool was_congested = ring->is_congested;

    if (ring_producer_refresh(ring) != RING_OK) {
        staging->is_faulted = true;
        return;
    }
    /* Slots are freed in order: the last one says it for all before it. */
    if (ring->head != arena->freed_slot) {
        arena->freed = arena->slot_end[(ring->head - 1) & (ring->n_slots - 1)];
        arena->freed_slot = ring->head;
        if (ring->head == ring->staged_tail)
            staging_rewind(arena);
    }
    if (ring->is_congested && !was_congested)
        counter_add(staging->counters, WORKER_tx_congested, 1);
}

/* Of the normal way only: what is urgent is little, and must not wait for what is not. An arena can be full
 * with few slots used (super-segments), so both count. */
bool staging_is_congested(const struct staging *staging)
{
    const struct staging_arena *arena = &staging->arena[LANE_NORMAL];
    uint64_t used = arena->tail - arena->freed;

    return staging->is_closed || staging->ring[LANE_NORMAL].is_congested ||
           used * 10 > (uint64_t)arena->size * 9;
}

/* A contiguous place for `size` bytes, or NULL. On success *new_tail is what the arena's tail will be. */
static uint8_t *staging_reserve(struct staging_arena *arena, uint32_t size, uint64_t *new_tail)
{
    uint32_t need = (size + STAGING_ALIGN_BYTES - 1) & ~(STAGING_ALIGN_BYTES - 1);
    uint32_t off = (uint32_t)(arena->tail % arena->size);
    /* The frontend sends straight from here, and one piece is one entry of its writev(). */
    uint32_t skip = off + need > arena->size ? arena->size - off : 0;

    if (arena->tail - arena->freed + skip + need > arena->size)
        return NULL;
    *new_tail = arena->tail + skip + need;
    return arena->bytes + (skip > 0 ? 0 : off);
}

/* Copies the chain from `skip` bytes on; returns the sum of what was copied. */
static uint16_t staging_copy_chain(uint8_t *out, const struct pbuf *part, uint16_t skip, bool wants_sum)
{
    uint16_t sum = 0;
    uint32_t off = 0;

    for (; part != NULL; part = part->next) {
        const uint8_t *bytes = (const uint8_t *)part->payload + skip;
        uint16_t len = (uint16_t)(part->len - skip);

        skip = 0; /* only the first part has the header in it */
        if (!wants_sum)
            memcpy(out + off, bytes, len);
        else
            sum = checksum_join(sum, checksum_copy(out + off, bytes, len), (off & 1) != 0);
        off += len;
    }
    return sum;
}

/* One's complement sum of the pseudo header (RFC 9293 3.1, RFC 8200 8.1). */
static uint16_t staging_pseudo_sum(const uint8_t *ip, uint32_t payload_len)
{
    uint8_t tail[8] = {0};
    bool is_v4 = ip[0] >> 4 == 4;
    uint16_t addresses = is_v4 ? checksum(ip + 12, 8) : checksum(ip + 8, 32);

    tail[2] = (uint8_t)(payload_len >> 8);
    tail[3] = (uint8_t)payload_len;
    tail[7] = IPPROTO_TCP;
    return checksum_join(addresses, checksum(tail, sizeof(tail)), false);
}

static void staging_write_checksum(uint8_t *packet, uint32_t header_len, uint16_t sum, uint32_t payload_len)
{
    uint16_t folded = checksum_join(sum, staging_pseudo_sum(packet, payload_len), false);
    uint16_t inverted = (uint16_t)~folded;

    memcpy(packet + header_len + TCP_CHECKSUM_OFF, &inverted, sizeof(inverted));
}

/* RFC 6864: an atomic datagram (DF, not fragmented) carries ID 0. Other datagrams get theirs from the
 * frontend, which alone knows whether it fragments them. */
static void staging_finish_ip4(uint8_t *ip, bool is_tcp)
{
    uint16_t sum;

    if (is_tcp) {
        ip[4] = 0;
        ip[5] = 0;
        ip[6] = 0x40;
        ip[7] = 0;
    }
    ip[10] = 0;
    ip[11] = 0;
    sum = (uint16_t)~checksum(ip, IP4_HEADER_BYTES);
    memcpy(ip + 10, &sum, sizeof(sum));
}

/* The packet itself says how urgent it is: lwIP copies the connection's traffic class into each. */
static enum lane_priority staging_priority(const uint8_t *ip)
{
    uint8_t traffic_class = ip[0] >> 4 == 4 ? ip[1] : (uint8_t)((ip[0] & 0x0f) << 4 | ip[1] >> 4);

    return dscp_is_urgent(traffic_class >> 2) ? LANE_URGENT : LANE_NORMAL;
}

struct staging_packet {
    const struct pbuf *chain;
    uint32_t header_len; /* IP header */
    bool is_v4, is_tcp;
};

/* lwIP's own packets: no options and no extension headers, the IP header in the first part. Checked all the
 * same, for the copy goes by these lengths. */
static int staging_inspect(const struct pbuf *chain, struct staging_packet *packet)
{
    const uint8_t *ip = chain->payload;

    if (chain->len < IP4_HEADER_BYTES)
        return -EINVAL;
    packet->chain = chain;
    packet->is_v4 = ip[0] >> 4 == 4;
    if (!packet->is_v4 && chain->len < IP6_HEADER_BYTES)
        return -EINVAL;
    packet->header_len = packet->is_v4 ? IP4_HEADER_BYTES : IP6_HEADER_BYTES;
    packet->is_tcp = (packet->is_v4 ? ip[9] : ip[6]) == IPPROTO_TCP;
    return 0;
}

/* Writes the packet at `out`, ready but for what the frontend adds. */
static void staging_write(const struct staging *staging, const struct staging_packet *packet, uint8_t *out)
{
    const struct pbuf *chain = packet->chain;
    bool wants_sum = packet->is_tcp && !staging->has_offload_csum;
    uint32_t payload_len = chain->tot_len - packet->header_len;
    uint16_t sum;

    memcpy(out, chain->payload, packet->header_len);
    sum = staging_copy_chain(out + packet->header_len, chain, (uint16_t)packet->header_len, wants_sum);
    if (wants_sum)
        staging_write_checksum(out, packet->header_len, sum, payload_len);
    if (packet->is_v4)
        staging_finish_ip4(out, packet->is_tcp);
}

int staging_put(struct staging *staging, const struct pbuf *chain, struct staging_hint hint)
{
    struct staging_packet packet;
    enum lane_priority priority;
    struct ring_producer *ring;
    struct staging_arena *arena;
    uint32_t flags = 0;
    uint64_t new_tail = 0;
    uint8_t *out = NULL;

    if (staging->is_closed)
        return -ENOBUFS;
    if (staging_inspect(chain, &packet) < 0)
        return -EINVAL;
    priority = staging_priority(chain->payload);
    ring = &staging->ring[priority];
    arena = &staging->arena[priority];
    /* The last slots are for fences, which nothing may keep out. */
    if (ring_producer_room(ring) > LANE_CONTROL_SLOTS)
        out = staging_reserve(arena, chain->tot_len, &new_tail);
    /* lwIP keeps the segment and sends it again: nothing is lost by a full ring. */
    if (out == NULL) {
        counter_add(staging->counters, WORKER_tx_ring_full, 1);
        return -ENOBUFS;
    }
    staging_write(staging, &packet, out);
    if (packet.is_tcp && staging->has_offload_csum)
        flags |= LANE_FLAG_CSUM;
    if (hint.gso_bytes != 0) {
        flags |= LANE_FLAG_GSO;
        counter_add(staging->counters, WORKER_tx_super_packets, 1);
    }
    arena->tail = new_tail;
    arena->slot_end[ring->staged_tail & (ring->n_slots - 1)] = new_tail;
    ring_producer_stage(
        ring, lane_word(LANE_SLOT_FRAME | flags << 8, hint.gso_bytes, (uint32_t)(out - arena->bytes)),
        chain->tot_len);
    counter_add(staging->counters, WORKER_tx_packets, 1);
    counter_add(staging->counters, WORKER_tx_bytes, chain->tot_len);
    if (priority == LANE_URGENT)
        counter_add(staging->counters, WORKER_tx_urgent_packets, 1);
    return 0;
}

/* 0 or -ENOBUFS. */
static int staging_put_note_now(struct staging *staging, enum lane_slot_kind kind, const struct flow_key *key)
{
    struct ring_producer *ring = &staging->ring[LANE_NORMAL];
    struct staging_arena *arena = &staging->arena[LANE_NORMAL];
    uint64_t new_tail = 0;
    uint8_t *out = NULL;

    if (ring_producer_room(ring) > LANE_CONTROL_SLOTS)
        out = staging_reserve(arena, sizeof(*key), &new_tail);
    if (out == NULL)
        return -ENOBUFS;
    memcpy(out, key, sizeof(*key));
    arena->tail = new_tail;
    arena->slot_end[ring->staged_tail & (ring->n_slots - 1)] = new_tail;
    ring_producer_stage(ring, lane_word((uint32_t)kind, 0, (uint32_t)(out - arena->bytes)), sizeof(*key));
    return 0;
}

static void staging_put_late(struct staging *staging)
{
    uint32_t n = 0;

    while (n < staging->n_late &&
           staging_put_note_now(staging, staging->late[n].kind, &staging->late[n].key) == 0)
        n++;
    staging->n_late -= n;
    memmove(staging->late, staging->late + n, staging->n_late * sizeof(staging->late[0]));
}

/* In order with the packets: CLOSED after the last of its flow. A lost one would leave a pin for ever. */
int staging_put_note(struct staging *staging, enum lane_slot_kind kind, const struct flow_key *key)
{
    if (staging->is_closed)
        return -ENOBUFS;
    if (staging->n_late == 0 && staging_put_note_now(staging, kind, key) == 0)
        return 0;
    if (staging->n_late == STAGING_MAX_LATE)
        return -ENOBUFS;
    staging->late[staging->n_late++] = (struct staging_late){kind, *key};
    return 0;
}

void staging_refresh(struct staging *staging)
{
    if (staging->is_closed)
        return;
    for (int p = 0; p < N_LANE_PRIORITIES; p++)
        staging_refresh_one(staging, p);
    if (staging->n_late > 0 && !staging->is_faulted)
        staging_put_late(staging);
}

/* A slot without bytes in the arena: it ends where the packet before it does. */
static int staging_put_control(struct staging *staging, enum lane_priority priority, uint64_t word0,
                               uint64_t number)
{
    struct ring_producer *ring = &staging->ring[priority];
    struct staging_arena *arena = &staging->arena[priority];

    if (staging->is_closed || ring_producer_room(ring) == 0)
        return -ENOBUFS;
    arena->slot_end[ring->staged_tail & (ring->n_slots - 1)] = arena->tail;
    ring_producer_stage(ring, word0, number);
    return 0;
}

int staging_put_fence(struct staging *staging, enum lane_priority priority, uint64_t number)
{
    return staging_put_control(staging, priority, lane_word(LANE_SLOT_FENCE, 0, 0), number);
}

int staging_put_adopted(struct staging *staging, uint64_t number, uint32_t n_flows)
{
    return staging_put_control(staging, LANE_NORMAL, lane_word(LANE_SLOT_ADOPTED, 0, n_flows), number);
}

/* Urgent before normal: the frontend may be looking while we publish. */
bool staging_publish(struct staging *staging)
{
    bool did_urgent, did_normal;

    if (staging->is_closed)
        return false;
    did_urgent = ring_producer_publish(&staging->ring[LANE_URGENT]);
    did_normal = ring_producer_publish(&staging->ring[LANE_NORMAL]);
    return did_urgent || did_normal;
}
