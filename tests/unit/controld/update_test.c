/* SPDX-License-Identifier: BSD-3-Clause */
/* update_test.c — promises of an update, over the real supervisor; processes, frontend and time are played.
 */
#include "controlplane/controld/update.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "controld/update";

#define MS 1000000ull
#define T0 (1000000 * MS)
#define MAX_STEPS 400u

struct world {
    struct config config;
    struct supervisor supervisor;
    struct update update;
    uint64_t now_ns;
    int next_pid;
    bool is_dead_on_arrival[SUPERVISOR_MAX_PROCESSES]; /* what is started there ends at once */
    uint32_t ended;                                    /* bit mask of places that got SIGTERM */
    bool has_operation;
    enum operation_kind operation;
    uint32_t operation_slot;
    uint32_t failing; /* bit mask of slots whose drain fails */
    bool is_draining[CONFIG_MAX_WORKERS];
    unsigned n_drains, n_undrains;
    uint32_t n_remembered, full_remembered, drained_remembered;
    unsigned least_up; /* fewest workers that served without draining, ever */
};

static int world_start(void *self, enum manager_role role, uint32_t slot, struct manager_process *process)
{
    struct world *world = self;

    (void)role;
    (void)slot;
    *process = (struct manager_process){.pid = world->next_pid, .pidfd = world->next_pid};
    world->next_pid++;
    return 0;
}

static int world_signal(void *self, const struct manager_process *process, int signal_number)
{
    struct world *world = self;

    (void)signal_number;
    for (uint32_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++) {
        if (world->supervisor.processes[i].handle.pid == process->pid)
            world->ended |= 1u << i;
    }
    return 0;
}

static void world_take_end(void *self, struct manager_process *process, struct manager_cause *cause)
{
    (void)self;
    *process = (struct manager_process){.pidfd = -1};
    *cause = (struct manager_cause){.is_exit = true};
    snprintf(cause->text, sizeof(cause->text), "exited with status 3");
}

static int world_adopt(void *self, enum manager_role role, pid_t pid, struct manager_process *process)
{
    (void)self;
    (void)role;
    *process = (struct manager_process){.pid = pid, .pidfd = pid};
    return 0;
}

static void world_news(void *context, const struct supervisor_news *news)
{
    (void)context;
    (void)news;
}

static void world_operation(void *self, enum operation_kind kind, uint32_t slot, uint64_t now_ns)
{
    struct world *world = self;

    (void)now_ns;
    CU_ASSERT_FALSE(world->has_operation);
    world->has_operation = true;
    world->operation = kind;
    world->operation_slot = slot;
}

static void world_tell(void *self, const struct update *update)
{
    (void)self;
    CU_ASSERT_TRUE(strlen(update->text) > 0);
}

static void world_remember(void *self, uint32_t n_workers, uint32_t n_full, uint32_t drained)
{
    struct world *world = self;

    world->n_remembered = n_workers;
    world->full_remembered = n_full;
    world->drained_remembered = drained;
}

/* The frontend carries out the operation that waits. */
static void world_serve_operation(struct world *world)
{
    bool is_good = true;

    if (!world->has_operation)
        return;
    world->has_operation = false;
    if (world->operation == OPERATION_UNDRAIN) {
        world->n_undrains++;
        world->is_draining[world->operation_slot] = false;
    } else {
        world->n_drains++;
        is_good = (world->failing >> world->operation_slot & 1) == 0;
        if (is_good)
            world->is_draining[world->operation_slot] = true;
    }
    update_operation_ended(&world->update, is_good, is_good ? "" : "the new worker died", world->now_ns);
}

static bool is_doomed(const struct world *world, uint32_t place)
{
    return world->is_dead_on_arrival[place] && world->supervisor.processes[place].state == PROCESS_STARTING;
}

static void world_end_processes(struct world *world)
{
    for (uint32_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++) {
        struct process *process = &world->supervisor.processes[i];

        if (!process_is_alive(process) || ((world->ended >> i & 1) == 0 && !is_doomed(world, i)))
            continue;
        world->ended &= ~(1u << i);
        if (i > 0)
            world->is_draining[i - 1] = false;
        supervisor_process_ended(&world->supervisor, process, world->now_ns);
    }
}

/* The frontend reports every worker that is alive as serving. */
static void world_report(struct world *world)
{
    struct lane_report lanes[CONFIG_MAX_WORKERS];
    unsigned n_up = 0;
    size_t n = 0;

    if (!process_is_alive(&world->supervisor.processes[0]))
        return;
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        const struct process *worker = &world->supervisor.processes[1 + slot];

        if (!process_is_alive(worker) || is_doomed(world, 1 + slot))
            continue;
        lanes[n++] = (struct lane_report){.slot = slot,
                                          .pid = worker->handle.pid,
                                          .life = LANE_LIFE_SERVING,
                                          .is_draining = world->is_draining[slot],
                                          .fault = ""};
        n_up += !world->is_draining[slot];
    }
    if (n_up < world->least_up)
        world->least_up = n_up;
    supervisor_frontend_says(&world->supervisor, lanes, n, world->now_ns);
}

static void world_turn(struct world *world)
{
    world->now_ns += 50 * MS;
    supervisor_tick(&world->supervisor, world->now_ns);
    world_end_processes(world);
    world_report(world);
    world_serve_operation(world);
    update_tick(&world->update, world->now_ns);
}

static void world_init(struct world *world, uint32_t n_workers)
{
    static const struct manager_ops ops = {
        .start = world_start, .signal = world_signal, .take_end = world_take_end, .adopt = world_adopt};
    static const struct update_ops update_ops = {world_operation, world_tell, world_remember};

    *world = (struct world){.now_ns = T0, .next_pid = 1};
    config_defaults(&world->config);
    world->config.worker.count = n_workers;
    world->config.control.restart_delay_ms = 100;
    supervisor_init(&world->supervisor, &world->config, (struct manager){.ops = &ops, .self = world},
                    world_news, world);
    update_init(&world->update, &world->supervisor, &update_ops, world);
    for (unsigned i = 0; i < 4; i++)
        world_turn(world);
    CU_ASSERT_EQUAL_FATAL(supervisor_state(&world->supervisor), SUPERVISOR_UP);
    world->least_up = UINT32_MAX;
}

static void run_until(struct world *world, bool (*is_over)(const struct world *world))
{
    unsigned n = 0;

    while (!is_over(world) && n++ < MAX_STEPS)
        world_turn(world);
    CU_ASSERT_TRUE(is_over(world));
}

static bool is_idle(const struct world *world)
{
    return world->update.phase == UPDATE_IDLE;
}

static bool is_told(const struct world *world)
{
    return world->update.is_told;
}

static pid_t pid_of(const struct world *world, uint32_t slot)
{
    return world->supervisor.processes[1 + slot].handle.pid;
}

static void test_one_more_worker_than_needed_at_any_time(void)
{
    for (uint32_t n = 1; n <= 3; n++) {
        struct world world;
        pid_t old[3];

        world_init(&world, n);
        for (uint32_t slot = 0; slot < n; slot++)
            old[slot] = pid_of(&world, slot);
        CU_ASSERT_EQUAL_FATAL(update_begin(&world.update, false, world.now_ns), 0);
        CU_ASSERT_EQUAL(update_begin(&world.update, false, world.now_ns), -EBUSY);
        run_until(&world, is_idle);
        CU_ASSERT_FALSE(world.update.has_failed);
        CU_ASSERT_EQUAL(world.update.n_done, n);
        for (uint32_t slot = 0; slot < n; slot++)
            CU_ASSERT_NOT_EQUAL(pid_of(&world, slot), old[slot]);
        CU_ASSERT_PTR_NULL(supervisor_spare(&world.supervisor));
        CU_ASSERT_FALSE(process_is_alive(&world.supervisor.processes[1 + n]));
        CU_ASSERT_EQUAL(world.least_up, n);
        CU_ASSERT_EQUAL(world.n_drains, n + 1);
        CU_ASSERT_EQUAL(world.n_undrains, n);
    }
}

static void test_no_slot_no_update(void)
{
    struct world world;

    world_init(&world, CONFIG_MAX_WORKERS);
    CU_ASSERT_EQUAL(update_begin(&world.update, false, world.now_ns), -ENOSPC);
    CU_ASSERT_EQUAL(update_begin(&world.update, true, world.now_ns), 0);
}

static void test_dead_spare_ends_it_before_anything_moved(void)
{
    struct world world;

    world_init(&world, 2);
    world.is_dead_on_arrival[3] = true;
    CU_ASSERT_EQUAL(update_begin(&world.update, false, world.now_ns), 0);
    run_until(&world, is_idle);
    CU_ASSERT_TRUE(world.update.has_failed);
    CU_ASSERT_PTR_NOT_NULL(strstr(world.update.error, "spare worker 2 did not start: exited with status 3"));
    CU_ASSERT_EQUAL(world.n_drains, 0);
    CU_ASSERT_PTR_NULL(supervisor_spare(&world.supervisor));
}

static void test_spare_stays_while_it_is_needed(void)
{
    struct world world;

    world_init(&world, 1);
    world.is_dead_on_arrival[1] = true;
    CU_ASSERT_EQUAL(update_begin(&world.update, false, world.now_ns), 0);
    run_until(&world, is_told);
    CU_ASSERT_PTR_NOT_NULL(strstr(world.update.error, "worker 0 did not start"));
    CU_ASSERT_EQUAL(world.update.phase, UPDATE_UNDO_WAITING);
    CU_ASSERT_EQUAL(update_begin(&world.update, false, world.now_ns), -EBUSY);
    for (unsigned i = 0; i < 100; i++)
        world_turn(&world);
    CU_ASSERT_TRUE(process_is_alive(&world.supervisor.processes[2]));
    CU_ASSERT_TRUE(world.least_up >= 1);
    world.is_dead_on_arrival[1] = false;
    run_until(&world, is_idle);
    CU_ASSERT_PTR_NULL(supervisor_spare(&world.supervisor));
    CU_ASSERT_EQUAL(world.n_undrains, 1);
    CU_ASSERT_TRUE(world.least_up >= 1);
}

static void test_failing_drain_is_tried_again_then_undone(void)
{
    struct world world;
    pid_t old;

    world_init(&world, 2);
    old = pid_of(&world, 1);
    world.failing = 1u << 1;
    CU_ASSERT_EQUAL(update_begin(&world.update, false, world.now_ns), 0);
    run_until(&world, is_idle);
    CU_ASSERT_PTR_NOT_NULL(strstr(world.update.error, "worker 1 could not be drained: the new worker died"));
    CU_ASSERT_EQUAL(pid_of(&world, 1), old);
    /* Worker 0, worker 1 as often as it is tried, the spare. */
    CU_ASSERT_EQUAL(world.n_drains, 2 + UPDATE_TRIES);
    CU_ASSERT_EQUAL(world.n_undrains, 2);
    CU_ASSERT_FALSE(world.is_draining[1]);
}

static void test_drained_before_stays_drained(void)
{
    struct world world;

    world_init(&world, 2);
    world.is_draining[0] = true;
    world_turn(&world);
    CU_ASSERT_EQUAL(update_begin(&world.update, false, world.now_ns), 0);
    run_until(&world, is_idle);
    CU_ASSERT_FALSE(world.update.has_failed);
    CU_ASSERT_TRUE(world.is_draining[0]);
    CU_ASSERT_FALSE(world.is_draining[1]);
}

static void test_left_over_spare_is_ended(void)
{
    struct world world;

    world_init(&world, 2);
    CU_ASSERT_EQUAL(supervisor_adopt(&world.supervisor, MANAGER_WORKER, 2, 500), 0);
    world.is_draining[1] = true;
    update_resume(&world.update, 1u << 1, world.now_ns);
    run_until(&world, is_idle);
    CU_ASSERT_FALSE(process_is_alive(&world.supervisor.processes[3]));
    CU_ASSERT_FALSE(world.is_draining[1]);
    CU_ASSERT_EQUAL(update_begin(&world.update, false, world.now_ns), 0);
}

static void test_new_frontend_must_see_every_worker(void)
{
    struct world world;
    pid_t old;
    pid_t workers[2];

    world_init(&world, 2);
    old = world.supervisor.processes[0].handle.pid;
    workers[0] = pid_of(&world, 0);
    workers[1] = pid_of(&world, 1);
    CU_ASSERT_EQUAL(update_begin(&world.update, true, world.now_ns), 0);
    run_until(&world, is_idle);
    CU_ASSERT_FALSE(world.update.has_failed);
    CU_ASSERT_NOT_EQUAL(world.supervisor.processes[0].handle.pid, old);
    CU_ASSERT_EQUAL(pid_of(&world, 0), workers[0]);
    CU_ASSERT_EQUAL(pid_of(&world, 1), workers[1]);
}

/* ---- restart ---- */

static void test_one_worker_is_restarted_alone(void)
{
    struct world world;
    pid_t old[2];

    world_init(&world, 2);
    old[0] = pid_of(&world, 0);
    old[1] = pid_of(&world, 1);
    CU_ASSERT_EQUAL_FATAL(update_restart(&world.update, UPDATE_ONE_WORKER, 1, world.now_ns), 0);
    CU_ASSERT_EQUAL(world.drained_remembered, 1u << 1);
    run_until(&world, is_idle);
    CU_ASSERT_FALSE(world.update.has_failed);
    CU_ASSERT_EQUAL(pid_of(&world, 0), old[0]);
    CU_ASSERT_NOT_EQUAL(pid_of(&world, 1), old[1]);
    CU_ASSERT_EQUAL(world.n_drains, 1);
    CU_ASSERT_EQUAL(world.n_undrains, 1);
    CU_ASSERT_EQUAL(world.drained_remembered, 0);
    CU_ASSERT_TRUE(world.least_up >= 1);
}

static void test_the_only_worker_is_restarted_beside_a_spare(void)
{
    struct world world;
    pid_t old;

    world_init(&world, 1);
    old = pid_of(&world, 0);
    CU_ASSERT_EQUAL_FATAL(update_restart(&world.update, UPDATE_ONE_WORKER, 0, world.now_ns), 0);
    run_until(&world, is_idle);
    CU_ASSERT_FALSE(world.update.has_failed);
    CU_ASSERT_NOT_EQUAL(pid_of(&world, 0), old);
    CU_ASSERT_EQUAL(world.least_up, 1);
    CU_ASSERT_PTR_NULL(supervisor_spare(&world.supervisor));
}

static void test_restart_of_all_ends_with_the_frontend(void)
{
    struct world world;
    pid_t old[2], frontend;

    world_init(&world, 2);
    frontend = world.supervisor.processes[0].handle.pid;
    old[0] = pid_of(&world, 0);
    old[1] = pid_of(&world, 1);
    CU_ASSERT_EQUAL_FATAL(update_restart(&world.update, UPDATE_EVERYTHING, 0, world.now_ns), 0);
    run_until(&world, is_idle);
    CU_ASSERT_FALSE(world.update.has_failed);
    CU_ASSERT_NOT_EQUAL(pid_of(&world, 0), old[0]);
    CU_ASSERT_NOT_EQUAL(pid_of(&world, 1), old[1]);
    CU_ASSERT_NOT_EQUAL(world.supervisor.processes[0].handle.pid, frontend);
    CU_ASSERT_EQUAL(world.update.n_done, 3);
    CU_ASSERT_EQUAL(world.update.n_total, 3);
}

/* ---- scale ---- */

/* Workers that run without draining, wherever. */
static uint32_t n_up(const struct world *world)
{
    uint32_t n = 0;

    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++)
        n += process_is_alive(&world->supervisor.processes[1 + slot]) && !world->is_draining[slot];
    return n;
}

static void scale_to(struct world *world, uint32_t n_workers)
{
    CU_ASSERT_EQUAL_FATAL(update_scale(&world->update, n_workers, world->now_ns), 0);
    run_until(world, is_idle);
}

static void test_scale_up_and_down(void)
{
    static const uint32_t numbers[] = {4, 1, 16, 3, 3, 2};
    struct world world;
    uint32_t before = 2;

    world_init(&world, 2);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        pid_t first = pid_of(&world, 0);

        world.least_up = UINT32_MAX;
        scale_to(&world, numbers[i]);
        CU_ASSERT_FALSE(world.update.has_failed);
        CU_ASSERT_EQUAL(n_up(&world), numbers[i]);
        CU_ASSERT_EQUAL(world.supervisor.n_workers, numbers[i]);
        CU_ASSERT_EQUAL(world.n_remembered, numbers[i]);
        CU_ASSERT_EQUAL(world.update.n_done, world.update.n_total);
        CU_ASSERT_EQUAL(world.update.n_total,
                        before > numbers[i] ? before - numbers[i] : numbers[i] - before);
        CU_ASSERT_TRUE(world.least_up >= (before < numbers[i] ? before : numbers[i]));
        CU_ASSERT_EQUAL(pid_of(&world, 0), first);
        CU_ASSERT_EQUAL(supervisor_state(&world.supervisor), SUPERVISOR_UP);
        before = numbers[i];
    }
    CU_ASSERT_PTR_NULL(supervisor_spare(&world.supervisor));
}

static void test_workers_that_are_on_their_way_are_no_trouble(void)
{
    struct world world;

    world_init(&world, 1);
    CU_ASSERT_EQUAL(update_scale(&world.update, 3, world.now_ns), 0);
    CU_ASSERT_EQUAL(update_scale(&world.update, 1, world.now_ns), -EBUSY);
    supervisor_tick(&world.supervisor, world.now_ns);
    CU_ASSERT_EQUAL(world.supervisor.processes[3].state, PROCESS_STARTING);
    CU_ASSERT_EQUAL(supervisor_state(&world.supervisor), SUPERVISOR_UP);
    run_until(&world, is_idle);
}

static void test_scale_up_that_fails_leaves_the_number_it_was(void)
{
    struct world world;

    world_init(&world, 2);
    world.is_dead_on_arrival[4] = true;
    scale_to(&world, 4);
    CU_ASSERT_TRUE(world.update.has_failed);
    CU_ASSERT_PTR_NOT_NULL(strstr(world.update.error, "worker 3 did not start: exited with status 3"));
    CU_ASSERT_EQUAL(n_up(&world), 2);
    CU_ASSERT_EQUAL(world.supervisor.n_workers, 2);
    CU_ASSERT_EQUAL(world.n_remembered, 2);
    for (unsigned i = 0; i < 20; i++)
        world_turn(&world);
    CU_ASSERT_FALSE(process_is_alive(&world.supervisor.processes[4]));
    world.is_dead_on_arrival[4] = false;
    scale_to(&world, 4);
    CU_ASSERT_EQUAL(n_up(&world), 4);
}

static void test_scale_down_that_fails_undrains(void)
{
    struct world world;

    world_init(&world, 4);
    world.failing = 1u << 2;
    scale_to(&world, 1);
    CU_ASSERT_TRUE(world.update.has_failed);
    CU_ASSERT_PTR_NOT_NULL(strstr(world.update.error, "worker 2 could not be drained: the new worker died"));
    CU_ASSERT_EQUAL(world.supervisor.n_workers, 3);
    CU_ASSERT_EQUAL(world.n_remembered, 3);
    CU_ASSERT_EQUAL(world.drained_remembered, 0);
    CU_ASSERT_EQUAL(n_up(&world), 3);
    CU_ASSERT_FALSE(world.is_draining[2]);
    CU_ASSERT_EQUAL(world.n_undrains, 1);
}

static void test_dead_worker_needs_no_drain(void)
{
    struct world world;

    world_init(&world, 2);
    world.is_dead_on_arrival[2] = true;
    world.ended = 1u << 2;
    for (unsigned i = 0; i < 40; i++)
        world_turn(&world);
    CU_ASSERT_EQUAL(supervisor_state(&world.supervisor), SUPERVISOR_DEGRADED);
    scale_to(&world, 1);
    CU_ASSERT_FALSE(world.update.has_failed);
    CU_ASSERT_EQUAL(supervisor_state(&world.supervisor), SUPERVISOR_UP);
    CU_ASSERT_EQUAL(world.supervisor.processes[2].state, PROCESS_STOPPED);
}

static void test_worker_on_its_way_back_is_not_ended(void)
{
    struct world world;
    pid_t pid;

    world_init(&world, 2);
    pid = pid_of(&world, 1);
    CU_ASSERT_EQUAL(update_scale(&world.update, 1, world.now_ns), 0);
    world.has_operation = false;
    /* The frontend dies, and the next one has not seen the worker yet. */
    supervisor_process_ended(&world.supervisor, &world.supervisor.processes[0], world.now_ns);
    update_operation_ended(&world.update, false, "mpa-frontend did not answer in time", world.now_ns);
    for (unsigned i = 0; i < 20; i++) {
        world.now_ns += 50 * MS;
        supervisor_tick(&world.supervisor, world.now_ns);
        update_tick(&world.update, world.now_ns);
    }
    CU_ASSERT_EQUAL(pid_of(&world, 1), pid);
    CU_ASSERT_EQUAL(world.ended, 0);
    run_until(&world, is_idle);
    CU_ASSERT_FALSE(world.update.has_failed);
    CU_ASSERT_EQUAL(n_up(&world), 1);
}

static void test_next_controld_completes_scale_down(void)
{
    struct world world;

    world_init(&world, 1);
    CU_ASSERT_EQUAL(supervisor_adopt(&world.supervisor, MANAGER_WORKER, 1, 500), 0);
    CU_ASSERT_EQUAL(supervisor_adopt(&world.supervisor, MANAGER_WORKER, 2, 501), 0);
    world.is_draining[2] = true;
    update_resume(&world.update, 0, world.now_ns);
    run_until(&world, is_idle);
    CU_ASSERT_EQUAL(n_up(&world), 1);
    CU_ASSERT_EQUAL(world.least_up, 1);
}

/* ---- fewer for the time of a pressure ---- */

static void shrink(struct world *world)
{
    CU_ASSERT_EQUAL_FATAL(update_shrink(&world->update, world->now_ns), 0);
    /* Who is killed in the first step has told it already. */
    CU_ASSERT_TRUE(world->full_remembered > world->n_remembered);
    run_until(world, is_idle);
}

static void test_workers_ended_under_pressure_come_back(void)
{
    struct world world;

    world_init(&world, 4);
    shrink(&world);
    shrink(&world);
    CU_ASSERT_EQUAL(n_up(&world), 2);
    CU_ASSERT_EQUAL(world.n_remembered, 2);
    CU_ASSERT_EQUAL(world.full_remembered, 4);
    /* Whatever else happens to them meanwhile. */
    CU_ASSERT_EQUAL(update_restart(&world.update, UPDATE_ONE_WORKER, 0, world.now_ns), 0);
    run_until(&world, is_idle);
    CU_ASSERT_EQUAL(world.full_remembered, 4);
    CU_ASSERT_EQUAL(update_unshrink(&world.update, 16, world.now_ns), 0);
    run_until(&world, is_idle);
    CU_ASSERT_EQUAL(n_up(&world), 4);
    CU_ASSERT_EQUAL(world.update.n_full, 0);
    CU_ASSERT_EQUAL(world.n_remembered, 4);
    CU_ASSERT_EQUAL(world.full_remembered, 0);
}

static void test_an_operators_number_is_not_overruled_after_a_pressure(void)
{
    static const uint32_t numbers[] = {2, 3, 1};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct world world;

        world_init(&world, 4);
        shrink(&world);
        scale_to(&world, numbers[i]);
        CU_ASSERT_EQUAL(world.update.n_full, 0);
        CU_ASSERT_EQUAL(world.n_remembered, numbers[i]);
        CU_ASSERT_EQUAL(world.full_remembered, 0);
    }
}

static void test_no_more_come_back_than_are_allowed_by_now(void)
{
    static const struct {
        uint32_t max, n_after;
    } rows[] = {{4, 4}, {3, 3}, {2, 2}, {1, 2}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world world;

        world_init(&world, 4);
        shrink(&world);
        shrink(&world);
        CU_ASSERT_EQUAL(update_unshrink(&world.update, rows[i].max, world.now_ns), 0);
        run_until(&world, is_idle);
        CU_ASSERT_EQUAL(n_up(&world), rows[i].n_after);
        CU_ASSERT_EQUAL(world.update.n_full, 0);
    }
}

static void test_workers_that_do_not_come_back_are_not_given_up(void)
{
    struct world world;

    world_init(&world, 2);
    shrink(&world);
    world.is_dead_on_arrival[2] = true;
    CU_ASSERT_EQUAL(update_unshrink(&world.update, 16, world.now_ns), 0);
    run_until(&world, is_idle);
    CU_ASSERT_TRUE(world.update.has_failed);
    CU_ASSERT_EQUAL(n_up(&world), 1);
    CU_ASSERT_EQUAL(world.n_remembered, 1);
    CU_ASSERT_EQUAL(world.full_remembered, 2);
    world.is_dead_on_arrival[2] = false;
    CU_ASSERT_EQUAL(update_unshrink(&world.update, 16, world.now_ns), 0);
    run_until(&world, is_idle);
    CU_ASSERT_EQUAL(n_up(&world), 2);
}

static void test_a_worker_that_cannot_be_drained_gives_up_none_of_the_others(void)
{
    struct world world;

    world_init(&world, 4);
    shrink(&world);
    world.failing = 1u << 2;
    shrink(&world);
    CU_ASSERT_TRUE(world.update.has_failed);
    CU_ASSERT_EQUAL(world.n_remembered, 3);
    CU_ASSERT_EQUAL(world.full_remembered, 4);
}

/* Killed in the middle of one that ends: 4 asked for, 3 to be left. */
static void test_the_next_controld_knows_who_is_to_come_back(void)
{
    struct world world;

    world_init(&world, 3);
    world.update.n_full = 4;
    CU_ASSERT_EQUAL(supervisor_adopt(&world.supervisor, MANAGER_WORKER, 3, 500), 0);
    update_resume(&world.update, 0, world.now_ns);
    run_until(&world, is_idle);
    CU_ASSERT_EQUAL(n_up(&world), 3);
    CU_ASSERT_EQUAL(world.full_remembered, 4);
    CU_ASSERT_EQUAL(update_unshrink(&world.update, 16, world.now_ns), 0);
    run_until(&world, is_idle);
    CU_ASSERT_EQUAL(n_up(&world), 4);
}

static void test_stop_ends_it(void)
{
    struct world world;

    world_init(&world, 2);
    CU_ASSERT_EQUAL(update_begin(&world.update, false, world.now_ns), 0);
    world_turn(&world);
    supervisor_stop(&world.supervisor, world.now_ns);
    update_tick(&world.update, world.now_ns);
    CU_ASSERT_EQUAL(world.update.phase, UPDATE_IDLE);
    CU_ASSERT_TRUE(world.update.is_told && world.update.has_failed);
    CU_ASSERT_EQUAL(update_begin(&world.update, false, world.now_ns), -EAGAIN);
}

const struct unit_test unit_tests[] = {
    {"every worker is replaced, and as many as before serve at any time",
     test_one_more_worker_than_needed_at_any_time},
    {"without a slot for a spare there is no update", test_no_slot_no_update},
    {"a spare that dies ends the update before anything moved",
     test_dead_spare_ends_it_before_anything_moved},
    {"the spare stays as long as it is needed", test_spare_stays_while_it_is_needed},
    {"a drain that fails is tried again, then undone", test_failing_drain_is_tried_again_then_undone},
    {"who was drained before stays drained", test_drained_before_stays_drained},
    {"a spare left over by an earlier controld is ended", test_left_over_spare_is_ended},
    {"a new frontend must see every worker before it is done", test_new_frontend_must_see_every_worker},
    {"one worker is restarted, its connections with the others meanwhile",
     test_one_worker_is_restarted_alone},
    {"the only worker is restarted beside a spare", test_the_only_worker_is_restarted_beside_a_spare},
    {"a restart of all ends with the frontend", test_restart_of_all_ends_with_the_frontend},
    {"workers come and go, never fewer than asked for", test_scale_up_and_down},
    {"workers on their way are no trouble", test_workers_that_are_on_their_way_are_no_trouble},
    {"scaling up that fails leaves the number it was", test_scale_up_that_fails_leaves_the_number_it_was},
    {"scaling down that fails gives the worker its share again", test_scale_down_that_fails_undrains},
    {"a dead worker needs no drain", test_dead_worker_needs_no_drain},
    {"a worker on its way back to the frontend is not ended", test_worker_on_its_way_back_is_not_ended},
    {"the next controld completes what scaled down", test_next_controld_completes_scale_down},
    {"workers ended under pressure come back", test_workers_ended_under_pressure_come_back},
    {"a number that an operator asked for is not overruled after a pressure",
     test_an_operators_number_is_not_overruled_after_a_pressure},
    {"no more come back than are allowed by now", test_no_more_come_back_than_are_allowed_by_now},
    {"workers that do not come back are not given up", test_workers_that_do_not_come_back_are_not_given_up},
    {"a worker that cannot be drained gives up none of the others",
     test_a_worker_that_cannot_be_drained_gives_up_none_of_the_others},
    {"the next controld knows who is to come back", test_the_next_controld_knows_who_is_to_come_back},
    {"stopping everything ends an update", test_stop_ends_it},
    {NULL, NULL},
};
