/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lane_order.c — sends orders and stages their slots. Frames leave LANE_CONTROL_SLOTS of each ring free, so
 * room fails only when that many orders wait unread.
 */
#include "frontend/lane_order.h"

#include <errno.h>

#include "base/fd.h"

#define ORDER_BOTH_RINGS ((1u << LANE_NORMAL) | (1u << LANE_URGENT))
#define ORDER_NORMAL_RING (1u << LANE_NORMAL)

static enum lane_order_result order_room(struct lane *lane, unsigned rings)
{
    for (unsigned p = 0; p < N_LANE_PRIORITIES; p++) {
        if (!(rings >> p & 1))
            continue;
        if (ring_producer_refresh(&lane->rx[p]) != RING_OK)
            return LANE_ORDER_INDEX;
        if (ring_producer_room(&lane->rx[p]) == 0)
            return LANE_ORDER_LATER;
    }
    return LANE_ORDER_SENT;
}

/* What the order is about; without words the slot says it all. */
struct order_message {
    const void *words;
    size_t size_bytes;
    int fd; /* -1: none goes with it */
};

static enum lane_order_result order_send(struct lane *lane, enum lane_slot_kind kind, uint64_t number,
                                         unsigned rings, const struct order_message *message)
{
    enum lane_order_result result = order_room(lane, rings);

    if (result != LANE_ORDER_SENT)
        return result;
    if (message != NULL) {
        int failed = fd_send(lane->attach_socket, message->words, message->size_bytes, &message->fd,
                             message->fd >= 0 ? 1 : 0);

        /* Its end of the socket may be gone: then its death is on its way to us. */
        if (failed < 0)
            return failed == -EAGAIN ? LANE_ORDER_DEAF : LANE_ORDER_LATER;
    }
    for (unsigned p = 0; p < N_LANE_PRIORITIES; p++) {
        if (rings >> p & 1)
            ring_producer_stage(&lane->rx[p], lane_word((uint32_t)kind, 0, 0), number);
    }
    lane_publish(lane);
    return LANE_ORDER_SENT;
}

enum lane_order_result lane_order_export(struct lane *lane, struct attach_export *order)
{
    const struct order_message message = {order, sizeof(*order), -1};

    order->magic = ATTACH_MAGIC;
    order->kind = ATTACH_EXPORT;
    return order_send(lane, LANE_SLOT_FENCE, order->number, ORDER_BOTH_RINGS, &message);
}

enum lane_order_result lane_order_adopt(struct lane *lane, struct attach_adopt *order, int records_fd)
{
    const struct order_message message = {order, sizeof(*order), records_fd};

    order->magic = ATTACH_MAGIC;
    order->kind = ATTACH_ADOPT;
    return order_send(lane, LANE_SLOT_ADOPT, order->number, ORDER_BOTH_RINGS, &message);
}

enum lane_order_result lane_order_reset(struct lane *lane, struct attach_reset *order)
{
    const struct order_message message = {order, sizeof(*order), -1};

    order->magic = ATTACH_MAGIC;
    order->kind = ATTACH_RESET;
    return order_send(lane, LANE_SLOT_RESET, order->number, ORDER_NORMAL_RING, &message);
}

enum lane_order_result lane_order_release(struct lane *lane, uint64_t number)
{
    return order_send(lane, LANE_SLOT_RELEASE, number, ORDER_NORMAL_RING, NULL);
}
