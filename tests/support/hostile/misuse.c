/* SPDX-License-Identifier: BSD-3-Clause */
/* misuse.c — lies in shared memory: indexes, slots, chunks that were not lent, and plain noise. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "hostile.h"

#define MISUSE_WAIT_MS 3000u

static uint32_t n_slots(struct hostile *hostile)
{
    return hostile_half(hostile)->shape.ring_slots[LANE_NORMAL];
}

static void slots_random(struct hostile *hostile)
{
    struct lane_slot *slots = hostile_slots(hostile, hostile->layout.tx_slots_off[LANE_NORMAL]);
    uint32_t n = n_slots(hostile);

    for (uint32_t i = 0; i < n; i++) {
        for (unsigned word = 0; word < 2; word++) {
            uint64_t value = (uint64_t)hostile_random(hostile) << 32 | hostile_random(hostile);

            atomic_store_explicit(&slots[i].words[word], value, memory_order_relaxed);
        }
    }
    hostile_publish(hostile, &hostile_half(hostile)->tx_tail[LANE_NORMAL], hostile->tx_tail[LANE_NORMAL] + n);
}

static void tx_index_back(struct hostile *hostile)
{
    hostile_publish(hostile, &hostile_half(hostile)->tx_tail[LANE_NORMAL], hostile->tx_tail[LANE_NORMAL] - 1);
}

static void tx_index_far(struct hostile *hostile)
{
    hostile_publish(hostile, &hostile_half(hostile)->tx_tail[LANE_URGENT],
                    hostile->tx_tail[LANE_URGENT] + n_slots(hostile) + 1);
}

static void return_index_far(struct hostile *hostile)
{
    uint32_t n = hostile_half(hostile)->shape.return_slots;

    hostile_publish(hostile, &hostile_half(hostile)->return_tail, hostile->return_tail + n + 1);
}

/* Seen when the next frame comes for us. */
static void rx_index_far(struct hostile *hostile)
{
    hostile_publish(hostile, &hostile_half(hostile)->rx_head[LANE_NORMAL],
                    hostile->rx_head[LANE_NORMAL] + 1000000u);
}

static void arena_outside(struct hostile *hostile)
{
    uint32_t tail = hostile->tx_tail[LANE_NORMAL];
    struct lane_slot *slot =
        &hostile_slots(hostile, hostile->layout.tx_slots_off[LANE_NORMAL])[tail & (n_slots(hostile) - 1)];
    uint32_t arena_bytes = hostile_half(hostile)->shape.arena_bytes[LANE_NORMAL];

    atomic_store_explicit(&slot->words[0], lane_word(LANE_SLOT_FRAME, 0, arena_bytes - 20),
                          memory_order_relaxed);
    atomic_store_explicit(&slot->words[1], 60, memory_order_relaxed);
    hostile_publish(hostile, &hostile_half(hostile)->tx_tail[LANE_NORMAL], tail + 1);
}

/* A chunk that is lent to us: its return slot. Traffic for our buckets has to come. */
static uint64_t lent_chunk(struct hostile *hostile)
{
    hostile->chunk = 0;
    for (unsigned ms = 0; ms < MISUSE_WAIT_MS; ms++) {
        obey(hostile, true);
        if (hostile->chunk != 0)
            return hostile->chunk;
        usleep(1000);
    }
    fputs("mpa-hostile-worker: no frame came\n", stderr);
    _exit(1);
}

static void put_returns(struct hostile *hostile, uint64_t first, uint64_t second, uint32_t n)
{
    struct lane_slot *slots = hostile_slots(hostile, hostile->layout.return_slots_off);
    uint32_t mask = hostile_half(hostile)->shape.return_slots - 1, tail = hostile->return_tail;

    atomic_store_explicit(&slots[tail & mask].words[0], first, memory_order_relaxed);
    atomic_store_explicit(&slots[(tail + 1) & mask].words[0], second, memory_order_relaxed);
    hostile_publish(hostile, &hostile_half(hostile)->return_tail, tail + n);
}

static void return_twice(struct hostile *hostile)
{
    uint64_t chunk = lent_chunk(hostile);

    put_returns(hostile, chunk, chunk, 2);
}

static void return_never_lent(struct hostile *hostile)
{
    const struct pool_segment *pool = hostile->pool.base;

    put_returns(hostile, lane_word(0, 1, pool->n_head - 1), 0, 1);
}

static void return_old_generation(struct hostile *hostile)
{
    put_returns(hostile, lent_chunk(hostile) - (1ull << 16), 0, 1);
}

static void return_outside(struct hostile *hostile)
{
    put_returns(hostile, lane_word(0, 0, UINT32_MAX), 0, 1);
}

/* Noise over the whole segment, header and indexes included, for as long as it is allowed. */
static void scribble(struct hostile *hostile)
{
    uint32_t *words = hostile->half.base;
    size_t n = hostile->half.size_bytes / sizeof(*words);
    uint64_t until_ns = 0;

    while (hostile_has_time(hostile, &until_ns)) {
        for (size_t i = 0; i < n; i++)
            words[i] = hostile_random(hostile);
        hostile_publish(hostile, &hostile_half(hostile)->sleeping, hostile_random(hostile));
    }
}

/* Always about to sleep, never reading: the frontend's wake-ups fill the socket. */
static void wake_never_read(struct hostile *hostile)
{
    uint64_t until_ns = 0;

    for (uint32_t count = 1; hostile_has_time(hostile, &until_ns); count += 2) {
        atomic_store_explicit(&hostile_half(hostile)->sleeping.value, count, memory_order_relaxed);
        usleep(20);
    }
}

/* Wakes the frontend as fast as it can, for nothing. */
static void wake_flood(struct hostile *hostile)
{
    uint64_t until_ns = 0;

    while (hostile_has_time(hostile, &until_ns))
        (void)!send(hostile->wake_socket, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void wake_closed(struct hostile *hostile)
{
    close(hostile->wake_socket);
    hostile->wake_socket = -1;
}

/* Takes every frame and gives none back. */
static void chunks_kept(struct hostile *hostile)
{
    uint64_t until_ns = 0;

    while (hostile_has_time(hostile, &until_ns)) {
        obey(hostile, true);
        usleep(100);
    }
}

/* Reads no frame at all. */
static void nothing(struct hostile *hostile)
{
    (void)hostile;
}

static void hello_twice(struct hostile *hostile)
{
    if (greet_again(hostile) < 0)
        fputs("mpa-hostile-worker: the second hello was not sent\n", stderr);
}

deed_fn *misuse_find(const char *name)
{
    static const struct {
        const char *name;
        deed_fn *deed;
    } deeds[] = {
        {"slots-random", slots_random},
        {"tx-index-back", tx_index_back},
        {"tx-index-far", tx_index_far},
        {"return-index-far", return_index_far},
        {"rx-index-far", rx_index_far},
        {"arena-outside", arena_outside},
        {"return-twice", return_twice},
        {"return-never-lent", return_never_lent},
        {"return-old-generation", return_old_generation},
        {"return-outside", return_outside},
        {"scribble", scribble},
        {"wake-never-read", wake_never_read},
        {"wake-flood", wake_flood},
        {"wake-closed", wake_closed},
        {"chunks-kept", chunks_kept},
        {"nothing", nothing},
        {"hello-twice", hello_twice},
    };

    for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        if (strcmp(name, deeds[i].name) == 0)
            return deeds[i].deed;
    }
    return NULL;
}
