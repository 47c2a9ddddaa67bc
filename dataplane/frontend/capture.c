/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture.c — copies of frames for `mpactl capture`, into the board's ring. Costs one test a frame while nobody
 * captures; a slow reader loses frames (counted), never the data path.
 */
#include <pcap/pcap.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include "base/clock.h"
#include "frontend/frontend.h"

#define CAPTURE_MAX_FRAME_BYTES NIC_MAX_FRAME_BYTES
#define CAPTURE_ALIGN_BYTES 8u

void capture_start(struct frontend *frontend)
{
    frontend->is_capturing = true;
}

void capture_stop(struct frontend *frontend)
{
    frontend->is_capturing = false;
}

static bool capture_is_wanted(const struct board_capture *capture, const uint8_t *frame, uint32_t len)
{
    if (capture->n_filter == 0)
        return true;
    /* The program was checked by bpf_validate() before it came here. */
    return bpf_filter((const struct bpf_insn *)(const void *)capture->filter, frame, len, len) != 0;
}

/* Writes to the byte ring, which may wrap. */
static void capture_put(struct board *board, uint64_t position, const void *bytes, uint32_t size)
{
    uint32_t off = (uint32_t)(position % BOARD_CAPTURE_RING_BYTES);
    uint32_t first = BOARD_CAPTURE_RING_BYTES - off < size ? BOARD_CAPTURE_RING_BYTES - off : size;

    memcpy(board->capture_ring + off, bytes, first);
    memcpy(board->capture_ring, (const uint8_t *)bytes + first, size - first);
}

static uint64_t capture_time_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

void capture_frame(struct frontend *frontend, const struct iovec *parts, int n_parts, uint32_t lane, bool is_out)
{
    static uint8_t frame[CAPTURE_MAX_FRAME_BYTES];
    struct board *board = &frontend->board;
    const struct board_capture *capture = &board->capture;
    struct board_capture_record record = {.time_ns = capture_time_ns(), .lane = lane, .is_out = is_out};
    uint64_t written = atomic_load_explicit(&board->capture_written, memory_order_relaxed);
    uint64_t read = atomic_load_explicit(&board->capture_read, memory_order_acquire);
    uint64_t need;

    if (capture->lane != BOARD_CAPTURE_ALL_LANES && capture->lane != lane)
        return;
    for (int i = 0; i < n_parts && record.len_bytes + parts[i].iov_len <= sizeof(frame); i++) {
        memcpy(frame + record.len_bytes, parts[i].iov_base, parts[i].iov_len);
        record.len_bytes += (uint32_t)parts[i].iov_len;
    }
    if (!capture_is_wanted(capture, frame, record.len_bytes))
        return;
    record.stored_bytes = record.len_bytes < capture->snap_bytes ? record.len_bytes : capture->snap_bytes;
    need = (sizeof(record) + record.stored_bytes + CAPTURE_ALIGN_BYTES - 1) & ~(uint64_t)(CAPTURE_ALIGN_BYTES - 1);
    if (written - read + need > BOARD_CAPTURE_RING_BYTES) {
        counter_add(board->nic, NIC_capture_missed, 1);
        return;
    }
    capture_put(board, written, &record, sizeof(record));
    capture_put(board, written + sizeof(record), frame, record.stored_bytes);
    atomic_store_explicit(&board->capture_written, written + need, memory_order_release);
}
