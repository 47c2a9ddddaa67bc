/* SPDX-License-Identifier: BSD-3-Clause */
/* pattern_test.c — the judge of every stream test: it must see any change at its exact place. */
#include <string.h>

#include "tests/support/peer/pattern.h"
#include "tests/support/unit.h"

#define STREAM_BYTES 3001

static void pieces_join_to_the_same_stream(void)
{
    uint8_t whole[STREAM_BYTES], pieces[STREAM_BYTES];

    pattern_fill(7, 0, whole, sizeof(whole));
    for (size_t size = 1; size <= 19; size++) {
        memset(pieces, 0, sizeof(pieces));
        for (size_t at = 0; at < sizeof(pieces); at += size) {
            size_t n = sizeof(pieces) - at < size ? sizeof(pieces) - at : size;

            pattern_fill(7, at, pieces + at, n);
        }
        CU_ASSERT_EQUAL(memcmp(whole, pieces, sizeof(whole)), 0);
    }
}

static void a_whole_stream_is_good_from_any_position(void)
{
    uint8_t bytes[STREAM_BYTES];

    for (uint64_t position = 0; position < 17; position++) {
        pattern_fill(1, position, bytes, sizeof(bytes));
        CU_ASSERT_EQUAL(pattern_check(1, position, bytes, sizeof(bytes)), sizeof(bytes));
    }
    CU_ASSERT_EQUAL(pattern_check(1, 0, bytes, 0), 0);
}

static void a_changed_bit_is_found_at_its_place(void)
{
    uint8_t bytes[STREAM_BYTES];

    pattern_fill(1, 5, bytes, sizeof(bytes));
    for (size_t at = 0; at < sizeof(bytes); at++) {
        bytes[at] ^= 0x10;
        CU_ASSERT_EQUAL(pattern_check(1, 5, bytes, sizeof(bytes)), at);
        bytes[at] ^= 0x10;
    }
}

static void a_moved_stream_is_seen_within_bytes(void)
{
    uint8_t bytes[STREAM_BYTES];

    pattern_fill(1, 0, bytes, sizeof(bytes));
    for (uint64_t shift = 1; shift < 5000; shift++)
        CU_ASSERT(pattern_check(1, shift, bytes, sizeof(bytes)) < 16);
}

static void streams_of_other_seeds_are_no_copies(void)
{
    uint8_t bytes[STREAM_BYTES];

    pattern_fill(1, 0, bytes, sizeof(bytes));
    for (uint64_t seed = 2; seed < 50; seed++) {
        for (uint64_t word = 0; word < 50; word++)
            CU_ASSERT(pattern_check(seed, word * 8, bytes, sizeof(bytes)) < 16);
    }
}

const char unit_suite_name[] = "pattern";
const struct unit_test unit_tests[] = {
    {"pieces join to the same stream", pieces_join_to_the_same_stream},
    {"a whole stream is good from any position", a_whole_stream_is_good_from_any_position},
    {"a changed bit is found at its place", a_changed_bit_is_found_at_its_place},
    {"a moved stream is seen within bytes", a_moved_stream_is_seen_within_bytes},
    {"streams of other seeds are no copies", streams_of_other_seeds_are_no_copies},
    {NULL, NULL},
};
