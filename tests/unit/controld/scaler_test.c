/* SPDX-License-Identifier: BSD-3-Clause */
/* scaler_test.c — promises of the scaler: what it begins, and what it can tell of it. */
#include "controlplane/controld/scaler.h"

#include <errno.h>
#include <string.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "controld/scaler";

struct world {
    struct config config;
    struct scaler scaler;
    struct scale_worker workers[SCALE_MAX_WORKERS];
    uint32_t n_wanted; /* that was begun last; 0: nothing */
    int error;         /* what a beginning answers */
    unsigned n_told;
};

static int world_scale(void *self, uint32_t n_workers, uint64_t now_ns)
{
    struct world *world = self;

    (void)now_ns;
    world->n_wanted = n_workers;
    return world->error;
}

static void world_tell(void *self, const struct scaler_entry *entry)
{
    struct world *world = self;

    CU_ASSERT_TRUE(strlen(entry->text) > 0 && entry->n_wanted != entry->n_before);
    world->n_told++;
}

static void world_init(struct world *world, bool is_on)
{
    static const struct scaler_ops ops = {world_scale, world_tell};

    *world = (struct world){0};
    config_defaults(&world->config);
    world->config.worker.max = 4;
    world->config.control.scale = is_on;
    world->config.control.scale_up_looks = 3;
    world->config.control.scale_down_looks = 4;
    world->config.control.scale_pause_looks = 0;
    scaler_init(&world->scaler, &world->config, &ops, world);
}

static void rounds(struct world *world, uint32_t n_workers, uint32_t score_permille, unsigned n)
{
    memset(world->workers, 0, sizeof(world->workers));
    for (uint32_t slot = 0; slot < n_workers; slot++)
        world->workers[slot] =
            (struct scale_worker){.is_there = true, .is_ready = true, .score_permille = score_permille};
    for (unsigned i = 0; i < n; i++)
        scaler_round(&world->scaler, world->workers, 1);
}

static void test_load_changes_the_number(void)
{
    struct world world;

    world_init(&world, true);
    rounds(&world, 2, 900, 2);
    CU_ASSERT_EQUAL(world.n_wanted, 0);
    rounds(&world, 2, 900, 1);
    CU_ASSERT_EQUAL(world.n_wanted, 3);
    CU_ASSERT_STRING_EQUAL(scaler_get(&world.scaler, 0)->outcome, "pending");
    scaler_ended(&world.scaler, NULL);
    CU_ASSERT_STRING_EQUAL(scaler_get(&world.scaler, 0)->outcome, "done");
    rounds(&world, 3, 50, 4);
    CU_ASSERT_EQUAL(world.n_wanted, 2);
    scaler_ended(&world.scaler, "worker 2 could not be drained: x");
    CU_ASSERT_STRING_EQUAL(scaler_get(&world.scaler, 0)->outcome, "worker 2 could not be drained: x");
    CU_ASSERT_EQUAL(world.n_told, 2);
}

static void test_off_does_nothing(void)
{
    struct world world;

    world_init(&world, false);
    rounds(&world, 2, 1000, 100);
    CU_ASSERT_EQUAL(world.n_wanted, 0);
    CU_ASSERT_EQUAL(scaler_count(&world.scaler), 0);
}

static void test_limits_hold(void)
{
    struct world world;

    world_init(&world, true);
    rounds(&world, 4, 1000, 20);
    CU_ASSERT_EQUAL(world.n_wanted, 0);
    CU_ASSERT_EQUAL(scaler_get(&world.scaler, 0)->reason, SCALE_AT_MOST);
    rounds(&world, 1, 0, 20);
    CU_ASSERT_EQUAL(world.n_wanted, 0);
    CU_ASSERT_EQUAL(scaler_get(&world.scaler, 0)->reason, SCALE_AT_LEAST);
    world.config.worker.max = 2;
    scaler_configure(&world.scaler, &world.config);
    rounds(&world, 4, 500, 1);
    CU_ASSERT_EQUAL(world.n_wanted, 3);
    CU_ASSERT_EQUAL(scaler_get(&world.scaler, 0)->reason, SCALE_ABOVE_MOST);
}

static void test_quiet_hours_take_one_entry(void)
{
    struct world world;

    world_init(&world, true);
    rounds(&world, 2, 500, 5000);
    CU_ASSERT_EQUAL(scaler_count(&world.scaler), 1);
    CU_ASSERT_EQUAL(scaler_get(&world.scaler, 0)->times, 5000);
    CU_ASSERT_STRING_EQUAL(scaler_get(&world.scaler, 0)->outcome, "");
    for (unsigned i = 0; i < 100; i++)
        scaler_asked(&world.scaler, 1 + i % 2, 2 - i % 2);
    CU_ASSERT_EQUAL(scaler_count(&world.scaler), SCALER_MAX_ENTRIES);
    CU_ASSERT_EQUAL(scaler_get(&world.scaler, 0)->reason, SCALER_ASKED);
}

static void test_beginning_that_fails_is_told(void)
{
    struct world world;

    world_init(&world, true);
    world.error = -EAGAIN;
    rounds(&world, 2, 900, 3);
    CU_ASSERT_STRING_EQUAL(scaler_get(&world.scaler, 0)->outcome, strerror(EAGAIN));
}

const struct unit_test unit_tests[] = {
    {"a load for long enough changes the number, and its end is told", test_load_changes_the_number},
    {"switched off it does nothing", test_off_does_nothing},
    {"limits hold, new ones too", test_limits_hold},
    {"quiet hours take one entry", test_quiet_hours_take_one_entry},
    {"a beginning that fails is told", test_beginning_that_fails_is_told},
    {NULL, NULL},
};
