/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_workers.c — mpactl workers. */
#include <inttypes.h>
#include <stdio.h>

#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/query.h"
#include "controlplane/mpactl/text.h"

/* The same worker in an older answer; one that was started since is another one. */
static const Mpa__V1__Worker *worker_find(const Mpa__V1__GetWorkersReply *reply,
                                          const Mpa__V1__Worker *wanted)
{
    for (size_t i = 0; reply != NULL && i < reply->n_workers; i++) {
        if (reply->workers[i]->slot == wanted->slot && reply->workers[i]->pid == wanted->pid)
            return reply->workers[i];
    }
    return NULL;
}

/* A counter, or how fast it grows. */
static void add_counter(struct table *table, const Mpa__V1__Worker *worker, const Mpa__V1__Worker *before,
                        uint64_t over_ns, const char *name)
{
    char word[TEXT_WORD_BYTES];
    uint64_t old = before == NULL ? UINT64_MAX : text_value(before->counters, before->n_counters, name);

    table_cell(table, "%s",
               text_count_over(text_value(worker->counters, worker->n_counters, name), old, over_ns, word));
}

static void add_worker(struct table *table, const Mpa__V1__Worker *worker)
{
    char word[TEXT_WORD_BYTES];

    table_cell(table, "%u", worker->slot);
    table_cell(table, "%u", worker->pid);
    if (worker->is_draining && worker->state == MPA__V1__LANE_STATE__LANE_STATE_SERVING)
        snprintf(word, sizeof(word), "draining");
    else
        text_enum(&mpa__v1__lane_state__descriptor, (int)worker->state, word);
    table_cell(table, "%s", word);
    table_color(table, text_color(word));
    table_cell(table, "%u", worker->buckets);
    table_cell(table, "%s", text_count(worker->connections, word));
}

static void add_load(struct table *table, const Mpa__V1__Worker *worker)
{
    char word[TEXT_WORD_BYTES];

    table_cell(table, "%s",
               text_bytes(worker->fifo_memory_used_bytes + worker->stack_memory_used_bytes, word));
    table_cell(table, "%u.%u%%", worker->busy_permille / 10, worker->busy_permille % 10);
    if (worker->busy_permille >= 900)
        table_color(table, COLOR_WARN);
}

static int print_workers(const struct mpactl *mpactl, const Mpa__V1__GetWorkersReply *reply,
                         const Mpa__V1__GetWorkersReply *before, uint64_t over_ns)
{
    static const char *const totals[] = {">SLOT", "-->PID", "STATE",    "->BUCKETS", ">CONN", "--->ACCEPTED",
                                         ">RX",   ">TX",    "->MEMORY", ">BUSY",     NULL};
    static const char *const rates[] = {">SLOT", "-->PID", "STATE",    "->BUCKETS", ">CONN", "--->ACCEPTED/S",
                                        ">RX/S", ">TX/S",  "->MEMORY", ">BUSY",     NULL};
    static const char *const counters[] = {"connections_accepted", "rx_frames", "tx_packets"};
    struct table *table = table_new(over_ns == 0 ? totals : rates);

    for (size_t i = 0; i < reply->n_workers; i++) {
        const Mpa__V1__Worker *old = worker_find(before, reply->workers[i]);

        add_worker(table, reply->workers[i]);
        for (size_t k = 0; k < sizeof(counters) / sizeof(counters[0]); k++)
            add_counter(table, reply->workers[i], old, over_ns, counters[k]);
        add_load(table, reply->workers[i]);
    }
    return table_show(mpactl, table);
}

static int show_workers(const struct mpactl *mpactl, const struct query_answer *answer, void *context)
{
    (void)context;
    if (mpactl->is_json)
        return query_print_json(mpactl, &answer->reply->get_workers->base);
    return print_workers(mpactl, answer->reply->get_workers,
                         answer->before == NULL ? NULL : answer->before->get_workers, answer->over_ns);
}

int command_workers(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        syntax_options_watch, NULL, NULL,
        "Shows each attached worker: connections, frames, memory, share of time at work. With --watch: "
        "connections and frames a second.\v"
        "mpactl workers --watch=1\thow busy is each, every second?\n"};
    Mpa__V1__GetWorkersRequest body = MPA__V1__GET_WORKERS_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    command_parse(mpactl, &syntax, argc, argv, NULL);
    request.body_case = MPA__V1__REQUEST__BODY_GET_WORKERS;
    request.get_workers = &body;
    return query_run(mpactl, &request, show_workers, NULL);
}
