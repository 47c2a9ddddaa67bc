/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_capture.c — the capture commands. One capture at a time. The reader asks for what is there; it
 * holds the capture by reading, so a reader that died costs the loop five seconds of copying at most. Filters
 * come over the wire and run in the data loop, so they are checked here: jumps inside the program, memory in
 * range, an end.
 */
#include "frontend/control_internal.h"

#include <errno.h>
#include <pcap/bpf.h>
#include <string.h>

_Static_assert(sizeof(struct bpf_insn) == 8, "the board keeps an instruction in a word");

/* The program of the request as instructions in `to`; false when it is no valid program. */
static bool filter_take(const Mpa__V1__CaptureStartRequest *request, struct board_capture *to)
{
    struct bpf_insn program[BOARD_CAPTURE_MAX_FILTER];

    if (request->n_filter > BOARD_CAPTURE_MAX_FILTER)
        return false;
    for (size_t i = 0; i < request->n_filter; i++) {
        uint64_t word = request->filter[i];

        program[i] = (struct bpf_insn){.code = (u_short)(word >> 48),
                                       .jt = (u_char)(word >> 40),
                                       .jf = (u_char)(word >> 32),
                                       .k = (u_int)word};
    }
    if (request->n_filter > 0 && bpf_validate(program, (int)request->n_filter) == 0)
        return false;
    to->n_filter = (uint32_t)request->n_filter;
    memcpy(to->filter, program, request->n_filter * sizeof(program[0]));
    return true;
}

/* True when a new capture may be asked for; else the reply says why not. */
static bool can_start(struct control_call *call, const Mpa__V1__CaptureStartRequest *request)
{
    const struct control_capture *capture = &call->core->capture;

    if (request->lane >= CONFIG_MAX_WORKERS && request->lane != BOARD_CAPTURE_ALL_LANES) {
        control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, "lane",
                       "there is no lane %u (allowed: 0 to %u, or %u for all)", request->lane,
                       CONFIG_MAX_WORKERS - 1, BOARD_CAPTURE_ALL_LANES);
        return false;
    }
    if (capture->capture_id != 0 || capture->is_stop_due) {
        control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_BUSY, "", "another capture is running");
        return false;
    }
    return true;
}

int control_capture_start(struct control_call *call)
{
    const Mpa__V1__CaptureStartRequest *request = call->request->capture_start;
    struct control_capture *capture = &call->core->capture;
    struct board_capture wanted = {.lane = request->lane, .snap_bytes = request->snap_bytes};
    Mpa__V1__CaptureStartReply *body;

    if (!can_start(call, request))
        return 0;
    if (!filter_take(request, &wanted)) {
        control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, "filter",
                       "not a valid BPF program of at most %u instructions", BOARD_CAPTURE_MAX_FILTER);
        return 0;
    }
    if (wanted.snap_bytes == 0 || wanted.snap_bytes > BOARD_CAPTURE_MAX_SNAP)
        wanted.snap_bytes = BOARD_CAPTURE_MAX_SNAP;
    body = control_alloc(&call->core->arena, 1, sizeof(*body));
    if (body == NULL)
        return -ENOMEM;
    if (board_capture_start(call->core->board, &wanted) != 0) {
        control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_BUSY, "",
                       "the data loop has a command in hand, try again");
        return 0;
    }
    capture->capture_id = ++capture->last_id;
    capture->lease_end_ns = call->now_ns + CONTROL_CAPTURE_LEASE_NS;
    capture->missed_before = counter_get(call->core->board->nic, NIC_capture_missed);
    mpa__v1__capture_start_reply__init(body);
    body->capture_id = capture->capture_id;
    call->reply->body_case = MPA__V1__REPLY__BODY_CAPTURE_START;
    call->reply->capture_start = body;
    return 0;
}

/* True when `capture_id` names the capture that runs; else the reply says so. */
static bool is_running(struct control_call *call, uint64_t capture_id)
{
    if (capture_id != 0 && capture_id == call->core->capture.capture_id)
        return true;
    control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_NOT_FOUND, "capture_id",
                   "capture %llu is not running (nobody read it for 5 seconds, or it was stopped)",
                   (unsigned long long)capture_id);
    return false;
}

static uint64_t n_missed(const struct control_core *core)
{
    return counter_get(core->board->nic, NIC_capture_missed) - core->capture.missed_before;
}

/* The oldest frame in the ring as a message, or NULL when there is none, it does not fit or memory is out. */
static Mpa__V1__CapturedFrame *frame_take(struct control_core *core, size_t room_bytes)
{
    struct board_capture_record record;
    Mpa__V1__CapturedFrame *frame;
    uint8_t *bytes;

    if (!board_capture_peek(core->board, &record) || record.stored_bytes > room_bytes)
        return NULL;
    frame = control_alloc(&core->arena, 1, sizeof(*frame));
    bytes = control_alloc(&core->arena, 1, record.stored_bytes);
    if (frame == NULL || bytes == NULL)
        return NULL;
    board_capture_take(core->board, &record, bytes);
    mpa__v1__captured_frame__init(frame);
    frame->time_ns = record.time_ns;
    frame->len_bytes = record.len_bytes;
    frame->lane = record.lane;
    frame->is_out = record.is_out != 0;
    frame->data.data = bytes;
    frame->data.len = record.stored_bytes;
    return frame;
}

int control_capture_read(struct control_call *call)
{
    const Mpa__V1__CaptureReadRequest *request = call->request->capture_read;
    struct control_core *core = call->core;
    size_t room_bytes = request->max_bytes;
    Mpa__V1__CaptureReadReply *body;
    Mpa__V1__CapturedFrame *frame;

    if (!is_running(call, request->capture_id))
        return 0;
    if (room_bytes == 0 || room_bytes > CONTROL_CAPTURE_MAX_READ_BYTES)
        room_bytes = CONTROL_CAPTURE_MAX_READ_BYTES;
    /* Less than one frame would never get anything. */
    if (room_bytes < BOARD_CAPTURE_MAX_SNAP)
        room_bytes = BOARD_CAPTURE_MAX_SNAP;
    body = control_alloc(&core->arena, 1, sizeof(*body));
    if (body == NULL)
        return -ENOMEM;
    mpa__v1__capture_read_reply__init(body);
    body->frames = control_alloc(&core->arena, CONTROL_CAPTURE_MAX_READ_FRAMES, sizeof(*body->frames));
    if (body->frames == NULL)
        return -ENOMEM;
    while (body->n_frames < CONTROL_CAPTURE_MAX_READ_FRAMES &&
           (frame = frame_take(core, room_bytes)) != NULL) {
        body->frames[body->n_frames++] = frame;
        room_bytes -= frame->data.len;
    }
    body->missed = n_missed(core);
    core->capture.lease_end_ns = call->now_ns + CONTROL_CAPTURE_LEASE_NS;
    call->reply->body_case = MPA__V1__REPLY__BODY_CAPTURE_READ;
    call->reply->capture_read = body;
    return 0;
}

int control_capture_stop(struct control_call *call)
{
    Mpa__V1__CaptureStopReply *body;

    if (!is_running(call, call->request->capture_stop->capture_id))
        return 0;
    body = control_alloc(&call->core->arena, 1, sizeof(*body));
    if (body == NULL)
        return -ENOMEM;
    mpa__v1__capture_stop_reply__init(body);
    body->missed = n_missed(call->core);
    /* The loop learns it with the next tick. */
    call->core->capture.capture_id = 0;
    call->core->capture.is_stop_due = true;
    call->reply->body_case = MPA__V1__REPLY__BODY_CAPTURE_STOP;
    call->reply->capture_stop = body;
    return 0;
}
