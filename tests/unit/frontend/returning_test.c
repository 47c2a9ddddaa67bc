/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * returning_test.c — what a new frontend makes of the records that workers bring back. The records are
 * written here; the file that names the workers is a real one in a folder of the test.
 */
#include "frontend/returning.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "flow/bucket.h"
#include "move_rig.h"
#include "shm/flow_record.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "frontend/returning";

#define N_RECORDS 256u
#define RECORDS_OFF 4096u
#define SEGMENT_BYTES (RECORDS_OFF + N_RECORDS * sizeof(struct flow_record) + 4096u)
#define ESTABLISHED 4u /* lwIP's number of the state */
#define EXPORT_NUMBER 1000u
#define FUZZ_SEEDS 200u

static struct rig rig;
static char folder[64];

static void begin(void)
{
    rig_init(&rig, 64);
    snprintf(folder, sizeof(folder), "/tmp/mpa-returning-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    snprintf(rig.frontend.config.control.runtime_dir, sizeof(rig.frontend.config.control.runtime_dir), "%s",
             folder);
    rig.frontend.config.frontend.n_buckets = RIG_N_BUCKETS;
    CU_ASSERT_EQUAL_FATAL(returning_init(&rig.frontend), 0);
}

static void remove_folder(void)
{
    char path[80];

    snprintf(path, sizeof(path), "%s/lanes", folder);
    unlink(path);
    rmdir(folder);
}

static void end(void)
{
    returning_fini(&rig.frontend);
    rig_fini(&rig);
    remove_folder();
}

/* The file as an earlier frontend left it; then the next one begins. */
static void begin_after(const void *state, size_t n_bytes)
{
    char path[80];
    int fd;

    begin();
    returning_fini(&rig.frontend);
    snprintf(path, sizeof(path), "%s/lanes", folder);
    fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    CU_ASSERT_FATAL(fd >= 0 && write(fd, state, n_bytes) == (ssize_t)n_bytes);
    fd_close(&fd);
    CU_ASSERT_EQUAL_FATAL(returning_init(&rig.frontend), 0);
}

/* What a first frontend writes when these lanes serve, with one pid for all. */
static void begin_with_lanes(uint32_t lane_mask, uint32_t draining_mask, uint32_t pid)
{
    struct returning_state state;

    begin();
    rig.frontend.lane_mask = lane_mask;
    rig.frontend.draining_mask = draining_mask;
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++)
        rig.frontend.lanes[i].peer_pid = pid;
    returning_advance(&rig.frontend);
    state = rig.frontend.returning.written;
    rig.frontend.lane_mask = 0;
    end();
    begin_after(&state, sizeof(state));
}

static struct flow_record *record_at(const struct lane *lane, uint32_t idx)
{
    return (struct flow_record *)(void *)((uint8_t *)lane->records.base + RECORDS_OFF) + idx;
}

/* A lane with records in which nothing is used. */
static struct lane *add_lane(uint8_t slot)
{
    const struct segment_spec spec = {.name = "mpa-test-records",
                                      .kind = SEGMENT_RECORDS,
                                      .version = RECORDS_SEGMENT_VERSION,
                                      .size_bytes = SEGMENT_BYTES};
    struct lane *lane = &rig.frontend.lanes[slot];
    struct records_segment *header;

    CU_ASSERT_EQUAL_FATAL(segment_new(&lane->records, &spec), 0);
    header = lane->records.base;
    header->record_bytes = sizeof(struct flow_record);
    header->cursors_bytes = sizeof(struct flow_cursors);
    header->facts_bytes = sizeof(struct flow_facts);
    header->n_records = N_RECORDS;
    header->n_tombstones = 1;
    header->page_bytes = 4096;
    header->records_off = RECORDS_OFF;
    header->tombstones_off = header->fifo_off = RECORDS_OFF + N_RECORDS * sizeof(struct flow_record);
    header->tombstones_off -= header->tombstones_off % 4096;
    header->fifo_off = header->tombstones_off;
    lane->attached_ns = 1u + slot;
    rig.frontend.lane_mask |= 1u << slot;
    return lane;
}

/* An established flow without bytes on the way; `number`: exported by that hand-over, 0: not. */
static void add_flow(const struct lane *lane, uint32_t flow, uint64_t number)
{
    struct records_segment *header = lane->records.base;
    struct flow_record *record = record_at(lane, atomic_load(&header->n_used));
    const struct flow_key key = rig_key(flow);
    struct flow_facts *facts = &record->facts[0];

    memcpy(facts->key, &key, sizeof(key));
    facts->mss = 1460;
    facts->tcp_state = ESTABLISHED;
    facts->export_number = number;
    facts->export_next = FLOW_RECORD_NONE;
    facts->is_exact = number != 0;
    record->cursors[0].flags = FLOW_OPEN;
    atomic_store(&record->turn, FLOW_TURN_IN_USE);
    atomic_fetch_add(&header->n_used, 1);
}

static void comes_back(struct lane *lane)
{
    returning_hello(&rig.frontend, lane->slot, true);
    lane->is_unsettled = true;
    returning_serves(&rig.frontend, lane);
}

static void turn(void)
{
    rig.frontend.now_ns = clock_now_ns();
    returning_advance(&rig.frontend);
}

static void forget_lanes(void)
{
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++)
        segment_fini(&rig.frontend.lanes[i].records);
    rig.frontend.lane_mask = 0;
    end();
}

/* ---- the file ---- */

static void the_first_frontend_waits_for_nobody(void)
{
    begin();
    CU_ASSERT_FALSE(rig.frontend.returning.is_waiting);
    end();
}

static void those_that_served_are_waited_for(void)
{
    begin_with_lanes(0x5, 0x4, (uint32_t)getpid());
    CU_ASSERT(rig.frontend.returning.is_waiting);
    CU_ASSERT_EQUAL(rig.frontend.returning.expected, 0x5);
    CU_ASSERT_EQUAL(rig.frontend.returning.was_draining, 0x4);
    end();
}

static void the_dead_are_not_waited_for(void)
{
    begin_with_lanes(0x3, 0, 0x7fffffffu); /* above every pid that there can be */
    CU_ASSERT_FALSE(rig.frontend.returning.is_waiting);
    end();
}

static void a_file_that_is_torn_or_foreign_names_nobody(void)
{
    struct returning_state state;

    memset(&state, 0xff, sizeof(state));
    begin_after(&state, sizeof(state));
    CU_ASSERT_FALSE(rig.frontend.returning.is_waiting);
    end();
    begin_after(&state, sizeof(state) / 2);
    CU_ASSERT_FALSE(rig.frontend.returning.is_waiting);
    end();
    begin_after(&state, 0);
    CU_ASSERT_FALSE(rig.frontend.returning.is_waiting);
    end();
}

/* ---- the wait ---- */

static void the_wait_ends_with_the_last_and_who_drained_drains(void)
{
    begin_with_lanes(0x3, 0x2, (uint32_t)getpid());
    comes_back(add_lane(0));
    turn();
    CU_ASSERT(rig.frontend.returning.is_waiting);
    comes_back(add_lane(1));
    turn();
    CU_ASSERT_FALSE(rig.frontend.returning.is_waiting);
    CU_ASSERT_EQUAL(rig.frontend.draining_mask, 0x2);
    forget_lanes();
}

static void the_wait_ends_in_time(void)
{
    begin_with_lanes(0x3, 0, (uint32_t)getpid());
    comes_back(add_lane(0));
    rig.frontend.now_ns = rig.frontend.returning.deadline_ns;
    returning_advance(&rig.frontend);
    CU_ASSERT_FALSE(rig.frontend.returning.is_waiting);
    forget_lanes();
}

static void a_new_worker_in_the_slot_is_waited_for_no_longer(void)
{
    begin_with_lanes(0x1, 0, (uint32_t)getpid());
    returning_hello(&rig.frontend, 0, false);
    turn();
    CU_ASSERT_FALSE(rig.frontend.returning.is_waiting);
    end();
}

static void nobody_comes_back_to_a_slot_that_has_served(void)
{
    begin();
    CU_ASSERT_FALSE(returning_is_settled(&rig.frontend, 3));
    returning_lane_gone(&rig.frontend, 3);
    CU_ASSERT(returning_is_settled(&rig.frontend, 3));
    end();
}

/* ---- whose is what ---- */

static void every_flow_is_where_its_records_are(void)
{
    struct lane *lanes[2];

    begin_with_lanes(0x3, 0, (uint32_t)getpid());
    lanes[0] = add_lane(0);
    lanes[1] = add_lane(1);
    /* By bucket, but for a few that an earlier frontend had pinned. */
    for (uint32_t i = 0; i < RIG_N_FLOWS; i++)
        add_flow(lanes[i % 20 == 0 ? 0 : rig_bucket(&rig, i) % 2], i, 0);
    comes_back(lanes[0]);
    comes_back(lanes[1]);
    turn();
    for (uint32_t i = 0; i < RIG_N_FLOWS; i++)
        CU_ASSERT_EQUAL(rig_worker_of(&rig, i), i % 20 == 0 ? 0 : rig_bucket(&rig, i) % 2);
    CU_ASSERT_FALSE(lanes[0]->is_unsettled);
    forget_lanes();
}

static void an_export_that_was_adopted_is_released(void)
{
    struct lane *from, *to;

    begin_with_lanes(0x3, 0, (uint32_t)getpid());
    from = add_lane(0);
    to = add_lane(1);
    for (uint32_t i = 0; i < 10; i++) {
        add_flow(from, i, EXPORT_NUMBER);
        if (i >= 8)
            add_flow(to, i, 0); /* the others have been closed there since */
    }
    comes_back(from);
    comes_back(to);
    turn();
    CU_ASSERT_EQUAL(from->release_number, EXPORT_NUMBER);
    CU_ASSERT_EQUAL(from->exports_done, EXPORT_NUMBER);
    CU_ASSERT_EQUAL(rig.frontend.estates.n, 0);
    CU_ASSERT_EQUAL(rig_worker_of(&rig, 9), 1);
    forget_lanes();
}

static void an_export_that_nobody_has_is_given_away(void)
{
    struct lane *from;

    begin_with_lanes(0x3, 0, (uint32_t)getpid());
    from = add_lane(0);
    add_flow(from, 0, EXPORT_NUMBER - 1);
    add_flow(from, 1, EXPORT_NUMBER);
    comes_back(from);
    comes_back(add_lane(1));
    turn();
    CU_ASSERT_EQUAL(from->exports_done, EXPORT_NUMBER - 1);
    CU_ASSERT_EQUAL_FATAL(rig.frontend.estates.n, 1);
    CU_ASSERT_EQUAL(rig.frontend.estates.list[0].exported, EXPORT_NUMBER);
    forget_lanes();
}

static void while_one_is_missing_an_export_may_be_its(void)
{
    struct lane *from;

    begin_with_lanes(0x7, 0, (uint32_t)getpid());
    from = add_lane(0);
    add_flow(from, 0, EXPORT_NUMBER);
    comes_back(from);
    CU_ASSERT_EQUAL(returning_exports_done(&rig.frontend, from), EXPORT_NUMBER);
    comes_back(add_lane(1));
    comes_back(add_lane(2));
    CU_ASSERT_EQUAL(returning_exports_done(&rig.frontend, from), EXPORT_NUMBER - 1);
    forget_lanes();
}

static void records_that_are_noise_break_nothing(void)
{
    for (uint32_t seed = 1; seed <= FUZZ_SEEDS; seed++) {
        uint32_t random = seed * 2654435761u;
        struct lane *lane;

        begin_with_lanes(0x1, 0, (uint32_t)getpid());
        lane = add_lane(0);
        for (uint32_t i = 0; i < 20; i++)
            add_flow(lane, i, i % 3 == 0 ? EXPORT_NUMBER : 0);
        /* Half of the rounds spare the header, so that the records are looked at. */
        for (uint32_t i = 0; i < 200; i++) {
            uint32_t low = seed % 2 == 0 ? RECORDS_OFF : (uint32_t)sizeof(struct segment_header);
            uint32_t high = RECORDS_OFF + 20 * (uint32_t)sizeof(struct flow_record);

            random = random * 1664525u + 1013904223u;
            ((uint8_t *)lane->records.base)[low + (random >> 8) % (high - low)] = (uint8_t)random;
        }
        comes_back(lane);
        turn();
        CU_ASSERT_FALSE(rig.frontend.returning.is_waiting);
        forget_lanes();
    }
}

const struct unit_test unit_tests[] = {
    {"the first frontend waits for nobody", the_first_frontend_waits_for_nobody},
    {"those that served are waited for", those_that_served_are_waited_for},
    {"the dead are not waited for", the_dead_are_not_waited_for},
    {"a file that is torn or foreign names nobody", a_file_that_is_torn_or_foreign_names_nobody},
    {"the wait ends with the last, and who drained drains",
     the_wait_ends_with_the_last_and_who_drained_drains},
    {"the wait ends in time", the_wait_ends_in_time},
    {"a new worker in the slot is waited for no longer", a_new_worker_in_the_slot_is_waited_for_no_longer},
    {"nobody comes back to a slot that has served", nobody_comes_back_to_a_slot_that_has_served},
    {"every flow is where its records are", every_flow_is_where_its_records_are},
    {"an export that was adopted is released", an_export_that_was_adopted_is_released},
    {"an export that nobody has is given away", an_export_that_nobody_has_is_given_away},
    {"while one is missing an export may be its", while_one_is_missing_an_export_may_be_its},
    {"records that are noise break nothing", records_that_are_noise_break_nothing},
    {NULL, NULL},
};
