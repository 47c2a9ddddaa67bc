/* SPDX-License-Identifier: BSD-3-Clause */
/* manager_test.c — processes that somebody else runs, as the supervisor sees them; names of units. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/start.h"
#include "controlplane/controld/manager_direct.h"
#include "controlplane/controld/manager_external.h"
#include "controlplane/controld/manager_systemd.h"
#include "tests/support/unit.h"

#define MS CLOCK_NS_PER_MS
#define T0 (1000000 * MS)

struct onlooker {
    struct config config;
    struct supervisor supervisor;
    unsigned n_news[5];
    pid_t pid; /* of the last news */
};

static void onlooker_news(void *context, const struct supervisor_news *news)
{
    struct onlooker *onlooker = context;

    onlooker->n_news[news->kind]++;
    onlooker->pid = news->pid;
}

static void onlooker_init(struct onlooker *onlooker)
{
    *onlooker = (struct onlooker){0};
    config_defaults(&onlooker->config);
    onlooker->config.worker.count = 2;
    supervisor_init(&onlooker->supervisor, &onlooker->config, manager_external(), onlooker_news, onlooker);
}

/* The frontend reports both workers; `second`: since when worker 1 is attached, 0: it is not there. */
static void says(struct onlooker *onlooker, uint64_t second, uint64_t now_ns)
{
    const struct lane_report lanes[2] = {
        {.slot = 0, .life = LANE_LIFE_SERVING, .attached_ns = T0, .fault = ""},
        {.slot = 1, .life = LANE_LIFE_SERVING, .attached_ns = second, .pid = 77, .fault = ""}};

    supervisor_frontend_says(&onlooker->supervisor, lanes, second == 0 ? 1 : 2, now_ns);
}

static void what_serves_is_running_without_a_handle(void)
{
    struct onlooker onlooker;
    const struct process *processes = onlooker.supervisor.processes;

    onlooker_init(&onlooker);
    supervisor_tick(&onlooker.supervisor, T0);
    CU_ASSERT_EQUAL(supervisor_state(&onlooker.supervisor), SUPERVISOR_STARTING);
    CU_ASSERT_EQUAL(processes[0].state, PROCESS_WAITING);
    says(&onlooker, T0, T0 + MS);
    CU_ASSERT_EQUAL(supervisor_state(&onlooker.supervisor), SUPERVISOR_UP);
    CU_ASSERT_EQUAL(processes[2].handle.pid, 77);
    CU_ASSERT_FALSE(process_is_alive(&processes[2]));
    CU_ASSERT_EQUAL(onlooker.n_news[NEWS_READY], 3);
    CU_ASSERT_EQUAL(onlooker.pid, 77);
    says(&onlooker, T0, T0 + 2 * MS);
    CU_ASSERT_EQUAL(onlooker.n_news[NEWS_READY], 3);
}

static void who_is_gone_is_missed_and_not_started(void)
{
    struct onlooker onlooker;
    const struct process *worker = &onlooker.supervisor.processes[2];

    onlooker_init(&onlooker);
    says(&onlooker, T0, T0);
    says(&onlooker, 0, T0 + MS);
    CU_ASSERT_EQUAL(supervisor_state(&onlooker.supervisor), SUPERVISOR_DEGRADED);
    CU_ASSERT_EQUAL(worker->state, PROCESS_WAITING);
    CU_ASSERT_EQUAL(onlooker.n_news[NEWS_ENDED], 1);
    CU_ASSERT_EQUAL(onlooker.pid, 77);
    /* Nobody of us has asked for it. */
    CU_ASSERT_EQUAL(worker->last_cause, HEALTH_UNKNOWN);
    for (unsigned i = 0; i < 100; i++)
        supervisor_tick(&onlooker.supervisor, T0 + (2 + i) * MS);
    CU_ASSERT_EQUAL(onlooker.n_news[NEWS_STARTED], 0);
    says(&onlooker, T0 + 200 * MS, T0 + 200 * MS);
    CU_ASSERT_EQUAL(worker->state, PROCESS_RUNNING);
    CU_ASSERT_EQUAL(worker->n_restarts, 1);
}

static void a_quarantined_one_is_told_of_with_its_fault(void)
{
    struct onlooker onlooker;
    const struct process *worker = &onlooker.supervisor.processes[2];
    const struct lane_report lane = {
        .slot = 1, .life = LANE_LIFE_QUARANTINED, .attached_ns = T0, .pid = 77, .fault = "fault_index"};

    onlooker_init(&onlooker);
    says(&onlooker, T0, T0);
    supervisor_frontend_says(&onlooker.supervisor, &lane, 1, T0 + MS);
    CU_ASSERT_STRING_EQUAL(worker->last_exit, "quarantined: fault_index");
    /* When it is gone, that is still the reason. */
    says(&onlooker, 0, T0 + 2 * MS);
    CU_ASSERT_STRING_EQUAL(worker->last_exit, "quarantined: fault_index");
}

static void another_in_the_same_slot_is_a_new_life(void)
{
    struct onlooker onlooker;

    onlooker_init(&onlooker);
    says(&onlooker, T0, T0);
    says(&onlooker, T0 + 5 * MS, T0 + 6 * MS);
    CU_ASSERT_EQUAL(onlooker.n_news[NEWS_ENDED], 1);
    CU_ASSERT_EQUAL(onlooker.supervisor.processes[2].n_restarts, 1);
    CU_ASSERT_EQUAL(supervisor_state(&onlooker.supervisor), SUPERVISOR_UP);
}

static void a_frontend_that_is_silent_is_gone_and_all_with_it(void)
{
    struct onlooker onlooker;

    onlooker_init(&onlooker);
    says(&onlooker, T0, T0);
    supervisor_tick(&onlooker.supervisor, T0 + (EXTERNAL_SILENT_MS - 1) * MS);
    CU_ASSERT_EQUAL(supervisor_state(&onlooker.supervisor), SUPERVISOR_UP);
    supervisor_tick(&onlooker.supervisor, T0 + EXTERNAL_SILENT_MS * MS);
    CU_ASSERT_EQUAL(supervisor_state(&onlooker.supervisor), SUPERVISOR_DEGRADED);
    CU_ASSERT_EQUAL(onlooker.n_news[NEWS_ENDED], 3);
}

static void units_have_the_names_of_the_unit_files(void)
{
    char unit[MANAGER_SYSTEMD_UNIT_BYTES];

    manager_systemd_unit(MANAGER_FRONTEND, 0, unit);
    CU_ASSERT_STRING_EQUAL(unit, "mpa-frontend.service");
    manager_systemd_unit(MANAGER_WORKER, 15, unit);
    CU_ASSERT_STRING_EQUAL(unit, "mpa-worker@15.service");
}

static void the_cause_of_an_end_is_told_whole(void)
{
    struct manager_cause cause;

    memset(&cause, 0xff, sizeof(cause));
    manager_direct_cause(CLD_KILLED, SIGKILL, &cause);
    CU_ASSERT_TRUE(cause.is_kill && !cause.is_exit && !cause.is_clean && !cause.is_unknown);
    CU_ASSERT_STRING_EQUAL(cause.text, "killed by signal 9 (Killed)");
    manager_direct_cause(CLD_DUMPED, SIGSEGV, &cause);
    CU_ASSERT_FALSE(cause.is_kill);
    manager_direct_cause(CLD_EXITED, SIGKILL, &cause);
    CU_ASSERT_TRUE(cause.is_exit && !cause.is_clean && !cause.is_kill);
    CU_ASSERT_STRING_EQUAL(cause.text, "exited with status 9");
    manager_direct_cause(CLD_EXITED, 0, &cause);
    CU_ASSERT_TRUE(cause.is_clean);
}

static void a_refused_configuration_is_told_in_words(void)
{
    struct manager_cause cause;

    manager_direct_cause(CLD_EXITED, START_EXIT_USAGE, &cause);
    CU_ASSERT_PTR_NOT_NULL(strstr(cause.text, "exited with status 2 (configuration or options refused"));
    CU_ASSERT_TRUE(cause.text[strlen(cause.text) - 1] == ')' && cause.is_exit && !cause.is_clean);
    manager_direct_cause(CLD_EXITED, 1, &cause);
    CU_ASSERT_STRING_EQUAL(cause.text, "exited with status 1");
    manager_direct_cause(CLD_EXITED, 0, &cause);
    CU_ASSERT_TRUE(cause.is_clean);
    manager_direct_cause(CLD_KILLED, 9, &cause);
    CU_ASSERT_STRING_EQUAL(cause.text, "killed by signal 9 (Killed)");
    CU_ASSERT_FALSE(cause.is_exit);
}

const char unit_suite_name[] = "controld/manager";
const struct unit_test unit_tests[] = {
    {"what serves is running, without a handle", what_serves_is_running_without_a_handle},
    {"who is gone is missed and not started", who_is_gone_is_missed_and_not_started},
    {"a quarantined one is told of with its fault", a_quarantined_one_is_told_of_with_its_fault},
    {"another in the same slot is a new life", another_in_the_same_slot_is_a_new_life},
    {"a frontend that is silent is gone, and all with it", a_frontend_that_is_silent_is_gone_and_all_with_it},
    {"the cause of an end is told whole", the_cause_of_an_end_is_told_whole},
    {"a refused configuration is told in words", a_refused_configuration_is_told_in_words},
    {"units have the names of the unit files", units_have_the_names_of_the_unit_files},
    {NULL, NULL}};
