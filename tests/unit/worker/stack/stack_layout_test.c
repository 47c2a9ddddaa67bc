/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stack_layout_test.c — records of other versions can be adopted. samples/records-N.bin is what a worker with
 * layout N left behind when it died, frozen; the file ends with the last byte that is not zero.
 *
 * For a new layout: run this program with MPA_WRITE_SAMPLE=records-N.bin, put the file beside the others, add
 * it to the table below, and never write it again.
 */
#include <lwip/priv/tcp_priv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/unit.h"
#include "tests/unit/worker/stack/stack_rig.h"
#include "worker/stack/stack_internal.h"

#define SAMPLE_MAX_CONNECTIONS 16u
#define SAMPLE_FIFO_BYTES (1u << 20)
#define SAMPLE_UNREAD 700u
#define SAMPLE_UNACKED 3000u
#define SAMPLE_FIRST_PORT 7000u
#define SAMPLE_MAX_BYTES (2u << 20)

static struct rig rig;

static struct tcp_script sample_peer(uint8_t family, uint16_t number)
{
    return rig_peer(family, (uint16_t)(SAMPLE_FIRST_PORT + number));
}

static struct tcp_script sample_open(enum rig_consumer consumer, uint8_t family, uint16_t number)
{
    struct tcp_script peer = sample_peer(family, number);

    rig.consumer = consumer;
    CU_ASSERT_FATAL(rig_open(&rig, &peer, RIG_OPTIONS_LINUX, NULL));
    return peer;
}

static void sample_fin(struct tcp_script *peer)
{
    rig_send_flags(&rig, peer, SEGMENT_ACK | SEGMENT_FIN);
    peer->seq++;
}

/* A worker with a connection of each kind: 0 SYN_RCVD, 1 unread bytes (IPv6), 2 unacknowledged bytes, 3
 * LAST_ACK, 4 TIME_WAIT, 5 closed. */
static void sample_make(void)
{
    uint8_t bytes[SAMPLE_UNREAD];
    struct lane_pair_config config;
    struct tcp_script peer;
    struct tcp_segment syn;

    rig_defaults(&config);
    config.max_connections = SAMPLE_MAX_CONNECTIONS;
    config.fifo_memory_bytes = SAMPLE_FIFO_BYTES;
    rig_start(&rig, RIG_ECHO, &config);
    peer = sample_peer(4, 0);
    syn = rig_syn(&peer, RIG_OPTIONS_LINUX);
    rig_send(&rig, &peer, &syn);
    peer = sample_open(RIG_HOLD, 6, 1);
    rig_fill(bytes, 0, sizeof(bytes));
    rig_send_data(&rig, &peer, bytes, sizeof(bytes));
    rig.source_bytes = SAMPLE_UNACKED;
    sample_open(RIG_SOURCE, 4, 2);
    peer = sample_open(RIG_SINK, 4, 3);
    sample_fin(&peer);
    rig.source_bytes = 0;
    rig.source_closes = true;
    peer = sample_open(RIG_SOURCE, 4, 4);
    peer.ack++;
    sample_fin(&peer);
    peer = sample_open(RIG_SINK, 4, 5);
    sample_fin(&peer);
    peer.ack++;
    rig_send_flags(&rig, &peer, SEGMENT_ACK);
    rig_drop_all(&rig);
}

static void sample_write(const char *path, const struct segment *segment)
{
    const uint8_t *bytes = segment->base;
    size_t size = segment->size_bytes;
    FILE *file = fopen(path, "wb");

    while (size > 0 && bytes[size - 1] == 0)
        size--;
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void sample_read(const char *name, struct segment *segment)
{
    char path[512];
    FILE *file;

    *segment = (struct segment){.fd = -1, .base = aligned_alloc(4096, SAMPLE_MAX_BYTES)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(segment->base);
    memset(segment->base, 0, SAMPLE_MAX_BYTES);
    snprintf(path, sizeof(path), "%s/%s", SAMPLES_FOLDER, name);
    file = fopen(path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT(fread(segment->base, 1, SAMPLE_MAX_BYTES, file) > 0);
    fclose(file);
    segment->size_bytes = SAMPLE_MAX_BYTES;
}

static struct conn *sample_conn(uint16_t number)
{
    for (uint32_t idx = 0; idx < rig.pair.stack.n_unused_idx; idx++) {
        struct conn *conn = &rig.pair.stack.conns[idx];

        if (conn->pcb != NULL && conn->pcb->remote_port == SAMPLE_FIRST_PORT + number)
            return conn;
    }
    return NULL;
}

static bool holds_pattern(const struct fifo *fifo, uint32_t n)
{
    struct fifo_span span = fifo_peek(fifo, &rig.pair.fifo_memory);

    return fifo_used(fifo) == n && span.len == n && rig_is_pattern(span.bytes, fifo->read, n);
}

/* What the sample's worker served is served here; then it goes on to its end. */
static void sample_check(const struct segment *sample)
{
    static const enum tcp_state states[] = {SYN_RCVD, ESTABLISHED, ESTABLISHED, LAST_ACK, TIME_WAIT};
    struct attach_adopt order = {.what = ATTACH_ADOPT_DEAD};
    struct stack_adoption adoption;

    rig_init(&rig, RIG_HOLD);
    CU_ASSERT_FATAL(lane_pair_adopt(&rig.pair, sample, &order, &adoption));
    CU_ASSERT_EQUAL(adoption.n_adopted, 5);
    CU_ASSERT_EQUAL(adoption.n_bad, 0);
    for (uint16_t i = 0; i < 5; i++) {
        struct conn *conn = sample_conn(i);

        CU_ASSERT_PTR_NOT_NULL_FATAL(conn);
        CU_ASSERT_EQUAL(conn->pcb->state, states[i]);
        CU_ASSERT_EQUAL(conn->real_mss, i == 1 ? 1440 : RIG_MSS);
        CU_ASSERT_EQUAL(conn->pcb->snd_scale, RIG_SCALE);
    }
    CU_ASSERT_PTR_NULL(sample_conn(5));
    CU_ASSERT(holds_pattern(&sample_conn(1)->rx, SAMPLE_UNREAD));
    CU_ASSERT(holds_pattern(&sample_conn(2)->tx, SAMPLE_UNACKED));
    lane_pair_advance(&rig.pair, 100);
    CU_ASSERT(rig_drop_all(&rig) > 0);
    rig_fini(&rig);
}

static void test_samples(void)
{
    static const char *const names[] = {"records-2.bin"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct segment sample;

        sample_read(names[i], &sample);
        sample_check(&sample);
        free(sample.base);
    }
}

/* A worker of today, in the form the samples have; written out on demand. */
static void test_today(void)
{
    const char *path = getenv("MPA_WRITE_SAMPLE");
    struct segment records;

    sample_make();
    records = rig_stop(&rig);
    if (path != NULL)
        sample_write(path, &records);
    sample_check(&records);
    segment_fini(&records);
}

/* The same segment as a version with parts of other sizes would have written it. */
static void reshape(const struct segment *from, struct segment *to, uint32_t cursors_bytes,
                    uint32_t facts_bytes)
{
    const struct records_segment *old = from->base;
    struct records_segment *new;

    *to = (struct segment){
        .fd = -1, .base = aligned_alloc(4096, SAMPLE_MAX_BYTES), .size_bytes = SAMPLE_MAX_BYTES};
    CU_ASSERT_PTR_NOT_NULL_FATAL(to->base);
    memset(to->base, 0x5a, SAMPLE_MAX_BYTES); /* what is appended is not ours to know */
    memcpy(to->base, old, 4096);
    new = to->base;
    new->cursors_bytes = cursors_bytes;
    new->facts_bytes = facts_bytes;
    new->record_bytes = (uint32_t)segment_align(64 + 2 * cursors_bytes + 2 * facts_bytes, 64);
    new->tombstones_off = segment_align(4096 + (size_t) new->n_records *new->record_bytes, 4096);
    new->fifo_off = new->tombstones_off + 4096;
    memcpy((uint8_t *)new + new->tombstones_off, (const uint8_t *)old + old->tombstones_off,
           old->n_tombstones * sizeof(struct flow_tombstone));
    memcpy((uint8_t *)new + new->fifo_off, (const uint8_t *)old + old->fifo_off, SAMPLE_FIFO_BYTES);
    for (uint32_t i = 0; i < new->n_records; i++) {
        const struct flow_record *record =
            (const struct flow_record *)(const void *)((const uint8_t *)old + old->records_off) + i;
        uint8_t *out = (uint8_t *)new + new->records_off + i *new->record_bytes;

        memcpy(out, record, 64);
        for (unsigned copy = 0; copy < 2; copy++) {
            memcpy(out + 64 + copy * cursors_bytes, &record->cursors[copy], sizeof(record->cursors[copy]));
            memcpy(out + 64 + 2 * cursors_bytes + copy * facts_bytes, &record->facts[copy],
                   facts_bytes < sizeof(record->facts[copy]) ? facts_bytes : sizeof(record->facts[copy]));
        }
    }
}

static void check_reshaped(uint32_t version, uint32_t cursors_bytes, uint32_t facts_bytes)
{
    struct segment records, reshaped;

    sample_make();
    records = rig_stop(&rig);
    reshape(&records, &reshaped, cursors_bytes, facts_bytes);
    ((struct records_segment *)reshaped.base)->header.version = version;
    segment_fini(&records);
    sample_check(&reshaped);
    free(reshaped.base);
}

static void test_older(void)
{
    check_reshaped(RECORDS_SEGMENT_VERSION, sizeof(struct flow_cursors),
                   offsetof(struct flow_facts, n_retransmits) & ~7u);
    check_reshaped(RECORDS_SEGMENT_VERSION, sizeof(struct flow_cursors),
                   offsetof(struct flow_facts, keep_idle_ms));
}

static void test_newer(void)
{
    check_reshaped(RECORDS_SEGMENT_VERSION + 1, sizeof(struct flow_cursors) + 64,
                   sizeof(struct flow_facts) + 48);
}

static void test_foreign(void)
{
    struct attach_adopt order = {.what = ATTACH_ADOPT_DEAD};
    struct stack_adoption adoption;
    struct segment sample;

    sample_read("records-2.bin", &sample);
    rig_init(&rig, RIG_ECHO);
    ((struct records_segment *)sample.base)->header.version = RECORDS_SEGMENT_VERSION + 2;
    CU_ASSERT(!lane_pair_adopt(&rig.pair, &sample, &order, &adoption));
    free(sample.base);
    rig_fini(&rig);
}

const char unit_suite_name[] = "worker/stack: layouts of records";
const struct unit_test unit_tests[] = {
    {"what a worker of today leaves is adopted", test_today},
    {"what workers of earlier layouts left is adopted", test_samples},
    {"an older writer's facts are shorter, and what they lack is zero", test_older},
    {"a newer writer's parts are longer, and what is unknown is skipped", test_newer},
    {"a layout from too far ahead is refused", test_foreign},
    {NULL, NULL},
};
