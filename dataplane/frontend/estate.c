/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * estate.c — rounds of adoption.
 *
 * A round begins when no hand-over is under way and no worker is dying: nobody may adopt from records that
 * are still written. Orphaned buckets are announced to their new workers first, then each adopter gets its
 * orders and, right behind them, its held frames; only then new frames go to it directly. Why newest first:
 * a flow that an adopter had taken over before it died stands in both estates, and the younger record is
 * true. Why rounds: an adopter that is still busy with an old estate must not be given the buckets, and so
 * take old records, of flows that a younger estate knows better.
 */
#include "frontend/estate.h"

#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "frontend/frontend.h"
#include "frontend/lane_order.h"

#define ESTATE_ANSWER_NS (10 * CLOCK_NS_PER_S)

void estates_init(struct estates *estates)
{
    *estates = (struct estates){.has_orphans = true}; /* no bucket has a worker yet */
}

void estates_fini(struct estates *estates)
{
    for (uint32_t i = 0; i < estates->n; i++)
        fd_close(&estates->list[i].records_fd);
    estates->n = 0;
}

static void estate_remove(struct estates *estates, uint32_t idx)
{
    fd_close(&estates->list[idx].records_fd);
    estates->n--;
    memmove(&estates->list[idx], &estates->list[idx + 1], (estates->n - idx) * sizeof(estates->list[0]));
}

/* The records stay alive with the descriptor: a mapping is not needed here. */
static struct estate *estate_new(struct frontend *frontend, const struct lane *lane)
{
    struct estates *estates = &frontend->estates;
    int records_fd = fcntl(lane->records.fd, F_DUPFD_CLOEXEC, 0);
    struct estate *estate;

    if (records_fd < 0) {
        log_error("estate_lost slot=%u why=descriptors", lane->slot);
        return NULL;
    }
    if (estates->n == ESTATES_MAX) {
        log_error("estate_lost slot=%u why=too_many", estates->list[0].from);
        estate_remove(estates, 0);
    }
    estate = &estates->list[estates->n++];
    *estate = (struct estate){.records_fd = records_fd,
                              .from = lane->slot,
                              .from_attached_ns = lane->attached_ns,
                              .begun_ns = clock_now_ns()};
    return estate;
}

void estates_add_dead(struct frontend *frontend, struct lane *lane, uint32_t n_frames)
{
    struct estate *estate = estate_new(frontend, lane);

    if (estate == NULL)
        return;
    estate->what = ATTACH_ADOPT_DEAD;
    estate->exports_done = lane->exports_done;
    estate->n_frames = n_frames;
    /* An export that has lost its heir stays an estate of its own: it is older than this one, and older than
     * what the heir left behind. */
    for (uint32_t i = 0; i < frontend->estates.n; i++) {
        const struct estate *other = &frontend->estates.list[i];

        if (other->what == ATTACH_ADOPT_EXPORTED && other->from == lane->slot &&
            other->from_attached_ns == lane->attached_ns && other->exported > estate->exports_done)
            estate->exports_done = other->exported;
    }
}

void estates_add_exported(struct frontend *frontend, const struct lane *lane, uint64_t number)
{
    struct estate *estate = estate_new(frontend, lane);

    if (estate == NULL)
        return;
    estate->what = ATTACH_ADOPT_EXPORTED;
    estate->exported = number;
}

void estates_export_done(struct frontend *frontend, uint8_t from, uint64_t number)
{
    struct estates *estates = &frontend->estates;

    /* It is detached, and becomes an estate when it is dead. */
    if (frontend->dying_mask >> from & 1)
        frontend->lanes[from].exports_done = number;
    for (uint32_t i = 0; i < estates->n; i++) {
        struct estate *estate = &estates->list[i];

        /* A later worker of that slot exports under higher numbers only: nothing of its is meant. */
        if (estate->what == ATTACH_ADOPT_DEAD && estate->from == from && estate->exports_done < number)
            estate->exports_done = number;
    }
}

static bool estate_writer_serves(const struct frontend *frontend, const struct estate *estate)
{
    return (frontend->lane_mask >> estate->from & 1) != 0 &&
           frontend->lanes[estate->from].attached_ns == estate->from_attached_ns;
}

/* A worker that is detached but not dead yet may still write its records. */
static bool estates_must_wait(const struct frontend *frontend)
{
    return frontend->handover.state != HANDOVER_IDLE || broker_is_dying(frontend) ||
           frontend->returning.is_waiting;
}

bool estates_are_open(const struct frontend *frontend)
{
    return frontend->estates.is_round || frontend->estates.n > 0 || broker_is_dying(frontend) ||
           frontend->estates.has_orphans || frontend->returning.is_waiting;
}

static void estate_announce(void *context, uint32_t bucket, uint8_t from, uint8_t to)
{
    (void)from;
    hold_announce(context, bucket, to);
}

static void estates_begin(struct frontend *frontend)
{
    struct estates *estates = &frontend->estates;
    uint32_t fresh = frontend->lane_mask & ~frontend->draining_mask;

    estates->is_round = true;
    estates->has_orphans = false;
    estates->adopters = estates->unpassed = frontend->lane_mask;
    estates->deadline_ns = clock_now_ns() + ESTATE_ANSWER_NS;
    bucket_table_give(&frontend->buckets, fresh != 0 ? fresh : frontend->lane_mask, estate_announce,
                      frontend);
    for (uint32_t i = 0; i < estates->n; i++) {
        struct estate *estate = &estates->list[i];

        estate->unoffered = estate->unanswered = estates->adopters;
        estate->is_in_round = true;
        estate->is_kept = false;
        memset(estate->order_number, 0, sizeof(estate->order_number));
    }
}

/* True: sent. Else there is no room yet, or the lane is gone by the time this returns. */
static bool estate_offer(struct frontend *frontend, struct estate *estate, struct lane *lane)
{
    struct attach_adopt order = {.number = frontend->next_number,
                                 .exported = estate->exported,
                                 .exports_done = estate->exports_done,
                                 .from = estate->from,
                                 .what = (uint16_t)estate->what,
                                 .is_shared = 1};
    enum lane_order_result result = lane_order_adopt(lane, &order, estate->records_fd);

    switch (result) {
    case LANE_ORDER_SENT:
        frontend->next_number++;
        estate->order_number[lane->slot] = order.number;
        estate->unoffered &= ~(1u << lane->slot);
        return true;
    case LANE_ORDER_LATER:
        return false;
    case LANE_ORDER_INDEX:
    case LANE_ORDER_DEAF:
        broker_quarantine(frontend, lane, lane_order_fault(result));
        return false;
    }
    return false;
}

/* For pin_table_remove_where(): pins that were orphaned and whose bucket's worker has been asked to adopt. */
struct estate_heir {
    const struct frontend *frontend;
    uint8_t worker;
};

static bool estate_pin_has_come(const void *context, const struct pin *pin)
{
    const struct estate_heir *heir = context;
    const struct bucket_table *buckets = &heir->frontend->buckets;

    return pin->worker == BUCKET_ORPHAN && buckets->worker[bucket_of(buckets, pin->hash)] == heir->worker;
}

/* The lane has its orders and its held frames: what comes for its new buckets goes to it. */
static void estates_point(struct frontend *frontend, uint8_t worker)
{
    const struct estate_heir heir = {frontend, worker};

    for (uint32_t i = 0; i < frontend->buckets.n_buckets; i++) {
        uint8_t was = frontend->buckets.worker[i];

        if ((was == BUCKET_ORPHAN || was == BUCKET_NO_WORKER) && hold_announced(frontend, i) == worker)
            frontend->buckets.worker[i] = worker;
    }
    pin_table_remove_where(&frontend->pins, estate_pin_has_come, &heir);
}

/* Orders newest first, then frames. */
static void estates_serve(struct frontend *frontend, struct lane *lane)
{
    struct estates *estates = &frontend->estates;

    for (uint32_t i = estates->n; i-- > 0;) {
        if ((estates->list[i].unoffered >> lane->slot & 1) != 0 &&
            !estate_offer(frontend, &estates->list[i], lane))
            return;
    }
    if (!suspects_reset(frontend, lane) || !hold_release(frontend, lane, true))
        return;
    estates_point(frontend, lane->slot);
    estates->unpassed &= ~(1u << lane->slot);
}

static void estate_report(struct frontend *frontend, const struct estate *estate)
{
    struct board_event event = {.time_ns = clock_now_ns(),
                                .kind = BOARD_EVENT_ADOPTED,
                                .a = estate->from,
                                .n_flows = estate->n_flows,
                                .n_frames = estate->n_frames};

    event.b = event.time_ns - estate->begun_ns;
    board_event_put(&frontend->board, &event);
    board_histogram_add(&frontend->board, HISTOGRAM_adoption_ns, event.b);
    counter_add(frontend->board.nic, NIC_flows_adopted, estate->n_flows);
    log_info("adopted slot=%u flows=%u frames=%u us=%llu", estate->from, estate->n_flows, estate->n_frames,
             (unsigned long long)(event.b / CLOCK_NS_PER_US));
}

/* Every adopter has answered for it. */
static void estate_close(struct frontend *frontend, uint32_t idx)
{
    struct estate *estate = &frontend->estates.list[idx];
    struct lane *writer = &frontend->lanes[estate->from];

    if (estate->what == ATTACH_ADOPT_DEAD) {
        estate_report(frontend, estate);
    } else if (estate_writer_serves(frontend, estate)) {
        writer->exports_done = writer->release_number = estate->exported;
    } else {
        estates_export_done(frontend, estate->from, estate->exported);
    }
    estate_remove(&frontend->estates, idx);
}

/* What was orphaned while the round ran waits for the next. */
static void estates_end(struct frontend *frontend)
{
    struct estates *estates = &frontend->estates;

    estates->is_round = false;
    for (uint32_t i = 0; i < estates->n;) {
        struct estate *estate = &estates->list[i];
        bool is_over = estate->is_in_round && !estate->is_kept;

        estate->is_in_round = false;
        if (is_over)
            estate_close(frontend, i);
        else
            i++;
    }
    hold_orphan(frontend);
    hold_drop_idle_pins(frontend);
}

static bool estates_have_answered(const struct estates *estates)
{
    uint32_t missing = estates->unpassed;

    for (uint32_t i = 0; i < estates->n; i++)
        missing |= estates->list[i].unoffered | estates->list[i].unanswered;
    return missing == 0;
}

/* Who has not answered after so long will not. */
static void estates_watch(struct frontend *frontend)
{
    struct estates *estates = &frontend->estates;
    uint32_t late = estates->unpassed;

    if (frontend->now_ns <= estates->deadline_ns)
        return;
    for (uint32_t i = 0; i < estates->n; i++)
        late |= estates->list[i].unoffered | estates->list[i].unanswered;
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        if (late >> i & 1)
            broker_quarantine(frontend, &frontend->lanes[i], LANE_fault_stalled);
    }
}

void estates_advance(struct frontend *frontend)
{
    struct estates *estates = &frontend->estates;

    if (!estates->is_round) {
        if ((estates->n == 0 && !estates->has_orphans) || frontend->lane_mask == 0 ||
            estates_must_wait(frontend))
            return;
        estates_begin(frontend);
    }
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        if (estates->unpassed >> i & 1)
            estates_serve(frontend, &frontend->lanes[i]);
    }
    if (estates_have_answered(estates))
        estates_end(frontend);
    else
        estates_watch(frontend);
}

void estates_adopted(struct frontend *frontend, uint8_t worker, uint64_t number, uint32_t n_flows)
{
    struct estates *estates = &frontend->estates;

    for (uint32_t i = 0; i < estates->n; i++) {
        struct estate *estate = &estates->list[i];

        if (!(estate->unanswered >> worker & 1) || estate->order_number[worker] != number)
            continue;
        estate->unanswered &= ~(1u << worker);
        estate->n_flows += n_flows;
        return;
    }
}

void estates_lane_gone(struct frontend *frontend, uint8_t worker)
{
    struct estates *estates = &frontend->estates;
    uint32_t others = ~(1u << worker);

    for (uint32_t i = 0; i < estates->n; i++) {
        struct estate *estate = &estates->list[i];

        if (estate->unanswered >> worker & 1)
            estate->is_kept = true;
        estate->unoffered &= others;
        estate->unanswered &= others;
    }
    estates->adopters &= others;
    estates->unpassed &= others;
}
