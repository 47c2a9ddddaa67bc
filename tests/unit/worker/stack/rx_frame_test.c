/* SPDX-License-Identifier: BSD-3-Clause */
/* rx_frame_test.c — packets over chunks: what they hold, and when the chunk goes back: once, and not before.
 */
#include "worker/stack/rx_frame.h"

#include <lwip/pbuf.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/lane_pair.h"
#include "tests/support/tcp_script.h"
#include "tests/support/unit.h"
#include "worker/stack/pool.h"

#define HEADERS_BYTES 40u /* IPv4 and TCP without options */
#define IN_HEAD_BYTES (POOL_HEAD_BYTES - RX_FRAME_OFF)

static struct lane_pair pair;
static uint8_t frame_bytes[TCP_SCRIPT_MAX_FRAME_BYTES], payload[65000];
static const struct tcp_script script = {.family = 4, .peer_port = 1000, .stack_port = 80};

static void start(void)
{
    struct lane_pair_config config;

    lane_pair_defaults(&config);
    config.stack_memory_bytes = 1u << 20;
    CU_ASSERT_EQUAL_FATAL(lane_pair_init(&pair, &config), 0);
    for (uint32_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 7 + (i >> 8));
}

/* Everything that was lent has come back, once. */
static void end(void)
{
    CU_ASSERT_EQUAL(pair.frames.n_held, 0);
    lane_pair_turn(&pair); /* takes the returns */
    CU_ASSERT_EQUAL(pair.n_bad_returns, 0);
    CU_ASSERT_EQUAL(pair.pool.n_free_head, pair.config.n_head);
    CU_ASSERT_EQUAL(pair.pool.n_free_large, pair.config.n_large);
    lane_pair_fini(&pair);
}

/* A segment with `n` bytes of payload, through the ring, up to the slot. */
static void take(struct rx_frame *frame, uint32_t n)
{
    struct tcp_segment segment = tcp_script_segment(&script, SEGMENT_ACK, payload, n);
    uint32_t len = tcp_script_build(&script, &segment, frame_bytes);
    struct ring_consumer *ring = &pair.worker_rx[LANE_NORMAL];

    CU_ASSERT_FATAL(lane_pair_inject(&pair, frame_bytes, len, 0));
    ring_producer_publish(&pair.rx[LANE_NORMAL]);
    CU_ASSERT_EQUAL_FATAL(ring_consumer_refresh(ring), RING_OK);
    CU_ASSERT_EQUAL_FATAL(border_peek_rx(ring, 0, pair.frames.pool, &frame->slot), BORDER_OK);
    ring_consumer_take(ring, 1);
}

static struct pbuf *take_packet(struct rx_frame *frame, uint32_t n)
{
    take(frame, n);
    CU_ASSERT_FATAL(rx_frame_open(&pair.frames, frame));
    return rx_frame_to_pbuf(&pair.frames, frame);
}

static void check_packet(uint32_t n)
{
    static uint8_t copy[65535];
    struct rx_frame frame;
    struct pbuf *packet = take_packet(&frame, n);

    CU_ASSERT_PTR_NOT_NULL_FATAL(packet);
    CU_ASSERT_EQUAL_FATAL(packet->tot_len, HEADERS_BYTES + n);
    CU_ASSERT_EQUAL(packet->len, HEADERS_BYTES); /* what lwIP writes to is a private copy */
    CU_ASSERT_EQUAL(pbuf_copy_partial(packet, copy, packet->tot_len, 0), packet->tot_len);
    CU_ASSERT_EQUAL(memcmp(copy, frame_bytes + RX_FRAME_LINK_BYTES, packet->tot_len), 0);
    CU_ASSERT_EQUAL(pair.frames.n_held, n > 0 ? 1 : 0);
    pbuf_free(packet);
    CU_ASSERT_EQUAL(pair.frames.n_held, 0);
}

static void test_contents(void)
{
    static const uint32_t lengths[] = {0,
                                       1,
                                       1460,
                                       IN_HEAD_BYTES - RX_FRAME_LINK_BYTES - HEADERS_BYTES,
                                       IN_HEAD_BYTES - RX_FRAME_LINK_BYTES - HEADERS_BYTES + 1,
                                       9000,
                                       64000};

    start();
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        check_packet(lengths[i]);
    end();
}

static void test_key(void)
{
    struct rx_frame frame;

    start();
    take(&frame, 10);
    CU_ASSERT_FATAL(rx_frame_open(&pair.frames, &frame));
    CU_ASSERT_EQUAL(frame.key.family, 4);
    CU_ASSERT_EQUAL(frame.key.protocol, 6);
    CU_ASSERT_EQUAL(memcmp(frame.key.remote, "\x0a\x4d\x00\x01", 4), 0);
    CU_ASSERT_EQUAL(memcmp(frame.key.local, "\x0a\x4d\x00\x02", 4), 0);
    CU_ASSERT_EQUAL(memcmp(&frame.key.remote_port_be, "\x03\xe8", 2), 0);
    CU_ASSERT_EQUAL(flow_key_hash(&frame.key, &pair.stack.config.flow_seed), frame.note.hash);
    rx_frame_drop(&pair.frames, &frame);
    end();
}

static void test_last_reference(void)
{
    struct rx_frame frame;
    struct pbuf *packet, *rest;

    start();
    packet = take_packet(&frame, 9000); /* head and large chunk: two references */
    rest = packet->next->next;
    pbuf_ref(rest);
    pbuf_free(packet);
    CU_ASSERT_EQUAL(pair.frames.n_held, 1);
    CU_ASSERT_EQUAL(memcmp(rest->payload, frame_bytes + IN_HEAD_BYTES, rest->len), 0);
    pbuf_free(rest);
    CU_ASSERT_EQUAL(pair.frames.n_held, 0);
    end();
}

static void test_copy(void)
{
    static uint8_t copy[65535];
    static const uint32_t lengths[] = {0, 1, 1460, 9000, 64000};

    start();
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct rx_frame frame;
        struct pbuf *packet;

        take(&frame, lengths[i]);
        CU_ASSERT_FATAL(rx_frame_open(&pair.frames, &frame));
        packet = rx_frame_copy(&pair.frames, &frame);
        CU_ASSERT_PTR_NOT_NULL_FATAL(packet);
        CU_ASSERT_EQUAL(pair.frames.n_held, 0);
        CU_ASSERT_EQUAL(pair.frames.n_held_large, 0);
        CU_ASSERT_EQUAL_FATAL(packet->tot_len, HEADERS_BYTES + lengths[i]);
        pbuf_copy_partial(packet, copy, packet->tot_len, 0);
        CU_ASSERT_EQUAL(memcmp(copy, frame_bytes + RX_FRAME_LINK_BYTES, packet->tot_len), 0);
        pbuf_free(packet);
    }
    end();
}

static void test_scarce(void)
{
    static struct rx_frame frames[2048];
    struct pbuf *packets[2048];
    uint32_t n = 0;

    start();
    while (n < pair.config.n_head / 8 + 1) {
        CU_ASSERT_FALSE(rx_frames_are_scarce(&pair.frames));
        packets[n] = take_packet(&frames[n], 100);
        n++;
    }
    CU_ASSERT(rx_frames_are_scarce(&pair.frames));
    while (n > 0)
        pbuf_free(packets[--n]);
    CU_ASSERT_FALSE(rx_frames_are_scarce(&pair.frames));
    for (n = 0; n < pair.config.n_large / 8 + 1; n++)
        packets[n] = take_packet(&frames[n], 9000);
    CU_ASSERT(rx_frames_are_scarce(&pair.frames));
    while (n > 0)
        pbuf_free(packets[--n]);
    end();
}

static void test_order_of_return(void)
{
    struct rx_frame frames[8];
    struct pbuf *packets[8];

    start();
    for (int i = 0; i < 8; i++)
        packets[i] = take_packet(&frames[i], 100);
    for (int i = 0; i < 8; i++)
        pbuf_free(packets[(i * 5) % 8]);
    CU_ASSERT(rx_frames_publish(&pair.frames));
    CU_ASSERT_FALSE(rx_frames_publish(&pair.frames));
    end();
}

/* lwIP's memory runs out at every possible point while a packet is made. */
static void test_no_memory(void)
{
    struct rx_frame frame;
    void *blocks[16384];
    uint32_t n = 0;

    start();
    while (n < 16384 && (blocks[n] = pool_malloc(64)) != NULL)
        n++;
    for (int n_blocks = 0; n_blocks < 4; n_blocks++) {
        struct pbuf *packet;

        for (int i = 0; i < n_blocks; i++)
            pool_free(blocks[--n]);
        packet = take_packet(&frame, 9000);
        if (packet != NULL)
            pbuf_free(packet);
        CU_ASSERT_EQUAL(pair.frames.n_held, 0);
        while (n < 16384 && (blocks[n] = pool_malloc(64)) != NULL)
            n++;
    }
    while (n > 0)
        pool_free(blocks[--n]);
    end();
}

/* Notes and frames as no sane frontend writes them. */
static void test_nonsense(void)
{
    static const uint16_t offsets[] = {0, 13, 33, 257, 2000, 65535};
    struct rx_frame frame;

    start();
    for (unsigned i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        uint8_t *chunk;

        take(&frame, 5);
        chunk = frame_pool_head(&pair.pool, frame.slot.head_idx);
        memcpy(chunk + offsetof(struct rx_note, transport_off), &offsets[i], 2);
        CU_ASSERT_FALSE(rx_frame_open(&pair.frames, &frame));
        rx_frame_drop(&pair.frames, &frame);
    }
    take(&frame, 5);
    frame_pool_head(&pair.pool, frame.slot.head_idx)[RX_FRAME_OFF + RX_FRAME_LINK_BYTES] =
        0x55; /* IP version 5 */
    CU_ASSERT_FALSE(rx_frame_open(&pair.frames, &frame));
    rx_frame_drop(&pair.frames, &frame);
    end();
}

/* A TCP header that claims more than there is does not make the copy longer than the frame. */
static void test_header_length_lies(void)
{
    struct rx_frame frame;
    struct pbuf *packet;

    start();
    take(&frame, 3);
    frame_pool_head(&pair.pool, frame.slot.head_idx)[RX_FRAME_OFF + RX_FRAME_LINK_BYTES + 20 + 12] = 0xf0;
    CU_ASSERT_FATAL(rx_frame_open(&pair.frames, &frame));
    packet = rx_frame_to_pbuf(&pair.frames, &frame);
    CU_ASSERT_PTR_NOT_NULL_FATAL(packet);
    CU_ASSERT_EQUAL(packet->tot_len, HEADERS_BYTES + 3);
    pbuf_free(packet);
    take(&frame, 3);
    frame_pool_head(&pair.pool, frame.slot.head_idx)[RX_FRAME_OFF + RX_FRAME_LINK_BYTES + 20 + 12] = 0x00;
    CU_ASSERT_FATAL(rx_frame_open(&pair.frames, &frame));
    packet = rx_frame_to_pbuf(&pair.frames, &frame);
    if (packet != NULL)
        pbuf_free(packet);
    end();
}

const char unit_suite_name[] = "worker/stack: rx frames";
const struct unit_test unit_tests[] = {
    {"a packet holds the frame's bytes, headers apart", test_contents},
    {"the key is read as the frontend has hashed it", test_key},
    {"a chunk stays until its last reference is gone", test_last_reference},
    {"a copy holds the same bytes and gives the chunks back at once", test_copy},
    {"an eighth of the pool in hand is scarcity, of either kind of chunk", test_scarce},
    {"chunks go back in any order, each once", test_order_of_return},
    {"without memory a chunk goes back once", test_no_memory},
    {"notes and versions that make no sense are refused", test_nonsense},
    {"a header length that lies stays inside the frame", test_header_length_lies},
    {NULL, NULL},
};
