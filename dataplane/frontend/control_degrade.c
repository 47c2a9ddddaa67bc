/* SPDX-License-Identifier: BSD-3-Clause */
/* control_degrade.c — the order to refuse new connections, from the wire to the board. */
#include <errno.h>

#include "frontend/board_shed.h"
#include "frontend/control_internal.h"

/* False after a refusal. */
static bool take_slots(struct control_call *call, const Mpa__V1__DegradeOrder *order, struct board_shed *shed)
{
    for (size_t i = 0; i < order->n_shed_slots; i++) {
        if (order->shed_slots[i] >= CONFIG_MAX_WORKERS) {
            control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, "order.shed_slots",
                           "worker %u: slots are 0 to %u", order->shed_slots[i], CONFIG_MAX_WORKERS - 1);
            return false;
        }
        shed->lane_mask = (uint16_t)(shed->lane_mask | 1u << order->shed_slots[i]);
    }
    return true;
}

/* Why the order cannot hold: the field at fault, or NULL. */
static const char *order_fault(const Mpa__V1__DegradeOrder *order)
{
    if ((unsigned)order->step > MPA__V1__DEGRADE_STEP__DEGRADE_STEP_FEWER_WORKERS)
        return "order.step";
    if (order->idle_limit_s > UINT16_MAX)
        return "order.idle_limit_s";
    return order->lease_ms == 0 || order->lease_ms > BOARD_SHED_MAX_LEASE_MS ? "order.lease_ms" : NULL;
}

int control_set_degrade(struct control_call *call)
{
    const Mpa__V1__DegradeOrder *order = call->request->set_degrade->order;
    Mpa__V1__SetDegradeReply *body = control_alloc(&call->core->arena, 1, sizeof(*body));
    struct board_shed shed = {0};
    const char *fault;

    if (body == NULL)
        return -ENOMEM;
    if (order == NULL) {
        control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, "order",
                       "mpa-controld decides on the step; the frontend takes an order only");
        return 0;
    }
    fault = order_fault(order);
    if (fault != NULL) {
        control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, fault,
                       "steps go to %d, idle limits to %u s, a lease is 1 to %u ms",
                       (int)MPA__V1__DEGRADE_STEP__DEGRADE_STEP_FEWER_WORKERS, UINT16_MAX,
                       BOARD_SHED_MAX_LEASE_MS);
        return 0;
    }
    if (!take_slots(call, order, &shed))
        return 0;
    shed.idle_s = (uint16_t)order->idle_limit_s;
    shed.lease_ms = (uint16_t)order->lease_ms;
    shed.step = (uint8_t)order->step;
    shed.is_all = order->shed_all;
    shed.is_silent = order->silent;
    board_shed_set(call->core->board, &shed);
    mpa__v1__set_degrade_reply__init(body);
    body->step = order->step;
    call->reply->body_case = MPA__V1__REPLY__BODY_SET_DEGRADE;
    call->reply->set_degrade = body;
    return 0;
}
