/* SPDX-License-Identifier: BSD-3-Clause */
/* board_test.c — promises of the notice board between the data loop and the control thread. */
#include "frontend/board.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "flow/bucket.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "frontend/board";

static struct board *board_new(void)
{
    struct board *board = malloc(sizeof(*board));

    CU_ASSERT_PTR_NOT_NULL_FATAL(board);
    CU_ASSERT_EQUAL_FATAL(board_init(board, 256), 0);
    return board;
}

static void board_delete(struct board *board)
{
    board_fini(board);
    free(board);
}

static void test_starts_without_workers(void)
{
    struct board *board = board_new();

    for (uint32_t i = 0; i < board->n_buckets; i++)
        CU_ASSERT_EQUAL(atomic_load(&board->bucket_worker[i]), BUCKET_NO_WORKER);
    CU_ASSERT_EQUAL(board_command_peek(board), BOARD_COMMAND_NONE);
    board_delete(board);
}

static void test_refuses_odd_bucket_numbers(void)
{
    static struct board board;

    CU_ASSERT_EQUAL(board_init(&board, 0), -EINVAL);
    CU_ASSERT_EQUAL(board_init(&board, 100), -EINVAL);
}

static void test_events_in_order(void)
{
    struct board *board = board_new();
    struct board_event event;
    uint64_t next = 0;
    uint64_t n_lost;

    CU_ASSERT_FALSE(board_event_read(board, &next, &event, &n_lost));
    board_event_add(board, 5, BOARD_EVENT_ATTACHED, 1, 0);
    board_event_add(board, 6, BOARD_EVENT_SERVING, 1, 77);
    CU_ASSERT_TRUE(board_event_read(board, &next, &event, &n_lost));
    CU_ASSERT_EQUAL(event.time_ns, 5);
    CU_ASSERT_EQUAL(event.kind, BOARD_EVENT_ATTACHED);
    CU_ASSERT_TRUE(board_event_read(board, &next, &event, &n_lost));
    CU_ASSERT_EQUAL(event.b, 77);
    CU_ASSERT_EQUAL(n_lost, 0);
    CU_ASSERT_FALSE(board_event_read(board, &next, &event, &n_lost));
    board_delete(board);
}

static void test_lost_events_are_counted(void)
{
    struct board *board = board_new();
    struct board_event event;
    uint64_t next = 0;
    uint64_t n_lost;

    for (uint32_t i = 0; i < BOARD_N_EVENTS + 9; i++)
        board_event_add(board, i, BOARD_EVENT_GONE, i, 0);
    CU_ASSERT_TRUE(board_event_read(board, &next, &event, &n_lost));
    /* Ten and not nine: the oldest place is the one the loop would write next. */
    CU_ASSERT_EQUAL(n_lost, 10);
    CU_ASSERT_EQUAL(event.a, 10);
    CU_ASSERT_TRUE(board_event_read(board, &next, &event, &n_lost));
    CU_ASSERT_EQUAL(n_lost, 0);
    CU_ASSERT_EQUAL(event.a, 11);
    board_delete(board);
}

static void test_addresses_come_back_whole(void)
{
    struct board *board = board_new();
    struct host_addresses in;
    struct host_addresses out;

    memset(&in, 0, sizeof(in));
    in.n_addresses = 2;
    in.mtu_bytes = 1480;
    memset(in.addresses, 0x5a, 2 * sizeof(in.addresses[0]));
    board_set_addresses(board, &in);
    board_get_addresses(board, &out);
    CU_ASSERT_EQUAL(memcmp(&in, &out, sizeof(in)), 0);
    board_delete(board);
}

static void test_one_command_at_a_time(void)
{
    struct board *board = board_new();
    struct pollfd wake = {.fd = board->command_fd, .events = POLLIN};

    CU_ASSERT_EQUAL(board_command(board, BOARD_COMMAND_STOP), 0);
    CU_ASSERT_EQUAL(poll(&wake, 1, 0), 1);
    CU_ASSERT_EQUAL(board_command(board, BOARD_COMMAND_CAPTURE_STOP), -EBUSY);
    CU_ASSERT_EQUAL(board_command_peek(board), BOARD_COMMAND_STOP);
    board_command_done(board);
    CU_ASSERT_EQUAL(board_command_peek(board), BOARD_COMMAND_NONE);
    CU_ASSERT_EQUAL(board_command(board, BOARD_COMMAND_CAPTURE_STOP), 0);
    board_delete(board);
}

static void test_capture_start_keeps_a_pending_command(void)
{
    struct board *board = board_new();
    const struct board_capture capture = {.lane = 3, .snap_bytes = 64};

    CU_ASSERT_EQUAL(board_command(board, BOARD_COMMAND_STOP), 0);
    CU_ASSERT_EQUAL(board_capture_start(board, &capture), -EBUSY);
    CU_ASSERT_EQUAL(board->capture.lane, 0);
    board_command_done(board);
    CU_ASSERT_EQUAL(board_capture_start(board, &capture), 0);
    CU_ASSERT_EQUAL(board->capture.lane, 3);
    board_delete(board);
}

/* Frames of changing sizes until the ring has wrapped some times; each must come out as it went in. */
static void test_capture_records_survive_the_wrap(void)
{
    struct board *board = board_new();
    static uint8_t in[3000];
    static uint8_t out[3000];
    bool is_same = true;

    for (uint32_t i = 0; i < 12000; i++) {
        uint32_t size = 1 + i * 37 % (uint32_t)sizeof(in);
        struct board_capture_record record = {
            .time_ns = i, .len_bytes = size, .stored_bytes = size, .lane = 1};
        struct board_capture_record seen;
        uint32_t n_head = size / 3;
        struct iovec parts[] = {{in, n_head}, {in + n_head, sizeof(in) - n_head}};

        memset(in, (int)(i & 0xff), sizeof(in));
        in[size - 1] = 0xee;
        is_same = is_same && board_capture_add(board, &record, parts, 2);
        is_same =
            is_same && board_capture_peek(board, &seen) && seen.time_ns == i && seen.stored_bytes == size;
        board_capture_take(board, &seen, out);
        is_same = is_same && memcmp(in, out, size) == 0;
    }
    CU_ASSERT_TRUE(is_same);
    CU_ASSERT_TRUE(atomic_load(&board->capture_written) > 2 * BOARD_CAPTURE_RING_BYTES);
    board_delete(board);
}

static void test_full_capture_ring_counts_and_keeps(void)
{
    struct board *board = board_new();
    static uint8_t bytes[65536];
    struct iovec part = {bytes, sizeof(bytes)};
    struct board_capture_record record = {.len_bytes = 65536, .stored_bytes = 65536};
    unsigned n_stored = 0;

    while (board_capture_add(board, &record, &part, 1))
        n_stored++;
    CU_ASSERT_EQUAL(n_stored, BOARD_CAPTURE_RING_BYTES / (65536 + sizeof(record)));
    CU_ASSERT_EQUAL(counter_get(board->nic, NIC_capture_missed), 1);
    for (unsigned i = 0; i < n_stored; i++) {
        CU_ASSERT_TRUE(board_capture_peek(board, &record));
        board_capture_take(board, &record, bytes);
    }
    CU_ASSERT_FALSE(board_capture_peek(board, &record));
    board_delete(board);
}

const struct unit_test unit_tests[] = {
    {"a new board has no worker and no command", test_starts_without_workers},
    {"a number of buckets that is no power of two is refused", test_refuses_odd_bucket_numbers},
    {"events come in the order they happened", test_events_in_order},
    {"events overwritten before they were read are counted", test_lost_events_are_counted},
    {"addresses come back whole", test_addresses_come_back_whole},
    {"one command at a time, and it wakes the loop", test_one_command_at_a_time},
    {"a capture start leaves a pending command alone", test_capture_start_keeps_a_pending_command},
    {"captured frames survive the wrap of the ring", test_capture_records_survive_the_wrap},
    {"a full capture ring counts what it misses and keeps what it has",
     test_full_capture_ring_counts_and_keeps},
    {NULL, NULL},
};
