/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * returning.c — what the new frontend learns from the records of workers that return.
 *
 * A bucket goes to the worker that has most of its flows, a flow that another has gets a pin; buckets without
 * flows are given away as at any start. An export that was under way stands in the exporter's records: either
 * the heir has adopted it (all in one turn: any of its flows shows it) and the exporter is released, or it is
 * an estate that nobody has adopted. Numbers begin with the machine's clock, so they are new.
 */
#include "frontend/returning.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "border/records.h"
#include "frontend/frontend.h"

#define RETURNING_MAGIC 0x5254504du /* "MPTR" */
#define RETURNING_N_SAMPLES 64u     /* flows of an export that are looked for elsewhere */

/* A worker of the past that we can see to be dead need not be waited for. */
static uint32_t returning_alive(const struct returning_state *state)
{
    uint32_t alive = 0;

    for (unsigned i = 0; i < CONFIG_MAX_WORKERS; i++) {
        bool is_dead = state->pids[i] != 0 && kill((pid_t)state->pids[i], 0) < 0 && errno == ESRCH;

        if ((state->lane_mask >> i & 1) != 0 && !is_dead)
            alive |= 1u << i;
    }
    return alive;
}

int returning_init(struct frontend *frontend)
{
    struct returning *returning = &frontend->returning;
    struct returning_state state = {0};
    char path[CONFIG_PATH_BYTES];

    *returning = (struct returning){.file_fd = -1};
    returning->n_flows = calloc((size_t)frontend->config.frontend.n_buckets * CONFIG_MAX_WORKERS,
                                sizeof(returning->n_flows[0]));
    if (returning->n_flows == NULL)
        return -ENOMEM;
    snprintf(path, sizeof(path), "%s/lanes", frontend->config.control.runtime_dir);
    returning->file_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (returning->file_fd < 0) {
        log_error("lanes_file_failed file=%s error=\"%s\"", path, strerror(errno));
        return -errno;
    }
    if (read(returning->file_fd, &state, sizeof(state)) != (ssize_t)sizeof(state) ||
        state.magic != RETURNING_MAGIC)
        return 0; /* the first one here */
    returning->expected = returning_alive(&state);
    returning->was_draining = state.draining_mask & returning->expected;
    returning->is_waiting = returning->expected != 0;
    returning->deadline_ns = clock_now_ns() + frontend->config.frontend.return_wait_ms * CLOCK_NS_PER_MS;
    returning->written = state;
    if (returning->is_waiting)
        log_info("waiting_for_workers lanes=0x%x wait_ms=%u", returning->expected,
                 frontend->config.frontend.return_wait_ms);
    return 0;
}

void returning_restore(struct frontend *frontend)
{
    if (frontend->returning.is_waiting)
        host_restore(frontend->host, &frontend->returning.written.held);
}

void returning_fini(struct frontend *frontend)
{
    free(frontend->returning.n_flows);
    frontend->returning.n_flows = NULL;
    fd_close(&frontend->returning.file_fd);
}

void returning_hello(struct frontend *frontend, uint8_t worker, bool returns)
{
    /* Its slot has a new worker: the old one will not come back. */
    if (!returns)
        frontend->returning.expected &= ~(1u << worker);
}

bool returning_is_settled(const struct frontend *frontend, uint8_t worker)
{
    return (frontend->returning.settled >> worker & 1) != 0;
}

void returning_settle(struct frontend *frontend, uint8_t worker)
{
    frontend->returning.settled |= 1u << worker;
}

void returning_serves(struct frontend *frontend, const struct lane *lane)
{
    uint32_t bit = 1u << lane->slot;

    frontend->returning.returned |= bit;
    frontend->draining_mask |= frontend->returning.was_draining & bit;
}

void returning_lane_gone(struct frontend *frontend, uint8_t worker)
{
    frontend->returning.returned &= ~(1u << worker);
    frontend->returning.expected &= ~(1u << worker);
    returning_settle(frontend, worker); /* it may have come back and died before it served */
}

/* What is in force in one lane's records, one flow after the other. */
struct returning_walk {
    struct border_records records;
    uint32_t n_used, next_idx;
    struct border_flow flow;
    struct flow_key key;
    uint32_t bucket, hash;
};

static bool returning_open(const struct lane *lane, struct returning_walk *walk)
{
    walk->next_idx = walk->n_used = 0;
    if (border_records_open(&walk->records, lane->records.base, lane->records.size_bytes) != BORDER_OK)
        return false;
    walk->n_used = border_records_n_used(&walk->records);
    return true;
}

/* The next flow that can be believed; false: there is none. */
static bool returning_next(const struct frontend *frontend, struct returning_walk *walk)
{
    while (walk->next_idx < walk->n_used) {
        if (border_peek_flow(&walk->records, walk->next_idx++, &walk->flow) != BORDER_OK)
            continue;
        memcpy(&walk->key, walk->flow.facts.key, sizeof(walk->key));
        walk->hash = flow_key_hash(&walk->key, &frontend->seed);
        walk->bucket = bucket_of(&frontend->buckets, walk->hash);
        return true;
    }
    return false;
}

static uint16_t *returning_n_flows(const struct frontend *frontend, uint32_t bucket)
{
    return &frontend->returning.n_flows[(size_t)bucket * CONFIG_MAX_WORKERS];
}

/* Returns the number of the lane's flows, and of its newest export that it was not released from. */
static uint32_t returning_count(struct frontend *frontend, const struct lane *lane, uint64_t *exported)
{
    struct returning_walk walk;
    uint32_t n_flows = 0;

    *exported = 0;
    if (!returning_open(lane, &walk))
        log_warn("records_not_read slot=%u", lane->slot);
    while (returning_next(frontend, &walk)) {
        uint16_t *n = &returning_n_flows(frontend, walk.bucket)[lane->slot];

        if (walk.flow.facts.export_number > *exported)
            *exported = walk.flow.facts.export_number;
        if (walk.flow.facts.export_number != 0)
            continue;
        n_flows++;
        if (*n < UINT16_MAX)
            (*n)++;
    }
    return n_flows;
}

/* Buckets that are nobody's go to whoever has most of their flows. */
static void returning_give_buckets(struct frontend *frontend)
{
    for (uint32_t i = 0; i < frontend->buckets.n_buckets; i++) {
        const uint16_t *n_flows = returning_n_flows(frontend, i);
        uint8_t best = 0;

        if (frontend->buckets.worker[i] != BUCKET_NO_WORKER)
            continue;
        for (uint8_t k = 1; k < CONFIG_MAX_WORKERS; k++) {
            if (n_flows[k] > n_flows[best])
                best = k;
        }
        if (n_flows[best] == 0)
            continue;
        frontend->buckets.worker[i] = best;
        hold_announce(frontend, i, best);
    }
}

/* A flow outside of its worker's buckets. */
static void returning_pin_flows(struct frontend *frontend, const struct lane *lane)
{
    struct returning_walk walk;
    uint32_t n_lost = 0;

    if (!returning_open(lane, &walk))
        return;
    while (returning_next(frontend, &walk)) {
        if (walk.flow.facts.export_number == 0 && frontend->buckets.worker[walk.bucket] != lane->slot &&
            pin_table_point(&frontend->pins, walk.hash, &walk.key, lane->slot) < 0)
            n_lost++;
    }
    if (n_lost > 0)
        log_error("flows_lost slot=%u n=%u why=\"no room among the pins\"", lane->slot, n_lost);
}

/* Some flows of an export. */
static uint32_t returning_sample(const struct frontend *frontend, const struct lane *lane, uint64_t number,
                                 struct flow_key *keys)
{
    struct returning_walk walk;
    uint32_t n_keys = 0;

    if (!returning_open(lane, &walk))
        return 0;
    while (n_keys < RETURNING_N_SAMPLES && returning_next(frontend, &walk)) {
        if (walk.flow.facts.export_number == number)
            keys[n_keys++] = walk.key;
    }
    return n_keys;
}

static bool returning_has_any(const struct frontend *frontend, const struct lane *lane,
                              const struct flow_key *keys, uint32_t n_keys)
{
    struct returning_walk walk;

    if (!returning_open(lane, &walk))
        return false;
    while (returning_next(frontend, &walk)) {
        for (uint32_t i = 0; i < n_keys && walk.flow.facts.export_number == 0; i++) {
            if (flow_key_equal(&keys[i], &walk.key))
                return true;
        }
    }
    return false;
}

static bool returning_is_adopted(const struct frontend *frontend, const struct lane *lane, uint64_t number)
{
    struct flow_key keys[RETURNING_N_SAMPLES];
    uint32_t n_keys = returning_sample(frontend, lane, number, keys);

    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        if (i != lane->slot && frontend->lanes[i].records.base != NULL &&
            returning_has_any(frontend, &frontend->lanes[i], keys, n_keys))
            return true;
    }
    return false;
}

/* While others are missing, one of them may have adopted: a flow that two serve is worse than one lost. */
uint64_t returning_exports_done(const struct frontend *frontend, const struct lane *lane)
{
    uint32_t missing = frontend->returning.expected & ~frontend->returning.returned & ~(1u << lane->slot);
    struct returning_walk walk;
    uint64_t newest = 0;

    if (!returning_open(lane, &walk))
        return 0;
    while (returning_next(frontend, &walk)) {
        if (walk.flow.facts.export_number > newest)
            newest = walk.flow.facts.export_number;
    }
    return newest == 0 || missing != 0 || returning_is_adopted(frontend, lane, newest) ? newest : newest - 1;
}

/* Whose are the flows that the lane exported last? */
static void returning_take_export(struct frontend *frontend, struct lane *lane, uint64_t number)
{
    bool is_adopted = returning_is_adopted(frontend, lane, number);

    log_info("export_found slot=%u adopted=%s", lane->slot, is_adopted ? "yes" : "no");
    lane->exports_done = lane->release_number = is_adopted ? number : number - 1;
    if (!is_adopted)
        estates_add_exported(frontend, lane, number);
}

/* All that have returned since: first the buckets, for pins depend on them. */
static void returning_take_in(struct frontend *frontend)
{
    struct returning *returning = &frontend->returning;
    uint64_t exported[CONFIG_MAX_WORKERS] = {0};

    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        struct board_event event = {.time_ns = frontend->now_ns, .kind = BOARD_EVENT_RETURNED, .a = i};

        if (!(returning->returned >> i & 1))
            continue;
        event.n_flows = returning_count(frontend, &frontend->lanes[i], &exported[i]);
        log_info("worker_returned slot=%u pid=%u flows=%u", i, frontend->lanes[i].pid, event.n_flows);
        board_event_put(&frontend->board, &event);
    }
    returning_give_buckets(frontend);
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        if (!(returning->returned >> i & 1))
            continue;
        frontend->lanes[i].is_unsettled = false;
        returning_pin_flows(frontend, &frontend->lanes[i]);
        if (exported[i] != 0)
            returning_take_export(frontend, &frontend->lanes[i], exported[i]);
    }
    memset(returning->n_flows, 0,
           (size_t)frontend->buckets.n_buckets * CONFIG_MAX_WORKERS * sizeof(returning->n_flows[0]));
    returning->returned = 0;
    frontend->estates.has_orphans = true;
}

/* Our addresses as the next frontend shall take them up; while this one is taking up its own, those. */
static void returning_hold(struct frontend *frontend, struct host_held *held)
{
    struct returning *returning = &frontend->returning;

    *held = returning->written.held;
    if (returning->is_waiting || returning->held_epoch == host_epoch(frontend->host))
        return;
    returning->held_epoch = host_epoch(frontend->host);
    host_get_held(frontend->host, held);
}

static void returning_write(struct frontend *frontend)
{
    struct returning *returning = &frontend->returning;
    struct returning_state state = {.magic = RETURNING_MAGIC,
                                    .lane_mask = frontend->lane_mask | returning->expected,
                                    .draining_mask = frontend->draining_mask |
                                                     (returning->was_draining & returning->expected)};

    returning_hold(frontend, &state.held);
    if (state.lane_mask == returning->written.lane_mask &&
        state.draining_mask == returning->written.draining_mask &&
        memcmp(&state.held, &returning->written.held, sizeof(state.held)) == 0)
        return;
    for (unsigned i = 0; i < CONFIG_MAX_WORKERS; i++)
        state.pids[i] =
            (frontend->lane_mask >> i & 1) != 0 ? frontend->lanes[i].peer_pid : returning->written.pids[i];
    if (pwrite(returning->file_fd, &state, sizeof(state), 0) != (ssize_t)sizeof(state))
        log_warn("lanes_file_not_written");
    returning->written = state;
}

void returning_advance(struct frontend *frontend)
{
    struct returning *returning = &frontend->returning;

    returning_write(frontend);
    if (returning->is_waiting) {
        if ((returning->expected & ~returning->returned) != 0 && frontend->now_ns < returning->deadline_ns)
            return;
        log_info("wait_over returned=0x%x missing=0x%x", returning->returned,
                 returning->expected & ~returning->returned);
        returning->expected = 0;
        returning->is_waiting = false;
    }
    if (returning->returned != 0)
        returning_take_in(frontend);
}
