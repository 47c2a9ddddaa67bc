/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * border.h — the gate: raw slots of a peer come in, checked private values go out, or a fault. The raw slot
 * is never passed on. Each word is loaded once; what is checked is what is used. What the frontend asks for
 * each packet stands here, to be compiled into its loops.
 */
#ifndef MPA_BORDER_BORDER_H
#define MPA_BORDER_BORDER_H

#include "ring/ring.h"
#include "shm/frontend_writes.h"
#include "shm/worker_writes.h"

enum border_result {
    BORDER_OK,
    BORDER_EMPTY,      /* nothing to take */
    BORDER_PEER_FAULT, /* the peer broke the rules; nothing was taken */
};

/* The fields of word 0, as shm/lane.h lays them out. */
static inline uint32_t border_word_kind(const struct ring_slot_value *value)
{
    return (uint32_t)(value->words[0] & 0xffu);
}

static inline uint8_t border_word_flags(const struct ring_slot_value *value)
{
    return (uint8_t)(value->words[0] >> 8 & 0xffu);
}

static inline uint16_t border_word_mid16(const struct ring_slot_value *value)
{
    return (uint16_t)(value->words[0] >> 16 & 0xffffu);
}

static inline uint32_t border_word_high32(const struct ring_slot_value *value)
{
    return (uint32_t)(value->words[0] >> 32);
}

/* A packet that a worker wants sent, inside its arena as far as offset and length go. */
struct border_tx {
    enum lane_slot_kind kind; /* FRAME, FENCE, ADOPTED, OPENED or CLOSED */
    uint8_t flags;            /* enum lane_slot_flag */
    uint16_t gso_bytes;
    uint32_t arena_off;
    uint32_t len_bytes; /* 1..65535 */
    uint32_t n_flows;   /* FENCE, ADOPTED: as the worker says */
    uint64_t fence;     /* FENCE, ADOPTED: number of the order that is answered */
};

/* Bytes in the arena behind OPENED and CLOSED: a struct flow_key, see flow/key.h. */
#define BORDER_FLOW_KEY_BYTES 40u

/* Frontend: looks at the slot `ahead` of the next one in a worker's tx ring. BORDER_OK or BORDER_PEER_FAULT;
 * the caller has seen that the slot is there. */
MPA_WARN_UNUSED static inline enum border_result
border_peek_tx(const struct ring_consumer *ring, uint32_t ahead, uint32_t arena_bytes, struct border_tx *tx)
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

/* A chunk that a worker gives back; the owner table still has to agree. */
struct border_return {
    uint32_t head_idx;
    uint16_t generation;
};

/* Frontend: the slot `ahead` of the next one in a return ring. */
MPA_WARN_UNUSED static inline enum border_result border_peek_return(const struct ring_consumer *ring,
                                                                    uint32_t ahead, uint32_t n_head_chunks,
                                                                    struct border_return *chunk)
{
    struct ring_slot_value value = ring_consumer_peek(ring, ahead);
    uint32_t head_idx = border_word_high32(&value);

    if (head_idx >= n_head_chunks)
        return BORDER_PEER_FAULT;
    *chunk = (struct border_return){.head_idx = head_idx, .generation = border_word_mid16(&value)};
    return BORDER_OK;
}

/* A frame for a worker: chunks inside the pool, length inside the chunks. */
struct border_rx {
    enum lane_slot_kind kind; /* FRAME, ICMP_ERROR, ADDRESSES, FENCE, ADOPT, RELEASE or RESET */
    uint8_t flags;
    uint16_t generation;
    uint32_t head_idx;
    uint32_t large_idx; /* or LANE_NO_CHUNK */
    uint32_t len_bytes; /* link header included */
    uint64_t number;    /* FENCE, ADOPT, RELEASE, RESET: all that such a slot says */
};

/* Worker: the slot `ahead` of the next one in an rx ring. The frontend is trusted to be sane but a slot that
 * is not (a frontend of another build) must not crash the worker. */
enum border_result border_peek_rx(const struct ring_consumer *ring, uint32_t ahead,
                                  const struct pool_segment *pool, struct border_rx *rx) MPA_WARN_UNUSED;

/* Frontend: a gauge or counter of a worker's half; any value is possible. */
uint64_t border_worker_gauge(const struct worker_half MPA_PEER *peer_half, enum worker_gauge gauge);
uint64_t border_worker_counter(const struct worker_half MPA_PEER *peer_half, enum worker_counter which);

/* What a worker that died has left in its half. */
struct border_last_words {
    uint32_t signal;   /* its fault handler noted it; 0: it did not die of a fault of its own */
    uint32_t head_idx; /* head chunk of the frame that was in hand, unchecked; LANE_NO_CHUNK: none */
};

void border_worker_last_words(const struct worker_half MPA_PEER *peer_half, struct border_last_words *words);

/* Frontend: the shape a worker's half claims, valid and with its rings and arenas inside the `size_bytes` of
 * its segment; false: refuse the attach. */
bool border_worker_shape(const struct worker_half MPA_PEER *peer_half, size_t size_bytes,
                         struct lane_shape *shape);

/* Frontend: a private copy of arena bytes [off, off + size), which border_peek_tx has found inside. */
static inline void border_copy_arena(void *private_copy, const uint8_t MPA_PEER *peer_arena, uint32_t off,
                                     uint32_t size)
{
    peer_copy(private_copy, peer_arena + off, size);
}

#endif
