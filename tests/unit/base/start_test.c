/* SPDX-License-Identifier: BSD-3-Clause */
/* start_test.c — stop signals as something to read, and the CPU of a loop. */
#include "base/start.h"

#include <sched.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "tests/support/unit.h"

static void stop_signals_are_read_not_suffered(void)
{
    static const int signals[] = {SIGTERM, SIGINT};
    struct signalfd_siginfo info = {0};
    int fd = start_signals();

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(read(fd, &info, sizeof(info)), -1); /* at once: it never blocks */
    for (unsigned i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(raise(signals[i]), 0);
        CU_ASSERT_EQUAL(read(fd, &info, sizeof(info)), (ssize_t)sizeof(info));
        CU_ASSERT_EQUAL(info.ssi_signo, (uint32_t)signals[i]);
    }
    close(fd);
}

static void a_pinned_thread_stays_on_its_cpu(void)
{
    cpu_set_t before, after;
    int cpu = 0;

    CU_ASSERT_EQUAL_FATAL(sched_getaffinity(0, sizeof(before), &before), 0);
    while (!CPU_ISSET((size_t)cpu, &before))
        cpu++;
    start_pin(-1);
    CU_ASSERT_EQUAL(sched_getaffinity(0, sizeof(after), &after), 0);
    CU_ASSERT_TRUE(CPU_EQUAL(&before, &after));
    start_pin(cpu);
    CU_ASSERT_EQUAL(sched_getaffinity(0, sizeof(after), &after), 0);
    CU_ASSERT_EQUAL(CPU_COUNT(&after), 1);
    CU_ASSERT_TRUE(CPU_ISSET((size_t)cpu, &after));
}

const char unit_suite_name[] = "start";
const struct unit_test unit_tests[] = {
    {"stop signals are read, not suffered", stop_signals_are_read_not_suffered},
    {"a pinned thread stays on its CPU, and below 0 pins nothing", a_pinned_thread_stays_on_its_cpu},
    {NULL, NULL}};
