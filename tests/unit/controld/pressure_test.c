/* SPDX-License-Identifier: BSD-3-Clause */
/* pressure_test.c — promises of what the frontend's replies mean to the degrader. */
#include "controlplane/controld/pressure.h"

#include <string.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "controld/pressure";

#define N_WORKERS 3u
#define MIB (1ull << 20)

/* One moment: what each worker uses, as the frontend tells it. */
struct moment {
    uint64_t fifo_mib[N_WORKERS], stack_mib[N_WORKERS];
    uint32_t busy[N_WORKERS];
    uint64_t depth[N_WORKERS], chunks[N_WORKERS];
    uint64_t pool_free; /* of 1000 */
    bool is_draining[N_WORKERS];
    uint32_t first_slot;
};

static void take_workers(struct pressure *pressure, const struct moment *moment)
{
    const struct config_worker config = {.fifo_memory_mib = 100, .stack_memory_mib = 200};
    Mpa__V1__Worker workers[N_WORKERS], *list[N_WORKERS];
    Mpa__V1__GetWorkersReply reply = MPA__V1__GET_WORKERS_REPLY__INIT;

    for (uint32_t i = 0; i < N_WORKERS; i++) {
        mpa__v1__worker__init(&workers[i]);
        workers[i].slot = moment->first_slot + i;
        workers[i].state = MPA__V1__LANE_STATE__LANE_STATE_SERVING;
        workers[i].is_draining = moment->is_draining[i];
        workers[i].fifo_memory_used_bytes = moment->fifo_mib[i] * MIB;
        workers[i].stack_memory_used_bytes = moment->stack_mib[i] * MIB;
        workers[i].busy_permille = moment->busy[i];
        list[i] = &workers[i];
    }
    reply.n_workers = N_WORKERS;
    reply.workers = list;
    pressure_take_workers(pressure, &reply, &config);
}

static void value_set(Mpa__V1__Value *value, char *name, uint64_t n)
{
    mpa__v1__value__init(value);
    value->name = name;
    value->value = n;
}

static void take_lanes(struct pressure *pressure, const struct moment *moment)
{
    char depth[] = "rx_depth_slots", slots[] = "rx_ring_slots", held[] = "chunks_held";
    Mpa__V1__Value values[N_WORKERS][3], *value_lists[N_WORKERS][3];
    Mpa__V1__Lane lanes[N_WORKERS], *list[N_WORKERS];
    Mpa__V1__GetLanesReply reply = MPA__V1__GET_LANES_REPLY__INIT;

    for (uint32_t i = 0; i < N_WORKERS; i++) {
        mpa__v1__lane__init(&lanes[i]);
        lanes[i].slot = moment->first_slot + i;
        value_set(&values[i][0], depth, moment->depth[i]);
        value_set(&values[i][1], slots, 1000);
        value_set(&values[i][2], held, moment->chunks[i]);
        for (unsigned v = 0; v < 3; v++)
            value_lists[i][v] = &values[i][v];
        lanes[i].n_gauges = 3;
        lanes[i].gauges = value_lists[i];
        list[i] = &lanes[i];
    }
    reply.n_lanes = N_WORKERS;
    reply.lanes = list;
    pressure_take_lanes(pressure, &reply);
}

static struct pressure take(const struct moment *moment)
{
    char chunks[] = "pool_chunks", free_chunks[] = "pool_free_chunks";
    Mpa__V1__Value values[2], *list[2] = {&values[0], &values[1]};
    Mpa__V1__GetNicReply reply = MPA__V1__GET_NIC_REPLY__INIT;
    struct pressure pressure;

    take_workers(&pressure, moment);
    take_lanes(&pressure, moment);
    value_set(&values[0], chunks, 1000);
    value_set(&values[1], free_chunks, moment->pool_free);
    reply.n_gauges = 2;
    reply.gauges = list;
    pressure_take_nic(&pressure, &reply);
    return pressure;
}

static void test_memory(void)
{
    struct moment moment = {.fifo_mib = {90, 0, 0}, .stack_mib = {10, 60, 0}, .pool_free = 1000};
    struct pressure pressure = take(&moment);

    CU_ASSERT_EQUAL(pressure.workers[0].used_permille[DEGRADE_MEMORY], 900);
    CU_ASSERT_EQUAL(pressure.workers[1].used_permille[DEGRADE_MEMORY], 300);
    CU_ASSERT_EQUAL(pressure.used.worst_permille[DEGRADE_MEMORY], 900);
    CU_ASSERT_EQUAL(pressure.used.all_permille[DEGRADE_MEMORY], 400);
    CU_ASSERT_EQUAL(pressure.used.worst_permille[DEGRADE_POOL], 0);
    /* Who is being drained counts for nothing. */
    moment.is_draining[0] = true;
    pressure = take(&moment);
    CU_ASSERT_EQUAL(pressure.used.worst_permille[DEGRADE_MEMORY], 300);
    CU_ASSERT_EQUAL(pressure.used.all_permille[DEGRADE_MEMORY], 150);
}

static void test_cpu(void)
{
    const struct moment moment = {.busy = {1000, 1000, 20}, .depth = {0, 950, 950}, .pool_free = 1000};
    struct pressure pressure = take(&moment);

    CU_ASSERT_EQUAL(pressure.workers[0].used_permille[DEGRADE_CPU], 0);
    CU_ASSERT_EQUAL(pressure.workers[1].used_permille[DEGRADE_CPU], 950);
    CU_ASSERT_EQUAL(pressure.workers[2].used_permille[DEGRADE_CPU], 20);
}

static void test_pool(void)
{
    const struct moment moment = {.chunks = {450, 300, 100}, .pool_free = 100};
    struct pressure pressure = take(&moment);

    CU_ASSERT_EQUAL(pressure.workers[0].used_permille[DEGRADE_POOL], 900);
    CU_ASSERT_EQUAL(pressure.used.all_permille[DEGRADE_POOL], 900);
    CU_ASSERT_EQUAL(pressure.used.worst_permille[DEGRADE_POOL], 900);
}

static void test_strange_slots(void)
{
    const struct moment moment = {.fifo_mib = {100, 100, 100}, .pool_free = 5000, .first_slot = 15};
    struct pressure pressure = take(&moment);

    CU_ASSERT_TRUE(pressure.workers[15].is_there);
    CU_ASSERT_EQUAL(pressure.used.all_permille[DEGRADE_MEMORY], 1000);
    CU_ASSERT_EQUAL(pressure.used.all_permille[DEGRADE_POOL], 0); /* more free than there are */
}

static void test_congested(void)
{
    struct moment moment = {.fifo_mib = {90, 80, 10}, .pool_free = 1000};
    struct pressure pressure = take(&moment);
    struct degrade_config config;

    degrade_defaults(&config); /* 850, less 100 */
    CU_ASSERT_EQUAL(pressure_congested(&pressure, &config, 0), 1);
    /* Whoever was in it stays until it is relieved. */
    CU_ASSERT_EQUAL(pressure_congested(&pressure, &config, 7), 3);
    /* The pool is short, and nobody has all of his share: whoever has most. */
    moment = (struct moment){.chunks = {200, 350, 300}, .pool_free = 50};
    pressure = take(&moment);
    CU_ASSERT_EQUAL(pressure_congested(&pressure, &config, 0), 2);
    moment = (struct moment){.pool_free = 1000};
    pressure = take(&moment);
    CU_ASSERT_EQUAL(pressure_congested(&pressure, &config, 7), 0);
}

static void test_machine(void)
{
    static const char text[] = "MemTotal:       1000 kB\nMemFree:  5 kB\nMemAvailable:    250 kB\n";
    struct pressure pressure = {0};

    pressure_take_machine(&pressure, text);
    CU_ASSERT_EQUAL(pressure.used.all_permille[DEGRADE_MACHINE], 750);
    CU_ASSERT_EQUAL(pressure.used.worst_permille[DEGRADE_MACHINE], 750);
    pressure_take_machine(&pressure, "");
    CU_ASSERT_EQUAL(pressure.used.all_permille[DEGRADE_MACHINE], 0);
    pressure_take_machine(&pressure, "MemTotal: 1000 kB\nMemAvailable: much\n");
    CU_ASSERT_EQUAL(pressure.used.all_permille[DEGRADE_MACHINE], 0);
}

static void test_room(void)
{
    struct moment moment = {.fifo_mib = {60, 50, 40}, .pool_free = 1000};
    struct pressure pressure = take(&moment);
    struct degrade_config config;

    degrade_defaults(&config);
    CU_ASSERT_TRUE(pressure_has_room(&pressure, &config)); /* 750 each */
    moment.fifo_mib[0] = 90;
    pressure = take(&moment);
    CU_ASSERT_FALSE(pressure_has_room(&pressure, &config)); /* 900 each */
    moment = (struct moment){.is_draining = {true, true, false}};
    pressure = take(&moment);
    CU_ASSERT_FALSE(pressure_has_room(&pressure, &config)); /* the last one */
}

const struct unit_test unit_tests[] = {
    {"the machine's memory is what is not available", test_machine},
    {"a worker may go when the others have room for what it has", test_room},
    {"memory is the fuller of two, the worst worker's and the mean", test_memory},
    {"a busy worker that keeps up is under no pressure", test_cpu},
    {"a worker may hold half of the pool", test_pool},
    {"slots and figures that cannot be do no harm", test_strange_slots},
    {"congested is who is above the limit, until relieved", test_congested},
    {NULL, NULL},
};
