/* SPDX-License-Identifier: BSD-3-Clause */
/* open_test.c — what is wrong with a configuration is said in one line that names the interface. */
#include "frontend/nic/nic.h"

#include <errno.h>
#include <string.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "NIC opening";

static int try_open(const struct config_nic *config, char *error, size_t error_size)
{
    struct nic nic;
    int err = nic_open(&nic, config, error, error_size);

    CU_ASSERT_PTR_NULL(strchr(error, '\n'));
    CU_ASSERT_EQUAL(nic.fd, -1);
    CU_ASSERT_PTR_NULL(nic.ops);
    nic_close(&nic);
    return err;
}

static void a_name_too_long_is_refused(void)
{
    struct config_nic config = {.backend = CONFIG_BACKEND_TAP, .mtu_bytes = 1500};
    char error[256] = "";

    memset(config.name, 'x', sizeof(config.name));
    CU_ASSERT_EQUAL(try_open(&config, error, sizeof(error)), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "too long: at most 15"));
}

static void an_empty_name_is_refused(void)
{
    struct config_nic config = {.backend = CONFIG_BACKEND_MEMORY, .mtu_bytes = 1500};
    char error[256] = "";

    CU_ASSERT_EQUAL(try_open(&config, error, sizeof(error)), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "nic.name"));
}

static void an_unknown_backend_is_refused(void)
{
    struct config_nic config = {.backend = (enum config_backend)9, .name = "mpa0", .mtu_bytes = 1500};
    char error[256] = "";

    CU_ASSERT_EQUAL(try_open(&config, error, sizeof(error)), -EINVAL);
    CU_ASSERT_EQUAL(strncmp(error, "nic mpa0: ", 10), 0);
}

static void a_short_error_buffer_is_kept_within(void)
{
    struct config_nic config = {.backend = (enum config_backend)9, .name = "mpa0", .mtu_bytes = 1500};
    char error[8] = "";

    CU_ASSERT_EQUAL(try_open(&config, error, sizeof(error)), -EINVAL);
    CU_ASSERT_STRING_EQUAL(error, "nic mpa");
}

const struct unit_test unit_tests[] = {
    {"a name too long is refused", a_name_too_long_is_refused},
    {"an empty name is refused", an_empty_name_is_refused},
    {"an unknown backend is refused", an_unknown_backend_is_refused},
    {"a short error buffer is kept within", a_short_error_buffer_is_kept_within},
    {NULL, NULL},
};
