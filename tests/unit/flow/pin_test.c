/* SPDX-License-Identifier: BSD-3-Clause */
/* pin_test.c — the life of a pin: made by a SYN, confirmed or expired, ended by a close; bounded. */
#include "flow/pin.h"

#include <errno.h>

#include "flow/bucket.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "pin table";

#define NOW_NS 1000000ull

/* Flow i; every pair of flows shares its hash, so that look-ups must compare keys. */
static struct flow_key flow(uint16_t i)
{
    return (struct flow_key){.remote_port_be = i, .family = 4, .protocol = 6};
}

static uint32_t hash_of(uint16_t i)
{
    return (uint32_t)(i / 2) * 2654435761u;
}

static int add(struct pin_table *table, uint16_t i, uint8_t worker, uint64_t now_ns)
{
    struct flow_key key = flow(i);

    return pin_table_add(table, hash_of(i), &key, worker, now_ns);
}

static uint8_t find(const struct pin_table *table, uint16_t i)
{
    struct flow_key key = flow(i);

    return pin_table_find(table, hash_of(i), &key);
}

static void a_pin_made_by_a_syn_expires(void)
{
    struct pin_table table;

    CU_ASSERT_EQUAL_FATAL(pin_table_init(&table, 8), 0);
    CU_ASSERT_EQUAL(add(&table, 1, 3, NOW_NS), 0);
    CU_ASSERT_EQUAL(find(&table, 1), 3);
    CU_ASSERT_EQUAL(find(&table, 0), BUCKET_NO_WORKER);
    CU_ASSERT_EQUAL(pin_table_sweep(&table, NOW_NS + PIN_SYN_LIFE_NS - 1, 8), 0);
    CU_ASSERT_EQUAL(find(&table, 1), 3);
    CU_ASSERT_EQUAL(pin_table_sweep(&table, NOW_NS + PIN_SYN_LIFE_NS, 8), 1);
    CU_ASSERT_EQUAL(find(&table, 1), BUCKET_NO_WORKER);
    pin_table_fini(&table);
}

static void a_confirmed_pin_stays_until_the_close(void)
{
    struct flow_key key = flow(1), unknown = flow(2);
    struct pin_table table;

    CU_ASSERT_EQUAL_FATAL(pin_table_init(&table, 8), 0);
    CU_ASSERT_EQUAL(add(&table, 1, 3, NOW_NS), 0);
    CU_ASSERT(pin_table_confirm(&table, hash_of(1), &key));
    CU_ASSERT(!pin_table_confirm(&table, hash_of(2), &unknown));
    CU_ASSERT_EQUAL(pin_table_sweep(&table, UINT64_MAX, 8), 0);
    CU_ASSERT_EQUAL(find(&table, 1), 3);
    CU_ASSERT(pin_table_remove(&table, hash_of(1), &key));
    CU_ASSERT(!pin_table_remove(&table, hash_of(1), &key));
    CU_ASSERT_EQUAL(find(&table, 1), BUCKET_NO_WORKER);
    pin_table_fini(&table);
}

static void a_second_pin_of_a_flow_takes_the_place_of_the_first(void)
{
    struct pin_table table;

    CU_ASSERT_EQUAL_FATAL(pin_table_init(&table, 1), 0);
    CU_ASSERT_EQUAL(add(&table, 1, 3, NOW_NS), 0);
    CU_ASSERT_EQUAL(add(&table, 1, 4, NOW_NS + 5), 0);
    CU_ASSERT_EQUAL(find(&table, 1), 4);
    CU_ASSERT_EQUAL(pin_table_sweep(&table, NOW_NS + PIN_SYN_LIFE_NS, 1), 0);
    CU_ASSERT_EQUAL(pin_table_sweep(&table, NOW_NS + 5 + PIN_SYN_LIFE_NS, 1), 1);
    pin_table_fini(&table);
}

static void a_full_table_refuses_and_recovers(void)
{
    struct flow_key key = flow(7);
    struct pin_table table;

    CU_ASSERT_EQUAL_FATAL(pin_table_init(&table, 16), 0);
    for (unsigned round = 0; round < 3; round++) {
        for (uint16_t i = 0; i < 16; i++)
            CU_ASSERT_EQUAL(add(&table, i, (uint8_t)(i % 4), NOW_NS), 0);
        CU_ASSERT_EQUAL(add(&table, 16, 0, NOW_NS), -ENOSPC);
        CU_ASSERT(pin_table_remove(&table, hash_of(7), &key));
        CU_ASSERT_EQUAL(add(&table, 16, 0, NOW_NS), 0);
        for (uint16_t i = 0; i < 16; i++)
            CU_ASSERT_EQUAL(find(&table, i), i == 7 ? BUCKET_NO_WORKER : i % 4);
        CU_ASSERT_EQUAL(pin_table_sweep(&table, NOW_NS + PIN_SYN_LIFE_NS, 100), 16);
    }
    pin_table_fini(&table);
}

static void a_sweep_looks_at_no_more_than_asked(void)
{
    struct pin_table table;

    CU_ASSERT_EQUAL_FATAL(pin_table_init(&table, 8), 0);
    for (uint16_t i = 0; i < 8; i++)
        CU_ASSERT_EQUAL(add(&table, i, 1, NOW_NS), 0);
    CU_ASSERT_EQUAL(pin_table_sweep(&table, UINT64_MAX, 3), 3);
    CU_ASSERT_EQUAL(pin_table_sweep(&table, UINT64_MAX, 3), 3);
    CU_ASSERT_EQUAL(pin_table_sweep(&table, UINT64_MAX, 3), 2);
    pin_table_fini(&table);
}

static void until_confirmed_a_pin_is_followed_only_by_what_fits_its_syn(void)
{
    const struct pin_syn syn = {.isn = 0xffffff00u, .worker = 3};
    struct flow_key key = flow(1);
    struct pin_table table;

    CU_ASSERT_EQUAL_FATAL(pin_table_init(&table, 4), 0);
    CU_ASSERT_EQUAL(pin_table_route(&table, hash_of(1), &key, 0), BUCKET_NO_WORKER);
    CU_ASSERT_EQUAL(pin_table_add_syn(&table, hash_of(1), &key, &syn, NOW_NS), 0);
    CU_ASSERT_EQUAL(pin_table_route(&table, hash_of(1), &key, syn.isn), 3);
    CU_ASSERT_EQUAL(pin_table_route(&table, hash_of(1), &key, syn.isn + PIN_SYN_WINDOW), 3);
    CU_ASSERT_EQUAL(pin_table_route(&table, hash_of(1), &key, syn.isn + PIN_SYN_WINDOW + 1),
                    BUCKET_NO_WORKER);
    CU_ASSERT_EQUAL(pin_table_route(&table, hash_of(1), &key, syn.isn - 1), BUCKET_NO_WORKER);
    CU_ASSERT_EQUAL(find(&table, 1), 3);
    CU_ASSERT(pin_table_confirm(&table, hash_of(1), &key));
    CU_ASSERT_EQUAL(pin_table_route(&table, hash_of(1), &key, syn.isn - 1), 3);
    /* A pin that no SYN has made leads everything. */
    CU_ASSERT_EQUAL(add(&table, 1, 2, NOW_NS), 0);
    CU_ASSERT_EQUAL(pin_table_route(&table, hash_of(1), &key, 77), 2);
    pin_table_fini(&table);
}

static void a_table_of_nothing_is_refused(void)
{
    struct pin_table table;

    CU_ASSERT_EQUAL(pin_table_init(&table, 0), -EINVAL);
}

const struct unit_test unit_tests[] = {
    {"a pin made by a SYN expires", a_pin_made_by_a_syn_expires},
    {"a confirmed pin stays until the close", a_confirmed_pin_stays_until_the_close},
    {"a second pin of a flow takes the place of the first",
     a_second_pin_of_a_flow_takes_the_place_of_the_first},
    {"a full table refuses and recovers", a_full_table_refuses_and_recovers},
    {"a sweep looks at no more than asked", a_sweep_looks_at_no_more_than_asked},
    {"until it is confirmed a pin is followed only by what fits its SYN",
     until_confirmed_a_pin_is_followed_only_by_what_fits_its_syn},
    {"a table of nothing is refused", a_table_of_nothing_is_refused},
    {NULL, NULL},
};
