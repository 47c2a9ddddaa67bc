/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * records.c — lies in the records segment. Nobody reads it while the liar lives; when it has died, the others
 * adopt what they believe of it. Each deed writes and returns; the death is the caller's.
 */
#include <netinet/in.h>
#include <string.h>

#include "flow/key.h"
#include "hostile.h"

#define RECORDS_RCV_WND 65536u
#define RECORDS_ESTABLISHED 4 /* enum tcp_state of lwIP */

static struct records_segment *segment_of(struct hostile *hostile)
{
    return hostile->records.base;
}

static struct flow_record *record_of(struct hostile *hostile, uint32_t idx)
{
    struct records_segment *segment = segment_of(hostile);
    uint8_t *base = hostile->records.base;

    return (struct flow_record *)(void *)(base + segment->records_off) + idx;
}

static void fill_random(struct hostile *hostile, void *bytes, size_t n_bytes)
{
    uint32_t *words = bytes;

    for (size_t i = 0; i < n_bytes / sizeof(*words); i++)
        words[i] = hostile_random(hostile);
}

static void put_in_use(struct hostile *hostile, uint32_t idx, uint64_t bits)
{
    atomic_store_explicit(&record_of(hostile, idx)->turn, bits | FLOW_TURN_IN_USE, memory_order_release);
    atomic_store_explicit(&segment_of(hostile)->n_used, segment_of(hostile)->n_records, memory_order_release);
}

/* An established echo connection of 10.77.0.1 with some bytes in both FIFOs, nothing wrong with it. */
static void forge(struct hostile *hostile, uint32_t idx, uint16_t port)
{
    struct flow_record *record = record_of(hostile, idx);
    struct flow_key key = {.remote = {10, 77, 0, 199}, /* nobody: the ports of real peers are chance */
                           .local = {10, 77, 0, 2},
                           .remote_port_be = htons(port),
                           .local_port_be = htons(7),
                           .protocol = IPPROTO_TCP,
                           .family = 4};
    struct flow_cursors *cursors = &record->cursors[0];
    struct flow_facts *facts = &record->facts[0];

    memset(record, 0, sizeof(*record));
    *cursors = (struct flow_cursors){.rx_written = 5000,
                                     .rx_read = 4000,
                                     .tx_written = 4000,
                                     .tx_enqueued = 3500,
                                     .tx_read = 3000,
                                     .rx_page_idx = idx * 2,
                                     .rx_capacity_bytes = 4096,
                                     .tx_page_idx = idx * 2 + 1,
                                     .tx_capacity_bytes = 4096,
                                     .flags = FLOW_OPEN};
    memcpy(facts->key, &key, sizeof(key));
    facts->epoch = 1;
    facts->owner = hostile->slot;
    facts->export_next = FLOW_RECORD_NONE;
    facts->iss = 1000;
    facts->irs = 2000;
    facts->mss = 1460;
    facts->service_port = 7;
    facts->ttl = 64;
    facts->tcp_state = RECORDS_ESTABLISHED;
    facts->snd_wnd = facts->snd_wnd_max = RECORDS_RCV_WND;
    facts->cwnd = facts->ssthresh = RECORDS_RCV_WND;
    facts->rcv_ann_wnd = RECORDS_RCV_WND;
    facts->rto = 3;
}

/* Noise over the whole segment, header included. */
static void records_noise(struct hostile *hostile)
{
    fill_random(hostile, hostile->records.base, hostile->records.size_bytes);
}

/* Noise in every record, behind an honest header. */
static void records_random(struct hostile *hostile)
{
    for (uint32_t i = 0; i < segment_of(hostile)->n_records; i++) {
        fill_random(hostile, record_of(hostile, i), sizeof(struct flow_record));
        put_in_use(hostile, i, hostile_random(hostile));
    }
}

/* One lie a record, all else right. */
static void tell_lie(struct flow_cursors *cursors, struct flow_facts *facts, uint32_t lie)
{
    switch (lie) {
    case 0:
        cursors->rx_read = cursors->rx_written + 1;
        return;
    case 1:
        cursors->tx_read = cursors->tx_enqueued + 1;
        return;
    case 2:
        cursors->tx_enqueued = cursors->tx_written + 1;
        return;
    case 3:
        cursors->rx_page_idx = UINT32_MAX;
        return;
    case 4:
        cursors->tx_capacity_bytes = 4095;
        return;
    case 5:
        cursors->rx_written = UINT64_MAX;
        return;
    case 6:
        facts->key[37] = 9; /* family */
        return;
    case 7:
        facts->tcp_state = 200;
        return;
    case 8:
        facts->snd_scale = facts->rcv_scale = 255;
        return;
    case 9:
        facts->mss = 0;
        return;
    case 10:
        facts->n_held = UINT32_MAX;
        facts->is_exact = 1;
        return;
    case 11:
        facts->cwnd = facts->snd_wnd = UINT32_MAX;
        return;
    case 12:
        cursors->rx_capacity_bytes = UINT32_MAX;
        return;
    case 13:
        cursors->tx_page_idx = 255;
        cursors->tx_capacity_bytes = 1u << 20;
        return;
    case 14:
        facts->service_port = 9999;
        return;
    default:
        facts->rto = -1;
        facts->owner = UINT32_MAX;
        return;
    }
}

static void records_torn(struct hostile *hostile)
{
    for (uint32_t i = 0; i < segment_of(hostile)->n_records; i++) {
        forge(hostile, i, (uint16_t)(60000 + i));
        tell_lie(&record_of(hostile, i)->cursors[0], &record_of(hostile, i)->facts[0], i % 16);
        put_in_use(hostile, i, 0);
    }
}

/* A header that points past the end, in every way. */
static void records_far(struct hostile *hostile)
{
    struct records_segment *segment = segment_of(hostile);

    atomic_store_explicit(&segment->n_used, UINT32_MAX, memory_order_relaxed);
    segment->n_records = UINT32_MAX;
    segment->record_bytes = UINT32_MAX;
    segment->n_tombstones = 1u << 31;
    segment->records_off = UINT64_MAX - 4095;
    segment->tombstones_off = UINT64_MAX;
    segment->fifo_off = hostile->records.size_bytes;
    segment->fifo_bytes = UINT64_MAX;
}

/* The same connection in all places, in a chain that never ends, and tombstones of the same. */
static void records_twins(struct hostile *hostile)
{
    struct records_segment *segment = segment_of(hostile);

    for (uint32_t i = 0; i < segment->n_records; i++) {
        forge(hostile, i, 61000);
        record_of(hostile, i)->facts[0].export_next = i ^ 1u;
        put_in_use(hostile, i, 0);
    }
    segment->exported.first = 0;
    segment->exported.n_flows = UINT32_MAX;
    atomic_store_explicit(&segment->tombstones_written, UINT32_MAX, memory_order_release);
}

deed_fn *records_find(const char *name)
{
    static const struct {
        const char *name;
        deed_fn *deed;
    } deeds[] = {
        {"records-noise", records_noise}, {"records-random", records_random}, {"records-torn", records_torn},
        {"records-far", records_far},     {"records-twins", records_twins},
    };

    for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        if (strcmp(name, deeds[i].name) == 0)
            return deeds[i].deed;
    }
    return NULL;
}
