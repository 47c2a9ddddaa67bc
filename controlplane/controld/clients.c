/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clients.c — a small table, searched from its beginning: it is short, and nobody asks often enough to
 * notice. A guest gives way before an admin, so no crowd of guests keeps an admin out.
 *
 * A connection is cut off only while it is quiet, and requests of one that does not read are taken slowly
 * instead: nng 1.5.2 that closes a connection while it receives from it can wait for its end for ever, and
 * then takes no other apart any more (its ipc_recv() makes no call back once the aio is stopped).
 */
#include "controlplane/controld/clients.h"

#include "base/clock.h"

void clients_init(struct clients *clients, const struct access *access)
{
    *clients = (struct clients){.access = access};
    pthread_mutex_init(&clients->lock, NULL);
}

void clients_fini(struct clients *clients)
{
    pthread_mutex_destroy(&clients->lock);
}

/* NULL: there is no such connection. */
static struct client *client_find(struct clients *clients, int pipe_id)
{
    for (uint32_t i = 0; i < CLIENTS_ROOM && pipe_id != 0; i++) {
        if (clients->places[i].pipe_id == pipe_id)
            return &clients->places[i];
    }
    return NULL;
}

static bool gives_way_before(const struct client *client, const struct client *other)
{
    const bool is_admin = client->identity.role == ACCESS_ADMIN;

    if (is_admin != (other->identity.role == ACCESS_ADMIN))
        return !is_admin;
    return client->last_ns < other->last_ns;
}

/* Whoever waits for no answer and has been quiet for longest; NULL: there is none. */
static const struct client *client_superfluous(const struct clients *clients)
{
    const struct client *chosen = NULL;

    for (uint32_t i = 0; i < CLIENTS_ROOM; i++) {
        const struct client *client = &clients->places[i];

        if (client->pipe_id != 0 && client->n_waiting == 0 &&
            (chosen == NULL || gives_way_before(client, chosen)))
            chosen = client;
    }
    return chosen;
}

/* Takes it out of the table, so that it is not chosen again while it is on its way out. */
static int client_drop(struct clients *clients, struct client *client)
{
    int pipe_id = client->pipe_id;

    if (client->identity.role != ACCESS_ADMIN)
        clients->n_guests_waiting -= client->n_waiting;
    *client = (struct client){0};
    clients->n--;
    return pipe_id;
}

int clients_add(struct clients *clients, int pipe_id, const struct client_identity *identity, uint64_t now_ns)
{
    const struct client *superfluous;
    struct client *place = NULL;
    int cut_off = 0;

    pthread_mutex_lock(&clients->lock);
    for (uint32_t i = 0; i < CLIENTS_ROOM && place == NULL; i++) {
        if (clients->places[i].pipe_id == 0)
            place = &clients->places[i];
    }
    if (place != NULL) {
        *place = (struct client){.pipe_id = pipe_id,
                                 .identity = *identity,
                                 .tokens = CLIENT_BURST,
                                 .filled_ns = now_ns,
                                 .last_ns = now_ns};
        clients->n++;
        superfluous = clients->n > CLIENTS_MAX ? client_superfluous(clients) : NULL;
        if (superfluous != NULL)
            cut_off = client_drop(clients, client_find(clients, superfluous->pipe_id));
    }
    pthread_mutex_unlock(&clients->lock);
    return place == NULL ? pipe_id : cut_off;
}

void clients_remove(struct clients *clients, int pipe_id)
{
    struct client *client;

    pthread_mutex_lock(&clients->lock);
    client = client_find(clients, pipe_id);
    if (client != NULL)
        client_drop(clients, client);
    pthread_mutex_unlock(&clients->lock);
}

/* One token for each request; they come back with time. */
static bool take_token(struct client *client, uint64_t now_ns)
{
    uint64_t n_new = (now_ns - client->filled_ns) / (CLOCK_NS_PER_S / CLIENT_RATE_PER_S);

    if (n_new > 0) {
        client->tokens =
            n_new + client->tokens > CLIENT_BURST ? CLIENT_BURST : client->tokens + (uint32_t)n_new;
        client->filled_ns += n_new * (CLOCK_NS_PER_S / CLIENT_RATE_PER_S);
    }
    if (client->tokens == 0)
        return false;
    client->tokens--;
    return true;
}

static enum client_verdict client_judge(struct clients *clients, struct client *client, uint64_t now_ns)
{
    if (client->n_waiting > CLIENT_MAX_WAITING ||
        (client->identity.role != ACCESS_ADMIN && clients->n_guests_waiting > CLIENTS_MAX_GUESTS))
        return CLIENT_TOO_MANY;
    return take_token(client, now_ns) ? CLIENT_GOOD : CLIENT_TOO_FAST;
}

enum client_verdict clients_begin(struct clients *clients, int pipe_id, uint64_t now_ns,
                                  struct client_identity *identity)
{
    enum client_verdict verdict = CLIENT_GOOD; /* of one that has gone: it has no role, which is enough */
    struct client *client;

    pthread_mutex_lock(&clients->lock);
    client = client_find(clients, pipe_id);
    *identity = client == NULL ? (struct client_identity){.role = ACCESS_NONE} : client->identity;
    if (client != NULL) {
        client->n_waiting++;
        client->last_ns = now_ns;
        if (client->identity.role != ACCESS_ADMIN)
            clients->n_guests_waiting++;
        verdict = client_judge(clients, client, now_ns);
    }
    pthread_mutex_unlock(&clients->lock);
    return verdict;
}

void clients_end(struct clients *clients, int pipe_id)
{
    struct client *client;

    pthread_mutex_lock(&clients->lock);
    client = client_find(clients, pipe_id);
    if (client != NULL && client->n_waiting > 0) {
        client->n_waiting--;
        if (client->identity.role != ACCESS_ADMIN)
            clients->n_guests_waiting--;
    }
    pthread_mutex_unlock(&clients->lock);
}

/* ---- connections of nng ---- */

/* By where it came in, or by what the kernel tells of the other end. */
static struct client_identity identity_of(const struct clients *clients, nng_pipe pipe)
{
    struct client_identity identity = {.role = ACCESS_NONE};
    uint64_t uid, gid;

    if (clients->remote_id != 0 && nng_listener_id(nng_pipe_listener(pipe)) == clients->remote_id) {
        identity.role = clients->access->remote_role;
        return identity;
    }
    if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_PID, &identity.pid) == 0 &&
        nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &uid) == 0 &&
        nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_GID, &gid) == 0)
        identity.role = access_of_peer(clients->access, uid, gid);
    return identity;
}

/* Runs in a thread of nng: before a connection is let in, and after it has gone. */
static void pipe_changed(nng_pipe pipe, nng_pipe_ev event, void *argument)
{
    struct clients *clients = argument;
    nng_pipe superfluous = NNG_PIPE_INITIALIZER;
    struct client_identity identity;
    int cut_off;

    if (event == NNG_PIPE_EV_REM_POST) {
        clients_remove(clients, nng_pipe_id(pipe));
        return;
    }
    identity = identity_of(clients, pipe);
    cut_off = clients_add(clients, nng_pipe_id(pipe), &identity, clock_now_ns());
    if (cut_off == 0)
        return;
    superfluous.id = (uint32_t)cut_off;
    nng_pipe_close(superfluous);
}

int clients_watch(struct clients *clients, nng_socket socket)
{
    int error = nng_pipe_notify(socket, NNG_PIPE_EV_ADD_PRE, pipe_changed, clients);

    return error != 0 ? error : nng_pipe_notify(socket, NNG_PIPE_EV_REM_POST, pipe_changed, clients);
}
