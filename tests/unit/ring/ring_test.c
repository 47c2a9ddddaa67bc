/* SPDX-License-Identifier: BSD-3-Clause */
/* ring_test.c — what producer and consumer of a ring promise each other, and what they do when one lies. */
#include "ring/ring.h"

#include <string.h>

#include "tests/support/unit.h"

#define N_SLOTS 64u

/* Both ends in plain memory; `head` and `tail` stand for what the peers have published. */
static struct rig {
    struct lane_slot slots[N_SLOTS];
    struct lane_index head, tail;
    struct ring_producer producer;
    struct ring_consumer consumer;
} rig;

static void start(uint32_t index)
{
    memset(&rig, 0, sizeof(rig));
    ring_producer_init(&rig.producer, rig.slots, &rig.tail, &rig.head, N_SLOTS);
    ring_consumer_init(&rig.consumer, rig.slots, &rig.head, &rig.tail, N_SLOTS);
    /* As if `index` slots had gone through before. */
    rig.producer.staged_tail = rig.producer.published_tail = rig.producer.head = index;
    rig.consumer.taken_head = rig.consumer.freed_head = rig.consumer.tail = index;
    atomic_store(&rig.head.value, index);
    atomic_store(&rig.tail.value, index);
}

static void stage(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        ring_producer_stage(&rig.producer, rig.producer.staged_tail, ~(uint64_t)rig.producer.staged_tail);
}

static void test_staged_is_invisible(void)
{
    start(0);
    stage(5);
    CU_ASSERT_EQUAL(ring_consumer_refresh(&rig.consumer), RING_OK);
    CU_ASSERT_EQUAL(ring_consumer_ready(&rig.consumer), 0);
    CU_ASSERT(ring_producer_publish(&rig.producer));
    CU_ASSERT_EQUAL(ring_consumer_refresh(&rig.consumer), RING_OK);
    CU_ASSERT_EQUAL(ring_consumer_ready(&rig.consumer), 5);
    CU_ASSERT_FALSE(ring_producer_publish(&rig.producer));
}

static void check_order(uint32_t index)
{
    uint32_t next = index;

    start(index);
    for (int round = 0; round < 20; round++) {
        stage(50);
        ring_producer_publish(&rig.producer);
        CU_ASSERT_EQUAL_FATAL(ring_consumer_refresh(&rig.consumer), RING_OK);
        while (ring_consumer_ready(&rig.consumer) > 0) {
            struct ring_slot_value value = ring_consumer_peek(&rig.consumer, 0);

            CU_ASSERT_EQUAL(value.words[0], next);
            CU_ASSERT_EQUAL(value.words[1], ~(uint64_t)next);
            ring_consumer_take(&rig.consumer, 1);
            next++;
        }
        CU_ASSERT(ring_consumer_free(&rig.consumer));
        CU_ASSERT_EQUAL_FATAL(ring_producer_refresh(&rig.producer), RING_OK);
    }
    CU_ASSERT_EQUAL(next - index, 1000);
}

static void test_order(void)
{
    check_order(0);
}

static void test_index_wraps(void)
{
    check_order(0xffffffffu - 333);
}

static void test_peek_ahead(void)
{
    start(7);
    stage(10);
    ring_producer_publish(&rig.producer);
    CU_ASSERT_EQUAL(ring_consumer_refresh(&rig.consumer), RING_OK);
    CU_ASSERT_EQUAL(ring_consumer_peek(&rig.consumer, 9).words[0], 16);
    CU_ASSERT_EQUAL(ring_consumer_peek(&rig.consumer, 0).words[0], 7);
}

static void test_room_comes_with_free(void)
{
    start(0);
    stage(N_SLOTS);
    CU_ASSERT_EQUAL(ring_producer_room(&rig.producer), 0);
    ring_producer_publish(&rig.producer);
    CU_ASSERT_EQUAL(ring_consumer_refresh(&rig.consumer), RING_OK);
    ring_consumer_take(&rig.consumer, 3);
    CU_ASSERT_EQUAL(ring_producer_refresh(&rig.producer), RING_OK);
    CU_ASSERT_EQUAL(ring_producer_room(&rig.producer), 0); /* taken is not yet freed */
    CU_ASSERT(ring_consumer_free(&rig.consumer));
    CU_ASSERT_FALSE(ring_consumer_free(&rig.consumer));
    CU_ASSERT_EQUAL(ring_producer_refresh(&rig.producer), RING_OK);
    CU_ASSERT_EQUAL(ring_producer_room(&rig.producer), 3);
    CU_ASSERT_EQUAL(ring_producer_depth(&rig.producer), N_SLOTS - 3);
}

static void set_depth(uint32_t depth)
{
    start(0);
    stage(N_SLOTS);
    ring_producer_publish(&rig.producer);
    atomic_store(&rig.head.value, N_SLOTS - depth);
}

static void test_congested_from_90_to_80(void)
{
    /* Of 64 slots, 58 are 90.6 % and 51 are 79.7 %. */
    start(0);
    stage(57);
    CU_ASSERT_EQUAL(ring_producer_refresh(&rig.producer), RING_OK);
    CU_ASSERT_FALSE(rig.producer.is_congested);
    stage(1);
    CU_ASSERT_EQUAL(ring_producer_refresh(&rig.producer), RING_OK);
    CU_ASSERT(rig.producer.is_congested);
    set_depth(58);
    rig.producer.is_congested = true;
    atomic_store(&rig.head.value, N_SLOTS - 52);
    CU_ASSERT_EQUAL(ring_producer_refresh(&rig.producer), RING_OK);
    CU_ASSERT(rig.producer.is_congested);
    atomic_store(&rig.head.value, N_SLOTS - 51);
    CU_ASSERT_EQUAL(ring_producer_refresh(&rig.producer), RING_OK);
    CU_ASSERT_FALSE(rig.producer.is_congested);
}

static void test_consumer_index_lies(void)
{
    start(100);
    stage(10);
    ring_producer_publish(&rig.producer);
    stage(10);
    atomic_store(&rig.head.value, 111u); /* beyond what was published, within what is staged */
    CU_ASSERT_EQUAL(ring_producer_refresh(&rig.producer), RING_PEER_FAULT);
    CU_ASSERT_EQUAL(rig.producer.head, 100);
    atomic_store(&rig.head.value, 105u);
    CU_ASSERT_EQUAL(ring_producer_refresh(&rig.producer), RING_OK);
    atomic_store(&rig.head.value, 104u); /* back */
    CU_ASSERT_EQUAL(ring_producer_refresh(&rig.producer), RING_PEER_FAULT);
    CU_ASSERT_EQUAL(rig.producer.head, 105);
}

static void test_producer_index_lies(void)
{
    start(100);
    atomic_store(&rig.tail.value, 100u + N_SLOTS + 1); /* more than a ring's worth */
    CU_ASSERT_EQUAL(ring_consumer_refresh(&rig.consumer), RING_PEER_FAULT);
    atomic_store(&rig.tail.value, 99u);
    CU_ASSERT_EQUAL(ring_consumer_refresh(&rig.consumer), RING_PEER_FAULT);
    atomic_store(&rig.tail.value, 110u);
    CU_ASSERT_EQUAL(ring_consumer_refresh(&rig.consumer), RING_OK);
    atomic_store(&rig.tail.value, 109u); /* back behind what was seen, taken or not */
    CU_ASSERT_EQUAL(ring_consumer_refresh(&rig.consumer), RING_PEER_FAULT);
    CU_ASSERT_EQUAL(ring_consumer_ready(&rig.consumer), 10);
}

static void test_every_index_is_survived(void)
{
    /* Whatever the peer writes, nobody believes in more than a ring's worth. */
    for (uint32_t step = 0; step < 100000; step++) {
        uint32_t lie = step * 2654435761u;

        start(lie ^ 0x5a5a5a5au);
        stage(step % N_SLOTS);
        ring_producer_publish(&rig.producer);
        atomic_store(&rig.head.value, lie);
        if (ring_producer_refresh(&rig.producer) == RING_OK && ring_producer_depth(&rig.producer) > N_SLOTS)
            CU_FAIL("a producer believes in more slots than there are");
        atomic_store(&rig.tail.value, lie);
        if (ring_consumer_refresh(&rig.consumer) == RING_OK && ring_consumer_ready(&rig.consumer) > N_SLOTS)
            CU_FAIL("a consumer believes in more slots than there are");
    }
}

const char unit_suite_name[] = "ring";
const struct unit_test unit_tests[] = {
    {"what is staged is seen only when published", test_staged_is_invisible},
    {"slots arrive in order and whole", test_order},
    {"indexes wrap at 2^32", test_index_wraps},
    {"the consumer can look ahead", test_peek_ahead},
    {"room comes back when slots are freed, not when taken", test_room_comes_with_free},
    {"a ring is congested from 90 % until it has fallen to 80 %", test_congested_from_90_to_80},
    {"a consumer index beyond what was published, or back, is a fault", test_consumer_index_lies},
    {"a producer index more than a ring ahead, or back, is a fault", test_producer_index_lies},
    {"no index makes either end believe in more than a ring's worth", test_every_index_is_survived},
    {NULL, NULL},
};
