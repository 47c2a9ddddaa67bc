/* SPDX-License-Identifier: BSD-3-Clause */
/* records_test.c — whatever a records segment holds: a sane flow comes out, or a refusal. */
#include "border/records.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/unit.h"

#define N_RECORDS 4u
#define N_TOMBSTONES 4u
#define RECORDS_OFF 4096u
#define TOMBSTONES_OFF 8192u
#define FIFO_OFF 12288u
#define FIFO_BYTES 65536u
#define SEGMENT_BYTES (FIFO_OFF + FIFO_BYTES)

/* lwIP's numbers of states. */
enum { SYN_RCVD = 3, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT };

static uint8_t *base;
static struct records_segment *header;
static struct border_records records;

static struct flow_record *record_at(uint32_t idx)
{
    return (struct flow_record *)(void *)(base + RECORDS_OFF) + idx;
}

/* An established flow with bytes in both FIFOs, in both copies. */
static void write_flow(uint32_t idx)
{
    struct flow_record *record = record_at(idx);
    struct flow_facts facts = {
        .key = {10, 77, 0, 1},
        .epoch = 5,
        .mss = 1460,
        .service_port = 80,
        .snd_scale = 7,
        .rcv_scale = 5,
        .tcp_state = ESTABLISHED,
        .export_next = FLOW_RECORD_NONE,
    };
    struct flow_cursors cursors = {
        .rx_written = 3000,
        .rx_read = 1000,
        .tx_written = 9000,
        .tx_enqueued = 8000,
        .tx_read = 7000,
        .rx_page_idx = 0,
        .rx_capacity_bytes = 4096,
        .tx_page_idx = 4,
        .tx_capacity_bytes = 16384,
        .flags = FLOW_OPEN,
    };

    facts.key[16] = 10;
    facts.key[19] = 2;
    facts.key[33] = (uint8_t)(idx + 1); /* remote port */
    facts.key[35] = 80;                 /* local port */
    facts.key[36] = 6;                  /* TCP */
    facts.key[37] = 4;                  /* IPv4 */
    for (unsigned copy = 0; copy < 2; copy++) {
        record->cursors[copy] = cursors;
        record->facts[copy] = facts;
    }
    atomic_store(&record->turn, FLOW_TURN_IN_USE);
}

static void set_up(void)
{
    base = aligned_alloc(4096, SEGMENT_BYTES);
    CU_ASSERT_PTR_NOT_NULL_FATAL(base);
    memset(base, 0, SEGMENT_BYTES);
    header = (struct records_segment *)(void *)base;
    header->header.magic = SEGMENT_MAGIC;
    header->header.kind = SEGMENT_RECORDS;
    header->header.version = RECORDS_SEGMENT_VERSION;
    header->header.size_bytes = SEGMENT_BYTES;
    header->record_bytes = sizeof(struct flow_record);
    header->cursors_bytes = sizeof(struct flow_cursors);
    header->facts_bytes = sizeof(struct flow_facts);
    header->n_records = N_RECORDS;
    header->n_tombstones = N_TOMBSTONES;
    header->page_bytes = 4096;
    header->records_off = RECORDS_OFF;
    header->tombstones_off = TOMBSTONES_OFF;
    header->fifo_off = FIFO_OFF;
    header->fifo_bytes = FIFO_BYTES;
    atomic_store(&header->n_used, 2);
    write_flow(0);
}

static void tear_down(void)
{
    free(base);
}

static enum border_result open_segment(void)
{
    return border_records_open(&records, base, SEGMENT_BYTES);
}

static enum border_result take_first(void)
{
    struct border_flow flow;

    CU_ASSERT_EQUAL_FATAL(open_segment(), BORDER_OK);
    return border_take_flow(&records, 0, &flow);
}

static void test_good(void)
{
    struct border_flow flow;

    set_up();
    CU_ASSERT_EQUAL_FATAL(open_segment(), BORDER_OK);
    CU_ASSERT_EQUAL(border_records_n_used(&records), 2);
    CU_ASSERT_EQUAL(border_take_flow(&records, 0, &flow), BORDER_OK);
    CU_ASSERT_EQUAL(flow.cursors.tx_enqueued, 8000);
    CU_ASSERT_EQUAL(flow.facts.epoch, 5);
    CU_ASSERT_EQUAL(border_take_flow(&records, 1, &flow), BORDER_EMPTY);
    CU_ASSERT_EQUAL(border_peek_flow(&records, 0, &flow), BORDER_OK);
    CU_ASSERT_EQUAL(border_peek_flow(&records, 1, &flow), BORDER_EMPTY);
    atomic_store(&header->n_used, 1000);
    CU_ASSERT_EQUAL(border_records_n_used(&records), N_RECORDS);
    tear_down();
}

/* The word says which copies count. */
static void test_turn(void)
{
    struct border_flow flow;

    set_up();
    CU_ASSERT_EQUAL_FATAL(open_segment(), BORDER_OK);
    record_at(0)->cursors[1].rx_read = 1500;
    record_at(0)->facts[1].epoch = 6;
    for (unsigned turn = 0; turn < 4; turn++) {
        atomic_store(&record_at(0)->turn, FLOW_TURN_IN_USE | turn | 16 * FLOW_TURN_STEP);
        CU_ASSERT_EQUAL(border_take_flow(&records, 0, &flow), BORDER_OK);
        CU_ASSERT_EQUAL(flow.cursors.rx_read, (turn & FLOW_TURN_CURSORS) ? 1500 : 1000);
        CU_ASSERT_EQUAL(flow.facts.epoch, (turn & FLOW_TURN_FACTS) ? 6 : 5);
    }
    tear_down();
}

static void expect_closed(void)
{
    CU_ASSERT_EQUAL(open_segment(), BORDER_PEER_FAULT);
    tear_down();
    set_up();
}

static void test_bad_header(void)
{
    set_up();
    CU_ASSERT_EQUAL(border_records_open(&records, base, sizeof(*header) - 1), BORDER_PEER_FAULT);
    CU_ASSERT_EQUAL(border_records_open(&records, base, SEGMENT_BYTES - 1), BORDER_PEER_FAULT);
    header->header.magic++;
    expect_closed();
    header->header.kind = SEGMENT_WORKER;
    expect_closed();
    header->header.version = RECORDS_SEGMENT_VERSION_MIN - 1;
    expect_closed();
    header->header.version = RECORDS_SEGMENT_VERSION + 2;
    expect_closed();
    header->record_bytes = 64;
    expect_closed();
    header->record_bytes += 4;
    expect_closed();
    header->record_bytes = UINT32_MAX;
    expect_closed();
    header->cursors_bytes = 8;
    expect_closed();
    header->facts_bytes = 16;
    expect_closed();
    header->facts_bytes = UINT32_MAX;
    expect_closed();
    header->n_records = 100;
    expect_closed();
    header->n_records = UINT32_MAX;
    expect_closed();
    header->n_tombstones = 3;
    expect_closed();
    header->n_tombstones = 1u << 31;
    expect_closed();
    header->page_bytes = 1;
    expect_closed();
    header->records_off = SEGMENT_BYTES;
    expect_closed();
    header->records_off = UINT64_MAX - 63;
    expect_closed();
    header->records_off++;
    expect_closed();
    header->tombstones_off = UINT64_MAX - 7;
    expect_closed();
    header->fifo_off++;
    expect_closed();
    header->fifo_bytes = UINT64_MAX;
    expect_closed();
    tear_down();
}

/* One lie about a flow: `what` bytes at an offset of cursors or facts. */
#define CURSORS(field) offsetof(struct flow_cursors, field), sizeof(((struct flow_cursors *)0)->field), false
#define FACTS(field) offsetof(struct flow_facts, field), sizeof(((struct flow_facts *)0)->field), true

static const struct lie {
    size_t off, size;
    bool is_fact;
    uint64_t value;
} lies[] = {
    {CURSORS(rx_read), 3001},
    {CURSORS(rx_written), 999},
    {CURSORS(rx_written), 1000 + 4097},
    {CURSORS(rx_written), UINT64_MAX},
    {CURSORS(tx_read), 8001},
    {CURSORS(tx_enqueued), 6999},
    {CURSORS(tx_enqueued), 9001},
    {CURSORS(tx_written), 7000 + 16385},
    {CURSORS(rx_capacity_bytes), 0},
    {CURSORS(rx_capacity_bytes), 2048},
    {CURSORS(rx_capacity_bytes), 4097},
    {CURSORS(rx_capacity_bytes), 1u << 31},
    {CURSORS(rx_capacity_bytes), FIFO_BYTES * 2},
    {CURSORS(rx_page_idx), 16},
    {CURSORS(tx_page_idx), 13},
    {CURSORS(tx_page_idx), UINT32_MAX},
    {CURSORS(flags), 0},
    {CURSORS(flags), FLOW_OPEN | FLOW_FIN_QUEUED},
    {CURSORS(flags), FLOW_OPEN | FLOW_PEER_CLOSED},
    {FACTS(mss), 0},
    {FACTS(snd_scale), 15},
    {FACTS(rcv_scale), 255},
    {FACTS(tcp_state), 0},
    {FACTS(tcp_state), 1},
    {FACTS(tcp_state), 2},
    {FACTS(tcp_state), SYN_RCVD},
    {FACTS(tcp_state), FIN_WAIT_1},
    {FACTS(tcp_state), FIN_WAIT_2},
    {FACTS(tcp_state), CLOSE_WAIT},
    {FACTS(tcp_state), CLOSING},
    {FACTS(tcp_state), LAST_ACK},
    {FACTS(tcp_state), TIME_WAIT},
    {FACTS(tcp_state), 11},
    {FACTS(tcp_state), 200},
};

static void test_lies(void)
{
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        uint8_t *part;

        set_up();
        CU_ASSERT_EQUAL(take_first(), BORDER_OK);
        part = lies[i].is_fact ? (uint8_t *)&record_at(0)->facts[0] : (uint8_t *)&record_at(0)->cursors[0];
        memcpy(part + lies[i].off, &lies[i].value, lies[i].size); /* little end first */
        CU_ASSERT_EQUAL(take_first(), BORDER_PEER_FAULT);
        tear_down();
    }
}

/* Each byte of a key that must have a value. */
static void test_keys(void)
{
    static const unsigned bytes[] = {4, 15, 20, 31, 36, 37, 38, 39};

    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        struct border_flow flow;
        const uint8_t zero[FLOW_RECORD_KEY_BYTES] = {0};

        set_up();
        record_at(0)->facts[0].key[bytes[i]] += 9;
        CU_ASSERT_EQUAL_FATAL(open_segment(), BORDER_OK);
        CU_ASSERT_EQUAL(border_take_flow(&records, 0, &flow), BORDER_PEER_FAULT);
        CU_ASSERT(memcmp(flow.facts.key, zero, sizeof(zero)) == 0);
        tear_down();
    }
    set_up();
    memset(&record_at(0)->facts[0].key[32], 0, 2); /* port 0 */
    CU_ASSERT_EQUAL(take_first(), BORDER_PEER_FAULT);
    tear_down();
}

/* Each state with what belongs to it. */
static void test_states(void)
{
    static const struct {
        uint8_t state;
        uint32_t flags;
        bool has_fin, is_acked;
    } states[] = {
        {ESTABLISHED, 0, false, false},
        {FIN_WAIT_1, FLOW_FIN_QUEUED, true, false},
        {FIN_WAIT_2, FLOW_FIN_QUEUED, true, true},
        {CLOSE_WAIT, FLOW_PEER_CLOSED, false, false},
        {CLOSING, FLOW_FIN_QUEUED | FLOW_PEER_CLOSED, true, false},
        {LAST_ACK, FLOW_FIN_QUEUED | FLOW_PEER_CLOSED, true, false},
        {TIME_WAIT, FLOW_FIN_QUEUED | FLOW_PEER_CLOSED, true, true},
    };

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        struct flow_cursors *cursors;

        set_up();
        cursors = &record_at(0)->cursors[0];
        record_at(0)->facts[0].tcp_state = states[i].state;
        cursors->flags = FLOW_OPEN | states[i].flags;
        if (states[i].has_fin)
            cursors->tx_enqueued = cursors->tx_written;
        if (states[i].is_acked)
            cursors->tx_read = cursors->tx_written;
        CU_ASSERT_EQUAL(take_first(), BORDER_OK);
        cursors->tx_read = 7000;
        CU_ASSERT_EQUAL(take_first(), states[i].is_acked ? BORDER_PEER_FAULT : BORDER_OK);
        cursors->tx_enqueued = 8000;
        CU_ASSERT_EQUAL(take_first(), states[i].has_fin ? BORDER_PEER_FAULT : BORDER_OK);
        tear_down();
    }
}

static void test_held(void)
{
    struct flow_facts *facts;

    set_up();
    facts = &record_at(0)->facts[0];
    facts->is_exact = 1;
    facts->n_held = 2;
    facts->held[0] = (struct flow_held){100, 100};
    facts->held[1] = (struct flow_held){300, 1796}; /* to the FIFO's last byte */
    CU_ASSERT_EQUAL(take_first(), BORDER_OK);
    facts->held[1].len_bytes++;
    CU_ASSERT_EQUAL(take_first(), BORDER_PEER_FAULT);
    facts->held[1] = (struct flow_held){200, 10}; /* no hole before it */
    CU_ASSERT_EQUAL(take_first(), BORDER_PEER_FAULT);
    facts->held[1] = (struct flow_held){UINT32_MAX, UINT32_MAX};
    CU_ASSERT_EQUAL(take_first(), BORDER_PEER_FAULT);
    facts->held[1] = (struct flow_held){300, 0};
    CU_ASSERT_EQUAL(take_first(), BORDER_PEER_FAULT);
    facts->held[0].off_bytes = 0;
    facts->n_held = 1;
    CU_ASSERT_EQUAL(take_first(), BORDER_PEER_FAULT);
    facts->n_held = FLOW_RECORD_MAX_HELD + 1;
    CU_ASSERT_EQUAL(take_first(), BORDER_PEER_FAULT);
    facts->is_exact = 0; /* then nobody reads them */
    CU_ASSERT_EQUAL(take_first(), BORDER_OK);
    tear_down();
}

static void test_export(void)
{
    uint32_t first = 77, n_flows = 77;

    set_up();
    CU_ASSERT_EQUAL_FATAL(open_segment(), BORDER_OK);
    header->exported.first = 3;
    header->exported.n_flows = 9;
    atomic_store(&header->exported.number, 12);
    CU_ASSERT_EQUAL(border_take_export(&records, 11, &first, &n_flows), BORDER_EMPTY);
    CU_ASSERT(first == 77 && n_flows == 77);
    CU_ASSERT_EQUAL(border_take_export(&records, 12, &first, &n_flows), BORDER_OK);
    CU_ASSERT(first == 3 && n_flows == 9);
    tear_down();
}

static void test_tombstones(void)
{
    struct flow_tombstone *stones, stone;

    set_up();
    CU_ASSERT_EQUAL_FATAL(open_segment(), BORDER_OK);
    stones = (struct flow_tombstone *)(void *)(base + TOMBSTONES_OFF);
    CU_ASSERT_EQUAL(border_take_tombstone(&records, 0, &stone), BORDER_EMPTY);
    for (uint32_t i = 0; i < N_TOMBSTONES; i++) {
        memcpy(stones[i].key, record_at(0)->facts[0].key, sizeof(stones[i].key));
        stones[i].closed_ms = i;
    }
    atomic_store(&header->tombstones_written, 6); /* places 0 and 1 were written again */
    CU_ASSERT_EQUAL(border_take_tombstone(&records, 0, &stone), BORDER_OK);
    CU_ASSERT_EQUAL(stone.closed_ms, 1);
    CU_ASSERT_EQUAL(border_take_tombstone(&records, 3, &stone), BORDER_OK);
    CU_ASSERT_EQUAL(stone.closed_ms, 2);
    CU_ASSERT_EQUAL(border_take_tombstone(&records, 4, &stone), BORDER_EMPTY);
    stones[1].key[39] = 1;
    CU_ASSERT_EQUAL(border_take_tombstone(&records, 0, &stone), BORDER_PEER_FAULT);
    tear_down();
}

static void test_copy(void)
{
    struct border_fifo fifo = {.page_idx = 15, .capacity_bytes = 4096};
    uint8_t copy[300];

    set_up();
    CU_ASSERT_EQUAL_FATAL(open_segment(), BORDER_OK);
    for (uint32_t i = 0; i < 4096; i++)
        base[FIFO_OFF + 15 * 4096 + i] = (uint8_t)(i * 7);
    border_copy_fifo(copy, &records, &fifo, 5 * 4096 + 4000, sizeof(copy)); /* across the end */
    for (uint32_t i = 0; i < sizeof(copy); i++)
        CU_ASSERT_EQUAL(copy[i], (uint8_t)((4000 + i) % 4096 * 7));
    tear_down();
}

const char unit_suite_name[] = "border: records of another worker";
const struct unit_test unit_tests[] = {
    {"a sane flow comes out as it stands", test_good},
    {"the copies in force are read, the others not", test_turn},
    {"a header that leads outside the segment is refused", test_bad_header},
    {"a flow that cannot be rebuilt is refused", test_lies},
    {"a key that no flow can have is refused and not passed on", test_keys},
    {"a state goes with its flags and cursors, and with no others", test_states},
    {"ranges out of order lie behind holes and inside the FIFO", test_held},
    {"an export is known by its number", test_export},
    {"tombstones come newest first, and no more than there are", test_tombstones},
    {"bytes are copied round the FIFO's end", test_copy},
    {NULL, NULL},
};
