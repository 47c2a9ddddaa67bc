/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * board_threads_test.c — the board between two threads, as loop and control thread use it: whatever the
 * reader sees is whole. Under ThreadSanitizer this is also the proof that the order of memory suffices.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/board.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "frontend/board, two threads";

#define N_ROUNDS 20000u
#define MAX_FRAME_BYTES 2000u

static struct board *board_new(void)
{
    struct board *board = malloc(sizeof(*board));

    CU_ASSERT_PTR_NOT_NULL_FATAL(board);
    CU_ASSERT_EQUAL_FATAL(board_init(board, 64), 0);
    return board;
}

static void board_delete(struct board *board)
{
    board_fini(board);
    free(board);
}

static void *loop_events(void *argument)
{
    struct board *board = argument;

    for (uint32_t i = 0; i < N_ROUNDS; i++)
        board_event_add(board, i, BOARD_EVENT_GONE, i, ~(uint64_t)i);
    return NULL;
}

static void test_events_are_whole_and_counted(void)
{
    struct board *board = board_new();
    pthread_t loop;
    uint64_t next = 0;
    uint64_t n_seen = 0;
    bool is_whole = true;

    CU_ASSERT_EQUAL_FATAL(pthread_create(&loop, NULL, loop_events, board), 0);
    while (n_seen < N_ROUNDS) {
        struct board_event event;
        uint64_t n_lost;

        if (!board_event_read(board, &next, &event, &n_lost)) {
            sched_yield();
            continue;
        }
        n_seen += n_lost + 1;
        is_whole =
            is_whole && event.a == n_seen - 1 && event.time_ns == event.a && event.b == ~(uint64_t)event.a;
    }
    pthread_join(loop, NULL);
    CU_ASSERT_TRUE(is_whole);
    CU_ASSERT_EQUAL(n_seen, N_ROUNDS);
    board_delete(board);
}

static void *loop_addresses(void *argument)
{
    struct board *board = argument;
    struct host_addresses addresses;

    for (uint32_t i = 0; i < N_ROUNDS; i++) {
        memset(&addresses, (int)(i & 0xff), sizeof(addresses));
        board_set_addresses(board, &addresses);
        /* In life they change once in minutes; a reader must get its chance here too. */
        if (i % 16 == 0)
            sched_yield();
    }
    return NULL;
}

static void test_addresses_are_of_one_moment(void)
{
    struct board *board = board_new();
    pthread_t loop;
    bool is_whole = true;

    CU_ASSERT_EQUAL_FATAL(pthread_create(&loop, NULL, loop_addresses, board), 0);
    for (uint32_t i = 0; i < N_ROUNDS / 10; i++) {
        struct host_addresses seen;
        struct host_addresses expected;

        board_get_addresses(board, &seen);
        memset(&expected, seen.addresses[0].family, sizeof(expected));
        is_whole = is_whole && memcmp(&seen, &expected, sizeof(seen)) == 0;
    }
    pthread_join(loop, NULL);
    CU_ASSERT_TRUE(is_whole);
    board_delete(board);
}

static uint32_t frame_size(uint32_t i)
{
    return 1 + i * 37 % MAX_FRAME_BYTES;
}

static void *loop_capture(void *argument)
{
    struct board *board = argument;
    uint8_t frame[MAX_FRAME_BYTES];
    struct iovec part = {frame, sizeof(frame)};

    for (uint32_t i = 0; i < N_ROUNDS; i++) {
        struct board_capture_record record = {
            .time_ns = i, .len_bytes = frame_size(i), .stored_bytes = frame_size(i)};

        memset(frame, (int)(i & 0xff), sizeof(frame));
        while (!board_capture_add(board, &record, &part, 1))
            sched_yield();
    }
    return NULL;
}

static void test_captured_frames_are_whole_and_in_order(void)
{
    struct board *board = board_new();
    pthread_t loop;
    bool is_whole = true;

    CU_ASSERT_EQUAL_FATAL(pthread_create(&loop, NULL, loop_capture, board), 0);
    for (uint32_t i = 0; i < N_ROUNDS; i++) {
        struct board_capture_record record;
        uint8_t frame[MAX_FRAME_BYTES];
        uint8_t expected[MAX_FRAME_BYTES];

        while (!board_capture_peek(board, &record))
            sched_yield();
        CU_ASSERT_FATAL(record.stored_bytes <= sizeof(frame));
        board_capture_take(board, &record, frame);
        memset(expected, (int)(i & 0xff), sizeof(expected));
        is_whole = is_whole && record.time_ns == i && record.stored_bytes == frame_size(i) &&
                   memcmp(frame, expected, record.stored_bytes) == 0;
    }
    pthread_join(loop, NULL);
    CU_ASSERT_TRUE(is_whole);
    board_delete(board);
}

static void *loop_commands(void *argument)
{
    struct board *board = argument;
    uint32_t n_bad = 0;
    enum board_command_kind command;

    do {
        command = board_command_peek(board);
        if (command == BOARD_COMMAND_CAPTURE_START && board->capture.lane != board->capture.snap_bytes)
            n_bad++;
        if (command == BOARD_COMMAND_NONE)
            sched_yield();
        else
            board_command_done(board);
    } while (command != BOARD_COMMAND_STOP);
    return (void *)(uintptr_t)n_bad;
}

static void test_commands_arrive_with_what_they_are_about(void)
{
    struct board *board = board_new();
    pthread_t loop;
    void *n_bad;

    CU_ASSERT_EQUAL_FATAL(pthread_create(&loop, NULL, loop_commands, board), 0);
    for (uint32_t i = 1; i < N_ROUNDS / 10; i++) {
        const struct board_capture capture = {.lane = i, .snap_bytes = i};

        while (board_capture_start(board, &capture) != 0)
            sched_yield();
    }
    while (board_command(board, BOARD_COMMAND_STOP) != 0)
        sched_yield();
    pthread_join(loop, &n_bad);
    CU_ASSERT_PTR_NULL(n_bad);
    board_delete(board);
}

const struct unit_test unit_tests[] = {
    {"events are whole, in order, and none is lost uncounted", test_events_are_whole_and_counted},
    {"addresses are of one moment", test_addresses_are_of_one_moment},
    {"captured frames are whole and in order", test_captured_frames_are_whole_and_in_order},
    {"a command arrives with what it is about", test_commands_arrive_with_what_they_are_about},
    {NULL, NULL},
};
