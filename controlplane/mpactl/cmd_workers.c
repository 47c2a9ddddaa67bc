/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_workers.c — mpactl workers. */
#include <inttypes.h>
#include <stdio.h>

#include "controlplane/mpactl/client.h"
#include "controlplane/mpactl/json.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/text.h"

static void add_worker(struct table *table, const Mpa__V1__Worker *worker)
{
    char word[TEXT_WORD_BYTES];

    table_cell(table, "%u", worker->slot);
    table_cell(table, "%u", worker->pid);
    table_cell(table, "%s",
               worker->is_draining && worker->state == MPA__V1__LANE_STATE__LANE_STATE_SERVING
                   ? "draining"
                   : text_enum(&mpa__v1__lane_state__descriptor, (int)worker->state, word));
    table_cell(table, "%u", worker->buckets);
    table_cell(table, "%" PRIu64, worker->connections);
    table_cell(table, "%" PRIu64, text_value(worker->counters, worker->n_counters, "connections_accepted"));
    table_cell(table, "%" PRIu64, text_value(worker->counters, worker->n_counters, "rx_frames"));
    table_cell(table, "%" PRIu64, text_value(worker->counters, worker->n_counters, "tx_packets"));
    table_cell(table, "%s",
               text_bytes(worker->fifo_memory_used_bytes + worker->stack_memory_used_bytes, word));
    table_cell(table, "%u.%u%%", worker->busy_permille / 10, worker->busy_permille % 10);
}

static int print_workers(const Mpa__V1__GetWorkersReply *reply)
{
    static const char *const headers[] = {">SLOT", ">PID", "STATE",   ">BUCKETS", ">CONN", ">ACCEPTED",
                                          ">RX",   ">TX",  ">MEMORY", ">BUSY",    NULL};
    struct table *table = table_new(headers);

    for (size_t i = 0; i < reply->n_workers; i++)
        add_worker(table, reply->workers[i]);
    return table_print(table, stdout);
}

int command_workers(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        NULL, NULL, NULL, "Shows each attached worker: connections, frames, memory, share of time at work."};
    Mpa__V1__GetWorkersRequest body = MPA__V1__GET_WORKERS_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__Reply *reply;
    int exit_code;

    command_parse(mpactl, &syntax, argc, argv, NULL);
    request.body_case = MPA__V1__REQUEST__BODY_GET_WORKERS;
    request.get_workers = &body;
    exit_code = client_ask_once(mpactl, &request, &reply);
    if (exit_code != MPACTL_OK)
        return exit_code;
    exit_code = mpactl->is_json ? json_print_message(&reply->get_workers->base, stdout)
                                : print_workers(reply->get_workers);
    mpa__v1__reply__free_unpacked(reply, NULL);
    return exit_code;
}
