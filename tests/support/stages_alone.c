/* SPDX-License-Identifier: BSD-3-Clause */
/* stages_alone.c — what the two stages call of hand-over and adoption, where there is none. */
#include "frontend/frontend.h"

bool hold_frame(struct frontend *frontend, const struct held_frame *frame)
{
    (void)frontend;
    (void)frame;
    return false;
}

void handover_fenced(struct frontend *frontend, uint8_t worker, uint8_t priority, uint64_t number)
{
    (void)frontend;
    (void)worker;
    (void)priority;
    (void)number;
}

void handover_adopted(struct frontend *frontend, uint8_t worker, uint64_t number, uint32_t n_flows)
{
    (void)frontend;
    (void)worker;
    (void)number;
    (void)n_flows;
}

void estates_adopted(struct frontend *frontend, uint8_t worker, uint64_t number, uint32_t n_flows)
{
    handover_adopted(frontend, worker, number, n_flows);
}
