/* SPDX-License-Identifier: BSD-3-Clause */
/* handover_test.c — hand-overs between living workers, and every death that may come between. */
#include <stdio.h>

#include "flow/bucket.h"
#include "move_rig.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "frontend/handover";

#define HELD_FRAMES 1024u
#define RING_SLOTS 1024u
#define ALL_SLOTS 10000u /* of a turn: no limit */

/* Two workers, each with half of the buckets, every flow open. */
static void start_two(struct rig *rig)
{
    rig_init(rig, HELD_FRAMES);
    rig_attach(rig, 0, RING_SLOTS);
    rig_attach(rig, 1, RING_SLOTS);
    rig_settle(rig);
    rig_send_all(rig);
    rig_settle(rig);
    rig_check(rig);
}

static uint32_t buckets_of(const struct rig *rig, uint8_t worker)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < RIG_N_BUCKETS; i++)
        n += rig->frontend.buckets.worker[i] == worker;
    return n;
}

/* A flow that the worker serves. */
static uint32_t flow_of(struct rig *rig, uint8_t worker)
{
    for (uint32_t i = 0; i < RIG_N_FLOWS; i++) {
        if (rig_worker_of(rig, i) == worker)
            return i;
    }
    CU_FAIL_FATAL("the worker has no flow");
    return 0;
}

static uint64_t order_bucket(struct rig *rig, uint32_t bucket, uint32_t to)
{
    const struct board_order order = {
        .kind = BOARD_ORDER_MOVE_BUCKETS, .to = to, .n_buckets = 1, .buckets = {(uint16_t)bucket}};

    return board_order_add(&rig->frontend.board, &order);
}

static uint64_t order_flow(struct rig *rig, uint32_t flow, uint32_t to)
{
    const struct board_order order = {.kind = BOARD_ORDER_MOVE_FLOW, .to = to, .key = rig_key(flow)};

    return board_order_add(&rig->frontend.board, &order);
}

static enum board_result result_of(struct rig *rig, uint64_t id)
{
    struct board_order_result result;

    if (!board_order_result(&rig->frontend.board, id, &result))
        return BOARD_RESULT_PENDING;
    return (enum board_result)result.result;
}

static void workers_share_the_buckets_by_hand_over(void)
{
    static struct rig rig;

    start_two(&rig);
    CU_ASSERT_EQUAL(buckets_of(&rig, 0), RIG_N_BUCKETS / 2);
    CU_ASSERT_EQUAL(buckets_of(&rig, 1), RIG_N_BUCKETS / 2);
    rig_attach(&rig, 2, RING_SLOTS);
    rig_send_all(&rig);
    rig_settle(&rig);
    CU_ASSERT(buckets_of(&rig, 2) >= RIG_N_BUCKETS / 3);
    rig_send_all(&rig);
    rig_settle(&rig);
    rig_check(&rig);
    rig_fini(&rig);
}

static void a_bucket_moves_and_no_frame_is_lost_or_overtaken(void)
{
    static struct rig rig;
    struct board_order_result result;
    uint32_t flow, bucket;
    uint64_t id;

    start_two(&rig);
    flow = flow_of(&rig, 0);
    bucket = rig_bucket(&rig, flow);
    rig_send(&rig, flow);
    rig_turn(&rig); /* in the old worker's ring, before the fence */
    id = order_bucket(&rig, bucket, 1);
    rig_turn(&rig);
    CU_ASSERT_EQUAL(rig.frontend.buckets.worker[bucket], BUCKET_HELD);
    CU_ASSERT_EQUAL(hold_announced(&rig.frontend, bucket), 0);
    for (int i = 0; i < 5; i++)
        rig_send(&rig, flow);
    rig_turn(&rig);
    CU_ASSERT_EQUAL(rig.frontend.held.n, 5);
    rig_work(&rig, rig_at(&rig, 0), ALL_SLOTS);
    rig_turn(&rig);
    CU_ASSERT_EQUAL(rig.frontend.buckets.worker[bucket], 1);
    CU_ASSERT_EQUAL(rig.frontend.held.n, 0);
    rig_send(&rig, flow);
    CU_ASSERT_EQUAL(result_of(&rig, id), BOARD_RESULT_PENDING);
    rig_settle(&rig);
    CU_ASSERT_FATAL(board_order_result(&rig.frontend.board, id, &result));
    CU_ASSERT_EQUAL(result.result, BOARD_RESULT_DONE);
    CU_ASSERT_EQUAL(result.n_buckets, 1);
    CU_ASSERT_EQUAL(result.n_frames, 5);
    CU_ASSERT(result.n_flows >= 1);
    CU_ASSERT_EQUAL(rig_at(&rig, 0)->n_releases, rig_at(&rig, 0)->n_exports);
    rig_check(&rig);
    rig_fini(&rig);
}

/* What the exporter sent before may stand in either tx ring. */
static void the_heir_is_asked_only_when_the_fence_came_back_in_both_rings(void)
{
    static struct rig rig;
    struct rig_worker *worker;
    uint64_t number;

    start_two(&rig);
    worker = rig_at(&rig, 0);
    order_bucket(&rig, rig_bucket(&rig, flow_of(&rig, 0)), 1);
    rig_turn(&rig);
    number = rig.frontend.handover.order.number;
    for (unsigned p = N_LANE_PRIORITIES; p-- > 0;) {
        ring_producer_stage(&worker->tx[p], lane_word(LANE_SLOT_FENCE, 0, 0), number + 1); /* not asked */
        ring_producer_publish(&worker->tx[p]);
        rig_turn(&rig);
        CU_ASSERT_EQUAL(rig.frontend.handover.state, HANDOVER_FENCING);
        ring_producer_stage(&worker->tx[p], lane_word(LANE_SLOT_FENCE, 0, 0), number);
        ring_producer_publish(&worker->tx[p]);
        rig_turn(&rig);
        CU_ASSERT_EQUAL(rig.frontend.handover.state, p == 0 ? HANDOVER_ADOPTING : HANDOVER_FENCING);
    }
    rig_fini(&rig);
}

static void a_single_flow_moves_and_its_bucket_stays(void)
{
    static struct rig rig;
    uint32_t flow, bucket;
    uint64_t id;

    start_two(&rig);
    flow = flow_of(&rig, 0);
    bucket = rig_bucket(&rig, flow);
    id = order_flow(&rig, flow, 1);
    rig_turn(&rig);
    CU_ASSERT_EQUAL(rig_worker_of(&rig, flow), BUCKET_HELD);
    rig_send_all(&rig);
    rig_turn(&rig);
    CU_ASSERT_EQUAL(rig.frontend.held.n, 1);
    rig_settle(&rig);
    CU_ASSERT_EQUAL(result_of(&rig, id), BOARD_RESULT_DONE);
    CU_ASSERT_EQUAL(rig_worker_of(&rig, flow), 1);
    CU_ASSERT_EQUAL(rig.frontend.buckets.worker[bucket], 0);
    rig_check(&rig);
    /* Back home it needs no pin. */
    id = order_flow(&rig, flow, 0);
    rig_settle(&rig);
    CU_ASSERT_EQUAL(result_of(&rig, id), BOARD_RESULT_DONE);
    CU_ASSERT_EQUAL(rig.frontend.pins.by_key.n_used, 0);
    rig_send_all(&rig);
    rig_settle(&rig);
    rig_check(&rig);
    rig_fini(&rig);
}

static void an_order_that_cannot_be_carried_out_is_answered_and_changes_nothing(void)
{
    static struct rig rig;
    struct board_order drain = {.kind = BOARD_ORDER_DRAIN, .slot = 0, .to = BOARD_ANY_LANE};
    uint64_t same, same_flow, no_target, no_bucket, no_flow[2], last;
    struct flow_key unknown;

    start_two(&rig);
    same = order_bucket(&rig, rig_bucket(&rig, flow_of(&rig, 0)), 0);
    no_target = order_bucket(&rig, 0, 7);
    no_bucket = order_bucket(&rig, RIG_N_BUCKETS, 1);
    unknown = rig_key(RIG_N_FLOWS + 1);
    same_flow = order_flow(&rig, flow_of(&rig, 1), 1);
    for (uint32_t to = 0; to < 2; to++) {
        struct board_order order = {.kind = BOARD_ORDER_MOVE_FLOW, .to = to, .key = unknown};

        no_flow[to] = board_order_add(&rig.frontend.board, &order);
    }
    rig_settle(&rig);
    CU_ASSERT_EQUAL(result_of(&rig, same), BOARD_RESULT_SAME);
    CU_ASSERT_EQUAL(result_of(&rig, no_target), BOARD_RESULT_NO_TARGET);
    CU_ASSERT_EQUAL(result_of(&rig, no_bucket), BOARD_RESULT_NOT_FOUND);
    CU_ASSERT_EQUAL(result_of(&rig, same_flow), BOARD_RESULT_SAME);
    CU_ASSERT_EQUAL(result_of(&rig, no_flow[0]), BOARD_RESULT_NOT_FOUND);
    CU_ASSERT_EQUAL(result_of(&rig, no_flow[1]), BOARD_RESULT_NOT_FOUND);
    CU_ASSERT_EQUAL(rig.frontend.pins.by_key.n_used, 0);
    board_order_add(&rig.frontend.board, &drain);
    rig_settle(&rig);
    drain.slot = 1;
    last = board_order_add(&rig.frontend.board, &drain);
    no_target = order_bucket(&rig, 0, 0);
    rig_settle(&rig);
    CU_ASSERT_EQUAL(result_of(&rig, last), BOARD_RESULT_LAST);
    CU_ASSERT_EQUAL(result_of(&rig, no_target), BOARD_RESULT_NO_TARGET);
    rig_send_all(&rig);
    rig_settle(&rig);
    rig_check(&rig);
    rig_fini(&rig);
}

static void a_flow_is_refused_early_when_there_is_no_room_among_the_pins(void)
{
    static struct rig rig;
    struct flow_key key;
    uint32_t flow;
    uint64_t id;

    start_two(&rig);
    for (uint32_t i = 0; i < 16; i++) {
        key = rig_key(RIG_N_FLOWS + i);
        CU_ASSERT_EQUAL(pin_table_point(&rig.frontend.pins, flow_key_hash(&key, &rig.frontend.seed), &key, 1),
                        0);
    }
    flow = flow_of(&rig, 0);
    id = order_flow(&rig, flow, 1);
    rig_settle(&rig);
    CU_ASSERT_EQUAL(result_of(&rig, id), BOARD_RESULT_FULL);
    CU_ASSERT_EQUAL(rig_at(&rig, 0)->n_exports, rig_at(&rig, 0)->n_releases);
    rig_send(&rig, flow);
    rig_settle(&rig);
    rig_check(&rig);
    rig_fini(&rig);
}

static void a_drained_worker_has_nothing_left_and_gets_nothing_new_until_undrained(void)
{
    static struct rig rig;
    const struct board_order drain = {.kind = BOARD_ORDER_DRAIN, .slot = 0, .to = BOARD_ANY_LANE};
    const struct board_order undrain = {.kind = BOARD_ORDER_UNDRAIN, .slot = 0};
    uint32_t pinned;
    uint64_t id;

    start_two(&rig);
    rig_attach(&rig, 2, RING_SLOTS);
    rig_settle(&rig);
    pinned = flow_of(&rig, 1);
    order_flow(&rig, pinned, 0);
    rig_settle(&rig);
    id = board_order_add(&rig.frontend.board, &drain);
    rig_turn(&rig);
    rig_send_all(&rig);
    rig_settle(&rig);
    CU_ASSERT_EQUAL(result_of(&rig, id), BOARD_RESULT_DONE);
    CU_ASSERT_EQUAL(buckets_of(&rig, 0), 0);
    CU_ASSERT_NOT_EQUAL(rig_worker_of(&rig, pinned), 0);
    for (uint32_t i = 0; i < RIG_N_FLOWS; i++)
        CU_ASSERT(!rig_at(&rig, 0)->flows[i].in_use);
    CU_ASSERT(buckets_of(&rig, 1) > RIG_N_BUCKETS / 3 && buckets_of(&rig, 2) > RIG_N_BUCKETS / 3);
    rig_check(&rig);
    rig_attach(&rig, 3, RING_SLOTS); /* a new one's share comes from the others */
    rig_settle(&rig);
    CU_ASSERT_EQUAL(buckets_of(&rig, 0), 0);
    id = board_order_add(&rig.frontend.board, &undrain);
    rig_settle(&rig);
    CU_ASSERT_EQUAL(result_of(&rig, id), BOARD_RESULT_DONE);
    CU_ASSERT_EQUAL(buckets_of(&rig, 0), RIG_N_BUCKETS / 4);
    rig_send_all(&rig);
    rig_settle(&rig);
    rig_check(&rig);
    rig_fini(&rig);
}

static void what_an_order_has_moved_is_no_part_of_a_share_for_a_minute(void)
{
    static struct rig rig;
    struct board_order order = {.kind = BOARD_ORDER_MOVE_BUCKETS, .to = 1, .n_buckets = RIG_N_BUCKETS - 4};
    uint64_t id;

    start_two(&rig);
    for (uint32_t i = 0; i < order.n_buckets; i++)
        order.buckets[i] = (uint16_t)i;
    id = board_order_add(&rig.frontend.board, &order);
    rig_settle(&rig);
    CU_ASSERT_EQUAL(result_of(&rig, id), BOARD_RESULT_DONE);
    rig_attach(&rig, 2, RING_SLOTS);
    rig_settle(&rig);
    /* Others are not needed for it: those four are less than a share. */
    CU_ASSERT_EQUAL(buckets_of(&rig, 1) + buckets_of(&rig, 2), RIG_N_BUCKETS - buckets_of(&rig, 0));
    for (uint32_t i = 0; i < order.n_buckets; i++)
        CU_ASSERT_EQUAL(rig.frontend.buckets.worker[i], 1);
    /* A minute later. */
    for (uint32_t i = 0; i < RIG_N_BUCKETS; i++)
        rig.frontend.orders.marks[i].moved_ns -= ORDERS_REST_NS;
    rig.frontend.orders.fill_ns = 0;
    rig_settle(&rig);
    CU_ASSERT_EQUAL(buckets_of(&rig, 2), RIG_N_BUCKETS / 3);
    rig_fini(&rig);
}

static void a_bucket_whose_new_worker_has_died_is_anybodys(void)
{
    static struct rig rig;
    struct board_order order = {.kind = BOARD_ORDER_MOVE_BUCKETS, .to = 1, .n_buckets = RIG_N_BUCKETS};

    start_two(&rig);
    for (uint32_t i = 0; i < order.n_buckets; i++)
        order.buckets[i] = (uint16_t)i;
    board_order_add(&rig.frontend.board, &order);
    rig_settle(&rig);
    rig_kill(&rig, rig_at(&rig, 1));
    rig_settle(&rig);
    CU_ASSERT_EQUAL(buckets_of(&rig, 0), RIG_N_BUCKETS);
    rig_attach(&rig, 1, RING_SLOTS);
    rig_settle(&rig);
    CU_ASSERT_EQUAL(buckets_of(&rig, 1), RIG_N_BUCKETS / 2);
    rig_check(&rig);
    rig_fini(&rig);
}

static void a_drain_that_fails_leaves_the_worker_serving(void)
{
    static struct rig rig;
    const struct board_order drain = {.kind = BOARD_ORDER_DRAIN, .slot = 0, .to = BOARD_ANY_LANE};
    uint64_t id;

    start_two(&rig);
    id = board_order_add(&rig.frontend.board, &drain);
    rig_turn(&rig);
    CU_ASSERT_EQUAL(rig.frontend.draining_mask, 1u);
    rig_kill(&rig, rig_at(&rig, 1));
    rig_settle(&rig);
    CU_ASSERT_EQUAL(result_of(&rig, id), BOARD_RESULT_TARGET_DIED);
    CU_ASSERT_EQUAL(rig.frontend.draining_mask, 0);
    CU_ASSERT_EQUAL(buckets_of(&rig, 0), RIG_N_BUCKETS);
    rig_send_all(&rig);
    rig_settle(&rig);
    rig_check(&rig);
    rig_fini(&rig);
}

static void a_drain_goes_on_with_those_who_are_left(void)
{
    static struct rig rig;
    const struct board_order drain = {.kind = BOARD_ORDER_DRAIN, .slot = 0, .to = BOARD_ANY_LANE};
    uint64_t id;

    start_two(&rig);
    rig_attach(&rig, 2, RING_SLOTS);
    rig_settle(&rig);
    id = board_order_add(&rig.frontend.board, &drain);
    rig_turn(&rig);
    rig_kill(&rig, rig_at(&rig, (uint8_t)rig.frontend.handover.order.to));
    rig_settle(&rig);
    CU_ASSERT_EQUAL(result_of(&rig, id), BOARD_RESULT_DONE);
    CU_ASSERT_EQUAL(buckets_of(&rig, 0), 0);
    CU_ASSERT_EQUAL(rig.frontend.draining_mask, 1u);
    rig_send_all(&rig);
    rig_settle(&rig);
    rig_check(&rig);
    rig_fini(&rig);
}

static void who_serves_is_told_at_once(void)
{
    static struct rig rig;
    const struct board_lane *lanes = rig.frontend.board.lanes;

    start_two(&rig);
    CU_ASSERT_EQUAL(atomic_load(&lanes[2].state), BOARD_LANE_EMPTY);
    rig_attach(&rig, 2, RING_SLOTS);
    CU_ASSERT_EQUAL(atomic_load(&lanes[2].state), BOARD_LANE_SERVING);
    rig_kill(&rig, rig_at(&rig, 2));
    rig_settle(&rig);
    CU_ASSERT_EQUAL(atomic_load(&lanes[2].state), BOARD_LANE_EMPTY);
    rig_fini(&rig);
}

/* It was accepted while the target lived, and waits for the hand-over that fills a new worker. */
static void an_order_whose_target_dies_before_its_turn_is_answered_and_changes_nothing(void)
{
    for (unsigned is_flow = 0; is_flow < 2; is_flow++) {
        static struct rig rig;
        uint32_t flow;
        uint64_t id;

        start_two(&rig);
        rig_attach(&rig, 2, RING_SLOTS);
        rig_turn(&rig);
        CU_ASSERT_EQUAL(rig.frontend.handover.state, HANDOVER_FENCING);
        flow = flow_of(&rig, 0);
        id = is_flow ? order_flow(&rig, flow, 1) : order_bucket(&rig, rig_bucket(&rig, flow), 1);
        rig_turn(&rig);
        CU_ASSERT(rig.frontend.orders.has_order);
        rig_kill(&rig, rig_at(&rig, 1));
        rig_send_all(&rig);
        rig_settle(&rig);
        CU_ASSERT_EQUAL(result_of(&rig, id), BOARD_RESULT_TARGET_DIED);
        rig_check(&rig);
        rig_fini(&rig);
    }
}

/* Where a hand-over stands when somebody dies. */
enum step {
    STEP_EXPORTING, /* the exporter's ring has no room for the fence */
    STEP_FENCING,   /* the fence is in its rings, unread */
    STEP_FENCED,    /* it has answered, which the frontend has not seen */
    STEP_OFFERING,  /* the heir's ring has no room */
    STEP_ADOPTING,  /* the order is in the heir's rings, unread */
    STEP_ADOPTED,   /* it has answered, which the frontend has not seen */
    N_STEPS
};

enum victim { VICTIM_SOURCE, VICTIM_TARGET, VICTIM_OTHER, VICTIM_BOTH, N_VICTIMS };

static void go_to_step(struct rig *rig, enum step step)
{
    if (step == STEP_EXPORTING)
        rig_fill(rig, 0);
    rig_turn(rig);
    CU_ASSERT_EQUAL(rig->frontend.handover.state,
                    step == STEP_EXPORTING ? HANDOVER_EXPORTING : HANDOVER_FENCING);
    if (step <= STEP_FENCING)
        return;
    rig_work(rig, rig_at(rig, 0), ALL_SLOTS);
    if (step == STEP_FENCED)
        return;
    if (step == STEP_OFFERING)
        rig_fill(rig, 1);
    rig_turn(rig);
    CU_ASSERT_EQUAL(rig->frontend.handover.state,
                    step == STEP_OFFERING ? HANDOVER_OFFERING : HANDOVER_ADOPTING);
    if (step == STEP_ADOPTED)
        rig_work(rig, rig_at(rig, 1), ALL_SLOTS);
}

/* One cell of the table: two hand-overs of both kinds end in a death, and nothing is lost. */
static void die_at(enum step step, enum victim victim, bool is_flow)
{
    static struct rig rig;
    uint32_t flow;
    uint64_t id;

    start_two(&rig);
    rig_attach(&rig, 2, RING_SLOTS);
    rig_settle(&rig);
    flow = flow_of(&rig, 0);
    rig_send_all(&rig);
    rig_turn(&rig);
    id = is_flow ? order_flow(&rig, flow, 1) : order_bucket(&rig, rig_bucket(&rig, flow), 1);
    go_to_step(&rig, step);
    rig_send_all(&rig);
    rig_turn(&rig);
    rig_check_chunks(&rig);
    if (victim == VICTIM_SOURCE || victim == VICTIM_BOTH)
        rig_kill(&rig, rig_at(&rig, 0));
    if (victim == VICTIM_TARGET || victim == VICTIM_BOTH)
        rig_kill(&rig, rig_at(&rig, 1));
    if (victim == VICTIM_OTHER)
        rig_kill(&rig, rig_at(&rig, 2));
    rig_send_all(&rig);
    rig_turn(&rig);
    rig_check_chunks(&rig);
    rig_settle(&rig);
    rig_check(&rig);
    CU_ASSERT_NOT_EQUAL(result_of(&rig, id), BOARD_RESULT_PENDING);
    rig_send_all(&rig);
    rig_attach(&rig, 5, RING_SLOTS);
    rig_settle(&rig);
    rig_check(&rig);
    rig_fini(&rig);
}

static void whoever_dies_at_whatever_step_nothing_is_lost(void)
{
    for (unsigned step = 0; step < N_STEPS; step++) {
        for (unsigned victim = 0; victim < N_VICTIMS; victim++) {
            unsigned failures = CU_get_number_of_failures();

            die_at((enum step)step, (enum victim)victim, false);
            die_at((enum step)step, (enum victim)victim, true);
            if (CU_get_number_of_failures() != failures)
                printf("\nstep %u victim %u\n", step, victim);
        }
    }
}

const struct unit_test unit_tests[] = {
    {"workers share the buckets by hand-over", workers_share_the_buckets_by_hand_over},
    {"a bucket moves and no frame is lost or overtaken", a_bucket_moves_and_no_frame_is_lost_or_overtaken},
    {"the heir is asked only when the fence came back in both rings",
     the_heir_is_asked_only_when_the_fence_came_back_in_both_rings},
    {"a single flow moves and its bucket stays", a_single_flow_moves_and_its_bucket_stays},
    {"an order that cannot be carried out is answered and changes nothing",
     an_order_that_cannot_be_carried_out_is_answered_and_changes_nothing},
    {"a flow is refused early when there is no room among the pins",
     a_flow_is_refused_early_when_there_is_no_room_among_the_pins},
    {"what an order has moved is no part of a share for a minute",
     what_an_order_has_moved_is_no_part_of_a_share_for_a_minute},
    {"a bucket whose new worker has died is anybody's", a_bucket_whose_new_worker_has_died_is_anybodys},
    {"a drain that fails leaves the worker serving", a_drain_that_fails_leaves_the_worker_serving},
    {"a drain goes on with those who are left", a_drain_goes_on_with_those_who_are_left},
    {"who serves is told at once", who_serves_is_told_at_once},
    {"a drained worker has nothing left, and gets nothing new until undrained",
     a_drained_worker_has_nothing_left_and_gets_nothing_new_until_undrained},
    {"an order whose target dies before its turn is answered and changes nothing",
     an_order_whose_target_dies_before_its_turn_is_answered_and_changes_nothing},
    {"whoever dies at whatever step, nothing is lost", whoever_dies_at_whatever_step_nothing_is_lost},
    {NULL, NULL},
};
