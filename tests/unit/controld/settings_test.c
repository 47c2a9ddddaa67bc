/* SPDX-License-Identifier: BSD-3-Clause */
/* settings_test.c — live keys are acted on; the helper opens the file as it is now, and nothing else. */
#include "controlplane/controld/settings_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/support/unit.h"

static void exactly_the_live_keys_are_acted_on(void)
{
    char path[CONFIG_KEY_BYTES];

    for (size_t i = 0; i < config_n_keys(); i++) {
        config_key_path(i, path);
        CU_ASSERT_EQUAL(settings_acts_on(path), config_change(i) == CONFIG_CHANGE_LIVE);
        if (settings_acts_on(path) != (config_change(i) == CONFIG_CHANGE_LIVE))
            fprintf(stderr, "\n  %s is %s\n", path, config_change_name(config_change(i)));
    }
}

static void a_key_that_is_not_live_says_what_it_needs(void)
{
    for (enum config_change change = CONFIG_CHANGE_LIVE; change < CONFIG_N_CHANGES; change++)
        CU_ASSERT_EQUAL(strncmp(settings_need_text(change), "needs: ", 7) == 0, change != CONFIG_CHANGE_LIVE);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

static void check_reads(struct reader *reader, const char *text)
{
    char bytes[64] = "";
    int fd = reader_open(reader);

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(read(fd, bytes, sizeof(bytes) - 1), (ssize_t)strlen(text));
    CU_ASSERT_STRING_EQUAL(bytes, text);
    CU_ASSERT_EQUAL(write(fd, "x", 1), -1);
    close(fd);
}

static void the_helper_opens_the_file_as_it_is_now(void)
{
    char dir[] = "/tmp/mpa-reader-XXXXXX";
    char path[64], other[64];
    struct reader reader = {.socket = -1};

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/file", dir);
    snprintf(other, sizeof(other), "%s/other", dir);
    CU_ASSERT_EQUAL_FATAL(reader_init(&reader, path), 0);
    CU_ASSERT_EQUAL(reader_open(&reader), -ENOENT);
    write_file(path, "first");
    check_reads(&reader, "first");
    write_file(other, "second");
    CU_ASSERT_EQUAL(rename(other, path), 0);
    check_reads(&reader, "second");
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
    CU_ASSERT_EQUAL(reader_open(&reader), -EINVAL);
    CU_ASSERT_EQUAL(rmdir(path), 0);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    CU_ASSERT_EQUAL(reader_open(&reader), -EINVAL);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(rmdir(dir), 0);
    reader_fini(&reader);
}

static void without_its_helper_nothing_hangs(void)
{
    struct reader reader = {.socket = -1};

    CU_ASSERT_EQUAL_FATAL(reader_init(&reader, "/"), 0);
    CU_ASSERT_EQUAL(shutdown(reader.socket, SHUT_WR), 0);
    CU_ASSERT(reader_open(&reader) < 0);
    reader_fini(&reader);
    CU_ASSERT_EQUAL(reader.socket, -1);
}

static void the_hash_tells_any_two_configurations_apart(void)
{
    static struct config config, other;
    char first[SETTINGS_HASH_BYTES], again[SETTINGS_HASH_BYTES], text[128];

    config_defaults(&config);
    settings_hash(&config, first);
    CU_ASSERT_EQUAL(strspn(first, "0123456789abcdef"), 12);
    CU_ASSERT_EQUAL(strlen(first), 12);
    other = config;
    CU_ASSERT_EQUAL_FATAL(config_set(&other, "worker.count", "3", text, sizeof(text)), 0);
    settings_hash(&other, again);
    CU_ASSERT_STRING_NOT_EQUAL(again, first);
    CU_ASSERT_EQUAL_FATAL(config_set(&other, "worker.count", "2", text, sizeof(text)), 0);
    settings_hash(&other, again);
    CU_ASSERT_STRING_EQUAL(again, first);
}

static void summary_of(struct settings *settings, struct settings_summary *room,
                       Mpa__V1__GetStatusReply *status)
{
    *status = (Mpa__V1__GetStatusReply)MPA__V1__GET_STATUS_REPLY__INIT;
    settings_fill_status(settings, room, status);
}

static void the_status_says_what_a_new_configuration_needs(void)
{
    static struct controld controld;
    static struct settings settings = {.controld = &controld};
    struct settings_summary room;
    Mpa__V1__GetStatusReply status;

    config_defaults(&controld.config);
    settings.file = controld.config;
    for (size_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++) {
        settings.started[i] = controld.config;
        controld.supervisor.processes[i].handle.pidfd = -1;
    }
    summary_of(&settings, &room, &status);
    CU_ASSERT_STRING_EQUAL(status.config_file, "");
    CU_ASSERT_EQUAL(status.n_config_waits, 0);
    controld.options.config_path = "/etc/mpa/mpa.yaml";
    settings.file.control.balance = !settings.file.control.balance;
    settings.file.nic.mtu_bytes = 1400;
    summary_of(&settings, &room, &status);
    CU_ASSERT_STRING_EQUAL(status.config_file, "/etc/mpa/mpa.yaml");
    CU_ASSERT_EQUAL_FATAL(status.n_config_waits, 2);
    CU_ASSERT_EQUAL(status.config_waits[0], MPA__V1__CONFIG_NEED__CONFIG_NEED_NOTHING);
    CU_ASSERT(status.config_waits[1] > MPA__V1__CONFIG_NEED__CONFIG_NEED_NOTHING);
    /* A worker that has read another value waits too, as long as it is alive. */
    settings.file = controld.config;
    settings.started[1 + 1].worker.burst_frames++;
    summary_of(&settings, &room, &status);
    CU_ASSERT_EQUAL(status.n_config_waits, 0);
    controld.supervisor.processes[1 + 1].handle.pidfd = STDIN_FILENO; /* any: it is not used */
    CU_ASSERT_TRUE_FATAL(process_is_alive(&controld.supervisor.processes[1 + 1]));
    summary_of(&settings, &room, &status);
    CU_ASSERT_EQUAL_FATAL(status.n_config_waits, 1);
    CU_ASSERT_EQUAL(status.config_waits[0], MPA__V1__CONFIG_NEED__CONFIG_NEED_WORKERS);
}

const char unit_suite_name[] = "controld/settings";
const struct unit_test unit_tests[] = {
    {"exactly the live keys are acted on", exactly_the_live_keys_are_acted_on},
    {"a key that is not live says what it needs", a_key_that_is_not_live_says_what_it_needs},
    {"the helper opens the file as it is now", the_helper_opens_the_file_as_it_is_now},
    {"the hash tells any two configurations apart", the_hash_tells_any_two_configurations_apart},
    {"the status says what a new configuration needs", the_status_says_what_a_new_configuration_needs},
    {"without its helper nothing hangs", without_its_helper_nothing_hangs},
    {NULL, NULL}};
