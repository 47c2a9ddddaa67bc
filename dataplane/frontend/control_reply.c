/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_reply.c — what the board says, as replies: status, workers, buckets, lanes, NIC. Names come from
 * the counter lists, so a new counter shows up here by itself.
 *
 * All memory is the reply's arena, which is emptied before the next request: nothing is freed here, a part
 * that finds no room gives up, and then the whole reply is an error instead of a list that stops in the
 * middle. Texts that live longer than the reply are borrowed.
 *
 * The data loop goes on writing while we read. Each value is whole, but two of them need not be of the same
 * moment: a worker may show a state of now and counters of 100 ms ago. Nobody decides on such a pair.
 */
#include "frontend/control_internal.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "frontend/nic/nic.h"

/* No default: a state that is added must be given a name on the wire. */
Mpa__V1__LaneState control_lane_state(const struct board_lane *lane)
{
    enum board_lane_state state =
        (enum board_lane_state)atomic_load_explicit(&lane->state, memory_order_relaxed);

    switch (state) {
    case BOARD_LANE_EMPTY:
        return MPA__V1__LANE_STATE__LANE_STATE_EMPTY;
    case BOARD_LANE_ATTACHING:
        return MPA__V1__LANE_STATE__LANE_STATE_ATTACHING;
    case BOARD_LANE_SERVING:
        return MPA__V1__LANE_STATE__LANE_STATE_SERVING;
    case BOARD_LANE_QUARANTINED:
        return MPA__V1__LANE_STATE__LANE_STATE_QUARANTINED;
    }
    return MPA__V1__LANE_STATE__LANE_STATE_EMPTY;
}

/* Why a lane is quarantined; the number is from shared memory of ours, but a board may be younger than its
 * reader. */
const char *control_lane_fault(const struct board_lane *lane)
{
    uint32_t fault = atomic_load_explicit(&lane->fault, memory_order_relaxed);

    if (control_lane_state(lane) != MPA__V1__LANE_STATE__LANE_STATE_QUARANTINED || fault >= N_LANE_COUNTERS)
        return "";
    return lane_counter_texts[fault].name;
}

#define GAUGE_TEXT(name, help) {#name, help},
const struct counter_text control_frontend_gauge_texts[N_FRONTEND_GAUGES] = {FRONTEND_GAUGES(GAUGE_TEXT)};

/* The frontend's gauges stand under names of their own in the board; here they become a list like the others.
 */
void control_frontend_gauges(const struct board *board, counter values[N_FRONTEND_GAUGES])
{
#define GAUGE_LOAD(name, help)                                                                               \
    atomic_init(&values[FRONTEND_GAUGE_##name], atomic_load_explicit(&board->name, memory_order_relaxed));
    FRONTEND_GAUGES(GAUGE_LOAD)
}

static uint64_t gauge(const struct board_lane *lane, enum lane_gauge which)
{
    return atomic_load_explicit(&lane->gauges[which], memory_order_relaxed);
}

/* Milliseconds from `then_ns` to now; the loop may have stamped after `now_ns` was taken. */
static uint64_t age_ms(uint64_t now_ns, uint64_t then_ns)
{
    return now_ns > then_ns && then_ns != 0 ? (now_ns - then_ns) / CLOCK_NS_PER_MS : 0;
}

/* A list of n values under their names, *n_values of them; NULL when the arena is full. */
static Mpa__V1__Value **values_new(struct control_arena *arena, const struct counter_text *texts,
                                   const counter *values, size_t n, size_t *n_values)
{
    Mpa__V1__Value **list = control_alloc(arena, n, sizeof(*list));
    Mpa__V1__Value *value = control_alloc(arena, n, sizeof(*value));

    if (list == NULL || value == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        mpa__v1__value__init(&value[i]);
        value[i].name = control_borrow(texts[i].name);
        value[i].value = counter_get(values, (unsigned)i);
        list[i] = &value[i];
    }
    *n_values = n;
    return list;
}

char **control_addresses(struct control_call *call, size_t *n)
{
    struct control_arena *arena = &call->core->arena;
    struct host_addresses addresses;
    char **list;

    board_get_addresses(call->core->board, &addresses);
    list = control_alloc(arena, HOST_MAX_ADDRESSES, sizeof(*list));
    if (list == NULL)
        return NULL;
    for (uint32_t i = 0; i < addresses.n_addresses && i < HOST_MAX_ADDRESSES; i++) {
        char text[64];

        config_address_format(&addresses.addresses[i], text, sizeof(text));
        list[i] = control_text(arena, "%s", text);
        if (list[i] == NULL)
            return NULL;
        *n = i + 1;
    }
    return list;
}

/* ---- status ---- */

/* The frontend answers for itself and its workers; controld adds what only it knows (restarts, the reason of
 * the last end) before mpactl sees the reply. */
static Mpa__V1__Process *status_frontend(struct control_call *call)
{
    const struct control_core *core = call->core;
    Mpa__V1__Process *process = control_alloc(&call->core->arena, 1, sizeof(*process));

    if (process == NULL)
        return NULL;
    mpa__v1__process__init(process);
    process->role = MPA__V1__ROLE__ROLE_FRONTEND;
    process->pid = (uint32_t)getpid();
    process->uptime_ms = age_ms(call->now_ns, core->started_ns);
    process->rx_frames = counter_get(core->board->nic, NIC_rx_frames);
    process->tx_frames = counter_get(core->board->nic, NIC_tx_frames);
    process->loop_age_ms =
        age_ms(call->now_ns, atomic_load_explicit(&core->board->loop_heartbeat_ns, memory_order_relaxed));
    return process;
}

static Mpa__V1__Process *status_worker(struct control_call *call, uint32_t slot)
{
    const struct board_lane *lane = &call->core->board->lanes[slot];
    Mpa__V1__Process *process = control_alloc(&call->core->arena, 1, sizeof(*process));

    if (process == NULL)
        return NULL;
    mpa__v1__process__init(process);
    process->role = MPA__V1__ROLE__ROLE_WORKER;
    process->slot = slot;
    process->pid = (uint32_t)gauge(lane, GAUGE_pid);
    process->attached_ns = gauge(lane, GAUGE_attached_ns);
    process->uptime_ms = age_ms(call->now_ns, process->attached_ns);
    process->lane_state = control_lane_state(lane);
    process->lane_fault = control_borrow(control_lane_fault(lane));
    process->buckets = (uint32_t)gauge(lane, GAUGE_buckets);
    process->connections = gauge(lane, GAUGE_connections);
    process->is_draining = gauge(lane, GAUGE_is_draining) != 0;
    process->rx_frames = counter_get(lane->worker_counters, WORKER_rx_frames);
    process->tx_frames = counter_get(lane->worker_counters, WORKER_tx_packets);
    return process;
}

int control_get_status(struct control_call *call)
{
    struct control_core *core = call->core;
    Mpa__V1__GetStatusReply *body = control_alloc(&core->arena, 1, sizeof(*body));

    if (body == NULL)
        return -ENOMEM;
    mpa__v1__get_status_reply__init(body);
    body->version = control_borrow(MPA_VERSION);
    body->state = MPA__V1__SYSTEM_STATE__SYSTEM_STATE_RUNNING;
    body->uptime_ms = age_ms(call->now_ns, core->started_ns);
    body->runtime_dir = control_borrow(core->config->control.runtime_dir);
    body->addresses = control_addresses(call, &body->n_addresses);
    body->processes = control_alloc(&core->arena, CONFIG_MAX_WORKERS + 1, sizeof(*body->processes));
    if (body->processes == NULL || body->addresses == NULL)
        return -ENOMEM;
    body->processes[body->n_processes] = status_frontend(call);
    if (body->processes[body->n_processes++] == NULL)
        return -ENOMEM;
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        if (control_lane_state(&core->board->lanes[slot]) == MPA__V1__LANE_STATE__LANE_STATE_EMPTY)
            continue;
        body->processes[body->n_processes] = status_worker(call, slot);
        if (body->processes[body->n_processes++] == NULL)
            return -ENOMEM;
    }
    call->reply->body_case = MPA__V1__REPLY__BODY_GET_STATUS;
    call->reply->get_status = body;
    return 0;
}

/* ---- workers ---- */

/* A worker as the board last saw it: gauges are copied from its own half every 100 ms, so that nothing here
 * reads memory that a worker writes. */
static Mpa__V1__Worker *worker_new(struct control_call *call, uint32_t slot)
{
    const struct board_lane *lane = &call->core->board->lanes[slot];
    Mpa__V1__Worker *worker = control_alloc(&call->core->arena, 1, sizeof(*worker));

    if (worker == NULL)
        return NULL;
    mpa__v1__worker__init(worker);
    worker->slot = slot;
    worker->pid = (uint32_t)gauge(lane, GAUGE_pid);
    worker->uid = (uint32_t)gauge(lane, GAUGE_uid);
    worker->state = control_lane_state(lane);
    worker->fault = control_borrow(control_lane_fault(lane));
    worker->attached_ms = age_ms(call->now_ns, gauge(lane, GAUGE_attached_ns));
    worker->heartbeat_age_ms = age_ms(call->now_ns, gauge(lane, GAUGE_heartbeat_ns));
    worker->buckets = (uint32_t)gauge(lane, GAUGE_buckets);
    worker->connections = gauge(lane, GAUGE_connections);
    worker->is_draining = gauge(lane, GAUGE_is_draining) != 0;
    worker->time_wait = gauge(lane, GAUGE_time_wait);
    worker->fifo_memory_used_bytes = gauge(lane, GAUGE_fifo_memory_used_bytes);
    worker->stack_memory_used_bytes = gauge(lane, GAUGE_stack_memory_used_bytes);
    worker->busy_permille = (uint32_t)gauge(lane, GAUGE_busy_permille);
    worker->counters = values_new(&call->core->arena, worker_counter_texts, lane->worker_counters,
                                  N_WORKER_COUNTERS, &worker->n_counters);
    return worker->counters == NULL ? NULL : worker;
}

int control_get_workers(struct control_call *call)
{
    struct control_core *core = call->core;
    Mpa__V1__GetWorkersReply *body = control_alloc(&core->arena, 1, sizeof(*body));

    if (body == NULL)
        return -ENOMEM;
    mpa__v1__get_workers_reply__init(body);
    body->workers = control_alloc(&core->arena, CONFIG_MAX_WORKERS, sizeof(*body->workers));
    if (body->workers == NULL)
        return -ENOMEM;
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        if (control_lane_state(&core->board->lanes[slot]) == MPA__V1__LANE_STATE__LANE_STATE_EMPTY)
            continue;
        body->workers[body->n_workers] = worker_new(call, slot);
        if (body->workers[body->n_workers++] == NULL)
            return -ENOMEM;
    }
    call->reply->body_case = MPA__V1__REPLY__BODY_GET_WORKERS;
    call->reply->get_workers = body;
    return 0;
}

/* ---- buckets ---- */

/* Two plain arrays and not a message for each bucket: there are thousands, and the reply has to fit. */
int control_get_buckets(struct control_call *call)
{
    struct control_core *core = call->core;
    struct board *board = core->board;
    Mpa__V1__GetBucketsReply *body = control_alloc(&core->arena, 1, sizeof(*body));

    if (body == NULL)
        return -ENOMEM;
    mpa__v1__get_buckets_reply__init(body);
    body->workers = control_alloc(&core->arena, board->n_buckets, sizeof(*body->workers));
    body->frames = control_alloc(&core->arena, board->n_buckets, sizeof(*body->frames));
    if (body->workers == NULL || body->frames == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < board->n_buckets; i++) {
        body->workers[i] = atomic_load_explicit(&board->bucket_worker[i], memory_order_relaxed);
        body->frames[i] = counter_get(board->bucket_frames, i);
    }
    body->n_buckets = board->n_buckets;
    body->n_workers = board->n_buckets;
    body->n_frames = board->n_buckets;
    call->reply->body_case = MPA__V1__REPLY__BODY_GET_BUCKETS;
    call->reply->get_buckets = body;
    return 0;
}

/* ---- lanes ---- */

static Mpa__V1__Lane *lane_new(struct control_call *call, uint32_t slot)
{
    struct control_arena *arena = &call->core->arena;
    const struct board_lane *board_lane = &call->core->board->lanes[slot];
    Mpa__V1__Lane *lane = control_alloc(arena, 1, sizeof(*lane));

    if (lane == NULL)
        return NULL;
    mpa__v1__lane__init(lane);
    lane->slot = slot;
    lane->state = control_lane_state(board_lane);
    lane->fault = control_borrow(control_lane_fault(board_lane));
    lane->gauges = values_new(arena, lane_gauge_texts, board_lane->gauges, N_LANE_GAUGES, &lane->n_gauges);
    lane->counters =
        values_new(arena, lane_counter_texts, board_lane->counters, N_LANE_COUNTERS, &lane->n_counters);
    return lane->gauges == NULL || lane->counters == NULL ? NULL : lane;
}

int control_get_lanes(struct control_call *call)
{
    struct control_core *core = call->core;
    Mpa__V1__GetLanesReply *body = control_alloc(&core->arena, 1, sizeof(*body));

    if (body == NULL)
        return -ENOMEM;
    mpa__v1__get_lanes_reply__init(body);
    body->lanes = control_alloc(&core->arena, CONFIG_MAX_WORKERS, sizeof(*body->lanes));
    if (body->lanes == NULL)
        return -ENOMEM;
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        if (control_lane_state(&core->board->lanes[slot]) == MPA__V1__LANE_STATE__LANE_STATE_EMPTY)
            continue;
        body->lanes[body->n_lanes] = lane_new(call, slot);
        if (body->lanes[body->n_lanes++] == NULL)
            return -ENOMEM;
    }
    call->reply->body_case = MPA__V1__REPLY__BODY_GET_LANES;
    call->reply->get_lanes = body;
    return 0;
}

/* ---- NIC ---- */

static const char *backend_name(enum config_backend backend)
{
    switch (backend) {
    case CONFIG_BACKEND_TAP:
        return "tap";
    case CONFIG_BACKEND_PACKET:
        return "packet";
    case CONFIG_BACKEND_MEMORY:
        return "memory";
    }
    return "unknown";
}

static int nic_caps(struct control_call *call, Mpa__V1__GetNicReply *body)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } caps[] = {{NIC_CAP_CSUM, "csum"}, {NIC_CAP_TSO4, "tso4"}, {NIC_CAP_TSO6, "tso6"}};

    body->caps = control_alloc(&call->core->arena, sizeof(caps) / sizeof(caps[0]), sizeof(*body->caps));
    if (body->caps == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
        if ((call->core->board->nic_info.caps & caps[i].bit) != 0)
            body->caps[body->n_caps++] = control_borrow(caps[i].name);
    }
    return 0;
}

static int nic_gauges(struct control_call *call, Mpa__V1__GetNicReply *body)
{
    counter values[N_FRONTEND_GAUGES];

    control_frontend_gauges(call->core->board, values);
    body->gauges = values_new(&call->core->arena, control_frontend_gauge_texts, values, N_FRONTEND_GAUGES,
                              &body->n_gauges);
    return body->gauges == NULL ? -ENOMEM : 0;
}

int control_get_nic(struct control_call *call)
{
    struct control_core *core = call->core;
    const struct board_nic *nic = &core->board->nic_info;
    Mpa__V1__GetNicReply *body = control_alloc(&core->arena, 1, sizeof(*body));

    if (body == NULL)
        return -ENOMEM;
    mpa__v1__get_nic_reply__init(body);
    body->backend = control_borrow(backend_name(core->config->nic.backend));
    body->name = control_borrow(core->config->nic.name);
    body->mac = control_text(&core->arena, "%02x:%02x:%02x:%02x:%02x:%02x", nic->mac[0], nic->mac[1],
                             nic->mac[2], nic->mac[3], nic->mac[4], nic->mac[5]);
    body->mtu_bytes = nic->mtu_bytes;
    body->addresses = control_addresses(call, &body->n_addresses);
    body->counters =
        values_new(&core->arena, nic_counter_texts, core->board->nic, N_NIC_COUNTERS, &body->n_counters);
    if (body->mac == NULL || body->addresses == NULL || body->counters == NULL || nic_caps(call, body) != 0 ||
        nic_gauges(call, body) != 0)
        return -ENOMEM;
    call->reply->body_case = MPA__V1__REPLY__BODY_GET_NIC;
    call->reply->get_nic = body;
    return 0;
}
