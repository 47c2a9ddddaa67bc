/* SPDX-License-Identifier: BSD-3-Clause */
/* fifo_test.c — the stream that goes in comes out, at its positions, whatever the buffer does meanwhile. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/unit.h"
#include "worker/stack/fifo.h"

#define REGION_BYTES ((size_t)2 << 20)

static void memory_start(struct fifo_memory *memory)
{
    void *region = NULL;

    CU_ASSERT_EQUAL_FATAL(posix_memalign(&region, FIFO_MEMORY_PAGE_BYTES, REGION_BYTES), 0);
    CU_ASSERT_EQUAL_FATAL(fifo_memory_init(memory, region, REGION_BYTES), 0);
}

static void memory_stop(struct fifo_memory *memory)
{
    CU_ASSERT_EQUAL(fifo_memory_used_bytes(memory), 0);
    free(memory->base);
    fifo_memory_fini(memory);
}

/* The byte that belongs at a position of the stream. */
static uint8_t byte_at(uint64_t position)
{
    return (uint8_t)(position * 2654435761u >> 13);
}

static void fill(uint8_t *bytes, uint64_t position, uint32_t n_bytes)
{
    for (uint32_t i = 0; i < n_bytes; i++)
        bytes[i] = byte_at(position + i);
}

static int write_stream(struct fifo *fifo, struct fifo_memory *memory, uint32_t n_bytes)
{
    static uint8_t bytes[FIFO_MAX_BYTES + 1];

    fill(bytes, fifo->written, n_bytes);
    return fifo_write(fifo, memory, bytes, n_bytes);
}

static void check_span(struct fifo_span span, uint64_t position)
{
    uint32_t n_wrong = 0;

    for (uint32_t i = 0; i < span.len; i++)
        n_wrong += span.bytes[i] != byte_at(position + i);
    CU_ASSERT_EQUAL(n_wrong, 0);
}

static void consume_stream(struct fifo *fifo, struct fifo_memory *memory, uint32_t n_bytes)
{
    while (n_bytes > 0) {
        struct fifo_span span = fifo_peek(fifo, memory);
        uint32_t n = span.len < n_bytes ? span.len : n_bytes;

        CU_ASSERT_FATAL(n > 0);
        check_span((struct fifo_span){span.bytes, n}, fifo->read);
        fifo_consume(fifo, memory, n);
        n_bytes -= n;
    }
}

static void an_empty_fifo_holds_no_memory(void)
{
    struct fifo_memory memory;
    struct fifo fifo = {0};

    memory_start(&memory);
    CU_ASSERT_EQUAL(fifo_peek(&fifo, &memory).len, 0);
    CU_ASSERT_EQUAL(write_stream(&fifo, &memory, 1), 0);
    CU_ASSERT_EQUAL(fifo_memory_used_bytes(&memory), FIFO_MEMORY_MIN_BYTES);
    consume_stream(&fifo, &memory, 1);
    CU_ASSERT_EQUAL(fifo_memory_used_bytes(&memory), 0);
    CU_ASSERT_EQUAL(fifo.capacity, 0);
    CU_ASSERT_EQUAL(fifo.read, 1);
    memory_stop(&memory);
}

static void room_that_was_not_used_can_be_given_back(void)
{
    struct fifo_memory memory;
    struct fifo fifo = {0};

    memory_start(&memory);
    CU_ASSERT_EQUAL(fifo_make_room(&fifo, &memory, 5000), 0);
    CU_ASSERT_EQUAL(fifo_memory_used_bytes(&memory), 8192);
    fifo_trim(&fifo, &memory);
    CU_ASSERT_EQUAL(fifo_memory_used_bytes(&memory), 0);
    CU_ASSERT_EQUAL(write_stream(&fifo, &memory, 10), 0);
    fifo_trim(&fifo, &memory);
    CU_ASSERT_EQUAL(fifo_used(&fifo), 10);
    consume_stream(&fifo, &memory, 10);
    memory_stop(&memory);
}

static void any_mix_of_writes_and_reads_keeps_the_stream(void)
{
    struct fifo_memory memory;
    struct fifo fifo;
    uint32_t seed = 5;

    memory_start(&memory);
    fifo_init(&fifo, UINT64_C(0xffffffff) - 12345); /* over the edge of 32 bits on the way */
    for (unsigned turn = 0; turn < 3000; turn++) {
        uint32_t n_bytes = ((seed = seed * 1664525u + 1013904223u) >> 10) % 20000;

        if (turn % 100 < 60) {
            int failed = write_stream(&fifo, &memory, n_bytes);

            CU_ASSERT_EQUAL(failed,
                            fifo_used(&fifo) + (failed ? n_bytes : 0) > FIFO_MAX_BYTES ? -ENOBUFS : 0);
        }
        consume_stream(&fifo, &memory, n_bytes % 7001 % (fifo_used(&fifo) + 1));
    }
    CU_ASSERT(fifo.read > UINT64_C(0x100000000));
    consume_stream(&fifo, &memory, fifo_used(&fifo));
    memory_stop(&memory);
}

static void what_is_reserved_and_produced_is_read(void)
{
    struct fifo_memory memory;
    struct fifo fifo = {0};
    bool has_moved = false;

    memory_start(&memory);
    for (unsigned turn = 0; turn < 2000; turn++) {
        struct fifo_span span = fifo_reserve(&fifo, &memory, 1 + turn * 37 % 9000, &has_moved);
        uint32_t n_bytes = span.len - span.len / 3;

        fill(span.bytes, fifo.written, n_bytes);
        fifo_produce(&fifo, n_bytes);
        consume_stream(&fifo, &memory, turn * 53 % 6000 % (fifo_used(&fifo) + 1));
    }
    CU_ASSERT(has_moved);
    consume_stream(&fifo, &memory, fifo_used(&fifo));
    memory_stop(&memory);
}

static void growing_is_reported_only_when_bytes_moved(void)
{
    struct fifo_memory memory;
    struct fifo fifo = {0};
    bool has_moved = false;

    memory_start(&memory);
    CU_ASSERT_EQUAL(fifo_reserve(&fifo, &memory, 100, &has_moved).len, 100);
    CU_ASSERT_FALSE(has_moved);
    CU_ASSERT_EQUAL(fifo_reserve(&fifo, &memory, 5000, &has_moved).len, 5000);
    CU_ASSERT_FALSE(has_moved); /* nothing was in it yet */
    fifo_produce(&fifo, 5000);
    CU_ASSERT_EQUAL(fifo_reserve(&fifo, &memory, 3000, &has_moved).len, 3000);
    CU_ASSERT_FALSE(has_moved);
    CU_ASSERT_EQUAL(fifo_reserve(&fifo, &memory, 4000, &has_moved).len, 4000);
    CU_ASSERT_TRUE(has_moved);
    fifo_fini(&fifo, &memory);
    memory_stop(&memory);
}

static void a_fifo_that_may_not_move_keeps_its_pointers(void)
{
    struct fifo_memory memory;
    struct fifo fifo = {0};
    uint8_t *first;

    memory_start(&memory);
    CU_ASSERT_EQUAL(write_stream(&fifo, &memory, 4000), 0);
    first = fifo_peek(&fifo, &memory).bytes;
    CU_ASSERT_EQUAL(fifo_reserve(&fifo, &memory, 1000, NULL).len, 96);
    fifo_produce(&fifo, 96);
    CU_ASSERT_EQUAL(fifo_reserve(&fifo, &memory, 1000, NULL).len, 0);
    CU_ASSERT_PTR_EQUAL(fifo_peek(&fifo, &memory).bytes, first);
    fifo_fini(&fifo, &memory);
    memory_stop(&memory);
}

static void a_position_names_the_same_byte_after_growth(void)
{
    struct fifo_memory memory;
    struct fifo fifo;

    memory_start(&memory);
    fifo_init(&fifo, 3000);
    CU_ASSERT_EQUAL(write_stream(&fifo, &memory, 4096), 0); /* wraps */
    CU_ASSERT_EQUAL(write_stream(&fifo, &memory, 30000), 0);
    for (uint64_t position = fifo.read; position <= fifo.written; position += 11) {
        struct fifo_span span = fifo_span_at(&fifo, &memory, position, 1448);

        CU_ASSERT_EQUAL(span.len == 0, position == fifo.written);
        check_span(span, position);
    }
    CU_ASSERT_EQUAL(fifo_span_at(&fifo, &memory, fifo.written, 10).len, 0);
    fifo_fini(&fifo, &memory);
    memory_stop(&memory);
}

static void failure_leaves_everything_as_it_was(void)
{
    struct fifo_memory memory;
    struct fifo fifo = {0}, before;
    uint32_t blocks[2];

    memory_start(&memory);
    CU_ASSERT_EQUAL(write_stream(&fifo, &memory, 4096), 0);
    while (fifo_memory_alloc(&memory, FIFO_MEMORY_PAGE_BYTES) != FIFO_MEMORY_NONE)
        ;
    before = fifo;
    CU_ASSERT_EQUAL(write_stream(&fifo, &memory, 1), -ENOMEM);
    CU_ASSERT_EQUAL(fifo_make_room(&fifo, &memory, FIFO_MAX_BYTES), -ENOBUFS);
    CU_ASSERT_EQUAL(fifo_reserve(&fifo, &memory, 1, &(bool){false}).len, 0);
    CU_ASSERT_EQUAL(memcmp(&fifo, &before, sizeof(fifo)), 0);
    consume_stream(&fifo, &memory, 4096);
    blocks[0] = fifo_memory_alloc(&memory, FIFO_MEMORY_PAGE_BYTES);
    blocks[1] = fifo_memory_alloc(&memory, FIFO_MEMORY_PAGE_BYTES);
    CU_ASSERT_NOT_EQUAL(blocks[0], FIFO_MEMORY_NONE);
    CU_ASSERT_EQUAL(blocks[1], FIFO_MEMORY_NONE);
    free(memory.base);
    fifo_memory_fini(&memory);
}

/* Memory for what was asked is not there, but for less: the producer goes on slowly instead of not at all. */
static void short_memory_gives_a_short_reservation(void)
{
    struct fifo_memory memory;
    struct fifo fifo = {0};
    uint32_t page_idx = FIFO_MEMORY_NONE, block = FIFO_MEMORY_NONE;

    memory_start(&memory);
    for (;;) {
        block = fifo_memory_alloc(&memory, FIFO_MEMORY_PAGE_BYTES);
        if (block == FIFO_MEMORY_NONE)
            break;
        page_idx = block;
    }
    fifo_memory_free(&memory, page_idx, FIFO_MEMORY_PAGE_BYTES);
    CU_ASSERT_EQUAL(fifo_reserve(&fifo, &memory, 65536, &(bool){false}).len, FIFO_MEMORY_PAGE_BYTES);
    free(memory.base);
    fifo_memory_fini(&memory);
}

const char unit_suite_name[] = "worker/stack/fifo";
const struct unit_test unit_tests[] = {
    {"an empty FIFO holds no memory", an_empty_fifo_holds_no_memory},
    {"room that was not used can be given back", room_that_was_not_used_can_be_given_back},
    {"any mix of writes and reads keeps the stream", any_mix_of_writes_and_reads_keeps_the_stream},
    {"what is reserved and produced is read", what_is_reserved_and_produced_is_read},
    {"growing is reported only when bytes moved", growing_is_reported_only_when_bytes_moved},
    {"a FIFO that may not move keeps its pointers", a_fifo_that_may_not_move_keeps_its_pointers},
    {"a position names the same byte after growth", a_position_names_the_same_byte_after_growth},
    {"failure leaves everything as it was", failure_leaves_everything_as_it_was},
    {"short memory gives a short reservation", short_memory_gives_a_short_reservation},
    {NULL, NULL},
};
