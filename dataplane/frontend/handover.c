/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * handover.c — the engine of hand-overs.
 *
 *   IDLE --begin: hold frames--> EXPORTING --order sent--> FENCING --both answers--> OFFERING
 *     ^                              |                        |                          |
 *     '---- ended <-- ADOPTING <-----+---- order sent <-------+--------------------------'
 *
 * Until the exporter has answered in both tx rings all it sent for these flows is in front of the answer, so
 * it is out before the heir speaks. Until the heir has answered, the flows are whole in the exporter's
 * records, which it must keep: it is released only by the end.
 */
#include "frontend/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "frontend/frontend.h"
#include "frontend/lane_order.h"

#define HANDOVER_ANSWER_NS (5 * CLOCK_NS_PER_S) /* for each of the two answers */
#define HANDOVER_ALL_FENCED ((1u << LANE_NORMAL) | (1u << LANE_URGENT))

/* Flows pinned to the exporter in a bucket that it hands over go with the bucket. */
static bool handover_pin_goes(const void *context, const struct pin *pin)
{
    const struct frontend *frontend = context;

    return pin->worker == frontend->handover.from &&
           frontend->buckets.worker[bucket_of(&frontend->buckets, pin->hash)] == BUCKET_HELD;
}

static int handover_hold(struct frontend *frontend, struct handover *handover)
{
    struct flow_key key;

    switch ((enum attach_export_what)handover->order.what) {
    case ATTACH_EXPORT_BUCKETS:
        for (uint32_t i = 0; i < handover->order.n_buckets; i++)
            frontend->buckets.worker[handover->order.buckets[i]] = BUCKET_HELD;
        pin_table_remove_where(&frontend->pins, handover_pin_goes, frontend);
        return 0;
    case ATTACH_EXPORT_FLOW:
        memcpy(&key, handover->order.key, sizeof(key));
        return pin_table_point(&frontend->pins, handover->hash, &key, BUCKET_HELD);
    case ATTACH_EXPORT_ALL:
        hold_buckets(frontend, handover->from);
        pin_table_repoint(&frontend->pins, handover->from, BUCKET_HELD);
        return 0;
    }
    return -EINVAL;
}

int handover_begin(struct frontend *frontend, const struct handover_request *request)
{
    struct handover *handover = &frontend->handover;
    uint64_t now_ns = clock_now_ns();
    int failed;

    mpa_assert(handover->state == HANDOVER_IDLE && request->n_buckets <= ATTACH_MAX_BUCKETS);
    *handover = (struct handover){.from = request->from,
                                  .heir = request->to,
                                  .source_fd = -1,
                                  .hash = flow_key_hash(&request->key, &frontend->seed),
                                  .begun_ns = now_ns,
                                  .deadline_ns = now_ns + HANDOVER_ANSWER_NS,
                                  .n_held_before = frontend->held.n_ever};
    handover->order.number = frontend->next_number++;
    handover->order.to = request->to;
    handover->order.what = (uint32_t)request->what;
    handover->order.n_buckets = request->n_buckets;
    memcpy(handover->order.key, &request->key, sizeof(handover->order.key));
    if (request->n_buckets > 0)
        memcpy(handover->order.buckets, request->buckets, request->n_buckets * sizeof(request->buckets[0]));
    failed = handover_hold(frontend, handover);
    if (failed < 0)
        return failed;
    handover->state = HANDOVER_EXPORTING;
    handover_advance(frontend);
    return 0;
}

/* Everything that was held for this hand-over is the heir's. */
static void handover_point(struct frontend *frontend, struct handover *handover)
{
    uint8_t heir = handover->heir;
    struct flow_key key;

    for (uint32_t i = 0; i < frontend->buckets.n_buckets; i++) {
        if (frontend->buckets.worker[i] == BUCKET_HELD)
            frontend->buckets.worker[i] = heir;
    }
    if (handover->order.what == ATTACH_EXPORT_FLOW) {
        memcpy(&key, handover->order.key, sizeof(key));
        if (pin_table_point(&frontend->pins, handover->hash, &key, heir) < 0)
            log_debug("pin_lost"); /* it was there when the flow was held; the bucket decides then */
    } else {
        pin_table_repoint(&frontend->pins, BUCKET_HELD, heir);
    }
    hold_drop_idle_pins(frontend);
}

static void handover_announce(struct frontend *frontend, uint8_t worker)
{
    for (uint32_t i = 0; i < frontend->buckets.n_buckets; i++) {
        if (frontend->buckets.worker[i] == BUCKET_HELD)
            hold_announce(frontend, i, worker);
    }
}

static void handover_report(struct frontend *frontend, const struct handover *handover)
{
    const struct board_order_result *ended = &handover->ended;
    struct board_event event = {.time_ns = handover->begun_ns + ended->duration_ns,
                                .kind = BOARD_EVENT_HANDOVER,
                                .a = handover->from,
                                .a2 = handover->order.to,
                                .b = ended->duration_ns,
                                .result = ended->result,
                                .n_flows = ended->n_flows,
                                .n_buckets = ended->n_buckets,
                                .n_frames = ended->n_frames,
                                .number = (uint32_t)handover->order.number};

    if (handover->order.what == ATTACH_EXPORT_FLOW)
        memcpy(&event.key, handover->order.key, sizeof(event.key));
    board_event_put(&frontend->board, &event);
    board_histogram_add(&frontend->board, HISTOGRAM_handover_stall_ns, ended->duration_ns);
    log_debug("handover from=%u to=%u result=%u flows=%u buckets=%u frames=%u us=%llu", handover->from,
              handover->order.to, ended->result, ended->n_flows, ended->n_buckets, ended->n_frames,
              (unsigned long long)(ended->duration_ns / CLOCK_NS_PER_US));
}

static void handover_end(struct frontend *frontend, enum board_result result)
{
    struct handover *handover = &frontend->handover;
    bool is_single = handover->order.what == ATTACH_EXPORT_FLOW;

    if (result == BOARD_RESULT_DONE && is_single && handover->ended.n_flows == 0)
        result = BOARD_RESULT_NOT_FOUND;
    handover->ended.result = (uint32_t)result;
    handover->ended.duration_ns = clock_now_ns() - handover->begun_ns;
    handover->ended.n_buckets = handover->order.n_buckets;
    handover->ended.n_frames = (uint32_t)(frontend->held.n_ever - handover->n_held_before);
    fd_close(&handover->source_fd);
    handover->state = HANDOVER_IDLE;
    counter_add(frontend->board.nic, result == BOARD_RESULT_DONE ? NIC_handovers : NIC_handovers_failed, 1);
    if (result == BOARD_RESULT_DONE)
        counter_add(frontend->board.nic, NIC_flows_handed_over, handover->ended.n_flows);
    handover_report(frontend, handover);
}

/* The heir has them: the exporter need not keep them any longer. */
static void handover_complete(struct frontend *frontend, struct handover *handover)
{
    struct lane *from = &frontend->lanes[handover->from];
    struct flow_key key;

    if (handover->is_from_gone) {
        estates_export_done(frontend, handover->from, handover->order.number);
    } else if (handover->adopt_number != 0) {
        from->exports_done = handover->order.number;
        from->release_number = handover->order.number;
    }
    if (handover->order.what == ATTACH_EXPORT_FLOW && handover->adopt_number != 0 &&
        handover->ended.n_flows == 0) { /* there was no such flow */
        memcpy(&key, handover->order.key, sizeof(key));
        pin_table_remove(&frontend->pins, handover->hash, &key);
    }
    handover_end(frontend, handover->is_to_gone ? BOARD_RESULT_TARGET_DIED : BOARD_RESULT_DONE);
}

/* Sends an order; the state it is in afterwards. A lane at fault is gone by the time this returns. */
static enum handover_state handover_sent(struct frontend *frontend, uint8_t worker,
                                         enum lane_order_result result, enum handover_state next)
{
    switch (result) {
    case LANE_ORDER_SENT:
        frontend->handover.deadline_ns = clock_now_ns() + HANDOVER_ANSWER_NS;
        return next;
    case LANE_ORDER_LATER:
        break;
    case LANE_ORDER_INDEX:
    case LANE_ORDER_DEAF:
        broker_quarantine(frontend, &frontend->lanes[worker], lane_order_fault(result));
        break;
    }
    return frontend->handover.state;
}

static void handover_export(struct frontend *frontend, struct handover *handover)
{
    enum lane_order_result result = lane_order_export(&frontend->lanes[handover->from], &handover->order);

    handover->state = handover_sent(frontend, handover->from, result, HANDOVER_FENCING);
}

static void handover_choose_heir(struct handover *handover)
{
    if (handover->is_to_gone)
        handover->heir = handover->from;
    handover->state = HANDOVER_OFFERING;
    handover->deadline_ns = clock_now_ns() + HANDOVER_ANSWER_NS;
}

static void handover_offer(struct frontend *frontend, struct handover *handover)
{
    struct attach_adopt order = {.number = frontend->next_number,
                                 .exported = handover->order.number,
                                 .from = handover->from,
                                 .what = ATTACH_ADOPT_EXPORTED};
    int records_fd =
        handover->is_from_gone ? handover->source_fd : frontend->lanes[handover->from].records.fd;
    enum lane_order_result result;

    handover_announce(frontend, handover->heir);
    result = lane_order_adopt(&frontend->lanes[handover->heir], &order, records_fd);
    if (result == LANE_ORDER_SENT) {
        handover->adopt_number = order.number;
        frontend->next_number++;
    }
    handover->state = handover_sent(frontend, handover->heir, result, HANDOVER_ADOPTING);
}

static void handover_pass(struct frontend *frontend, struct handover *handover)
{
    if (!handover->is_passed && hold_release(frontend, &frontend->lanes[handover->heir], false)) {
        handover_point(frontend, handover);
        handover->is_passed = true;
    }
    /* A fault found while passing has ended it already. */
    if (handover->state == HANDOVER_ADOPTING && handover->is_passed && handover->is_adopted)
        handover_complete(frontend, handover);
}

static void handover_watch(struct frontend *frontend, struct handover *handover)
{
    bool is_heir = handover->state == HANDOVER_OFFERING || handover->state == HANDOVER_ADOPTING;
    uint8_t late = is_heir ? handover->heir : handover->from;

    if (frontend->now_ns > handover->deadline_ns)
        broker_quarantine(frontend, &frontend->lanes[late], LANE_fault_stalled);
}

void handover_advance(struct frontend *frontend)
{
    struct handover *handover = &frontend->handover;

    if (handover->state == HANDOVER_EXPORTING)
        handover_export(frontend, handover);
    if (handover->state == HANDOVER_FENCING && handover->fenced == HANDOVER_ALL_FENCED)
        handover_choose_heir(handover);
    if (handover->state == HANDOVER_OFFERING)
        handover_offer(frontend, handover);
    if (handover->state == HANDOVER_ADOPTING)
        handover_pass(frontend, handover);
    if (handover->state != HANDOVER_IDLE)
        handover_watch(frontend, handover);
}

void handover_fenced(struct frontend *frontend, uint8_t worker, uint8_t priority, uint64_t number)
{
    struct handover *handover = &frontend->handover;

    if (handover->state == HANDOVER_FENCING && worker == handover->from && number == handover->order.number)
        handover->fenced |= (uint8_t)(1u << priority);
}

void handover_adopted(struct frontend *frontend, uint8_t worker, uint64_t number, uint32_t n_flows)
{
    struct handover *handover = &frontend->handover;

    if (handover->state != HANDOVER_ADOPTING || worker != handover->heir || number != handover->adopt_number)
        return;
    handover->is_adopted = true;
    handover->ended.n_flows = n_flows;
}

/* The target is gone before the exporter was told anything: its frames go back to it. */
static void handover_undo(struct frontend *frontend, struct handover *handover)
{
    handover->is_to_gone = true;
    handover->heir = handover->from;
    handover->is_adopted = true;
    handover->state = HANDOVER_ADOPTING;
    handover_pass(frontend, handover);
}

static void handover_heir_gone(struct frontend *frontend, struct handover *handover)
{
    bool has_from = handover->heir != handover->from && !handover->is_from_gone;

    if (handover->state == HANDOVER_OFFERING && has_from) {
        handover->is_to_gone = true;
        handover->heir = handover->from;
        handover->deadline_ns = clock_now_ns() + HANDOVER_ANSWER_NS;
        return;
    }
    hold_orphan(frontend);
    if (handover->is_adopted) { /* they are in the records it leaves behind */
        handover_complete(frontend, handover);
        return;
    }
    /* Asked but not answered: what it took over, itself perhaps from itself, is newer than what was exported,
     * and must not stand in one estate with it. Of an exporter that is buried the estate is older anyway. */
    if (handover->state == HANDOVER_ADOPTING &&
        (!handover->is_from_gone || (frontend->dying_mask >> handover->from & 1) != 0))
        estates_add_exported(frontend, &frontend->lanes[handover->from], handover->order.number);
    handover_end(frontend, BOARD_RESULT_TARGET_DIED);
}

/* What it exported is adopted all the same; its records stay while they are needed. */
static void handover_from_gone(struct frontend *frontend, struct handover *handover)
{
    handover->is_from_gone = true;
    if (handover->state != HANDOVER_OFFERING)
        return;
    handover->source_fd = fcntl(frontend->lanes[handover->from].records.fd, F_DUPFD_CLOEXEC, 0);
    if (handover->source_fd >= 0)
        return;
    hold_orphan(frontend); /* adopted with all the rest that it leaves behind */
    handover_end(frontend, BOARD_RESULT_SOURCE_DIED);
}

void handover_lane_gone(struct frontend *frontend, uint8_t worker)
{
    struct handover *handover = &frontend->handover;

    switch (handover->state) {
    case HANDOVER_IDLE:
        return;
    case HANDOVER_EXPORTING:
    case HANDOVER_FENCING:
        if (worker == handover->from) {
            hold_orphan(frontend);
            handover_end(frontend, BOARD_RESULT_SOURCE_DIED);
        } else if (worker == handover->order.to && handover->state == HANDOVER_EXPORTING) {
            handover_undo(frontend, handover);
        } else if (worker == handover->order.to) {
            handover->is_to_gone = true;
        }
        return;
    case HANDOVER_OFFERING:
    case HANDOVER_ADOPTING:
        if (worker == handover->heir)
            handover_heir_gone(frontend, handover);
        else if (worker == handover->from)
            handover_from_gone(frontend, handover);
        return;
    }
}
