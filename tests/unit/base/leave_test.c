/* SPDX-License-Identifier: BSD-3-Clause */
/* leave_test.c — a process that hangs in its last step ends all the same. */
#include "base/leave.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "base/leave";

static void a_process_that_hangs_ends_and_takes_its_files_along(void)
{
    char path[] = "/tmp/mpa-leave-XXXXXX";
    int fd = mkstemp(path);
    int status = 0;
    pid_t child;

    CU_ASSERT_FATAL(fd >= 0);
    close(fd);
    child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0) {
        fclose(stderr);
        leave_file("/tmp", path + sizeof("/tmp"));
        leave_within(20, 7);
        for (;;)
            pause();
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
}

const struct unit_test unit_tests[] = {
    {"a process that hangs ends and takes its files along",
     a_process_that_hangs_ends_and_takes_its_files_along},
    {NULL, NULL},
};
