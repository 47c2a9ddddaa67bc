/* SPDX-License-Identifier: BSD-3-Clause */
/* supervisor_test.c — promises of the supervisor, with a manager that only writes down what it is asked. */
#include "controlplane/controld/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/policy/backoff.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "controld/supervisor";

#define MS 1000000ull
#define T0 (1000000 * MS)

/* The manager of the tests: pids count up; a pidfd is the pid. */
struct fake {
    struct config config;
    struct supervisor supervisor;
    int next_pid;
    int start_error;      /* what start answers; 0: works */
    unsigned n_starts[2]; /* by role */
    int last_signal[64];  /* by pid */
    unsigned n_news[5];   /* by kind */
    char last_cause[SUPERVISOR_EXIT_BYTES];
    struct manager_cause cause; /* of the next end */
};

static int fake_start(void *self, enum manager_role role, uint32_t slot, struct manager_process *process)
{
    struct fake *fake = self;

    (void)slot;
    fake->n_starts[role]++;
    if (fake->start_error != 0)
        return fake->start_error;
    *process = (struct manager_process){.pid = fake->next_pid, .pidfd = fake->next_pid};
    fake->next_pid++;
    return 0;
}

static int fake_signal(void *self, const struct manager_process *process, int signal_number)
{
    struct fake *fake = self;

    fake->last_signal[process->pid] = signal_number;
    return 0;
}

static void fake_take_end(void *self, struct manager_process *process, struct manager_cause *cause)
{
    struct fake *fake = self;

    *cause = fake->cause;
    *process = (struct manager_process){.pidfd = -1};
}

static int fake_adopt(void *self, enum manager_role role, pid_t pid, struct manager_process *process)
{
    (void)self;
    (void)role;
    if (pid == 13)
        return -ESRCH;
    *process = (struct manager_process){.pid = pid, .pidfd = pid};
    return 0;
}

static void fake_news(void *context, const struct supervisor_news *news)
{
    struct fake *fake = context;

    fake->n_news[news->kind]++;
    snprintf(fake->last_cause, sizeof(fake->last_cause), "%s", news->cause);
}

static void fake_init(struct fake *fake)
{
    static const struct manager_ops ops = {
        .start = fake_start, .signal = fake_signal, .take_end = fake_take_end, .adopt = fake_adopt};

    *fake = (struct fake){.next_pid = 1};
    config_defaults(&fake->config);
    fake->config.worker.count = 2;
    fake->config.control.restart_delay_ms = 100;
    supervisor_init(&fake->supervisor, &fake->config, (struct manager){.ops = &ops, .self = fake}, fake_news,
                    fake);
}

static struct process *frontend(struct fake *fake)
{
    return &fake->supervisor.processes[0];
}

static struct process *worker(struct fake *fake, uint32_t slot)
{
    return &fake->supervisor.processes[1 + slot];
}

/* The frontend reports worker `slot` in this state, under the pid it has now. */
static void says(struct fake *fake, uint32_t slot, enum lane_life life, uint64_t now_ns)
{
    const struct lane_report lane = {
        .slot = slot, .pid = worker(fake, slot)->handle.pid, .life = life, .fault = "fault_index"};

    supervisor_frontend_says(&fake->supervisor, &lane, 1, now_ns);
}

/* The frontend is ready at T0, and workers are started. */
static void bring_frontend_up(struct fake *fake)
{
    fake_init(fake);
    supervisor_tick(&fake->supervisor, T0);
    supervisor_frontend_says(&fake->supervisor, NULL, 0, T0);
}

/* Everything started and ready at T0. */
static void bring_up(struct fake *fake)
{
    bring_frontend_up(fake);
    says(fake, 0, LANE_LIFE_SERVING, T0);
    says(fake, 1, LANE_LIFE_SERVING, T0);
}

static void die(struct fake *fake, struct process *process, int signal_number, uint64_t now_ns)
{
    fake->cause = (struct manager_cause){.is_exit = signal_number == 0};
    snprintf(fake->cause.text, sizeof(fake->cause.text), "signal %d", signal_number);
    supervisor_process_ended(&fake->supervisor, process, now_ns);
}

static void test_workers_wait_for_the_frontend(void)
{
    struct fake fake;

    fake_init(&fake);
    supervisor_tick(&fake.supervisor, T0);
    supervisor_tick(&fake.supervisor, T0 + 100 * MS);
    CU_ASSERT_EQUAL(fake.n_starts[MANAGER_FRONTEND], 1);
    CU_ASSERT_EQUAL(fake.n_starts[MANAGER_WORKER], 0);
    supervisor_frontend_says(&fake.supervisor, NULL, 0, T0 + 200 * MS);
    CU_ASSERT_EQUAL(fake.n_starts[MANAGER_WORKER], 2);
    CU_ASSERT_EQUAL(supervisor_state(&fake.supervisor), SUPERVISOR_STARTING);
    says(&fake, 0, LANE_LIFE_SERVING, T0 + 300 * MS);
    says(&fake, 1, LANE_LIFE_SERVING, T0 + 300 * MS);
    CU_ASSERT_EQUAL(supervisor_state(&fake.supervisor), SUPERVISOR_UP);
    CU_ASSERT_EQUAL(fake.n_news[NEWS_READY], 3);
}

static void test_dead_worker_comes_back(void)
{
    struct fake fake;

    bring_up(&fake);
    die(&fake, worker(&fake, 1), SIGKILL, T0 + 1000 * MS);
    CU_ASSERT_STRING_EQUAL(fake.last_cause, "signal 9");
    CU_ASSERT_STRING_EQUAL(worker(&fake, 1)->last_exit, "signal 9");
    CU_ASSERT_EQUAL(supervisor_state(&fake.supervisor), SUPERVISOR_DEGRADED);
    supervisor_tick(&fake.supervisor, T0 + 1099 * MS);
    CU_ASSERT_EQUAL(fake.n_starts[MANAGER_WORKER], 2);
    supervisor_tick(&fake.supervisor, T0 + 1100 * MS);
    CU_ASSERT_EQUAL(fake.n_starts[MANAGER_WORKER], 3);
    CU_ASSERT_EQUAL(worker(&fake, 1)->n_restarts, 1);
    CU_ASSERT_EQUAL(worker(&fake, 0)->state, PROCESS_RUNNING);
    CU_ASSERT_EQUAL(frontend(&fake)->state, PROCESS_RUNNING);
}

static void test_crash_loop_backs_off(void)
{
    struct fake fake;
    uint64_t now_ns = T0;
    uint64_t waits_ms[4];

    bring_up(&fake);
    for (unsigned i = 0; i < 4; i++) {
        die(&fake, worker(&fake, 0), SIGSEGV, now_ns);
        waits_ms[i] = (worker(&fake, 0)->due_ns - now_ns) / MS;
        now_ns = worker(&fake, 0)->due_ns;
        supervisor_tick(&fake.supervisor, now_ns);
    }
    CU_ASSERT_EQUAL(waits_ms[0], 100);
    CU_ASSERT_EQUAL(waits_ms[1], 200);
    CU_ASSERT_EQUAL(waits_ms[3], 800);
    says(&fake, 0, LANE_LIFE_SERVING, now_ns);
    now_ns += (BACKOFF_HEALTHY_MS + 1) * MS;
    die(&fake, worker(&fake, 0), SIGSEGV, now_ns);
    CU_ASSERT_EQUAL((worker(&fake, 0)->due_ns - now_ns) / MS, 100);
}

static void test_dead_frontend_leaves_workers_alone(void)
{
    struct fake fake;

    bring_up(&fake);
    die(&fake, frontend(&fake), SIGKILL, T0 + 1000 * MS);
    CU_ASSERT_EQUAL(worker(&fake, 0)->state, PROCESS_RUNNING);
    die(&fake, worker(&fake, 1), 0, T0 + 1000 * MS);
    /* Due, but there is nothing to attach to yet. */
    supervisor_tick(&fake.supervisor, T0 + 5000 * MS);
    CU_ASSERT_EQUAL(fake.n_starts[MANAGER_FRONTEND], 2);
    CU_ASSERT_EQUAL(fake.n_starts[MANAGER_WORKER], 2);
    supervisor_frontend_says(&fake.supervisor, NULL, 0, T0 + 5100 * MS);
    CU_ASSERT_EQUAL(fake.n_starts[MANAGER_WORKER], 3);
}

static void test_quarantine_kills_once_and_only_this_life(void)
{
    struct fake fake;
    struct lane_report old = {.slot = 0, .life = LANE_LIFE_QUARANTINED, .fault = "fault_index"};

    bring_up(&fake);
    old.pid = worker(&fake, 0)->handle.pid;
    says(&fake, 0, LANE_LIFE_QUARANTINED, T0 + 1000 * MS);
    says(&fake, 0, LANE_LIFE_QUARANTINED, T0 + 1100 * MS);
    CU_ASSERT_EQUAL(fake.last_signal[old.pid], SIGKILL);
    CU_ASSERT_EQUAL(fake.n_news[NEWS_KILLED], 1);
    CU_ASSERT_STRING_EQUAL(fake.last_cause, "quarantined: fault_index");
    die(&fake, worker(&fake, 0), SIGKILL, T0 + 1200 * MS);
    supervisor_tick(&fake.supervisor, T0 + 1300 * MS);
    /* The lane shows the old life until the new worker attaches. */
    supervisor_frontend_says(&fake.supervisor, &old, 1, T0 + 1400 * MS);
    CU_ASSERT_EQUAL(fake.n_news[NEWS_KILLED], 1);
    /* Where pids are hidden, the time of the attach decides. */
    old.pid = 0;
    old.attached_ns = T0;
    supervisor_frontend_says(&fake.supervisor, &old, 1, T0 + 1400 * MS);
    CU_ASSERT_EQUAL(fake.n_news[NEWS_KILLED], 1);
    old.attached_ns = T0 + 1350 * MS;
    supervisor_frontend_says(&fake.supervisor, &old, 1, T0 + 1400 * MS);
    CU_ASSERT_EQUAL(fake.n_news[NEWS_KILLED], 2);
}

static void test_reports_of_nonsense_are_ignored(void)
{
    struct fake fake;
    const struct lane_report lanes[] = {
        {.slot = 4000000000u, .pid = 1, .life = LANE_LIFE_QUARANTINED, .fault = "x"},
        {.slot = 9, .pid = 1, .life = LANE_LIFE_QUARANTINED, .fault = "x"},
        {.slot = 0, .pid = 1, .life = LANE_LIFE_QUARANTINED, .fault = "x"},
    };

    bring_up(&fake);
    supervisor_frontend_says(&fake.supervisor, lanes, 3, T0);
    CU_ASSERT_EQUAL(fake.n_news[NEWS_KILLED], 0);
}

static void test_unready_process_is_killed(void)
{
    struct fake fake;
    int pid;

    bring_up(&fake);
    die(&fake, worker(&fake, 0), SIGKILL, T0);
    supervisor_tick(&fake.supervisor, T0 + 100 * MS);
    pid = worker(&fake, 0)->handle.pid;
    supervisor_tick(&fake.supervisor, T0 + (99 + SUPERVISOR_READY_MS) * MS);
    CU_ASSERT_EQUAL(fake.last_signal[pid], 0);
    supervisor_tick(&fake.supervisor, T0 + (100 + SUPERVISOR_READY_MS) * MS);
    CU_ASSERT_EQUAL(fake.last_signal[pid], SIGKILL);
}

static void test_stops_in_order(void)
{
    struct fake fake;
    int pid;

    bring_up(&fake);
    pid = frontend(&fake)->handle.pid;
    supervisor_stop(&fake.supervisor, T0);
    supervisor_stop(&fake.supervisor, T0);
    CU_ASSERT_EQUAL(fake.n_news[NEWS_STOPPING], 1);
    CU_ASSERT_EQUAL(fake.last_signal[worker(&fake, 0)->handle.pid], SIGTERM);
    CU_ASSERT_EQUAL(fake.last_signal[worker(&fake, 1)->handle.pid], SIGTERM);
    CU_ASSERT_EQUAL(fake.last_signal[pid], 0);
    die(&fake, worker(&fake, 0), 0, T0);
    supervisor_tick(&fake.supervisor, T0 + 1000 * MS);
    CU_ASSERT_EQUAL(fake.last_signal[pid], 0);
    CU_ASSERT_EQUAL(fake.last_signal[worker(&fake, 1)->handle.pid], SIGTERM);
    supervisor_tick(&fake.supervisor, T0 + SUPERVISOR_KILL_MS * MS);
    CU_ASSERT_EQUAL(fake.last_signal[worker(&fake, 1)->handle.pid], SIGKILL);
    die(&fake, worker(&fake, 1), SIGKILL, T0 + SUPERVISOR_KILL_MS * MS);
    supervisor_tick(&fake.supervisor, T0 + SUPERVISOR_KILL_MS * MS);
    CU_ASSERT_EQUAL(fake.last_signal[pid], SIGTERM);
    CU_ASSERT_FALSE(supervisor_is_done(&fake.supervisor));
    die(&fake, frontend(&fake), 0, T0 + 4000 * MS);
    supervisor_tick(&fake.supervisor, T0 + 60000 * MS);
    CU_ASSERT_TRUE(supervisor_is_done(&fake.supervisor));
    CU_ASSERT_FALSE(fake.supervisor.has_failed);
    CU_ASSERT_EQUAL(fake.n_starts[MANAGER_FRONTEND], 1);
}

static void test_first_start_is_given_up(void)
{
    struct fake fake;

    fake_init(&fake);
    supervisor_tick(&fake.supervisor, T0);
    die(&fake, frontend(&fake), 0, T0 + 10 * MS);
    CU_ASSERT_TRUE(fake.supervisor.has_failed);
    CU_ASSERT_TRUE(supervisor_is_done(&fake.supervisor));

    fake_init(&fake);
    fake.start_error = -ENOENT;
    supervisor_tick(&fake.supervisor, T0);
    CU_ASSERT_TRUE(fake.supervisor.has_failed);
    CU_ASSERT_TRUE(supervisor_is_done(&fake.supervisor));
}

static void test_a_failed_start_ends_the_pass(void)
{
    struct fake fake;

    bring_up(&fake);
    die(&fake, worker(&fake, 0), SIGKILL, T0);
    die(&fake, worker(&fake, 1), SIGKILL, T0);
    fake.start_error = -ETIMEDOUT;
    fake.n_starts[MANAGER_WORKER] = 0;
    supervisor_tick(&fake.supervisor, T0 + 500 * MS);
    CU_ASSERT_EQUAL(fake.n_starts[MANAGER_WORKER], 1);
    /* The first waits longer now, so the second has its turn. */
    supervisor_tick(&fake.supervisor, T0 + 501 * MS);
    CU_ASSERT_EQUAL(fake.n_starts[MANAGER_WORKER], 2);
}

static void test_worker_that_never_starts_is_given_up(void)
{
    struct fake fake;
    uint64_t now_ns = T0;

    bring_frontend_up(&fake);
    for (unsigned i = 0; i < HEALTH_MAX_TRIES; i++) {
        CU_ASSERT_FALSE(fake.supervisor.has_failed);
        die(&fake, worker(&fake, 0), 0, now_ns);
        now_ns += 1000 * MS;
        supervisor_tick(&fake.supervisor, now_ns);
    }
    CU_ASSERT_TRUE(fake.supervisor.has_failed);
    CU_ASSERT_EQUAL(fake.last_signal[worker(&fake, 1)->handle.pid], SIGTERM);
}

/* Its connections would end with the start of the other one. */
static void test_worker_that_never_starts_does_not_end_the_one_that_serves(void)
{
    struct fake fake;
    uint64_t now_ns = T0;

    bring_frontend_up(&fake);
    says(&fake, 0, LANE_LIFE_SERVING, now_ns);
    CU_ASSERT_EQUAL(supervisor_state(&fake.supervisor), SUPERVISOR_STARTING);
    for (unsigned i = 0; i < 2 * HEALTH_MAX_TRIES; i++) {
        die(&fake, worker(&fake, 1), 0, now_ns);
        now_ns += 60000 * MS;
        supervisor_tick(&fake.supervisor, now_ns);
    }
    CU_ASSERT_FALSE(fake.supervisor.has_failed);
    CU_ASSERT_EQUAL(worker(&fake, 0)->state, PROCESS_RUNNING);
    CU_ASSERT_EQUAL(worker(&fake, 1)->state, PROCESS_STARTING);
    CU_ASSERT_EQUAL(supervisor_state(&fake.supervisor), SUPERVISOR_DEGRADED);
}

static void test_adopted_processes_are_not_started_again(void)
{
    struct fake fake;

    fake_init(&fake);
    CU_ASSERT_EQUAL(supervisor_adopt(&fake.supervisor, MANAGER_FRONTEND, 0, 20), 0);
    CU_ASSERT_EQUAL(supervisor_adopt(&fake.supervisor, MANAGER_WORKER, 0, 21), 0);
    CU_ASSERT_EQUAL(supervisor_adopt(&fake.supervisor, MANAGER_WORKER, 1, 13), -ESRCH);
    CU_ASSERT_EQUAL(supervisor_adopt(&fake.supervisor, MANAGER_WORKER, 99, 22), -EINVAL);
    /* More workers than configured: a spare, until somebody ends it. */
    CU_ASSERT_EQUAL(supervisor_adopt(&fake.supervisor, MANAGER_WORKER, 5, 23), 0);
    CU_ASSERT_PTR_EQUAL(supervisor_spare(&fake.supervisor), worker(&fake, 5));
    supervisor_tick(&fake.supervisor, T0);
    CU_ASSERT_EQUAL(fake.n_starts[MANAGER_FRONTEND], 0);
    CU_ASSERT_EQUAL(fake.n_starts[MANAGER_WORKER], 1);
    supervisor_spare_end(&fake.supervisor, worker(&fake, 5), T0);
    CU_ASSERT_EQUAL(fake.last_signal[23], SIGTERM);
    die(&fake, worker(&fake, 5), 0, T0);
    CU_ASSERT_EQUAL(worker(&fake, 5)->state, PROCESS_STOPPED);
    supervisor_stop(&fake.supervisor, T0);
    CU_ASSERT_EQUAL(fake.last_signal[21], SIGTERM);
}

static void test_adopted_system_is_never_given_up(void)
{
    struct fake fake;

    fake_init(&fake);
    CU_ASSERT_EQUAL(supervisor_adopt(&fake.supervisor, MANAGER_WORKER, 0, 21), 0);
    supervisor_adopt_silent(&fake.supervisor, MANAGER_WORKER, 0, T0);
    supervisor_tick(&fake.supervisor, T0);
    CU_ASSERT_EQUAL(fake.n_starts[MANAGER_FRONTEND], 1);
    /* The frontend cannot start, and there is a worker with connections. */
    die(&fake, frontend(&fake), 0, T0 + 10 * MS);
    CU_ASSERT_FALSE(fake.supervisor.has_failed);
    CU_ASSERT_EQUAL(fake.last_signal[21], 0);
    supervisor_tick(&fake.supervisor, T0 + 200 * MS);
    supervisor_frontend_says(&fake.supervisor, NULL, 0, T0 + 300 * MS);
    /* Not started a second time beside the one that is on its way back. */
    CU_ASSERT_EQUAL(fake.n_starts[MANAGER_WORKER], 1);
    says(&fake, 0, LANE_LIFE_SERVING, T0 + 400 * MS);
    CU_ASSERT_EQUAL(worker(&fake, 0)->state, PROCESS_RUNNING);
}

static void test_replaced_process_is_started_at_once(void)
{
    struct fake fake;
    int pid;

    bring_up(&fake);
    pid = worker(&fake, 0)->handle.pid;
    supervisor_replace(&fake.supervisor, worker(&fake, 0), T0 + 100 * MS);
    CU_ASSERT_EQUAL(fake.last_signal[pid], SIGTERM);
    CU_ASSERT_EQUAL(supervisor_state(&fake.supervisor), SUPERVISOR_UP);
    supervisor_tick(&fake.supervisor, T0 + (100 + SUPERVISOR_KILL_MS) * MS);
    CU_ASSERT_EQUAL(fake.last_signal[pid], SIGKILL);
    die(&fake, worker(&fake, 0), SIGKILL, T0 + 4000 * MS);
    CU_ASSERT_EQUAL(worker(&fake, 0)->n_failures, 0);
    supervisor_tick(&fake.supervisor, T0 + 4000 * MS);
    CU_ASSERT_NOT_EQUAL(worker(&fake, 0)->handle.pid, pid);
    CU_ASSERT_EQUAL(worker(&fake, 0)->state, PROCESS_STARTING);
    CU_ASSERT_EQUAL(worker(&fake, 0)->n_restarts, 1);
}

static void test_last_worker_does_not_back_off(void)
{
    struct fake fake;
    uint64_t now_ns = T0;

    bring_up(&fake);
    /* Worker 1 dies again and again: it waits, for worker 0 serves. */
    for (unsigned i = 0; i < 6; i++) {
        die(&fake, worker(&fake, 1), SIGKILL, now_ns);
        now_ns = worker(&fake, 1)->due_ns;
        supervisor_tick(&fake.supervisor, now_ns);
        says(&fake, 1, LANE_LIFE_SERVING, now_ns);
    }
    die(&fake, worker(&fake, 1), SIGKILL, now_ns);
    CU_ASSERT_EQUAL(worker(&fake, 1)->due_ns, now_ns + 6400 * MS);
    /* Now worker 0 dies too: nobody waits any more. */
    die(&fake, worker(&fake, 0), SIGKILL, now_ns + 50 * MS);
    supervisor_tick(&fake.supervisor, now_ns + 100 * MS);
    CU_ASSERT_EQUAL(worker(&fake, 1)->state, PROCESS_STARTING);
    supervisor_tick(&fake.supervisor, now_ns + 150 * MS);
    CU_ASSERT_EQUAL(worker(&fake, 0)->state, PROCESS_STARTING);
}

static void test_worker_that_never_gets_ready_backs_off_alone_too(void)
{
    struct fake fake;
    uint64_t now_ns = T0;

    bring_up(&fake);
    fake.supervisor.n_workers = 1;
    for (unsigned i = 0; i < 3; i++) {
        die(&fake, worker(&fake, 0), 0, now_ns);
        die(&fake, worker(&fake, 1), 0, now_ns);
        now_ns = worker(&fake, 0)->due_ns;
        supervisor_tick(&fake.supervisor, now_ns);
    }
    die(&fake, worker(&fake, 0), 0, now_ns);
    CU_ASSERT_EQUAL(worker(&fake, 0)->due_ns, now_ns + 800 * MS);
}

static void test_time_before_ready_is_no_healthy_life(void)
{
    struct fake fake;

    bring_up(&fake);
    die(&fake, worker(&fake, 0), SIGKILL, T0);
    supervisor_tick(&fake.supervisor, T0 + 100 * MS);
    die(&fake, worker(&fake, 0), SIGKILL, T0 + 20000 * MS);
    CU_ASSERT_EQUAL(worker(&fake, 0)->n_failures, 2);
}

static void test_worker_that_does_not_come_back_is_killed(void)
{
    struct fake fake;
    int pid;

    bring_up(&fake);
    pid = worker(&fake, 0)->handle.pid;
    die(&fake, frontend(&fake), SIGKILL, T0);
    supervisor_tick(&fake.supervisor, T0 + 100 * MS);
    says(&fake, 1, LANE_LIFE_SERVING, T0 + 200 * MS);
    CU_ASSERT_FALSE(worker(&fake, 0)->is_serving);
    says(&fake, 1, LANE_LIFE_SERVING, T0 + (100 + SUPERVISOR_LOST_MS) * MS);
    CU_ASSERT_EQUAL(fake.last_signal[pid], 0);
    says(&fake, 1, LANE_LIFE_SERVING, T0 + (200 + SUPERVISOR_LOST_MS) * MS);
    CU_ASSERT_EQUAL(fake.last_signal[pid], SIGKILL);
}

static void test_end_is_told_with_what_led_to_it(void)
{
    struct fake fake;

    bring_up(&fake);
    die(&fake, worker(&fake, 0), SIGSEGV, T0 + 100 * MS);
    CU_ASSERT_EQUAL(worker(&fake, 0)->last_cause, HEALTH_SIGNAL);
    die(&fake, worker(&fake, 1), 0, T0 + 100 * MS);
    CU_ASSERT_EQUAL(worker(&fake, 1)->last_cause, HEALTH_EXIT);

    bring_up(&fake);
    says(&fake, 0, LANE_LIFE_QUARANTINED, T0 + 100 * MS);
    die(&fake, worker(&fake, 0), SIGKILL, T0 + 100 * MS);
    CU_ASSERT_EQUAL(worker(&fake, 0)->last_cause, HEALTH_QUARANTINED);
    CU_ASSERT_STRING_EQUAL(worker(&fake, 0)->last_exit, "signal 9: quarantined: fault_index");
    supervisor_replace(&fake.supervisor, worker(&fake, 1), T0 + 100 * MS);
    die(&fake, worker(&fake, 1), 0, T0 + 100 * MS);
    CU_ASSERT_EQUAL(worker(&fake, 1)->last_cause, HEALTH_ASKED);
    CU_ASSERT_EQUAL(worker(&fake, 1)->n_failures, 0);
}

static void test_stalled_worker_is_killed_but_not_its_successor(void)
{
    struct fake fake;
    int pid;

    bring_up(&fake);
    pid = worker(&fake, 0)->handle.pid;
    supervisor_worker_stalled(&fake.supervisor, 0, 1000 * MS, T0 + 900 * MS);
    supervisor_worker_stalled(&fake.supervisor, 16, 1000 * MS, T0 + 5000 * MS);
    CU_ASSERT_EQUAL(fake.last_signal[pid], 0);
    supervisor_worker_stalled(&fake.supervisor, 0, 1000 * MS, T0 + 5000 * MS);
    CU_ASSERT_EQUAL(fake.last_signal[pid], SIGKILL);
    die(&fake, worker(&fake, 0), SIGKILL, T0 + 5000 * MS);
    CU_ASSERT_EQUAL(worker(&fake, 0)->last_cause, HEALTH_STALLED);
    CU_ASSERT_STRING_EQUAL(fake.last_cause, "signal 9: stood still with work waiting");
}

/* As a worker that the frontend kills looks to us: an end by SIGKILL, and the reason a moment later. */
static void die_of_the_frontend(struct fake *fake, uint32_t slot, uint64_t now_ns)
{
    fake->cause = (struct manager_cause){.is_kill = true, .text = "signal 9"};
    supervisor_process_ended(&fake->supervisor, worker(fake, slot), now_ns);
}

static void test_kill_by_the_frontend_is_told_with_its_reason(void)
{
    struct fake fake;

    bring_up(&fake);
    die_of_the_frontend(&fake, 0, T0 + 5000 * MS);
    CU_ASSERT_EQUAL(fake.n_news[NEWS_ENDED], 0);
    supervisor_worker_stalled(&fake.supervisor, 0, 1000 * MS, T0 + 5005 * MS);
    CU_ASSERT_EQUAL(fake.n_news[NEWS_ENDED], 1);
    CU_ASSERT_EQUAL(worker(&fake, 0)->last_cause, HEALTH_STALLED);
    CU_ASSERT_STRING_EQUAL(fake.last_cause, "signal 9: stood still with work waiting");
    /* What it says besides changes nothing, for it stalls by one rule and is quarantined by the same. */
    supervisor_worker_quarantined(&fake.supervisor, 0, "fault_stalled", T0 + 5006 * MS);
    CU_ASSERT_EQUAL(fake.n_news[NEWS_ENDED], 1);
    die_of_the_frontend(&fake, 1, T0 + 6000 * MS);
    supervisor_worker_quarantined(&fake.supervisor, 1, "fault_slot", T0 + 6099 * MS);
    CU_ASSERT_EQUAL(worker(&fake, 1)->last_cause, HEALTH_QUARANTINED);
    CU_ASSERT_STRING_EQUAL(fake.last_cause, "signal 9: quarantined: fault_slot");
    supervisor_worker_quarantined(&fake.supervisor, CONFIG_MAX_WORKERS, "fault_slot", T0 + 6100 * MS);
}

static void test_kill_that_nobody_explains_is_told_all_the_same(void)
{
    struct fake fake;

    bring_up(&fake);
    die_of_the_frontend(&fake, 0, T0 + 5000 * MS);
    supervisor_tick(&fake.supervisor, T0 + 5000 * MS + (SUPERVISOR_WHY_MS - 1) * MS);
    CU_ASSERT_EQUAL(fake.n_news[NEWS_ENDED], 0);
    supervisor_tick(&fake.supervisor, T0 + 5000 * MS + SUPERVISOR_WHY_MS * MS);
    CU_ASSERT_EQUAL(fake.n_news[NEWS_ENDED], 1);
    CU_ASSERT_EQUAL(worker(&fake, 0)->last_cause, HEALTH_SIGNAL);
    CU_ASSERT_STRING_EQUAL(worker(&fake, 0)->last_exit, "signal 9");
    /* What the frontend says later is about something else. */
    supervisor_worker_quarantined(&fake.supervisor, 0, "fault_slot", T0 + 5101 * MS);
    CU_ASSERT_EQUAL(worker(&fake, 0)->last_cause, HEALTH_SIGNAL);
    /* Nor does it hold up the next life, or get lost when everything stops. */
    fake.config.control.restart_delay_ms = 0;
    die_of_the_frontend(&fake, 1, T0 + 6000 * MS);
    supervisor_tick(&fake.supervisor, T0 + 6001 * MS);
    CU_ASSERT_EQUAL(worker(&fake, 1)->state, PROCESS_STARTING);
    CU_ASSERT_EQUAL(fake.n_news[NEWS_ENDED], 2);
    supervisor_worker_quarantined(&fake.supervisor, 1, "fault_slot", T0 + 6002 * MS);
    CU_ASSERT_STRING_EQUAL(worker(&fake, 1)->last_exit, "signal 9: quarantined: fault_slot");
    CU_ASSERT_EQUAL(fake.n_news[NEWS_ENDED], 2);
    says(&fake, 1, LANE_LIFE_SERVING, T0 + 6002 * MS);
    die_of_the_frontend(&fake, 1, T0 + 7000 * MS);
    supervisor_stop(&fake.supervisor, T0 + 7001 * MS);
    CU_ASSERT_EQUAL(fake.n_news[NEWS_ENDED], 3);
    CU_ASSERT_EQUAL(fake.n_news[NEWS_STOPPING], 1);
}

static void test_frontend_that_does_not_answer_is_killed(void)
{
    struct fake fake;
    int pid;

    bring_up(&fake);
    pid = frontend(&fake)->handle.pid;
    supervisor_frontend_silent(&fake.supervisor, SUPERVISOR_SILENT_MS - 1);
    /* One answer, and the count begins anew. */
    supervisor_frontend_says(&fake.supervisor, NULL, 0, T0 + 5000 * MS);
    supervisor_frontend_silent(&fake.supervisor, SUPERVISOR_SILENT_MS - 1);
    CU_ASSERT_EQUAL(fake.last_signal[pid], 0);
    supervisor_frontend_silent(&fake.supervisor, 1);
    CU_ASSERT_EQUAL(fake.last_signal[pid], SIGKILL);
    die(&fake, frontend(&fake), SIGKILL, T0 + 6000 * MS);
    CU_ASSERT_EQUAL(frontend(&fake)->last_cause, HEALTH_STALLED);
    CU_ASSERT_STRING_EQUAL(fake.last_cause, "signal 9: does not answer");
    /* The next one has all the time to start. */
    supervisor_tick(&fake.supervisor, T0 + 7000 * MS);
    pid = frontend(&fake)->handle.pid;
    supervisor_frontend_silent(&fake.supervisor, SUPERVISOR_SILENT_MS);
    CU_ASSERT_EQUAL(fake.last_signal[pid], 0);
}

static void test_a_frontend_whose_loop_hangs_is_killed(void)
{
    struct fake fake;
    pid_t pid;

    bring_up(&fake);
    pid = frontend(&fake)->handle.pid;
    supervisor_frontend_loops(&fake.supervisor, SUPERVISOR_LOOP_MS, SUPERVISOR_STUCK_MS - 1);
    /* That it answers says nothing of its loop; one turn does. */
    supervisor_frontend_says(&fake.supervisor, NULL, 0, T0 + 5000 * MS);
    supervisor_frontend_loops(&fake.supervisor, SUPERVISOR_LOOP_MS - 1, 500);
    supervisor_frontend_loops(&fake.supervisor, SUPERVISOR_LOOP_MS, SUPERVISOR_STUCK_MS - 1);
    supervisor_frontend_says(&fake.supervisor, NULL, 0, T0 + 6000 * MS);
    CU_ASSERT_EQUAL(fake.last_signal[pid], 0);
    supervisor_frontend_loops(&fake.supervisor, UINT64_MAX, 1);
    CU_ASSERT_EQUAL(fake.last_signal[pid], SIGKILL);
    die(&fake, frontend(&fake), SIGKILL, T0 + 7000 * MS);
    CU_ASSERT_STRING_EQUAL(fake.last_cause, "signal 9: its loop stands still");
}

const struct unit_test unit_tests[] = {
    {"workers are started when the frontend answers", test_workers_wait_for_the_frontend},
    {"a dead worker comes back, nobody else is touched", test_dead_worker_comes_back},
    {"a crash loop backs off, a healthy life starts over", test_crash_loop_backs_off},
    {"a failed start ends the pass: it may have taken seconds", test_a_failed_start_ends_the_pass},
    {"a dead frontend leaves its workers alone", test_dead_frontend_leaves_workers_alone},
    {"a quarantined worker is killed once, its successor not", test_quarantine_kills_once_and_only_this_life},
    {"reports about no worker of ours are ignored", test_reports_of_nonsense_are_ignored},
    {"a process that is not ready in time is killed", test_unready_process_is_killed},
    {"stopping: workers, then the frontend, each bounded", test_stops_in_order},
    {"a frontend that cannot start ends the first start", test_first_start_is_given_up},
    {"a worker that never starts ends the first start", test_worker_that_never_starts_is_given_up},
    {"a worker that never starts does not end the one that serves",
     test_worker_that_never_starts_does_not_end_the_one_that_serves},
    {"what an earlier controld left running is taken over", test_adopted_processes_are_not_started_again},
    {"a system that was taken over is never given up", test_adopted_system_is_never_given_up},
    {"what is replaced is ended, killed if need be, and started at once",
     test_replaced_process_is_started_at_once},
    {"the last worker that could serve does not back off", test_last_worker_does_not_back_off},
    {"a worker that never gets ready backs off, alone or not",
     test_worker_that_never_gets_ready_backs_off_alone_too},
    {"time spent on getting ready is no healthy life", test_time_before_ready_is_no_healthy_life},
    {"an end is told with what led to it", test_end_is_told_with_what_led_to_it},
    {"a worker that stands still is killed, its successor is not",
     test_stalled_worker_is_killed_but_not_its_successor},
    {"a worker that the frontend has killed is told of with the reason",
     test_kill_by_the_frontend_is_told_with_its_reason},
    {"a kill that nobody explains is told all the same", test_kill_that_nobody_explains_is_told_all_the_same},
    {"a frontend that does not answer is killed", test_frontend_that_does_not_answer_is_killed},
    {"a frontend that answers while its loop hangs is killed", test_a_frontend_whose_loop_hangs_is_killed},
    {"a worker that does not come back to a new frontend is killed",
     test_worker_that_does_not_come_back_is_killed},
    {NULL, NULL},
};
