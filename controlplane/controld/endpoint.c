/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * endpoint.c — sessions of the control socket.
 *
 * A session is an nng context: it receives a request, answers it or has it answered by the frontend, sends
 * the reply, receives again. A reply behind others that a client does not read holds its session for
 * SEND_TIMEOUT_MS, and then the next of its requests is looked at: it comes no faster. A frontend that does
 * not answer holds one until the request's deadline. clients.h says how many one client may have, and
 * hangup/hangup.h why clients who leave in their greeting do no harm.
 */
#include "controlplane/controld/endpoint.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "controlplane/controld/balancer.h"
#include "controlplane/controld/changes.h"
#include "controlplane/controld/clients.h"
#include "controlplane/controld/degrader.h"
#include "controlplane/controld/frontend_link.h"
#include "controlplane/controld/gate.h"
#include "controlplane/controld/remote.h"
#include "controlplane/controld/settings.h"
#include "controlplane/controld/snapshot.h"
#include "controlplane/controld/status.h"
#include "controlplane/controld/wire.h"

#define N_SESSIONS 32
#define SEND_TIMEOUT_MS 200     /* until an answer is on its way, behind others that are not read */
#define STATUS_TIMEOUT_MS 1000u /* status must come even when the frontend hangs */

enum session_state {
    SESSION_RECEIVING, /* waits for a request */
    SESSION_RELAYING,  /* waits for the frontend */
    SESSION_SENDING,   /* nng has the reply */
    SESSION_CLOSED,    /* the socket is closed: no more steps */
};

struct session {
    struct endpoint *endpoint;
    nng_ctx ctx;
    nng_aio *aio;
    struct frontend_call call;
    enum session_state state;
    atomic_bool is_done; /* nng's thread sets it, ours clears it; publishes the aio's result and done_ns */
    uint64_t done_ns;
    int pipe_id; /* the connection whose request this is; 0: none */
    uint64_t request_id;
    enum access_role role; /* of whoever asks */
    Mpa__V1__Request__BodyCase command;
    struct snapshot_query snapshot;
    bool is_status;    /* the frontend's answer is merged into ours */
    bool is_log_level; /* the same */
};

struct endpoint {
    struct controld *controld;
    nng_socket socket;
    struct clients clients;
    struct gate gate;
    struct session sessions[N_SESSIONS];
    unsigned n_sessions;
};

/* Runs in a thread of nng. */
static void session_done(void *argument)
{
    struct session *session = argument;
    const uint64_t one = 1;

    session->done_ns = clock_now_ns();
    atomic_store_explicit(&session->is_done, true, memory_order_release);
    (void)!write(session->endpoint->controld->wake_fd, &one, sizeof(one));
}

static void session_receive(struct session *session)
{
    clients_end(&session->endpoint->clients, session->pipe_id);
    session->pipe_id = 0;
    session->state = SESSION_RECEIVING;
    nng_aio_set_timeout(session->aio, NNG_DURATION_INFINITE);
    nng_ctx_recv(session->ctx, session->aio);
}

/* Sends the reply (taken; NULL: memory is out, the client's time-out tells). */
static void session_send(struct session *session, nng_msg *reply)
{
    if (reply == NULL) {
        session_receive(session);
        return;
    }
    session->state = SESSION_SENDING;
    nng_aio_set_msg(session->aio, reply);
    nng_aio_set_timeout(session->aio, SEND_TIMEOUT_MS);
    nng_ctx_send(session->ctx, session->aio);
}

static void session_refuse(struct session *session, Mpa__V1__ErrorCode code, const char *text)
{
    session_send(session,
                 wire_refusal(session->request_id, code, access_command_name(session->command), text));
}

static void session_relay(struct session *session, nng_msg *request, uint32_t timeout_ms)
{
    session->state = SESSION_RELAYING;
    frontend_call_start(&session->call, request, timeout_ms);
}

static bool is_frontend_up(const struct session *session)
{
    return session->endpoint->controld->supervisor.processes[0].state == PROCESS_RUNNING;
}

static void answer_stop(struct session *session)
{
    struct controld *controld = session->endpoint->controld;
    Mpa__V1__Reply reply = MPA__V1__REPLY__INIT;
    Mpa__V1__StopReply body = MPA__V1__STOP_REPLY__INIT;

    if (controld->supervisor.manager.is_onlooker) {
        session_refuse(session, MPA__V1__ERROR_CODE__ERROR_CODE_FAILED,
                       "control.manager is external: whoever starts the processes ends them too");
        return;
    }
    body.pid = (uint32_t)getpid();
    reply.id = session->request_id;
    reply.body_case = MPA__V1__REPLY__BODY_STOP;
    reply.stop = &body;
    session_send(session, wire_pack(&reply.base));
    log_info("stop_requested by=control_socket");
    supervisor_stop(&controld->supervisor, clock_now_ns());
}

/* The status, or the snapshot with the status in it, as it was asked for. */
static void send_status(struct session *session, const Mpa__V1__GetStatusReply *frontend)
{
    const struct controld *controld = session->endpoint->controld;
    nng_msg *reply = status_reply(controld, session->request_id, frontend, clock_now_ns());

    if (session->command == MPA__V1__REQUEST__BODY_GET_SNAPSHOT)
        reply = snapshot_reply(controld->events, &session->snapshot, reply);
    session_send(session, reply);
}

/* `request` (taken) asks the frontend for its status. */
static void answer_status(struct session *session, nng_msg *request, uint32_t timeout_ms)
{
    if (is_frontend_up(session) && request != NULL) {
        session->is_status = true;
        session_relay(session, request, timeout_ms < STATUS_TIMEOUT_MS ? timeout_ms : STATUS_TIMEOUT_MS);
        return;
    }
    if (request != NULL)
        nng_msg_free(request);
    send_status(session, NULL);
}

static void answer_snapshot(struct session *session, const Mpa__V1__GetSnapshotRequest *request,
                            uint32_t timeout_ms)
{
    Mpa__V1__Request asked = MPA__V1__REQUEST__INIT;
    Mpa__V1__GetStatusRequest body = MPA__V1__GET_STATUS_REQUEST__INIT;
    uint64_t life;

    session->snapshot = (struct snapshot_query){
        .request_id = session->request_id,
        .after = request->after,
        .life = request->life,
        .last = events_recent(session->endpoint->controld->events, &life)->last_sequence};
    asked.id = session->request_id;
    asked.body_case = MPA__V1__REQUEST__BODY_GET_STATUS;
    asked.get_status = &body;
    answer_status(session, wire_pack(&asked.base), timeout_ms);
}

static void answer_set_balance(struct session *session, bool is_on)
{
    Mpa__V1__Reply reply = MPA__V1__REPLY__INIT;
    Mpa__V1__SetBalanceReply body = MPA__V1__SET_BALANCE_REPLY__INIT;

    settings_set_balance(session->endpoint->controld->settings, is_on);
    body.on = is_on;
    reply.id = session->request_id;
    reply.body_case = MPA__V1__REPLY__BODY_SET_BALANCE;
    reply.set_balance = &body;
    session_send(session, wire_pack(&reply.base));
}

/* The commands of the balancer. False: it is none of them. */
static bool answer_balance(struct session *session, const Mpa__V1__Request *request)
{
    struct balancer *balancer = session->endpoint->controld->balancer;

    switch ((int)request->body_case) {
    case MPA__V1__REQUEST__BODY_REBALANCE:
        session_send(session, balancer_rebalance(balancer, session->request_id, request->rebalance->dry_run));
        return true;
    case MPA__V1__REQUEST__BODY_SET_BALANCE:
        answer_set_balance(session, request->set_balance->on);
        return true;
    case MPA__V1__REQUEST__BODY_EXPLAIN:
        session_send(session, balancer_explain(balancer, session->request_id, request->explain->limit));
        return true;
    default:
        return false;
    }
}

/* The same for the degrader. */
static bool answer_degrade(struct session *session, const Mpa__V1__Request *request)
{
    struct degrader *degrader = session->endpoint->controld->degrader;

    switch ((int)request->body_case) {
    case MPA__V1__REQUEST__BODY_GET_DEGRADE:
        session_send(session, degrader_get(degrader, session->request_id));
        return true;
    case MPA__V1__REQUEST__BODY_SET_DEGRADE:
        session_send(session, degrader_set(degrader, session->request_id, request->set_degrade));
        return true;
    default:
        return false;
    }
}

/* A look goes the way of a change, with nothing to change in it. */
static void answer_log_level(struct session *session, const Mpa__V1__Request *request, uint32_t timeout_ms)
{
    struct settings *settings = session->endpoint->controld->settings;
    bool is_refused = false;
    nng_msg *message = request->body_case == MPA__V1__REQUEST__BODY_GET_LOG_LEVEL
                           ? settings_ask_log_level()
                           : settings_set_log_level(settings, request, &is_refused);

    if (is_refused || message == NULL) {
        session_send(session, message);
    } else if (is_frontend_up(session)) {
        session->is_log_level = true;
        session_relay(session, message, timeout_ms);
    } else {
        nng_msg_free(message);
        session_send(session, settings_log_level_reply(session->request_id, session->command, NULL));
    }
}

/* The commands about the configuration. False: it is none of them. */
static bool answer_settings(struct session *session, const Mpa__V1__Request *request, uint32_t timeout_ms)
{
    bool is_mine;
    nng_msg *reply;

    if (request->body_case == MPA__V1__REQUEST__BODY_SET_LOG_LEVEL ||
        request->body_case == MPA__V1__REQUEST__BODY_GET_LOG_LEVEL) {
        answer_log_level(session, request, timeout_ms);
        return true;
    }
    reply = settings_answer(session->endpoint->controld->settings, request, &is_mine);
    if (is_mine)
        session_send(session, reply);
    return is_mine;
}

/* Decides by the command. `packed` is taken. */
static void session_dispatch(struct session *session, nng_msg *packed, const Mpa__V1__Request *request)
{
    session->request_id = request->id;
    session->is_status = session->is_log_level = false;
    if (request->body_case == MPA__V1__REQUEST__BODY_GET_STATUS) {
        answer_status(session, packed, wire_deadline_ms(request));
        return;
    }
    if (request->body_case == MPA__V1__REQUEST__BODY_GET_SNAPSHOT) {
        nng_msg_free(packed);
        answer_snapshot(session, request->get_snapshot, wire_deadline_ms(request));
        return;
    }
    if (request->body_case == MPA__V1__REQUEST__BODY_STOP) {
        nng_msg_free(packed);
        answer_stop(session);
        return;
    }
    if (answer_balance(session, request) || answer_degrade(session, request) ||
        answer_settings(session, request, wire_deadline_ms(request))) {
        nng_msg_free(packed);
        return;
    }
    if (changes_know(session->endpoint->controld, request)) {
        nng_msg_free(packed);
        session_send(session, changes_answer(session->endpoint->controld, request));
        return;
    }
    /* A command that we do not know may be one that a newer frontend does. */
    if (is_frontend_up(session)) {
        session_relay(session, packed, wire_deadline_ms(request));
        return;
    }
    nng_msg_free(packed);
    session_refuse(session, MPA__V1__ERROR_CODE__ERROR_CODE_UNAVAILABLE,
                   "mpa-frontend is not running (see status)");
}

/* A worker that was taken over can reach our socket, because it may connect to return to the next frontend.
 */
static bool is_worker(const struct session *session, uint64_t pid)
{
    const struct process *processes = session->endpoint->controld->supervisor.processes;

    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS && pid != 0; slot++) {
        if (process_is_alive(&processes[1 + slot]) && (uint64_t)processes[1 + slot].handle.pid == pid)
            return true;
    }
    return false;
}

/* Packs anew what is passed on for somebody who is not an admin: see gate_pass(). NULL: out of memory. */
static nng_msg *repack(const struct session *session, nng_msg *packed, const Mpa__V1__Request *request)
{
    if (session->role == ACCESS_ADMIN)
        return packed;
    nng_msg_free(packed);
    return wire_pack(&request->base);
}

/* True, and refused, when the connection takes more than its share. */
static bool is_refused_greedy(struct session *session, enum client_verdict verdict)
{
    char text[128];

    switch (verdict) {
    case CLIENT_GOOD:
        return false;
    case CLIENT_TOO_FAST:
        snprintf(text, sizeof(text), "more than %u requests a second from one connection", CLIENT_RATE_PER_S);
        break;
    case CLIENT_TOO_MANY:
        snprintf(text, sizeof(text), "%u requests of this connection, or %u of all readers, wait already",
                 CLIENT_MAX_WAITING, CLIENTS_MAX_GUESTS);
        break;
    }
    session_refuse(session, MPA__V1__ERROR_CODE__ERROR_CODE_BUSY, text);
    return true;
}

static void session_decode(struct session *session, nng_msg *packed)
{
    const struct gate_input input = {.bytes = nng_msg_body(packed),
                                     .size = nng_msg_len(packed),
                                     .role = session->role,
                                     .connection = (uint32_t)session->pipe_id,
                                     .came_ns = session->done_ns,
                                     .now_ns = clock_now_ns()};
    struct gate_refusal refusal;
    Mpa__V1__Request *request = gate_pass(&session->endpoint->gate, &input, &refusal);

    if (request == NULL) {
        nng_msg_free(packed);
        session_send(session, wire_refusal(refusal.id, refusal.code, refusal.field, refusal.text));
        return;
    }
    session->command = request->body_case;
    packed = repack(session, packed, request);
    if (packed == NULL)
        session_receive(session);
    else
        session_dispatch(session, packed, request);
    mpa__v1__request__free_unpacked(request, NULL);
}

static void session_answer(struct session *session)
{
    nng_msg *packed = nng_aio_get_msg(session->aio);
    struct client_identity identity;
    enum client_verdict verdict;

    session->pipe_id = nng_pipe_id(nng_msg_get_pipe(packed));
    session->request_id = 0;
    session->command = MPA__V1__REQUEST__BODY__NOT_SET;
    verdict = clients_begin(&session->endpoint->clients, session->pipe_id, clock_now_ns(), &identity);
    session->role = identity.role;
    if (verdict == CLIENT_GOOD && !is_worker(session, identity.pid)) {
        session_decode(session, packed);
        return;
    }
    nng_msg_free(packed);
    if (!is_refused_greedy(session, verdict))
        session_refuse(session, MPA__V1__ERROR_CODE__ERROR_CODE_DENIED, "workers have no say here");
}

static void relay_status(struct session *session, nng_msg *answer)
{
    Mpa__V1__Reply *frontend = answer == NULL ? NULL : status_unpack(answer);
    const Mpa__V1__GetStatusReply *body = frontend == NULL ? NULL : frontend->get_status;

    send_status(session, body);
    if (frontend != NULL)
        mpa__v1__reply__free_unpacked(frontend, NULL);
    if (answer != NULL)
        nng_msg_free(answer);
}

static void relay_log_level(struct session *session, nng_msg *answer)
{
    session_send(session, settings_log_level_reply(session->request_id, session->command, answer));
    if (answer != NULL)
        nng_msg_free(answer);
}

/* A frontend that only stands still does later what it was asked for. */
static void relay_failed(struct session *session, int error)
{
    const char *what = error == NNG_ETIMEDOUT ? "mpa-frontend did not answer in time" : nng_strerror(error);
    Mpa__V1__ErrorCode code = error == NNG_ETIMEDOUT ? MPA__V1__ERROR_CODE__ERROR_CODE_DEADLINE
                                                     : MPA__V1__ERROR_CODE__ERROR_CODE_UNAVAILABLE;
    char text[160];

    snprintf(text, sizeof(text), "%s%s", what,
             access_needed(session->command) == ACCESS_ADMIN
                 ? "; whether the command was carried out, or will be, is not known (see status)"
                 : "");
    session_refuse(session, code, text);
}

/* frontend_call_done_fn: the frontend has answered, or not. */
static void relay_done(void *context, int error, nng_msg *answer)
{
    struct session *session = context;

    if (session->is_status)
        relay_status(session, answer);
    else if (session->is_log_level)
        relay_log_level(session, answer);
    else if (error == 0)
        session_send(session, answer);
    else
        relay_failed(session, error);
}

static void session_step(struct session *session)
{
    int error = nng_aio_result(session->aio);

    if (error == NNG_ECLOSED || error == NNG_ECANCELED) {
        session->state = SESSION_CLOSED;
        return;
    }
    switch (session->state) {
    case SESSION_RECEIVING:
        if (error == 0)
            session_answer(session);
        else
            session_receive(session);
        return;
    case SESSION_SENDING:
        /* On failure the message is still ours; the client has gone or does not read. */
        if (error != 0)
            nng_msg_free(nng_aio_get_msg(session->aio));
        session_receive(session);
        return;
    case SESSION_RELAYING:
    case SESSION_CLOSED:
        return;
    }
}

/* Takes the step of a session that has one to do. */
static void session_step_due(struct session *session)
{
    if (atomic_exchange_explicit(&session->is_done, false, memory_order_acquire))
        session_step(session);
}

/* Those whose answer is on its way. */
static void sessions_step_sent(struct endpoint *endpoint)
{
    for (unsigned i = 0; i < endpoint->n_sessions; i++) {
        if (endpoint->sessions[i].state == SESSION_SENDING)
            session_step_due(&endpoint->sessions[i]);
    }
}

void endpoint_step(struct endpoint *endpoint)
{
    for (unsigned i = 0; i < endpoint->n_sessions; i++) {
        /* What has been answered does not count against the next request of the same connection; and that
         * may be here already, in a later session, when the first has taken its time. */
        sessions_step_sent(endpoint);
        if (endpoint->sessions[i].state != SESSION_SENDING)
            session_step_due(&endpoint->sessions[i]);
    }
    for (unsigned i = 0; i < endpoint->n_sessions; i++)
        frontend_call_step(&endpoint->sessions[i].call);
}

static int endpoint_listen(struct endpoint *endpoint, const char *runtime_dir)
{
    /* Open to all as soon as somebody else has a role: then everybody else gets a reason. */
    const int mode = access_has_guests(&endpoint->controld->access) ? 0666 : 0600;
    char url[CONFIG_PATH_BYTES + 16];
    nng_listener listener;
    int error;

    snprintf(url, sizeof(url), "ipc://%s/control.ipc", runtime_dir);
    if ((error = nng_rep0_open(&endpoint->socket)) != 0 ||
        (error = nng_socket_set_size(endpoint->socket, NNG_OPT_RECVMAXSZ, WIRE_MAX_MESSAGE_BYTES)) != 0 ||
        (error = clients_watch(&endpoint->clients, endpoint->socket)) != 0 ||
        (error = nng_listener_create(&listener, endpoint->socket, url)) != 0 ||
        (error = nng_listener_set_int(listener, NNG_OPT_IPC_PERMISSIONS, mode)) != 0)
        return error;
    return nng_listener_start(listener, 0);
}

static int session_open(struct session *session, struct endpoint *endpoint)
{
    int error;

    session->endpoint = endpoint;
    session->state = SESSION_CLOSED;
    error = nng_ctx_open(&session->ctx, endpoint->socket);
    if (error == 0)
        error = frontend_call_init(&session->call, endpoint->controld->link, relay_done, session);
    if (error == 0)
        error = nng_aio_alloc(&session->aio, session_done, session);
    if (error == 0)
        session_receive(session);
    return error;
}

int endpoint_new(struct endpoint **endpoint, struct controld *controld)
{
    struct endpoint *new = calloc(1, sizeof(*new));
    int error;

    *endpoint = NULL;
    if (new == NULL)
        return NNG_ENOMEM;
    new->controld = controld;
    clients_init(&new->clients, &controld->access);
    error = endpoint_listen(new, controld->config.control.runtime_dir);
    if (error == 0)
        error = remote_listen(new->socket, &controld->config.control, &new->clients.remote_id);
    for (; error == 0 && new->n_sessions < N_SESSIONS; new->n_sessions++)
        error = session_open(&new->sessions[new->n_sessions], new);
    if (error == 0)
        *endpoint = new;
    else
        endpoint_free(new);
    return error;
}

static void session_close(struct session *session)
{
    frontend_call_fini(&session->call);
    if (session->aio == NULL)
        return;
    nng_aio_stop(session->aio);
    /* A request not looked at and a reply not sent are still ours. */
    if ((session->state == SESSION_RECEIVING && nng_aio_result(session->aio) == 0) ||
        (session->state == SESSION_SENDING && nng_aio_result(session->aio) != 0))
        nng_msg_free(nng_aio_get_msg(session->aio));
    nng_aio_free(session->aio);
}

void endpoint_free(struct endpoint *endpoint)
{
    if (endpoint == NULL)
        return;
    if (nng_socket_id(endpoint->socket) > 0)
        nng_close(endpoint->socket);
    for (unsigned i = 0; i < N_SESSIONS; i++)
        session_close(&endpoint->sessions[i]);
    clients_fini(&endpoint->clients);
    free(endpoint);
}
