/* SPDX-License-Identifier: BSD-3-Clause */
/* service_rig.c — the operations of a connection on plain FIFOs. */
#include "tests/unit/worker/service_rig.h"

#include <stdlib.h>
#include <string.h>

#define RIG_REGION_BYTES ((size_t)1 << 20)

static void must(bool is_true)
{
    if (!is_true)
        abort();
}

static struct fifo_span rig_peek(void *context)
{
    struct service_rig *rig = context;

    return fifo_peek(&rig->rx, &rig->memory);
}

static void rig_consume(void *context, uint32_t n_bytes)
{
    struct service_rig *rig = context;

    fifo_consume(&rig->rx, &rig->memory, n_bytes);
}

static struct fifo_span rig_reserve(void *context, uint32_t want)
{
    struct service_rig *rig = context;
    uint32_t used_bytes = fifo_used(&rig->tx);
    uint32_t room_bytes = used_bytes < rig->tx_limit_bytes ? rig->tx_limit_bytes - used_bytes : 0;

    must(want > 0);
    if (rig->is_closed || room_bytes == 0)
        return (struct fifo_span){NULL, 0};
    return fifo_reserve(&rig->tx, &rig->memory, want < room_bytes ? want : room_bytes, &(bool){false});
}

static void rig_produce(void *context, uint32_t n_bytes)
{
    struct service_rig *rig = context;

    must(!rig->is_closed && n_bytes > 0);
    fifo_produce(&rig->tx, n_bytes);
}

static bool rig_is_at_end(void *context)
{
    const struct service_rig *rig = context;

    return rig->has_peer_closed && fifo_used(&rig->rx) == 0;
}

static void rig_close(void *context)
{
    ((struct service_rig *)context)->is_closed = true;
}

static void rig_abort(void *context)
{
    ((struct service_rig *)context)->is_aborted = true;
}

static const struct service_ops rig_ops = {
    .peek = rig_peek,
    .consume = rig_consume,
    .reserve = rig_reserve,
    .produce = rig_produce,
    .is_at_end = rig_is_at_end,
    .close = rig_close,
    .abort = rig_abort,
};

void service_rig_init(struct service_rig *rig, const struct service *service)
{
    *rig = (struct service_rig){.service = service, .tx_limit_bytes = FIFO_MAX_BYTES};
    for (unsigned i = 0; i < 2; i++)
        must(posix_memalign(&rig->regions[i], FIFO_MEMORY_PAGE_BYTES, RIG_REGION_BYTES) == 0);
    must(fifo_memory_init(&rig->memory, rig->regions[0], RIG_REGION_BYTES) == 0);
    rig->state = malloc(SERVICE_STATE_BYTES);
    must(rig->state != NULL);
    memset(rig->state, 0xdd, SERVICE_STATE_BYTES);
    service_open(service, rig->state);
}

void service_rig_fini(struct service_rig *rig)
{
    fifo_fini(&rig->rx, &rig->memory);
    fifo_fini(&rig->tx, &rig->memory);
    must(fifo_memory_used_bytes(&rig->memory) == 0);
    fifo_memory_fini(&rig->memory);
    for (unsigned i = 0; i < 2; i++)
        free(rig->regions[i]);
    free(rig->state);
}

void service_rig_send(struct service_rig *rig, const void *bytes, uint32_t n_bytes)
{
    must(fifo_write(&rig->rx, &rig->memory, bytes, n_bytes) == 0);
}

void service_rig_run(struct service_rig *rig)
{
    struct service_io io = {.ops = &rig_ops, .context = rig, .state = rig->state};

    if (!rig->is_aborted)
        service_run(rig->service, &io);
}

static void move_fifo(struct fifo *fifo, const struct fifo_memory *from, struct fifo_memory *to)
{
    struct fifo moved;

    fifo_init(&moved, fifo->read);
    while (moved.written != fifo->written) {
        struct fifo_span span = fifo_span_at(fifo, from, moved.written, fifo_used(fifo));

        must(fifo_write(&moved, to, span.bytes, span.len) == 0);
        memset(span.bytes, 0xdd, span.len);
    }
    *fifo = moved;
}

void service_rig_move(struct service_rig *rig)
{
    struct fifo_memory moved;
    uint64_t *state = malloc(SERVICE_STATE_BYTES);

    must(state != NULL);
    memset(state, 0xcc, SERVICE_STATE_BYTES);
    memcpy(state, rig->state, rig->service->state_bytes); /* no more is promised to survive */
    memset(rig->state, 0xdd, SERVICE_STATE_BYTES);
    free(rig->state);
    rig->state = state;
    must(service_can_resume(rig->service, state));
    must(fifo_memory_init(&moved, rig->memory.base == rig->regions[0] ? rig->regions[1] : rig->regions[0],
                          RIG_REGION_BYTES) == 0);
    move_fifo(&rig->rx, &rig->memory, &moved);
    move_fifo(&rig->tx, &rig->memory, &moved);
    fifo_memory_fini(&rig->memory);
    rig->memory = moved;
}

uint32_t service_rig_take(struct service_rig *rig, uint8_t *bytes, uint32_t n_bytes)
{
    uint32_t n_taken = 0;

    while (n_taken < n_bytes && fifo_used(&rig->tx) > 0) {
        struct fifo_span span = fifo_span_at(&rig->tx, &rig->memory, rig->tx.read, n_bytes - n_taken);

        memcpy(bytes + n_taken, span.bytes, span.len);
        fifo_consume(&rig->tx, &rig->memory, span.len);
        n_taken += span.len;
    }
    return n_taken;
}
