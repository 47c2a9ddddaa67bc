/* SPDX-License-Identifier: BSD-3-Clause */
/* lane.c — limits and layout of a lane. */
#include "shm/lane.h"

#include "shm/frontend_writes.h"
#include "shm/worker_writes.h"

#define LANE_PAGE_BYTES 4096u

_Static_assert(offsetof(struct frontend_half, rx_tail) == 2 * SEGMENT_LINE_BYTES,
               "the words of the operator stand in what was padding: nothing moves");

uint32_t lane_version_choose(uint32_t version_min, uint32_t version_max)
{
    uint32_t version = version_max < LANE_VERSION ? version_max : LANE_VERSION;

    return version >= version_min && version >= LANE_VERSION_MIN ? version : 0;
}

static bool lane_is_slots(uint32_t n, uint32_t max)
{
    return n >= LANE_MIN_SLOTS && n <= max && (n & (n - 1)) == 0;
}

bool lane_shape_is_valid(const struct lane_shape *shape)
{
    for (int p = 0; p < N_LANE_PRIORITIES; p++) {
        if (!lane_is_slots(shape->ring_slots[p], LANE_MAX_SLOTS))
            return false;
        if (shape->arena_bytes[p] < LANE_MIN_ARENA_BYTES || shape->arena_bytes[p] > LANE_MAX_ARENA_BYTES ||
            shape->arena_bytes[p] % LANE_PAGE_BYTES != 0)
            return false;
    }
    return lane_is_slots(shape->return_slots, LANE_MAX_RETURN_SLOTS);
}

/* Reserves `size` bytes at the next multiple of `alignment`; returns where they begin. */
static size_t lane_reserve(size_t *end_off, size_t size, size_t alignment)
{
    size_t off = segment_align(*end_off, alignment);

    *end_off = off + size;
    return off;
}

void lane_layout_init(struct lane_layout *layout, const struct lane_shape *shape)
{
    size_t frontend_off = sizeof(struct frontend_half);
    size_t worker_off = sizeof(struct worker_half);

    for (int p = 0; p < N_LANE_PRIORITIES; p++) {
        size_t slots_bytes = shape->ring_slots[p] * sizeof(struct lane_slot);

        layout->rx_slots_off[p] = lane_reserve(&frontend_off, slots_bytes, SEGMENT_LINE_BYTES);
        layout->tx_slots_off[p] = lane_reserve(&worker_off, slots_bytes, SEGMENT_LINE_BYTES);
    }
    layout->return_slots_off =
        lane_reserve(&worker_off, shape->return_slots * sizeof(struct lane_slot), SEGMENT_LINE_BYTES);
    for (int p = 0; p < N_LANE_PRIORITIES; p++)
        layout->arena_off[p] = lane_reserve(&worker_off, shape->arena_bytes[p], LANE_PAGE_BYTES);
    layout->frontend_bytes = frontend_off;
    layout->worker_bytes = worker_off;
}
