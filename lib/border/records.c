/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * records.c — checking of another worker's records. Two steps: what would lead outside the segment or outside
 * arithmetic is refused here; what is merely untrue (a window, a round-trip time) is the rebuilding engine's
 * to clamp.
 *
 * A state implies flags and cursors, because the engine commits at the end of a turn only. Our FIN queued:
 * FIN_WAIT_1, FIN_WAIT_2, CLOSING, LAST_ACK, TIME_WAIT; nothing is written behind it. Our FIN acknowledged:
 * FIN_WAIT_2, TIME_WAIT; nothing is left to be acknowledged. The peer's FIN received: CLOSE_WAIT, CLOSING,
 * LAST_ACK, TIME_WAIT.
 */
#include "border/records.h"

#include <netinet/in.h>
#include <string.h>

#include "peer/peer.h"

#define RECORDS_MIN_FIFO_BYTES 4096u
#define RECORDS_PAGE_BYTES 4096u
/* As many as a configuration allows, rounded up: readers look at each, which touches its page. */
#define RECORDS_MAX_RECORDS (1u << 20)
#define RECORDS_MAX_TOMBSTONES (1u << 16)
#define RECORDS_PEEK_TRIES 8u

/* What every version of a part has. */
#define RECORDS_MIN_CURSORS_BYTES sizeof(struct flow_cursors)
#define RECORDS_MIN_FACTS_BYTES offsetof(struct flow_facts, keep_idle_ms)

/* enum tcp_state of lwIP, as bits. */
enum {
    STATE_SYN_RCVD = 1 << 3,
    STATE_ESTABLISHED = 1 << 4,
    STATE_FIN_WAIT_1 = 1 << 5,
    STATE_FIN_WAIT_2 = 1 << 6,
    STATE_CLOSE_WAIT = 1 << 7,
    STATE_CLOSING = 1 << 8,
    STATE_LAST_ACK = 1 << 9,
    STATE_TIME_WAIT = 1 << 10,
};
#define STATES_FIN_ACKED (STATE_FIN_WAIT_2 | STATE_TIME_WAIT)
#define STATES_FIN_QUEUED (STATES_FIN_ACKED | STATE_FIN_WAIT_1 | STATE_CLOSING | STATE_LAST_ACK)
#define STATES_PEER_CLOSED (STATE_CLOSE_WAIT | STATE_CLOSING | STATE_LAST_ACK | STATE_TIME_WAIT)
#define STATES_OPEN (STATES_FIN_QUEUED | STATES_PEER_CLOSED | STATE_ESTABLISHED)
#define STATES_ANY (STATES_OPEN | STATE_SYN_RCVD)

/* Where the parts of a record lie: turn and reserve, two copies of cursors, two of facts. */
#define RECORD_CURSORS_OFF offsetof(struct flow_record, cursors)

static bool range_is_inside(uint64_t off, uint64_t len, uint64_t size)
{
    return off <= size && len <= size - off;
}

static bool records_are_inside(const struct border_records *records, uint32_t page_bytes)
{
    uint64_t size = records->size_bytes;
    uint64_t needed = RECORD_CURSORS_OFF + 2ull * records->cursors_bytes + 2ull * records->facts_bytes;

    if (records->cursors_bytes < RECORDS_MIN_CURSORS_BYTES ||
        records->facts_bytes < RECORDS_MIN_FACTS_BYTES || records->cursors_bytes > BORDER_MAX_PART_BYTES ||
        records->facts_bytes > BORDER_MAX_PART_BYTES)
        return false;
    if (records->record_bytes < needed || records->record_bytes % sizeof(uint64_t) != 0 ||
        records->record_bytes > 8 * BORDER_MAX_PART_BYTES || page_bytes != RECORDS_PAGE_BYTES)
        return false;
    if (records->n_records > RECORDS_MAX_RECORDS || records->n_tombstones > RECORDS_MAX_TOMBSTONES ||
        (records->n_tombstones & (records->n_tombstones - 1)) != 0)
        return false;
    return records->records_off % SEGMENT_LINE_BYTES == 0 &&
           records->tombstones_off % sizeof(uint64_t) == 0 &&
           range_is_inside(records->records_off, (uint64_t)records->n_records * records->record_bytes,
                           size) &&
           range_is_inside(records->tombstones_off,
                           (uint64_t)records->n_tombstones * sizeof(struct flow_tombstone), size) &&
           range_is_inside(records->fifo_off, records->fifo_bytes, size);
}

enum border_result border_records_open(struct border_records *records, const void MPA_PEER *peer_base,
                                       size_t size_bytes)
{
    struct records_segment copy;

    if (size_bytes < sizeof(copy))
        return BORDER_PEER_FAULT;
    peer_copy(&copy, peer_base, sizeof(copy));
    *records = (struct border_records){
        .peer_base = peer_base,
        .size_bytes = size_bytes,
        .version = copy.header.version,
        .record_bytes = copy.record_bytes,
        .cursors_bytes = copy.cursors_bytes,
        .facts_bytes = copy.facts_bytes,
        .n_records = copy.n_records,
        .n_tombstones = copy.n_tombstones,
        .records_off = copy.records_off,
        .tombstones_off = copy.tombstones_off,
        .fifo_off = copy.fifo_off,
        .fifo_bytes = copy.fifo_bytes,
    };
    /* A version newer by one has only appended to its parts. */
    if (copy.header.magic != SEGMENT_MAGIC || copy.header.kind != SEGMENT_RECORDS ||
        records->version < RECORDS_SEGMENT_VERSION_MIN || records->version > RECORDS_SEGMENT_VERSION + 1)
        return BORDER_PEER_FAULT;
    return records_are_inside(records, copy.page_bytes) ? BORDER_OK : BORDER_PEER_FAULT;
}

static const struct records_segment MPA_PEER *records_header(const struct border_records *records)
{
    return (const struct records_segment MPA_PEER *)(const void MPA_PEER *)records->peer_base;
}

uint32_t border_records_n_used(const struct border_records *records)
{
    uint32_t n_used = peer_load32_acquire(&records_header(records)->n_used);

    return n_used < records->n_records ? n_used : records->n_records;
}

static const uint8_t MPA_PEER *record_at(const struct border_records *records, uint32_t idx)
{
    return records->peer_base + records->records_off + (uint64_t)idx * records->record_bytes;
}

/* A part of the writer's version: what is longer than ours is not known here, what is shorter reads as zero.
 */
static void copy_part(void *part, size_t part_bytes, const uint8_t MPA_PEER *peer_part, uint32_t peer_bytes)
{
    size_t n = peer_bytes < part_bytes ? peer_bytes : part_bytes;

    peer_copy(part, peer_part, n);
    memset((uint8_t *)part + n, 0, part_bytes - n);
}

static bool key_is_plausible(const uint8_t *key)
{
    /* struct flow_key: addresses, ports, protocol, family, zero. */
    const uint8_t *remote_port = key + 32, *local_port = key + 34;
    uint8_t protocol = key[36], family = key[37], stray = key[38] | key[39];

    for (unsigned i = 4; i < 16 && family == 4; i++)
        stray |= key[i] | key[16 + i];
    return protocol == IPPROTO_TCP && (family == 4 || family == 6) && stray == 0 &&
           (remote_port[0] | remote_port[1]) != 0 && (local_port[0] | local_port[1]) != 0;
}

struct fifo_claim {
    uint64_t read, written;
    uint32_t page_idx, capacity_bytes;
};

static bool fifo_is_inside(const struct border_records *records, const struct fifo_claim *claim)
{
    uint32_t capacity = claim->capacity_bytes;

    if (claim->written - claim->read > capacity)
        return false;
    if (capacity == 0)
        return true;
    return capacity >= RECORDS_MIN_FIFO_BYTES && capacity <= BORDER_MAX_FIFO_BYTES &&
           (capacity & (capacity - 1)) == 0 &&
           range_is_inside((uint64_t)claim->page_idx * RECORDS_PAGE_BYTES, capacity, records->fifo_bytes);
}

static bool cursors_are_sane(const struct border_records *records, const struct flow_cursors *cursors)
{
    struct fifo_claim rx = {cursors->rx_read, cursors->rx_written, cursors->rx_page_idx,
                            cursors->rx_capacity_bytes};
    struct fifo_claim tx = {cursors->tx_read, cursors->tx_written, cursors->tx_page_idx,
                            cursors->tx_capacity_bytes};

    return fifo_is_inside(records, &rx) && fifo_is_inside(records, &tx) &&
           cursors->tx_enqueued - cursors->tx_read <= cursors->tx_written - cursors->tx_read;
}

/* Both say it or neither does. */
static bool fits(const struct border_flow *flow, uint32_t flag, uint32_t state, uint32_t states)
{
    return ((flow->cursors.flags & flag) != 0) == ((state & states) != 0);
}

static bool state_is_sane(const struct border_flow *flow)
{
    const struct flow_cursors *cursors = &flow->cursors;
    uint32_t state = flow->facts.tcp_state < 32 ? 1u << flow->facts.tcp_state : 0;

    if ((state & STATES_ANY) == 0 || !fits(flow, FLOW_OPEN, state, STATES_OPEN) ||
        !fits(flow, FLOW_FIN_QUEUED, state, STATES_FIN_QUEUED) ||
        !fits(flow, FLOW_PEER_CLOSED, state, STATES_PEER_CLOSED))
        return false;
    if ((state & STATES_FIN_QUEUED) && cursors->tx_enqueued != cursors->tx_written)
        return false;
    if ((state & STATES_FIN_ACKED) && cursors->tx_read != cursors->tx_written)
        return false;
    /* Before the handshake is done there is no stream. */
    return state != STATE_SYN_RCVD || (cursors->rx_written | cursors->rx_read | cursors->tx_written |
                                       cursors->tx_enqueued | cursors->tx_read) == 0;
}

static bool held_is_sane(const struct border_flow *flow)
{
    const struct flow_cursors *cursors = &flow->cursors;
    const struct flow_facts *facts = &flow->facts;
    uint64_t room = cursors->rx_capacity_bytes - (cursors->rx_written - cursors->rx_read), end = 0;

    if (!facts->is_exact)
        return true; /* nobody looks at it */
    if (facts->n_held > FLOW_RECORD_MAX_HELD)
        return false;
    for (uint32_t i = 0; i < facts->n_held; i++) {
        const struct flow_held *held = &facts->held[i];

        /* In order, and behind a hole. */
        if (held->off_bytes <= end || held->len_bytes == 0)
            return false;
        end = (uint64_t)held->off_bytes + held->len_bytes;
        if (end > room)
            return false;
    }
    return true;
}

static bool flow_is_sane(const struct border_records *records, const struct border_flow *flow)
{
    const struct flow_facts *facts = &flow->facts;

    return key_is_plausible(facts->key) && facts->mss != 0 && facts->snd_scale <= BORDER_MAX_WINDOW_SCALE &&
           facts->rcv_scale <= BORDER_MAX_WINDOW_SCALE && cursors_are_sane(records, &flow->cursors) &&
           state_is_sane(flow) && held_is_sane(flow);
}

static uint64_t flow_load_turn(const uint8_t MPA_PEER *record)
{
    return peer_load64_acquire(record);
}

static void flow_copy(const struct border_records *records, const uint8_t MPA_PEER *record, uint64_t turn,
                      struct border_flow *flow)
{
    const uint8_t MPA_PEER *cursors = record + RECORD_CURSORS_OFF;
    const uint8_t MPA_PEER *facts = cursors + (size_t)2 * records->cursors_bytes;

    if (turn & FLOW_TURN_CURSORS)
        cursors += records->cursors_bytes;
    if (turn & FLOW_TURN_FACTS)
        facts += records->facts_bytes;
    copy_part(&flow->cursors, sizeof(flow->cursors), cursors, records->cursors_bytes);
    copy_part(&flow->facts, sizeof(flow->facts), facts, records->facts_bytes);
}

static enum border_result flow_check(const struct border_records *records, struct border_flow *flow)
{
    if (flow_is_sane(records, flow))
        return BORDER_OK;
    if (!key_is_plausible(flow->facts.key))
        memset(flow->facts.key, 0, sizeof(flow->facts.key));
    return BORDER_PEER_FAULT;
}

enum border_result border_take_flow(const struct border_records *records, uint32_t idx,
                                    struct border_flow *flow)
{
    const uint8_t MPA_PEER *record;
    uint64_t turn;

    mpa_assert(idx < records->n_records);
    record = record_at(records, idx);
    turn = flow_load_turn(record);
    if (!(turn & FLOW_TURN_IN_USE))
        return BORDER_EMPTY;
    flow_copy(records, record, turn, flow);
    return flow_check(records, flow);
}

enum border_result border_peek_flow(const struct border_records *records, uint32_t idx,
                                    struct border_flow *flow)
{
    const uint8_t MPA_PEER *record;

    mpa_assert(idx < records->n_records);
    record = record_at(records, idx);
    for (unsigned i = 0; i < RECORDS_PEEK_TRIES; i++) {
        uint64_t turn = flow_load_turn(record);

        if (!(turn & FLOW_TURN_IN_USE))
            return BORDER_EMPTY;
        flow_copy(records, record, turn, flow);
        atomic_thread_fence(memory_order_acquire);
        if (peer_load64_relaxed(record) == turn)
            return flow_check(records, flow);
    }
    return BORDER_EMPTY;
}

enum border_result border_take_export(const struct border_records *records, uint64_t number, uint32_t *first,
                                      uint32_t *n_flows)
{
    const struct records_segment MPA_PEER *header = records_header(records);

    if (peer_load64_acquire(&header->exported.number) != number)
        return BORDER_EMPTY;
    *first = peer_load32_relaxed(&header->exported.first);
    *n_flows = peer_load32_relaxed(&header->exported.n_flows);
    return BORDER_OK;
}

enum border_result border_take_tombstone(const struct border_records *records, uint32_t age,
                                         struct flow_tombstone *tombstone)
{
    uint32_t n_written = peer_load32_acquire(&records_header(records)->tombstones_written);
    uint32_t place;

    if (age >= n_written || age >= records->n_tombstones)
        return BORDER_EMPTY;
    place = (n_written - 1 - age) & (records->n_tombstones - 1);
    peer_copy(tombstone, records->peer_base + records->tombstones_off + (uint64_t)place * sizeof(*tombstone),
              sizeof(*tombstone));
    return key_is_plausible(tombstone->key) ? BORDER_OK : BORDER_PEER_FAULT;
}

void border_copy_fifo(void *private_copy, const struct border_records *records,
                      const struct border_fifo *fifo, uint64_t position, uint32_t len_bytes)
{
    const uint8_t MPA_PEER *peer_fifo =
        records->peer_base + records->fifo_off + (uint64_t)fifo->page_idx * RECORDS_PAGE_BYTES;
    uint32_t off = (uint32_t)position & (fifo->capacity_bytes - 1);
    uint32_t until_end = fifo->capacity_bytes - off;
    uint32_t first = len_bytes < until_end ? len_bytes : until_end;

    mpa_assert(len_bytes <= fifo->capacity_bytes);
    peer_copy(private_copy, peer_fifo + off, first);
    peer_copy((uint8_t *)private_copy + first, peer_fifo, len_bytes - first);
}
