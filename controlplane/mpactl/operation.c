/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * operation.c — begin, look, end. The looks come quickly at first, for a hand-over takes a millisecond, then
 * slower, for an update takes seconds. Ctrl-C ends the waiting, not the operation, and says so; so does an
 * mpa-controld that ends before the operation: what is said about it comes when the bar is gone.
 */
#include "controlplane/mpactl/operation.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/mpactl/client.h"
#include "controlplane/mpactl/json.h"
#include "controlplane/mpactl/progress.h"
#include "controlplane/mpactl/signals.h"
#include "controlplane/mpactl/text.h"

#define FIRST_LOOK_MS 2
#define LAST_LOOK_MS 100

/* ---- syntax ---- */

const struct argp_option operation_options_to[] = {
    {"to", 'T', "WORKER", 0, "worker that gets them", 0},
    {"no-wait", 'n', NULL, 0, "do not wait for the end", 0},
    {0},
};
const struct argp_option operation_options_wait[] = {
    {"no-wait", 'n', NULL, 0, "do not wait for the end", 0},
    {0},
};

uint32_t operation_slot(struct argp_state *state, const char *option, const char *text)
{
    char *end;
    unsigned long number;

    errno = 0;
    number = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || number > UINT32_MAX)
        argp_error(state, "%s%s%s: not a worker (a number is)", option, *option == '\0' ? "" : " ", text);
    return (uint32_t)number;
}

error_t operation_parse(int key, char *value, struct argp_state *state)
{
    struct operation_arguments *arguments = state->input;

    switch (key) {
    case 'T':
        arguments->to = operation_slot(state, "--to", value);
        arguments->has_to = true;
        return 0;
    case 'n':
        arguments->is_no_wait = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->has_slot)
            return ARGP_ERR_UNKNOWN;
        arguments->slot = operation_slot(state, "", value);
        arguments->has_slot = true;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->has_slot)
            argp_error(state, "which worker?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- what is shown ---- */

static bool is_pending(const Mpa__V1__OperationReply *operation)
{
    return operation->state == MPA__V1__OPERATION_STATE__OPERATION_STATE_PENDING;
}

static int print_end(const struct mpactl *mpactl, const Mpa__V1__OperationReply *operation)
{
    bool is_done = operation->state == MPA__V1__OPERATION_STATE__OPERATION_STATE_DONE;
    const Mpa__V1__Error *error = operation->error;
    char word[TEXT_WORD_BYTES];

    if (mpactl->is_json && json_print_message(&operation->base, stdout) != MPACTL_OK)
        return MPACTL_FAILED;
    if (!is_done && !is_pending(operation)) {
        const char *field = error == NULL ? "" : error->field;

        return mpactl_fail(MPACTL_FAILED, "%s failed: %s%s%s%s", operation->text,
                           error == NULL ? "no reason given" : error->text, *field == '\0' ? "" : " (", field,
                           *field == '\0' ? "" : ")");
    }
    if (mpactl->is_json)
        return MPACTL_OK;
    fputs(is_done ? "done: " : "begun: ", stdout);
    text_print(operation->text, stdout);
    if (!is_done)
        printf(" (operation %" PRIu64 ")\n", operation->operation_id);
    else if (operation->flows == 0 && operation->buckets == 0)
        printf(" (%s)\n", text_ns(operation->duration_ns, word));
    else
        printf(" (%u flows, %u buckets, %u frames held, %s)\n", operation->flows, operation->buckets,
               operation->frames_held, text_ns(operation->duration_ns, word));
    return MPACTL_OK;
}

/* ---- begin, look, end ---- */

static void pause_ms(unsigned ms)
{
    const struct timespec pause = {.tv_sec = 0, .tv_nsec = (long)ms * 1000000};

    nanosleep(&pause, NULL);
}

/* Looks until the operation has ended, or Ctrl-C; *reply is replaced by newer ones and stays the caller's. */
static int look_on(struct client *client, Mpa__V1__Reply **reply)
{
    Mpa__V1__GetOperationRequest body = MPA__V1__GET_OPERATION_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    unsigned look_ms = FIRST_LOOK_MS;
    struct progress progress;
    int exit_code = MPACTL_OK;

    body.operation_id = (*reply)->get_operation->operation_id;
    request.body_case = MPA__V1__REQUEST__BODY_GET_OPERATION;
    request.get_operation = &body;
    progress_begin(&progress, client->mpactl);
    while (is_pending((*reply)->get_operation) && !signals_remembered()) {
        const Mpa__V1__OperationReply *operation = (*reply)->get_operation;
        Mpa__V1__Reply *next;

        progress_show(&progress, operation->text, operation->n_done, operation->n_total);
        pause_ms(look_ms);
        look_ms = 2 * look_ms < LAST_LOOK_MS ? 2 * look_ms : LAST_LOOK_MS;
        exit_code = client_ask(client, &request, &next);
        if (exit_code != MPACTL_OK)
            break;
        mpa__v1__reply__free_unpacked(*reply, NULL);
        *reply = next;
    }
    progress_end(&progress);
    return exit_code;
}

static int wait_for_end(struct client *client, Mpa__V1__Reply **reply)
{
    const struct mpactl *mpactl = client->mpactl;
    struct mpactl quiet = *mpactl;
    char error[512] = "";
    int exit_code;

    quiet.error = error;
    quiet.error_size = sizeof(error);
    client->mpactl = &quiet;
    signals_remember();
    exit_code = look_on(client, reply);
    client->mpactl = mpactl;
    if (exit_code != MPACTL_OK)
        return mpactl_fail(MPACTL_FAILED, "%s: what became of it is not known, see status and events (%s)",
                           (*reply)->get_operation->text, error);
    if (!is_pending((*reply)->get_operation))
        return MPACTL_OK;
    return mpactl_fail(MPACTL_FAILED, "%s: goes on, only the waiting has ended (see status and events)",
                       (*reply)->get_operation->text);
}

int operation_run(const struct mpactl *mpactl, Mpa__V1__Request *request, bool is_waiting)
{
    struct client client;
    Mpa__V1__Reply *reply = NULL;
    int exit_code = client_open(&client, mpactl, "control.ipc", false);

    /* All these replies have the same body, so get_operation is any of them. */
    if (exit_code == MPACTL_OK)
        exit_code = client_ask(&client, request, &reply);
    if (exit_code == MPACTL_OK && is_waiting)
        exit_code = wait_for_end(&client, &reply);
    if (exit_code == MPACTL_OK)
        exit_code = print_end(mpactl, reply->get_operation);
    if (reply != NULL)
        mpa__v1__reply__free_unpacked(reply, NULL);
    client_close(&client);
    return exit_code;
}
