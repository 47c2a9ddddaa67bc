/* SPDX-License-Identifier: BSD-3-Clause */
/* staging_test.c — the tx arena and what is written into it. */
#include "worker/stack/staging.h"

#include <errno.h>
#include <lwip/pbuf.h>
#include <string.h>

#include "tests/support/unit.h"
#include "worker/stack/checksum.h"
#include "worker/stack/pool.h"

#define N_SLOTS 64u
#define ARENA_BYTES 16384u
#define MAX_PARTS 8u

static struct rig {
    struct lane_slot slots[N_LANE_PRIORITIES][N_SLOTS];
    struct lane_index tail[N_LANE_PRIORITIES], head[N_LANE_PRIORITIES];
    uint8_t arena[N_LANE_PRIORITIES][ARENA_BYTES];
    counter counters[N_WORKER_COUNTERS];
    struct staging staging;
    struct ring_consumer tx[N_LANE_PRIORITIES];
} rig;

static void start(bool has_offload_csum)
{
    memset(&rig, 0, sizeof(rig));
    checksum_init();
    CU_ASSERT_EQUAL_FATAL(pool_init(1u << 20), 0);
    rig.staging.counters = rig.counters;
    rig.staging.has_offload_csum = has_offload_csum;
    for (int p = 0; p < N_LANE_PRIORITIES; p++) {
        ring_producer_init(&rig.staging.ring[p], rig.slots[p], &rig.tail[p], &rig.head[p], N_SLOTS);
        ring_consumer_init(&rig.tx[p], rig.slots[p], &rig.head[p], &rig.tail[p], N_SLOTS);
        CU_ASSERT_EQUAL_FATAL(
            staging_init_arena(&rig.staging, (enum lane_priority)p, rig.arena[p], ARENA_BYTES), 0);
    }
}

static void end(void)
{
    staging_fini(&rig.staging);
    CU_ASSERT_EQUAL(pool_used_bytes(), 0);
    pool_fini();
}

/* An IPv4 or IPv6 packet with TCP, cut into parts of the given lengths behind the headers. */
struct parts {
    uint8_t family, protocol, traffic_class;
    uint32_t n;
    uint16_t len[MAX_PARTS];
};

static struct pbuf *make_packet(const struct parts *parts)
{
    uint16_t ip_len = parts->family == 4 ? 20 : 40;
    struct pbuf *head = pbuf_alloc(PBUF_RAW, (u16_t)(ip_len + 20), PBUF_RAM);
    uint8_t *ip = head->payload;
    uint16_t payload_len = 0, total;

    memset(ip, 0, ip_len + 20u);
    for (uint32_t i = 0; i < parts->n; i++) {
        struct pbuf *part = pbuf_alloc(PBUF_RAW, parts->len[i], PBUF_RAM);

        for (uint16_t b = 0; b < parts->len[i]; b++)
            ((uint8_t *)part->payload)[b] = (uint8_t)(b * 73 + i * 11 + 5);
        payload_len = (uint16_t)(payload_len + parts->len[i]);
        pbuf_cat(head, part);
    }
    total = (uint16_t)(20 + payload_len + (parts->family == 4 ? 20 : 0));
    ip[parts->family == 4 ? 2 : 4] = (uint8_t)(total >> 8);
    ip[parts->family == 4 ? 3 : 5] = (uint8_t)total;
    if (parts->family == 4) {
        ip[0] = 0x45;
        ip[1] = parts->traffic_class;
        memcpy(ip + 4, "\x12\x34\x00\x00\x40", 5); /* an ID, no DF, a lifetime */
        ip[9] = parts->protocol;
        memcpy(ip + 12, "\x0a\x4d\x00\x02\x0a\x4d\x00\x01", 8);
    } else {
        ip[0] = (uint8_t)(0x60 | parts->traffic_class >> 4);
        ip[1] = (uint8_t)(parts->traffic_class << 4);
        ip[6] = parts->protocol;
        memset(ip + 8, 0xfd, 32);
    }
    ip[ip_len + 12] = 0x50;
    return head;
}

static int put(const struct parts *parts, uint16_t gso_bytes)
{
    struct pbuf *packet = make_packet(parts);
    int failed = staging_put(&rig.staging, packet, (struct staging_hint){gso_bytes});

    pbuf_free(packet);
    return failed;
}

/* The packet in the arena for the slot `ahead`, whose length is *len. */
static const uint8_t *peek(enum lane_priority priority, uint32_t ahead, uint32_t *len, uint8_t *flags)
{
    struct ring_slot_value value;

    CU_ASSERT_EQUAL_FATAL(ring_consumer_refresh(&rig.tx[priority]), RING_OK);
    CU_ASSERT_FATAL(ring_consumer_ready(&rig.tx[priority]) > ahead);
    value = ring_consumer_peek(&rig.tx[priority], ahead);
    *len = (uint32_t)value.words[1];
    *flags = (uint8_t)(value.words[0] >> 8);
    CU_ASSERT_FATAL((value.words[0] >> 32) + *len <= ARENA_BYTES);
    return rig.arena[priority] + (value.words[0] >> 32);
}

/* The plainest sum there is, over pseudo-header and message; 0 when the checksum in it is right. */
static uint16_t residue(const uint8_t *ip, uint32_t len)
{
    uint32_t ip_len = ip[0] >> 4 == 4 ? 20 : 40, sum = 6 + len - ip_len;

    for (uint32_t i = ip_len == 20 ? 12 : 8; i < ip_len; i++)
        sum += (uint32_t)ip[i] << (i % 2 == 0 ? 8 : 0);
    for (uint32_t i = 0; i < len - ip_len; i++)
        sum += (uint32_t)ip[ip_len + i] << (i % 2 == 0 ? 8 : 0);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void check_bytes(const struct parts *parts)
{
    struct pbuf *packet = make_packet(parts);
    uint32_t ip_len = parts->family == 4 ? 20 : 40, len;
    uint8_t copy[4096], flags;
    const uint8_t *staged;

    CU_ASSERT_EQUAL_FATAL(put(parts, 0), 0);
    staging_publish(&rig.staging);
    staged = peek(LANE_NORMAL, 0, &len, &flags);
    CU_ASSERT_EQUAL_FATAL(len, packet->tot_len);
    CU_ASSERT_EQUAL(residue(staged, len), 0);
    pbuf_copy_partial(packet, copy, packet->tot_len, 0);
    memcpy(copy + ip_len + 16, staged + ip_len + 16, 2); /* the TCP checksum has been filled in */
    CU_ASSERT_EQUAL(memcmp(copy + ip_len, staged + ip_len, len - ip_len), 0);
    pbuf_free(packet);
    ring_consumer_take(&rig.tx[LANE_NORMAL], 1);
    ring_consumer_free(&rig.tx[LANE_NORMAL]);
    staging_refresh(&rig.staging);
}

static void test_odd_chains(void)
{
    static const struct parts chains[] = {
        {4, 6, 0, 0, {0}},
        {4, 6, 0, 1, {1}},
        {4, 6, 0, 2, {1, 1}},
        {4, 6, 0, 3, {7, 3, 1001}},
        {4, 6, 0, 4, {1, 2, 3, 4}},
        {6, 6, 0, 1, {1439}},
        {6, 6, 0, 5, {33, 1, 31, 65, 500}},
        {4, 6, 0, 8, {1, 1, 1, 1, 1, 1, 1, 1}},
    };

    start(false);
    for (unsigned i = 0; i < sizeof(chains) / sizeof(chains[0]); i++)
        check_bytes(&chains[i]);
    end();
}

static void test_every_length(void)
{
    start(false);
    for (uint16_t len = 1; len < 300; len++) {
        struct parts parts = {4, 6, 0, 2, {len, (uint16_t)(300 - len)}};

        check_bytes(&parts);
    }
    end();
}

static void test_ip4_header(void)
{
    struct parts tcp = {4, 6, 0, 1, {100}}, udp = {4, 17, 0, 1, {100}};
    uint32_t len;
    uint8_t flags;
    const uint8_t *ip;

    start(false);
    CU_ASSERT_EQUAL(put(&tcp, 0), 0);
    CU_ASSERT_EQUAL(put(&udp, 0), 0);
    staging_publish(&rig.staging);
    ip = peek(LANE_NORMAL, 0, &len, &flags);
    CU_ASSERT_EQUAL(memcmp(ip + 4, "\x00\x00\x40\x00", 4), 0);
    CU_ASSERT_EQUAL(checksum(ip, 20), 0xffff);
    ip = peek(LANE_NORMAL, 1, &len, &flags);
    CU_ASSERT_EQUAL(memcmp(ip + 4, "\x12\x34\x00\x00", 4), 0); /* UDP may be fragmented later: the ID stays */
    CU_ASSERT_EQUAL(checksum(ip, 20), 0xffff);
    end();
}

static void test_offload_leaves_checksum(void)
{
    struct parts parts = {4, 6, 0, 1, {3000}};
    uint32_t len;
    uint8_t flags;

    start(true);
    CU_ASSERT_EQUAL(put(&parts, 1448), 0);
    staging_publish(&rig.staging);
    CU_ASSERT_EQUAL(memcmp(peek(LANE_NORMAL, 0, &len, &flags) + 36, "\0\0", 2), 0);
    CU_ASSERT_EQUAL(flags, LANE_FLAG_CSUM | LANE_FLAG_GSO);
    CU_ASSERT_EQUAL(counter_get(rig.counters, WORKER_tx_super_packets), 1);
    end();
}

static void test_urgent_ring(void)
{
    struct parts ef = {4, 6, 46 << 2, 1, {10}}, af41 = {4, 6, 34 << 2, 1, {10}},
                 ef6 = {6, 6, 46 << 2, 1, {10}};
    uint32_t len;
    uint8_t flags;

    start(false);
    CU_ASSERT_EQUAL(put(&ef, 0), 0);
    CU_ASSERT_EQUAL(put(&af41, 0), 0);
    CU_ASSERT_EQUAL(put(&ef6, 0), 0);
    staging_publish(&rig.staging);
    peek(LANE_URGENT, 1, &len, &flags);
    CU_ASSERT_EQUAL(len, 70);
    peek(LANE_NORMAL, 0, &len, &flags);
    CU_ASSERT_EQUAL(ring_consumer_ready(&rig.tx[LANE_NORMAL]), 1);
    end();
}

static void test_arena_wraps_whole(void)
{
    struct parts parts = {4, 6, 0, 1, {1460}};
    uint32_t len, n_free = 0;
    uint8_t flags;

    start(false);
    /* 1,500 does not divide the arena: each time round, a packet that does not fit at the end starts at 0.
     * The arena is never empty, or it would begin again by itself. */
    CU_ASSERT_EQUAL(put(&parts, 0), 0);
    for (int i = 0; i < 500; i++) {
        CU_ASSERT_EQUAL_FATAL(put(&parts, 0), 0);
        staging_publish(&rig.staging);
        CU_ASSERT_EQUAL(residue(peek(LANE_NORMAL, 1, &len, &flags), 1500), 0);
        CU_ASSERT_EQUAL(len, 1500);
        ring_consumer_take(&rig.tx[LANE_NORMAL], 1);
        n_free += ring_consumer_free(&rig.tx[LANE_NORMAL]);
        staging_refresh(&rig.staging);
    }
    CU_ASSERT_EQUAL(n_free, 500);
    CU_ASSERT(rig.staging.arena[LANE_NORMAL].tail > 40 * ARENA_BYTES);
    end();
}

static void test_arena_full(void)
{
    struct parts parts = {4, 6, 0, 1, {1460}};
    unsigned n = 0;

    start(false);
    while (put(&parts, 0) == 0)
        n++;
    CU_ASSERT_EQUAL(n, ARENA_BYTES / 1536);
    CU_ASSERT_EQUAL(put(&parts, 0), -ENOBUFS);
    CU_ASSERT(staging_is_congested(&rig.staging));
    CU_ASSERT_EQUAL(counter_get(rig.counters, WORKER_tx_ring_full), 2);
    CU_ASSERT_EQUAL(counter_get(rig.counters, WORKER_tx_packets), n);
    staging_publish(&rig.staging);
    CU_ASSERT_EQUAL(ring_consumer_refresh(&rig.tx[LANE_NORMAL]), RING_OK);
    CU_ASSERT_EQUAL(ring_consumer_ready(&rig.tx[LANE_NORMAL]), n);
    ring_consumer_take(&rig.tx[LANE_NORMAL], 2);
    ring_consumer_free(&rig.tx[LANE_NORMAL]);
    CU_ASSERT_EQUAL(put(&parts, 0), -ENOBUFS); /* not known yet */
    staging_refresh(&rig.staging);
    CU_ASSERT_EQUAL(put(&parts, 0), 0);
    end();
}

static void test_ring_keeps_control_slots(void)
{
    struct parts parts = {4, 6, 0, 0, {0}};
    unsigned n = 0;

    start(false);
    while (put(&parts, 0) == 0)
        n++;
    CU_ASSERT_EQUAL(n, N_SLOTS - LANE_CONTROL_SLOTS);
    for (uint64_t i = 0; i < LANE_CONTROL_SLOTS; i++)
        CU_ASSERT_EQUAL(staging_put_fence(&rig.staging, LANE_NORMAL, 100 + i), 0);
    CU_ASSERT_EQUAL(staging_put_fence(&rig.staging, LANE_NORMAL, 99), -ENOBUFS);
    CU_ASSERT_EQUAL(staging_put_adopted(&rig.staging, 99, 1), -ENOBUFS);
    staging_publish(&rig.staging);
    CU_ASSERT_EQUAL(ring_consumer_refresh(&rig.tx[LANE_NORMAL]), RING_OK);
    CU_ASSERT_EQUAL(ring_consumer_ready(&rig.tx[LANE_NORMAL]), N_SLOTS);
    CU_ASSERT_EQUAL(ring_consumer_peek(&rig.tx[LANE_NORMAL], N_SLOTS - 1).words[1],
                    100 + LANE_CONTROL_SLOTS - 1);
    end();
}

static void test_fence_frees_nothing(void)
{
    struct parts parts = {4, 6, 0, 1, {1000}};
    uint64_t tail;

    start(false);
    CU_ASSERT_EQUAL(put(&parts, 0), 0);
    CU_ASSERT_EQUAL(staging_put_fence(&rig.staging, LANE_NORMAL, 1), 0);
    tail = rig.staging.arena[LANE_NORMAL].tail;
    staging_publish(&rig.staging);
    CU_ASSERT_EQUAL(ring_consumer_refresh(&rig.tx[LANE_NORMAL]), RING_OK);
    ring_consumer_take(&rig.tx[LANE_NORMAL], 1);
    ring_consumer_free(&rig.tx[LANE_NORMAL]);
    staging_refresh(&rig.staging);
    CU_ASSERT_EQUAL(rig.staging.arena[LANE_NORMAL].freed, tail);
    CU_ASSERT_EQUAL(rig.staging.arena[LANE_NORMAL].tail, tail); /* the fence still stands there */
    end();
}

static void test_empty_arena_rewinds(void)
{
    struct parts parts = {4, 6, 0, 1, {1000}};
    const struct staging_arena *arena = &rig.staging.arena[LANE_NORMAL];
    const uint8_t *first;
    uint32_t len;
    uint8_t flags;

    start(false);
    CU_ASSERT_EQUAL(put(&parts, 0), 0);
    CU_ASSERT_EQUAL(staging_put_fence(&rig.staging, LANE_NORMAL, 1), 0);
    staging_publish(&rig.staging);
    first = peek(LANE_NORMAL, 0, &len, &flags);
    ring_consumer_take(&rig.tx[LANE_NORMAL], 2);
    ring_consumer_free(&rig.tx[LANE_NORMAL]);
    staging_refresh(&rig.staging);
    CU_ASSERT_EQUAL(arena->tail, arena->freed);
    CU_ASSERT_EQUAL(put(&parts, 0), 0);
    staging_publish(&rig.staging);
    CU_ASSERT_PTR_EQUAL(peek(LANE_NORMAL, 0, &len, &flags), first);
    end();
}

static void test_adopted(void)
{
    start(false);
    CU_ASSERT_EQUAL(staging_put_adopted(&rig.staging, 0x1122334455667788u, 10000), 0);
    staging_publish(&rig.staging);
    CU_ASSERT_EQUAL(ring_consumer_refresh(&rig.tx[LANE_NORMAL]), RING_OK);
    CU_ASSERT_EQUAL(ring_consumer_ready(&rig.tx[LANE_NORMAL]), 1);
    CU_ASSERT_EQUAL(ring_consumer_peek(&rig.tx[LANE_NORMAL], 0).words[0],
                    lane_word(LANE_SLOT_ADOPTED, 0, 10000));
    CU_ASSERT_EQUAL(ring_consumer_peek(&rig.tx[LANE_NORMAL], 0).words[1], 0x1122334455667788u);
    end();
}

/* The ring full of notes about flow 0, then as many about others as are kept. */
static void test_late_notes(void)
{
    struct flow_key key = {.family = 4};
    uint32_t n_fit = 0, n_seen = 0;

    start(false);
    while (ring_producer_room(&rig.staging.ring[LANE_NORMAL]) > LANE_CONTROL_SLOTS) {
        CU_ASSERT_EQUAL(staging_put_note(&rig.staging, LANE_SLOT_OPENED, &key), 0);
        n_fit++;
    }
    for (uint32_t i = 0; i < STAGING_MAX_LATE; i++) {
        key.remote_port_be = (uint16_t)(1 + i);
        CU_ASSERT_EQUAL(staging_put_note(&rig.staging, LANE_SLOT_CLOSED, &key), 0);
    }
    CU_ASSERT_EQUAL(staging_put_note(&rig.staging, LANE_SLOT_CLOSED, &key), -ENOBUFS);
    while (n_seen < n_fit + STAGING_MAX_LATE) {
        uint32_t n_ready;

        staging_publish(&rig.staging);
        CU_ASSERT_EQUAL_FATAL(ring_consumer_refresh(&rig.tx[LANE_NORMAL]), RING_OK);
        n_ready = ring_consumer_ready(&rig.tx[LANE_NORMAL]);
        CU_ASSERT_FATAL(n_ready > 0);
        for (uint32_t i = 0; i < n_ready; i++, n_seen++) {
            uint32_t len;
            uint8_t flags;
            const struct flow_key *seen = (const void *)peek(LANE_NORMAL, i, &len, &flags);

            CU_ASSERT_EQUAL(seen->remote_port_be, n_seen < n_fit ? 0 : 1 + n_seen - n_fit);
        }
        ring_consumer_take(&rig.tx[LANE_NORMAL], n_ready);
        ring_consumer_free(&rig.tx[LANE_NORMAL]);
        staging_refresh(&rig.staging);
    }
    CU_ASSERT_EQUAL(rig.staging.n_late, 0);
    end();
}

static void test_closed(void)
{
    struct parts parts = {4, 6, 0, 1, {1000}};
    const struct flow_key key = {.family = 4};

    start(false);
    CU_ASSERT_EQUAL(put(&parts, 0), 0);
    staging_close(&rig.staging);
    CU_ASSERT(staging_is_congested(&rig.staging));
    CU_ASSERT_EQUAL(put(&parts, 0), -ENOBUFS);
    CU_ASSERT_EQUAL(staging_put_note(&rig.staging, LANE_SLOT_CLOSED, &key), -ENOBUFS);
    CU_ASSERT_EQUAL(staging_put_fence(&rig.staging, LANE_URGENT, 1), -ENOBUFS);
    atomic_store(&rig.head[LANE_NORMAL].value, 5u); /* what stands there means nothing now */
    staging_refresh(&rig.staging);
    CU_ASSERT_FALSE(rig.staging.is_faulted);
    CU_ASSERT_FALSE(staging_publish(&rig.staging));
    CU_ASSERT_EQUAL(atomic_load(&rig.tail[LANE_NORMAL].value), 0);
    end();
}

static void test_lying_index(void)
{
    start(false);
    atomic_store(&rig.head[LANE_NORMAL].value, 5u);
    staging_refresh(&rig.staging);
    CU_ASSERT(rig.staging.is_faulted);
    end();
}

static void test_nonsense_is_refused(void)
{
    struct pbuf *packet;

    start(false);
    packet = pbuf_alloc(PBUF_RAW, 10, PBUF_RAM);
    memset(packet->payload, 0x45, 10);
    CU_ASSERT_EQUAL(staging_put(&rig.staging, packet, (struct staging_hint){0}), -EINVAL);
    pbuf_free(packet);
    end();
}

const char unit_suite_name[] = "worker/stack: staging";
const struct unit_test unit_tests[] = {
    {"a note without room waits for it, in order", test_late_notes},
    {"chains of odd parts are copied and summed right", test_odd_chains},
    {"every split of a payload is copied and summed right", test_every_length},
    {"a TCP packet has ID 0 and DF, others keep their ID", test_ip4_header},
    {"where the frontend sums, nothing is summed and the slot says so", test_offload_leaves_checksum},
    {"signalling and voice take the urgent ring, in both families", test_urgent_ring},
    {"a packet stays whole where the arena wraps", test_arena_wraps_whole},
    {"a full arena is refused, counted, and free again when learned", test_arena_full},
    {"a full ring still has room for fences", test_ring_keeps_control_slots},
    {"a fence takes no arena", test_fence_frees_nothing},
    {"the answer to an adoption says number and flows", test_adopted},
    {"without a frontend nothing is staged and no index is believed", test_closed},
    {"an arena that is empty begins again at its start", test_empty_arena_rewinds},
    {"a frontend index that lies is a fault", test_lying_index},
    {"a packet too short for its header is refused", test_nonsense_is_refused},
    {NULL, NULL},
};
