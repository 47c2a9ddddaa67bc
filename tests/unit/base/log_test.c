/* SPDX-License-Identifier: BSD-3-Clause */
/* log_test.c — the gate that holds messages back, and what a line on standard error looks like. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_fields.h"
#include "tests/support/unit.h"

static char output[8192];
static int saved_stderr = -1;

/* Standard error becomes a memfd between these two; what was written is then in `output`. */
static void capture_begin(void)
{
    const int fd = memfd_create("log_test", MFD_CLOEXEC);

    saved_stderr = dup(STDERR_FILENO);
    CU_ASSERT_TRUE_FATAL(fd >= 0 && saved_stderr >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    close(fd);
}

static size_t capture_end(void)
{
    const ssize_t n_bytes = pread(STDERR_FILENO, output, sizeof(output) - 1, 0);

    CU_ASSERT_TRUE_FATAL(n_bytes >= 0 && dup2(saved_stderr, STDERR_FILENO) >= 0);
    close(saved_stderr);
    output[n_bytes] = '\0';
    return (size_t)n_bytes;
}

static void the_gate_opens_once_a_second_and_counts(void)
{
    struct log_gate gate = {0};
    uint64_t n_held = 99;

    CU_ASSERT_TRUE(log_gate_open(&gate, 5, &n_held));
    CU_ASSERT_EQUAL(n_held, 0);
    for (uint64_t i = 0; i < 1000; i++)
        CU_ASSERT_FALSE(log_gate_open(&gate, 5 + i, &n_held));
    CU_ASSERT_FALSE(log_gate_open(&gate, 4 + CLOCK_NS_PER_S, &n_held));
    CU_ASSERT_EQUAL(n_held, 0);
    CU_ASSERT_TRUE(log_gate_open(&gate, 5 + CLOCK_NS_PER_S, &n_held));
    CU_ASSERT_EQUAL(n_held, 1001);
    CU_ASSERT_FALSE(log_gate_open(&gate, 6 + CLOCK_NS_PER_S, &n_held));
    CU_ASSERT_TRUE(log_gate_open(&gate, 9 * CLOCK_NS_PER_S, &n_held));
    CU_ASSERT_EQUAL(n_held, 1);
}

static void levels_are_parsed_and_others_refused(void)
{
    enum log_level level = LOG_LEVEL_INFO;

    CU_ASSERT_EQUAL(log_level_parse("loud", &level), -EINVAL);
    CU_ASSERT_EQUAL(log_level_parse("", &level), -EINVAL);
    CU_ASSERT_EQUAL(level, LOG_LEVEL_INFO);
    CU_ASSERT_EQUAL(log_level_parse("error", &level), 0);
    CU_ASSERT_EQUAL(level, LOG_LEVEL_ERROR);
    CU_ASSERT_EQUAL(log_level_parse("debug", &level), 0);
    CU_ASSERT_EQUAL(level, LOG_LEVEL_DEBUG);
}

static void lines_below_the_level_are_not_written(void)
{
    unsetenv("JOURNAL_STREAM");
    capture_begin();
    log_init("t", LOG_LEVEL_WARN);
    log_info("quiet");
    log_debug("quiet");
    log_warn("loud key=%d", 1);
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("loud key=%d", 2);
    capture_end();
    CU_ASSERT_EQUAL(log_level(), LOG_LEVEL_DEBUG);
    CU_ASSERT_PTR_NULL(strstr(output, "quiet"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, " warn: loud key=1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, " debug: loud key=2\n"));
}

static void a_line_stays_one_line_and_keeps_errno(void)
{
    char name[16];

    capture_begin();
    log_init("t", LOG_LEVEL_INFO);
    errno = ENOENT;
    log_error("bad name=\"a\nb\x1b[2J\" why=%m");
    CU_ASSERT_EQUAL(errno, ENOENT);
    capture_end();
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "bad name=\"a b [2J\" why=No such file or directory\n"));
    CU_ASSERT_PTR_EQUAL(strchr(output, '\n'), output + strlen(output) - 1);
    snprintf(name, sizeof(name), "t[%d]", (int)getpid());
    CU_ASSERT_PTR_NOT_NULL(strstr(output, name));
}

static void a_long_line_is_cut_and_ends(void)
{
    static char text[10000];
    size_t n_bytes;

    memset(text, 'x', sizeof(text) - 1);
    capture_begin();
    log_init("t", LOG_LEVEL_INFO);
    log_info("long text=%s", text);
    n_bytes = capture_end();
    CU_ASSERT_TRUE(n_bytes > 1000 && n_bytes <= 2048);
    CU_ASSERT_EQUAL(output[n_bytes - 1], '\n');
}

static void the_journal_gets_priorities_instead_of_stamps(void)
{
    char stream[64];
    struct stat info;

    capture_begin();
    CU_ASSERT_EQUAL_FATAL(fstat(STDERR_FILENO, &info), 0);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)info.st_dev,
             (unsigned long long)info.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_init("t", LOG_LEVEL_INFO);
    log_use_journal(""); /* this machine may have one */
    log_warn("event key=1");
    capture_end();
    unsetenv("JOURNAL_STREAM");
    log_init("t", LOG_LEVEL_INFO);
    CU_ASSERT_STRING_EQUAL(output, "<4>event key=1\n");
}

/* Listens where the journal would, and returns what log_warn() sent there. */
static void the_journal_gets_each_value_as_a_field(void)
{
    static const char wanted[] = "PRIORITY=4\nSYSLOG_IDENTIFIER=t\n"
                                 "MESSAGE=process_ended slot=3 cause=\"by signal 9\" restart_ms=100\n"
                                 "MPA_EVENT=process_ended\nMPA_SLOT=3\nMPA_CAUSE=by signal 9\n"
                                 "MPA_RESTART_MS=100\n";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/mpa-log-test-%d", (int)getpid());
    CU_ASSERT_EQUAL_FATAL(bind(journal, (const struct sockaddr *)&address, sizeof(address)), 0);
    capture_begin();
    log_init("t", LOG_LEVEL_INFO);
    log_use_journal(address.sun_path);
    log_warn("process_ended slot=%d cause=\"by signal %d\" restart_ms=%d", 3, 9, 100);
    CU_ASSERT_EQUAL(recv(journal, output, sizeof(output), 0), (ssize_t)sizeof(wanted) - 1);
    CU_ASSERT_EQUAL(memcmp(output, wanted, sizeof(wanted) - 1), 0);
    close(journal);
    log_warn("nobody reads key=1");
    capture_end();
    log_use_journal("");
    unlink(address.sun_path);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "nobody reads key=1\n"));
    CU_ASSERT_PTR_NULL(strstr(output, "process_ended"));
}

static size_t fields(const char *line)
{
    size_t n_bytes = log_fields_format(output, "t", LOG_LEVEL_INFO, line);

    output[n_bytes] = '\0';
    return n_bytes;
}

static void what_is_no_field_stays_in_the_message(void)
{
    char line[2048];

    fields("");
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "MESSAGE=\n"));
    fields("event Key=1 =2 a-b=3 words and=\"no end");
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "MESSAGE=event Key=1 =2 a-b=3 words and=\"no end\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "MPA_AND=no end\n"));
    CU_ASSERT_PTR_NULL(strstr(output, "=1\n"));
    CU_ASSERT_PTR_NULL(strstr(output, "=2\n"));
    memset(line, 'k', sizeof(line));
    memcpy(line + 100, "=v x=1", 7);
    fields(line);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "MPA_X=1\n"));
    memset(line, 'v', sizeof(line));
    memcpy(line, "e a=", 4);
    line[sizeof(line) - 1] = '\0';
    CU_ASSERT_TRUE(fields(line) < LOG_FIELDS_BYTES);
}

const char unit_suite_name[] = "log";
const struct unit_test unit_tests[] = {
    {"the gate opens once a second and counts what it held", the_gate_opens_once_a_second_and_counts},
    {"levels are parsed and other words refused", levels_are_parsed_and_others_refused},
    {"lines below the level are not written", lines_below_the_level_are_not_written},
    {"a line stays one line and keeps errno", a_line_stays_one_line_and_keeps_errno},
    {"a long line is cut and ends", a_long_line_is_cut_and_ends},
    {"the journal gets priorities instead of stamps", the_journal_gets_priorities_instead_of_stamps},
    {"the journal gets each value as a field", the_journal_gets_each_value_as_a_field},
    {"what is no field stays in the message", what_is_no_field_stays_in_the_message},
    {NULL, NULL}};
