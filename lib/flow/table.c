/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.c — open addressing with linear probing, at most half full.
 *
 * Invariant: between the home place of an entry (hash & mask) and the entry itself no place is free, so a
 * probe may stop at the first free one. Removal keeps it by shifting back what follows in the run instead of
 * leaving tombstones: look-ups do not get slower with age. An 8-byte place holds the whole hash, so a key is
 * fetched only when it is almost certainly the right one.
 */
#include "flow/table.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_CAPACITY (1u << 30)

int flow_table_init(struct flow_table *table, uint32_t capacity, flow_table_key_fn *key_of,
                    const void *context)
{
    struct flow_table_place *places;
    uint32_t n_places = 2;

    if (capacity == 0 || capacity > MAX_CAPACITY || key_of == NULL)
        return -EINVAL;
    while (n_places < 2 * capacity)
        n_places *= 2;
    places = malloc(n_places * sizeof(*places));
    if (places == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n_places; i++)
        places[i] = (struct flow_table_place){.value = FLOW_TABLE_NONE};
    *table = (struct flow_table){
        .places = places, .mask = n_places - 1, .capacity = capacity, .key_of = key_of, .context = context};
    return 0;
}

void flow_table_fini(struct flow_table *table)
{
    free(table->places);
    *table = (struct flow_table){0};
}

uint32_t flow_table_guess(const struct flow_table *table, uint32_t hash)
{
    for (uint32_t i = hash & table->mask;; i = (i + 1) & table->mask) {
        const struct flow_table_place *place = &table->places[i];

        if (place->value == FLOW_TABLE_NONE || place->hash == hash)
            return place->value;
    }
}

/* The place of `key`, or the free place at the end of its run. */
static struct flow_table_place *probe(const struct flow_table *table, uint32_t hash,
                                      const struct flow_key *key)
{
    for (uint32_t i = hash & table->mask;; i = (i + 1) & table->mask) {
        struct flow_table_place *place = &table->places[i];

        if (place->value == FLOW_TABLE_NONE)
            return place;
        if (place->hash == hash && flow_key_equal(table->key_of(table->context, place->value), key))
            return place;
    }
}

uint32_t flow_table_find(const struct flow_table *table, uint32_t hash, const struct flow_key *key)
{
    return probe(table, hash, key)->value;
}

int flow_table_insert(struct flow_table *table, uint32_t hash, uint32_t value)
{
    struct flow_table_place *place;

    mpa_assert(value != FLOW_TABLE_NONE);
    place = probe(table, hash, table->key_of(table->context, value));
    if (place->value != FLOW_TABLE_NONE)
        return -EEXIST;
    if (table->n_used == table->capacity)
        return -ENOSPC;
    *place = (struct flow_table_place){.hash = hash, .value = value};
    table->n_used++;
    return 0;
}

/* Frees place `hole` and moves back every later entry of the run that may stand nearer to its home. */
static void close_hole(struct flow_table *table, uint32_t hole)
{
    for (uint32_t i = (hole + 1) & table->mask;; i = (i + 1) & table->mask) {
        struct flow_table_place *place = &table->places[i];
        uint32_t home = place->hash & table->mask;

        if (place->value == FLOW_TABLE_NONE)
            break;
        /* Its home lies behind the hole (round about): it would be lost in front of its own home. */
        if (((i - home) & table->mask) < ((i - hole) & table->mask))
            continue;
        table->places[hole] = *place;
        hole = i;
    }
    table->places[hole].value = FLOW_TABLE_NONE;
}

int flow_table_remove(struct flow_table *table, uint32_t hash, uint32_t value)
{
    for (uint32_t i = hash & table->mask; table->places[i].value != FLOW_TABLE_NONE;
         i = (i + 1) & table->mask) {
        if (table->places[i].value != value || table->places[i].hash != hash)
            continue;
        close_hole(table, i);
        table->n_used--;
        return 0;
    }
    return -ENOENT;
}
