/* SPDX-License-Identifier: BSD-3-Clause */
/* capture_test.c — promises of what `mpactl capture` gets: frames of both stages, whole and one behind the
 * other. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "frontend/frontend.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "frontend/capture";

#define N_FRAMES 20000u
#define MAX_FRAME_BYTES 96u

/* A frontend of which only the board and the lock of the stages are alive. */
static struct frontend *frontend_new(void)
{
    struct frontend *frontend = calloc(1, sizeof(*frontend));
    pthread_mutexattr_t attributes;

    CU_ASSERT_PTR_NOT_NULL_FATAL(frontend);
    CU_ASSERT_EQUAL_FATAL(board_init(&frontend->board, 256), 0);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&frontend->stage.lock, &attributes);
    frontend->board.capture.lane = BOARD_CAPTURE_ALL_LANES;
    frontend->board.capture.snap_bytes = MAX_FRAME_BYTES;
    return frontend;
}

static void frontend_delete(struct frontend *frontend)
{
    pthread_mutex_destroy(&frontend->stage.lock);
    board_fini(&frontend->board);
    free(frontend);
}

static void a_frame_without_a_tail_is_captured(void)
{
    struct frontend *frontend = frontend_new();
    struct board_capture_record record;
    uint8_t head[60], seen[MAX_FRAME_BYTES];
    const struct iovec parts[2] = {{head, sizeof(head)}, {NULL, 0}};

    memset(head, 7, sizeof(head));
    capture_start(frontend);
    CU_ASSERT_TRUE(frontend->is_capturing);
    capture_frame(frontend, parts, 2, 1, false);
    CU_ASSERT_TRUE_FATAL(board_capture_peek(&frontend->board, &record));
    CU_ASSERT_EQUAL(record.len_bytes, 60);
    CU_ASSERT_EQUAL(record.stored_bytes, 60);
    board_capture_take(&frontend->board, &record, seen);
    CU_ASSERT_EQUAL(memcmp(seen, head, sizeof(head)), 0);
    capture_stop(frontend);
    CU_ASSERT_FALSE(frontend->is_capturing);
    frontend_delete(frontend);
}

/* One stage's frames: of a length and a byte of its own. */
struct stage_frames {
    struct frontend *frontend;
    uint32_t len_bytes;
};

static void *send_frames(void *argument)
{
    const struct stage_frames *frames = argument;
    uint8_t bytes[MAX_FRAME_BYTES];
    const struct iovec part = {bytes, frames->len_bytes};

    memset(bytes, (int)frames->len_bytes, sizeof(bytes));
    for (unsigned i = 0; i < N_FRAMES; i++)
        capture_frame(frames->frontend, &part, 1, 0, true);
    return NULL;
}

static void two_stages_write_no_frame_into_another(void)
{
    struct frontend *frontend = frontend_new();
    struct stage_frames receive = {frontend, 41}, transmit = {frontend, 90};
    struct board_capture_record record;
    uint8_t seen[MAX_FRAME_BYTES];
    unsigned n_seen = 0, n_wrong = 0;
    pthread_t thread;

    frontend->stage.is_split = true;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, send_frames, &transmit), 0);
    send_frames(&receive);
    pthread_join(thread, NULL);
    while (n_wrong == 0 && board_capture_peek(&frontend->board, &record)) {
        if (record.len_bytes != 41 && record.len_bytes != 90) {
            n_wrong++;
            break;
        }
        board_capture_take(&frontend->board, &record, seen);
        for (uint32_t i = 0; i < record.stored_bytes; i++)
            n_wrong += seen[i] != record.len_bytes;
        n_seen++;
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
    CU_ASSERT_EQUAL(n_seen, 2 * N_FRAMES);
    frontend_delete(frontend);
}

const struct unit_test unit_tests[] = {
    {"a frame without a tail is captured", a_frame_without_a_tail_is_captured},
    {"two stages write no frame into another", two_stages_write_no_frame_into_another},
    {NULL, NULL},
};
