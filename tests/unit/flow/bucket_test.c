/* SPDX-License-Identifier: BSD-3-Clause */
/* bucket_test.c — buckets are spread evenly and with the fewest moves. */
#include "flow/bucket.h"

#include <errno.h>
#include <string.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "bucket table";

#define N_BUCKETS 4096u
#define N_SLOTS 16u

static void count(const struct bucket_table *table, uint32_t held[256])
{
    memset(held, 0, 256 * sizeof(*held));
    for (uint32_t i = 0; i < table->n_buckets; i++)
        held[table->worker[i]]++;
}

/* Checks that all living slots hold their share, rounded up or down, and nobody else anything. */
static void assert_even(const struct bucket_table *table, uint32_t alive)
{
    uint32_t n_alive = (uint32_t)__builtin_popcount(alive);
    uint32_t held[256];

    count(table, held);
    for (uint32_t slot = 0; slot < 256; slot++) {
        if (slot < 32 && (alive >> slot & 1) != 0) {
            CU_ASSERT(held[slot] >= table->n_buckets / n_alive);
            CU_ASSERT(held[slot] <= (table->n_buckets + n_alive - 1) / n_alive);
        } else {
            CU_ASSERT_EQUAL(held[slot], 0);
        }
    }
}

/* The fewest moves that lead from `held` to an even spread over `alive`: all that is not kept. */
static uint32_t fewest_moves(const uint32_t held[256], uint32_t alive, uint32_t n_buckets)
{
    uint32_t n_alive = (uint32_t)__builtin_popcount(alive);
    uint32_t n_kept = 0, n_extra = n_buckets % n_alive;

    for (uint32_t slot = 0; slot < 32; slot++) {
        uint32_t quota = n_buckets / n_alive;

        if ((alive >> slot & 1) == 0)
            continue;
        if (held[slot] > quota && n_extra > 0) {
            quota++;
            n_extra--;
        }
        n_kept += held[slot] < quota ? held[slot] : quota;
    }
    return n_buckets - n_kept;
}

struct moves {
    const struct bucket_table *table;
    uint8_t *before;
    uint32_t n_seen;
    uint32_t n_wrong;
};

static void check_move(void *context, uint32_t bucket, uint8_t from, uint8_t to)
{
    struct moves *moves = context;

    moves->n_seen++;
    if (moves->before[bucket] != from || moves->table->worker[bucket] != to || from == to)
        moves->n_wrong++;
    moves->before[bucket] = to;
}

static void refuses_sizes_that_are_no_power_of_two(void)
{
    struct bucket_table table;

    CU_ASSERT_EQUAL(bucket_table_init(&table, 0), -EINVAL);
    CU_ASSERT_EQUAL(bucket_table_init(&table, 100), -EINVAL);
}

static void starts_without_workers(void)
{
    struct bucket_table table;

    CU_ASSERT_EQUAL_FATAL(bucket_table_init(&table, 64), 0);
    for (uint32_t i = 0; i < 64; i++)
        CU_ASSERT_EQUAL(table.worker[i], BUCKET_NO_WORKER);
    CU_ASSERT_EQUAL(bucket_of(&table, 0xffffffc5u), 5);
    bucket_table_fini(&table);
}

static void a_new_worker_takes_only_its_own_share(void)
{
    struct bucket_table table;

    CU_ASSERT_EQUAL_FATAL(bucket_table_init(&table, N_BUCKETS), 0);
    CU_ASSERT_EQUAL(bucket_table_spread(&table, 0x3, NULL, NULL), N_BUCKETS);
    CU_ASSERT_EQUAL(bucket_table_spread(&table, 0x3, NULL, NULL), 0);
    CU_ASSERT_EQUAL(bucket_table_spread(&table, 0xb, NULL, NULL), N_BUCKETS / 3);
    assert_even(&table, 0xb);
    bucket_table_fini(&table);
}

static void without_workers_all_buckets_are_taken_away(void)
{
    struct bucket_table table;

    CU_ASSERT_EQUAL_FATAL(bucket_table_init(&table, N_BUCKETS), 0);
    CU_ASSERT_EQUAL(bucket_table_spread(&table, 0, NULL, NULL), 0);
    bucket_table_spread(&table, 0x5, NULL, NULL);
    CU_ASSERT_EQUAL(bucket_table_spread(&table, 0, NULL, NULL), N_BUCKETS);
    CU_ASSERT_EQUAL(table.worker[17], BUCKET_NO_WORKER);
    bucket_table_fini(&table);
}

static void any_change_is_even_and_moves_the_fewest(void)
{
    static uint8_t before[N_BUCKETS];
    struct bucket_table table;
    uint32_t random = 12345, held[256];

    CU_ASSERT_EQUAL_FATAL(bucket_table_init(&table, N_BUCKETS), 0);
    memset(before, BUCKET_NO_WORKER, sizeof(before));
    for (unsigned round = 0; round < 300; round++) {
        struct moves moves = {.table = &table, .before = before};
        uint32_t alive, n_moved;

        random = random * 1664525u + 1013904223u;
        alive = random >> 16 & ((1u << N_SLOTS) - 1);
        if (alive == 0)
            continue;
        count(&table, held);
        n_moved = bucket_table_spread(&table, alive, check_move, &moves);
        CU_ASSERT_EQUAL(n_moved, fewest_moves(held, alive, N_BUCKETS));
        CU_ASSERT_EQUAL(n_moved, moves.n_seen);
        CU_ASSERT_EQUAL(moves.n_wrong, 0);
        CU_ASSERT_EQUAL(memcmp(before, table.worker, N_BUCKETS), 0);
        assert_even(&table, alive);
    }
    bucket_table_fini(&table);
}

const struct unit_test unit_tests[] = {
    {"refuses sizes that are no power of two", refuses_sizes_that_are_no_power_of_two},
    {"starts without workers", starts_without_workers},
    {"a new worker takes only its own share", a_new_worker_takes_only_its_own_share},
    {"without workers all buckets are taken away", without_workers_all_buckets_are_taken_away},
    {"any change is even and moves the fewest", any_change_is_even_and_moves_the_fewest},
    {NULL, NULL},
};
