/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.c — the control endpoint's sockets and its thread.
 *
 * A request lives in a session: an nng context that receives one, gets its reply, sends it and receives
 * again. nng tells the end of each step from threads of its own; that only marks the session and wakes our
 * thread, which does all the work, so handlers need no lock. A client that does not read holds one session
 * for SEND_TIMEOUT_MS at most, with one reply in it: others use the other sessions, memory is bounded by
 * N_SESSIONS.
 */
#include "frontend/control.h"

#include <errno.h>
#include <malloc.h>
#include <nng/nng.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/reqrep0/rep.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "frontend/control_internal.h"
#include "hangup/hangup.h"

#define N_SESSIONS 16
#define SEND_TIMEOUT_MS 2000
#define TICK_MS 50        /* delay of an event at most */
#define CONTROL_NICE 10   /* a tenth of the weight of the loop */
#define EVENT_BACKLOG 128 /* events held for one slow listener, then it loses some */
/* A little over what we accept, so that a request a bit too long gets an answer and not a cut connection. */
#define MAX_RECEIVE_BYTES CONTROL_MAX_MESSAGE_BYTES

enum session_state {
    SESSION_RECEIVING, /* waits for a request */
    SESSION_SENDING,   /* nng has the reply */
    SESSION_CLOSED,    /* the socket is closed: no more steps */
};

struct session {
    struct control *control;
    nng_ctx ctx;
    nng_aio *aio;
    enum session_state state;
    /* nng's thread writes true, ours reads and clears; publishes the result in the aio. */
    atomic_bool is_done;
};

struct control {
    struct control_core core;
    struct config config; /* our copy: the caller's may go */
    nng_socket requests;
    nng_socket events;
    struct session sessions[N_SESSIONS];
    unsigned n_sessions;
    int wake_fd; /* eventfd: a session is done, or stop */
    atomic_bool is_stopping;
    pthread_t thread;
    bool has_thread;
    uint64_t next_event;
    uint64_t sequence;
};

/* Runs in a thread of nng. */
static void session_done(void *argument)
{
    struct session *session = argument;
    const uint64_t one = 1;

    atomic_store_explicit(&session->is_done, true, memory_order_release);
    /* Cannot fail for good: a counter that is full is readable too. */
    (void)!write(session->control->wake_fd, &one, sizeof(one));
}

static void session_receive(struct session *session)
{
    session->state = SESSION_RECEIVING;
    nng_aio_set_timeout(session->aio, NNG_DURATION_INFINITE);
    nng_ctx_recv(session->ctx, session->aio);
}

/* Packs the reply into a new nng message, NULL when memory is out. */
static nng_msg *reply_pack(const Mpa__V1__Reply *reply)
{
    nng_msg *message;

    if (nng_msg_alloc(&message, mpa__v1__reply__get_packed_size(reply)) != 0)
        return NULL;
    mpa__v1__reply__pack(reply, nng_msg_body(message));
    return message;
}

/* Whoever sent the message. */
static struct control_peer message_peer(nng_msg *message)
{
    nng_pipe pipe = nng_msg_get_pipe(message);
    struct control_peer peer;

    if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_PID, &peer.pid) != 0)
        peer.pid = 0;
    if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &peer.uid) != 0)
        peer.uid = UINT64_MAX;
    return peer;
}

static void session_answer(struct session *session)
{
    nng_msg *message = nng_aio_get_msg(session->aio);
    struct control_core *core = &session->control->core;
    const struct control_peer peer = message_peer(message);
    const Mpa__V1__Reply *reply =
        control_core_may_ask(core, &peer)
            ? control_core_answer(core, nng_msg_body(message), nng_msg_len(message), clock_now_ns())
            : control_core_deny(core);

    nng_msg_free(message);
    message = reply_pack(reply);
    if (message == NULL) {
        session_receive(session);
        return;
    }
    session->state = SESSION_SENDING;
    nng_aio_set_msg(session->aio, message);
    nng_aio_set_timeout(session->aio, SEND_TIMEOUT_MS);
    nng_ctx_send(session->ctx, session->aio);
}

static void session_step(struct session *session)
{
    int result = nng_aio_result(session->aio);

    if (result == NNG_ECLOSED || result == NNG_ECANCELED) {
        session->state = SESSION_CLOSED;
        return;
    }
    switch (session->state) {
    case SESSION_RECEIVING:
        if (result == 0)
            session_answer(session);
        else
            session_receive(session);
        return;
    case SESSION_SENDING:
        /* On failure the message is still ours; the client has gone or does not read. */
        if (result != 0)
            nng_msg_free(nng_aio_get_msg(session->aio));
        session_receive(session);
        return;
    case SESSION_CLOSED:
        return;
    }
}

static void events_publish(struct control *control)
{
    struct timespec wall;
    Mpa__V1__Event *event;

    clock_gettime(CLOCK_REALTIME, &wall);
    while ((event = control_core_event(&control->core, &control->next_event, clock_now_ns(),
                                       (uint64_t)wall.tv_sec * CLOCK_NS_PER_S + (uint64_t)wall.tv_nsec)) !=
           NULL) {
        nng_msg *message;

        event->sequence = ++control->sequence;
        if (nng_msg_alloc(&message, mpa__v1__event__get_packed_size(event)) != 0)
            return;
        mpa__v1__event__pack(event, nng_msg_body(message));
        if (nng_sendmsg(control->events, message, NNG_FLAG_NONBLOCK) != 0)
            nng_msg_free(message);
    }
}

static void *control_run(void *argument)
{
    struct control *control = argument;
    struct pollfd wake = {.fd = control->wake_fd, .events = POLLIN};

    /* Of this thread alone: on a machine that is full, who asks gives way to who is served. */
    (void)setpriority(PRIO_PROCESS, 0, CONTROL_NICE);
    while (!atomic_load_explicit(&control->is_stopping, memory_order_acquire)) {
        uint64_t ignored;

        if (poll(&wake, 1, TICK_MS) > 0)
            (void)!read(control->wake_fd, &ignored, sizeof(ignored));
        for (unsigned i = 0; i < control->n_sessions; i++) {
            struct session *session = &control->sessions[i];

            if (atomic_exchange_explicit(&session->is_done, false, memory_order_acquire))
                session_step(session);
        }
        control_core_tick(&control->core, clock_now_ns());
        events_publish(control);
    }
    return NULL;
}

/* Listens at RUNTIME/name for this user only. 0 or an nng error. */
static int control_listen(nng_socket socket, const char *runtime_dir, const char *name)
{
    char url[CONFIG_PATH_BYTES + 16];
    nng_listener listener;
    int error;

    snprintf(url, sizeof(url), "ipc://%s/%s", runtime_dir, name);
    error = nng_listener_create(&listener, socket, url);
    if (error == 0)
        error = nng_listener_set_int(listener, NNG_OPT_IPC_PERMISSIONS, 0600);
    if (error == 0)
        error = nng_listener_start(listener, 0);
    return error;
}

/* 0 or an nng error, with what it was about in *what. */
static int control_open(struct control *control, const char **what)
{
    const char *runtime_dir = control->config.control.runtime_dir;
    int error;

    hangup_guard();
    *what = "frontend.ipc";
    if ((error = nng_rep0_open(&control->requests)) != 0 ||
        (error = nng_socket_set_size(control->requests, NNG_OPT_RECVMAXSZ, MAX_RECEIVE_BYTES)) != 0 ||
        (error = control_listen(control->requests, runtime_dir, *what)) != 0)
        return error;
    *what = "frontend-events.ipc";
    if ((error = nng_pub0_open(&control->events)) != 0 ||
        (error = nng_socket_set_int(control->events, NNG_OPT_SENDBUF, EVENT_BACKLOG)) != 0)
        return error;
    return control_listen(control->events, runtime_dir, *what);
}

static int sessions_open(struct control *control)
{
    for (unsigned i = 0; i < N_SESSIONS; i++) {
        struct session *session = &control->sessions[i];
        int error;

        session->control = control;
        if ((error = nng_ctx_open(&session->ctx, control->requests)) != 0)
            return error;
        if ((error = nng_aio_alloc(&session->aio, session_done, session)) != 0)
            return error;
        control->n_sessions = i + 1;
        session_receive(session);
    }
    return 0;
}

/* The thread takes no signals: those are for the loop. Returns 0 or -errno. */
static int thread_start(struct control *control)
{
    sigset_t all;
    sigset_t old;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(&control->thread, NULL, control_run, control);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    control->has_thread = error == 0;
    return -error;
}

struct control *control_start(const struct config *config, struct board *board, char *error,
                              size_t error_size)
{
    struct control *control = calloc(1, sizeof(*control));
    const char *what = "frontend.ipc";
    int result;

    if (control == NULL) {
        snprintf(error, error_size, "control endpoint: out of memory");
        return NULL;
    }
    /*
     * One heap for all threads, for nng's begin below: to shrink a thread's own, malloc reads a file of
     * /proc, and under the seccomp list that would kill the process. The loop does not allocate, so nobody
     * waits.
     */
    mallopt(M_ARENA_MAX, 1);
    control->config = *config;
    control->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (control->wake_fd < 0 ||
        control_core_init(&control->core, &control->config, board, clock_now_ns()) != 0) {
        snprintf(error, error_size, "control endpoint: out of descriptors or memory");
        control_stop(control);
        return NULL;
    }
    result = control_open(control, &what);
    if (result == 0)
        result = sessions_open(control);
    if (result != 0) {
        snprintf(error, error_size, "%s/%s: %s", config->control.runtime_dir, what,
                 result == NNG_EADDRINUSE ? "in use, another frontend is running" : nng_strerror(result));
        control_stop(control);
        return NULL;
    }
    if (thread_start(control) != 0) {
        snprintf(error, error_size, "control endpoint: cannot start a thread");
        control_stop(control);
        return NULL;
    }
    return control;
}

/* Takes what a start got so far, so it serves as the way out of a failed one too. */
/* nng removes a socket's file some time after the close, and the process may be gone by then. */
static void control_unlink(const struct control *control, const char *name)
{
    char path[CONFIG_PATH_BYTES + 16];

    snprintf(path, sizeof(path), "%s/%s", control->config.control.runtime_dir, name);
    if (unlink(path) < 0 && errno != ENOENT)
        log_debug("socket_file_left file=%s error=\"%s\"", path, strerror(errno));
}

void control_stop(struct control *control)
{
    const uint64_t one = 1;

    if (control == NULL)
        return;
    if (control->has_thread) {
        atomic_store_explicit(&control->is_stopping, true, memory_order_release);
        (void)!write(control->wake_fd, &one, sizeof(one));
        pthread_join(control->thread, NULL);
    }
    /* Closing ends every step under way; afterwards a message that nng did not take is ours to free. */
    if (nng_socket_id(control->requests) > 0) {
        nng_close(control->requests);
        control_unlink(control, "frontend.ipc");
    }
    if (nng_socket_id(control->events) > 0) {
        nng_close(control->events);
        control_unlink(control, "frontend-events.ipc");
    }
    for (unsigned i = 0; i < control->n_sessions; i++) {
        struct session *session = &control->sessions[i];
        bool is_ours;

        nng_aio_stop(session->aio);
        is_ours = session->state == SESSION_RECEIVING ? nng_aio_result(session->aio) == 0
                                                      : nng_aio_result(session->aio) != 0;
        if (is_ours && session->state != SESSION_CLOSED)
            nng_msg_free(nng_aio_get_msg(session->aio));
        nng_aio_free(session->aio);
    }
    control_core_fini(&control->core);
    fd_close(&control->wake_fd);
    free(control);
}
