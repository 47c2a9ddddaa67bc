/* SPDX-License-Identifier: BSD-3-Clause */
/* checksum_test.c — every variant against RFC 1071 written down naively. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/unit.h"
#include "worker/stack/checksum.h"

#define MAX_BYTES 4096u
#define N_ALIGNMENTS 64u
#define GUARD_BYTES 64u
#define BUFFER_BYTES (GUARD_BYTES + N_ALIGNMENTS + MAX_BYTES + GUARD_BYTES)

/* The sum as the RFC defines it, two bytes at a time in network order, then in that of this machine. */
static uint16_t model(const uint8_t *data, size_t n_bytes)
{
    uint64_t sum = 0;
    uint8_t bytes[2];
    uint16_t result;

    for (size_t i = 0; i < n_bytes; i++)
        sum += i % 2 == 0 ? (uint64_t)data[i] << 8 : data[i];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    bytes[0] = (uint8_t)(sum >> 8);
    bytes[1] = (uint8_t)sum;
    memcpy(&result, bytes, sizeof(result));
    return result;
}

/* xorshift32: the same bytes in every run. */
static void fill(uint8_t *data, size_t n_bytes, uint32_t seed)
{
    for (size_t i = 0; i < n_bytes; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        data[i] = (uint8_t)seed;
    }
}

/* The bytes end where the allocation ends, so that a sanitizer sees a read past them. */
static void check_sum(const struct checksum_variant *variant, const uint8_t *data, size_t n_bytes)
{
    uint8_t *exact = malloc(n_bytes + 1);

    CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
    memcpy(exact + 1, data, n_bytes);
    CU_ASSERT_EQUAL(variant->sum(exact + 1, n_bytes), model(data, n_bytes));
    free(exact);
}

static void check_copy(const struct checksum_variant *variant, const uint8_t *src, size_t n_bytes,
                       size_t dst_off)
{
    static uint8_t buffer[BUFFER_BYTES];
    uint8_t *dst = buffer + GUARD_BYTES + dst_off;

    memset(buffer, 0xa5, sizeof(buffer));
    CU_ASSERT_EQUAL(variant->copy(dst, src, n_bytes), model(src, n_bytes));
    CU_ASSERT_EQUAL(memcmp(dst, src, n_bytes), 0);
    CU_ASSERT_EQUAL(dst[-1], 0xa5);
    CU_ASSERT_EQUAL(dst[n_bytes], 0xa5);
}

static void every_length_is_summed_and_copied_right(void)
{
    static uint8_t data[MAX_BYTES];

    fill(data, sizeof(data), 1);
    for (size_t v = 0; checksum_variant_at(v) != NULL; v++) {
        for (size_t n_bytes = 0; n_bytes <= MAX_BYTES; n_bytes += n_bytes < 300 ? 1 : 61) {
            check_sum(checksum_variant_at(v), data, n_bytes);
            check_copy(checksum_variant_at(v), data, n_bytes, n_bytes % N_ALIGNMENTS);
        }
    }
}

static void every_alignment_gives_the_same_sum(void)
{
    static uint8_t data[N_ALIGNMENTS + 1500];

    fill(data, sizeof(data), 2);
    for (size_t v = 0; checksum_variant_at(v) != NULL; v++) {
        for (size_t off = 0; off < N_ALIGNMENTS; off++) {
            CU_ASSERT_EQUAL(checksum_variant_at(v)->sum(data + off, 1461), model(data + off, 1461));
            check_copy(checksum_variant_at(v), data + off, 1460 + off % 2, N_ALIGNMENTS - 1 - off);
        }
    }
}

/* All ones make the most carries: 256 KiB of them would overflow any 32-bit sum. */
static void carries_are_not_lost(void)
{
    size_t n_bytes = 256u << 10;
    uint8_t *ones = malloc(n_bytes), *copy = malloc(n_bytes);

    CU_ASSERT_FATAL(ones != NULL && copy != NULL);
    memset(ones, 0xff, n_bytes);
    for (size_t v = 0; checksum_variant_at(v) != NULL; v++) {
        CU_ASSERT_EQUAL(checksum_variant_at(v)->sum(ones, n_bytes), 0xffff);
        CU_ASSERT_EQUAL(checksum_variant_at(v)->copy(copy, ones, n_bytes), 0xffff);
        CU_ASSERT_EQUAL(checksum_variant_at(v)->sum(ones, n_bytes - 1), model(ones, n_bytes - 1));
    }
    free(ones);
    free(copy);
}

/* lwIP tells "no checksum" (0) from "checksum is zero" (0xffff) by this. */
static void only_zero_bytes_sum_to_zero(void)
{
    uint8_t zeros[200] = {0}, pair[200] = {0};

    pair[10] = 0xff; /* 0xff00 + 0x00ff is zero modulo 0xffff, but not zero */
    pair[101] = 0xff;
    for (size_t v = 0; checksum_variant_at(v) != NULL; v++) {
        CU_ASSERT_EQUAL(checksum_variant_at(v)->sum(zeros, sizeof(zeros)), 0);
        CU_ASSERT_EQUAL(checksum_variant_at(v)->sum(pair, sizeof(pair)), 0xffff);
    }
}

static void a_chain_cut_anywhere_has_the_sum_of_the_whole(void)
{
    uint8_t data[257];
    uint16_t whole;

    fill(data, sizeof(data), 3);
    whole = model(data, sizeof(data));
    for (size_t a = 0; a <= sizeof(data); a++) {
        for (size_t b = a; b <= sizeof(data); b += 7) {
            uint16_t sum = checksum(data, a);

            sum = checksum_join(sum, checksum(data + a, b - a), a % 2 == 1);
            sum = checksum_join(sum, checksum(data + b, sizeof(data) - b), b % 2 == 1);
            CU_ASSERT_EQUAL(sum, whole);
        }
    }
}

static void the_chosen_variant_is_used_for_every_length(void)
{
    uint8_t data[1500], copy[1500];

    fill(data, sizeof(data), 4);
    checksum_init();
    CU_ASSERT_PTR_EQUAL(checksum_variant_used(), checksum_variant_at(0));
    for (size_t n_bytes = 0; n_bytes <= sizeof(data); n_bytes++) {
        CU_ASSERT_EQUAL(checksum(data, n_bytes), model(data, n_bytes));
        CU_ASSERT_EQUAL(checksum_copy(copy, data, n_bytes), model(data, n_bytes));
        CU_ASSERT_EQUAL(memcmp(copy, data, n_bytes), 0);
    }
}

/* RFC 1071, section 3: the worked example, 00 01 f2 03 f4 f5 f6 f7 -> ddf2. */
static void the_example_of_the_rfc_comes_out(void)
{
    static const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    static const uint8_t sum[] = {0xdd, 0xf2};
    uint16_t got = checksum(data, sizeof(data));

    CU_ASSERT_EQUAL(memcmp(&got, sum, sizeof(sum)), 0);
}

const char unit_suite_name[] = "worker/stack/checksum";
const struct unit_test unit_tests[] = {
    {"the example of RFC 1071 comes out", the_example_of_the_rfc_comes_out},
    {"every length is summed and copied right", every_length_is_summed_and_copied_right},
    {"every alignment gives the same sum", every_alignment_gives_the_same_sum},
    {"carries are not lost", carries_are_not_lost},
    {"only zero bytes sum to zero", only_zero_bytes_sum_to_zero},
    {"a chain cut anywhere has the sum of the whole", a_chain_cut_anywhere_has_the_sum_of_the_whole},
    {"the chosen variant is used for every length", the_chosen_variant_is_used_for_every_length},
    {NULL, NULL},
};
