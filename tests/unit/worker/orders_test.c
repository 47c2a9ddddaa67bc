/* SPDX-License-Identifier: BSD-3-Clause */
/* orders_test.c — every fence and every order to adopt is answered once, in its place, whatever came with it.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "shm/worker_writes.h"
#include "tests/support/unit.h"
#include "tests/unit/worker/worker_rig.h"

static struct worker_rig rig;

static const struct attach_export export_nothing = {
    .magic = ATTACH_MAGIC, .kind = ATTACH_EXPORT, .number = 7, .what = ATTACH_EXPORT_BUCKETS};
static const struct attach_adopt adopt_dead = {
    .magic = ATTACH_MAGIC, .kind = ATTACH_ADOPT, .number = 9, .from = 1, .what = ATTACH_ADOPT_DEAD};

static bool is_slot(struct ring_slot_value slot, enum lane_slot_kind kind, uint64_t number)
{
    return slot.words[0] == lane_word((uint32_t)kind, 0, 0) && slot.words[1] == number;
}

static bool is_quiet(enum lane_priority priority)
{
    struct ring_slot_value slot = worker_rig_take(&rig, priority);

    return slot.words[0] == 0;
}

static uint32_t places_taken(void)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < ORDERS_MAX; i++)
        n += rig.worker.orders.places[i].number != 0;
    return n;
}

/* A silent log for tests that provoke what a sane frontend does not do. */
static void expect_warnings(void)
{
    log_set_level(LOG_LEVEL_ERROR);
}

static void start(void)
{
    log_set_level(LOG_LEVEL_WARN);
    worker_rig_start(&rig);
}

static void end(void)
{
    CU_ASSERT_PTR_NULL(rig.worker.lost_why);
    CU_ASSERT_FALSE(orders_have_answers(&rig.worker.orders));
    worker_rig_end(&rig);
}

static void a_fence_is_answered_when_met_in_both_rings(void)
{
    start();
    worker_rig_send(&rig, &export_nothing, sizeof(export_nothing), -1);
    worker_rig_slot(&rig, LANE_URGENT, LANE_SLOT_FENCE, 7);
    worker_rig_turn(&rig);
    CU_ASSERT(is_quiet(LANE_URGENT) && is_quiet(LANE_NORMAL));
    worker_rig_slot(&rig, LANE_NORMAL, LANE_SLOT_FENCE, 7);
    worker_rig_turn(&rig);
    CU_ASSERT(is_slot(worker_rig_take(&rig, LANE_URGENT), LANE_SLOT_FENCE, 7));
    CU_ASSERT(is_slot(worker_rig_take(&rig, LANE_NORMAL), LANE_SLOT_FENCE, 7));
    worker_rig_turn(&rig);
    CU_ASSERT(is_quiet(LANE_URGENT) && is_quiet(LANE_NORMAL));
    CU_ASSERT_EQUAL(places_taken(), 0);
    end();
}

static void a_fence_without_its_order_exports_nothing_and_is_answered(void)
{
    start();
    expect_warnings();
    worker_rig_slot(&rig, LANE_NORMAL, LANE_SLOT_FENCE, 3);
    worker_rig_slot(&rig, LANE_URGENT, LANE_SLOT_FENCE, 3);
    worker_rig_turn(&rig);
    CU_ASSERT(is_slot(worker_rig_take(&rig, LANE_URGENT), LANE_SLOT_FENCE, 3));
    CU_ASSERT(is_slot(worker_rig_take(&rig, LANE_NORMAL), LANE_SLOT_FENCE, 3));
    CU_ASSERT_EQUAL(places_taken(), 0);
    end();
}

static void an_order_to_adopt_is_answered_once(void)
{
    start();
    worker_rig_send(&rig, &adopt_dead, sizeof(adopt_dead), rig.frontend.records.fd);
    worker_rig_slot(&rig, LANE_NORMAL, LANE_SLOT_ADOPT, 9);
    worker_rig_turn(&rig);
    CU_ASSERT(is_slot(worker_rig_take(&rig, LANE_NORMAL), LANE_SLOT_ADOPTED, 9));
    worker_rig_slot(&rig, LANE_URGENT, LANE_SLOT_ADOPT, 9);
    worker_rig_turn(&rig);
    CU_ASSERT(is_quiet(LANE_URGENT) && is_quiet(LANE_NORMAL));
    CU_ASSERT_EQUAL(places_taken(), 0);
    end();
}

static void what_cannot_be_adopted_is_answered_with_no_flows(void)
{
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    start();
    expect_warnings();
    worker_rig_send(&rig, &adopt_dead, sizeof(adopt_dead), null_fd);
    worker_rig_slot(&rig, LANE_URGENT, LANE_SLOT_ADOPT, 9);
    worker_rig_slot(&rig, LANE_NORMAL, LANE_SLOT_ADOPT, 9);
    worker_rig_slot(&rig, LANE_NORMAL, LANE_SLOT_ADOPT, 10); /* no order came with it */
    worker_rig_slot(&rig, LANE_URGENT, LANE_SLOT_ADOPT, 10);
    worker_rig_turn(&rig);
    worker_rig_turn(&rig);
    CU_ASSERT(is_slot(worker_rig_take(&rig, LANE_NORMAL), LANE_SLOT_ADOPTED, 9));
    CU_ASSERT(is_slot(worker_rig_take(&rig, LANE_NORMAL), LANE_SLOT_ADOPTED, 10));
    CU_ASSERT(is_quiet(LANE_NORMAL));
    CU_ASSERT_EQUAL(places_taken(), 0);
    close(null_fd);
    end();
}

static void nonsense_on_the_socket_is_left_out(void)
{
    struct attach_export bad = export_nothing;

    start();
    expect_warnings();
    worker_rig_send(&rig, &bad, 4, -1);
    worker_rig_send(&rig, &bad, sizeof(bad) - 1, -1);
    worker_rig_send(&rig, &bad, sizeof(bad), rig.frontend.records.fd); /* a descriptor too many */
    worker_rig_send(&rig, &adopt_dead, sizeof(adopt_dead), -1);        /* and one too few */
    bad.n_buckets = ATTACH_MAX_BUCKETS + 1;
    worker_rig_send(&rig, &bad, sizeof(bad), -1);
    bad = export_nothing;
    bad.magic++;
    worker_rig_send(&rig, &bad, sizeof(bad), -1);
    bad = export_nothing;
    bad.kind = ATTACH_HELLO;
    worker_rig_send(&rig, &bad, sizeof(bad), -1);
    bad = export_nothing;
    bad.number = 0;
    worker_rig_send(&rig, &bad, sizeof(bad), -1);
    CU_ASSERT(orders_receive(&rig.worker));
    CU_ASSERT_EQUAL(places_taken(), 0);
    worker_rig_send(&rig, &export_nothing, sizeof(export_nothing), -1);
    worker_rig_send(&rig, &export_nothing, sizeof(export_nothing), -1); /* twice the same number */
    CU_ASSERT(orders_receive(&rig.worker));
    CU_ASSERT_EQUAL(places_taken(), 1);
    end();
}

/* Nothing on the socket can make the worker hold more than its places. */
static void too_many_orders_push_out_the_oldest(void)
{
    struct attach_adopt adopt = adopt_dead;

    start();
    expect_warnings();
    for (uint64_t i = 0; i < 3 * ORDERS_MAX; i++) {
        adopt.number = 100 + i;
        worker_rig_send(&rig, &adopt, sizeof(adopt), rig.frontend.records.fd);
        CU_ASSERT(orders_receive(&rig.worker));
    }
    CU_ASSERT_EQUAL(places_taken(), ORDERS_MAX);
    worker_rig_slot(&rig, LANE_NORMAL, LANE_SLOT_ADOPT, 100 + 3 * ORDERS_MAX - 1);
    worker_rig_turn(&rig);
    CU_ASSERT(is_slot(worker_rig_take(&rig, LANE_NORMAL), LANE_SLOT_ADOPTED, 100 + 3 * ORDERS_MAX - 1));
    end();
}

/* An order of another kind under the same number is not what the slot meant. */
static void a_slot_takes_only_an_order_of_its_kind(void)
{
    start();
    expect_warnings();
    worker_rig_send(&rig, &export_nothing, sizeof(export_nothing), -1);
    worker_rig_slot(&rig, LANE_NORMAL, LANE_SLOT_ADOPT, 7);
    worker_rig_slot(&rig, LANE_URGENT, LANE_SLOT_ADOPT, 7);
    worker_rig_slot(&rig, LANE_NORMAL, LANE_SLOT_RESET, 7);
    worker_rig_slot(&rig, LANE_NORMAL, LANE_SLOT_RELEASE, 7);
    worker_rig_turn(&rig);
    CU_ASSERT(is_slot(worker_rig_take(&rig, LANE_NORMAL), LANE_SLOT_ADOPTED, 7));
    CU_ASSERT(is_quiet(LANE_NORMAL) && is_quiet(LANE_URGENT));
    end();
}

static void an_answer_waits_for_room(void)
{
    start();
    while (staging_put_fence(&rig.worker.staging, LANE_NORMAL, 1) == 0)
        continue;
    worker_rig_send(&rig, &export_nothing, sizeof(export_nothing), -1);
    worker_rig_slot(&rig, LANE_NORMAL, LANE_SLOT_FENCE, 7);
    worker_rig_slot(&rig, LANE_URGENT, LANE_SLOT_FENCE, 7);
    worker_rig_turn(&rig);
    CU_ASSERT(is_slot(worker_rig_take(&rig, LANE_URGENT), LANE_SLOT_FENCE, 7));
    CU_ASSERT(orders_have_answers(&rig.worker.orders));
    /* The frontend must know that somebody waits. */
    CU_ASSERT_EQUAL(border_worker_gauge(rig.frontend.worker_half.base, WORKER_GAUGE_tx_is_congested), 1);
    for (unsigned i = 0; i < LANE_MIN_SLOTS; i++)
        CU_ASSERT(is_slot(worker_rig_take(&rig, LANE_NORMAL), LANE_SLOT_FENCE, 1));
    worker_rig_turn(&rig);
    CU_ASSERT(is_slot(worker_rig_take(&rig, LANE_NORMAL), LANE_SLOT_FENCE, 7));
    CU_ASSERT(is_quiet(LANE_URGENT));
    CU_ASSERT_EQUAL(border_worker_gauge(rig.frontend.worker_half.base, WORKER_GAUGE_tx_is_congested), 0);
    end();
}

static void the_sockets_end_is_seen(void)
{
    start();
    fd_close(&rig.frontend.socket);
    CU_ASSERT_FALSE(orders_receive(&rig.worker));
    end();
}

const char unit_suite_name[] = "worker orders";
const struct unit_test unit_tests[] = {
    {"a fence is answered when it was met in both rings", a_fence_is_answered_when_met_in_both_rings},
    {"a fence without its order exports nothing and is answered",
     a_fence_without_its_order_exports_nothing_and_is_answered},
    {"an order to adopt is answered once", an_order_to_adopt_is_answered_once},
    {"what cannot be adopted is answered with no flows", what_cannot_be_adopted_is_answered_with_no_flows},
    {"nonsense on the socket is left out", nonsense_on_the_socket_is_left_out},
    {"too many orders push out the oldest", too_many_orders_push_out_the_oldest},
    {"a slot takes only an order of its kind", a_slot_takes_only_an_order_of_its_kind},
    {"an answer waits for room, and says so", an_answer_waits_for_room},
    {"the socket's end is seen", the_sockets_end_is_seen},
    {NULL, NULL}};
