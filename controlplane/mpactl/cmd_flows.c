/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_flows.c — mpactl flows: every connection, page by page, as the workers have committed them. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/mpactl/flow_list.h"
#include "controlplane/mpactl/flow_text.h"
#include "controlplane/mpactl/json.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/operation.h"
#include "controlplane/mpactl/query.h"
#include "controlplane/mpactl/text.h"

struct options {
    Mpa__V1__GetFlowsRequest body;
    uint64_t n_max; /* 0: no limit */
};

static const struct argp_option option_list[] = {
    {"worker", 'w', "WORKER", 0, "those of this worker only", 0},
    {"state", 's', "STATE", 0, "those in this state only, e.g. established, close_wait", 0},
    {"limit", 'l', "N", 0, "at most N", 0},
    SYNTAX_WATCH_OPTIONS,
    {0},
};

static Mpa__V1__FlowState state_parse(const char *text, struct argp_state *state)
{
    const ProtobufCEnumDescriptor *descriptor = &mpa__v1__flow_state__descriptor;
    char word[TEXT_WORD_BYTES];

    for (unsigned i = 0; i < descriptor->n_values; i++) {
        if (strcmp(text_enum(descriptor, descriptor->values[i].value, word), text) == 0)
            return (Mpa__V1__FlowState)descriptor->values[i].value;
    }
    argp_error(state,
               "--state %s: no such state (allowed: syn_rcvd, established, fin_wait_1, fin_wait_2, "
               "close_wait, closing, last_ack, time_wait)",
               text);
    return MPA__V1__FLOW_STATE__FLOW_STATE_CLOSED;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    static const struct number_range limit = {"limit", 1, UINT32_MAX};
    struct options *options = state->input;

    switch (key) {
    case 'w':
        options->body.worker = operation_slot(state, "--worker", value);
        options->body.has_worker = true;
        return 0;
    case 's':
        options->body.state = state_parse(value, state);
        options->body.has_state = true;
        return 0;
    case 'l':
        options->n_max = option_number(state, value, &limit);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Rounds of one command. */
struct rounds {
    const struct options *options;
    struct flow_list before; /* of the round before */
};

static void add_row(struct table *table, const struct flow_entry *entry, bool has_rates)
{
    const Mpa__V1__Flow *flow = entry->flow;
    char word[TEXT_WORD_BYTES];
    char name[2 * FLOW_TEXT_ADDRESS_BYTES + 32];

    flow_text_format(flow->key, name, sizeof(name));
    table_cell(table, "%s", name);
    table_cell(table, "%s", text_enum(&mpa__v1__flow_state__descriptor, (int)flow->state, word));
    table_cell(table, "%u", flow->worker);
    table_cell(table, "%s", text_bytes(has_rates ? entry->rx_rate : flow->rx_queue_bytes, word));
    table_cell(table, "%s", text_bytes(has_rates ? entry->tx_rate : flow->tx_queue_bytes, word));
    table_cell(table, "%s", flow->srtt_us == 0 ? "-" : text_ns(flow->srtt_us * UINT64_C(1000), word));
    table_cell(table, "%u", flow->retransmits);
    table_cell(table, "%s", text_duration(flow->age_ms, word));
}

static int print_table(const struct mpactl *mpactl, const struct flow_list *list, bool has_rates)
{
    static const char *const queues[] = {"~FLOW", "-STATE", ">W",     ">RXQ", ">TXQ",
                                         ">RTT",  "-->RTX", "-->AGE", NULL};
    static const char *const rates[] = {"~FLOW", "-STATE", ">W",     ">RX/S", ">TX/S",
                                        ">RTT",  "-->RTX", "-->AGE", NULL};
    struct table *table = table_new(has_rates ? rates : queues);
    int exit_code;

    for (size_t i = 0; i < list->n_entries; i++)
        add_row(table, &list->entries[i], has_rates);
    exit_code = table_show(mpactl, table);
    if (exit_code == MPACTL_OK && list->n_unreadable > 0)
        fprintf(stderr, "mpactl: %" PRIu64 " records could not be read\n", list->n_unreadable);
    return exit_code;
}

/* All pages as one reply, which borrows everything. */
static int print_json(const struct mpactl *mpactl, const struct flow_list *list)
{
    json_t *flows = json_array();
    json_t *object;
    size_t flags = mpactl->watch_ms == 0 ? JSON_INDENT(2) : JSON_COMPACT;
    int exit_code = MPACTL_OK;

    for (size_t i = 0; i < list->n_entries; i++)
        json_array_append_new(flows, json_from_message(&list->entries[i].flow->base));
    object = json_pack("{s:o, s:I}", "flows", flows, "unreadable", (json_int_t)list->n_unreadable);
    if (object == NULL || json_dumpf(object, stdout, flags | JSON_PRESERVE_ORDER) != 0)
        exit_code = mpactl_fail(MPACTL_FAILED, "cannot write JSON");
    json_decref(object);
    putchar('\n');
    return exit_code;
}

static int round_flows(struct client *client, void *context)
{
    struct rounds *rounds = context;
    struct flow_list list;
    int exit_code = flow_list_ask(&list, client, &rounds->options->body, rounds->options->n_max);

    if (exit_code != MPACTL_OK) {
        flow_list_free(&list);
        return exit_code;
    }
    if (rounds->before.time_ns != 0)
        flow_list_rate(&list, &rounds->before);
    exit_code = client->mpactl->is_json ? print_json(client->mpactl, &list)
                                        : print_table(client->mpactl, &list, rounds->before.time_ns != 0);
    flow_list_free(&rounds->before);
    rounds->before = list;
    return exit_code;
}

int command_flows(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        option_list, parse_option, NULL,
        "Shows every connection: the other end first, its state, worker, queued bytes, round-trip time, "
        "retransmits, age. With --watch: bytes a second instead of queued ones. --json has more.\v"
        "mpactl flows --worker 0\tthose of one worker\n"
        "mpactl flows --state close_wait\twho forgot to close?\n"
        "mpactl --json flows | jq '.flows | length'\thow many there are\n"};
    struct options options = {.body = MPA__V1__GET_FLOWS_REQUEST__INIT};
    struct rounds rounds = {.options = &options};
    int exit_code;

    command_parse(mpactl, &syntax, argc, argv, &options);
    exit_code = query_repeat(mpactl, round_flows, &rounds);
    flow_list_free(&rounds.before);
    return exit_code;
}
