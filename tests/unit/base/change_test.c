/* SPDX-License-Identifier: BSD-3-Clause */
/* change_test.c — when each key comes into force, and how one key is set or goes over. */
#include "base/config_internal.h"

#include <errno.h>
#include <string.h>

#include "tests/support/unit.h"

static void every_key_has_a_class(void)
{
    CU_ASSERT(config_n_keys() < CONFIG_MAX_KEYS);
    for (size_t i = 0; i < config_n_keys(); i++)
        CU_ASSERT_NOT_EQUAL(config_change(i), CONFIG_N_CHANGES);
}

static void every_exception_is_a_key(void)
{
    for (size_t i = 0; i < config_n_named_changes(); i++)
        CU_ASSERT_NOT_EQUAL(config_key_find(config_named_change(i)), config_n_keys());
}

static void classes_follow_the_process_that_reads(void)
{
    static const struct {
        const char *path;
        enum config_change change;
    } wanted[] = {
        {"nic.mtu", CONFIG_CHANGE_FRONTEND},          {"frontend.n_buckets", CONFIG_CHANGE_ALL},
        {"worker.ring_slots", CONFIG_CHANGE_WORKER},  {"worker.orphan_s", CONFIG_CHANGE_LIVE},
        {"services.echo.port", CONFIG_CHANGE_WORKER}, {"control.log_level", CONFIG_CHANGE_LIVE},
        {"control.runtime_dir", CONFIG_CHANGE_ALL},
    };

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        CU_ASSERT_EQUAL(config_change(config_key_find(wanted[i].path)), wanted[i].change);
    CU_ASSERT_EQUAL(config_key_find("nic"), config_n_keys());
    CU_ASSERT_STRING_EQUAL(config_change_name(CONFIG_CHANGE_ALL), "all");
}

/* A configuration with another value at every key. */
static const char other_text[] =
    "nic: {backend: memory, name: x9, mac: \"02:00:00:00:00:09\", mtu: 1400, offload: false}\n"
    "host: {dhcp: true, slaac: false, addresses: [10.1.0.2/16], gateway4: 10.1.0.1, gateway6: fe80::1}\n"
    "frontend: {n_buckets: 64, rx_cpu: 1, worker_user: nobody}\n"
    "worker: {count: 3, commit: full, orphan_s: 5}\n"
    "services: {http_root: /srv, echo: {enabled: false}, http: {port: 8080}}\n"
    "control: {manager: external, runtime_dir: /run/other, log_level: debug, balance: false}\n";

static void a_key_goes_over_alone(void)
{
    const struct config_text source = {.name = "t", .bytes = other_text, .n_bytes = sizeof(other_text) - 1};
    struct config other, config, defaults;
    char error[512];
    size_t n_different = 0;

    config_defaults(&defaults);
    CU_ASSERT_EQUAL_FATAL(config_load_text(&source, &other, error, sizeof(error)), 0);
    for (size_t i = 0; i < config_n_keys(); i++) {
        config = defaults;
        n_different += !config_is_same(&defaults, &other, i);
        config_copy_key(&config, &other, i);
        for (size_t j = 0; j < config_n_keys(); j++)
            CU_ASSERT_TRUE(config_is_same(&config, j == i ? &other : &defaults, j));
    }
    CU_ASSERT_EQUAL(n_different, 23);
}

static void the_keys_that_stand_in_the_file_are_told(void)
{
    bool is_given[CONFIG_MAX_KEYS];
    const struct config_text source = {"t", other_text, sizeof(other_text) - 1, is_given};
    struct config config;
    char error[512];

    CU_ASSERT_EQUAL_FATAL(config_load_text(&source, &config, error, sizeof(error)), 0);
    CU_ASSERT_TRUE(is_given[config_key_find("services.http.port")]);
    CU_ASSERT_TRUE(is_given[config_key_find("host.gateway6")]);
    CU_ASSERT_FALSE(is_given[config_key_find("services.http.enabled")]);
    CU_ASSERT_FALSE(is_given[config_key_find("control.balance_ms")]);
}

/* Whatever its kind: what stands there can be set to itself. */
static void every_live_key_can_be_set(void)
{
    struct config config;
    char path[CONFIG_KEY_BYTES], value[CONFIG_VALUE_TEXT_BYTES], error[256];

    config_defaults(&config);
    for (size_t i = 0; i < config_n_keys(); i++) {
        config_key_path(i, path);
        config_value_format(&config, i, value, sizeof(value));
        CU_ASSERT_EQUAL(config_set(&config, path, value, error, sizeof(error)) == 0,
                        config_change(i) == CONFIG_CHANGE_LIVE);
    }
}

static void live_keys_can_be_set(void)
{
    struct config config;
    char error[256];

    config_defaults(&config);
    CU_ASSERT_EQUAL(config_set(&config, "control.balance", "false", error, sizeof(error)), 0);
    CU_ASSERT_EQUAL(config_set(&config, "control.balance_ms", "250", error, sizeof(error)), 0);
    CU_ASSERT_EQUAL(config_set(&config, "control.log_level", "error", error, sizeof(error)), 0);
    CU_ASSERT_FALSE(config.control.balance);
    CU_ASSERT_EQUAL(config.control.balance_ms, 250);
    CU_ASSERT_STRING_EQUAL(config.control.log_level, "error");
}

/* What was wrong, and that nothing has changed. */
static void refused(const char *path, const char *value, int status, const char *words)
{
    struct config config, before;
    char error[256] = "";

    config_defaults(&config);
    config_defaults(&before);
    CU_ASSERT_EQUAL(config_set(&config, path, value, error, sizeof(error)), status);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, words));
    if (strstr(error, words) == NULL)
        fprintf(stderr, "\n  %s=%s: '%s'\n", path, value, error);
    for (size_t i = 0; i < config_n_keys(); i++)
        CU_ASSERT_TRUE(config_is_same(&config, &before, i));
}

static void what_the_file_may_not_say_cannot_be_set(void)
{
    static const char *const numbers[] = {
        "", "99", "60001", "-1", "1e3", "100 ", " 100", "+100", "0x100", "99999999999999999999", "100\n"};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        refused("control.balance_ms", numbers[i], -EINVAL, "key 'control.balance_ms'");
    refused("control.balance", "yes", -EINVAL, "true | false");
    refused("control.log_level", "debugger", -EINVAL, "error | warn | info | debug");
    refused("nic.mtu", "1400", -ENOENT, "cannot be set while it is in use");
    refused("nic.colour", "red", -ENOENT, "no key 'nic.colour'");
    refused("a\x1b[2J", "1", -ENOENT, "a?[2J");
    refused("control.balance_ms", "\x1b[2J", -EINVAL, "?[2J");
}

static void keys_cannot_be_set_to_contradict_each_other(void)
{
    struct config config;
    char error[256];

    config_defaults(&config);
    CU_ASSERT_EQUAL(config_set(&config, "control.balance_weight_cpu", "0", error, sizeof(error)), 0);
    CU_ASSERT_EQUAL(config_set(&config, "control.balance_weight_ring", "0", error, sizeof(error)), 0);
    CU_ASSERT_EQUAL(config_check_whole(&config, error, sizeof(error)), 0);
    CU_ASSERT_EQUAL(config_set(&config, "control.balance_weight_connections", "0", error, sizeof(error)), 0);
    CU_ASSERT_EQUAL(config_check_whole(&config, error, sizeof(error)), -EINVAL);
    CU_ASSERT_EQUAL(strncmp(error, "key 'control.balance_weight", 27), 0);
    CU_ASSERT_PTR_NULL(strchr(error, '\n'));
}

const char unit_suite_name[] = "configuration changes";
const struct unit_test unit_tests[] = {
    {"every key has a class", every_key_has_a_class},
    {"every exception is a key", every_exception_is_a_key},
    {"classes follow the process that reads", classes_follow_the_process_that_reads},
    {"a key goes over alone", a_key_goes_over_alone},
    {"the keys that stand in the file are told", the_keys_that_stand_in_the_file_are_told},
    {"every live key can be set", every_live_key_can_be_set},
    {"live keys can be set", live_keys_can_be_set},
    {"what the file may not say cannot be set", what_the_file_may_not_say_cannot_be_set},
    {"keys cannot be set to contradict each other", keys_cannot_be_set_to_contradict_each_other},
    {NULL, NULL}};
