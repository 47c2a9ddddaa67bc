/* SPDX-License-Identifier: BSD-3-Clause */
/* query.c — rounds of asking and showing. */
#include "controlplane/mpactl/query.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "controlplane/mpactl/json.h"
#include "controlplane/mpactl/signals.h"
#include "controlplane/mpactl/watch_screen.h"

int query_print_json(const struct mpactl *mpactl, const ProtobufCMessage *message)
{
    return mpactl->watch_ms == 0 ? json_print_message(message, stdout) : json_print_line(message, stdout);
}

/* What stands above a round for people. */
static void print_head(const struct mpactl *mpactl, bool is_first)
{
    time_t now = time(NULL);
    struct tm moment;
    char clock[32];

    if (mpactl->is_json || mpactl->watch_ms == 0)
        return;
    strftime(clock, sizeof(clock), "%Y-%m-%d %H:%M:%S", localtime_r(&now, &moment));
    if (!isatty(STDOUT_FILENO) && !is_first)
        putchar('\n');
    printf("%s, every %u.%u s\n\n", clock, mpactl->watch_ms / 1000, mpactl->watch_ms % 1000 / 100);
}

/* One round with a connection of its own, so that a new daemon is found. */
static int round_run(struct mpactl *mpactl, query_round round, void *context)
{
    struct client client;
    int exit_code = client_open(&client, mpactl, "control.ipc", false);

    if (exit_code == MPACTL_OK)
        exit_code = round(&client, context);
    client_close(&client);
    return exit_code;
}

/* Keeps what is said about the connection until the screen has been cleared. */
static int watch_round(struct mpactl *mpactl, query_round round, void *context, bool is_first)
{
    struct watch_screen screen;
    char error[512] = "";
    int exit_code;

    watch_screen_begin(&screen, mpactl);
    print_head(mpactl, is_first);
    mpactl->error = error;
    mpactl->error_size = sizeof(error);
    exit_code = round_run(mpactl, round, context);
    mpactl->error = NULL;
    watch_screen_end(&screen, mpactl);
    if (*error != '\0' && fflush(stdout) == 0)
        mpactl_fail((enum mpactl_exit)exit_code, "%s", error);
    return exit_code;
}

static int watch(struct mpactl *mpactl, query_round round, void *context)
{
    int signals_fd = signals_open();
    int exit_code = MPACTL_OK;

    if (signals_fd < 0)
        return mpactl_fail(MPACTL_FAILED, "cannot wait for signals: %s", strerror(-signals_fd));
    /* A round reaches the terminal in one piece. */
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    for (uint64_t n = 1;; n++) {
        exit_code = watch_round(mpactl, round, context, n == 1);
        if (fflush(stdout) != 0)
            exit_code = mpactl_fail(MPACTL_FAILED, "cannot write to standard output");
        /* Nobody there, or nobody who reads: no reason to go on. */
        if (ferror(stdout) != 0 || (n == 1 && exit_code != MPACTL_OK))
            break;
        if (n == mpactl->max_rounds || signals_wait(signals_fd, (int)mpactl->watch_ms))
            break;
    }
    fd_close(&signals_fd);
    return exit_code;
}

int query_repeat(struct mpactl *mpactl, query_round round, void *context)
{
    return mpactl->watch_ms == 0 ? round_run(mpactl, round, context) : watch(mpactl, round, context);
}

/* ---- one request ---- */

struct query {
    Mpa__V1__Request *request;
    query_show show;
    void *context;
    Mpa__V1__Reply *before; /* owned */
    uint64_t before_ns;     /* when it came */
};

static int query_ask(struct client *client, void *context)
{
    struct query *query = context;
    struct query_answer answer = {.before = query->before};
    Mpa__V1__Reply *reply;
    uint64_t now_ns;
    int exit_code = client_ask(client, query->request, &reply);

    if (exit_code != MPACTL_OK)
        return exit_code;
    now_ns = clock_now_ns();
    answer.reply = reply;
    answer.over_ns = query->before == NULL ? 0 : now_ns - query->before_ns;
    exit_code = query->show(client->mpactl, &answer, query->context);
    if (query->before != NULL)
        mpa__v1__reply__free_unpacked(query->before, NULL);
    query->before = reply;
    query->before_ns = now_ns;
    return exit_code;
}

int query_run(struct mpactl *mpactl, Mpa__V1__Request *request, query_show show, void *context)
{
    struct query query = {.request = request, .show = show, .context = context};
    int exit_code = query_repeat(mpactl, query_ask, &query);

    if (query.before != NULL)
        mpa__v1__reply__free_unpacked(query.before, NULL);
    return exit_code;
}
