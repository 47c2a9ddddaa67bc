/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bucket.c — who serves which bucket. Spreading first fixes each worker's quota, then walks the table once:
 * only buckets without a living worker and those above a quota move. Who keeps the remainder of the division
 * decides how many move: those that already hold more than the rounded-down share do.
 */
#include "flow/bucket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SLOTS 32u /* bits of `alive` */

int bucket_table_init(struct bucket_table *table, uint32_t n_buckets)
{
    uint8_t *worker;

    if (n_buckets == 0 || (n_buckets & (n_buckets - 1)) != 0)
        return -EINVAL;
    worker = malloc(n_buckets);
    if (worker == NULL)
        return -ENOMEM;
    memset(worker, BUCKET_NO_WORKER, n_buckets);
    *table = (struct bucket_table){.n_buckets = n_buckets, .worker = worker};
    return 0;
}

void bucket_table_fini(struct bucket_table *table)
{
    free(table->worker);
    *table = (struct bucket_table){0};
}

static bool is_alive(uint32_t alive, uint8_t slot)
{
    return slot < MAX_SLOTS && (alive >> slot & 1) != 0;
}

/* Fills quota[] for the living slots (0 for others) so that the fewest buckets move. */
static void set_quotas(const struct bucket_table *table, uint32_t alive, uint32_t quota[MAX_SLOTS])
{
    uint32_t n_alive = (uint32_t)__builtin_popcount(alive);
    uint32_t share = table->n_buckets / n_alive;
    uint32_t n_extra = table->n_buckets % n_alive;
    uint32_t held[MAX_SLOTS] = {0};

    for (uint32_t i = 0; i < table->n_buckets; i++) {
        if (is_alive(alive, table->worker[i]))
            held[table->worker[i]]++;
    }
    for (uint8_t slot = 0; slot < MAX_SLOTS; slot++)
        quota[slot] = is_alive(alive, slot) ? share : 0;
    /* First the slots that would otherwise have to give one away, then whoever comes. */
    for (uint32_t round = 0; round < 2; round++) {
        for (uint8_t slot = 0; slot < MAX_SLOTS && n_extra > 0; slot++) {
            if (is_alive(alive, slot) && quota[slot] == share && (round == 1 || held[slot] > share)) {
                quota[slot]++;
                n_extra--;
            }
        }
    }
}

/* The next living slot after `slot`, round about, that has room. `room` must not be all zero. */
static uint8_t next_with_room(const uint32_t room[MAX_SLOTS], uint8_t slot)
{
    do
        slot = (uint8_t)((slot + 1) % MAX_SLOTS);
    while (room[slot] == 0);
    return slot;
}

static void move_bucket(struct bucket_table *table, uint32_t bucket, uint8_t to, bucket_moved_fn *moved,
                        void *context)
{
    uint8_t from = table->worker[bucket];

    table->worker[bucket] = to;
    if (moved != NULL)
        moved(context, bucket, from, to);
}

/* Nobody is left: the buckets wait without a worker. */
static uint32_t take_from_all(struct bucket_table *table, bucket_moved_fn *moved, void *context)
{
    uint32_t n_moved = 0;

    for (uint32_t i = 0; i < table->n_buckets; i++) {
        if (table->worker[i] == BUCKET_NO_WORKER)
            continue;
        move_bucket(table, i, BUCKET_NO_WORKER, moved, context);
        n_moved++;
    }
    return n_moved;
}

uint32_t bucket_table_spread(struct bucket_table *table, uint32_t alive, bucket_moved_fn *moved,
                             void *context)
{
    uint32_t room[MAX_SLOTS], left[MAX_SLOTS];
    uint32_t n_moved = 0;
    uint8_t slot = MAX_SLOTS - 1; /* given to in turn, so that each worker's buckets lie all over the table */

    if (alive == 0)
        return take_from_all(table, moved, context);
    set_quotas(table, alive, left);
    /* `left` counts down what a holder may keep; `room` is what is then missing to its quota. */
    memcpy(room, left, sizeof(room));
    for (uint32_t i = 0; i < table->n_buckets; i++) {
        uint8_t holder = table->worker[i];

        if (is_alive(alive, holder) && room[holder] > 0)
            room[holder]--;
    }
    for (uint32_t i = 0; i < table->n_buckets; i++) {
        uint8_t holder = table->worker[i];

        if (is_alive(alive, holder) && left[holder] > 0) {
            left[holder]--;
            continue;
        }
        slot = next_with_room(room, slot);
        room[slot]--;
        /* A bucket just given to its new holder is not looked at again: the walk has passed it. */
        move_bucket(table, i, slot, moved, context);
        n_moved++;
    }
    return n_moved;
}

uint32_t bucket_table_give(const struct bucket_table *table, uint32_t alive, bucket_moved_fn *given,
                           void *context)
{
    uint32_t held[MAX_SLOTS] = {0};
    uint32_t n_given = 0;

    mpa_assert(alive != 0);
    for (uint32_t i = 0; i < table->n_buckets; i++) {
        if (is_alive(alive, table->worker[i]))
            held[table->worker[i]]++;
    }
    for (uint32_t i = 0; i < table->n_buckets; i++) {
        uint8_t to = (uint8_t)__builtin_ctz(alive);

        if (table->worker[i] != BUCKET_NO_WORKER && table->worker[i] != BUCKET_ORPHAN)
            continue;
        for (uint8_t slot = to; slot < MAX_SLOTS; slot++) {
            if (is_alive(alive, slot) && held[slot] < held[to])
                to = slot;
        }
        held[to]++;
        n_given++;
        given(context, i, table->worker[i], to);
    }
    return n_given;
}
