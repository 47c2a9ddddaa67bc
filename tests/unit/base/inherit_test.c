/* SPDX-License-Identifier: BSD-3-Clause */
/* inherit_test.c — descriptors of the service manager. They begin at 3 in a process that was just started, so
 * each test runs in a child that has laid out its own. */
#include "base/inherit.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/unit.h"

/* Runs `check` in a child that has /dev/null as descriptors 3, 4 and 5 and these variables. Its result. */
static int in_child(const char *n, const char *names, int (*check)(struct inherit *inherit))
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        struct inherit inherit;
        char pid[16];
        int null = open("/dev/null", O_RDONLY);

        for (int fd = 3; fd < 6; fd++) {
            if (null != fd)
                dup2(null, fd);
        }
        snprintf(pid, sizeof(pid), "%d", (int)getpid());
        setenv("LISTEN_PID", strcmp(n, "other") == 0 ? "1" : pid, 1);
        setenv("LISTEN_FDS", strcmp(n, "other") == 0 ? "3" : n, 1);
        setenv("LISTEN_FDNAMES", names, 1);
        inherit_open(&inherit);
        _exit(check(&inherit));
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static int check_names(struct inherit *inherit)
{
    if (inherit_take(inherit, "nic") != 4 || inherit_take(inherit, "attach") != 3)
        return 1;
    if (fcntl(3, F_GETFD) != FD_CLOEXEC || getenv("LISTEN_FDS") != NULL)
        return 2;
    return inherit_take(inherit, "nic") == -1 && inherit_take(inherit, "none") == -1 ? 0 : 3;
}

static void each_is_found_by_its_name_once(void)
{
    CU_ASSERT_EQUAL(in_child("2", "attach:nic", check_names), 0);
}

static int check_closed(struct inherit *inherit)
{
    if (inherit_take(inherit, "a") != 3)
        return 1;
    inherit_close(inherit);
    return is_open(3) && !is_open(4) && !is_open(5) ? 0 : 2;
}

static void what_nobody_takes_is_closed(void)
{
    CU_ASSERT_EQUAL(in_child("3", "a:b", check_closed), 0);
    CU_ASSERT_EQUAL(in_child("3", "a::a-name-that-is-longer-than-any-we-use", check_closed), 0);
}

static int check_none(struct inherit *inherit)
{
    return inherit->n == 0 && is_open(3) ? 0 : 1;
}

static void descriptors_of_another_process_are_left_alone(void)
{
    CU_ASSERT_EQUAL(in_child("other", "a:b:c", check_none), 0);
    CU_ASSERT_EQUAL(in_child("0", "", check_none), 0);
    CU_ASSERT_EQUAL(in_child("nonsense", "a", check_none), 0);
}

static int check_gap(struct inherit *inherit)
{
    return inherit_take(inherit, "d") == -1 && inherit_take(inherit, "c") == 5 ? 0 : 1;
}

static void announced_ones_that_are_not_there_are_skipped(void)
{
    CU_ASSERT_EQUAL(in_child("100000000", "a:b:c:d", check_gap), 0);
}

const char unit_suite_name[] = "inherit";
const struct unit_test unit_tests[] = {
    {"each is found by its name, once", each_is_found_by_its_name_once},
    {"what nobody takes is closed", what_nobody_takes_is_closed},
    {"descriptors of another process are left alone", descriptors_of_another_process_are_left_alone},
    {"announced ones that are not there are skipped", announced_ones_that_are_not_there_are_skipped},
    {NULL, NULL}};
