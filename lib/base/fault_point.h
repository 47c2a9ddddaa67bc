/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fault_point.h — for tests: places at which a process can be told to kill itself. They exist in builds with
 * the CMake option MPA_FAULT_POINTS (preset chaos) alone; in all others every call is compiled away and the
 * variables mean nothing. Never for production: who sets the environment of such a build can end it.
 *
 *   MPA_FAULT_POINT=NAME:HIT[:SLOT]   SIGKILL at the HIT-th passing (from 1) of point NAME, in the process of
 *                                     that slot or in every one
 *   MPA_COMMIT=off                    no flow record is written: what survives then survives by luck (the
 *                                     negative control of the tests)
 *   MPA_FAULT_FRAME=HEX               a worker raises SIGSEGV while a frame with these bytes is in hand
 */
#ifndef MPA_BASE_FAULT_POINT_H
#define MPA_BASE_FAULT_POINT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/assert.h"

/* X(name, where it stands) */
#define FAULT_POINTS(X)                                                                                      \
    X(commit_begin, "a flow is to be committed, nothing of it is written")                                   \
    X(commit_written, "the copies that are not in force are written, the flow is not committed")             \
    X(commit_flipped, "one flow of the turn is committed, others may follow")                                \
    X(commit_done, "all flows of the turn are committed, no packet of it is visible")                        \
    X(publish_tx, "packets are visible, their input is not consumed")                                        \
    X(publish_rx, "input is consumed, its chunks have not gone back")                                        \
    X(export_begin, "an export was ordered and its fences met, nothing is exported")                         \
    X(export_written, "the exact record of a flow is written, the flow is still the exporter's")             \
    X(export_flipped, "one flow is the adopter's, others may follow")                                        \
    X(export_announced, "all flows are the adopter's and announced, no fence is answered")                   \
    X(export_answered, "the answers are staged, the turn is not committed")                                  \
    X(adopt_mapped, "the source is mapped, no flow is adopted")                                              \
    X(adopt_flow, "one flow was adopted and not committed, others may follow")                               \
    X(adopt_taken, "all flows are adopted, not committed and not answered")                                  \
    X(adopt_answered, "the answer is staged, the turn is not committed")                                     \
    X(return_orphan, "the frontend is gone, its segments are let go")                                        \
    X(return_hello, "the hello to the next frontend was sent")                                               \
    X(return_mapped, "the next frontend's segments are mapped")                                              \
    X(return_ready, "the next frontend was told that traffic may begin")

#define FAULT_POINT_ENUM(name, where) FAULT_##name,
enum fault_point { FAULT_POINTS(FAULT_POINT_ENUM) N_FAULT_POINTS };

/* Takes the environment; called once, before the process is confined. 0, or -EINVAL with a line on standard
 * error that names the points. */
int fault_point_init(unsigned slot) MPA_WARN_UNUSED;

void fault_point_hit(enum fault_point point);
bool fault_point_commit_is_off_now(void);
void fault_point_frame_in_hand(const void *bytes, size_t n_bytes);

static inline void fault_point(enum fault_point point)
{
    if (MPA_FAULT_POINTS)
        fault_point_hit(point);
}

static inline bool fault_point_commit_is_off(void)
{
    return MPA_FAULT_POINTS && fault_point_commit_is_off_now();
}

static inline void fault_point_frame(const void *bytes, size_t n_bytes)
{
    if (MPA_FAULT_POINTS)
        fault_point_frame_in_hand(bytes, n_bytes);
}

#endif
