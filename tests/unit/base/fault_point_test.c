/* SPDX-License-Identifier: BSD-3-Clause */
/* fault_point_test.c — a fault comes where and when it was asked for; in ordinary builds it never comes. */
#include "base/fault_point.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/unit.h"

/* A child with one variable set runs `passes`, which returns how it ends when nothing kills it. */
static int run_child(const char *variable, const char *value, int (*passes)(void))
{
    const struct rlimit no_core = {0, 0};
    int status = -1;
    const pid_t pid = fork();

    if (pid == 0) {
        int silence = open("/dev/null", O_WRONLY);

        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGSEGV, SIG_DFL);
        dup2(silence, STDERR_FILENO);
        setenv(variable, value, 1);
        _exit(fault_point_init(3) < 0 ? 100 : passes());
    }
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
    return status;
}

static int pass_twice(void)
{
    fault_point_hit(FAULT_publish_tx);
    fault_point_hit(FAULT_commit_begin); /* another point does not count */
    fault_point_hit(FAULT_publish_tx);
    return 7;
}

static bool was_killed(int status, int signal_number)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == signal_number;
}

static void kill_comes_at_its_hit(void)
{
    CU_ASSERT(was_killed(run_child("MPA_FAULT_POINT", "publish_tx:1", pass_twice), SIGKILL));
    CU_ASSERT(was_killed(run_child("MPA_FAULT_POINT", "publish_tx:2", pass_twice), SIGKILL));
    CU_ASSERT_EQUAL(WEXITSTATUS(run_child("MPA_FAULT_POINT", "publish_tx:3", pass_twice)), 7);
    CU_ASSERT_EQUAL(WEXITSTATUS(run_child("MPA_FAULT_POINT", "publish_rx:1", pass_twice)), 7);
    CU_ASSERT_EQUAL(WEXITSTATUS(run_child("MPA_FAULT_POINT", "", pass_twice)), 7);
}

static void kill_comes_in_its_slot(void)
{
    CU_ASSERT(was_killed(run_child("MPA_FAULT_POINT", "publish_tx:1:3", pass_twice), SIGKILL));
    CU_ASSERT_EQUAL(WEXITSTATUS(run_child("MPA_FAULT_POINT", "publish_tx:1:2", pass_twice)), 7);
}

static void nonsense_is_refused(void)
{
    static const char *const bad[] = {"publish",      "publish:1",     "publish_tx",     "publish_tx:",
                                      "publish_tx:0", "publish_tx:1x", "publish_tx:1:3x"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_EQUAL(WEXITSTATUS(run_child("MPA_FAULT_POINT", bad[i], pass_twice)), 100);
    CU_ASSERT_EQUAL(WEXITSTATUS(run_child("MPA_FAULT_FRAME", "abc", pass_twice)), 100);
    CU_ASSERT_EQUAL(WEXITSTATUS(run_child("MPA_FAULT_FRAME", "0xab", pass_twice)), 100);
}

static int hold_frame(void)
{
    fault_point_frame_in_hand("abc\xde\xad zzz", 9);
    return 7;
}

static void frame_of_death_raises_a_fault(void)
{
    CU_ASSERT(was_killed(run_child("MPA_FAULT_FRAME", "63DEad20", hold_frame), SIGSEGV));
    CU_ASSERT_EQUAL(WEXITSTATUS(run_child("MPA_FAULT_FRAME", "deae", hold_frame)), 7);
}

static int ask_commit(void)
{
    return fault_point_commit_is_off_now() ? 8 : 7;
}

static void commit_can_be_switched_off(void)
{
    CU_ASSERT_EQUAL(WEXITSTATUS(run_child("MPA_COMMIT", "off", ask_commit)), 8);
    CU_ASSERT_EQUAL(WEXITSTATUS(run_child("MPA_COMMIT", "on", ask_commit)), 7);
}

static int pass_inline(void)
{
    fault_point(FAULT_publish_tx);
    fault_point_frame("publish", 7);
    return fault_point_commit_is_off() ? 8 : 7;
}

static void ordinary_builds_have_none(void)
{
    const int as_built = MPA_FAULT_POINTS ? 8 : 7;

    CU_ASSERT_EQUAL(was_killed(run_child("MPA_FAULT_POINT", "publish_tx:1", pass_inline), SIGKILL),
                    MPA_FAULT_POINTS);
    CU_ASSERT_EQUAL(WEXITSTATUS(run_child("MPA_COMMIT", "off", pass_inline)), as_built);
}

const char unit_suite_name[] = "fault points";
const struct unit_test unit_tests[] = {
    {"the kill comes at the hit that was asked for", kill_comes_at_its_hit},
    {"the kill comes in the slot that was asked for", kill_comes_in_its_slot},
    {"what is not a point, a hit or hexadecimal is refused", nonsense_is_refused},
    {"a frame with the pattern raises a fault", frame_of_death_raises_a_fault},
    {"the commit can be switched off", commit_can_be_switched_off},
    {"a build without the option passes every point", ordinary_builds_have_none},
    {NULL, NULL}};
