/* SPDX-License-Identifier: BSD-3-Clause */
/* rx_frame.c — pbufs over chunks of the rx pool. */
#include "worker/stack/rx_frame.h"

#include <errno.h>
#include <lwip/pbuf.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "worker/stack/pool.h"

#define TCP_MIN_HEADER_BYTES 20u
#define UDP_HEADER_BYTES 8u
#define RX_HELD_SHARE 8u /* of the pool's chunks may be held by reference, less than any quota */
#define IP4_MIN_BYTES 20u
#define IP6_BYTES 40u

/* A custom pbuf over part of a chunk. */
struct rx_reference {
    struct pbuf_custom custom; /* first: lwIP hands the pbuf back */
    struct rx_frames *frames;
    uint32_t head_idx;
};

int rx_frames_init(struct rx_frames *frames, const struct pool_segment *pool, size_t pool_bytes)
{
    uint64_t heads_end = pool->head_off + (uint64_t)pool->n_head * POOL_HEAD_BYTES;
    uint64_t larges_end = pool->large_off + (uint64_t)pool->n_large * POOL_LARGE_BYTES;

    if (heads_end > pool_bytes || larges_end > pool_bytes)
        return -EINVAL;
    *frames = (struct rx_frames){
        .pool = pool,
        .heads = (const uint8_t *)pool + pool->head_off,
        .larges = (const uint8_t *)pool + pool->large_off,
        .chunks = calloc(pool->n_head, sizeof(struct rx_chunk)),
    };
    return frames->chunks == NULL ? -ENOMEM : 0;
}

void rx_frames_fini(struct rx_frames *frames)
{
    free(frames->chunks);
    frames->chunks = NULL;
}

static void rx_frames_return(struct rx_frames *frames, uint32_t head_idx)
{
    frames->n_held--;
    frames->n_held_large -= frames->chunks[head_idx].has_large;
    if (ring_producer_room(&frames->return_ring) == 0 &&
        ring_producer_refresh(&frames->return_ring) != RING_OK)
        frames->is_faulted = true;
    /* The ring has a slot for every chunk, so it is full only when the frontend's index lies. */
    if (frames->is_faulted || ring_producer_room(&frames->return_ring) == 0)
        return;
    ring_producer_stage(&frames->return_ring, lane_word(0, frames->chunks[head_idx].generation, head_idx), 0);
}

static void rx_reference_free(struct pbuf *pbuf)
{
    struct rx_reference *reference = (struct rx_reference *)(void *)pbuf;
    struct rx_frames *frames = reference->frames;

    if (--frames->chunks[reference->head_idx].n_references == 0)
        rx_frames_return(frames, reference->head_idx);
    pool_free(reference);
}

bool rx_frame_open(struct rx_frames *frames, struct rx_frame *frame)
{
    const uint8_t *chunk = frames->heads + (size_t)frame->slot.head_idx * POOL_HEAD_BYTES;
    const uint8_t *ip = chunk + RX_FRAME_OFF + RX_FRAME_LINK_BYTES;
    uint32_t transport_off;

    frames->n_held++;
    frames->n_held_large += frame->slot.large_idx != LANE_NO_CHUNK;
    frames->chunks[frame->slot.head_idx] = (struct rx_chunk){
        .generation = frame->slot.generation, .has_large = frame->slot.large_idx != LANE_NO_CHUNK};
    memcpy(&frame->note, chunk, sizeof(frame->note));
    frame->bytes = chunk + RX_FRAME_OFF;
    transport_off = frame->note.transport_off;
    if (transport_off < RX_FRAME_LINK_BYTES + IP4_MIN_BYTES || transport_off > RX_FRAME_MAX_HEADER_BYTES ||
        transport_off + UDP_HEADER_BYTES > frame->slot.len_bytes)
        return false;
    frame->key =
        (struct flow_key){.family = (uint8_t)(ip[0] >> 4), .protocol = (uint8_t)frame->note.protocol};
    if (frame->key.family == 4) {
        memcpy(frame->key.remote, ip + 12, 4);
        memcpy(frame->key.local, ip + 16, 4);
    } else if (frame->key.family == 6 && transport_off >= RX_FRAME_LINK_BYTES + IP6_BYTES) {
        memcpy(frame->key.remote, ip + 8, 16);
        memcpy(frame->key.local, ip + 24, 16);
    } else {
        return false;
    }
    memcpy(&frame->key.remote_port_be, frame->bytes + transport_off, 2);
    memcpy(&frame->key.local_port_be, frame->bytes + transport_off + 2, 2);
    return true;
}

/* Bytes of link, network and transport header that are copied. */
static uint32_t rx_frame_header_len(const struct rx_frame *frame)
{
    uint32_t transport_off = frame->note.transport_off;
    uint32_t len = transport_off + UDP_HEADER_BYTES;

    if (frame->key.protocol == IPPROTO_TCP && transport_off + TCP_MIN_HEADER_BYTES <= frame->slot.len_bytes)
        len = transport_off + (uint32_t)(frame->bytes[transport_off + 12] >> 4) * 4;
    if (len > frame->slot.len_bytes)
        len = frame->slot.len_bytes;
    return len > RX_FRAME_MAX_HEADER_BYTES + 60u ? RX_FRAME_MAX_HEADER_BYTES + 60u : len;
}

/* Appends `len` bytes at `bytes` to the packet as a reference; false: no memory. */
static bool rx_frame_append(struct rx_frames *frames, uint32_t head_idx, struct pbuf *packet,
                            const uint8_t *bytes, uint32_t len)
{
    struct rx_reference *reference = pool_malloc(sizeof(*reference));
    struct pbuf *part;

    if (reference == NULL)
        return false;
    reference->frames = frames;
    reference->head_idx = head_idx;
    reference->custom.custom_free_function = rx_reference_free;
    /* lwIP never writes to payload behind the headers. */
    part = pbuf_alloced_custom(PBUF_RAW, (u16_t)len, PBUF_REF, &reference->custom, (void *)(uintptr_t)bytes,
                               (u16_t)len);
    frames->chunks[head_idx].n_references++;
    pbuf_cat(packet, part);
    return true;
}

static bool rx_frame_append_payload(struct rx_frames *frames, const struct rx_frame *frame,
                                    struct pbuf *packet, uint32_t header_len)
{
    uint32_t in_head = POOL_HEAD_BYTES - RX_FRAME_OFF;
    uint32_t len = frame->slot.len_bytes;

    if (len <= in_head)
        return rx_frame_append(frames, frame->slot.head_idx, packet, frame->bytes + header_len,
                               len - header_len);
    return rx_frame_append(frames, frame->slot.head_idx, packet, frame->bytes + header_len,
                           in_head - header_len) &&
           rx_frame_append(frames, frame->slot.head_idx, packet,
                           frames->larges + (size_t)frame->slot.large_idx * POOL_LARGE_BYTES, len - in_head);
}

bool rx_frames_are_scarce(const struct rx_frames *frames)
{
    return frames->n_held > frames->pool->n_head / RX_HELD_SHARE ||
           frames->n_held_large > frames->pool->n_large / RX_HELD_SHARE;
}

struct pbuf *rx_frame_copy(struct rx_frames *frames, const struct rx_frame *frame)
{
    uint32_t in_head = POOL_HEAD_BYTES - RX_FRAME_OFF;
    uint32_t len = frame->slot.len_bytes;
    struct pbuf *packet = pbuf_alloc(PBUF_RAW, (u16_t)(len - RX_FRAME_LINK_BYTES), PBUF_RAM);
    uint8_t *out;

    if (packet != NULL) {
        out = packet->payload;
        if (in_head > len)
            in_head = len;
        memcpy(out, frame->bytes + RX_FRAME_LINK_BYTES, in_head - RX_FRAME_LINK_BYTES);
        if (len > in_head)
            memcpy(out + in_head - RX_FRAME_LINK_BYTES,
                   frames->larges + (size_t)frame->slot.large_idx * POOL_LARGE_BYTES, len - in_head);
    }
    rx_frame_drop(frames, frame);
    return packet;
}

struct pbuf *rx_frame_to_pbuf(struct rx_frames *frames, const struct rx_frame *frame)
{
    uint32_t header_len = rx_frame_header_len(frame);
    struct pbuf *packet = pbuf_alloc(PBUF_RAW, (u16_t)(header_len - RX_FRAME_LINK_BYTES), PBUF_RAM);
    bool has_all;

    if (packet == NULL) {
        rx_frame_drop(frames, frame);
        return NULL;
    }
    memcpy(packet->payload, frame->bytes + RX_FRAME_LINK_BYTES, header_len - RX_FRAME_LINK_BYTES);
    if (header_len == frame->slot.len_bytes) {
        rx_frame_drop(frames, frame); /* nothing references the chunk any more */
        return packet;
    }
    /* Held while it is built, so that a failure in the middle returns the chunk once. */
    frames->chunks[frame->slot.head_idx].n_references++;
    has_all = rx_frame_append_payload(frames, frame, packet, header_len);
    if (!has_all) {
        pbuf_free(packet);
        packet = NULL;
    }
    if (--frames->chunks[frame->slot.head_idx].n_references == 0)
        rx_frames_return(frames, frame->slot.head_idx);
    return packet;
}

void rx_frame_drop(struct rx_frames *frames, const struct rx_frame *frame)
{
    rx_frames_return(frames, frame->slot.head_idx);
}

bool rx_frames_publish(struct rx_frames *frames)
{
    return ring_producer_publish(&frames->return_ring);
}
