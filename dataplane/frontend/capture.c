/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture.c — copies of frames for `mpactl capture`, into the board's ring. Costs one test a frame while
 * nobody captures; a slow reader loses frames (counted), never the data path. Both stages capture, and the
 * ring has one producer: whoever captures holds the lock of the stages, which the transmit stage does anyway.
 */
#include <pcap/pcap.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include "base/clock.h"
#include "frontend/frontend.h"

void capture_start(struct frontend *frontend)
{
    stage_lock(frontend);
    frontend->is_capturing = true;
    stage_unlock(frontend);
}

void capture_stop(struct frontend *frontend)
{
    stage_lock(frontend);
    frontend->is_capturing = false;
    stage_unlock(frontend);
}

static bool capture_is_wanted(const struct board_capture *capture, const uint8_t *frame, uint32_t len)
{
    if (capture->n_filter == 0)
        return true;
    /* The program was checked by bpf_validate() before it came here. */
    return bpf_filter((const struct bpf_insn *)(const void *)capture->filter, frame, len, len) != 0;
}

static uint64_t capture_time_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Under the lock. */
static void capture_add(struct frontend *frontend, const struct iovec *parts, int n_parts,
                        struct board_capture_record *record)
{
    static uint8_t frame[NIC_MAX_FRAME_BYTES];
    const struct board_capture *capture = &frontend->board.capture;
    struct iovec whole = {.iov_base = frame};

    /* In one piece, as the filter wants it. */
    for (int i = 0; i < n_parts && record->len_bytes + parts[i].iov_len <= sizeof(frame); i++) {
        /* A frame without a tail has none to point at. */
        if (parts[i].iov_len > 0)
            memcpy(frame + record->len_bytes, parts[i].iov_base, parts[i].iov_len);
        record->len_bytes += (uint32_t)parts[i].iov_len;
    }
    if (!capture_is_wanted(capture, frame, record->len_bytes))
        return;
    record->stored_bytes = record->len_bytes < capture->snap_bytes ? record->len_bytes : capture->snap_bytes;
    whole.iov_len = record->stored_bytes;
    board_capture_add(&frontend->board, record, &whole, 1); /* it counts what it has no room for */
}

void capture_frame(struct frontend *frontend, const struct iovec *parts, int n_parts, uint32_t lane,
                   bool is_out)
{
    const struct board_capture *capture = &frontend->board.capture;
    struct board_capture_record record = {.time_ns = capture_time_ns(), .lane = lane, .is_out = is_out};

    stage_lock(frontend);
    if (capture->lane == BOARD_CAPTURE_ALL_LANES || capture->lane == lane)
        capture_add(frontend, parts, n_parts, &record);
    stage_unlock(frontend);
}
