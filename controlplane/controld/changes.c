/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * changes.c — requests to the update's state machine and back, what is told of its steps, and the rounds of
 * the scaler. Only one change is under way at a time, whoever has asked for it.
 */
#include "controlplane/controld/changes.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "controlplane/controld/degrader.h"
#include "controlplane/controld/events.h"
#include "controlplane/controld/measures.h"
#include "controlplane/controld/operation.h"
#include "controlplane/controld/wire.h"

/* The wire's reasons are those of the policy, with UNKNOWN in front and ASKED behind. */
static_assert(MPA__V1__SCALE_REASON__SCALE_REASON_FITS == SCALE_FITS + 1, "reason");
static_assert(MPA__V1__SCALE_REASON__SCALE_REASON_AT_MOST == SCALE_AT_MOST + 1, "reason");
static_assert(MPA__V1__SCALE_REASON__SCALE_REASON_REST_FULL == SCALE_REST_FULL + 1, "reason");
static_assert(MPA__V1__SCALE_REASON__SCALE_REASON_ASKED == SCALER_ASKED + 1, "reason");

/* ---- the hands of update and scaler ---- */

static void begin_operation(void *self, enum operation_kind kind, uint32_t slot, uint64_t now_ns)
{
    struct controld *controld = self;

    operation_begin(controld->operation, kind, slot, now_ns);
}

static void tell_step(void *self, const struct update *update)
{
    struct controld *controld = self;
    struct event event = {.kind = update->kind == UPDATE_SCALE ? MPA__V1__EVENT_KIND__EVENT_KIND_SCALE
                                                               : MPA__V1__EVENT_KIND__EVENT_KIND_UPDATE,
                          .role = MPA__V1__ROLE__ROLE_CONTROLD,
                          .n_fields = update->has_failed ? 2 : 1,
                          .fields = {{"text", update->text}, {"error", update->error}}};

    if (update->has_failed)
        log_warn("update_step text=\"%s\" error=\"%s\"", update->text, update->error);
    else
        log_info("update_step text=\"%s\"", update->text);
    events_publish(controld->events, &event);
    if (update->kind == UPDATE_SCALE && (update->phase == UPDATE_IDLE || update->has_failed))
        scaler_ended(&controld->scaler, update->has_failed ? update->error : NULL);
}

static void remember(void *self, uint32_t n_workers, uint32_t n_full, uint32_t drained)
{
    struct controld *controld = self;
    const struct runtime_memory memory = {.n_workers = n_workers,
                                          .n_full = n_full,
                                          .n_configured = controld->config.worker.count,
                                          .drained = drained};

    if (memcmp(&memory, &controld->memory, sizeof(memory)) == 0) /* numbers alone: no padding */
        return;
    controld->memory = memory;
    runtime_remember(controld->lock_fd, &memory);
}

static int begin_scale(void *self, uint32_t n_workers, uint64_t now_ns)
{
    struct controld *controld = self;

    return update_scale(&controld->update, n_workers, now_ns);
}

static void tell_decision(void *self, const struct scaler_entry *entry)
{
    struct controld *controld = self;
    const char *reason =
        entry->reason == SCALER_ASKED ? "asked" : scale_reason_name((enum scale_reason)entry->reason);
    char workers[12];
    struct event event = {.kind = MPA__V1__EVENT_KIND__EVENT_KIND_SCALE,
                          .role = MPA__V1__ROLE__ROLE_CONTROLD,
                          .n_fields = 3,
                          .fields = {{"text", entry->text}, {"reason", reason}, {"workers", workers}}};

    snprintf(workers, sizeof(workers), "%u", entry->n_wanted);
    log_info("scale reason=%s workers=%u wanted=%u text=\"%s\"", reason, entry->n_before, entry->n_wanted,
             entry->text);
    events_publish(controld->events, &event);
}

void changes_init(struct controld *controld)
{
    static const struct update_ops update_ops = {
        .operation = begin_operation, .tell = tell_step, .remember = remember};
    static const struct scaler_ops scaler_ops = {.scale = begin_scale, .tell = tell_decision};

    update_init(&controld->update, &controld->supervisor, &update_ops, controld);
    scaler_init(&controld->scaler, &controld->config, &scaler_ops, controld);
}

const char *changes_obstacle(const struct controld *controld)
{
    const struct update *update = &controld->update;

    if (controld->supervisor.is_stopping)
        return "everything is being stopped";
    if (update->phase == UPDATE_IDLE)
        return NULL;
    switch (update->kind) {
    case UPDATE_PROGRAMS:
        return "an update is under way, or still being undone (see events)";
    case UPDATE_RESTART:
        return "a restart is under way, or still being undone (see events)";
    case UPDATE_SCALE:
        return "the number of workers is being changed, or that is being undone (see events)";
    }
    return NULL;
}

void changes_round(struct controld *controld, const struct measures *measures, const struct balance *policy)
{
    const struct supervisor *supervisor = &controld->supervisor;
    struct scale_worker workers[SCALE_MAX_WORKERS] = {0};

    if (supervisor->manager.is_onlooker || changes_obstacle(controld) != NULL ||
        degrader_has_workers_ended(controld->degrader))
        return;
    for (uint32_t slot = 0; slot < supervisor->n_workers; slot++) {
        /* Whom an operator has drained is no help, and is not to be awaited. */
        workers[slot].is_there = !supervisor->processes[1 + slot].is_draining;
        workers[slot].is_ready = workers[slot].is_there && measures->workers[slot].is_there;
        workers[slot].score_permille = balance_score_permille(policy, slot);
    }
    scaler_round(&controld->scaler, workers, clock_now_ns());
}

/* ---- requests ---- */

bool changes_know(const struct controld *controld, const Mpa__V1__Request *request)
{
    switch ((int)request->body_case) {
    case MPA__V1__REQUEST__BODY_UPDATE:
    case MPA__V1__REQUEST__BODY_SCALE:
    case MPA__V1__REQUEST__BODY_RESTART:
        return true;
    case MPA__V1__REQUEST__BODY_GET_OPERATION:
        return update_is(&controld->update, request->get_operation->operation_id);
    default:
        return false;
    }
}

/* The change as it stands, under the number of the command. */
static nng_msg *reply_progress(const struct update *update, const Mpa__V1__Request *request)
{
    Mpa__V1__Reply reply = MPA__V1__REPLY__INIT;
    Mpa__V1__OperationReply body = MPA__V1__OPERATION_REPLY__INIT;
    Mpa__V1__Error error = MPA__V1__ERROR__INIT;

    body.operation_id = update->id;
    body.n_done = update->n_done;
    body.n_total = update->n_total;
    body.duration_ns = (update->is_told ? update->ended_ns : clock_now_ns()) - update->begun_ns;
    body.text = wire_borrow(update->text);
    body.state = MPA__V1__OPERATION_STATE__OPERATION_STATE_PENDING;
    if (update->is_told) {
        body.text = wire_borrow(update->title);
        body.state = update->has_failed ? MPA__V1__OPERATION_STATE__OPERATION_STATE_FAILED
                                        : MPA__V1__OPERATION_STATE__OPERATION_STATE_DONE;
        body.result = wire_borrow(update->has_failed ? "failed" : "done");
    }
    if (update->is_told && update->has_failed) {
        error.code = MPA__V1__ERROR_CODE__ERROR_CODE_FAILED;
        error.text = wire_borrow(update->error);
        body.error = &error;
    }
    reply.id = request->id;
    /* Command and reply have the same number, and all of these the same body. */
    reply.body_case = (Mpa__V1__Reply__BodyCase)request->body_case;
    reply.get_operation = &body;
    return wire_pack(&reply.base);
}

static nng_msg *refuse(const Mpa__V1__Request *request, int error)
{
    if (error == -ENOSPC)
        return wire_refusal(request->id, MPA__V1__ERROR_CODE__ERROR_CODE_FAILED,
                            access_command_name(request->body_case),
                            "all worker slots are in use: there is none for a spare");
    return wire_refusal(request->id, MPA__V1__ERROR_CODE__ERROR_CODE_UNAVAILABLE,
                        access_command_name(request->body_case), "mpa-frontend is not running (see status)");
}

int changes_scale(struct controld *controld, uint32_t n_workers)
{
    uint32_t n_before = controld->supervisor.n_workers;
    int error = update_scale(&controld->update, n_workers, clock_now_ns());

    if (error != 0)
        return error;
    /* Told behind the first step, which may have been the last one. */
    scaler_asked(&controld->scaler, n_before, n_workers);
    if (controld->update.phase == UPDATE_IDLE)
        scaler_ended(&controld->scaler, NULL);
    return 0;
}

static nng_msg *answer_scale(struct controld *controld, const Mpa__V1__Request *request)
{
    const struct config_worker *config = &controld->config.worker;
    uint32_t n_wanted = request->scale->workers;
    char text[128];
    int error;

    if (n_wanted < config->min || n_wanted > config->max) {
        snprintf(text, sizeof(text), "%u workers: not allowed (allowed: worker.min, %u, to worker.max, %u)",
                 n_wanted, config->min, config->max);
        return wire_refusal(request->id, MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, "workers", text);
    }
    error = changes_scale(controld, n_wanted);
    if (error != 0)
        return refuse(request, error);
    return reply_progress(&controld->update, request);
}

static nng_msg *answer_restart(struct controld *controld, const Mpa__V1__Request *request)
{
    static const enum update_part parts[] = {
        [MPA__V1__RESTART_WHAT__RESTART_WHAT_WORKER] = UPDATE_ONE_WORKER,
        [MPA__V1__RESTART_WHAT__RESTART_WHAT_FRONTEND] = UPDATE_THE_FRONTEND,
        [MPA__V1__RESTART_WHAT__RESTART_WHAT_ALL] = UPDATE_EVERYTHING,
    };
    uint32_t what = (uint32_t)request->restart->what;
    uint32_t slot = request->restart->slot;
    char text[96];
    int error;

    if (what == MPA__V1__RESTART_WHAT__RESTART_WHAT_UNKNOWN || what >= sizeof(parts) / sizeof(parts[0]))
        return wire_refusal(request->id, MPA__V1__ERROR_CODE__ERROR_CODE_INVALID, "what",
                            "restart what? (allowed: worker, frontend, all)");
    if (parts[what] == UPDATE_ONE_WORKER && slot >= controld->supervisor.n_workers) {
        snprintf(text, sizeof(text), "worker %u does not run (allowed: 0 to %u)", slot,
                 controld->supervisor.n_workers - 1);
        return wire_refusal(request->id, MPA__V1__ERROR_CODE__ERROR_CODE_NOT_FOUND, "slot", text);
    }
    error = update_restart(&controld->update, parts[what], slot, clock_now_ns());
    return error == 0 ? reply_progress(&controld->update, request) : refuse(request, error);
}

static nng_msg *answer_update(struct controld *controld, const Mpa__V1__Request *request)
{
    int error = update_begin(&controld->update, request->update->frontend, clock_now_ns());

    return error == 0 ? reply_progress(&controld->update, request) : refuse(request, error);
}

nng_msg *changes_answer(struct controld *controld, const Mpa__V1__Request *request)
{
    const char *obstacle = changes_obstacle(controld);

    if (request->body_case == MPA__V1__REQUEST__BODY_GET_OPERATION)
        return reply_progress(&controld->update, request);
    if (controld->supervisor.manager.is_onlooker)
        return wire_refusal(request->id, MPA__V1__ERROR_CODE__ERROR_CODE_FAILED,
                            access_command_name(request->body_case),
                            "control.manager is external: whoever starts the processes ends, replaces and "
                            "scales them (after 'mpactl drain')");
    if (obstacle != NULL)
        return wire_refusal(request->id, MPA__V1__ERROR_CODE__ERROR_CODE_BUSY,
                            access_command_name(request->body_case), obstacle);
    if (request->body_case == MPA__V1__REQUEST__BODY_SCALE)
        return answer_scale(controld, request);
    if (request->body_case == MPA__V1__REQUEST__BODY_RESTART)
        return answer_restart(controld, request);
    return answer_update(controld, request);
}

/* ---- why ---- */

size_t changes_explain(const struct controld *controld, struct changes_wire *wire, uint32_t limit)
{
    uint32_t n = scaler_count(&controld->scaler);

    if (limit > 0 && limit < n)
        n = limit;
    for (uint32_t i = 0; i < n; i++) {
        const struct scaler_entry *entry = scaler_get(&controld->scaler, i);
        Mpa__V1__ScaleDecision *message = &wire->messages[i];

        mpa__v1__scale_decision__init(message);
        message->time_ns = entry->time_ns;
        message->times = entry->times;
        message->reason = (Mpa__V1__ScaleReason)(entry->reason + 1);
        message->text = wire_borrow(entry->text);
        message->workers = entry->n_before;
        message->wanted = entry->n_wanted;
        message->mean_permille = entry->mean_permille;
        message->outcome = wire_borrow(entry->outcome);
        wire->list[i] = message;
    }
    return n;
}
