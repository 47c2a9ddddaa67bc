/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * orders.c — an order has a place from its message, or from its first slot, until its last answer is staged.
 *
 *   EXPORT  message -> fence in one ring -> fence in the other: due -> exported at the end of the turn
 *   ADOPT   message -> slot in one ring: adopted -> slot in the other
 *
 * The frontend is believed but not trusted to be sane: sizes, kinds, counts and descriptors are looked at,
 * and when more orders come than there are places, the oldest is forgotten.
 */
#include "worker/orders.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault_point.h"
#include "base/fd.h"
#include "base/log.h"
#include "flow/key.h"
#include "worker/worker.h"

#define ORDERS_BOTH_RINGS ((uint8_t)(1u << LANE_NORMAL | 1u << LANE_URGENT))

_Static_assert(sizeof(struct flow_key) == FLOW_RECORD_KEY_BYTES, "a key goes over the socket as it is");

void orders_init(struct orders *orders)
{
    *orders = (struct orders){0};
    for (unsigned i = 0; i < ORDERS_MAX; i++)
        orders->places[i].source_fd = -1;
}

static void orders_drop(struct orders *orders, struct order *order)
{
    fd_close(&order->source_fd);
    if (order->unanswered != 0)
        orders->n_unanswered--;
    *order = (struct order){.source_fd = -1};
}

/* Also when the frontend is lost: whoever comes next numbers from where that one stopped and sends again what
 * it still wants. */
void orders_fini(struct orders *orders)
{
    for (unsigned i = 0; i < ORDERS_MAX; i++)
        orders_drop(orders, &orders->places[i]);
    orders->n_exports_due = 0;
}

/* By kind too: a number that was used twice must not turn one order into another. */
static struct order *orders_find(struct orders *orders, uint32_t kind, uint64_t number)
{
    for (unsigned i = 0; i < ORDERS_MAX; i++) {
        if (orders->places[i].number == number && orders->places[i].message.head.kind == kind)
            return &orders->places[i];
    }
    return NULL;
}

/*
 * A place for an order with nothing in it. When all are taken the oldest gives way, for what never met its
 * slots in so long never will; to refuse the new one would leave the frontend without an answer.
 */
static struct order *orders_add(struct orders *orders, uint32_t kind, uint64_t number)
{
    struct order *order = &orders->places[0];

    for (unsigned i = 0; i < ORDERS_MAX && order->number != 0; i++) {
        struct order *place = &orders->places[i];

        if (place->number == 0 || place->arrived < order->arrived)
            order = place;
    }
    if (order->number != 0)
        log_warn("order_forgotten number=%llu reason=\"too many at a time\"",
                 (unsigned long long)order->number);
    orders_drop(orders, order);
    order->number = number;
    order->arrived = ++orders->n_arrived;
    order->message.head.magic = ATTACH_MAGIC;
    order->message.head.kind = kind;
    order->message.head.number = number;
    return order;
}

/* NULL when the message is fine, else what is wrong. */
static const char *orders_check(const struct orders *orders, const union order_message *message, ssize_t size,
                                bool has_fd)
{
    size_t wanted = 0;

    if (size < (ssize_t)sizeof(message->head) || message->head.magic != ATTACH_MAGIC)
        return "not an order";
    if (message->head.kind == ATTACH_EXPORT)
        wanted = sizeof(message->export);
    else if (message->head.kind == ATTACH_ADOPT)
        wanted = sizeof(message->adopt);
    else if (message->head.kind == ATTACH_RESET)
        wanted = sizeof(message->reset);
    if ((size_t)size != wanted)
        return "its kind or size";
    if (message->head.kind == ATTACH_EXPORT && message->export.n_buckets > ATTACH_MAX_BUCKETS)
        return "its number of buckets";
    if (has_fd != (message->head.kind == ATTACH_ADOPT))
        return "its descriptor";
    for (unsigned i = 0; i < ORDERS_MAX; i++) {
        if (message->head.number == 0 || orders->places[i].number == message->head.number)
            return "its number";
    }
    return NULL;
}

/* All there is: the socket is level-triggered for the loop, and a full one would block nobody but make the
 * frontend think that we are deaf. */
bool orders_receive(struct worker *worker)
{
    for (;;) {
        union order_message message = {0};
        int fds[N_ATTACH_ADOPT_FDS];
        ssize_t size = fd_receive(worker->attach_socket, &message, sizeof(message), fds, N_ATTACH_ADOPT_FDS);
        const char *objection;
        struct order *order;

        if (size == -EAGAIN)
            return true;
        if (size == 0 || (size < 0 && size != -EMSGSIZE))
            return false;
        objection = orders_check(&worker->orders, &message, size, fds[ATTACH_FD_SOURCE] >= 0);
        if (objection != NULL) {
            fd_close(&fds[ATTACH_FD_SOURCE]);
            log_warn("order_refused kind=%u bytes=%zd objection=\"%s\"", message.head.kind, size, objection);
            continue;
        }
        order = orders_add(&worker->orders, message.head.kind, message.head.number);
        order->message = message;
        order->source_fd = fds[ATTACH_FD_SOURCE];
    }
}

/* The order of a slot. Its message lies on the socket by now, or never comes: then it orders nothing. */
static struct order *orders_of_slot(struct worker *worker, uint32_t kind, uint64_t number)
{
    struct order *order = orders_find(&worker->orders, kind, number);

    if (order == NULL && orders_receive(worker))
        order = orders_find(&worker->orders, kind, number);
    if (order != NULL)
        return order;
    log_warn("order_missing kind=%u number=%llu", kind, (unsigned long long)number);
    return orders_add(&worker->orders, kind, number);
}

/* Stages the answers that an order still owes; they may have to wait for room. */
static void orders_answer(struct worker *worker, struct order *order)
{
    bool was_unanswered = order->unanswered != 0;

    for (int p = 0; p < N_LANE_PRIORITIES; p++) {
        int failed;

        if ((order->unanswered >> p & 1) == 0)
            continue;
        if (order->message.head.kind == ATTACH_ADOPT)
            failed = staging_put_adopted(&worker->staging, order->number, order->n_flows);
        else
            failed = staging_put_fence(&worker->staging, (enum lane_priority)p, order->number);
        if (failed == 0)
            order->unanswered &= (uint8_t) ~(1u << p);
    }
    if (!was_unanswered || order->unanswered != 0)
        return;
    worker->orders.n_unanswered--;
    /* An ADOPT is answered behind its first slot: the second one must still find that it was done. */
    if (order->met == ORDERS_BOTH_RINGS)
        orders_drop(&worker->orders, order);
}

/* Answers are staged at the end of the turn, never at once: they speak for what that turn commits. */
static void orders_owe(struct orders *orders, struct order *order, uint8_t rings)
{
    if (order->unanswered == 0)
        orders->n_unanswered++;
    order->unanswered |= rings;
}

/* Maps the other worker's records and takes its flows over. 0 or -errno. */
static int orders_adopt_from(struct worker *worker, struct order *order, struct stack_adoption *adoption)
{
    struct segment source = {.fd = -1};
    struct border_records records;
    int fd = order->source_fd;
    int failed;

    order->source_fd = -1;
    if (fd < 0)
        return -ENODATA;
    /* The gate looks at version and sizes: an older writer's segment is adopted too. */
    failed = segment_attach(&source, fd, SEGMENT_RECORDS, SEGMENT_ANY_VERSION, sizeof(struct segment_header));
    if (failed < 0)
        return failed;
    if (border_records_open(&records, source.base, source.size_bytes) == BORDER_OK) {
        fault_point(FAULT_adopt_mapped);
        stack_adopt(&worker->stack, &records, &order->message.adopt, adoption);
        fault_point(FAULT_adopt_taken);
    } else {
        failed = -EPROTO;
    }
    segment_fini(&source);
    return failed;
}

/* An estate is worth a line, a bucket that moves is not: those come by the hundred. */
static void orders_adopt(struct worker *worker, struct order *order)
{
    const struct attach_adopt *message = &order->message.adopt;
    uint64_t begin_ns = clock_now_ns();
    struct stack_adoption adoption = {0};
    int failed = orders_adopt_from(worker, order, &adoption);

    if (failed < 0)
        log_warn("adopt_failed number=%llu from=%u error=\"%s\"", (unsigned long long)order->number,
                 message->from, strerror(-failed));
    else if (message->what == ATTACH_ADOPT_DEAD)
        log_info("adopted number=%llu from=%u flows=%u known=%u bad=%u us=%llu",
                 (unsigned long long)order->number, message->from, adoption.n_adopted, adoption.n_known,
                 adoption.n_bad, (unsigned long long)((clock_now_ns() - begin_ns) / CLOCK_NS_PER_US));
    order->n_flows = adoption.n_adopted;
    orders_owe(&worker->orders, order, 1u << LANE_NORMAL);
}

/* Frames of the flows may stand behind either slot, so the first one met decides. */
static void orders_slot_adopt(struct worker *worker, struct order *order, enum lane_priority priority)
{
    bool is_first = order->met == 0;

    order->met |= (uint8_t)(1u << priority);
    if (is_first)
        orders_adopt(worker, order);
    else if (order->met == ORDERS_BOTH_RINGS && order->unanswered == 0)
        orders_drop(&worker->orders, order);
}

/* The export waits for both rings: what stands before a fence is still the exporter's to process. */
static void orders_slot_fence(struct worker *worker, struct order *order, enum lane_priority priority)
{
    if (order->met == ORDERS_BOTH_RINGS)
        return; /* a fence too many */
    order->met |= (uint8_t)(1u << priority);
    if (order->met == ORDERS_BOTH_RINGS)
        worker->orders.n_exports_due++;
}

/* A flow that is not here was closed, or is another's by now: both are what was wanted. */
static void orders_slot_reset(struct worker *worker, struct order *order)
{
    struct flow_key key;

    memcpy(&key, order->message.reset.key, sizeof(key));
    if (!stack_reset_flow(&worker->stack, &key))
        log_debug("reset_misses number=%llu", (unsigned long long)order->number);
    orders_drop(&worker->orders, order);
}

void orders_slot(struct worker *worker, const struct border_rx *slot, enum lane_priority priority)
{
    switch (slot->kind) {
    case LANE_SLOT_FENCE:
        orders_slot_fence(worker, orders_of_slot(worker, ATTACH_EXPORT, slot->number), priority);
        break;
    case LANE_SLOT_ADOPT:
        orders_slot_adopt(worker, orders_of_slot(worker, ATTACH_ADOPT, slot->number), priority);
        break;
    case LANE_SLOT_RELEASE:
        stack_release(&worker->stack, slot->number);
        break;
    case LANE_SLOT_RESET:
        orders_slot_reset(worker, orders_of_slot(worker, ATTACH_RESET, slot->number));
        break;
    case LANE_SLOT_FRAME:
    case LANE_SLOT_ICMP_ERROR:
    case LANE_SLOT_ADDRESSES:
    case LANE_SLOT_OPENED:
    case LANE_SLOT_CLOSED:
    case LANE_SLOT_ADOPTED:
        break; /* not the caller's to hand over */
    }
}

/* Behind input, timers and consumers: the record is exact, nothing happens to the flow after it. */
static void orders_export(struct worker *worker, struct order *order)
{
    uint32_t n_flows;

    fault_point(FAULT_export_begin);
    n_flows = stack_export(&worker->stack, &order->message.export);
    fault_point(FAULT_export_announced);
    log_debug("exported number=%llu to=%u flows=%u", (unsigned long long)order->number,
              order->message.export.to, n_flows);
    orders_owe(&worker->orders, order, ORDERS_BOTH_RINGS);
}

void orders_finish_turn(struct worker *worker)
{
    struct orders *orders = &worker->orders;

    if (orders->n_exports_due == 0 && orders->n_unanswered == 0)
        return; /* nearly every turn: the places are many cache lines */
    for (unsigned i = 0; i < ORDERS_MAX; i++) {
        struct order *order = &orders->places[i];
        bool is_export = order->number != 0 && order->message.head.kind == ATTACH_EXPORT;

        if (is_export && order->met == ORDERS_BOTH_RINGS && order->unanswered == 0)
            orders_export(worker, order);
        if (order->unanswered == 0)
            continue;
        orders_answer(worker, order);
        if (is_export)
            fault_point(FAULT_export_answered);
        else
            fault_point(FAULT_adopt_answered);
    }
    orders->n_exports_due = 0;
}
