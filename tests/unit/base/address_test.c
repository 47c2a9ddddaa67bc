/* SPDX-License-Identifier: BSD-3-Clause */
/* address_test.c — addresses between text and bytes, with nothing accepted that could mean two things. */
#include "base/config.h"

#include <errno.h>
#include <string.h>

#include "tests/support/unit.h"

static void check_same(const char *text, const char *expected)
{
    struct config_address address;
    char formatted[CONFIG_ADDRESS_TEXT_BYTES];

    CU_ASSERT_EQUAL_FATAL(config_address_parse(text, &address), 0);
    config_address_format(&address, formatted, sizeof(formatted));
    CU_ASSERT_STRING_EQUAL(formatted, expected);
}

static void addresses_make_the_round_trip(void)
{
    check_same("192.0.2.1/24", "192.0.2.1/24");
    check_same("192.0.2.1", "192.0.2.1/32");
    check_same("0.0.0.0/0", "0.0.0.0/0");
    check_same("2001:DB8:0:0::1/64", "2001:db8::1/64");
    check_same("fe80::1", "fe80::1/128");
    check_same("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128",
               "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
}

static void bytes_are_in_network_order(void)
{
    static const uint8_t wanted[16] = {192, 0, 2, 1};
    struct config_address address;

    memset(&address, 0xff, sizeof(address));
    CU_ASSERT_EQUAL(config_address_parse("192.0.2.1/7", &address), 0);
    CU_ASSERT_EQUAL(address.family, 4);
    CU_ASSERT_EQUAL(address.prefix_bits, 7);
    CU_ASSERT_EQUAL(memcmp(address.bytes, wanted, sizeof(wanted)), 0);
    CU_ASSERT_EQUAL(config_address_parse("::", &address), 0);
    CU_ASSERT_EQUAL(address.family, 6);
    CU_ASSERT_EQUAL(address.prefix_bits, 128);
}

static void other_texts_are_refused_and_write_nothing(void)
{
    static const char *const refused[] = {
        "",
        "/",
        "/24",
        "10.0.0.1/",
        "10.0.0.1/33",
        "10.0.0.1/-1",
        "10.0.0.1/+8",
        "10.0.0.1/8 ",
        " 10.0.0.1/8",
        "10.0.0.1/0008",
        "10.0.0.1/8/8",
        "10.0.0/8",
        "10.0.0.256",
        "010.0.0.1/8.",
        "fd00::1/129",
        "fd00:::1",
        "fe80::1%lo",
        "localhost",
        "0x0a000001",
        "10.0.0.1/1e1",
        "::1/999",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999/64",
        "111111111111111111111111111111111111111111111111111111111111111111111111",
    };
    struct config_address address, before;

    memset(&before, 0x5a, sizeof(before));
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        address = before;
        CU_ASSERT_EQUAL(config_address_parse(refused[i], &address), -EINVAL);
        CU_ASSERT_EQUAL(memcmp(&address, &before, sizeof(address)), 0);
    }
}

static void no_address_is_none(void)
{
    const struct config_address none = {0};
    char text[CONFIG_ADDRESS_TEXT_BYTES];

    config_address_format(&none, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "none");
}

const char unit_suite_name[] = "configured addresses";
const struct unit_test unit_tests[] = {
    {"addresses make the round trip", addresses_make_the_round_trip},
    {"bytes are in network order", bytes_are_in_network_order},
    {"other texts are refused and write nothing", other_texts_are_refused_and_write_nothing},
    {"no address is none", no_address_is_none},
    {NULL, NULL}};
