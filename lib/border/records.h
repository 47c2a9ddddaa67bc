/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * records.h — the gate in front of another worker's records segment: whatever bytes stand there, what comes
 * out is a flow that can be rebuilt without reading outside the segment, or a refusal.
 *
 * Two readers. An adopter reads records of a writer that is dead or has exported them: they stand still. The
 * frontend reads those of a living one (border_peek_flow): a record that changed meanwhile is read again.
 */
#ifndef MPA_BORDER_RECORDS_H
#define MPA_BORDER_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "border/border.h"
#include "shm/flow_record.h"

/* Bounds of what a segment of any version may hold. */
#define BORDER_MAX_FIFO_BYTES (1u << 20)
#define BORDER_MAX_PART_BYTES 1024u /* of cursors or facts */
#define BORDER_MAX_WINDOW_SCALE 14u /* RFC 7323 2.3 */

/* A records segment whose header was found to lie inside its size. */
struct border_records {
    const uint8_t MPA_PEER *peer_base; /* borrowed */
    size_t size_bytes;
    uint32_t version;
    uint32_t record_bytes, cursors_bytes, facts_bytes; /* of the writer's version */
    uint32_t n_records;
    uint32_t n_tombstones;
    uint64_t records_off, tombstones_off, fifo_off, fifo_bytes;
};

/* One flow, private: a plausible key, state and sizes; cursors in order; FIFOs inside the FIFO memory, as
 * large as what is in them. What an older version does not have is zero. */
struct border_flow {
    struct flow_cursors cursors;
    struct flow_facts facts;
};

/* BORDER_OK, or BORDER_PEER_FAULT when header, version (up to one newer than ours) or sizes do not fit the
 * `size_bytes` of the mapping.
 */
enum border_result border_records_open(struct border_records *records, const void MPA_PEER *peer_base,
                                       size_t size_bytes) MPA_WARN_UNUSED;

/* Records ever used, at most n_records. */
uint32_t border_records_n_used(const struct border_records *records);

/* Record `idx` of a writer that does not touch it. BORDER_EMPTY: not in use. BORDER_PEER_FAULT: cannot be
 * trusted; flow->facts.key then is what stands there if it is plausible, else all zero. */
enum border_result border_take_flow(const struct border_records *records, uint32_t idx,
                                    struct border_flow *flow) MPA_WARN_UNUSED;

/* The same of a living writer: read again until nothing changed in between, or BORDER_EMPTY after some tries.
 */
enum border_result border_peek_flow(const struct border_records *records, uint32_t idx,
                                    struct border_flow *flow) MPA_WARN_UNUSED;

/* The chain that export `number` left. BORDER_EMPTY: the segment speaks of another export. */
enum border_result border_take_export(const struct border_records *records, uint64_t number, uint32_t *first,
                                      uint32_t *n_flows) MPA_WARN_UNUSED;

/* Tombstone number `age` back from the newest (0: newest). BORDER_EMPTY: there are no more. */
enum border_result border_take_tombstone(const struct border_records *records, uint32_t age,
                                         struct flow_tombstone *tombstone) MPA_WARN_UNUSED;

/* Copies `len_bytes` from stream position `position` of a FIFO that border_take_flow() has checked. */
struct border_fifo {
    uint32_t page_idx, capacity_bytes;
};
void border_copy_fifo(void *private_copy, const struct border_records *records,
                      const struct border_fifo *fifo, uint64_t position, uint32_t len_bytes);

#endif
