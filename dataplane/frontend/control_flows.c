/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_flows.c — connections, read from the records that the workers commit anyway: no worker and no frame
 * waits for it. The loop lends descriptors of the segments; they are mapped read-only for one page of the
 * list and every record comes through lib/border. A page ends when it is full or when so many records were
 * looked at that others have waited long enough; the cursor says where the next one begins.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "border/records.h"
#include "frontend/control_internal.h"
#include "shm/segment.h"

#define MAX_FLOWS 1000u /* of one page: less than the 200 KiB that a socket takes whole (hangup/hangup.h) */
#define MAX_LOOKS 20000u
#define RECORDS_WAIT_MS 200u /* the loop turns many times in that, or it hangs */

_Static_assert(sizeof(struct flow_key) == FLOW_RECORD_KEY_BYTES, "records hold keys as they are");

/* One page on its way. */
struct page {
    struct control_call *call;
    const Mpa__V1__GetFlowsRequest *request;
    Mpa__V1__GetFlowsReply *body;
    uint32_t limit;
    uint32_t n_looks;
};

static uint64_t behind(uint64_t ahead, uint64_t position)
{
    return ahead > position ? ahead - position : 0;
}

static uint32_t bucket_of_flow(const struct page *page, const struct flow_facts *facts)
{
    const struct board *board = page->call->core->board;
    struct flow_key key;

    memcpy(&key, facts->key, sizeof(key));
    return flow_key_hash(&key, &board->seed) & (board->n_buckets - 1);
}

static Mpa__V1__Flow *flow_message(struct page *page, const struct border_flow *flow, uint32_t slot)
{
    struct control_arena *arena = &page->call->core->arena;
    const struct flow_cursors *cursors = &flow->cursors;
    const struct flow_facts *facts = &flow->facts;
    Mpa__V1__Flow *message = control_alloc(arena, 1, sizeof(*message));
    struct flow_key key;

    if (message == NULL)
        return NULL;
    mpa__v1__flow__init(message);
    memcpy(&key, facts->key, sizeof(key));
    message->key = control_flow_message(arena, &key);
    message->state = (Mpa__V1__FlowState)facts->tcp_state; /* lwIP numbers them as the wire does */
    message->worker = slot;
    message->service_port = facts->service_port;
    message->rx_queue_bytes = behind(cursors->rx_written, cursors->rx_read);
    message->tx_queue_bytes = behind(cursors->tx_written, cursors->tx_read);
    message->in_flight_bytes = behind(cursors->tx_enqueued, cursors->tx_read);
    message->cwnd_bytes = facts->cwnd;
    message->srtt_us = facts->srtt_us;
    message->retransmits = facts->n_retransmits;
    message->age_ms = behind(page->call->now_ns, facts->opened_ns) / CLOCK_NS_PER_MS;
    message->epoch = facts->epoch;
    message->rx_bytes = cursors->rx_written;
    message->tx_bytes = cursors->tx_read;
    message->bucket = bucket_of_flow(page, facts);
    return message->key == NULL ? NULL : message;
}

static bool is_asked_for(const struct page *page, const struct border_flow *flow, uint32_t slot)
{
    /* What was exported is listed where it is now. */
    if (flow->facts.owner != slot)
        return false;
    if (page->request->has_bucket && page->request->bucket != bucket_of_flow(page, &flow->facts))
        return false;
    return !page->request->has_state || flow->facts.tcp_state == (uint32_t)page->request->state;
}

static bool is_full(const struct page *page)
{
    return page->body->n_flows >= page->limit || page->n_looks >= MAX_LOOKS;
}

/* Records from *idx on; *idx is then the first that was not looked at. 0 or -ENOMEM. */
static int page_add_records(struct page *page, const struct border_records *records, uint32_t slot,
                            uint32_t *idx)
{
    uint32_t n_used = border_records_n_used(records);

    for (; *idx < n_used && !is_full(page); ++*idx) {
        struct border_flow flow;
        enum border_result result = border_peek_flow(records, *idx, &flow);

        page->n_looks++;
        if (result == BORDER_PEER_FAULT)
            page->body->unreadable++;
        if (result != BORDER_OK || !is_asked_for(page, &flow, slot))
            continue;
        page->body->flows[page->body->n_flows] = flow_message(page, &flow, slot);
        if (page->body->flows[page->body->n_flows] == NULL)
            return -ENOMEM;
        page->body->n_flows++;
    }
    if (*idx < n_used)
        page->body->next_cursor = (uint64_t)slot << 32 | *idx;
    return 0;
}

/* One worker's records. Takes the descriptor. 0 or -ENOMEM; a segment that cannot be trusted is left out. */
static int page_add_worker(struct page *page, int fd, uint32_t slot, uint32_t idx)
{
    struct segment segment;
    struct border_records records;
    int failed = 0;

    if (segment_attach(&segment, fd, SEGMENT_RECORDS, SEGMENT_ANY_VERSION, sizeof(struct records_segment)) !=
        0) {
        page->body->unreadable++;
        return 0;
    }
    if (border_records_open(&records, segment.base, segment.size_bytes) == BORDER_OK)
        failed = page_add_records(page, &records, slot, &idx);
    else
        page->body->unreadable++;
    segment_fini(&segment);
    return failed;
}

/* Takes every descriptor. */
static int page_add_all(struct page *page, int fds[CONFIG_MAX_WORKERS])
{
    uint32_t first = (uint32_t)(page->request->cursor >> 32);
    int failed = 0;

    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        bool is_other = page->request->has_worker && page->request->worker != slot;

        if (fds[slot] < 0)
            continue;
        if (slot < first || is_other || failed != 0 || page->body->next_cursor != 0) {
            fd_close(&fds[slot]);
            continue;
        }
        if (is_full(page)) {
            page->body->next_cursor = (uint64_t)slot << 32;
            fd_close(&fds[slot]);
            continue;
        }
        failed = page_add_worker(page, fds[slot], slot, slot == first ? (uint32_t)page->request->cursor : 0);
    }
    return failed;
}

int control_get_flows(struct control_call *call)
{
    const Mpa__V1__GetFlowsRequest *request = call->request->get_flows;
    struct page page = {.call = call, .request = request, .limit = MAX_FLOWS};
    int fds[CONFIG_MAX_WORKERS];

    if (request->has_worker && request->worker >= CONFIG_MAX_WORKERS) {
        control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, "worker",
                       "worker %u does not exist (allowed: 0 to %u)", request->worker,
                       CONFIG_MAX_WORKERS - 1);
        return 0;
    }
    if (request->limit != 0 && request->limit < MAX_FLOWS)
        page.limit = request->limit;
    page.body = control_alloc(&call->core->arena, 1, sizeof(*page.body));
    if (page.body == NULL)
        return -ENOMEM;
    mpa__v1__get_flows_reply__init(page.body);
    page.body->flows = control_alloc(&call->core->arena, page.limit, sizeof(*page.body->flows));
    if (page.body->flows == NULL)
        return -ENOMEM;
    if (board_records(call->core->board, fds, RECORDS_WAIT_MS) != 0) {
        control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_DEADLINE, "",
                       "the data loop did not lend the records within %u ms", RECORDS_WAIT_MS);
        return 0;
    }
    call->reply->body_case = MPA__V1__REPLY__BODY_GET_FLOWS;
    call->reply->get_flows = page.body;
    return page_add_all(&page, fds);
}
