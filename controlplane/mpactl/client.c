/* SPDX-License-Identifier: BSD-3-Clause */
/* client.c — a request and its reply, and every way that can fail in one line of text. */
#include "controlplane/mpactl/client.h"

#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/mpactl/remote.h"

#define MAX_MESSAGE_BYTES (1u << 20)
#define GRACE_MS 500 /* the daemon answers "too late" within the deadline; only then we give up */

int client_open(struct client *client, const struct mpactl *mpactl, const char *name, bool is_quiet)
{
    char url[256];
    int error;

    *client = (struct client){.mpactl = mpactl};
    if (snprintf(url, sizeof(url), "ipc://%s/%s", mpactl->runtime_dir, name) >= (int)sizeof(url))
        return mpactl_fail(MPACTL_USAGE, "--runtime-dir %s: too long", mpactl->runtime_dir);
    if ((error = nng_req0_open(&client->socket)) != 0 ||
        (error = nng_socket_set_size(client->socket, NNG_OPT_RECVMAXSZ, MAX_MESSAGE_BYTES)) != 0 ||
        (error = nng_socket_set_ms(client->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE)) != 0)
        return mpactl_fail(MPACTL_FAILED, "cannot open a socket: %s", nng_strerror(error));
    if (mpactl->remote != NULL)
        return remote_dial(client->socket, mpactl);
    error = nng_dial(client->socket, url, NULL, 0);
    if (error == 0)
        return MPACTL_OK;
    if (error == NNG_EPERM)
        return mpactl_fail(MPACTL_FAILED, "%s/%s: permission denied (it belongs to the user of mpa-controld)",
                           mpactl->runtime_dir, name);
    if (!is_quiet)
        mpactl_fail(MPACTL_NO_DAEMON, "%s/%s: no mpa-controld answers there (%s); is it running?",
                    mpactl->runtime_dir, name, nng_strerror(error));
    return MPACTL_NO_DAEMON;
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
static int refused(const Mpa__V1__Request *request, const Mpa__V1__Error *error)
{
    const ProtobufCFieldDescriptor *command =
        protobuf_c_message_descriptor_get_field(request->base.descriptor, request->body_case);

    if (error->field[0] != '\0' && strcmp(error->field, "request") != 0 &&
        (command == NULL || strcmp(error->field, command->name) != 0))
        return mpactl_fail(MPACTL_FAILED, "refused: %s (%s)", error->text, error->field);
    return mpactl_fail(MPACTL_FAILED, "refused: %s", error->text);
}

int client_ask(struct client *client, Mpa__V1__Request *request, Mpa__V1__Reply **reply)
{
    nng_msg *answer;
    Mpa__V1__Reply *unpacked;
    int error;

    request->id = ++client->last_id;
    request->deadline_ms = client->mpactl->timeout_ms;
    error = exchange(client, request, &answer);
    if (error == NNG_ETIMEDOUT)
        return mpactl_fail(MPACTL_FAILED, "no answer within %u ms (see --timeout)",
                           client->mpactl->timeout_ms);
    if (error != 0)
        return mpactl_fail(
            MPACTL_FAILED,
            "connection lost: %s; whether the command was carried out is not known (see status)",
            nng_strerror(error));
    unpacked = mpa__v1__reply__unpack(NULL, nng_msg_len(answer), nng_msg_body(answer));
    nng_msg_free(answer);
    if (unpacked == NULL)
        return mpactl_fail(MPACTL_FAILED,
                           "the answer cannot be decoded: is mpa-controld of another version?");
    if (unpacked->error != NULL) {
        error = refused(request, unpacked->error);
    } else if ((int)unpacked->body_case != (int)request->body_case) {
        /* Command and reply have the same field number. */
        error = mpactl_fail(MPACTL_FAILED,
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
