/* SPDX-License-Identifier: BSD-3-Clause */
/* notify_test.c — what a process tells the manager that started it, read at the manager's end. */
#include "base/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "tests/support/unit.h"

/* A manager that listens at an abstract address of this process. */
struct manager_end {
    int socket;
    char name[64];
};

static void manager_begin(struct manager_end *manager)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(manager->name, sizeof(manager->name), "@mpa-notify-test-%d", (int)getpid());

    memcpy(address.sun_path + 1, manager->name + 1, (size_t)length - 1);
    manager->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CU_ASSERT_FATAL(manager->socket >= 0);
    CU_ASSERT_EQUAL_FATAL(bind(manager->socket, (struct sockaddr *)&address,
                               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)),
                          0);
    setenv("NOTIFY_SOCKET", manager->name, 1);
}

/* The next notice, "" when there is none. */
static const char *heard(const struct manager_end *manager, int *fd)
{
    static char text[512];
    int none;
    ssize_t size = fd_receive(manager->socket, text, sizeof(text) - 1, fd == NULL ? &none : fd, fd != NULL);

    text[size > 0 ? size : 0] = '\0';
    return text;
}

static void without_a_manager_nothing_is_told(void)
{
    struct notify notify;

    unsetenv("NOTIFY_SOCKET");
    setenv("WATCHDOG_USEC", "1000000", 1);
    notify_open(&notify);
    CU_ASSERT_EQUAL(notify.socket, -1);
    CU_ASSERT_EQUAL(notify.interval_ns, 0);
    notify_tell(&notify, "READY=1");
    notify_alive(&notify, 1);
    CU_ASSERT_EQUAL(notify_store(&notify, "nic", 0), -ENOTCONN);
    notify_close(&notify);
}

static void children_do_not_speak_in_our_name(void)
{
    struct manager_end manager;
    struct notify notify;

    manager_begin(&manager);
    notify_open(&notify);
    CU_ASSERT_PTR_NULL(getenv("NOTIFY_SOCKET"));
    CU_ASSERT_PTR_NULL(getenv("WATCHDOG_USEC"));
    notify_tell(&notify, "READY=1\nSTATUS=up");
    CU_ASSERT_STRING_EQUAL(heard(&manager, NULL), "READY=1\nSTATUS=up");
    notify_close(&notify);
    close(manager.socket);
}

static void signs_of_life_come_at_half_the_watchdogs_time(void)
{
    struct manager_end manager;
    struct notify notify;
    char pid[16];

    manager_begin(&manager);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    setenv("WATCHDOG_USEC", "2000000", 1);
    notify_open(&notify);
    CU_ASSERT_EQUAL(notify.interval_ns, CLOCK_NS_PER_S);
    notify_alive(&notify, 5 * CLOCK_NS_PER_S);
    CU_ASSERT_STRING_EQUAL(heard(&manager, NULL), "WATCHDOG=1");
    notify_alive(&notify, 6 * CLOCK_NS_PER_S - 1);
    CU_ASSERT_STRING_EQUAL(heard(&manager, NULL), "");
    notify_alive(&notify, 6 * CLOCK_NS_PER_S);
    CU_ASSERT_STRING_EQUAL(heard(&manager, NULL), "WATCHDOG=1");
    notify_close(&notify);
    close(manager.socket);
}

static void a_watchdog_of_another_process_is_not_fed(void)
{
    struct manager_end manager;
    struct notify notify;

    manager_begin(&manager);
    setenv("WATCHDOG_PID", "1", 1);
    setenv("WATCHDOG_USEC", "2000000", 1);
    notify_open(&notify);
    CU_ASSERT_EQUAL(notify.interval_ns, 0);
    notify_close(&notify);
    close(manager.socket);
}

static void a_descriptor_is_given_to_keep_under_its_name(void)
{
    struct manager_end manager;
    struct notify notify;
    struct stat ours, kept;
    int pipe_ends[2], fd = -1;

    CU_ASSERT_EQUAL_FATAL(pipe(pipe_ends), 0);
    manager_begin(&manager);
    notify_open(&notify);
    CU_ASSERT_EQUAL(notify_store(&notify, "nic", pipe_ends[0]), 0);
    CU_ASSERT_STRING_EQUAL(heard(&manager, &fd), "FDSTORE=1\nFDNAME=nic");
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(fstat(pipe_ends[0], &ours), 0);
    CU_ASSERT_EQUAL(fstat(fd, &kept), 0);
    CU_ASSERT_EQUAL(ours.st_ino, kept.st_ino);
    notify_close(&notify);
    close(fd);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    close(manager.socket);
}

static void a_manager_that_does_not_read_stops_nobody(void)
{
    struct manager_end manager;
    struct notify notify;

    manager_begin(&manager);
    notify_open(&notify);
    for (unsigned i = 0; i < 10000; i++)
        notify_tell(&notify, "STATUS=on and on");
    CU_ASSERT_STRING_EQUAL(heard(&manager, NULL), "STATUS=on and on");
    notify_close(&notify);
    close(manager.socket);
}

const char unit_suite_name[] = "notify";
const struct unit_test unit_tests[] = {
    {"without a manager nothing is told", without_a_manager_nothing_is_told},
    {"children do not speak in our name", children_do_not_speak_in_our_name},
    {"signs of life come at half the watchdog's time", signs_of_life_come_at_half_the_watchdogs_time},
    {"a watchdog of another process is not fed", a_watchdog_of_another_process_is_not_fed},
    {"a descriptor is given to keep under its name", a_descriptor_is_given_to_keep_under_its_name},
    {"a manager that does not read stops nobody", a_manager_that_does_not_read_stops_nobody},
    {NULL, NULL}};
