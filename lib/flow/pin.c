/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pin.c — pins stand in one array; free ones hang on a list (next_free) and have no worker. The life of a
 * pin:
 *
 *   free --add--> waiting (expires_ns set) --confirm--> confirmed (expires_ns 0) --remove--> free
 *                    '------------------- sweep after its time, or remove ------------------^
 *
 * Expiry is the sweep's business alone: a look-up needs no clock, a pin may serve a little past its time.
 */
#include "flow/pin.h"

#include <errno.h>
#include <stdlib.h>

#include "flow/bucket.h"

static const struct flow_key *key_of_pin(const void *context, uint32_t value)
{
    const struct pin *pins = context;

    return &pins[value].key;
}

int pin_table_init(struct pin_table *table, uint32_t capacity)
{
    struct pin *pins = NULL;
    struct flow_table by_key;
    int err;

    if (capacity == 0)
        return -EINVAL;
    pins = calloc(capacity, sizeof(*pins));
    if (pins == NULL)
        return -ENOMEM;
    /* The array is the context, not the table: the caller may move the table. */
    err = flow_table_init(&by_key, capacity, key_of_pin, pins);
    if (err != 0) {
        free(pins);
        return err;
    }
    for (uint32_t i = 0; i < capacity; i++)
        pins[i] =
            (struct pin){.worker = BUCKET_NO_WORKER, .next_free = i + 1 < capacity ? i + 1 : FLOW_TABLE_NONE};
    *table = (struct pin_table){.by_key = by_key, .pins = pins};
    return 0;
}

void pin_table_fini(struct pin_table *table)
{
    flow_table_fini(&table->by_key);
    free(table->pins);
    *table = (struct pin_table){0};
}

/* Nearly always there is no pin at all: that must not cost a cache line. */
static uint32_t find_idx(const struct pin_table *table, uint32_t hash, const struct flow_key *key)
{
    if (table->by_key.n_used == 0)
        return FLOW_TABLE_NONE;
    return flow_table_find(&table->by_key, hash, key);
}

uint8_t pin_table_search(const struct pin_table *table, uint32_t hash, const struct flow_key *key)
{
    uint32_t idx = find_idx(table, hash, key);

    return idx == FLOW_TABLE_NONE ? (uint8_t)BUCKET_NO_WORKER : table->pins[idx].worker;
}

int pin_table_add(struct pin_table *table, uint32_t hash, const struct flow_key *key, uint8_t worker,
                  uint64_t now_ns)
{
    uint32_t idx = find_idx(table, hash, key);
    struct pin *pin;
    int err;

    mpa_assert(worker != BUCKET_NO_WORKER);
    if (idx != FLOW_TABLE_NONE) {
        table->pins[idx].worker = worker;
        table->pins[idx].expires_ns = now_ns + PIN_SYN_LIFE_NS;
        table->pins[idx].has_isn = false;
        return 0;
    }
    idx = table->first_free;
    if (idx == FLOW_TABLE_NONE)
        return -ENOSPC;
    pin = &table->pins[idx];
    table->first_free = pin->next_free;
    *pin = (struct pin){.key = *key,
                        .hash = hash,
                        .next_free = FLOW_TABLE_NONE,
                        .expires_ns = now_ns + PIN_SYN_LIFE_NS,
                        .worker = worker};
    /* The key is new and the table as large as the array. */
    err = flow_table_insert(&table->by_key, hash, idx);
    mpa_assert(err == 0);
    return 0;
}

int pin_table_add_syn(struct pin_table *table, uint32_t hash, const struct flow_key *key,
                      const struct pin_syn *syn, uint64_t now_ns)
{
    int failed = pin_table_add(table, hash, key, syn->worker, now_ns);
    struct pin *pin;

    if (failed < 0)
        return failed;
    pin = &table->pins[find_idx(table, hash, key)];
    pin->has_isn = true;
    pin->isn = syn->isn;
    return 0;
}

uint8_t pin_table_route(const struct pin_table *table, uint32_t hash, const struct flow_key *key,
                        uint32_t seq)
{
    uint32_t idx = find_idx(table, hash, key);
    const struct pin *pin;

    if (idx == FLOW_TABLE_NONE)
        return BUCKET_NO_WORKER;
    pin = &table->pins[idx];
    if (pin->expires_ns != 0 && pin->has_isn && seq - pin->isn > PIN_SYN_WINDOW)
        return BUCKET_NO_WORKER;
    return pin->worker;
}

bool pin_table_confirm(struct pin_table *table, uint32_t hash, const struct flow_key *key)
{
    uint32_t idx = find_idx(table, hash, key);

    if (idx == FLOW_TABLE_NONE)
        return false;
    table->pins[idx].expires_ns = 0;
    return true;
}

/* Removes it from the index first, which still needs its key. */
static void free_pin(struct pin_table *table, uint32_t idx)
{
    struct pin *pin = &table->pins[idx];
    int err = flow_table_remove(&table->by_key, pin->hash, idx);

    mpa_assert(err == 0);
    *pin = (struct pin){.worker = BUCKET_NO_WORKER, .next_free = table->first_free};
    table->first_free = idx;
}

bool pin_table_remove(struct pin_table *table, uint32_t hash, const struct flow_key *key)
{
    uint32_t idx = find_idx(table, hash, key);

    if (idx == FLOW_TABLE_NONE)
        return false;
    free_pin(table, idx);
    return true;
}

int pin_table_point(struct pin_table *table, uint32_t hash, const struct flow_key *key, uint8_t worker)
{
    int failed = pin_table_add(table, hash, key, worker, 0);

    if (failed == 0)
        pin_table_confirm(table, hash, key);
    return failed;
}

uint32_t pin_table_repoint(struct pin_table *table, uint8_t from, uint8_t to)
{
    uint32_t n_moved = 0;

    mpa_assert(from != BUCKET_NO_WORKER && to != BUCKET_NO_WORKER);
    for (uint32_t i = 0; i < table->by_key.capacity && table->by_key.n_used > 0; i++) {
        if (table->pins[i].worker != from)
            continue;
        table->pins[i].worker = to;
        n_moved++;
    }
    return n_moved;
}

uint32_t pin_table_remove_where(struct pin_table *table, pin_is_over_fn *is_over, const void *context)
{
    uint32_t n_dropped = 0;

    for (uint32_t i = 0; i < table->by_key.capacity && table->by_key.n_used > 0; i++) {
        if (table->pins[i].worker == BUCKET_NO_WORKER || !is_over(context, &table->pins[i]))
            continue;
        free_pin(table, i);
        n_dropped++;
    }
    return n_dropped;
}

uint32_t pin_table_sweep(struct pin_table *table, uint64_t now_ns, uint32_t n)
{
    uint32_t capacity = table->by_key.capacity;
    uint32_t n_dropped = 0;

    if (table->by_key.n_used == 0)
        return 0;
    for (uint32_t i = 0; i < n && i < capacity; i++) {
        const struct pin *pin = &table->pins[table->sweep_idx];

        if (pin->worker != BUCKET_NO_WORKER && pin->expires_ns != 0 && pin->expires_ns <= now_ns) {
            free_pin(table, table->sweep_idx);
            n_dropped++;
        }
        table->sweep_idx = (table->sweep_idx + 1) % capacity;
    }
    return n_dropped;
}
