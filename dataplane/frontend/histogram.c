/* SPDX-License-Identifier: BSD-3-Clause */
/* histogram.c — names and bounds of the histograms. Bounds are few: each is a series for each worker. */
#include "frontend/histogram.h"

#define US 1000ull
#define MS 1000000ull

const struct histogram_form frontend_histogram_forms[N_FRONTEND_HISTOGRAMS] = {
    [HISTOGRAM_frontend_loop_ns] = {"frontend_loop_ns",
                                    "Duration of a turn of the frontend's loop that found work (of its "
                                    "receive half where frontend.split_threads is on)",
                                    8,
                                    {30 * US, 100 * US, 300 * US, 1 * MS, 3 * MS, 10 * MS, 30 * MS,
                                     100 * MS}},
    [HISTOGRAM_handover_stall_ns] = {"handover_stall_ns",
                                     "How long a hand-over held back the frames of the flows it moved",
                                     10,
                                     {100 * US, 300 * US, 1 * MS, 3 * MS, 10 * MS, 30 * MS, 100 * MS,
                                      300 * MS, 1000 * MS, 3000 * MS}},
    [HISTOGRAM_adoption_ns] = {"adoption_ns",
                               "Time from the death of a worker to the adoption of its last flow",
                               9,
                               {300 * US, 1 * MS, 3 * MS, 10 * MS, 30 * MS, 100 * MS, 300 * MS, 1000 * MS,
                                3000 * MS}},
};

const struct histogram_form lane_histogram_forms[N_LANE_HISTOGRAMS] = {
    [HISTOGRAM_rx_ring_depth_slots] = {"rx_ring_depth_slots",
                                       "Slots waiting in the normal rx ring, looked at ten times a second",
                                       7,
                                       {0, 4, 16, 64, 256, 1024, 4096}},
    [HISTOGRAM_tx_ring_depth_slots] = {"tx_ring_depth_slots",
                                       "Slots waiting in the normal tx ring, looked at ten times a second",
                                       7,
                                       {0, 4, 16, 64, 256, 1024, 4096}},
};
