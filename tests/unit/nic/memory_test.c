/* SPDX-License-Identifier: BSD-3-Clause */
/* memory_test.c — the memory NIC carries frames of every size in order, both ways, and refuses when full. */
#include "frontend/nic/memory.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "memory NIC";

#define MAX_BYTES (NIC_VNET_BYTES + NIC_MAX_FRAME_BYTES)

struct setup {
    struct nic nic;
    uint8_t *frame; /* MAX_BYTES to send from */
    uint8_t *head;  /* NIC_HEAD_BYTES */
    uint8_t *tail;  /* NIC_TAIL_BYTES */
};

static void set_up(struct setup *s)
{
    struct config_nic config = {.backend = CONFIG_BACKEND_MEMORY,
                                .name = "mem0",
                                .mtu_bytes = 1500,
                                .mac = {2, 0, 0, 0, 0, 1},
                                .offload = true};
    char error[256] = "";

    CU_ASSERT_EQUAL_FATAL(nic_open(&s->nic, &config, error, sizeof(error)), 0);
    s->frame = malloc(MAX_BYTES);
    s->head = malloc(NIC_HEAD_BYTES);
    s->tail = malloc(NIC_TAIL_BYTES);
    CU_ASSERT_FATAL(s->frame != NULL && s->head != NULL && s->tail != NULL);
}

static void tear_down(struct setup *s)
{
    nic_close(&s->nic);
    free(s->frame);
    free(s->head);
    free(s->tail);
}

/* Frame number `seed`: its length and its bytes follow from it. */
static size_t make_frame(uint8_t *frame, uint32_t seed)
{
    static const size_t lens[] = {11, 24, 70, 1524, NIC_HEAD_BYTES, NIC_HEAD_BYTES + 1, 30000, MAX_BYTES};
    size_t len = lens[seed % (sizeof(lens) / sizeof(lens[0]))];

    for (size_t i = 0; i < len; i++)
        frame[i] = (uint8_t)(seed + i * 7);
    return len;
}

static bool inject(struct setup *s, uint32_t seed)
{
    struct iovec frame = {s->frame, make_frame(s->frame, seed)};

    return nic_memory_inject(&s->nic, &frame, 1) == 1;
}

/* Receives one frame and compares it with frame `seed`. */
static void receive(struct setup *s, uint32_t seed)
{
    struct nic_rx place = {.head = s->head, .tail = s->tail};
    size_t len = make_frame(s->frame, seed);
    size_t head_len = len < NIC_HEAD_BYTES ? len : NIC_HEAD_BYTES;

    CU_ASSERT_EQUAL_FATAL(s->nic.ops->rx(&s->nic, &place, 1), 1);
    CU_ASSERT_EQUAL(place.len_bytes, len - NIC_VNET_BYTES);
    CU_ASSERT_EQUAL(memcmp(s->head, s->frame, head_len), 0);
    CU_ASSERT_EQUAL(memcmp(s->tail, s->frame + head_len, len - head_len), 0);
}

static void says_what_it_can(void)
{
    struct setup s;

    set_up(&s);
    CU_ASSERT_EQUAL(s.nic.fd, -1);
    CU_ASSERT_EQUAL(s.nic.mtu_bytes, 1500);
    CU_ASSERT_EQUAL(s.nic.mac[5], 1);
    CU_ASSERT_EQUAL(s.nic.caps, NIC_CAP_CSUM | NIC_CAP_TSO4 | NIC_CAP_TSO6);
    tear_down(&s);
}

static void an_empty_nic_has_nothing(void)
{
    struct setup s;
    struct nic_rx place;
    struct iovec sent;

    set_up(&s);
    place = (struct nic_rx){.head = s.head, .tail = s.tail};
    CU_ASSERT_EQUAL(s.nic.ops->rx(&s.nic, &place, 1), 0);
    CU_ASSERT_EQUAL(nic_memory_take(&s.nic, &sent, 1), 0);
    tear_down(&s);
}

static void injected_frames_arrive_whole_and_in_order(void)
{
    uint32_t n_in = 0, n_out = 0;
    struct setup s;

    set_up(&s);
    /* Fill, half empty, again: every length meets the end of the ring at some time. */
    for (unsigned round = 0; round < 40; round++) {
        uint32_t n_waiting;

        while (inject(&s, n_in))
            n_in++;
        n_waiting = n_in - n_out;
        CU_ASSERT(n_waiting >= 3);
        for (uint32_t i = 0; i < (n_waiting + 1) / 2; i++)
            receive(&s, n_out++);
    }
    while (n_out < n_in)
        receive(&s, n_out++);
    tear_down(&s);
}

static void sent_frames_are_taken_whole_and_in_order(void)
{
    uint32_t n_sent = 0, n_taken = 0;
    struct setup s;

    set_up(&s);
    for (unsigned round = 0; round < 40; round++) {
        struct iovec taken[8];
        unsigned n;

        for (;;) {
            size_t len = make_frame(s.frame, n_sent);
            struct iovec parts[3] = {{s.frame, 10}, {s.frame + 10, 1}, {s.frame + 11, len - 11}};

            if (s.nic.ops->tx(&s.nic, parts, 3) == NIC_TX_BUSY)
                break;
            n_sent++;
        }
        s.nic.ops->flush(&s.nic);
        n = nic_memory_take(&s.nic, taken, 8);
        CU_ASSERT(n >= 3);
        for (unsigned i = 0; i < n; i++) {
            size_t len = make_frame(s.frame, n_taken++);

            CU_ASSERT_EQUAL_FATAL(taken[i].iov_len, len);
            CU_ASSERT_EQUAL(memcmp(taken[i].iov_base, s.frame, len), 0);
        }
        nic_memory_release(&s.nic);
    }
    tear_down(&s);
}

static void sent_frames_wait_for_the_flush(void)
{
    struct setup s;
    struct iovec part, taken;

    set_up(&s);
    part = (struct iovec){s.frame, make_frame(s.frame, 2)};
    CU_ASSERT_EQUAL(s.nic.ops->tx(&s.nic, &part, 1), NIC_TX_SENT);
    CU_ASSERT_EQUAL(nic_memory_take(&s.nic, &taken, 1), 0);
    s.nic.ops->flush(&s.nic);
    CU_ASSERT_EQUAL(nic_memory_take(&s.nic, &taken, 1), 1);
    nic_memory_release(&s.nic);
    tear_down(&s);
}

static void a_frame_without_a_tail_buffer_is_cut_and_says_so(void)
{
    struct nic_rx place;
    struct setup s;

    set_up(&s);
    CU_ASSERT_FATAL(inject(&s, 7));
    place = (struct nic_rx){.head = s.head, .tail = NULL};
    CU_ASSERT_EQUAL(s.nic.ops->rx(&s.nic, &place, 1), 1);
    CU_ASSERT_EQUAL(place.len_bytes, NIC_MAX_FRAME_BYTES);
    CU_ASSERT_EQUAL(memcmp(s.head, s.frame, NIC_HEAD_BYTES), 0);
    tear_down(&s);
}

static void frames_of_impossible_length_are_an_error(void)
{
    struct setup s;
    struct iovec parts[2];

    set_up(&s);
    parts[0] = (struct iovec){s.frame, NIC_VNET_BYTES};
    CU_ASSERT_EQUAL(s.nic.ops->tx(&s.nic, parts, 1), NIC_TX_ERROR);
    parts[1] = (struct iovec){s.frame, NIC_MAX_FRAME_BYTES + 1};
    CU_ASSERT_EQUAL(s.nic.ops->tx(&s.nic, parts, 2), NIC_TX_ERROR);
    tear_down(&s);
}

const struct unit_test unit_tests[] = {
    {"says what it can", says_what_it_can},
    {"an empty NIC has nothing", an_empty_nic_has_nothing},
    {"injected frames arrive whole and in order", injected_frames_arrive_whole_and_in_order},
    {"sent frames are taken whole and in order", sent_frames_are_taken_whole_and_in_order},
    {"sent frames wait for the flush", sent_frames_wait_for_the_flush},
    {"a frame without a tail buffer is cut and says so", a_frame_without_a_tail_buffer_is_cut_and_says_so},
    {"frames of impossible length are an error", frames_of_impossible_length_are_an_error},
    {NULL, NULL},
};
