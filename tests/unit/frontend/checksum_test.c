/* SPDX-License-Identifier: BSD-3-Clause */
/* checksum_test.c — the sum against the byte-by-byte one, for every length and alignment. */
#include "frontend/checksum.h"

#include <arpa/inet.h>
#include <string.h>

#include "tests/support/frame.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "checksum";

static void agrees_with_the_naive_sum(void)
{
    uint8_t bytes[256 + 8];

    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 167 + i / 3);
    for (unsigned start = 0; start < 8; start++) {
        for (unsigned len = 0; len <= 256; len++) {
            uint16_t sum = checksum_fold(checksum_add(0, bytes + start, len));

            CU_ASSERT_EQUAL(ntohs((uint16_t)~sum), frame_checksum(0, bytes + start, len));
        }
    }
}

static void parts_of_even_length_add_up(void)
{
    uint8_t bytes[100];
    uint64_t whole;

    memset(bytes, 0xfe, sizeof(bytes));
    whole = checksum_add(0, bytes, 99);
    for (unsigned cut = 0; cut < 99; cut += 2) {
        uint64_t sum = checksum_add(checksum_add(0, bytes, cut), bytes + cut, 99 - cut);

        CU_ASSERT_EQUAL(checksum_fold(sum), checksum_fold(whole));
    }
}

static void carries_are_never_lost(void)
{
    static uint8_t bytes[65536];

    memset(bytes, 0xff, sizeof(bytes));
    CU_ASSERT_EQUAL(checksum_fold(checksum_add(0, bytes, sizeof(bytes))), 0xffff);
    CU_ASSERT_EQUAL(checksum_fold(UINT64_MAX), 0xffff);
    CU_ASSERT_EQUAL(checksum_fold(0x1fffffffeull), 0xffff);
    CU_ASSERT_EQUAL(checksum_fold(0x10000ull), 1);
    CU_ASSERT_EQUAL(checksum_fold(0), 0);
}

const struct unit_test unit_tests[] = {
    {"agrees with the naive sum", agrees_with_the_naive_sum},
    {"parts of even length add up", parts_of_even_length_add_up},
    {"carries are never lost", carries_are_never_lost},
    {NULL, NULL},
};
