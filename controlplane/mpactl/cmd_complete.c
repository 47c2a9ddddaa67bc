/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_complete.c — mpactl complete: for the shells. A candidate a line, behind a tab what it is; ":files" and
 * ":folders" leave the place to the shell. Nobody wants to wait for a completion: the daemon has a second.
 */
#include <stdio.h>
#include <string.h>

#include "controlplane/mpactl/client.h"
#include "controlplane/mpactl/complete.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/text.h"

#define DAEMON_MS 400 /* with the grace of the client still below a second */

/* Words behind the command, for inspect_words(). */
struct typed {
    struct mpactl *mpactl;
    char **words;
    size_t n_words;
};

static void offer(const char *typed, const char *word, size_t length, const char *what)
{
    if (strlen(typed) <= length && strncmp(word, typed, strlen(typed)) == 0)
        printf("%.*s\t%s\n", (int)length, word, what == NULL ? "" : what);
}

static void offer_commands(const char *typed)
{
    for (const struct command *command = commands; command->name != NULL; command++) {
        if (command->help[0] != '\0')
            offer(typed, command->name, strlen(command->name), command->help);
    }
}

static void offer_options(const char *typed, const struct argp_option *options)
{
    char word[64];

    for (; options != NULL && (options->name != NULL || options->key != 0); options++) {
        snprintf(word, sizeof(word), "--%s", options->name);
        offer(typed, word, strlen(word), options->doc);
    }
}

static void offer_enum(const char *typed, const ProtobufCEnumDescriptor *descriptor)
{
    char word[TEXT_WORD_BYTES];

    for (unsigned i = 0; i < descriptor->n_values; i++) {
        text_enum(descriptor, descriptor->values[i].value, word);
        offer(typed, word, strlen(word), "");
    }
}

/* Slots of the workers that there are, behind each of these words. */
static void offer_workers(const struct mpactl *mpactl, const char *typed, const char *const *prefixes)
{
    struct mpactl patience = *mpactl;
    Mpa__V1__GetStatusRequest body = MPA__V1__GET_STATUS_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__Reply *reply;
    struct client client;
    char what[TEXT_WORD_BYTES];
    char word[32];

    patience.timeout_ms = DAEMON_MS;
    request.body_case = MPA__V1__REQUEST__BODY_GET_STATUS;
    request.get_status = &body;
    if (client_open(&client, &patience, "control.ipc", true) != MPACTL_OK ||
        client_ask(&client, &request, &reply) != MPACTL_OK) {
        client_close(&client);
        return;
    }
    for (size_t i = 0; i < reply->get_status->n_processes; i++) {
        const Mpa__V1__Process *process = reply->get_status->processes[i];

        if (process->role != MPA__V1__ROLE__ROLE_WORKER)
            continue;
        text_enum(&mpa__v1__process_state__descriptor, (int)process->state, what);
        for (const char *const *prefix = prefixes; *prefix != NULL; prefix++) {
            snprintf(word, sizeof(word), "%s%u", *prefix, process->slot);
            offer(typed, word, strlen(word), what);
        }
    }
    mpa__v1__reply__free_unpacked(reply, NULL);
    client_close(&client);
}

static bool is_kind(const char *kind, size_t length, const char *wanted)
{
    return strlen(wanted) == length && strncmp(kind, wanted, length) == 0;
}

/* What may stand for one name of a value; a word in small letters stands for itself. */
static void offer_kind(const struct mpactl *mpactl, const char *kind, size_t length, const char *typed)
{
    static const char *const slots[] = {"", NULL}, *const scopes[] = {"lane", "worker", NULL},
                             *const processes[] = {"worker:", NULL};

    if (kind[0] >= 'a' && kind[0] <= 'z') {
        offer(typed, kind, length, "");
    } else if (is_kind(kind, length, "WORKER")) {
        offer_workers(mpactl, typed, slots);
    } else if (is_kind(kind, length, "SCOPE")) {
        offer(typed, "frontend", strlen("frontend"), "");
        offer(typed, "nic", strlen("nic"), "");
        offer_workers(mpactl, typed, scopes);
    } else if (is_kind(kind, length, "PROCESS")) {
        offer(typed, "controld", strlen("controld"), "");
        offer(typed, "frontend", strlen("frontend"), "");
        offer_workers(mpactl, typed, processes);
    } else if (is_kind(kind, length, "STATE")) {
        offer_enum(typed, &mpa__v1__flow_state__descriptor);
    } else if (is_kind(kind, length, "STEP")) {
        offer_enum(typed, &mpa__v1__degrade_step__descriptor);
    } else if (is_kind(kind, length, "COMMAND")) {
        offer_commands(typed);
    } else if (is_kind(kind, length, "FILE")) {
        puts(":files");
    } else if (is_kind(kind, length, "DIR")) {
        puts(":folders");
    }
}

/* Each of the alternatives, as in "on|off" or "auto|off|STEP". */
static void offer_value(const struct mpactl *mpactl, const char *kind, size_t length, const char *typed)
{
    while (length > 0) {
        size_t part = strcspn(kind, "|] \n");

        if (part > length)
            part = length;
        if (part > 0)
            offer_kind(mpactl, kind, part, typed);
        length -= part + (part < length);
        kind += part + 1;
    }
}

static void inspect_words(const struct mpactl *mpactl, const char *name, const struct command_syntax *syntax)
{
    const struct typed *typed = mpactl->inspect_context;
    struct complete_place place = complete_find(syntax, typed->words, typed->n_words);
    const char *token;
    size_t length;

    (void)name;
    if (place.kind != NULL) {
        offer_value(mpactl, place.kind, place.kind_length, place.typed);
        return;
    }
    if (place.is_option) {
        offer_options(place.typed, syntax->options);
        offer_options(place.typed, syntax_options_global);
        offer(place.typed, "--help", strlen("--help"), "the page of the command");
        return;
    }
    for (size_t i = 0; (token = complete_argument(syntax, typed->words, typed->n_words, i, &length)) != NULL;
         i++)
        offer_value(mpactl, token, length, place.typed);
}

/* Index of the command among the words, or of the last one; the folder on the way is taken over. */
static size_t command_place(struct mpactl *mpactl, char **words, size_t n_words)
{
    static const struct command_syntax none = {0};
    size_t i;

    for (i = 0; i + 1 < n_words && words[i][0] == '-'; i++) {
        struct complete_place next = complete_find(&none, words, i + 2);
        bool is_folder = strcmp(words[i], "-r") == 0 || strcmp(words[i], "--runtime-dir") == 0;

        if (strncmp(words[i], "--runtime-dir=", 14) == 0)
            mpactl->runtime_dir = words[i] + 14;
        if (strchr(words[i], '=') != NULL || next.kind == NULL)
            continue;
        /* Its value is the next word, or behind an '=' that bash has made a word. */
        i += i + 2 < n_words && strcmp(words[i + 1], "=") == 0 ? 2 : 1;
        if (is_folder && i < n_words)
            mpactl->runtime_dir = words[i];
    }
    return i < n_words ? i : n_words - 1;
}

int command_complete(struct mpactl *mpactl, int argc, char **argv)
{
    struct typed typed = {.mpactl = mpactl, .words = argv + 1, .n_words = (size_t)argc - 1};
    const struct command *command;
    size_t place;
    static const struct command_syntax none = {0};

    /* What is typed is not ours to parse: it may be half an option. */
    if (argc < 2)
        return MPACTL_OK;
    place = command_place(mpactl, typed.words, typed.n_words);
    mpactl->inspect_context = &typed;
    if (place + 1 == typed.n_words) {
        if (typed.words[place][0] == '-' || (place > 0 && complete_find(&none, typed.words, place + 1).kind))
            inspect_words(mpactl, "", &none);
        else
            offer_commands(typed.words[place]);
        return MPACTL_OK;
    }
    command = command_find(typed.words[place]);
    if (command == NULL || command->help[0] == '\0')
        return MPACTL_OK;
    argv[1] = (char *)(uintptr_t)command->name;
    typed.words += place + 1;
    typed.n_words -= place + 1;
    mpactl->inspect = inspect_words;
    return command->run(mpactl, 1, argv + 1);
}
