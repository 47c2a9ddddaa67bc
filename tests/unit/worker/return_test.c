/* SPDX-License-Identifier: BSD-3-Clause */
/* return_test.c — a worker whose frontend dies goes on with the next one, within its time. */
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "shm/worker_writes.h"
#include "tests/support/unit.h"
#include "tests/unit/worker/worker_rig.h"

static struct worker_rig rig;

static void start(void)
{
    log_set_level(LOG_LEVEL_ERROR); /* every one of these worlds is worth a warning */
    worker_rig_start(&rig);
}

static void lose_frontend(void)
{
    worker_rig_frontend_end(&rig);
    rig.worker.lost_why = "frontend_gone";
    worker_orphan(&rig.worker, rig.now_ns);
}

/* A turn without a frontend, as the loop does it, `ms` later. */
static void step(uint32_t ms)
{
    rig.now_ns += ms * CLOCK_NS_PER_MS;
    stack_set_now(&rig.worker.stack, rig.now_ns);
    stack_timers(&rig.worker.stack, rig.now_ns);
    stack_run(&rig.worker.stack);
    stack_commit(&rig.worker.stack);
    worker_return_step(&rig.worker, rig.now_ns);
}

/* The frontend is gone while nobody listens: the rig's end takes away what is not there. */
static void end_without_frontend(void)
{
    worker_rig_frontend_listen(&rig);
    worker_rig_end(&rig);
}

static void it_returns_with_its_records_and_counters(void)
{
    const void *records = NULL, *old_half = NULL;
    struct worker_half *half;

    start();
    records = rig.worker.records.base;
    old_half = rig.worker.half.base;
    half = rig.worker.half.base;
    counter_add(half->counters, WORKER_rx_bytes, 4711);
    lose_frontend();
    CU_ASSERT_EQUAL(rig.worker.link, WORKER_ORPHAN);
    for (int i = 0; i < 10; i++)
        step(20); /* nobody listens */
    CU_ASSERT_EQUAL(rig.worker.link, WORKER_ORPHAN);
    worker_rig_frontend_listen(&rig);
    step(20);
    CU_ASSERT_EQUAL(rig.worker.link, WORKER_GREETING);
    worker_rig_take_hello(&rig);
    CU_ASSERT_EQUAL(rig.frontend.hello.flags, ATTACH_RETURNS);
    CU_ASSERT_EQUAL(rig.frontend.hello.slot, WORKER_RIG_SLOT);
    step(20); /* the welcome takes its time */
    CU_ASSERT_EQUAL(rig.worker.link, WORKER_GREETING);
    worker_rig_welcome(&rig);
    step(20);
    CU_ASSERT_EQUAL(rig.worker.link, WORKER_ATTACHED);
    CU_ASSERT(worker_rig_is_ready(&rig));
    CU_ASSERT_PTR_EQUAL(rig.worker.records.base, records);
    CU_ASSERT_PTR_NOT_EQUAL(rig.worker.half.base, old_half);
    CU_ASSERT_EQUAL(border_worker_counter(rig.frontend.worker_half.base, WORKER_rx_bytes), 4711);
    worker_rig_end(&rig);
}

static void the_new_lane_carries_orders(void)
{
    struct ring_slot_value slot;

    start();
    worker_rig_slot(&rig, LANE_NORMAL, LANE_SLOT_FENCE,
                    5); /* of the old frontend: nobody wants it any more */
    worker_rig_turn(&rig);
    lose_frontend();
    worker_rig_frontend_listen(&rig);
    step(20);
    worker_rig_take_hello(&rig);
    worker_rig_welcome(&rig);
    step(20);
    CU_ASSERT_EQUAL_FATAL(rig.worker.link, WORKER_ATTACHED);
    worker_rig_slot(&rig, LANE_URGENT, LANE_SLOT_FENCE, 5);
    worker_rig_turn(&rig);
    CU_ASSERT_EQUAL(worker_rig_take(&rig, LANE_URGENT).words[0], 0);
    worker_rig_slot(&rig, LANE_NORMAL, LANE_SLOT_FENCE, 5);
    worker_rig_turn(&rig);
    slot = worker_rig_take(&rig, LANE_NORMAL);
    CU_ASSERT_EQUAL(slot.words[0], lane_word(LANE_SLOT_FENCE, 0, 0));
    CU_ASSERT_EQUAL(slot.words[1], 5);
    worker_rig_end(&rig);
}

static void it_gives_up_when_others_have_its_connections(void)
{
    start();
    lose_frontend();
    worker_rig_frontend_listen(&rig);
    step(20);
    worker_rig_take_hello(&rig);
    worker_rig_refuse(&rig, -ESTALE, "others have its connections");
    step(20);
    CU_ASSERT(rig.worker.is_stopping);
    CU_ASSERT_EQUAL(rig.worker.exit_code, 1);
    worker_rig_end(&rig);
}

static void a_refusal_is_not_the_end(void)
{
    start();
    lose_frontend();
    worker_rig_frontend_listen(&rig);
    step(20);
    worker_rig_take_hello(&rig);
    worker_rig_refuse(&rig, -EBUSY, "the worker slot is taken");
    step(1);
    CU_ASSERT_EQUAL(rig.worker.link, WORKER_ORPHAN);
    step(20);
    CU_ASSERT_EQUAL(rig.worker.link, WORKER_GREETING);
    worker_rig_take_hello(&rig);
    worker_rig_welcome(&rig);
    step(1);
    CU_ASSERT_EQUAL(rig.worker.link, WORKER_ATTACHED);
    worker_rig_end(&rig);
}

static void a_frontend_that_dies_again_is_waited_for(void)
{
    start();
    lose_frontend();
    worker_rig_frontend_listen(&rig);
    step(20);
    worker_rig_take_hello(&rig);
    worker_rig_frontend_end(&rig); /* before its welcome */
    worker_rig_frontend_listen(&rig);
    step(1);
    CU_ASSERT_EQUAL(rig.worker.link, WORKER_ORPHAN);
    step(20);
    worker_rig_take_hello(&rig);
    worker_rig_welcome(&rig);
    worker_rig_frontend_end(&rig); /* right behind it */
    step(20);
    if (rig.worker.link == WORKER_ATTACHED) {
        CU_ASSERT_STRING_EQUAL(rig.worker.lost_why, "frontend_gone");
        worker_orphan(&rig.worker, rig.now_ns);
    }
    CU_ASSERT_EQUAL(rig.worker.link, WORKER_ORPHAN);
    CU_ASSERT_FALSE(rig.worker.is_stopping);
    end_without_frontend();
}

static void a_bad_welcome_changes_nothing(void)
{
    start();
    lose_frontend();
    worker_rig_frontend_listen(&rig);
    step(20);
    worker_rig_take_hello(&rig);
    worker_rig_send(&rig, "welcome", 7, -1);
    step(20);
    CU_ASSERT_EQUAL(rig.worker.link, WORKER_ORPHAN);
    CU_ASSERT_PTR_NOT_NULL(rig.worker.host.base);
    fd_close(&rig.frontend.socket);
    segment_fini(&rig.frontend.worker_half);
    segment_fini(&rig.frontend.records);
    step(20);
    worker_rig_take_hello(&rig);
    worker_rig_welcome(&rig);
    step(20);
    CU_ASSERT_EQUAL(rig.worker.link, WORKER_ATTACHED);
    worker_rig_end(&rig);
}

static void its_time_is_bounded(void)
{
    start();
    lose_frontend();
    step(59 * 1000);
    CU_ASSERT_FALSE(rig.worker.is_stopping);
    step(1000);
    CU_ASSERT(rig.worker.is_stopping);
    CU_ASSERT_EQUAL(rig.worker.exit_code, 1);
    end_without_frontend();
}

static void it_can_be_told_not_to_wait(void)
{
    start();
    rig.worker.config.worker.orphan_s = 0;
    lose_frontend();
    CU_ASSERT(rig.worker.is_stopping);
    CU_ASSERT_EQUAL(rig.worker.exit_code, 1);
    end_without_frontend();
}

/* Every flow would hash elsewhere and be answered with a reset. */
static void another_flow_seed_is_the_end(void)
{
    start();
    lose_frontend();
    worker_rig_frontend_listen(&rig);
    rig.frontend.flow_seed = 99;
    step(20);
    worker_rig_take_hello(&rig);
    worker_rig_welcome(&rig);
    step(20);
    CU_ASSERT(rig.worker.is_stopping);
    worker_rig_end(&rig);
}

const char unit_suite_name[] = "worker returns";
const struct unit_test unit_tests[] = {
    {"it returns with a new half, its old records and counters", it_returns_with_its_records_and_counters},
    {"the new lane carries orders, the old ones are forgotten", the_new_lane_carries_orders},
    {"it gives up when others have its connections", it_gives_up_when_others_have_its_connections},
    {"a refusal is not the end", a_refusal_is_not_the_end},
    {"a frontend that dies again is waited for", a_frontend_that_dies_again_is_waited_for},
    {"a bad welcome changes nothing", a_bad_welcome_changes_nothing},
    {"its time is bounded", its_time_is_bounded},
    {"it can be told not to wait", it_can_be_told_not_to_wait},
    {"a frontend with another flow seed is the end", another_flow_seed_is_the_end},
    {NULL, NULL}};
