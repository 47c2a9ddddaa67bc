/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * balancer.c — one round: GetWorkers, GetLanes, GetBuckets, one after the other; then the policy observes,
 * and decides unless something is under way. A round that gets no answer is left out.
 *
 * Orders are apart from rounds: a Migrate for each worker that gets buckets, in turn; for an elephant first a
 * search for the flow that makes its bucket heavy (elephant.h), which goes alone if there is one. Rounds go
 * on meanwhile and only measure. What an order really did shows in the owners of the next round, so one that
 * failed needs no repair.
 */
#include "controlplane/controld/balancer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "controlplane/controld/changes.h"
#include "controlplane/controld/decisions.h"
#include "controlplane/controld/degrader.h"
#include "controlplane/controld/elephant.h"
#include "controlplane/controld/events.h"
#include "controlplane/controld/frontend_link.h"
#include "controlplane/controld/measures.h"
#include "controlplane/controld/operation.h"
#include "controlplane/controld/wire.h"

#define ANSWER_MS 1000u

struct balancer {
    struct controld *controld;
    bool is_on;
    struct frontend_call call;
    uint64_t due_ns;      /* next round */
    uint64_t observed_ns; /* last round that was complete; 0: none */
    struct measures measures;
    struct balance *policy; /* NULL before the first round */
    struct decisions decisions;
    /* The orders of one decision. */
    struct operation *operation;
    bool is_ordering;
    struct balance_decision order;
    uint64_t order_number;     /* decisions.n_made of it, to find its entry */
    uint32_t n_ordered;        /* workers that have been given their buckets, as a slot number */
    struct elephant *elephant; /* looks for the flow behind a heavy bucket */
    char flow_outcome[DECISION_OUTCOME_BYTES]; /* of a flow that was ordered alone; else empty */
};

/* ---- orders ---- */

/* Where the outcome is told; NULL: the decision is forgotten by now. */
static struct decision *ordered_decision(struct balancer *balancer)
{
    struct decisions *decisions = &balancer->decisions;

    if (decisions->n_made - balancer->order_number >= DECISIONS_MAX)
        return NULL;
    return &decisions->entries[(balancer->order_number - 1) % DECISIONS_MAX];
}

static void order_end(struct balancer *balancer, const char *outcome)
{
    struct decision *decision = ordered_decision(balancer);

    balancer->is_ordering = false;
    if (decision != NULL)
        snprintf(decision->outcome, sizeof(decision->outcome), "%s", outcome);
}

static int compare_buckets(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return (a > b) - (a < b);
}

/* Begins the order for the next worker that gets something, or ends. */
static void order_next(struct balancer *balancer)
{
    uint32_t buckets[BALANCE_MAX_MOVES];
    size_t n = 0;

    for (; balancer->n_ordered < BALANCE_MAX_WORKERS && n == 0; balancer->n_ordered++) {
        for (uint32_t i = 0; i < balancer->order.n_moves; i++) {
            if (balancer->order.moves[i].to == balancer->n_ordered)
                buckets[n++] = balancer->order.moves[i].bucket;
        }
    }
    if (n == 0) {
        order_end(balancer, balancer->flow_outcome[0] == '\0' ? "done" : balancer->flow_outcome);
        return;
    }
    qsort(buckets, n, sizeof(buckets[0]), compare_buckets);
    operation_begin_migrate(balancer->operation, buckets, n, balancer->n_ordered - 1);
}

/* operation_done_fn. */
static void order_done(void *context, bool is_good, const char *text)
{
    struct balancer *balancer = context;

    if (is_good) {
        order_next(balancer);
        return;
    }
    log_warn("balance_order_failed reason=%s error=\"%s\"", balance_reason_name(balancer->order.reason),
             text);
    order_end(balancer, text);
}

/* elephant_found_fn. Its company in the bucket stays where it is. */
static void elephant_found(void *context, const Mpa__V1__FlowKey *flow)
{
    struct balancer *balancer = context;
    uint32_t to = balancer->order.moves[0].to;

    if (flow == NULL) {
        order_next(balancer);
        return;
    }
    snprintf(balancer->flow_outcome, sizeof(balancer->flow_outcome), "done: tcp %s:%u -> %s:%u alone",
             flow->remote_address, flow->remote_port, flow->local_address, flow->local_port);
    log_info("balance_flow bucket=%u to=%u remote=%s remote_port=%u", balancer->order.moves[0].bucket, to,
             flow->remote_address, flow->remote_port);
    balancer->n_ordered = BALANCE_MAX_WORKERS;
    operation_begin_migrate_flow(balancer->operation, flow, to);
}

/* ---- decisions ---- */

static void tell(struct balancer *balancer, const struct balance_decision *decision)
{
    const char *reason = balance_reason_name(decision->reason);
    char text[256];
    char moves[12];
    struct event event = {.kind = MPA__V1__EVENT_KIND__EVENT_KIND_BALANCE,
                          .role = MPA__V1__ROLE__ROLE_CONTROLD,
                          .n_fields = 3,
                          .fields = {{"text", text}, {"reason", reason}, {"moves", moves}}};

    balance_text(decision, text, sizeof(text));
    snprintf(moves, sizeof(moves), "%u", decision->n_moves);
    log_info("balance reason=%s moves=%u text=\"%s\"", reason, decision->n_moves, text);
    events_publish(balancer->controld->events, &event);
}

/* Carries out a decision that has moves, and keeps it in any case. */
static struct decision *follow(struct balancer *balancer, const struct balance_decision *decision,
                               bool is_forced)
{
    bool is_news;
    struct decision *entry = decisions_add(&balancer->decisions, decision, is_forced, &is_news);

    if (is_news && (decision->n_moves > 0 || decision->reason == BALANCE_ELEPHANT_LEFT))
        tell(balancer, decision);
    if (decision->n_moves == 0)
        return entry;
    balance_commit(balancer->policy, decision);
    snprintf(entry->outcome, sizeof(entry->outcome), "pending");
    balancer->order = *decision;
    balancer->order_number = balancer->decisions.n_made;
    balancer->n_ordered = 0;
    balancer->is_ordering = true;
    balancer->flow_outcome[0] = '\0';
    if (decision->reason == BALANCE_MOVE_ELEPHANT)
        elephant_begin(balancer->elephant, decision->moves[0].from, decision->moves[0].bucket);
    else
        order_next(balancer);
    return entry;
}

/* Why nothing may be ordered now; NULL: it may. */
static const char *obstacle(const struct balancer *balancer)
{
    return balancer->is_ordering ? "buckets are being moved" : changes_obstacle(balancer->controld);
}

/* ---- rounds ---- */

static struct balance_config policy_config(const struct config_control *control)
{
    struct balance_config config;

    balance_defaults(&config);
    config.weight_cpu = control->balance_weight_cpu;
    config.weight_ring = control->balance_weight_ring;
    config.weight_connections = control->balance_weight_connections;
    config.floor_permille = control->balance_floor_permille;
    config.factor_permille = control->balance_factor_permille;
    return config;
}

/* The policy for a table of that size; false: memory is out. */
static bool policy_fit(struct balancer *balancer)
{
    struct balance_config config = policy_config(&balancer->controld->config.control);
    uint32_t n_buckets = balancer->measures.n_buckets;

    if (balancer->policy != NULL && balance_n_buckets(balancer->policy) == n_buckets)
        return true;
    balance_free(balancer->policy);
    balancer->policy = balance_new(n_buckets, &config);
    balancer->observed_ns = 0;
    return balancer->policy != NULL;
}

/* Every reply of the round is there. */
static void round_end(struct balancer *balancer)
{
    struct balance_decision decision;
    struct balance_input input = {.owners = balancer->measures.owners, .frames = balancer->measures.frames};
    uint64_t now_ns = clock_now_ns();

    if (!policy_fit(balancer))
        return;
    memcpy(input.workers, balancer->measures.workers, sizeof(input.workers));
    /* A spare is there for the time of an update: it gets what it gets by drains. */
    for (uint32_t slot = 0; slot < BALANCE_MAX_WORKERS; slot++)
        input.workers[slot].is_there &= !balancer->controld->supervisor.processes[1 + slot].is_spare;
    input.interval_ms = (uint32_t)((now_ns - balancer->observed_ns) / CLOCK_NS_PER_MS);
    if (balancer->observed_ns == 0 || input.interval_ms == 0)
        input.interval_ms = 1;
    balancer->observed_ns = now_ns;
    balance_observe(balancer->policy, &input);
    changes_round(balancer->controld, &balancer->measures, balancer->policy);
    if (!balancer->is_on || obstacle(balancer) != NULL)
        return;
    balance_decide(balancer->policy, false, &decision);
    (void)follow(balancer, &decision, false);
}

static void look(struct balancer *balancer, Mpa__V1__Request__BodyCase question)
{
    /* Without memory the round is left out. */
    (void)!frontend_call_look(&balancer->call, question, ANSWER_MS);
}

/* Takes the answer to the question and asks the next. */
static void take_reply(struct balancer *balancer, const Mpa__V1__Reply *reply)
{
    if (frontend_call_is_refused(&balancer->call, reply))
        return;
    switch ((int)reply->body_case) {
    case MPA__V1__REPLY__BODY_GET_WORKERS:
        measures_take_workers(&balancer->measures, reply->get_workers,
                              balancer->controld->config.worker.max_connections);
        look(balancer, MPA__V1__REQUEST__BODY_GET_LANES);
        return;
    case MPA__V1__REPLY__BODY_GET_LANES:
        measures_take_lanes(&balancer->measures, reply->get_lanes);
        look(balancer, MPA__V1__REQUEST__BODY_GET_BUCKETS);
        return;
    case MPA__V1__REPLY__BODY_GET_BUCKETS:
        if (measures_take_buckets(&balancer->measures, reply->get_buckets) == 0)
            round_end(balancer);
        return;
    }
}

/* frontend_call_done_fn. */
static void answered(void *context, int error, nng_msg *answer)
{
    struct balancer *balancer = context;
    Mpa__V1__Reply *reply;

    if (error != 0)
        return;
    reply = wire_unpack(answer);
    if (reply == NULL)
        return;
    take_reply(balancer, reply);
    mpa__v1__reply__free_unpacked(reply, NULL);
}

void balancer_tick(struct balancer *balancer, uint64_t now_ns)
{
    const struct controld *controld = balancer->controld;

    operation_tick(balancer->operation, now_ns);
    elephant_tick(balancer->elephant, now_ns);
    if (now_ns < balancer->due_ns || balancer->call.state != FRONTEND_CALL_IDLE ||
        controld->supervisor.processes[0].state != PROCESS_RUNNING || controld->supervisor.is_stopping)
        return;
    balancer->due_ns = now_ns + controld->config.control.balance_ms * CLOCK_NS_PER_MS;
    look(balancer, MPA__V1__REQUEST__BODY_GET_WORKERS);
}

void balancer_step(struct balancer *balancer)
{
    frontend_call_step(&balancer->call);
    operation_step(balancer->operation);
    elephant_step(balancer->elephant);
}

/* ---- commands ---- */

void balancer_configure(struct balancer *balancer)
{
    const struct config_control *control = &balancer->controld->config.control;
    struct balance_config config = policy_config(control);

    if (balancer->is_on != control->balance)
        log_info("balance_set on=%s", control->balance ? "true" : "false");
    balancer->is_on = control->balance;
    balancer->due_ns = 0; /* a round may be due sooner now */
    if (balancer->policy != NULL)
        balance_configure(balancer->policy, &config);
}

nng_msg *balancer_rebalance(struct balancer *balancer, uint64_t id, bool is_dry)
{
    const char *refusal = is_dry ? NULL : obstacle(balancer);
    Mpa__V1__Reply reply = MPA__V1__REPLY__INIT;
    Mpa__V1__RebalanceReply body = MPA__V1__REBALANCE_REPLY__INIT;
    struct decision dry = {.times = 1, .is_forced = true};
    const struct decision *decision = &dry;
    struct balance_decision made;
    struct decision_wire wire;

    if (refusal != NULL)
        return wire_refusal(id, MPA__V1__ERROR_CODE__ERROR_CODE_BUSY, "rebalance", refusal);
    if (balancer->policy == NULL)
        return wire_refusal(id, MPA__V1__ERROR_CODE__ERROR_CODE_UNAVAILABLE, "rebalance",
                            "mpa-frontend has told no load yet (see status)");
    balance_decide(balancer->policy, true, &made);
    dry.balance = made;
    if (!is_dry)
        decision = follow(balancer, &made, true);
    decision_to_wire(decision, &wire);
    body.decision = &wire.message;
    reply.id = id;
    reply.body_case = MPA__V1__REPLY__BODY_REBALANCE;
    reply.rebalance = &body;
    return wire_pack(&reply.base);
}

/* The workers that take part, with their scores. */
static size_t fill_scores(const struct balancer *balancer, Mpa__V1__WorkerScore *scores,
                          Mpa__V1__WorkerScore **list)
{
    size_t n = 0;

    for (uint32_t slot = 0; balancer->policy != NULL && slot < BALANCE_MAX_WORKERS; slot++) {
        if (!balancer->measures.workers[slot].is_there)
            continue;
        mpa__v1__worker_score__init(&scores[n]);
        scores[n].slot = slot;
        scores[n].score_permille = balance_score_permille(balancer->policy, slot);
        list[n] = &scores[n];
        n++;
    }
    return n;
}

static void fill_config(const struct config_control *control, Mpa__V1__ExplainReply *body)
{
    body->interval_ms = control->balance_ms;
    body->weight_cpu = control->balance_weight_cpu;
    body->weight_ring = control->balance_weight_ring;
    body->weight_connections = control->balance_weight_connections;
    body->floor_permille = control->balance_floor_permille;
    body->factor_permille = control->balance_factor_permille;
}

nng_msg *balancer_explain(const struct balancer *balancer, uint64_t id, uint32_t limit)
{
    uint32_t n = decisions_count(&balancer->decisions);
    Mpa__V1__Reply reply = MPA__V1__REPLY__INIT;
    Mpa__V1__ExplainReply body = MPA__V1__EXPLAIN_REPLY__INIT;
    Mpa__V1__WorkerScore scores[BALANCE_MAX_WORKERS];
    Mpa__V1__WorkerScore *score_list[BALANCE_MAX_WORKERS];
    Mpa__V1__Decision *list[DECISIONS_MAX];
    struct decision_wire *wires = calloc(DECISIONS_MAX, sizeof(*wires));
    struct changes_wire scaling;
    struct degrade_wire degrade;
    nng_msg *packed;

    if (wires == NULL)
        return NULL;
    if (limit > 0 && limit < n)
        n = limit;
    for (uint32_t i = 0; i < n; i++) {
        decision_to_wire(decisions_get(&balancer->decisions, i), &wires[i]);
        list[i] = &wires[i].message;
    }
    body.on = balancer->is_on;
    fill_config(&balancer->controld->config.control, &body);
    body.n_workers = fill_scores(balancer, scores, score_list);
    body.workers = score_list;
    body.n_decisions = n;
    body.decisions = list;
    body.scale_on = balancer->controld->scaler.is_on;
    body.n_scale_decisions = changes_explain(balancer->controld, &scaling, limit);
    body.scale_decisions = scaling.list;
    body.n_degrade = degrader_fill_decisions(balancer->controld->degrader, limit, &degrade);
    body.degrade = degrade.list;
    reply.id = id;
    reply.body_case = MPA__V1__REPLY__BODY_EXPLAIN;
    reply.explain = &body;
    packed = wire_pack(&reply.base);
    free(wires);
    return packed;
}

/* ---- start and end ---- */

int balancer_new(struct balancer **balancer, struct controld *controld)
{
    struct balancer *new = calloc(1, sizeof(*new));
    int error;

    *balancer = NULL;
    if (new == NULL)
        return NNG_ENOMEM;
    new->controld = controld;
    new->is_on = controld->config.control.balance;
    error = frontend_call_init(&new->call, controld->link, answered, new);
    if (error == 0)
        error = operation_new(&new->operation, controld->link, order_done, new);
    if (error == 0)
        error = elephant_new(&new->elephant, controld->link, elephant_found, new);
    if (error == 0)
        *balancer = new;
    else
        balancer_free(new);
    return error;
}

void balancer_free(struct balancer *balancer)
{
    if (balancer == NULL)
        return;
    frontend_call_fini(&balancer->call);
    operation_free(balancer->operation);
    elephant_free(balancer->elephant);
    balance_free(balancer->policy);
    measures_fini(&balancer->measures);
    free(balancer);
}
