/* SPDX-License-Identifier: BSD-3-Clause */
/* config_test.c — every key arrives, every mistake is named at its own line. */
#include "base/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/support/unit.h"

#define ERROR_BYTES 4096

static char error[ERROR_BYTES];

static int load(const char *text, struct config *config)
{
    const struct config_text source = {.name = "t.yaml", .bytes = text, .n_bytes = strlen(text)};

    return config_load_text(&source, config, error, sizeof(error));
}

/* Checks that `text` is refused with exactly these lines. */
static void check_refused(const char *text, const char *expected)
{
    struct config config;

    CU_ASSERT_EQUAL(load(text, &config), -EINVAL);
    CU_ASSERT_STRING_EQUAL(error, expected);
    if (strcmp(error, expected) != 0)
        fprintf(stderr, "\n  file: %s\n  said: %s\n  want: %s\n", text, error, expected);
}

static void check_accepted(const char *text)
{
    struct config config;
    const int status = load(text, &config);

    CU_ASSERT_EQUAL(status, 0);
    if (status != 0)
        fprintf(stderr, "\n  file: %s\n  said: %s\n", text, error);
}

static bool is_default(size_t idx, const struct config *config)
{
    char text[CONFIG_VALUE_TEXT_BYTES];

    config_value_format(config, idx, text, sizeof(text));
    return strcmp(text, config_key(idx)->default_text) == 0;
}

static void defaults_are_those_of_the_table(void)
{
    struct config config;

    config_defaults(&config);
    for (size_t i = 0; i < config_n_keys(); i++)
        CU_ASSERT_TRUE(is_default(i, &config));
}

static void an_empty_file_is_the_defaults(void)
{
    static const char *const empty[] = {"", "\n\n", "# only a comment\n", "---\n", "{}\n"};
    struct config config;

    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        memset(&config, 0xff, sizeof(config));
        CU_ASSERT_EQUAL_FATAL(load(empty[i], &config), 0);
        for (size_t k = 0; k < config_n_keys(); k++)
            CU_ASSERT_TRUE(is_default(k, &config));
    }
}

/* A value for each key that is allowed, is not the default, and stands as it is printed. */
static const char *sample_of(const struct config_key *key)
{
    static const char *const samples[][2] = {
        {"backend", "packet"},
        {"name", "eth7"},
        {"mac", "\"02:00:00:00:00:7f\""},
        {"mtu", "9000"},
        {"tap_queue_frames", "1000"},
        {"addresses", "[\"192.0.2.7/25\", \"2001:db8::7/48\", \"10.1.1.1/32\"]"},
        {"gateway4", "10.77.0.1"},
        {"gateway6", "fe80::1"},
        {"n_buckets", "64"},
        {"burst_frames", "1"},
        {"pool_chunks", "512"},
        {"pool_large_chunks", "16"},
        {"reassembly_fragments", "2048"},
        {"reassembly_source_fragments", "45"},
        {"ring_slots", "32768"},
        {"urgent_ring_slots", "64"},
        {"tx_arena_kib", "65536"},
        {"urgent_arena_kib", "256"},
        {"fifo_memory_mib", "4"},
        {"stack_memory_mib", "8"},
        {"max_connections", "1000000"},
        {"held_frames", "64"},
        {"http_root", "\"/srv/a \\\"b\\\"\""},
        {"port", "8081"},
        {"runtime_dir", "/tmp/mpa-test"},
        {"http", "\"[::1]:9464\""},
        {"log_level", "debug"},
        {"commit", "full"},
        {"manager", "external"},
        {"worker_user", "mpa-worker"},
        {"admins", "\"ann 1000 %wheel\""},
        {"readers", "\"%1001\""},
        {"remote", "\"[::1]:7443\""},
        {"remote_role", "admin"},
        {"tls_cert", "/etc/mpa/cert.pem"},
        {"tls_key", "/etc/mpa/key.pem"},
        {"tls_ca", "/etc/mpa/ca.pem"},
        {"balance_ms", "250"},
        {"min", "2"},
        {"scale_up_permille", "800"},
        {"balance_factor_permille", "2000"},
        {"degrade_ms", "250"},
        {"degrade_congested_permille", "860"},
        {"degrade_all_permille", "910"},
        {"degrade_idle_permille", "950"},
        {"degrade_workers_permille", "980"},
        {"refuse", "silent"},
    };

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        if (strcmp(samples[i][0], key->key) == 0)
            return samples[i][1];
    }
    if (strcmp(key->allowed, "true | false") == 0)
        return strcmp(key->default_text, "true") == 0 ? "false" : "true";
    return "11"; /* every other key is a number whose range holds it */
}

/* One key in flow style, with its sub-section if it is in one. */
static void make_file(const struct config_key *key, const char *value, char *text, size_t size)
{
    const char *dot = strchr(key->section, '.');
    /* The keys that are not allowed alone. */
    const char *more = strcmp(key->key, "tx_cpu") == 0   ? ", split_threads: true"
                       : strcmp(key->key, "remote") == 0 ? ", tls_cert: /c, tls_key: /k, tls_ca: /a"
                                                         : "";

    if (dot == NULL)
        snprintf(text, size, "%s: {%s: %s%s}\n", key->section, key->key, value, more);
    else
        snprintf(text, size, "%.*s: {%s: {%s: %s}}\n", (int)(dot - key->section), key->section, dot + 1,
                 key->key, value);
}

static void every_key_makes_the_round_trip(void)
{
    char text[1024], value[CONFIG_VALUE_TEXT_BYTES];
    struct config config;

    for (size_t i = 0; i < config_n_keys(); i++) {
        const char *sample = sample_of(config_key(i));

        make_file(config_key(i), sample, text, sizeof(text));
        CU_ASSERT_EQUAL_FATAL(load(text, &config), 0);
        config_value_format(&config, i, value, sizeof(value));
        CU_ASSERT_STRING_EQUAL(value, sample);
        CU_ASSERT_STRING_NOT_EQUAL(value, config_key(i)->default_text);
        if (strcmp(value, sample) != 0)
            fprintf(stderr, "\n  file: %s  said: %s\n  value: %s\n", text, error, value);
        for (size_t k = 0; k < config_n_keys(); k++)
            CU_ASSERT_TRUE(k == i || is_default(k, &config) || strstr(text, config_key(k)->key) != NULL);
    }
}

static void a_printed_configuration_loads_as_itself(void)
{
    struct config config, again;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    CU_ASSERT_EQUAL(load("nic: {mtu: 4000, name: x}\nhost: {addresses: [], dhcp: true}\n"
                         "services:\n  http: {port: 8080}\n  http_root: \"/a b\"\n",
                         &config),
                    0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    config_print_yaml(&config, out);
    fclose(out);
    CU_ASSERT_EQUAL(load(text, &again), 0);
    for (size_t i = 0; i < config_n_keys(); i++) {
        char value[CONFIG_VALUE_TEXT_BYTES], other[CONFIG_VALUE_TEXT_BYTES];

        config_value_format(&config, i, value, sizeof(value));
        config_value_format(&again, i, other, sizeof(other));
        CU_ASSERT_STRING_EQUAL(value, other);
    }
    free(text);
}

static void broken_yaml_is_named_at_its_line(void)
{
    check_refused(
        "nic:\n  mtu: 1500\n name: x\n",
        "t.yaml:3: not valid YAML: did not find expected key (while parsing a block mapping that begins "
        "at line 1)");
    check_refused(
        "nic:\n  name: \"x\n  mtu: 1500\n",
        "t.yaml:4: not valid YAML: found unexpected end of stream (while scanning a quoted scalar that "
        "begins at line 2)");
    check_refused(
        "nic:\n\tmtu: 1500\n",
        "t.yaml:2: not valid YAML: found character that cannot start any token (while scanning for the "
        "next token that begins at line 2)");
    check_refused("nic:\n  mtu: 1500\n  name: \x01\n",
                  "t.yaml:3: not valid YAML: control characters are not allowed");
    check_refused("nic: {mtu: 1500}\n---\nhost: {}\n", "t.yaml:3: a second document (allowed: one)");
}

static void unknown_keys_are_named_with_what_is_allowed(void)
{
    check_refused(
        "nic:\n  mtu: 1500\n\n  # a comment\n  mtuu: 1400\n  name: x\n",
        "t.yaml:5: key 'nic.mtuu': unknown (allowed: backend, name, mac, mtu, offload, tap_queue_frames)");
    check_refused("\nnics: {}\nhost: {}\n",
                  "t.yaml:2: key 'nics': unknown (allowed: nic, host, frontend, worker, services, control)");
    check_refused("services:\n  echo:\n    prt: 7\n",
                  "t.yaml:3: key 'services.echo.prt': unknown (allowed: enabled, port)");
    check_refused(
        "services:\n  finger: {port: 79}\n",
        "t.yaml:2: key 'services.finger': unknown (allowed: http_root, echo, discard, chargen, http)");
    check_refused(
        "nic.mtu: 1500\n",
        "t.yaml:1: key 'nic.mtu': unknown (allowed: nic, host, frontend, worker, services, control)");
}

static void several_mistakes_have_a_line_each(void)
{
    check_refused(
        "nic:\n  a: 1\n  b: 2\n",
        "t.yaml:2: key 'nic.a': unknown (allowed: backend, name, mac, mtu, offload, tap_queue_frames)\n"
        "t.yaml:3: key 'nic.b': unknown (allowed: backend, name, mac, mtu, offload, tap_queue_frames)");
    check_refused("worker:\n  count: 17\nnic:\n  mtu: 1000\n",
                  "t.yaml:4: key 'nic.mtu': '1000' is not valid (allowed: 1280..9000)\n"
                  "t.yaml:2: key 'worker.count': '17' is not valid (allowed: 1..16)");
}

static void repeated_keys_are_named_with_both_lines(void)
{
    check_refused("nic:\n  mtu: 1500\n  mtu: 1400\n",
                  "t.yaml:3: key 'nic.mtu': given twice (first at line 2)");
    check_refused("nic: {mtu: 1500}\nhost: {}\nnic: {}\n",
                  "t.yaml:3: key 'nic': given twice (first at line 1)");
}

static void wrong_shapes_are_refused(void)
{
    check_refused(
        "- nic\n",
        "t.yaml:1: not a list of sections (allowed: nic, host, frontend, worker, services, control)");
    check_refused(
        "nic:\nhost: {}\n",
        "t.yaml:1: section 'nic': has no keys (allowed: backend, name, mac, mtu, offload, tap_queue_frames)");
    check_refused("nic:\n  mtu: [1500]\n",
                  "t.yaml:2: key 'nic.mtu': wants a single value (allowed: 1280..9000)");
    check_refused(
        "host:\n  addresses: 10.0.0.1/8\n",
        "t.yaml:2: key 'host.addresses': wants a list like [a, b] (allowed: up to 8 unicast addresses "
        "with prefix length)");
    check_refused("host:\n  addresses:\n    - 10.0.0.1/8\n    - {}\n",
                  "t.yaml:4: key 'host.addresses': an entry is not an address");
    check_refused("nic:\n  name: &n eth0\nhost:\n  gateway4: *n\n",
                  "t.yaml:4: key 'host.gateway4': aliases are not supported");
}

static void wrong_types_are_refused(void)
{
    check_refused("nic:\n  name: x\n  mtu: many\n",
                  "t.yaml:3: key 'nic.mtu': 'many' is not a number (allowed: 1280..9000)");
    check_refused("nic:\n  mtu: -1\n", "t.yaml:2: key 'nic.mtu': '-1' is not valid (allowed: 1280..9000)");
    check_refused("nic:\n  mtu:\n", "t.yaml:2: key 'nic.mtu': '' is not a number (allowed: 1280..9000)");
    check_refused("nic:\n  mtu: 1500.5\n",
                  "t.yaml:2: key 'nic.mtu': '1500.5' is not a number (allowed: 1280..9000)");
    check_refused("nic:\n  mtu: 1500abc\n",
                  "t.yaml:2: key 'nic.mtu': '1500abc' is not a number (allowed: 1280..9000)");
    check_refused("nic:\n  mtu: 01500\n",
                  "t.yaml:2: key 'nic.mtu': '01500' is not a number (allowed: 1280..9000)");
    check_refused("nic:\n  offload: maybe\n",
                  "t.yaml:2: key 'nic.offload': 'maybe' is not valid (allowed: true | false)");
    check_refused("nic:\n  backend: xdp\n",
                  "t.yaml:2: key 'nic.backend': 'xdp' is not valid (allowed: tap | packet | memory)");
    check_refused("worker:\n  count: 99999999999999999999\n",
                  "t.yaml:2: key 'worker.count': '99999999999999999999' is not valid (allowed: 1..16)");
    check_refused(
        "nic:\n  name: a-name-of-sixteen\n",
        "t.yaml:2: key 'nic.name': 'a-name-of-sixteen' is not valid (allowed: 1..15 bytes, no blank, no "
        "slash)");
}

static void values_out_of_range_are_refused(void)
{
    check_refused(
        "frontend:\n  n_buckets: 1000\n",
        "t.yaml:2: key 'frontend.n_buckets': '1000' is not valid (allowed: a power of two, 64..65536)");
    check_refused(
        "worker:\n  ring_slots: 32\n",
        "t.yaml:2: key 'worker.ring_slots': '32' is not valid (allowed: a power of two, 64..32768)");
    check_refused(
        "worker:\n  first_cpu: -2\n",
        "t.yaml:2: key 'worker.first_cpu': '-2' is not valid (allowed: -1 (not pinned), or a CPU number "
        "0..1023)");
    check_refused("services: {echo: {port: 0}}\n",
                  "t.yaml:1: key 'services.echo.port': '0' is not valid (allowed: 1..65535)");
    check_refused(
        "control:\n  log_level: loud\n",
        "t.yaml:2: key 'control.log_level': 'loud' is not valid (allowed: error | warn | info | debug)");
    check_refused("control:\n  runtime_dir: run\n", "t.yaml:2: key 'control.runtime_dir': 'run' is not valid "
                                                    "(allowed: an absolute path in ASCII, up to 75 bytes)");
    check_refused("services:\n  http_root: www\n", "t.yaml:2: key 'services.http_root': 'www' is not valid "
                                                   "(allowed: an absolute path in ASCII, or empty)");
    check_refused("nic:\n  name: a/b\n",
                  "t.yaml:2: key 'nic.name': 'a/b' is not valid (allowed: 1..15 bytes, no blank, no slash)");
    check_refused(
        "nic:\n  mac: 03:00:00:00:00:01\n",
        "t.yaml:2: key 'nic.mac': '03:00:00:00:00:01' is not valid (allowed: six hexadecimal bytes, "
        "unicast)");
}

#define ADDRESS_HELP "(allowed: a unicast address with prefix length, like 10.77.0.2/24 or fd77::2/64)"

static void addresses_a_host_cannot_have_are_refused(void)
{
    check_refused("host:\n  addresses:\n    - 10.0.0.2/24\n    - 10.0.0.300/24\n    - 224.0.0.1/4\n",
                  "t.yaml:4: key 'host.addresses': '10.0.0.300/24' is not valid " ADDRESS_HELP "\n"
                  "t.yaml:5: key 'host.addresses': '224.0.0.1/4' is not valid " ADDRESS_HELP);
    check_refused("host:\n  addresses: [10.0.0.0/24]\n",
                  "t.yaml:2: key 'host.addresses': '10.0.0.0/24' is not valid " ADDRESS_HELP);
    check_refused("host:\n  addresses: [10.0.0.255/24]\n",
                  "t.yaml:2: key 'host.addresses': '10.0.0.255/24' is not valid " ADDRESS_HELP);
    check_refused("host:\n  addresses: [10.0.0.2, 'fd77::2']\n",
                  "t.yaml:2: key 'host.addresses': '10.0.0.2' is not valid " ADDRESS_HELP "\n"
                  "t.yaml:2: key 'host.addresses': 'fd77::2' is not valid " ADDRESS_HELP);
    check_refused("host:\n  addresses: ['::1/128']\n",
                  "t.yaml:2: key 'host.addresses': '::1/128' is not valid " ADDRESS_HELP);
    check_refused(
        "host: {addresses: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, 10.0.0.7, 10.0.0.8,\n"
        "  10.0.0.9]}\n",
        "t.yaml:2: key 'host.addresses': too many (allowed: up to 8)");
    check_refused(
        "host:\n  gateway4: fd77::1\n",
        "t.yaml:2: key 'host.gateway4': 'fd77::1' is not valid (allowed: an IPv4 address, or none)");
    check_refused(
        "host:\n  gateway4: 10.77.0.1/24\n",
        "t.yaml:2: key 'host.gateway4': '10.77.0.1/24' is not valid (allowed: an IPv4 address, or none)");
}

static void contradictions_are_refused(void)
{
    check_refused("host:\n  addresses:\n    - 10.0.0.2/24\n    - fd77::2/64\n    - fd77:0::2/48\n",
                  "t.yaml:5: key 'host.addresses': 'fd77::2/48' is given twice (first at line 4)");
    check_refused("host:\n  gateway4: 10.78.0.1\n",
                  "t.yaml:2: key 'host.gateway4': is on the link of no address in host.addresses");
    check_refused("host:\n  slaac: false\n  gateway6: fd78::1\n",
                  "t.yaml:3: key 'host.gateway6': is on the link of no address in host.addresses");
    check_refused("host:\n  gateway4: 10.77.0.2\n",
                  "t.yaml:2: key 'host.gateway4': is an address of this host itself");
    check_refused(
        "host:\n  slaac: false\n  addresses: []\n",
        "t.yaml:3: key 'host.addresses': the host has no address (allowed: addresses, dhcp or slaac)");
    check_refused(
        "frontend:\n  tx_cpu: 1\n",
        "t.yaml:2: key 'frontend.tx_cpu': there is no transmit thread (allowed: with split_threads: true)");
    check_refused(
        "frontend:\n  reassembly_fragments: 80\n",
        "t.yaml:2: key 'frontend.reassembly_source_fragments': 90 are more than all sources may have "
        "(allowed: up to reassembly_fragments, 80)");
    check_refused(
        "control:\n  balance_weight_cpu: 0\n  balance_weight_ring: 30\n  balance_weight_connections: 0\n",
        "t.yaml:2: key 'control.balance_weight_cpu': is 0 as balance_weight_connections is (allowed: one of "
        "the two above 0)");
    check_refused("worker:\n  max: 1\n",
                  "t.yaml:2: key 'worker.count': 2 is not between worker.min, 1, and worker.max, 1");
    check_refused("worker:\n  min: 3\n  max: 2\n",
                  "t.yaml:2: key 'worker.min': 3 is more than worker.max, 2");
    check_refused("control:\n  scale_up_permille: 200\n",
                  "t.yaml:2: key 'control.scale_down_permille': 200 is not below scale_up_permille, 200");
    check_refused("control:\n  degrade_all_permille: 850\n",
                  "t.yaml:2: key 'control.degrade_all_permille': 850 is not above "
                  "control.degrade_congested_permille, 850");
    check_refused("control:\n  degrade_congested_permille: 90\n",
                  "t.yaml:2: key 'control.degrade_congested_permille': 90 is not above "
                  "control.degrade_relief_permille, 100");
    check_refused("services:\n  http:\n    port: 7\n",
                  "t.yaml:3: key 'services.http.port': port 7 is taken by service 'echo'");
}

static void what_only_looks_contradictory_is_accepted(void)
{
    check_accepted("services:\n  http: {port: 7}\n  echo: {enabled: false}\n");
    check_accepted("host: {slaac: false, gateway6: 'fe80::1'}\n");
    check_accepted("host: {dhcp: true, gateway4: 192.0.2.1}\n");
    check_accepted("host: {addresses: [10.0.0.0/31, 10.0.0.1/31]}\n");
    check_accepted("host: {addresses: [10.1.0.2/15], gateway4: 10.0.255.1}\n");
    check_accepted("host:\n  gateway4:\n  gateway6: none\n");
}

static void off_is_one_word_for_every_place_to_listen_at(void)
{
    static const char *const files[] = {"{}\n", "control: {http: off, remote: off}\n",
                                        /* As it was written before there was the word. */
                                        "control: {http: \"\", remote: \"\"}\n"};
    struct config config;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        CU_ASSERT_EQUAL_FATAL(load(files[i], &config), 0);
        CU_ASSERT_STRING_EQUAL(config.control.http, "off");
        CU_ASSERT_STRING_EQUAL(config.control.remote, "off");
    }
    CU_ASSERT_TRUE(config_listen_is_off("off"));
    CU_ASSERT_FALSE(config_listen_is_off("127.0.0.1:9464"));
    check_refused("control:\n  remote: none\n",
                  "t.yaml:2: key 'control.remote': 'none' is not valid (allowed: \"ADDRESS:PORT\", "
                  "\"[ADDRESS]:PORT\" for IPv6, or off)");
}

static void a_refused_file_leaves_the_configuration_alone(void)
{
    struct config config, before;

    memset(&config, 0x5a, sizeof(config));
    memcpy(&before, &config, sizeof(config));
    CU_ASSERT_EQUAL(load("nic: {mtu: 9000}\nworker: {count: 0}\n", &config), -EINVAL);
    CU_ASSERT_EQUAL(memcmp(&config, &before, sizeof(config)), 0);
}

static void messages_fit_any_buffer_and_forge_no_line(void)
{
    static const char text[] = "\"a\\nt.yaml:9: forged\": 1\nb: 2\nc: 3\n";
    const struct config_text source = {.name = "t.yaml", .bytes = text, .n_bytes = sizeof(text) - 1};
    struct config config;
    char small[24];

    for (size_t size = 0; size <= sizeof(small); size++) {
        memset(small, 'x', sizeof(small));
        CU_ASSERT_EQUAL(config_load_text(&source, &config, small, size), -EINVAL);
        CU_ASSERT_TRUE(size == 0 || memchr(small, '\0', size) != NULL);
        CU_ASSERT_TRUE(size == sizeof(small) || small[size] == 'x');
    }
    CU_ASSERT_EQUAL(load(text, &config), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "t.yaml:1: key 'a?t.yaml:9: forged': unknown"));
}

static void files_are_read_by_path(void)
{
    static const char text[] = "nic:\n  mtu: 1400\n";
    struct config config;
    char path[64];
    int fd = memfd_create("config_test", MFD_CLOEXEC);

    CU_ASSERT_EQUAL(write(fd, text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    CU_ASSERT_EQUAL(config_load(path, &config, error, sizeof(error)), 0);
    CU_ASSERT_EQUAL(config.nic.mtu_bytes, 1400);
    CU_ASSERT_EQUAL(ftruncate(fd, 4 << 20), 0);
    CU_ASSERT_EQUAL(config_load(path, &config, error, sizeof(error)), -EFBIG);
    close(fd);
    CU_ASSERT_EQUAL(config_load("/nonexistent/mpa.yaml", &config, error, sizeof(error)), -ENOENT);
    CU_ASSERT_STRING_EQUAL(error, "/nonexistent/mpa.yaml: No such file or directory");
}

const char unit_suite_name[] = "config";
const struct unit_test unit_tests[] = {
    {"the defaults are those of the table", defaults_are_those_of_the_table},
    {"an empty file is the defaults", an_empty_file_is_the_defaults},
    {"every key makes the round trip and touches no other", every_key_makes_the_round_trip},
    {"a printed configuration loads as itself", a_printed_configuration_loads_as_itself},
    {"broken YAML is named at its line", broken_yaml_is_named_at_its_line},
    {"unknown keys are named with what is allowed", unknown_keys_are_named_with_what_is_allowed},
    {"several mistakes have a line each", several_mistakes_have_a_line_each},
    {"repeated keys are named with both lines", repeated_keys_are_named_with_both_lines},
    {"wrong shapes are refused", wrong_shapes_are_refused},
    {"wrong types are refused", wrong_types_are_refused},
    {"values out of range are refused", values_out_of_range_are_refused},
    {"addresses a host cannot have are refused", addresses_a_host_cannot_have_are_refused},
    {"contradictions are refused", contradictions_are_refused},
    {"what only looks contradictory is accepted", what_only_looks_contradictory_is_accepted},
    {"off is one word for every place to listen at", off_is_one_word_for_every_place_to_listen_at},
    {"a refused file leaves the configuration alone", a_refused_file_leaves_the_configuration_alone},
    {"messages fit any buffer and forge no line", messages_fit_any_buffer_and_forge_no_line},
    {"files are read by path, and not without end", files_are_read_by_path},
    {NULL, NULL}};
