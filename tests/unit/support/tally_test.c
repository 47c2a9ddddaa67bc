/* SPDX-License-Identifier: BSD-3-Clause */
/* tally_test.c — the judge of chaos runs: each stall finds its fault, and nothing that went wrong looks
 * clean. */
#include <errno.h>
#include <stdlib.h>

#include "tests/support/peer/tally.h"
#include "tests/support/unit.h"

#define MS 1000000ull

static struct tally *new_tally(void)
{
    static const struct options options = {.command = "tally_test"};
    struct tally *tally = calloc(1, sizeof(*tally));

    tally->options = &options;
    return tally;
}

static uint64_t stall_ms(const struct tally *tally, unsigned fault)
{
    return tally->faults[fault].stall_ns / MS;
}

static void a_stall_counts_from_its_fault_on(void)
{
    struct tally *tally = new_tally();

    tally_fault(tally, 1000 * MS);
    tally_wait(tally, -1, 900 * MS, 1200 * MS);
    CU_ASSERT_EQUAL(stall_ms(tally, 0), 200);
    CU_ASSERT_EQUAL(tally->longest_stall_ns, 300 * MS);
    free(tally);
}

static void a_stall_that_begins_behind_the_fault_is_its_too(void)
{
    struct tally *tally = new_tally();

    tally_fault(tally, 1000 * MS);
    tally_wait(tally, -1, 1010 * MS, 1060 * MS);
    tally_wait(tally, -1, 1060 * MS, 1070 * MS);
    CU_ASSERT_EQUAL(stall_ms(tally, 0), 50);
    free(tally);
}

static void a_stall_over_several_faults_is_shared_out(void)
{
    struct tally *tally = new_tally();

    for (unsigned i = 1; i <= 4; i++)
        tally_fault(tally, i * 1000 * MS);
    tally_wait(tally, -1, 2500 * MS, 4100 * MS);
    CU_ASSERT_EQUAL(stall_ms(tally, 0), 0);
    CU_ASSERT_EQUAL(stall_ms(tally, 1), 500);
    CU_ASSERT_EQUAL(stall_ms(tally, 2), 1000);
    CU_ASSERT_EQUAL(stall_ms(tally, 3), 100);
    free(tally);
}

static void a_stall_before_the_fault_is_not_its(void)
{
    struct tally *tally = new_tally();

    tally_fault(tally, 1000 * MS);
    tally_wait(tally, -1, 100 * MS, 900 * MS);
    CU_ASSERT_EQUAL(stall_ms(tally, 0), 0);
    free(tally);
}

static void more_faults_than_are_kept_do_no_harm(void)
{
    struct tally *tally = new_tally();

    for (unsigned i = 0; i < TALLY_MAX_FAULTS + 2; i++)
        tally_fault(tally, (i + 1) * MS);
    tally_wait(tally, -1, 1, 2 * TALLY_MAX_FAULTS * MS);
    CU_ASSERT_EQUAL(tally->n_faults, TALLY_MAX_FAULTS);
    free(tally);
}

/* What a run without trouble leaves. */
static struct tally *clean_tally(void)
{
    struct tally *tally = new_tally();

    tally->n_connections = tally->n_completed = 3;
    tally->n_bytes_sent = tally->n_bytes_received = 1000;
    return tally;
}

static void a_run_without_trouble_is_clean(void)
{
    struct tally *tally = clean_tally();

    CU_ASSERT_TRUE(tally_is_clean(tally));
    free(tally);
}

static void every_failure_makes_a_run_unclean(void)
{
    static const int errors[] = {-ECONNRESET, -EPIPE,       -ECONNREFUSED, -ETIMEDOUT,
                                 -ENODATA,    -EINPROGRESS, -EIO};

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct tally *tally = clean_tally();

        tally->n_lines = UINT32_MAX / 2; /* say nothing here */
        tally_failure(tally, -1, 0, errors[i]);
        CU_ASSERT_FALSE(tally_is_clean(tally));
        free(tally);
    }
}

static void silence_stalls_and_lost_connections_are_unclean(void)
{
    struct tally *tally = clean_tally();

    tally->n_bytes_received = 0;
    CU_ASSERT_FALSE(tally_is_clean(tally));
    tally->n_bytes_received = 1;
    tally->n_completed = 2;
    CU_ASSERT_FALSE(tally_is_clean(tally));
    tally->n_completed = 3;
    tally_wait(tally, -1, 0, 5001 * MS);
    CU_ASSERT_FALSE(tally_is_clean(tally));
    free(tally);
}

const char unit_suite_name[] = "tally";
const struct unit_test unit_tests[] = {
    {"a stall counts from its fault on", a_stall_counts_from_its_fault_on},
    {"a stall that begins behind the fault is its too", a_stall_that_begins_behind_the_fault_is_its_too},
    {"a stall over several faults is shared out", a_stall_over_several_faults_is_shared_out},
    {"a stall before the fault is not its", a_stall_before_the_fault_is_not_its},
    {"more faults than are kept do no harm", more_faults_than_are_kept_do_no_harm},
    {"a run without trouble is clean", a_run_without_trouble_is_clean},
    {"every failure makes a run unclean", every_failure_makes_a_run_unclean},
    {"silence, stalls and lost connections are unclean", silence_stalls_and_lost_connections_are_unclean},
    {NULL, NULL},
};
