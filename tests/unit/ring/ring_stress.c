/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring_stress.c — a producer and a consumer on two threads, each with its own end of one ring and one wake
 * object, as two processes have them: every slot arrives once, in order, whole; and nobody sleeps through a
 * signal. Under ThreadSanitizer the payload beside the ring, which is not atomic, shows that publishing
 * orders it.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ring/ring.h"
#include "ring/wake.h"

#define N_SLOTS 256u
#define N_TOTAL 400000u
#define MAX_BURST 48u
#define STALL_MS 5000 /* only ever waited for when a wake-up was lost */

static struct stress {
    struct lane_slot slots[N_SLOTS];
    uint64_t payload[N_SLOTS]; /* as the arena: plain bytes that a slot stands for */
    struct lane_index head, tail, sleeping[2];
    int sockets[2];
} stress;

static void fail(const char *what, uint32_t at)
{
    fprintf(stderr, "ring_stress: %s at %u\n", what, at);
    exit(EXIT_FAILURE);
}

/* Blocks until the other end has signalled. */
static void sleep_on(struct wake *wake, const char *who)
{
    struct pollfd waiting = {.fd = wake->socket, .events = POLLIN};

    if (poll(&waiting, 1, STALL_MS) != 1)
        fail(who, wake->own_count);
}

static void *produce(void *argument)
{
    struct ring_producer ring;
    struct wake wake;
    uint32_t sent = 0, random = 1;

    (void)argument;
    ring_producer_init(&ring, stress.slots, &stress.tail, &stress.head, N_SLOTS);
    wake_init(&wake, stress.sockets[0], &stress.sleeping[0], &stress.sleeping[1]);
    while (sent < N_TOTAL) {
        if (ring_producer_refresh(&ring) != RING_OK)
            fail("the producer saw a fault", sent);
        if (ring_producer_room(&ring) == 0) {
            wake_announce(&wake);
            if (ring_producer_refresh(&ring) != RING_OK)
                fail("the producer saw a fault", sent);
            bool must_sleep = ring_producer_room(&ring) == 0;
            if (must_sleep)
                sleep_on(&wake, "the producer was not woken");
            wake_cancel(&wake, must_sleep);
            continue;
        }
        random = random * 1664525u + 1013904223u;
        for (uint32_t n = random % MAX_BURST + 1; n > 0 && ring_producer_room(&ring) > 0 && sent < N_TOTAL;
             n--) {
            stress.payload[sent % N_SLOTS] = sent * 3ull;
            ring_producer_stage(&ring, sent, ~(uint64_t)sent);
            sent++;
        }
        ring_producer_publish(&ring);
        wake_peer(&wake);
    }
    return NULL;
}

static void take(struct ring_consumer *ring, uint32_t *received)
{
    while (ring_consumer_ready(ring) > 0) {
        struct ring_slot_value value = ring_consumer_peek(ring, 0);

        if (value.words[0] != *received || value.words[1] != ~(uint64_t)*received)
            fail("a slot is not the one that was sent", *received);
        if (stress.payload[*received % N_SLOTS] != *received * 3ull)
            fail("a payload is not the one that was sent", *received);
        ring_consumer_take(ring, 1);
        (*received)++;
    }
}

static void consume(void)
{
    struct ring_consumer ring;
    struct wake wake;
    uint32_t received = 0;

    ring_consumer_init(&ring, stress.slots, &stress.head, &stress.tail, N_SLOTS);
    wake_init(&wake, stress.sockets[1], &stress.sleeping[1], &stress.sleeping[0]);
    while (received < N_TOTAL) {
        if (ring_consumer_refresh(&ring) != RING_OK)
            fail("the consumer saw a fault", received);
        if (ring_consumer_ready(&ring) == 0) {
            wake_announce(&wake);
            if (ring_consumer_refresh(&ring) != RING_OK)
                fail("the consumer saw a fault", received);
            bool must_sleep = ring_consumer_ready(&ring) == 0;
            if (must_sleep)
                sleep_on(&wake, "the consumer was not woken");
            wake_cancel(&wake, must_sleep);
            continue;
        }
        take(&ring, &received);
        ring_consumer_free(&ring);
        wake_peer(&wake);
    }
}

int main(void)
{
    pthread_t producer;

    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, stress.sockets) < 0)
        fail("no socket pair", 0);
    if (pthread_create(&producer, NULL, produce, NULL) != 0)
        fail("no thread", 0);
    consume();
    pthread_join(producer, NULL);
    close(stress.sockets[0]);
    close(stress.sockets[1]);
    return EXIT_SUCCESS;
}
