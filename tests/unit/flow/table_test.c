/* SPDX-License-Identifier: BSD-3-Clause */
/* table_test.c — the flow table against a naive model under random operations, with hashes that collide. */
#include "flow/table.h"

#include <errno.h>
#include <string.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "flow table";

#define N_OBJECTS 256u
#define CAPACITY 200u

/* Objects as a caller has them; object i is in the table when is_in[i]. */
struct model {
    struct flow_key keys[N_OBJECTS];
    uint32_t hashes[N_OBJECTS];
    bool is_in[N_OBJECTS];
    uint32_t n_in;
};

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static const struct flow_key *key_of(const void *context, uint32_t value)
{
    const struct model *model = context;

    return &model->keys[value];
}

static void fill_model(struct model *model, uint32_t hash_mask)
{
    static const struct flow_seed seed = {{1, 2, 3, 4}};

    memset(model, 0, sizeof(*model));
    for (uint32_t i = 0; i < N_OBJECTS; i++) {
        model->keys[i] = (struct flow_key){.remote_port_be = (uint16_t)i, .family = 4, .protocol = 6};
        /* A narrow mask makes long runs, also across the end of the array. */
        model->hashes[i] = flow_key_hash(&model->keys[i], &seed) | ~hash_mask;
    }
}

static void step(struct flow_table *table, struct model *model, uint32_t *random)
{
    uint32_t i = next_random(random) % N_OBJECTS;

    if (next_random(random) % 2 == 0) {
        int expected = model->is_in[i] ? -EEXIST : model->n_in == CAPACITY ? -ENOSPC : 0;

        CU_ASSERT_EQUAL(flow_table_insert(table, model->hashes[i], i), expected);
        if (expected == 0) {
            model->is_in[i] = true;
            model->n_in++;
        }
    } else {
        CU_ASSERT_EQUAL(flow_table_remove(table, model->hashes[i], i), model->is_in[i] ? 0 : -ENOENT);
        model->n_in -= model->is_in[i] ? 1 : 0;
        model->is_in[i] = false;
    }
}

static void compare(const struct flow_table *table, const struct model *model)
{
    CU_ASSERT_EQUAL(table->n_used, model->n_in);
    for (uint32_t i = 0; i < N_OBJECTS; i++) {
        uint32_t found = flow_table_find(table, model->hashes[i], &model->keys[i]);

        CU_ASSERT_EQUAL(found, model->is_in[i] ? i : FLOW_TABLE_NONE);
    }
}

static void agrees_with_a_list_under_random_operations(void)
{
    static const uint32_t hash_masks[] = {0xffffffffu, 0x3fu, 0x3u, 0x0u};
    static struct model model;
    uint32_t random = 7;

    for (unsigned m = 0; m < sizeof(hash_masks) / sizeof(hash_masks[0]); m++) {
        struct flow_table table;

        fill_model(&model, hash_masks[m]);
        CU_ASSERT_EQUAL_FATAL(flow_table_init(&table, CAPACITY, key_of, &model), 0);
        for (unsigned i = 0; i < 4000; i++) {
            step(&table, &model, &random);
            if (i % 16 == 0)
                compare(&table, &model);
        }
        flow_table_fini(&table);
    }
}

static void holds_exactly_its_capacity(void)
{
    static struct model model;
    struct flow_table table;

    fill_model(&model, 0xffffffffu);
    CU_ASSERT_EQUAL_FATAL(flow_table_init(&table, CAPACITY, key_of, &model), 0);
    for (uint32_t i = 0; i < CAPACITY; i++)
        CU_ASSERT_EQUAL(flow_table_insert(&table, model.hashes[i], i), 0);
    CU_ASSERT_EQUAL(flow_table_insert(&table, model.hashes[CAPACITY], CAPACITY), -ENOSPC);
    CU_ASSERT_EQUAL(flow_table_insert(&table, model.hashes[0], 0), -EEXIST);
    flow_table_fini(&table);
}

static void a_guess_is_the_first_value_with_the_hash(void)
{
    static struct model model;
    struct flow_table table;

    fill_model(&model, 0);
    CU_ASSERT_EQUAL_FATAL(flow_table_init(&table, CAPACITY, key_of, &model), 0);
    CU_ASSERT_EQUAL(flow_table_guess(&table, model.hashes[1]), FLOW_TABLE_NONE);
    CU_ASSERT_EQUAL(flow_table_insert(&table, model.hashes[1], 1), 0);
    CU_ASSERT_EQUAL(flow_table_insert(&table, model.hashes[2], 2), 0);
    CU_ASSERT_EQUAL(flow_table_guess(&table, model.hashes[2]), 1);
    flow_table_prefetch(&table, model.hashes[2]);
    CU_ASSERT_EQUAL(flow_table_remove(&table, model.hashes[1], 1), 0);
    CU_ASSERT_EQUAL(flow_table_guess(&table, model.hashes[1]), 2);
    flow_table_fini(&table);
}

static void refuses_sizes_it_cannot_hold(void)
{
    struct flow_table table;

    CU_ASSERT_EQUAL(flow_table_init(&table, 0, key_of, NULL), -EINVAL);
    CU_ASSERT_EQUAL(flow_table_init(&table, 0xffffffffu, key_of, NULL), -EINVAL);
    CU_ASSERT_EQUAL(flow_table_init(&table, 1, NULL, NULL), -EINVAL);
}

const struct unit_test unit_tests[] = {
    {"agrees with a list under random operations", agrees_with_a_list_under_random_operations},
    {"holds exactly its capacity", holds_exactly_its_capacity},
    {"a guess is the first value with the hash", a_guess_is_the_first_value_with_the_hash},
    {"refuses sizes it cannot hold", refuses_sizes_it_cannot_hold},
    {NULL, NULL},
};
