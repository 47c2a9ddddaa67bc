/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lane_order.h — orders to a worker: what is to be done goes over its socket, then a control slot in its rx
 * rings says when (shm/attach.h). All or nothing: an order is sent only when its slots have room.
 */
#ifndef MPA_FRONTEND_LANE_ORDER_H
#define MPA_FRONTEND_LANE_ORDER_H

#include "frontend/lane.h"
#include "shm/attach.h"

enum lane_order_result {
    LANE_ORDER_SENT,  /* slots are published */
    LANE_ORDER_LATER, /* no room in a ring yet: nothing was sent */
    LANE_ORDER_INDEX, /* the worker's index is impossible: LANE_fault_index */
    LANE_ORDER_DEAF,  /* its socket takes nothing: LANE_fault_orders */
};

/* Each fills in magic and kind. */
enum lane_order_result lane_order_export(struct lane *lane, struct attach_export *order);
/* With the records to adopt from; `records_fd` stays the caller's. */
enum lane_order_result lane_order_adopt(struct lane *lane, struct attach_adopt *order, int records_fd);
enum lane_order_result lane_order_reset(struct lane *lane, struct attach_reset *order);
/* The flows exported under `number` are another's for good. */
enum lane_order_result lane_order_release(struct lane *lane, uint64_t number);

/* The fault to quarantine a lane for; only of INDEX and DEAF. */
static inline enum lane_counter lane_order_fault(enum lane_order_result result)
{
    return result == LANE_ORDER_INDEX ? LANE_fault_index : LANE_fault_orders;
}

#endif
