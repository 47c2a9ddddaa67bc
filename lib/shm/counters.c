/* SPDX-License-Identifier: BSD-3-Clause */
/* counters.c — the counter lists as text. */
#include "shm/counters.h"

#define COUNTER_TEXT(name, help) {#name, help},

const struct counter_text nic_counter_texts[N_NIC_COUNTERS] = {NIC_COUNTERS(COUNTER_TEXT)};
const struct counter_text lane_counter_texts[N_LANE_COUNTERS] = {LANE_COUNTERS(COUNTER_TEXT)};
const struct counter_text worker_counter_texts[N_WORKER_COUNTERS] = {WORKER_COUNTERS(COUNTER_TEXT)};
