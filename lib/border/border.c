/* SPDX-License-Identifier: BSD-3-Clause */
/* border.c — the checks that are not in the frontend's fast path: rx slots, shapes and gauges. */
#include "border/border.h"

#include "base/config.h"

#define BORDER_LINK_BYTES 14u
#define BORDER_MAX_SIGNAL 64u
#define BORDER_POOL_FRAME_OFF 10u /* virtio_net_hdr before the frame in a head chunk */

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

void border_worker_last_words(const struct worker_half MPA_PEER *peer_half, struct border_last_words *words)
{
    uint64_t fault_signal = peer_load64_acquire(&peer_half->fault_signal);
    uint64_t suspect = peer_load64_relaxed(&peer_half->suspect);

    words->signal = fault_signal <= BORDER_MAX_SIGNAL ? (uint32_t)fault_signal : BORDER_MAX_SIGNAL;
    words->head_idx =
        suspect == WORKER_NO_SUSPECT || suspect > UINT32_MAX ? LANE_NO_CHUNK : (uint32_t)(suspect - 1);
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
