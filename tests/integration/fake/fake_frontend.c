/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_frontend.c — stands in for mpa-frontend in tests of the control plane: the real board and the real
 * control endpoint over traffic that is made up. Fake workers attach by leaving a file "worker-N.pid" in the
 * runtime folder. Files of that folder play the faults:
 *   fake-frontend-fails    exit at once with a message
 *   fake-quarantine-N      put worker N's lane into quarantine (taken away when done)
 *   fake-drain-N-fails     a drain of worker N ends with "the new worker died" (nothing is moved)
 *   fake-drain-N-waits     a drain of worker N does not end while the file is there
 *   fake-skew              every eighth bucket gets 100 times the traffic of the others
 *   fake-migrate-fails     moves of buckets end with "the new worker died" (nothing is moved)
 *   fake-chatter           a hundred events a turn
 * Orders are carried out at once, a flow to port 1 is one that does not exist, buckets are kept even.
 *   fake-frontend-hangs    do not react to SIGTERM
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "frontend/board.h"
#include "frontend/control.h"

#define TURN_MS 10
#define N_BUCKETS 64u

static const char *runtime_dir = "";
static bool is_capturing;

/* An Ethernet frame with a UDP datagram to port 7, 60 bytes; enough for a filter to look at. */
static const uint8_t frame_udp[60] = {
    0x02, 0x4d, 0x50, 0x41, 0x00, 0x01, 0x02, 0,  0, 0, 0,  9,  0x08, 0x00, 0x45, 0,    0, 46, 0, 0,
    0,    0,    64,   17,   0,    0,    10,   77, 0, 1, 10, 77, 0,    2,    0x30, 0x39, 0, 7,  0, 26};
/* An ARP request. */
static const uint8_t frame_arp[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0, 0, 0,
                                      9,    0x08, 0x06, 0,    1,    8,    0,    6, 4, 0, 1};

static bool has_file(const char *name, bool is_taken)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", runtime_dir, name);
    return access(path, F_OK) == 0 && (!is_taken || unlink(path) == 0);
}

/* Process number that worker `slot` left; 0 when there is none or it has ended. */
static pid_t worker_pid(uint32_t slot)
{
    char path[256];
    FILE *file;
    int pid = 0;

    snprintf(path, sizeof(path), "%s/worker-%u.pid", runtime_dir, slot);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%d", &pid) != 1 || kill(pid, 0) < 0)
        pid = 0;
    fclose(file);
    return pid;
}

static uint8_t owners[N_BUCKETS];
static bool is_draining[CONFIG_MAX_WORKERS];

static bool is_serving(struct board *board, uint32_t slot)
{
    return atomic_load(&board->lanes[slot].state) == BOARD_LANE_SERVING;
}

/* Buckets in turn to the lanes that may have some. The number that moved; UINT32_MAX: nobody may. */
static uint32_t buckets_spread(struct board *board)
{
    uint32_t slots[CONFIG_MAX_WORKERS];
    uint32_t n_moved = 0;
    uint32_t n = 0;

    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        if (is_serving(board, slot) && !is_draining[slot])
            slots[n++] = slot;
    }
    for (uint32_t bucket = 0; bucket < N_BUCKETS && n > 0; bucket++) {
        n_moved += owners[bucket] != slots[bucket % n];
        owners[bucket] = (uint8_t)slots[bucket % n];
    }
    return n == 0 ? UINT32_MAX : n_moved;
}

/* Board and gauges as the owners say. */
static void buckets_show(struct board *board)
{
    uint32_t n[CONFIG_MAX_WORKERS] = {0};

    for (uint32_t bucket = 0; bucket < N_BUCKETS; bucket++) {
        atomic_store(&board->bucket_worker[bucket], owners[bucket]);
        n[owners[bucket] % CONFIG_MAX_WORKERS]++;
    }
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        atomic_store(&board->lanes[slot].gauges[GAUGE_buckets], n[slot]);
        atomic_store(&board->lanes[slot].gauges[GAUGE_is_draining], is_draining[slot]);
    }
}

static void lane_set_state(struct board *board, uint32_t slot, enum board_lane_state state,
                           enum board_event_kind event, uint64_t detail)
{
    atomic_store(&board->lanes[slot].state, state);
    if (state != BOARD_LANE_SERVING)
        is_draining[slot] = false;
    (void)buckets_spread(board);
    board_event_add(board, clock_now_ns(), event, slot, detail);
}

static void lane_turn(struct board *board, uint32_t slot)
{
    struct board_lane *lane = &board->lanes[slot];
    enum board_lane_state state = (enum board_lane_state)atomic_load(&lane->state);
    pid_t pid = worker_pid(slot);
    char quarantine[32];

    snprintf(quarantine, sizeof(quarantine), "fake-quarantine-%u", slot);
    if (pid != 0 && (uint64_t)pid != atomic_load(&lane->gauges[GAUGE_pid])) {
        atomic_store(&lane->gauges[GAUGE_pid], (uint64_t)pid);
        atomic_store(&lane->gauges[GAUGE_attached_ns], clock_now_ns());
        lane_set_state(board, slot, BOARD_LANE_SERVING, BOARD_EVENT_SERVING, N_BUCKETS / 2);
    } else if (pid == 0 && state == BOARD_LANE_SERVING) {
        lane_set_state(board, slot, BOARD_LANE_EMPTY, BOARD_EVENT_GONE, 0);
    } else if (state == BOARD_LANE_SERVING && has_file(quarantine, true)) {
        atomic_store(&lane->fault, LANE_fault_index);
        lane_set_state(board, slot, BOARD_LANE_QUARANTINED, BOARD_EVENT_QUARANTINED, LANE_fault_index);
    } else if (state == BOARD_LANE_SERVING) {
        counter_add(lane->worker_counters, WORKER_rx_frames, 1);
        atomic_store(&lane->gauges[GAUGE_heartbeat_ns], clock_now_ns());
    }
}

static enum board_result order_drain(struct board *board, const struct board_order *order, uint32_t *n_moved)
{
    char file[32];

    snprintf(file, sizeof(file), "fake-drain-%u-fails", order->slot);
    if (has_file(file, false))
        return BOARD_RESULT_TARGET_DIED;
    is_draining[order->slot] = true;
    *n_moved = buckets_spread(board);
    if (*n_moved != UINT32_MAX)
        return BOARD_RESULT_DONE;
    is_draining[order->slot] = false;
    *n_moved = 0;
    return BOARD_RESULT_LAST;
}

static enum board_result order_run(struct board *board, const struct board_order *order, uint32_t *n_moved)
{
    switch ((enum board_order_kind)order->kind) {
    case BOARD_ORDER_MOVE_BUCKETS:
        if (has_file("fake-migrate-fails", false))
            return BOARD_RESULT_TARGET_DIED;
        for (uint32_t i = 0; i < order->n_buckets; i++) {
            *n_moved += owners[order->buckets[i]] != order->to;
            owners[order->buckets[i]] = (uint8_t)order->to;
        }
        return BOARD_RESULT_DONE;
    case BOARD_ORDER_MOVE_FLOW:
        return order->key.remote_port_be == htons(1) ? BOARD_RESULT_NOT_FOUND : BOARD_RESULT_DONE;
    case BOARD_ORDER_DRAIN:
        return order_drain(board, order, n_moved);
    case BOARD_ORDER_UNDRAIN:
        is_draining[order->slot] = false;
        *n_moved = buckets_spread(board);
        return BOARD_RESULT_DONE;
    case BOARD_ORDER_KILL:
        kill((pid_t)atomic_load(&board->lanes[order->slot].gauges[GAUGE_pid]), SIGKILL);
        return BOARD_RESULT_DONE;
    }
    return BOARD_RESULT_LOST;
}

static void orders_turn(struct board *board)
{
    static struct board_order order;
    static bool has_order;
    struct board_order_result result = {.duration_ns = 820000};
    char file[32];

    if (!has_order && !board_order_take(board, &order))
        return;
    snprintf(file, sizeof(file), "fake-drain-%u-waits", order.slot);
    has_order = order.kind == BOARD_ORDER_DRAIN && has_file(file, false);
    if (has_order)
        return;
    result.id = order.id;
    result.result = order_run(board, &order, &result.n_buckets);
    result.n_flows = 2 * result.n_buckets;
    board_event_put(board, &(struct board_event){.time_ns = clock_now_ns(),
                                                 .kind = BOARD_EVENT_HANDOVER,
                                                 .a = order.slot,
                                                 .a2 = order.to,
                                                 .b = result.duration_ns,
                                                 .n_flows = result.n_flows,
                                                 .n_buckets = result.n_buckets,
                                                 .n_frames = 1,
                                                 .number = (uint32_t)order.id,
                                                 .result = result.result,
                                                 .key = order.key});
    board_order_done(board, &result);
}

static void records_turn(struct board *board)
{
    int fds[CONFIG_MAX_WORKERS];

    if (!board_records_wanted(board))
        return;
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++)
        fds[slot] = -1;
    board_records_give(board, fds);
}

static void capture_one(struct board *board, const uint8_t *frame, uint32_t size, uint32_t lane)
{
    const struct board_capture *wanted = &board->capture;
    struct iovec part = {.iov_base = (void *)(uintptr_t)frame, .iov_len = size};
    struct board_capture_record record = {.len_bytes = size, .lane = lane};
    struct bpf_insn program[BOARD_CAPTURE_MAX_FILTER];
    struct timespec now;

    memcpy(program, wanted->filter, wanted->n_filter * sizeof(program[0]));
    if ((wanted->lane != BOARD_CAPTURE_ALL_LANES && wanted->lane != lane) ||
        (wanted->n_filter > 0 && bpf_filter(program, frame, size, size) == 0))
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    record.time_ns = (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
    record.stored_bytes = size < wanted->snap_bytes ? size : wanted->snap_bytes;
    board_capture_add(board, &record, &part, 1);
}

/* False when the control thread wants us to leave. */
static bool command_turn(struct board *board)
{
    enum board_command_kind command = board_command_peek(board);
    uint64_t ignored;

    (void)!read(board->command_fd, &ignored, sizeof(ignored));
    if (command == BOARD_COMMAND_NONE)
        return true;
    is_capturing =
        command == BOARD_COMMAND_CAPTURE_START || (is_capturing && command != BOARD_COMMAND_CAPTURE_STOP);
    board_command_done(board);
    return command != BOARD_COMMAND_STOP;
}

/* Traffic that only the tests of the balancer see; a worker's CPU is the part of it that it has. */
static void skew_turn(struct board *board)
{
    uint64_t load[CONFIG_MAX_WORKERS] = {0};
    uint64_t sum = 0;

    if (!has_file("fake-skew", false))
        return;
    for (uint32_t bucket = 0; bucket < N_BUCKETS; bucket++) {
        uint32_t n = bucket % 8 == 0 ? 100 : 1;

        counter_add(board->bucket_frames, bucket, n);
        load[owners[bucket] % CONFIG_MAX_WORKERS] += n;
        sum += n;
    }
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++)
        atomic_store(&board->lanes[slot].gauges[GAUGE_busy_permille], load[slot] * 900 / sum);
}

/* Lane 9 is nobody's. */
static void chatter_turn(struct board *board)
{
    if (!has_file("fake-chatter", false))
        return;
    for (uint64_t i = 0; i < 100; i++)
        board_event_add(board, clock_now_ns(), BOARD_EVENT_CONGESTED, 9, i & 1);
}

static void turn(struct board *board)
{
    chatter_turn(board);
    skew_turn(board);
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++)
        lane_turn(board, slot);
    orders_turn(board);
    records_turn(board);
    buckets_show(board);
    counter_add(board->nic, NIC_rx_frames, 2);
    counter_add(board->bucket_frames, 3, 1);
    if (is_capturing) {
        capture_one(board, frame_udp, sizeof(frame_udp), 1);
        capture_one(board, frame_arp, sizeof(frame_arp), BOARD_CAPTURE_ALL_LANES);
    }
}

static void board_fill(struct board *board, const struct config *config)
{
    struct host_addresses addresses = {.n_addresses = 1, .mtu_bytes = 1500};

    memcpy(board->nic_info.mac, config->nic.mac, sizeof(config->nic.mac));
    board->nic_info.mtu_bytes = config->nic.mtu_bytes;
    board->nic_info.caps = 1;
    addresses.addresses[0] = (struct config_address){.family = 4, .prefix_bits = 24, .bytes = {10, 77, 0, 2}};
    board_set_addresses(board, &addresses);
}

static void run(struct board *board, int signal_fd)
{
    struct pollfd places[] = {{.fd = signal_fd, .events = POLLIN},
                              {.fd = board->command_fd, .events = POLLIN}};

    while (command_turn(board)) {
        turn(board);
        if (poll(places, 2, TURN_MS) > 0 && (places[0].revents & POLLIN) != 0 &&
            !has_file("fake-frontend-hangs", false))
            return;
    }
}

int main(int argc, char **argv)
{
    static struct config config;
    static struct board board;
    struct control *control;
    sigset_t signals;
    char error[256];

    config_defaults(&config);
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--runtime-dir") == 0)
            runtime_dir = argv[i + 1];
    }
    snprintf(config.control.runtime_dir, sizeof(config.control.runtime_dir), "%s", runtime_dir);
    log_init("mpa-frontend", LOG_LEVEL_INFO);
    if (has_file("fake-frontend-fails", false)) {
        fprintf(stderr, "mpa-frontend: mpa0: no permission to open the TAP\n");
        return EXIT_FAILURE;
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    if (board_init(&board, N_BUCKETS) != 0)
        return EXIT_FAILURE;
    board_fill(&board, &config);
    control = control_start(&config, &board, error, sizeof(error));
    if (control == NULL) {
        fprintf(stderr, "mpa-frontend: %s\n", error);
        board_fini(&board);
        return EXIT_FAILURE;
    }
    run(&board, signalfd(-1, &signals, SFD_CLOEXEC));
    control_stop(control);
    board_fini(&board);
    return EXIT_SUCCESS;
}
