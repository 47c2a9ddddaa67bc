/* SPDX-License-Identifier: BSD-3-Clause */
/* held.c — the list of held frames: a ring, so that both ends can be added to. */
#include "frontend/held.h"

#include <errno.h>
#include <stdlib.h>

int held_init(struct held *held, uint32_t n_max)
{
    mpa_assert(n_max > 0);
    *held = (struct held){.n_max = n_max};
    held->frames = calloc(n_max, sizeof(*held->frames));
    return held->frames == NULL ? -ENOMEM : 0;
}

void held_fini(struct held *held)
{
    free(held->frames);
    *held = (struct held){0};
}

static struct held_frame *held_at(const struct held *held, uint32_t i)
{
    return &held->frames[(held->first + i) % held->n_max];
}

bool held_add(struct held *held, const struct held_frame *frame)
{
    if (held->n == held->n_max)
        return false;
    *held_at(held, held->n) = *frame;
    held->n++;
    held->n_ever++;
    return true;
}

bool held_add_front(struct held *held, const struct held_frame *frame, struct held_frame *dropped)
{
    bool is_full = held->n == held->n_max;

    if (is_full)
        *dropped = *held_at(held, --held->n);
    held->first = (held->first + held->n_max - 1) % held->n_max;
    held->frames[held->first] = *frame;
    held->n++;
    held->n_ever++;
    return is_full;
}

uint32_t held_walk(struct held *held, held_take_fn *take, void *context)
{
    uint32_t n_left = 0, n_gone;

    for (uint32_t i = 0; i < held->n; i++) {
        struct held_frame frame = *held_at(held, i);

        if (!take(context, &frame))
            *held_at(held, n_left++) = frame;
    }
    n_gone = held->n - n_left;
    held->n = n_left;
    return n_gone;
}
