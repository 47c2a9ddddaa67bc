/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * records_adopt.c — adopting from a records segment that lies. The input spoils a segment that a dead worker
 * could have left: eight connections, one in each state, with bytes in both FIFOs and ranges out of order,
 * both as a dead one's and as an export. Whatever comes out is then run for a while, with a peer that talks
 * to it.
 *
 *   byte 0   bits 0..1: what is asked for (exported, dead, dead and shared, both in turn); bit 2: nothing is
 * as it was, the input is the segment; bit 3: adopted twice; bits 4..7: turns to run then     3 bytes each:
 * 16-bit offset in the segment, value xored to the byte there
 */
#include <lwip/priv/tcp_priv.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/lane_pair.h"
#include "tests/support/tcp_script.h"

#define N_FLOWS 8u
#define FIFO_BYTES (1u << 20)
#define FUZZ_PORT 80u
#define FUZZ_FIRST_PORT 1000u
#define FUZZ_EXPORT 7u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lane_pair pair;
static struct segment source;
static uint32_t n_served;

static bool fuzz_opened(void *context, struct conn *conn)
{
    (void)context;
    (void)conn;
    return true;
}

static bool fuzz_adopted(void *context, struct conn *conn, uint16_t service_port)
{
    (void)context;
    (void)conn;
    return service_port == FUZZ_PORT;
}

static void fuzz_closed(void *context, struct conn *conn)
{
    (void)context;
    (void)conn;
}

/* An echo, so that both FIFOs move. */
static void fuzz_ready(void *context, struct conn *conn)
{
    struct stack *stack = &pair.stack;

    (void)context;
    n_served++;
    for (;;) {
        struct fifo_span in = stack_conn_peek(stack, conn), out;

        if (in.len == 0)
            break;
        out = stack_conn_reserve(stack, conn, in.len);
        if (out.len == 0)
            return;
        in.len = out.len < in.len ? out.len : in.len;
        memcpy(out.bytes, in.bytes, in.len);
        stack_conn_produce(stack, conn, in.len);
        stack_conn_consume(stack, conn, in.len);
    }
    if (conn->flags & CONN_PEER_CLOSED)
        stack_conn_close(stack, conn);
}

static void start(void)
{
    struct lane_pair_config config;

    lane_pair_defaults(&config);
    config.n_head = 128;
    config.ring_slots = 128;
    config.arena_bytes = LANE_MIN_ARENA_BYTES;
    config.fifo_memory_bytes = 2u << 20;
    config.stack_memory_bytes = 4u << 20;
    config.max_connections = 16;
    config.n_buckets = 4;
    config.callbacks = (struct stack_callbacks){
        .opened = fuzz_opened, .ready = fuzz_ready, .closed = fuzz_closed, .adopted = fuzz_adopted};
    if (lane_pair_init(&pair, &config) < 0 || stack_listen(&pair.stack, FUZZ_PORT) < 0)
        abort();
}

static void write_key(uint8_t *bytes, uint32_t number)
{
    struct flow_key key = {.protocol = 6, .family = 4};

    memcpy(key.remote, (uint8_t[]){10, 77, 0, 1}, 4);
    memcpy(key.local, (uint8_t[]){10, 77, 0, 2}, 4);
    key.remote_port_be = lwip_htons((uint16_t)(FUZZ_FIRST_PORT + number));
    key.local_port_be = lwip_htons(FUZZ_PORT);
    memcpy(bytes, &key, sizeof(key));
}

static struct flow_cursors sane_cursors(uint32_t number, enum tcp_state state)
{
    bool is_synchronised = state != SYN_RCVD;
    bool is_fin_acked = state == FIN_WAIT_2 || state == TIME_WAIT;
    bool has_fin = is_fin_acked || state == FIN_WAIT_1 || state == CLOSING || state == LAST_ACK;
    struct flow_cursors cursors = {
        .rx_page_idx = number * 2,
        .rx_capacity_bytes = 4096,
        .tx_page_idx = number * 2 + 1,
        .tx_capacity_bytes = 4096,
        .committed_ms = (uint32_t)(pair.now_ns / 1000000),
    };

    if (is_synchronised) {
        cursors.flags = FLOW_OPEN;
        cursors.rx_written = 3000;
        cursors.rx_read = 2500;
        cursors.tx_written = 5000;
        cursors.tx_enqueued = has_fin ? 5000 : 4500;
        cursors.tx_read = is_fin_acked ? 5000 : 2000;
    }
    if (has_fin)
        cursors.flags |= FLOW_FIN_QUEUED | FLOW_CLOSING;
    if (state >= CLOSE_WAIT)
        cursors.flags |= FLOW_PEER_CLOSED;
    return cursors;
}

static struct flow_facts sane_facts(uint32_t number, enum tcp_state state)
{
    struct flow_facts facts = {
        .epoch = 1,
        .owner = 1,
        .export_next = number + 1 < N_FLOWS ? number + 1 : FLOW_RECORD_NONE,
        .iss = 100000,
        .irs = 200000,
        .mss = 1460,
        .service_port = FUZZ_PORT,
        .snd_scale = 7,
        .rcv_scale = 5,
        .ttl = 64,
        .prio = 64,
        .tcp_state = (uint8_t)state,
        .tcp_flags = TF_TIMESTAMP | TF_WND_SCALE | TF_SACK | TF_NODELAY,
        .tick = tcp_ticks,
        .timer_tick = tcp_ticks,
        .lastack = 102001,
        .snd_nxt = 104501,
        .sent_edge = 103501,
        .snd_wnd = 65535,
        .snd_wnd_max = 65535,
        .cwnd = 14600,
        .ssthresh = 65535,
        .rcv_ann_wnd = 60000,
        .rcv_ann_right_edge = 203001 + 60000,
        .sa = 8,
        .sv = 10,
        .rto = 11,
        .is_exact = 1,
        .n_held = 2,
        .held = {{100, 200}, {500, 300}},
        .held_has_fin = 1,
        .export_number = FUZZ_EXPORT,
    };

    write_key(facts.key, number);
    return facts;
}

static void make_source(void)
{
    struct segment_spec spec = {.name = "mpa-test",
                                .kind = SEGMENT_RECORDS,
                                .version = RECORDS_SEGMENT_VERSION,
                                .size_bytes = stack_records_bytes(N_FLOWS, FIFO_BYTES)};
    struct records_segment *records;
    struct flow_record *record;

    if (source.base == NULL && segment_new(&source, &spec) < 0)
        abort();
    records = source.base;
    stack_records_layout(records, N_FLOWS, FIFO_BYTES);
    records->header = (struct segment_header){
        SEGMENT_MAGIC, SEGMENT_RECORDS, RECORDS_SEGMENT_VERSION, source.size_bytes, {0}};
    atomic_store(&records->n_used, N_FLOWS);
    atomic_store(&records->tombstones_written, 1);
    atomic_store(&records->exported.number, FUZZ_EXPORT);
    records->exported.first = 0;
    records->exported.n_flows = N_FLOWS;
    record = (struct flow_record *)(void *)((uint8_t *)records + records->records_off);
    for (uint32_t i = 0; i < N_FLOWS; i++) {
        enum tcp_state state = (enum tcp_state)(SYN_RCVD + i);

        atomic_store(&record[i].turn, FLOW_TURN_IN_USE);
        record[i].cursors[0] = record[i].cursors[1] = sane_cursors(i, state);
        record[i].facts[0] = record[i].facts[1] = sane_facts(i, state);
    }
}

static void spoil(const uint8_t *data, size_t size, bool is_whole)
{
    uint8_t *bytes = source.base;

    if (is_whole) {
        memcpy(bytes, data, size < source.size_bytes ? size : source.size_bytes);
        return;
    }
    for (size_t i = 0; i + 3 <= size; i += 3)
        bytes[data[i] | data[i + 1] << 8] ^= data[i + 2];
}

static void adopt(unsigned what)
{
    struct attach_adopt order = {.number = 1, .exported = FUZZ_EXPORT};
    struct stack_adoption adoption;

    if (what == 0 || what == 3) {
        order.what = ATTACH_ADOPT_EXPORTED;
        if (!lane_pair_adopt(&pair, &source, &order, &adoption))
            return;
    }
    if (what > 0) {
        order.what = ATTACH_ADOPT_DEAD;
        order.is_shared = what == 2;
        if (!lane_pair_adopt(&pair, &source, &order, &adoption))
            return;
    }
}

/* A peer's segment in what should be the sequence, for each flow. */
static void talk(uint32_t ahead, uint8_t flags, uint32_t n_bytes)
{
    static uint8_t frame[TCP_SCRIPT_MAX_FRAME_BYTES], payload[1000];

    for (uint32_t i = 0; i < N_FLOWS; i++) {
        struct tcp_script peer = {.family = 4,
                                  .peer_port = (uint16_t)(FUZZ_FIRST_PORT + i),
                                  .stack_port = FUZZ_PORT,
                                  .seq = 203001 + ahead,
                                  .ack = 103001 + ahead,
                                  .window = (uint16_t)(n_bytes * 3),
                                  .has_timestamp = true};
        struct tcp_segment segment = tcp_script_segment(&peer, flags, payload, n_bytes);

        if (lane_pair_inject(&pair, frame, tcp_script_build(&peer, &segment, frame), 0))
            lane_pair_turn(&pair);
    }
}

static void drop_packets(void)
{
    static struct lane_pair_packet packet;

    while (lane_pair_take(&pair, &packet))
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct segment records;
    unsigned control = size > 0 ? data[0] : 1;

    start();
    make_source();
    if (size > 1)
        spoil(data + 1, size - 1, (control & 4) != 0);
    adopt(control & 3);
    if (control & 8)
        adopt(control & 3);
    lane_pair_turn(&pair);
    talk(0, SEGMENT_ACK, 100);
    talk(600, SEGMENT_ACK, 1000);
    for (unsigned i = 0; i < control >> 4; i++) {
        lane_pair_advance(&pair, 100);
        drop_packets();
        talk(100 + 200 * i, i % 4 == 3 ? SEGMENT_ACK | SEGMENT_FIN : SEGMENT_ACK, i * 70);
    }
    records = lane_pair_stop(&pair);
    segment_fini(&records);
    return 0;
}
