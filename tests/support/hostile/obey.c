/* SPDX-License-Identifier: BSD-3-Clause */
/* obey.c — until its deed a hostile worker does as it is told: takes frames and gives them back, has nothing
 * to export and adopts nothing. */
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "hostile.h"

static void obey_answer(struct hostile *hostile, enum lane_priority priority, enum lane_slot_kind kind,
                        uint64_t number)
{
    uint32_t n = hostile_half(hostile)->shape.ring_slots[priority];
    struct lane_slot *slot = &hostile_slots(
        hostile, hostile->layout.tx_slots_off[priority])[hostile->tx_tail[priority]++ & (n - 1)];

    atomic_store_explicit(&slot->words[0], lane_word((uint32_t)kind, 0, 0), memory_order_relaxed);
    atomic_store_explicit(&slot->words[1], number, memory_order_relaxed);
}

/* What the order says does not matter; its descriptors do. */
static void obey_read_order(struct hostile *hostile)
{
    struct attach_export longest;
    int fds[N_ATTACH_ADOPT_FDS];

    if (fd_receive(hostile->attach_socket, &longest, sizeof(longest), fds, N_ATTACH_ADOPT_FDS) > 0)
        fd_close(&fds[ATTACH_FD_SOURCE]);
}

/* Numbers grow: of the two slots of an order the second says nothing new. */
static void obey_control(struct hostile *hostile, enum lane_priority priority, uint32_t kind, uint64_t number)
{
    if (kind == LANE_SLOT_ADOPT && number > hostile->adopted) {
        hostile->adopted = number;
        obey_read_order(hostile);
        obey_answer(hostile, LANE_NORMAL, LANE_SLOT_ADOPTED, number);
    }
    if (kind != LANE_SLOT_FENCE)
        return;
    hostile->fenced |= 1u << priority;
    if (hostile->fenced != 3)
        return;
    hostile->fenced = 0;
    obey_read_order(hostile);
    obey_answer(hostile, LANE_NORMAL, LANE_SLOT_FENCE, number);
    obey_answer(hostile, LANE_URGENT, LANE_SLOT_FENCE, number);
}

static void obey_frame(struct hostile *hostile, uint64_t word, bool keeps_chunks)
{
    struct lane_slot *slots = hostile_slots(hostile, hostile->layout.return_slots_off);
    uint32_t n = hostile_half(hostile)->shape.return_slots;

    hostile->chunk = word & ~0xffffull;
    if (!keeps_chunks)
        atomic_store_explicit(&slots[hostile->return_tail++ & (n - 1)].words[0], hostile->chunk,
                              memory_order_relaxed);
}

void obey(struct hostile *hostile, bool keeps_chunks)
{
    struct worker_half *half = hostile_half(hostile);
    const uint8_t *base = hostile->frontend.base;

    for (int p = 0; p < N_LANE_PRIORITIES; p++) {
        const struct lane_slot *slots =
            (const struct lane_slot *)(const void *)(base + hostile->layout.rx_slots_off[p]);
        /* Acquire: pairs with the frontend's release of the slots. */
        uint32_t tail =
            atomic_load_explicit(&hostile_frontend(hostile)->rx_tail[p].value, memory_order_acquire);

        for (; hostile->rx_head[p] != tail; hostile->rx_head[p]++) {
            const struct lane_slot *slot = &slots[hostile->rx_head[p] & (half->shape.ring_slots[p] - 1)];
            uint64_t word = atomic_load_explicit(&slot->words[0], memory_order_relaxed);
            uint64_t number = atomic_load_explicit(&slot->words[1], memory_order_relaxed);

            if ((word & 0xff) == LANE_SLOT_FRAME || (word & 0xff) == LANE_SLOT_ICMP_ERROR)
                obey_frame(hostile, word, keeps_chunks);
            else
                obey_control(hostile, (enum lane_priority)p, (uint32_t)(word & 0xff), number);
        }
    }
    for (int p = 0; p < N_LANE_PRIORITIES; p++) {
        hostile_publish(hostile, &half->tx_tail[p], hostile->tx_tail[p]);
        hostile_publish(hostile, &half->rx_head[p], hostile->rx_head[p]);
    }
    hostile_publish(hostile, &half->return_tail, hostile->return_tail);
    hostile_beat(hostile);
}

void hostile_beat(struct hostile *hostile)
{
    atomic_store_explicit(&hostile_half(hostile)->gauges[WORKER_GAUGE_heartbeat_ns], clock_now_ns(),
                          memory_order_relaxed);
}
