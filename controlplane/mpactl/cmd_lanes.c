/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_lanes.c — mpactl lanes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/mpactl/client.h"
#include "controlplane/mpactl/json.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/text.h"

/* Sum of the counters whose name begins with `prefix` or has "_drop_" in it, when prefix is NULL. */
static uint64_t sum_of(const Mpa__V1__Lane *lane, const char *prefix)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < lane->n_counters; i++) {
        const char *name = lane->counters[i]->name;
        bool is_wanted =
            prefix != NULL ? strncmp(name, prefix, strlen(prefix)) == 0 : strstr(name, "_drop_") != NULL;

        if (is_wanted)
            sum += lane->counters[i]->value;
    }
    return sum;
}

static void add_lane(struct table *table, const Mpa__V1__Lane *lane)
{
    char word[TEXT_WORD_BYTES];

    table_cell(table, "%u", lane->slot);
    table_cell(table, "%s", text_enum(&mpa__v1__lane_state__descriptor, (int)lane->state, word));
    table_cell(table, "%" PRIu64, text_value(lane->counters, lane->n_counters, "rx_frames"));
    table_cell(table, "%" PRIu64, text_value(lane->counters, lane->n_counters, "tx_frames"));
    table_cell(table, "%" PRIu64 "/%" PRIu64, text_value(lane->gauges, lane->n_gauges, "rx_depth_slots"),
               text_value(lane->gauges, lane->n_gauges, "rx_ring_slots"));
    table_cell(table, "%" PRIu64, text_value(lane->gauges, lane->n_gauges, "tx_depth_slots"));
    table_cell(table, "%" PRIu64, text_value(lane->gauges, lane->n_gauges, "chunks_held"));
    table_cell(table, "%" PRIu64, sum_of(lane, NULL));
    table_cell(table, "%" PRIu64, sum_of(lane, "fault_"));
    table_cell(table, "%s", lane->fault[0] == '\0' ? "-" : lane->fault);
}

static int print_lanes(const Mpa__V1__GetLanesReply *reply)
{
    static const char *const headers[] = {">SLOT",   "STATE",  ">RX",     ">TX",   ">RX-RING", ">TX-DEPTH",
                                          ">CHUNKS", ">DROPS", ">FAULTS", "FAULT", NULL};
    struct table *table = table_new(headers);

    for (size_t i = 0; i < reply->n_lanes; i++)
        add_lane(table, reply->lanes[i]);
    return table_print(table, stdout);
}

int command_lanes(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        NULL, NULL, NULL,
        "Shows each lane as the frontend sees it: traffic, ring depths, rx pool chunks, drops, faults."};
    Mpa__V1__GetLanesRequest body = MPA__V1__GET_LANES_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__Reply *reply;
    int exit_code;

    command_parse(mpactl, &syntax, argc, argv, NULL);
    request.body_case = MPA__V1__REQUEST__BODY_GET_LANES;
    request.get_lanes = &body;
    exit_code = client_ask_once(mpactl, &request, &reply);
    if (exit_code != MPACTL_OK)
        return exit_code;
    exit_code =
        mpactl->is_json ? json_print_message(&reply->get_lanes->base, stdout) : print_lanes(reply->get_lanes);
    mpa__v1__reply__free_unpacked(reply, NULL);
    return exit_code;
}
