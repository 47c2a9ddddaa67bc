/* SPDX-License-Identifier: BSD-3-Clause */
/* counters.c — the counter lists as text. */
#include "shm/counters.h"

_Static_assert(WORKER_turns_busy_ns - WORKER_turns_30us == WORKER_N_TURN_BOUNDS, "a counter for each bound");

const uint64_t worker_turn_bounds_ns[WORKER_N_TURN_BOUNDS] = {30000,   100000,   300000,
                                                              1000000, 10000000, 100000000};

#define COUNTER_TEXT(name, help) {#name, help},

const struct counter_text nic_counter_texts[N_NIC_COUNTERS] = {NIC_COUNTERS(COUNTER_TEXT)};
const struct counter_text lane_counter_texts[N_LANE_COUNTERS] = {LANE_COUNTERS(COUNTER_TEXT)};
const struct counter_text worker_counter_texts[N_WORKER_COUNTERS] = {WORKER_COUNTERS(COUNTER_TEXT)};
