/* SPDX-License-Identifier: BSD-3-Clause */
/* readiness_test.c — promises of /readyz. */
#include "controlplane/controld/exporter.h"

#include <string.h>

#include "base/clock.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "controld/readiness";

static struct config config;
static struct supervisor supervisor;
static char text[96];

/* A stack of two workers that serves. */
static void set_up(void)
{
    config_defaults(&config);
    memset(&supervisor, 0, sizeof(supervisor));
    supervisor.config = &config;
    supervisor.n_workers = config.worker.count;
    supervisor.heard_ns = 1;
    supervisor.n_workers = 2;
    for (uint32_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++) {
        supervisor.processes[i].role = i == 0 ? MANAGER_FRONTEND : MANAGER_WORKER;
        supervisor.processes[i].slot = i == 0 ? 0 : i - 1;
        supervisor.processes[i].handle.pidfd = -1;
        supervisor.processes[i].state = i <= 2 ? PROCESS_RUNNING : PROCESS_STOPPED;
        supervisor.processes[i].is_serving = i == 1 || i == 2;
    }
}

static const char *obstacle(uint64_t now_ns)
{
    return readiness_obstacle(&supervisor, now_ns, text, sizeof(text));
}

static void test_ready(void)
{
    set_up();
    CU_ASSERT_PTR_NULL(obstacle(2));
}

static void test_reasons(void)
{
    set_up();
    supervisor.processes[2].is_serving = false;
    CU_ASSERT_STRING_EQUAL(obstacle(2), "worker 1 is running, but has no buckets yet");
    supervisor.processes[2].state = PROCESS_WAITING;
    CU_ASSERT_STRING_EQUAL(obstacle(2), "worker 1 is dead and waits for its restart");
    supervisor.processes[0].state = PROCESS_STARTING;
    CU_ASSERT_STRING_EQUAL(obstacle(2), "mpa-frontend is starting");
    supervisor.is_stopping = true;
    CU_ASSERT_STRING_EQUAL(obstacle(2), "everything is being stopped");
}

static void test_silence(void)
{
    set_up();
    CU_ASSERT_STRING_EQUAL(obstacle(3 * CLOCK_NS_PER_S + 1), "mpa-frontend has not answered for 3 s");
}

static void test_drained(void)
{
    set_up();
    supervisor.processes[2].is_draining = true;
    CU_ASSERT_PTR_NULL(obstacle(2));
    supervisor.processes[1].is_draining = true;
    CU_ASSERT_STRING_EQUAL(obstacle(2), "no worker serves");
}

const struct unit_test unit_tests[] = {
    {"a stack whose workers all serve is ready", test_ready},
    {"what is missing is named, the most important first", test_reasons},
    {"a frontend that is silent is not ready", test_silence},
    {"a worker drained by order takes nothing from readiness, the last one does", test_drained},
    {NULL, NULL}};
