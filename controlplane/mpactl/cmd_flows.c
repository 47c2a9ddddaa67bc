/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_flows.c — mpactl flows: every connection, page by page, as the workers have committed them. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/mpactl/client.h"
#include "controlplane/mpactl/flow_text.h"
#include "controlplane/mpactl/json.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/operation.h"
#include "controlplane/mpactl/text.h"

struct options {
    Mpa__V1__GetFlowsRequest body;
    uint64_t n_max; /* 0: no limit */
};

static const struct argp_option option_list[] = {
    {"worker", 'w', "WORKER", 0, "those of this worker only", 0},
    {"state", 's', "STATE", 0, "those in this state only, e.g. established, close_wait", 0},
    {"limit", 'l', "N", 0, "at most N", 0},
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

/* What the pages are added to: a table for people or an array for programs. */
struct list {
    struct table *table;
    json_t *array;
    uint64_t n, n_unreadable;
};

static void add_row(struct table *table, const Mpa__V1__Flow *flow)
{
    char word[TEXT_WORD_BYTES];
    char name[2 * FLOW_TEXT_ADDRESS_BYTES + 32];

    flow_text_format(flow->key, name, sizeof(name));
    table_cell(table, "%s", name);
    table_cell(table, "%s", text_enum(&mpa__v1__flow_state__descriptor, (int)flow->state, word));
    table_cell(table, "%u", flow->worker);
    table_cell(table, "%s", text_bytes(flow->rx_queue_bytes, word));
    table_cell(table, "%s", text_bytes(flow->tx_queue_bytes, word));
    table_cell(table, "%s", flow->srtt_us == 0 ? "-" : text_ns(flow->srtt_us * UINT64_C(1000), word));
    table_cell(table, "%u", flow->retransmits);
    table_cell(table, "%s", text_duration(flow->age_ms, word));
}

static void add_page(struct list *list, const Mpa__V1__GetFlowsReply *page)
{
    for (size_t i = 0; i < page->n_flows; i++) {
        if (page->flows[i]->key == NULL)
            continue;
        if (list->table != NULL)
            add_row(list->table, page->flows[i]);
        else
            json_array_append_new(list->array, json_from_message(&page->flows[i]->base));
        list->n++;
    }
    list->n_unreadable += page->unreadable;
}

/* Asks for pages until there are no more or enough. */
static int ask_pages(struct client *client, struct options *options, struct list *list)
{
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    int exit_code;

    request.body_case = MPA__V1__REQUEST__BODY_GET_FLOWS;
    request.get_flows = &options->body;
    do {
        uint64_t n_left = options->n_max == 0 ? UINT32_MAX : options->n_max - list->n;
        Mpa__V1__Reply *reply;

        options->body.limit = (uint32_t)n_left;
        exit_code = client_ask(client, &request, &reply);
        if (exit_code != MPACTL_OK)
            return exit_code;
        add_page(list, reply->get_flows);
        options->body.cursor = reply->get_flows->next_cursor;
        mpa__v1__reply__free_unpacked(reply, NULL);
    } while (options->body.cursor != 0 && (options->n_max == 0 || list->n < options->n_max));
    return MPACTL_OK;
}

static int print_json(struct list *list)
{
    json_t *object =
        json_pack("{s:O, s:I}", "flows", list->array, "unreadable", (json_int_t)list->n_unreadable);
    int exit_code = MPACTL_OK;

    if (object == NULL || json_dumpf(object, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER) != 0)
        exit_code = mpactl_fail(MPACTL_FAILED, "cannot write JSON");
    json_decref(object);
    putchar('\n');
    return exit_code;
}

int command_flows(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        option_list, parse_option, NULL,
        "Shows every connection: the other end first, its state, worker, queued bytes, round-trip time, "
        "retransmits, age. --json has more."};
    static const char *const headers[] = {"FLOW", "STATE", ">W",   ">RXQ", ">TXQ",
                                          ">RTT", ">RTX",  ">AGE", NULL};
    struct options options = {.body = MPA__V1__GET_FLOWS_REQUEST__INIT};
    struct list list = {0};
    struct client client;
    int exit_code;

    command_parse(mpactl, &syntax, argc, argv, &options);
    if (mpactl->is_json)
        list.array = json_array();
    else
        list.table = table_new(headers);
    exit_code = client_open(&client, mpactl, "control.ipc", false);
    if (exit_code == MPACTL_OK)
        exit_code = ask_pages(&client, &options, &list);
    client_close(&client);
    if (exit_code != MPACTL_OK)
        table_free(list.table);
    else if (mpactl->is_json)
        exit_code = print_json(&list);
    else
        exit_code = table_print(list.table, stdout);
    if (exit_code == MPACTL_OK && list.n_unreadable > 0 && !mpactl->is_json)
        fprintf(stderr, "mpactl: %" PRIu64 " records could not be read\n", list.n_unreadable);
    json_decref(list.array);
    return exit_code;
}
