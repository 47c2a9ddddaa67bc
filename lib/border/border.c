/* SPDX-License-Identifier: BSD-3-Clause */
/* border.c — decoding and checking of slots, shapes and gauges that a peer wrote. */
#include "border/border.h"

#include "base/config.h"

#define BORDER_LINK_BYTES 14u
#define BORDER_POOL_FRAME_OFF 10u /* virtio_net_hdr before the frame in a head chunk */

static uint32_t border_word_kind(const struct ring_slot_value *value)
{
    return (uint32_t)(value->words[0] & 0xffu);
}

static uint8_t border_word_flags(const struct ring_slot_value *value)
{
    return (uint8_t)(value->words[0] >> 8 & 0xffu);
}

static uint16_t border_word_mid16(const struct ring_slot_value *value)
{
    return (uint16_t)(value->words[0] >> 16 & 0xffffu);
}

static uint32_t border_word_high32(const struct ring_slot_value *value)
{
    return (uint32_t)(value->words[0] >> 32);
}

enum border_result border_peek_tx(const struct ring_consumer *ring, uint32_t ahead, uint32_t arena_bytes,
                                  struct border_tx *tx)
{
    struct ring_slot_value value = ring_consumer_peek(ring, ahead);
    uint32_t kind = border_word_kind(&value);
    uint32_t off = border_word_high32(&value);
    uint32_t len = (uint32_t)(value.words[1] & 0xffffffffu);

    if (kind == LANE_SLOT_FENCE || kind == LANE_SLOT_ADOPTED) {
        *tx = (struct border_tx){.kind = (enum lane_slot_kind)kind, .n_flows = off, .fence = value.words[1]};
        return BORDER_OK;
    }
    if (kind != LANE_SLOT_FRAME && kind != LANE_SLOT_OPENED && kind != LANE_SLOT_CLOSED)
        return BORDER_PEER_FAULT;
    if (kind != LANE_SLOT_FRAME && len != BORDER_FLOW_KEY_BYTES)
        return BORDER_PEER_FAULT;
    if (len == 0 || len > 65535u || len > arena_bytes || off > arena_bytes - len)
        return BORDER_PEER_FAULT;
    *tx = (struct border_tx){
        .kind = (enum lane_slot_kind)kind,
        .flags = border_word_flags(&value),
        .gso_bytes = border_word_mid16(&value),
        .arena_off = off,
        .len_bytes = len,
    };
    return BORDER_OK;
}

enum border_result border_peek_return(const struct ring_consumer *ring, uint32_t ahead,
                                      uint32_t n_head_chunks, struct border_return *chunk)
{
    struct ring_slot_value value = ring_consumer_peek(ring, ahead);
    uint32_t head_idx = border_word_high32(&value);

    if (head_idx >= n_head_chunks)
        return BORDER_PEER_FAULT;
    *chunk = (struct border_return){.head_idx = head_idx, .generation = border_word_mid16(&value)};
    return BORDER_OK;
}

/* Slots from the frontend that are not about a frame. */
static bool border_is_control(uint32_t kind)
{
    return kind == LANE_SLOT_ADDRESSES || kind == LANE_SLOT_FENCE || kind == LANE_SLOT_ADOPT ||
           kind == LANE_SLOT_RELEASE || kind == LANE_SLOT_RESET;
}

enum border_result border_peek_rx(const struct ring_consumer *ring, uint32_t ahead,
                                  const struct pool_segment *pool, struct border_rx *rx)
{
    struct ring_slot_value value = ring_consumer_peek(ring, ahead);
    uint32_t kind = border_word_kind(&value);
    uint32_t head_idx = border_word_high32(&value);
    uint32_t large_idx = (uint32_t)(value.words[1] & 0xffffffffu);
    uint32_t len = (uint32_t)(value.words[1] >> 32);
    uint32_t room = POOL_HEAD_BYTES - BORDER_POOL_FRAME_OFF;

    if (border_is_control(kind)) {
        *rx = (struct border_rx){.kind = (enum lane_slot_kind)kind, .number = value.words[1]};
        return BORDER_OK;
    }
    if (kind != LANE_SLOT_FRAME && kind != LANE_SLOT_ICMP_ERROR)
        return BORDER_PEER_FAULT;
    if (large_idx != LANE_NO_CHUNK)
        room += POOL_LARGE_BYTES;
    if (head_idx >= pool->n_head || (large_idx != LANE_NO_CHUNK && large_idx >= pool->n_large))
        return BORDER_PEER_FAULT;
    if (len <= BORDER_LINK_BYTES || len > room)
        return BORDER_PEER_FAULT;
    *rx = (struct border_rx){
        .kind = (enum lane_slot_kind)kind,
        .flags = border_word_flags(&value),
        .generation = border_word_mid16(&value),
        .head_idx = head_idx,
        .large_idx = large_idx,
        .len_bytes = len,
    };
    return BORDER_OK;
}

uint64_t border_worker_gauge(const struct worker_half MPA_PEER *peer_half, enum worker_gauge gauge)
{
    return peer_load64_relaxed(&peer_half->gauges[gauge]);
}

uint64_t border_worker_counter(const struct worker_half MPA_PEER *peer_half, enum worker_counter which)
{
    return peer_load64_relaxed(&peer_half->counters[which]);
}

bool border_worker_shape(const struct worker_half MPA_PEER *peer_half, size_t size_bytes,
                         struct lane_shape *shape)
{
    struct lane_layout layout;
    struct lane_shape copy;

    peer_copy(&copy, (const uint8_t MPA_PEER *)&peer_half->shape, sizeof(copy));
    if (!lane_shape_is_valid(&copy))
        return false;
    lane_layout_init(&layout, &copy);
    if (layout.worker_bytes > size_bytes)
        return false;
    *shape = copy;
    return true;
}

void border_copy_arena(void *private_copy, const uint8_t MPA_PEER *peer_arena, uint32_t off, uint32_t size)
{
    peer_copy(private_copy, peer_arena + off, size);
}
