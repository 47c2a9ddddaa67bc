/* SPDX-License-Identifier: BSD-3-Clause */
/* runtime_test.c — what one controld leaves to the next: believed only when one of us has written it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/controld/controld.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "controld/runtime";

static int file_with(const char *text)
{
    char path[] = "/tmp/mpa-runtime-XXXXXX";
    int fd = mkstemp(path);

    CU_ASSERT_TRUE_FATAL(fd >= 0);
    unlink(path);
    CU_ASSERT_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    return fd;
}

static void what_is_remembered_is_recalled(void)
{
    const struct runtime_memory memory = {
        .n_workers = 15, .n_full = 16, .n_configured = 2, .drained = 0x8001};
    struct runtime_memory other = {.n_workers = 3, .n_configured = 2};
    struct runtime_memory recalled;
    int fd = file_with("");

    CU_ASSERT_EQUAL(runtime_recall(fd, &recalled), -ENOENT);
    runtime_remember(fd, &other);
    runtime_remember(fd, &memory);
    CU_ASSERT_EQUAL(runtime_recall(fd, &recalled), 0);
    CU_ASSERT_EQUAL(recalled.n_workers, 15);
    CU_ASSERT_EQUAL(recalled.n_full, 16);
    CU_ASSERT_EQUAL(recalled.n_configured, 2);
    CU_ASSERT_EQUAL(recalled.drained, 0x8001);
    close(fd);
}

static void anything_else_is_not_believed(void)
{
    static const char *const texts[] = {
        "x",
        "workers=04 full=00 configured=02 drained=0000",
        "workers=04 full=00 configured=02 drained=0000\n ",
        "workers=00 full=00 configured=02 drained=0000\n",
        "workers=17 full=00 configured=02 drained=0000\n",
        "workers=-4 full=00 configured=02 drained=0000\n",
        "workers= 4 full=00 configured=02 drained=0000\n",
        "workers=04 full=00 configured=02 drained=00XY\n",
        "workers=04 full=04 configured=02 drained=0000\n",
        "workers=04 full=03 configured=02 drained=0000\n",
        "workers=04 full=17 configured=02 drained=0000\n",
        "workers=04 full=-6 configured=02 drained=0000\n",
        "workers=04 configured=02 drained=0000\n",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct runtime_memory recalled;
        int fd = file_with(texts[i]);

        if (runtime_recall(fd, &recalled) != -EINVAL)
            CU_FAIL(texts[i]);
        close(fd);
    }
    CU_PASS("all of them");
}

static void the_configuration_that_is_kept_loads_as_it_was(void)
{
    struct config config, loaded;
    struct config_source source = {.name = "kept", .fd = file_with("")};
    char error[256];

    config_defaults(&config);
    snprintf(config.services.http_root, sizeof(config.services.http_root), "/srv/a/folder/with/a/long/name");
    runtime_keep(source.fd, &config);
    /* What is shorter leaves nothing of the one before behind it. */
    config_defaults(&config);
    config.worker.orphan_s = 33;
    runtime_keep(source.fd, &config);
    CU_ASSERT_EQUAL_FATAL(lseek(source.fd, 0, SEEK_SET), 0);
    CU_ASSERT_EQUAL(config_load_fd(&source, &loaded, error, sizeof(error)), 0);
    for (size_t i = 0; i < config_n_keys(); i++)
        CU_ASSERT_TRUE(config_is_same(&config, &loaded, i));
    runtime_keep(-1, &config);
    close(source.fd);
}

const struct unit_test unit_tests[] = {
    {"what is remembered is recalled", what_is_remembered_is_recalled},
    {"anything else is not believed", anything_else_is_not_believed},
    {"the configuration that is kept loads as it was", the_configuration_that_is_kept_loads_as_it_was},
    {NULL, NULL},
};
