/* SPDX-License-Identifier: BSD-3-Clause */
/* suspect.c — keeps accused frames (pcap by hand: five words and a header) and counts accusations by flow. */
#include "frontend/suspect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "frontend/classify.h"
#include "frontend/frontend.h"
#include "frontend/lane_order.h"

#define SUSPECT_PCAP_MAGIC 0xa1b23c4du /* nanoseconds */
#define SUSPECT_PCAP_ETHERNET 1u
/* A file that has grown so far begins anew with the next frontend. */
#define SUSPECT_FILE_MAX_BYTES (8 << 20)
#define SUSPECT_HEAD_ROOM (POOL_HEAD_BYTES - NIC_VNET_BYTES)

struct suspect_file_header {
    uint32_t magic;
    uint16_t version_major, version_minor;
    uint32_t zone, accuracy, snap_bytes, link;
};

struct suspect_frame_header {
    uint32_t seconds, ns, stored_bytes, len_bytes;
};

/* 0 or -errno. */
static int suspects_begin_file(int fd)
{
    const struct suspect_file_header header = {.magic = SUSPECT_PCAP_MAGIC,
                                               .version_major = 2,
                                               .version_minor = 4,
                                               .snap_bytes = NIC_MAX_FRAME_BYTES,
                                               .link = SUSPECT_PCAP_ETHERNET};
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    if (status.st_size >= (off_t)sizeof(header) && status.st_size < SUSPECT_FILE_MAX_BYTES)
        return 0;
    if (ftruncate(fd, 0) < 0 || write(fd, &header, sizeof(header)) != (ssize_t)sizeof(header))
        return -errno;
    return 0;
}

void suspects_init(struct suspects *suspects, const char *runtime_dir)
{
    char path[CONFIG_PATH_BYTES + 32];
    int failed;

    *suspects = (struct suspects){.file_fd = -1};
    snprintf(path, sizeof(path), "%s/suspects", runtime_dir);
    failed = mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
    snprintf(path, sizeof(path), "%s/suspects/frames.pcap", runtime_dir);
    if (failed == 0) {
        suspects->file_fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        failed = suspects->file_fd < 0 ? -errno : suspects_begin_file(suspects->file_fd);
    }
    if (failed == 0)
        return;
    log_warn("suspects_not_kept file=%s error=\"%s\"", path, strerror(-failed));
    fd_close(&suspects->file_fd);
}

void suspects_fini(struct suspects *suspects)
{
    fd_close(&suspects->file_fd);
}

static bool suspects_save(struct frontend *frontend, const struct held_frame *frame)
{
    struct suspects *suspects = &frontend->suspects;
    struct suspect_frame_header header = {.stored_bytes = frame->len_bytes, .len_bytes = frame->len_bytes};
    uint32_t head_len = frame->len_bytes < SUSPECT_HEAD_ROOM ? frame->len_bytes : SUSPECT_HEAD_ROOM;
    uint8_t *head = frame_pool_head(&frontend->pool, frame->head_idx) + NIC_VNET_BYTES;
    struct iovec parts[3] = {
        {&header, sizeof(header)}, {head, head_len}, {NULL, frame->len_bytes - head_len}};
    struct timespec now;

    if (suspects->file_fd < 0 || suspects->n_saved == SUSPECTS_MAX_SAVED)
        return false;
    suspects->n_saved++;
    clock_gettime(CLOCK_REALTIME, &now);
    header.seconds = (uint32_t)now.tv_sec;
    header.ns = (uint32_t)now.tv_nsec;
    if (parts[2].iov_len > 0)
        parts[2].iov_base = frame_pool_large(&frontend->pool, frame->large_idx);
    return writev(suspects->file_fd, parts, parts[2].iov_len > 0 ? 3 : 2) > 0;
}

/* The flow's entry; a new one takes a free place, or one in turn. */
static struct suspect_flow *suspects_find(struct suspects *suspects, const struct classify_verdict *verdict)
{
    struct suspect_flow *place = NULL;

    for (uint32_t i = 0; i < SUSPECTS_MAX_FLOWS; i++) {
        struct suspect_flow *flow = &suspects->flows[i];

        if (flow->n_accused > 0 && flow_key_equal(&flow->key, &verdict->key))
            return flow;
        if (flow->n_accused == 0 && place == NULL)
            place = flow;
    }
    if (place == NULL)
        place = &suspects->flows[suspects->next_place++ % SUSPECTS_MAX_FLOWS];
    *place = (struct suspect_flow){.key = verdict->key, .hash = verdict->hash};
    return place;
}

/* Whose frame it is; false: nobody's, which cannot be for a frame that went to a worker, unless our addresses
 * have changed since. */
static bool suspects_classify(struct frontend *frontend, const struct held_frame *frame,
                              struct classify_verdict *verdict)
{
    const struct classify_context context = {frontend->nic.mac, &frontend->addresses, &frontend->seed};
    const struct classify_frame view = {
        .head = frame_pool_head(&frontend->pool, frame->head_idx) + NIC_VNET_BYTES,
        .head_len = frame->len_bytes < SUSPECT_HEAD_ROOM ? frame->len_bytes : SUSPECT_HEAD_ROOM,
        .len_bytes = frame->len_bytes,
        .has_good_csum = true,
        .is_gso = true};

    classify_frame(&context, &view, verdict);
    return verdict->to == CLASSIFY_WORKER || verdict->to == CLASSIFY_ICMP_ERROR;
}

void suspects_accuse(struct frontend *frontend, const struct lane *lane, const struct held_frame *frame)
{
    struct board_event event = {
        .time_ns = frontend->now_ns, .kind = BOARD_EVENT_SUSPECT, .a = lane->slot, .b = 1};
    struct classify_verdict verdict;
    char text[128] = "?";

    event.n_frames = suspects_save(frontend, frame);
    counter_add(frontend->board.nic, NIC_rx_drop_suspect, 1);
    if (suspects_classify(frontend, frame, &verdict)) {
        struct suspect_flow *flow = suspects_find(&frontend->suspects, &verdict);

        flow->must_reset = ++flow->n_accused >= 2;
        event.b = flow->n_accused;
        event.key = flow->key;
        flow_key_format(&flow->key, text, sizeof(text));
    }
    frame_pool_put(&frontend->pool, frame->head_idx);
    log_error("suspect slot=%u flow=\"%s\" times=%llu saved=%s", lane->slot, text,
              (unsigned long long)event.b, event.n_frames > 0 ? "yes" : "no");
    board_event_put(&frontend->board, &event);
}

static bool suspects_reset_one(struct frontend *frontend, struct lane *lane, struct suspect_flow *flow)
{
    struct board_event event = {
        .time_ns = frontend->now_ns, .kind = BOARD_EVENT_FLOW_RESET, .a = lane->slot, .key = flow->key};
    struct attach_reset order = {.number = frontend->next_number++};

    memcpy(order.key, &flow->key, sizeof(order.key));
    if (lane_order_reset(lane, &order) != LANE_ORDER_SENT)
        return false;
    board_event_put(&frontend->board, &event);
    *flow = (struct suspect_flow){0};
    return true;
}

bool suspects_reset(struct frontend *frontend, struct lane *lane)
{
    for (uint32_t i = 0; i < SUSPECTS_MAX_FLOWS; i++) {
        struct suspect_flow *flow = &frontend->suspects.flows[i];

        if (flow->n_accused > 0 && flow->must_reset &&
            hold_announced(frontend, bucket_of(&frontend->buckets, flow->hash)) == lane->slot &&
            !suspects_reset_one(frontend, lane, flow))
            return false;
    }
    return true;
}
