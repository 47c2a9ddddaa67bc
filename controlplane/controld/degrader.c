/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * degrader.c — one round: GetWorkers, GetLanes, GetNic, one after the other; then the policy decides, and
 * SetDegrade tells the frontend. A round that gets no answer is left out: then nothing is renewed either, and
 * the frontend ends the order by itself when its lease is over.
 *
 * In step NONE nothing is sent, but for once after a step that was told. A new mpa-controld begins there;
 * what its predecessor ordered holds for the rest of the lease, time enough to find the step again. Workers
 * that its predecessor has ended come back when the pressure would have let them: never before it was judged.
 */
#include "controlplane/controld/degrader.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "controlplane/controld/changes.h"
#include "controlplane/controld/events.h"
#include "controlplane/controld/frontend_link.h"
#include "controlplane/controld/pressure.h"
#include "controlplane/controld/wire.h"
#include "controlplane/policy/degrade.h"

#define ANSWER_MS 1000u
#define LEASE_ROUNDS 3u /* an order outlives so many rounds that fail, and LEASE_MS */
#define LEASE_MS 2000u
#define FIT_ROUNDS 10u     /* between two workers that end: what the last one gave has to show */
#define MEMINFO_BYTES 512u /* what is looked for stands in its first lines */

struct degrader_entry {
    struct degrade_decision decision;
    uint64_t time_ns; /* CLOCK_REALTIME */
    bool is_forced;
};

struct degrader {
    struct controld *controld;
    Mpa__V1__DegradeMode mode;
    struct degrade policy;
    struct pressure pressure;
    uint32_t shed_mask; /* workers that are to get no new connections */
    bool is_told;       /* the frontend has an order that is not NONE */
    struct frontend_call call;
    uint64_t due_ns;      /* next round */
    int meminfo_fd;       /* of the machine; opened before we are confined, -1: not looked at */
    uint64_t shrink_ns;   /* no other worker ends before */
    uint64_t unshrink_ns; /* workers that would not start are not tried again before */
    struct degrader_entry entries[DEGRADER_MAX_DECISIONS]; /* a ring */
    uint64_t n_made;
    char text[DEGRADER_TEXT_BYTES]; /* of the last decision */
};

/* Both enums are in the same order. */
static_assert(MPA__V1__DEGRADE_STEP__DEGRADE_STEP_SHED_ALL == (int)DEGRADE_SHED_ALL, "step");
static_assert(MPA__V1__DEGRADE_STEP__DEGRADE_STEP_FEWER_WORKERS == (int)DEGRADE_N_STEPS - 1, "step");
static_assert(MPA__V1__DEGRADE_PRESSURE__DEGRADE_PRESSURE_CPU == (int)DEGRADE_CPU, "pressure");
static_assert(MPA__V1__DEGRADE_PRESSURE__DEGRADE_PRESSURE_MACHINE == (int)DEGRADE_MACHINE, "pressure");

/* ---- decisions ---- */

static uint64_t wall_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Keeps and tells what has changed. */
static void follow(struct degrader *degrader, const struct degrade_decision *decision, bool is_forced)
{
    const char *pressure = is_forced ? "none" : degrade_pressure_name(decision->pressure);
    struct event event = {.kind = MPA__V1__EVENT_KIND__EVENT_KIND_DEGRADE,
                          .role = MPA__V1__ROLE__ROLE_CONTROLD,
                          .n_fields = 4,
                          .fields = {{"text", degrader->text},
                                     {"step", degrade_step_name(decision->to)},
                                     {"from", degrade_step_name(decision->from)},
                                     {"pressure", pressure}}};

    degrader->entries[degrader->n_made++ % DEGRADER_MAX_DECISIONS] =
        (struct degrader_entry){*decision, wall_ns(), is_forced};
    degrade_text(decision, is_forced, degrader->text, sizeof(degrader->text));
    if (decision->to > decision->from)
        log_warn("degrade step=%s from=%s text=\"%s\"", degrade_step_name(decision->to),
                 degrade_step_name(decision->from), degrader->text);
    else
        log_info("degrade step=%s from=%s text=\"%s\"", degrade_step_name(decision->to),
                 degrade_step_name(decision->from), degrader->text);
    events_publish(degrader->controld->events, &event);
}

/* An operator's step. */
static void force(struct degrader *degrader, enum degrade_step step)
{
    struct degrade_decision decision = {.change =
                                            step > degrader->policy.step ? DEGRADE_WORSE : DEGRADE_BETTER,
                                        .from = degrader->policy.step,
                                        .to = step};

    if (step == degrader->policy.step)
        return;
    degrade_set_step(&degrader->policy, step);
    follow(degrader, &decision, true);
}

/* ---- rounds ---- */

static struct degrade_config policy_config(const struct config_control *control)
{
    struct degrade_config config;

    degrade_defaults(&config);
    config.limits_permille[DEGRADE_SHED_CONGESTED - 1] = control->degrade_congested_permille;
    config.limits_permille[DEGRADE_SHED_ALL - 1] = control->degrade_all_permille;
    config.limits_permille[DEGRADE_SHORT_IDLE - 1] = control->degrade_idle_permille;
    config.limits_permille[DEGRADE_FEWER_WORKERS - 1] = control->degrade_workers_permille;
    config.relief_permille = control->degrade_relief_permille;
    return config;
}

static void look(struct degrader *degrader, Mpa__V1__Request__BodyCase question)
{
    /* Without memory the round is left out. */
    (void)!frontend_call_look(&degrader->call, question, ANSWER_MS);
}

/* What the step asks of the frontend. */
static void order(struct degrader *degrader)
{
    const struct config_control *control = &degrader->controld->config.control;
    enum degrade_step step = degrader->policy.step;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__SetDegradeRequest body = MPA__V1__SET_DEGRADE_REQUEST__INIT;
    Mpa__V1__DegradeOrder message = MPA__V1__DEGRADE_ORDER__INIT;
    uint32_t slots[CONFIG_MAX_WORKERS];

    if (step == DEGRADE_NONE && !degrader->is_told)
        return;
    message.step = (Mpa__V1__DegradeStep)step;
    message.shed_slots = slots;
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        if ((degrader->shed_mask >> slot & 1) != 0)
            slots[message.n_shed_slots++] = slot;
    }
    message.shed_all = step >= DEGRADE_SHED_ALL;
    message.silent = control->refuse == CONFIG_REFUSE_SILENT;
    message.idle_limit_s = step >= DEGRADE_SHORT_IDLE ? control->degrade_idle_s : 0;
    message.lease_ms = LEASE_ROUNDS * control->degrade_ms + LEASE_MS;
    body.order = &message;
    request.body_case = MPA__V1__REQUEST__BODY_SET_DEGRADE;
    request.set_degrade = &body;
    /* Without memory it is given with the next round. */
    (void)!frontend_call_ask(&degrader->call, &request, ANSWER_MS);
}

static void look_at_machine(struct degrader *degrader)
{
    char text[MEMINFO_BYTES];
    ssize_t n;

    if (!degrader->controld->config.control.degrade_machine || degrader->meminfo_fd < 0 ||
        lseek(degrader->meminfo_fd, 0, SEEK_SET) < 0)
        return;
    n = read(degrader->meminfo_fd, text, sizeof(text) - 1);
    if (n <= 0)
        return;
    text[n] = '\0';
    pressure_take_machine(&degrader->pressure, text);
}

/* True when those that were ended may come back, in a step that lets them: an operator says so, or the
 * pressure has been away for long. */
static bool may_unshrink(const struct degrader *degrader)
{
    return degrader->mode != MPA__V1__DEGRADE_MODE__DEGRADE_MODE_AUTO ||
           degrade_is_machine_relieved(&degrader->policy);
}

static void unshrink(struct degrader *degrader, uint64_t now_ns)
{
    struct controld *controld = degrader->controld;
    uint32_t n_full = controld->update.n_full;

    if (update_unshrink(&controld->update, controld->config.worker.max, now_ns) != 0)
        return;
    degrader->unshrink_ns = now_ns + FIT_ROUNDS * controld->config.control.degrade_ms * CLOCK_NS_PER_MS;
    log_info("degrade_workers_return full=%u max=%u", n_full, controld->config.worker.max);
}

/* None ends that would leave connections without memory. */
static void shrink(struct degrader *degrader, uint64_t now_ns)
{
    struct controld *controld = degrader->controld;

    if (now_ns < degrader->shrink_ns || controld->supervisor.n_workers <= controld->config.worker.min ||
        !pressure_has_room(&degrader->pressure, &degrader->policy.config) ||
        update_shrink(&controld->update, now_ns) != 0)
        return;
    degrader->shrink_ns = now_ns + FIT_ROUNDS * controld->config.control.degrade_ms * CLOCK_NS_PER_MS;
    log_warn("degrade_worker_ends slot=%u full=%u", controld->update.slot, controld->update.n_full);
}

/* Ends a worker, or starts those again that were ended, by us or by the controld before us. Never more than
 * one change at a time. */
static void fit_workers(struct degrader *degrader, uint64_t now_ns)
{
    struct controld *controld = degrader->controld;

    if (controld->supervisor.manager.is_onlooker || changes_obstacle(controld) != NULL)
        return;
    if (degrader->policy.step == DEGRADE_FEWER_WORKERS)
        shrink(degrader, now_ns);
    else if (controld->update.n_full != 0 && now_ns >= degrader->unshrink_ns && may_unshrink(degrader))
        unshrink(degrader, now_ns);
}

/* Every reply of the round is there. */
static void round_end(struct degrader *degrader)
{
    struct degrade_decision decision;

    look_at_machine(degrader);
    if (degrader->mode == MPA__V1__DEGRADE_MODE__DEGRADE_MODE_AUTO) {
        degrade_round(&degrader->policy, &degrader->pressure.used, &decision);
        if (decision.change != DEGRADE_SAME)
            follow(degrader, &decision, false);
    }
    degrader->shed_mask =
        degrader->policy.step == DEGRADE_NONE
            ? 0
            : pressure_congested(&degrader->pressure, &degrader->policy.config, degrader->shed_mask);
    fit_workers(degrader, clock_now_ns());
    order(degrader);
}

/* Takes the answer to the question and asks the next. */
static void take_reply(struct degrader *degrader, const Mpa__V1__Reply *reply)
{
    if (frontend_call_is_refused(&degrader->call, reply)) {
        if (degrader->call.question == MPA__V1__REQUEST__BODY_SET_DEGRADE && reply->error != NULL)
            log_warn("degrade_order_failed error=\"%s\"", reply->error->text);
        return;
    }
    switch ((int)reply->body_case) {
    case MPA__V1__REPLY__BODY_GET_WORKERS:
        pressure_take_workers(&degrader->pressure, reply->get_workers, &degrader->controld->config.worker);
        look(degrader, MPA__V1__REQUEST__BODY_GET_LANES);
        return;
    case MPA__V1__REPLY__BODY_GET_LANES:
        pressure_take_lanes(&degrader->pressure, reply->get_lanes);
        look(degrader, MPA__V1__REQUEST__BODY_GET_NIC);
        return;
    case MPA__V1__REPLY__BODY_GET_NIC:
        pressure_take_nic(&degrader->pressure, reply->get_nic);
        round_end(degrader);
        return;
    case MPA__V1__REPLY__BODY_SET_DEGRADE:
        degrader->is_told = reply->set_degrade->step != MPA__V1__DEGRADE_STEP__DEGRADE_STEP_NONE;
        return;
    }
}

/* frontend_call_done_fn. */
static void answered(void *context, int error, nng_msg *answer)
{
    struct degrader *degrader = context;
    Mpa__V1__Reply *reply;

    if (error != 0)
        return;
    reply = wire_unpack(answer);
    if (reply == NULL)
        return;
    take_reply(degrader, reply);
    mpa__v1__reply__free_unpacked(reply, NULL);
}

void degrader_tick(struct degrader *degrader, uint64_t now_ns)
{
    const struct controld *controld = degrader->controld;

    if (now_ns < degrader->due_ns || degrader->call.state != FRONTEND_CALL_IDLE ||
        controld->supervisor.processes[0].state != PROCESS_RUNNING || controld->supervisor.is_stopping)
        return;
    degrader->due_ns = now_ns + controld->config.control.degrade_ms * CLOCK_NS_PER_MS;
    look(degrader, MPA__V1__REQUEST__BODY_GET_WORKERS);
}

void degrader_step(struct degrader *degrader)
{
    frontend_call_step(&degrader->call);
}

bool degrader_has_workers_ended(const struct degrader *degrader)
{
    return degrader->policy.step == DEGRADE_FEWER_WORKERS || degrader->controld->update.n_full != 0;
}

/* ---- commands ---- */

/* The field at fault, or NULL. */
static const char *request_fault(const Mpa__V1__SetDegradeRequest *request)
{
    if (request->order != NULL)
        return "order";
    if ((unsigned)request->mode > MPA__V1__DEGRADE_MODE__DEGRADE_MODE_HELD)
        return "mode";
    return (unsigned)request->step >= DEGRADE_N_STEPS ? "step" : NULL;
}

/* `step` counts when it is held. */
static void set_mode(struct degrader *degrader, Mpa__V1__DegradeMode mode, enum degrade_step step)
{
    degrader->mode = mode;
    if (mode == MPA__V1__DEGRADE_MODE__DEGRADE_MODE_OFF)
        force(degrader, DEGRADE_NONE);
    else if (mode == MPA__V1__DEGRADE_MODE__DEGRADE_MODE_HELD)
        force(degrader, step);
    degrader->due_ns = 0; /* at once */
}

void degrader_switch(struct degrader *degrader, bool is_on)
{
    set_mode(degrader,
             is_on ? MPA__V1__DEGRADE_MODE__DEGRADE_MODE_AUTO : MPA__V1__DEGRADE_MODE__DEGRADE_MODE_OFF,
             DEGRADE_NONE);
}

nng_msg *degrader_set(struct degrader *degrader, uint64_t id, const Mpa__V1__SetDegradeRequest *request)
{
    Mpa__V1__Reply reply = MPA__V1__REPLY__INIT;
    Mpa__V1__SetDegradeReply body = MPA__V1__SET_DEGRADE_REPLY__INIT;
    Mpa__V1__Error error = MPA__V1__ERROR__INIT;
    const char *field = request_fault(request);
    char text[] = "mpa-controld takes a mode and a step that it knows, and gives the orders itself";

    reply.id = id;
    if (field != NULL) {
        error.code = MPA__V1__ERROR_CODE__ERROR_CODE_INVALID;
        error.field = wire_borrow(field);
        error.text = text;
        reply.error = &error;
        return wire_pack(&reply.base);
    }
    set_mode(degrader, request->mode, (enum degrade_step)request->step);
    body.mode = degrader->mode;
    body.step = (Mpa__V1__DegradeStep)degrader->policy.step;
    reply.body_case = MPA__V1__REPLY__BODY_SET_DEGRADE;
    reply.set_degrade = &body;
    return wire_pack(&reply.base);
}

static void fill_decision(const struct degrader_entry *entry, Mpa__V1__DegradeDecision *message, char *text)
{
    const struct degrade_decision *decision = &entry->decision;

    mpa__v1__degrade_decision__init(message);
    degrade_text(decision, entry->is_forced, text, DEGRADER_TEXT_BYTES);
    message->time_ns = entry->time_ns;
    message->from = (Mpa__V1__DegradeStep)decision->from;
    message->to = (Mpa__V1__DegradeStep)decision->to;
    message->pressure = (Mpa__V1__DegradePressure)decision->pressure;
    message->pressure_permille = decision->pressure_permille;
    message->limit_permille = decision->limit_permille;
    message->is_forced = entry->is_forced;
    message->text = text;
}

size_t degrader_fill_decisions(const struct degrader *degrader, uint32_t limit, struct degrade_wire *wire)
{
    size_t n = degrader->n_made < DEGRADER_MAX_DECISIONS ? degrader->n_made : DEGRADER_MAX_DECISIONS;

    if (limit > 0 && limit < n)
        n = limit;
    for (size_t i = 0; i < n; i++) {
        fill_decision(&degrader->entries[(degrader->n_made - 1 - i) % DEGRADER_MAX_DECISIONS],
                      &wire->messages[i], wire->texts[i]);
        wire->list[i] = &wire->messages[i];
    }
    return n;
}

static size_t fill_workers(const struct degrader *degrader, Mpa__V1__DegradeWorker *workers,
                           Mpa__V1__DegradeWorker **list)
{
    bool is_all = degrader->policy.step >= DEGRADE_SHED_ALL;
    size_t n = 0;

    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++) {
        const struct pressure_worker *worker = &degrader->pressure.workers[slot];

        if (!worker->is_there)
            continue;
        mpa__v1__degrade_worker__init(&workers[n]);
        workers[n].slot = slot;
        workers[n].memory_permille = worker->used_permille[DEGRADE_MEMORY];
        workers[n].pool_permille = worker->used_permille[DEGRADE_POOL];
        workers[n].cpu_permille = worker->used_permille[DEGRADE_CPU];
        workers[n].is_shed = is_all || (degrader->shed_mask >> slot & 1) != 0;
        list[n] = &workers[n];
        n++;
    }
    return n;
}

nng_msg *degrader_get(const struct degrader *degrader, uint64_t id)
{
    const uint32_t *all_permille = degrader->pressure.used.all_permille;
    Mpa__V1__Reply reply = MPA__V1__REPLY__INIT;
    Mpa__V1__GetDegradeReply body = MPA__V1__GET_DEGRADE_REPLY__INIT;
    Mpa__V1__DegradeWorker workers[CONFIG_MAX_WORKERS];
    Mpa__V1__DegradeWorker *worker_list[CONFIG_MAX_WORKERS];
    struct degrade_wire wire;

    body.mode = degrader->mode;
    body.step = (Mpa__V1__DegradeStep)degrader->policy.step;
    body.interval_ms = degrader->controld->config.control.degrade_ms;
    body.memory_permille = all_permille[DEGRADE_MEMORY];
    body.pool_permille = all_permille[DEGRADE_POOL];
    body.cpu_permille = all_permille[DEGRADE_CPU];
    body.machine_permille = all_permille[DEGRADE_MACHINE];
    body.n_workers = fill_workers(degrader, workers, worker_list);
    body.workers = worker_list;
    body.n_decisions = degrader_fill_decisions(degrader, 0, &wire);
    body.decisions = wire.list;
    reply.id = id;
    reply.body_case = MPA__V1__REPLY__BODY_GET_DEGRADE;
    reply.get_degrade = &body;
    return wire_pack(&reply.base);
}

void degrader_fill_status(const struct degrader *degrader, Mpa__V1__GetStatusReply *status)
{
    status->degrade_step = (Mpa__V1__DegradeStep)degrader->policy.step;
    status->degrade_mode = degrader->mode;
    status->degrade_text = wire_borrow(degrader->text);
}

/* ---- start and end ---- */

void degrader_configure(struct degrader *degrader)
{
    degrader->policy.config = policy_config(&degrader->controld->config.control);
}

int degrader_new(struct degrader **degrader, struct controld *controld)
{
    struct degrader *new = calloc(1, sizeof(*new));
    struct degrade_config config = policy_config(&controld->config.control);
    int error;

    *degrader = NULL;
    if (new == NULL)
        return NNG_ENOMEM;
    new->controld = controld;
    new->meminfo_fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    new->mode = controld->config.control.degrade ? MPA__V1__DEGRADE_MODE__DEGRADE_MODE_AUTO
                                                 : MPA__V1__DEGRADE_MODE__DEGRADE_MODE_OFF;
    degrade_init(&new->policy, &config);
    error = frontend_call_init(&new->call, controld->link, answered, new);
    if (error == 0)
        *degrader = new;
    else
        degrader_free(new);
    return error;
}

void degrader_free(struct degrader *degrader)
{
    if (degrader == NULL)
        return;
    frontend_call_fini(&degrader->call);
    fd_close(&degrader->meminfo_fd);
    free(degrader);
}
