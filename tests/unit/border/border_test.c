/* SPDX-License-Identifier: BSD-3-Clause */
/* border_test.c — every slot that breaks a rule is a fault, and every slot at the edge of one is not. */
#include "border/border.h"

#include <string.h>

#include "tests/support/unit.h"

#define N_SLOTS 64u
#define ARENA_BYTES 262144u
#define N_HEAD 100u
#define N_LARGE 10u
#define HEAD_ROOM (POOL_HEAD_BYTES - 10u) /* behind the virtio_net_hdr */

static struct lane_slot slots[N_SLOTS];
static struct lane_index head, tail;
static struct ring_consumer ring;
static const struct pool_segment pool = {.n_head = N_HEAD, .n_large = N_LARGE};

/* The peer's next slot. */
static void put(uint64_t word0, uint64_t word1)
{
    ring_consumer_init(&ring, slots, &head, &tail, N_SLOTS);
    atomic_store(&slots[0].words[0], word0);
    atomic_store(&slots[0].words[1], word1);
}

static enum border_result peek_tx(uint32_t kind, uint32_t off, uint64_t word1, struct border_tx *tx)
{
    memset(tx, 0x5a, sizeof(*tx));
    put(lane_word(kind | LANE_FLAG_GSO << 8, 1448, off), word1);
    return border_peek_tx(&ring, 0, ARENA_BYTES, tx);
}

static void test_tx_frame(void)
{
    struct border_tx tx;

    CU_ASSERT_EQUAL(peek_tx(LANE_SLOT_FRAME, 4096, 3000, &tx), BORDER_OK);
    CU_ASSERT_EQUAL(tx.kind, LANE_SLOT_FRAME);
    CU_ASSERT_EQUAL(tx.flags, LANE_FLAG_GSO);
    CU_ASSERT_EQUAL(tx.gso_bytes, 1448);
    CU_ASSERT_EQUAL(tx.arena_off, 4096);
    CU_ASSERT_EQUAL(tx.len_bytes, 3000);
    CU_ASSERT_EQUAL(peek_tx(LANE_SLOT_FENCE, 0, 0x1122334455667788u, &tx), BORDER_OK);
    CU_ASSERT_EQUAL(tx.kind, LANE_SLOT_FENCE);
    CU_ASSERT_EQUAL(tx.fence, 0x1122334455667788u);
}

static void test_tx_arena_edges(void)
{
    struct border_tx tx;

    CU_ASSERT_EQUAL(peek_tx(LANE_SLOT_FRAME, ARENA_BYTES - 1, 1, &tx), BORDER_OK);
    CU_ASSERT_EQUAL(peek_tx(LANE_SLOT_FRAME, ARENA_BYTES - 65535, 65535, &tx), BORDER_OK);
    CU_ASSERT_EQUAL(peek_tx(LANE_SLOT_FRAME, ARENA_BYTES, 1, &tx), BORDER_PEER_FAULT);
    CU_ASSERT_EQUAL(peek_tx(LANE_SLOT_FRAME, ARENA_BYTES - 65534, 65535, &tx), BORDER_PEER_FAULT);
    CU_ASSERT_EQUAL(peek_tx(LANE_SLOT_FRAME, 0xffffffffu, 1, &tx), BORDER_PEER_FAULT);
    CU_ASSERT_EQUAL(peek_tx(LANE_SLOT_FRAME, 0xffffffffu, 65535, &tx), BORDER_PEER_FAULT);
}

static void test_tx_lengths(void)
{
    struct border_tx tx;

    CU_ASSERT_EQUAL(peek_tx(LANE_SLOT_FRAME, 0, 0, &tx), BORDER_PEER_FAULT);
    CU_ASSERT_EQUAL(peek_tx(LANE_SLOT_FRAME, 0, 65536, &tx), BORDER_PEER_FAULT);
    CU_ASSERT_EQUAL(peek_tx(LANE_SLOT_FRAME, 0, 0xffffffffu, &tx), BORDER_PEER_FAULT);
    /* An arena smaller than the longest packet. */
    put(lane_word(LANE_SLOT_FRAME, 0, 0), 5000);
    CU_ASSERT_EQUAL(border_peek_tx(&ring, 0, 4096, &tx), BORDER_PEER_FAULT);
}

static void test_tx_kinds(void)
{
    struct border_tx tx;

    for (uint32_t kind = 0; kind < 256; kind++) {
        bool is_known = kind == LANE_SLOT_FRAME || kind == LANE_SLOT_FENCE || kind == LANE_SLOT_ADOPTED;

        CU_ASSERT_EQUAL(peek_tx(kind, 0, 100, &tx), is_known ? BORDER_OK : BORDER_PEER_FAULT);
    }
}

static void test_fault_writes_nothing(void)
{
    struct border_tx tx, before;

    memset(&before, 0x5a, sizeof(before));
    CU_ASSERT_EQUAL(peek_tx(LANE_SLOT_FRAME, 0, 0, &tx), BORDER_PEER_FAULT);
    CU_ASSERT_EQUAL(memcmp(&tx, &before, sizeof(tx)), 0);
}

static void test_return_slot(void)
{
    struct border_return chunk;

    put(lane_word(0, 0xabcd, N_HEAD - 1), 0);
    CU_ASSERT_EQUAL(border_peek_return(&ring, 0, N_HEAD, &chunk), BORDER_OK);
    CU_ASSERT_EQUAL(chunk.head_idx, N_HEAD - 1);
    CU_ASSERT_EQUAL(chunk.generation, 0xabcd);
    put(lane_word(0, 0, N_HEAD), 0);
    CU_ASSERT_EQUAL(border_peek_return(&ring, 0, N_HEAD, &chunk), BORDER_PEER_FAULT);
    put(lane_word(0, 0, LANE_NO_CHUNK), 0);
    CU_ASSERT_EQUAL(border_peek_return(&ring, 0, N_HEAD, &chunk), BORDER_PEER_FAULT);
}

static enum border_result peek_rx(uint32_t head_idx, uint32_t large_idx, uint64_t len)
{
    struct border_rx rx;

    put(lane_word(LANE_SLOT_FRAME, 7, head_idx), large_idx | len << 32);
    return border_peek_rx(&ring, 0, &pool, &rx);
}

static void test_rx_slot(void)
{
    struct border_rx rx;

    put(lane_word(LANE_SLOT_ICMP_ERROR | LANE_FLAG_CSUM << 8, 9, 42), LANE_NO_CHUNK | 60ull << 32);
    CU_ASSERT_EQUAL(border_peek_rx(&ring, 0, &pool, &rx), BORDER_OK);
    CU_ASSERT_EQUAL(rx.kind, LANE_SLOT_ICMP_ERROR);
    CU_ASSERT_EQUAL(rx.flags, LANE_FLAG_CSUM);
    CU_ASSERT_EQUAL(rx.generation, 9);
    CU_ASSERT_EQUAL(rx.head_idx, 42);
    CU_ASSERT_EQUAL(rx.large_idx, LANE_NO_CHUNK);
    CU_ASSERT_EQUAL(rx.len_bytes, 60);
}

static void test_rx_control(void)
{
    struct border_rx rx;

    for (uint32_t kind = 0; kind < 256; kind++) {
        bool is_control = kind == LANE_SLOT_ADDRESSES || kind == LANE_SLOT_FENCE || kind == LANE_SLOT_ADOPT ||
                          kind == LANE_SLOT_RELEASE || kind == LANE_SLOT_RESET;

        /* As a frame none of these is valid: its length is zero. */
        put(lane_word(kind | 0xffu << 8, 0xffff, 0xffffffffu), 0x11223344u);
        CU_ASSERT_EQUAL(border_peek_rx(&ring, 0, &pool, &rx), is_control ? BORDER_OK : BORDER_PEER_FAULT);
        if (!is_control)
            continue;
        CU_ASSERT_EQUAL(rx.kind, kind);
        CU_ASSERT_EQUAL(rx.number, 0x11223344u);
        CU_ASSERT_EQUAL(rx.flags, 0);
        CU_ASSERT_EQUAL(rx.len_bytes, 0);
    }
}

static void test_rx_edges(void)
{
    CU_ASSERT_EQUAL(peek_rx(N_HEAD - 1, LANE_NO_CHUNK, 60), BORDER_OK);
    CU_ASSERT_EQUAL(peek_rx(N_HEAD, LANE_NO_CHUNK, 60), BORDER_PEER_FAULT);
    CU_ASSERT_EQUAL(peek_rx(0, N_LARGE - 1, 60), BORDER_OK);
    CU_ASSERT_EQUAL(peek_rx(0, N_LARGE, 60), BORDER_PEER_FAULT);
    CU_ASSERT_EQUAL(peek_rx(0, LANE_NO_CHUNK, 14), BORDER_PEER_FAULT); /* a link header alone */
    CU_ASSERT_EQUAL(peek_rx(0, LANE_NO_CHUNK, 15), BORDER_OK);
    CU_ASSERT_EQUAL(peek_rx(0, LANE_NO_CHUNK, HEAD_ROOM), BORDER_OK);
    CU_ASSERT_EQUAL(peek_rx(0, LANE_NO_CHUNK, HEAD_ROOM + 1), BORDER_PEER_FAULT);
    CU_ASSERT_EQUAL(peek_rx(0, 0, HEAD_ROOM + POOL_LARGE_BYTES), BORDER_OK);
    CU_ASSERT_EQUAL(peek_rx(0, 0, HEAD_ROOM + POOL_LARGE_BYTES + 1), BORDER_PEER_FAULT);
    CU_ASSERT_EQUAL(peek_rx(0, 0, 0xffffffffu), BORDER_PEER_FAULT);
}

/* A worker's half is page aligned where it is mapped; only its first bytes matter here. */
static struct worker_half half;

static bool shape_is_taken(const struct lane_shape *shape, size_t size_bytes)
{
    struct lane_shape taken;

    half.shape = *shape;
    return border_worker_shape(&half, size_bytes, &taken) && memcmp(&taken, shape, sizeof(taken)) == 0;
}

static void test_shape(void)
{
    const struct lane_shape good = {{256, 64}, 1024, {LANE_MIN_ARENA_BYTES, LANE_MIN_ARENA_BYTES}};
    struct lane_layout layout;
    struct lane_shape bad = good;

    lane_layout_init(&layout, &good);
    CU_ASSERT(shape_is_taken(&good, layout.worker_bytes));
    CU_ASSERT_FALSE(shape_is_taken(&good, layout.worker_bytes - 1));
    bad.ring_slots[LANE_URGENT] = 63;
    CU_ASSERT_FALSE(shape_is_taken(&bad, SIZE_MAX));
    bad = good;
    bad.ring_slots[LANE_NORMAL] = 300; /* not a power of two */
    CU_ASSERT_FALSE(shape_is_taken(&bad, SIZE_MAX));
    bad.ring_slots[LANE_NORMAL] = 0x80000000u;
    CU_ASSERT_FALSE(shape_is_taken(&bad, SIZE_MAX));
    bad = good;
    bad.return_slots = 0;
    CU_ASSERT_FALSE(shape_is_taken(&bad, SIZE_MAX));
    bad = good;
    bad.arena_bytes[LANE_NORMAL] = 0xfffff000u;
    CU_ASSERT_FALSE(shape_is_taken(&bad, SIZE_MAX));
    bad.arena_bytes[LANE_NORMAL] = LANE_MIN_ARENA_BYTES + 1;
    CU_ASSERT_FALSE(shape_is_taken(&bad, SIZE_MAX));
}

static void test_random_slots(void)
{
    uint64_t random = 1;

    /* Whatever passes is inside: that is all the frontend relies on. */
    for (int i = 0; i < 200000; i++) {
        struct border_tx tx;
        uint64_t word0 = random = random * 6364136223846793005u + 1442695040888963407u, word1;

        random = random * 6364136223846793005u + 1442695040888963407u;
        word1 = i % 2 == 0 ? random >> 44 : random;
        put((word0 & ~0xffull) | (i % 8 == 0 ? word0 & 0xff : LANE_SLOT_FRAME), word1);
        if (border_peek_tx(&ring, 0, ARENA_BYTES, &tx) != BORDER_OK || tx.kind != LANE_SLOT_FRAME)
            continue;
        if (tx.len_bytes == 0 || tx.len_bytes > 65535 || (uint64_t)tx.arena_off + tx.len_bytes > ARENA_BYTES)
            CU_FAIL_FATAL("a packet outside the arena passed");
    }
}

const char unit_suite_name[] = "border";
const struct unit_test unit_tests[] = {
    {"a good tx slot is decoded field by field", test_tx_frame},
    {"a packet reaches the arena's end but not beyond", test_tx_arena_edges},
    {"a packet has 1 to 65,535 bytes", test_tx_lengths},
    {"only frames and answers to orders leave a worker", test_tx_kinds},
    {"a fault writes no output", test_fault_writes_nothing},
    {"a returned chunk is one of the pool", test_return_slot},
    {"a good rx slot is decoded field by field", test_rx_slot},
    {"a control slot from the frontend has a number and nothing else", test_rx_control},
    {"an rx frame lies inside its chunks", test_rx_edges},
    {"a shape that is invalid or larger than its segment is refused", test_shape},
    {"no random slot passes that points outside the arena", test_random_slots},
    {NULL, NULL},
};
