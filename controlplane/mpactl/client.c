/* SPDX-License-Identifier: BSD-3-Clause */
/* client.c — a request and its reply, and every way that can fail in one line of text. */
#include "controlplane/mpactl/client.h"

#include <errno.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#include "controlplane/mpactl/remote.h"

#define MAX_MESSAGE_BYTES (1u << 20)
#define GRACE_MS 500 /* the daemon answers "too late" within the deadline; only then we give up */

/* As mpactl_fail(), or to where the messages are kept. */
MPA_PRINTF(3, 4)
static int client_fail(const struct mpactl *mpactl, enum mpactl_exit exit_code, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (mpactl->error == NULL)
        return mpactl_fail(exit_code, "%s", text);
    snprintf(mpactl->error, mpactl->error_size, "%s", text);
    return (int)exit_code;
}

/*
 * Is there anybody? 0 or an errno. nng could tell only by waiting for the end of its handshake, and a process
 * that hangs never comes to that: it is dialled in the background. A datagram socket asks without connecting:
 * the kernel looks up who has bound the path, and then sees that the kinds do not fit (EPROTOTYPE).
 */
static int look_for(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int error = 0;

    if (fd < 0)
        return errno;
    memcpy(address.sun_path, path, strnlen(path, sizeof(address.sun_path) - 1));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 && errno != EPROTOTYPE)
        error = errno;
    close(fd);
    return error;
}

static void connected(nng_pipe pipe, nng_pipe_ev event, void *client)
{
    (void)pipe;
    (void)event;
    sem_post(&((struct client *)client)->connected);
}

static int socket_open(struct client *client)
{
    int error;

    sem_init(&client->connected, 0, 0);
    if ((error = nng_req0_open(&client->socket)) != 0 ||
        (error = nng_socket_set_size(client->socket, NNG_OPT_RECVMAXSZ, MAX_MESSAGE_BYTES)) != 0 ||
        (error = nng_socket_set_ms(client->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE)) != 0 ||
        (error = nng_pipe_notify(client->socket, NNG_PIPE_EV_ADD_POST, connected, client)) != 0)
        return client_fail(client->mpactl, MPACTL_FAILED, "cannot open a socket: %s", nng_strerror(error));
    return MPACTL_OK;
}

static int dial_remote(struct client *client)
{
    int exit_code = socket_open(client);

    return exit_code != MPACTL_OK ? exit_code : remote_dial(client->socket, client->mpactl);
}

static int dial(struct client *client, const char *url)
{
    uint64_t end_ns = clock_now_ns() + client->mpactl->timeout_ms * CLOCK_NS_PER_MS;
    struct timespec end = {.tv_sec = (time_t)(end_ns / CLOCK_NS_PER_S),
                           .tv_nsec = (long)(end_ns % CLOCK_NS_PER_S)};
    int exit_code = socket_open(client);
    int error;

    if (exit_code != MPACTL_OK)
        return exit_code;
    error = nng_dial(client->socket, url, NULL, NNG_FLAG_NONBLOCK);
    if (error != 0)
        return client_fail(client->mpactl, MPACTL_FAILED, "cannot connect: %s", nng_strerror(error));
    while (sem_clockwait(&client->connected, CLOCK_MONOTONIC, &end) != 0) {
        if (errno != EINTR)
            return client_fail(client->mpactl, MPACTL_FAILED, "no answer within %u ms (see --timeout)",
                               client->mpactl->timeout_ms);
    }
    return MPACTL_OK;
}

int client_look(const struct mpactl *mpactl, const char *name, bool is_quiet)
{
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    int error;

    if (snprintf(path, sizeof(path), "%s/%s", mpactl->runtime_dir, name) >= (int)sizeof(path) - 1)
        return client_fail(mpactl, MPACTL_USAGE, "--runtime-dir %s: too long", mpactl->runtime_dir);
    error = look_for(path);
    if (error == EACCES || error == EPERM)
        return client_fail(mpactl, MPACTL_FAILED,
                           "%s: permission denied (others than root and the user of mpa-controld need "
                           "control.admins or control.readers)",
                           path);
    if (error == 0)
        return MPACTL_OK;
    if (is_quiet)
        return MPACTL_NO_DAEMON;
    return client_fail(mpactl, MPACTL_NO_DAEMON, "%s: no mpa-controld answers there (%s); is it running?",
                       path, strerror(error));
}

int client_open(struct client *client, const struct mpactl *mpactl, const char *name, bool is_quiet)
{
    char url[sizeof("ipc://") + sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    int exit_code;

    *client = (struct client){.mpactl = mpactl, .name = name};
    if (mpactl->remote != NULL)
        return dial_remote(client);
    exit_code = client_look(mpactl, name, is_quiet);
    if (exit_code != MPACTL_OK)
        return exit_code;
    snprintf(url, sizeof(url), "ipc://%s/%s", mpactl->runtime_dir, name);
    return dial(client, url);
}

void client_close(struct client *client)
{
    if (nng_socket_id(client->socket) > 0)
        nng_close(client->socket);
}

/* 0 or an nng error; *answer is the caller's. */
static int exchange(struct client *client, const Mpa__V1__Request *request, nng_msg **answer)
{
    nng_duration wait_ms = (nng_duration)client->mpactl->timeout_ms + GRACE_MS;
    nng_msg *packed;
    int error = nng_msg_alloc(&packed, mpa__v1__request__get_packed_size(request));

    if (error != 0)
        return error;
    mpa__v1__request__pack(request, nng_msg_body(packed));
    if ((error = nng_socket_set_ms(client->socket, NNG_OPT_SENDTIMEO, wait_ms)) != 0 ||
        (error = nng_socket_set_ms(client->socket, NNG_OPT_RECVTIMEO, wait_ms)) != 0 ||
        (error = nng_sendmsg(client->socket, packed, 0)) != 0) {
        nng_msg_free(packed);
        return error;
    }
    return nng_recvmsg(client->socket, answer, 0);
}

/* Says which field it is about, unless that is the command itself, which the user has just typed. */
static int refused(const struct mpactl *mpactl, const Mpa__V1__Request *request, const Mpa__V1__Error *error)
{
    const ProtobufCFieldDescriptor *command =
        protobuf_c_message_descriptor_get_field(request->base.descriptor, request->body_case);

    /* That is no refusal: nobody has said no. */
    if (error->code == MPA__V1__ERROR_CODE__ERROR_CODE_DEADLINE)
        return client_fail(mpactl, MPACTL_FAILED, "%s", error->text);
    if (error->field[0] != '\0' && strcmp(error->field, "request") != 0 &&
        (command == NULL || strcmp(error->field, command->name) != 0))
        return client_fail(mpactl, MPACTL_FAILED, "refused: %s (%s)", error->text, error->field);
    return client_fail(mpactl, MPACTL_FAILED, "refused: %s", error->text);
}

/* Whoever asked only to look loses nothing with the answer; a change may have been made all the same. */
static const char *doubt_of(const Mpa__V1__Request *request)
{
    static const char *const looks[] = {"get_", "explain", "capture_"};
    const ProtobufCFieldDescriptor *command =
        protobuf_c_message_descriptor_get_field(request->base.descriptor, request->body_case);

    for (size_t i = 0; command != NULL && i < sizeof(looks) / sizeof(looks[0]); i++) {
        if (strncmp(command->name, looks[i], strlen(looks[i])) == 0)
            return "";
    }
    return "; whether the command was carried out is not known (see status)";
}

int client_ask(struct client *client, Mpa__V1__Request *request, Mpa__V1__Reply **reply)
{
    nng_msg *answer;
    Mpa__V1__Reply *unpacked;
    int error;

    /* Whoever has gone since the last question is not waited for: the kernel knows at once. */
    error = client->mpactl->remote != NULL ? MPACTL_OK : client_look(client->mpactl, client->name, false);
    if (error != MPACTL_OK)
        return error;
    request->id = ++client->last_id;
    request->deadline_ms = client->mpactl->timeout_ms;
    error = exchange(client, request, &answer);
    if (error == NNG_ETIMEDOUT)
        return client_fail(client->mpactl, MPACTL_FAILED, "no answer within %u ms (see --timeout)%s",
                           client->mpactl->timeout_ms, doubt_of(request));
    if (error != 0)
        return client_fail(client->mpactl, MPACTL_FAILED, "connection lost: %s%s", nng_strerror(error),
                           doubt_of(request));
    unpacked = mpa__v1__reply__unpack(NULL, nng_msg_len(answer), nng_msg_body(answer));
    nng_msg_free(answer);
    if (unpacked == NULL)
        return client_fail(client->mpactl, MPACTL_FAILED,
                           "the answer cannot be decoded: is mpa-controld of another version?");
    if (unpacked->error != NULL) {
        error = refused(client->mpactl, request, unpacked->error);
    } else if ((int)unpacked->body_case != (int)request->body_case) {
        /* Command and reply have the same field number. */
        error = client_fail(client->mpactl, MPACTL_FAILED,
                            "the answer does not fit the command: is mpa-controld of another version?");
    } else {
        *reply = unpacked;
        return MPACTL_OK;
    }
    mpa__v1__reply__free_unpacked(unpacked, NULL);
    return error;
}

int client_ask_once(const struct mpactl *mpactl, Mpa__V1__Request *request, Mpa__V1__Reply **reply)
{
    struct client client;
    int exit_code = client_open(&client, mpactl, "control.ipc", false);

    if (exit_code == MPACTL_OK)
        exit_code = client_ask(&client, request, reply);
    client_close(&client);
    return exit_code;
}
